//! People, their one-time sign-in links and their tokens. Of secrets only digests come here.

use crate::api::{PersonView, TokenView};
use crate::call::{Context, Principal, Resource};
use crate::digest::Digest;
use crate::error::{Code, Error};
use crate::id::{PersonId, TokenId};
use crate::sql::{ReadSql, Row, SqlError};
use crate::time::{Milliseconds, Timestamp};
use crate::transcript::ACTOR_CONTROL_PLANE;

use super::Directory;
use super::audit::DirectoryBody;

/// How long a sign-in link works: long enough to be opened on another machine, short enough to be forgotten in a
/// terminal. After that, `admin token` makes a token.
const SIGN_IN_VALID_FOR: Milliseconds = Milliseconds::from_days(1);
/// The only role until the console brings others.
const ROLE_OWNER: &str = "owner";

/// Who holds the token or the session with this digest; `None`: nobody, or it was withdrawn, is over, or is of
/// somebody who was deactivated.
pub(super) fn principal(
    db: &dyn ReadSql,
    cx: &Context<'_>,
    digest: Digest,
) -> Result<Option<Principal>, Error> {
    let rows = db.query(
        "SELECT person.person_id, person.email, person.role FROM token JOIN person USING (person_id)
         WHERE token.digest = ?1 AND token.revoked_at IS NULL AND person.deactivated_at IS NULL
         UNION ALL
         SELECT person.person_id, person.email, person.role FROM session JOIN person USING (person_id)
         WHERE session.digest = ?1 AND session.revoked_at IS NULL AND session.expires_at > ?2
         AND person.deactivated_at IS NULL",
        &[digest.into(), cx.now.into()],
    )?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(Some(Principal {
        person: row.parsed(0)?,
        email: row.text(1)?.to_owned(),
        role: row.text(2)?.to_owned(),
    }))
}

impl Directory<'_> {
    /// Makes an owner with a sign-in link.
    pub(super) fn owner_create(&mut self, email: &str, sign_in: Digest) -> Result<Resource, Error> {
        check_email(email)?;
        if person_load(self.db, email)?.is_some() {
            return Err(Error::conflict(format!(
                "`{email}` is an owner already: make a token with `tidegate admin token --email {email}`"
            )));
        }
        let now = self.cx.now;
        let id = PersonId::fresh(&mut self.entropy);
        self.db.execute(
            "INSERT INTO person (person_id, email, role, created_at) VALUES (?1, ?2, ?3, ?4)",
            &[id.into(), email.into(), ROLE_OWNER.into(), now.into()],
        )?;
        self.db.execute("DELETE FROM sign_in WHERE expires_at <= ?1", &[now.into()])?;
        self.db.execute(
            "INSERT INTO sign_in (digest, person_id, expires_at) VALUES (?1, ?2, ?3)",
            &[sign_in.into(), id.into(), now.plus(SIGN_IN_VALID_FOR).into()],
        )?;
        let body = DirectoryBody::OwnerCreated { person: id, email: email.to_owned() };
        self.record(ACTOR_CONTROL_PLANE, &body)?;
        Ok(Resource::Person(person(self.db, id)?))
    }

    /// Makes a token for somebody who is known.
    pub(super) fn token_create(&mut self, email: &str, digest: Digest) -> Result<Resource, Error> {
        let (person, email) = person_load(self.db, email)?.ok_or_else(|| {
            Error::not_found(format_args!(
                "person `{email}`: make one with `tidegate admin owner --email {email}`"
            ))
        })?;
        let view = self.token_add(person, email, digest)?;
        self.record(ACTOR_CONTROL_PLANE, &DirectoryBody::TokenCreated { token: view.id, person })?;
        Ok(Resource::Token(view))
    }

    /// Turns a sign-in link into a token, once.
    pub(super) fn sign_in(&mut self, link: Digest, token: Digest) -> Result<Resource, Error> {
        let (person, email) = self.link_use(link)?;
        let view = self.token_add(person, email.clone(), token)?;
        self.record(&email, &DirectoryBody::SignedIn { token: view.id, person })?;
        Ok(Resource::Token(view))
    }

    /// Uses up a sign-in link; answers whose it was, and their address.
    pub(super) fn link_use(&mut self, link: Digest) -> Result<(PersonId, String), Error> {
        let used = self.db.execute(
            "UPDATE sign_in SET used_at = ?2 WHERE digest = ?1 AND used_at IS NULL AND expires_at > ?2",
            &[link.into(), self.cx.now.into()],
        )?;
        let rows = self.db.query(
            "SELECT person.person_id, person.email FROM sign_in JOIN person USING (person_id)
             WHERE sign_in.digest = ?1 AND person.deactivated_at IS NULL",
            &[link.into()],
        )?;
        match rows.first() {
            Some(row) if used > 0 => Ok((row.parsed(0)?, row.text(1)?.to_owned())),
            // Unknown, used and expired are told alike: who guesses learns nothing.
            Some(_) | None => Err(Error::problem(
                Code::Unauthenticated,
                "this sign-in link does not work: each works once and for 24 hours; ask an owner for a new one, or \
                 make a token with `tidegate admin token`",
            )),
        }
    }

    /// Withdraws a token. Repeating it changes nothing.
    pub(super) fn token_revoke(&mut self, by: &Principal, id: TokenId) -> Result<Resource, Error> {
        let rows = self.db.query(
            "SELECT token.token_id, person.email, token.created_at FROM token JOIN person USING (person_id)
             WHERE token.token_id = ?1",
            &[id.into()],
        )?;
        let row = rows.first().ok_or_else(|| Error::not_found(format_args!("token `{id}`")))?;
        let revoked = self.db.execute(
            "UPDATE token SET revoked_at = ?2 WHERE token_id = ?1 AND revoked_at IS NULL",
            &[id.into(), self.cx.now.into()],
        )?;
        if revoked > 0 {
            self.record(&by.email, &DirectoryBody::TokenRevoked { token: id })?;
        }
        Ok(Resource::Token(token_read(row)?))
    }

    fn token_add(&mut self, person: PersonId, email: String, digest: Digest) -> Result<TokenView, Error> {
        let id = TokenId::fresh(&mut self.entropy);
        let created_at = self.cx.now;
        self.db.execute(
            "INSERT INTO token (token_id, digest, person_id, created_at) VALUES (?1, ?2, ?3, ?4)",
            &[id.into(), digest.into(), person.into(), created_at.into()],
        )?;
        Ok(TokenView { id, token: None, email, created_at })
    }
}

