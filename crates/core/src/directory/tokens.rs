//! API tokens. Of their secrets only digests come here.
//!
//! A token whose time is over stays in the listing until it is withdrawn, so that a person finds why a script stopped.

use crate::api::{Page, Paging, TokenLife, TokenView};
use crate::call::{Principal, Resource};
use crate::day::UtcDay;
use crate::digest::Digest;
use crate::error::{Code, Error};
use crate::id::{PersonId, TokenId};
use crate::sql::{ReadSql, Row, SqlError};
use crate::time::Timestamp;
use crate::transcript::ACTOR_CONTROL_PLANE;

use super::Directory;
use super::audit::DirectoryBody;
use super::{codes, paging, people};

/// Longest name of a token: a line of a list.
const NAME_BYTES_MAX: usize = 100;
/// The names of tokens that nobody named.
const NAME_OF_OPERATORS: &str = "made with tidegate admin token";
const NAME_OF_LINK: &str = "made with a sign-in link";

/// What a listing of tokens that were not withdrawn is made of; `$where` decides the index.
macro_rules! listing {
    ($where:literal) => {
        concat!(
            "SELECT token.token_id, token.name, token.person_id, person.email, token.created_at, \
             token.expires_at, token.used_at
             FROM token JOIN person USING (person_id)
             WHERE token.revoked_at IS NULL AND (token.created_at, token.token_id) < (?1, ?2) AND ",
            $where,
            " ORDER BY token.created_at DESC, token.token_id DESC LIMIT ?3"
        )
    };
}

/// A page of the tokens that were not withdrawn, newest first.
pub(super) fn tokens(
    db: &dyn ReadSql,
    person: Option<PersonId>,
    wanted: &Paging,
) -> Result<Page<TokenView>, Error> {
    let (created_at, id) = codes::before_time::<TokenId>("tokens", wanted)?;
    let limit = paging::rows_wanted(wanted).into();
    let rows = match person {
        None => db.query(listing!("TRUE"), &[created_at, id, limit])?,
        Some(person) => {
            db.query(listing!("token.person_id = ?4"), &[created_at, id, limit, person.into()])?
        }
    };
    paging::page("tokens", wanted, &rows, token_read, |token| (token.created_at, token.id))
}

impl Directory<'_> {
    /// Makes a token for somebody who is known, on the control plane's own machine.
    pub(super) fn token_create_for(
        &mut self,
        email: &str,
        digest: Digest,
        life: TokenLife,
    ) -> Result<Resource, Error> {
        let (person, email) =
            people::person_load(self.db, email)?.ok_or_else(|| people::person_unknown(email))?;
        people::person_active(self.db, person)?;
        let view = self.token_add(person, email, NAME_OF_OPERATORS, digest, life.expires_at(self.cx.now))?;
        let expires_at = view.expires_at;
        let body = DirectoryBody::TokenCreated { token: view.id, person, expires_at };
        self.record(ACTOR_CONTROL_PLANE, &body)?;
        Ok(Resource::Token(view))
    }

    /// Makes a token for oneself. It ends no later than the token that it is made with.
    pub(super) fn token_create(
        &mut self,
        by: &Principal,
        name: &str,
        digest: Digest,
        life: TokenLife,
    ) -> Result<Resource, Error> {
        check_token_name(name)?;
        people::person_active(self.db, by.person)?;
        let expires_at = earlier(life.expires_at(self.cx.now), by.proof.until());
        let view = self.token_add(by.person, by.email.clone(), name, digest, expires_at)?;
        let (token, person, expires_at) = (view.id, by.person, view.expires_at);
        self.record(&by.email, &DirectoryBody::TokenCreated { token, person, expires_at })?;
        Ok(Resource::Token(view))
    }

    /// Turns a sign-in link into a token, once.
    pub(super) fn sign_in(
        &mut self,
        link: Digest,
        token: Digest,
        life: TokenLife,
    ) -> Result<Resource, Error> {
        let (person, email) = self.link_use(link)?;
        let view =
            self.token_add(person, email.clone(), NAME_OF_LINK, token, life.expires_at(self.cx.now))?;
        let expires_at = view.expires_at;
        self.record(&email, &DirectoryBody::SignedIn { token: view.id, person, expires_at })?;
        Ok(Resource::Token(view))
    }

    /// Gives a token that works another name.
    pub(super) fn token_rename(
        &mut self,
        by: &Principal,
        id: TokenId,
        name: String,
    ) -> Result<Resource, Error> {
        check_token_name(&name)?;
        let (view, is_revoked) = token_of(self.db, by, id)?;
        if is_revoked {
            return Err(Error::conflict(format!("token `{id}` was withdrawn: it keeps its name")));
        }
        if view.name != name {
            self.db.execute(
                "UPDATE token SET name = ?2 WHERE token_id = ?1",
                &[id.into(), name.as_str().into()],
            )?;
            self.record(&by.email, &DirectoryBody::TokenRenamed { token: id, name: name.clone() })?;
        }
        Ok(Resource::Token(TokenView { name, ..view }))
    }

    /// Withdraws a token and ends the sessions that it opened. Repeating it changes nothing.
    pub(super) fn token_revoke(&mut self, by: &Principal, id: TokenId) -> Result<Resource, Error> {
        let (view, is_revoked) = token_of(self.db, by, id)?;
        if !is_revoked {
            self.db.execute(
                "UPDATE token SET revoked_at = ?2 WHERE token_id = ?1",
                &[id.into(), self.cx.now.into()],
            )?;
            let sessions_ended = self.sessions_of_token_end(id)?;
            self.record(&by.email, &DirectoryBody::TokenRevoked { token: id, sessions_ended })?;
        }
        Ok(Resource::Token(view))
    }

    /// Withdraws every token of a person; answers how many. Whoever calls records why.
    pub(super) fn tokens_revoke(&mut self, person: PersonId) -> Result<u64, Error> {
        Ok(self.db.execute(
            "UPDATE token SET revoked_at = ?2 WHERE person_id = ?1 AND revoked_at IS NULL",
            &[person.into(), self.cx.now.into()],
        )?)
    }

    fn token_add(
        &mut self,
        person_id: PersonId,
        email: String,
        name: &str,
        digest: Digest,
        expires_at: Option<Timestamp>,
    ) -> Result<TokenView, Error> {
        let id = TokenId::fresh(&mut self.entropy);
        let created_at = self.cx.now;
        self.db.execute(
            "INSERT INTO token (token_id, digest, name, person_id, created_at, expires_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            &[id.into(), digest.into(), name.into(), person_id.into(), created_at.into(), expires_at.into()],
        )?;
        let name = name.to_owned();
        Ok(TokenView { id, token: None, name, person_id, email, created_at, expires_at, last_used_on: None })
    }
}