/// One person.
pub(super) fn person(db: &dyn ReadSql, id: PersonId) -> Result<PersonView, Error> {
    let rows = db.query(
        "SELECT person_id, email, role, created_at, deactivated_at, password_hash IS NOT NULL, last_signed_in_at
         FROM person WHERE person_id = ?1",
        &[id.into()],
    )?;
    let row = rows.first().ok_or_else(|| Error::not_found(format_args!("person `{id}`")))?;
    Ok(person_read(row)?)
}

fn person_read(row: &Row) -> Result<PersonView, SqlError> {
    Ok(PersonView {
        id: row.parsed(0)?,
        email: row.text(1)?.to_owned(),
        role: row.text(2)?.to_owned(),
        created_at: Timestamp::from_milliseconds(row.integer(3)?),
        deactivated_at: row.optional_integer(4)?.map(Timestamp::from_milliseconds),
        has_password: row.integer(5)? != 0,
        last_signed_in_at: row.optional_integer(6)?.map(Timestamp::from_milliseconds),
    })
}

fn token_read(row: &Row) -> Result<TokenView, SqlError> {
    Ok(TokenView {
        id: row.parsed(0)?,
        token: None,
        email: row.text(1)?.to_owned(),
        created_at: Timestamp::from_milliseconds(row.integer(2)?),
    })
}

/// The person of this address, in whichever case it is written, and the address as it was written first.
fn person_load(db: &dyn ReadSql, email: &str) -> Result<Option<(PersonId, String)>, Error> {
    let rows = db.query("SELECT person_id, email FROM person WHERE email = ?1", &[email.into()])?;
    rows.first().map(|row| Ok((row.parsed(0)?, row.text(1)?.to_owned()))).transpose()
}

/// Whether somebody may act for others.
pub(super) fn is_owner(by: &Principal) -> bool {
    by.role == ROLE_OWNER
}

/// Judges an e-mail address by its shape alone: it is a name here, nothing is sent to it.
fn check_email(email: &str) -> Result<(), Error> {
    let holds = (3..=200).contains(&email.len())
        && !email.contains(|letter: char| letter.is_control() || letter.is_whitespace())
        && email
            .split_once('@')
            .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty() && !domain.contains('@'));
    if holds {
        return Ok(());
    }
    Err(Error::invalid("an e-mail address looks like name@example.com and has 3 to 200 bytes"))
}