/// The earlier of two ends, either of which may be absent.
fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    one.into_iter().chain(other).min()
}

/// The token with this digest.
pub(super) fn token_by_digest(db: &dyn ReadSql, digest: Digest) -> Result<Option<TokenView>, Error> {
    let rows = db.query(
        "SELECT token.token_id, token.name, token.person_id, person.email, token.created_at, token.expires_at, \
         token.used_at
         FROM token JOIN person USING (person_id) WHERE token.digest = ?1",
        &[digest.into()],
    )?;
    Ok(rows.first().map(token_read).transpose()?)
}

/// One's own token, or as an owner anybody's, and whether it was withdrawn.
fn token_of(db: &dyn ReadSql, by: &Principal, id: TokenId) -> Result<(TokenView, bool), Error> {
    let rows = db.query(
        "SELECT token.token_id, token.name, token.person_id, person.email, token.created_at, token.expires_at, \
         token.used_at, token.revoked_at
         FROM token JOIN person USING (person_id) WHERE token.token_id = ?1",
        &[id.into()],
    )?;
    let row = rows.first().ok_or_else(|| Error::not_found(format_args!("token `{id}`")))?;
    let view = token_read(row)?;
    if view.person_id != by.person && !people::is_owner(by) {
        return Err(Error::problem(
            Code::Forbidden,
            "this token is somebody else's: they or an owner can change it",
        ));
    }
    Ok((view, !row.is_null(7)))
}

fn token_read(row: &Row) -> Result<TokenView, SqlError> {
    Ok(TokenView {
        id: row.parsed(0)?,
        token: None,
        name: row.text(1)?.to_owned(),
        person_id: row.parsed(2)?,
        email: row.text(3)?.to_owned(),
        created_at: Timestamp::from_milliseconds(row.integer(4)?),
        expires_at: row.optional_integer(5)?.map(Timestamp::from_milliseconds),
        last_used_on: row.optional_integer(6)?.map(Timestamp::from_milliseconds).map(UtcDay::of),
    })
}

/// Judges a token's name: 1 to 100 bytes without control characters.
fn check_token_name(name: &str) -> Result<(), Error> {
    if name.trim().is_empty() || name.len() > NAME_BYTES_MAX || name.contains(char::is_control) {
        return Err(Error::invalid("a token's name has 1 to 100 bytes and no control characters"));
    }
    Ok(())
}
