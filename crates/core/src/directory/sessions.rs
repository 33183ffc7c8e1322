//! Sessions of people in browsers.
//!
//! A session ends 14 days after it was opened, or after 12 hours without use, whichever is first. Its use is stored at
//! most every 15 minutes, so it can end up to that much early and no request costs a write. It ends sooner when its
//! person signs out, or an owner ends it. One that an API token opened ends with that token.

use crate::api::{Page, Paging, SessionView, TokenView};
use crate::call::{Context, Principal, Resource, SessionProof};
use crate::digest::Digest;
use crate::error::{Code, Error};
use crate::id::{PersonId, SessionId, TokenId};
use crate::sql::{ReadSql, Row, SqlError};
use crate::time::{Milliseconds, Timestamp};

use super::Directory;
use super::audit::{DirectoryBody, SessionBy};
use super::{authenticate, codes, paging, passwords, people, tokens};

/// How long a session lives: a shift pattern's worth, so that nobody signs in at the start of every night.
pub const SESSION_VALID_FOR: Milliseconds = Milliseconds::from_days(14);
/// How long a session lives without use: longer than a shift, shorter than a night and a day.
pub const SESSION_IDLE_FOR: Milliseconds = Milliseconds::from_seconds(12 * 3_600);
/// Longest text of a browser about itself that is kept, in characters: usual ones have 80 to 180.
const AGENT_CHARACTERS_MAX: usize = 200;
/// Longest address that is kept: an IPv6 address with a zone has 60 bytes at most.
const ADDRESS_BYTES_MAX: usize = 64;
/// How many sessions that are over one sign-in removes: more than it adds, so that they are never many.
const REMOVED_AT_ONCE: u64 = 100;

/// The columns of a session, as [`session_read`] takes them. One that lives satisfies `$where` and the rest.
macro_rules! live {
    ($where:literal) => {
        concat!(
            "SELECT session.session_id, session.person_id, person.email, session.created_at, session.expires_at, \
             session.address, session.agent, session.idle_at
             FROM session JOIN person USING (person_id)
             WHERE ",
            $where,
            " AND session.revoked_at IS NULL AND session.expires_at > ?1 AND session.idle_at > ?1 \
             AND person.deactivated_at IS NULL"
        )
    };
}

/// The live session with this digest.
pub(super) fn session(
    db: &dyn ReadSql,
    cx: &Context<'_>,
    digest: Digest,
) -> Result<Option<SessionView>, Error> {
    let rows = db.query(live!("session.digest = ?2"), &[cx.now.into(), digest.into()])?;
    Ok(rows.first().map(session_read).transpose()?)
}

/// Most addresses that [`session_addresses`] returns.
const ADDRESSES_MAX: u32 = 1_000;

/// The addresses from which people signed in within the time that a session lasts, for a host that prefers them when
/// strangers guess passwords.
///
/// # Errors
///
/// When storage fails.
pub fn session_addresses(db: &dyn ReadSql) -> Result<Vec<String>, Error> {
    let newest = "SELECT address FROM session WHERE address IS NOT NULL ORDER BY created_at DESC LIMIT ?1";
    let rows = db.query(newest, &[ADDRESSES_MAX.into()])?;
    rows.iter().map(|row| Ok(row.text(0)?.to_owned())).collect()
}

/// A page of sessions that live, newest first.
pub(super) fn sessions(
    db: &dyn ReadSql,
    cx: &Context<'_>,
    person: Option<PersonId>,
    wanted: &Paging,
) -> Result<Page<SessionView>, Error> {
    let (created_at, id) = codes::before_time::<SessionId>("sessions", wanted)?;
    let (now, limit) = (cx.now.into(), paging::rows_wanted(wanted).into());
    let rows = match person {
        None => db.query(
            concat!(
                live!("(session.created_at, session.session_id) < (?2, ?3)"),
                " ORDER BY session.created_at DESC, session.session_id DESC LIMIT ?4"
            ),
            &[now, created_at, id, limit],
        )?,
        Some(person) => db.query(
            concat!(
                live!("session.person_id = ?5 AND (session.created_at, session.session_id) < (?2, ?3)"),
                " ORDER BY session.created_at DESC, session.session_id DESC LIMIT ?4"
            ),
            &[now, created_at, id, limit, person.into()],
        )?,
    };
    paging::page("sessions", wanted, &rows, session_read, |session| (session.created_at, session.id))
}

impl Directory<'_> {
    /// Opens a session for whoever the proof proves.
    pub(super) fn session_open(
        &mut self,
        proof: SessionProof,
        digest: Digest,
        address: Option<String>,
        agent: &str,
    ) -> Result<Resource, Error> {
        let now = self.cx.now;
        let Proved { person: person_id, email, with, token } = self.prove(proof)?;
        // A stolen token must not be enough to change the account.
        let confirmed_at = (with != SessionBy::Token).then_some(now);
        let until = token.as_ref().and_then(|token| token.expires_at);
        let expires_at = now.plus(SESSION_VALID_FOR);
        let view = SessionView {
            id: SessionId::fresh(&mut self.entropy),
            person_id,
            email,
            created_at: now,
            expires_at: until.map_or(expires_at, |until| until.min(expires_at)),
            last_used_at: now,
            address: address.filter(|address| address.len() <= ADDRESS_BYTES_MAX),
            agent: agent.chars().filter(|letter| !letter.is_control()).take(AGENT_CHARACTERS_MAX).collect(),
        };
        self.sessions_remove()?;
        self.db.execute(
            "INSERT INTO session (session_id, digest, person_id, created_at, expires_at, address, agent, idle_at, \
             confirmed_at, token_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            &[
                view.id.into(),
                digest.into(),
                person_id.into(),
                now.into(),
                view.expires_at.into(),
                view.address.clone().into(),
                view.agent.as_str().into(),
                now.plus(SESSION_IDLE_FOR).into(),
                confirmed_at.into(),
                token.as_ref().map(|token| token.id).into(),
            ],
        )?;
        self.db.execute(
            "UPDATE person SET last_signed_in_at = ?2 WHERE person_id = ?1",
            &[person_id.into(), now.into()],
        )?;
        let body = DirectoryBody::SessionOpened {
            session: view.id,
            person: person_id,
            with,
            address: view.address.clone(),
            token: token.as_ref().map(|token| token.id),
            token_name: token.map(|token| token.name),
        };
        self.record(&view.email, &body)?;
        Ok(Resource::Session(view))
    }

    /// Whose the proof is, and of which kind it is.
    fn prove(&mut self, proof: SessionProof) -> Result<Proved, Error> {
        let ((person, email), with) = match proof {
            SessionProof::Link(link) => (self.link_use(link)?, SessionBy::Link),
            SessionProof::Token(token) => return token_proved(self.db, self.cx, token),
            SessionProof::Password { person, hash } => {
                (passwords::password_proved(self.db, person, &hash)?, SessionBy::Password)
            }
        };
        Ok(Proved { person, email, with, token: None })
    }

    /// Notes that the person of an open session proved again who they are.
    pub(super) fn session_confirm(&mut self, digest: Digest, proof: SessionProof) -> Result<Resource, Error> {
        let over = || Error::problem(Code::Unauthenticated, "this session is over: sign in again");
        let view = session(self.db, self.cx, digest)?.ok_or_else(over)?;
        let Proved { person, with, .. } = self.prove(proof)?;
        if with == SessionBy::Token {
            return Err(Error::problem(
                Code::Unauthenticated,
                "an API token does not confirm who you are: give your password, or a one-time sign-in link",
            ));
        }
        if person != view.person_id {
            return Err(Error::problem(
                Code::Unauthenticated,
                "this sign-in link is somebody else's: use one that was made for you",
            ));
        }
        let now = self.cx.now;
        self.db.execute(
            "UPDATE session SET confirmed_at = ?2, idle_at = ?3 WHERE digest = ?1",
            &[digest.into(), now.into(), now.plus(SESSION_IDLE_FOR).into()],
        )?;
        self.record(&view.email, &DirectoryBody::SessionConfirmed { session: view.id, person, with })?;
        Ok(Resource::Session(SessionView { last_used_at: now, ..view }))
    }

    /// Ends a session. Repeating it changes nothing.
    pub(super) fn session_revoke(&mut self, by: &Principal, id: SessionId) -> Result<Resource, Error> {
        let rows = self.db.query(
            "SELECT session.session_id, session.person_id, person.email, session.created_at, session.expires_at, \
             session.address, session.agent, session.idle_at
             FROM session JOIN person USING (person_id) WHERE session.session_id = ?1",
            &[id.into()],
        )?;
        let row = rows.first().ok_or_else(|| Error::not_found(format_args!("session `{id}`")))?;
        let view = session_read(row)?;
        if view.person_id != by.person && !people::is_owner(by) {
            return Err(Error::problem(
                Code::Forbidden,
                "this session is somebody else's: they or an owner can end it",
            ));
        }
        self.session_mark(by, &view)?;
        Ok(Resource::Session(view))
    }

    /// Ends the session that this is asked in. Repeating it changes nothing.
    pub(super) fn session_end(&mut self, by: &Principal, digest: Digest) -> Result<Resource, Error> {
        let rows = self.db.query(
            "SELECT session.session_id, session.person_id, person.email, session.created_at, session.expires_at, \
             session.address, session.agent, session.idle_at
             FROM session JOIN person USING (person_id) WHERE session.digest = ?1 AND session.person_id = ?2",
            &[digest.into(), by.person.into()],
        )?;
        let row = rows.first().ok_or_else(|| Error::not_found("a session of yours with this secret"))?;
        let view = session_read(row)?;
        self.session_mark(by, &view)?;
        Ok(Resource::Session(view))
    }

    fn session_mark(&mut self, by: &Principal, view: &SessionView) -> Result<(), Error> {
        let revoked = self.db.execute(
            "UPDATE session SET revoked_at = ?2 WHERE session_id = ?1 AND revoked_at IS NULL AND expires_at > ?2
             AND idle_at > ?2",
            &[view.id.into(), self.cx.now.into()],
        )?;
        if revoked > 0 {
            let body = DirectoryBody::SessionRevoked { session: view.id, person: view.person_id };
            self.record(&by.email, &body)?;
        }
        Ok(())
    }

    /// Ends a person's sessions but for the one with the digest `keep`; answers how many. Whoever calls records why.
    pub(super) fn sessions_end(&mut self, person: PersonId, keep: Option<Digest>) -> Result<u64, Error> {
        Ok(self.db.execute(
            "UPDATE session SET revoked_at = ?2
             WHERE person_id = ?1 AND revoked_at IS NULL AND expires_at > ?2 AND idle_at > ?2 AND digest IS NOT ?3",
            &[person.into(), self.cx.now.into(), keep.into()],
        )?)
    }

    /// Ends the sessions that a token opened; returns how many. The caller records why.
    pub(super) fn sessions_of_token_end(&mut self, token: TokenId) -> Result<u64, Error> {
        Ok(self.db.execute(
            "UPDATE session SET revoked_at = ?2
             WHERE token_id = ?1 AND revoked_at IS NULL AND expires_at > ?2 AND idle_at > ?2",
            &[token.into(), self.cx.now.into()],
        )?)
    }

    /// Removes sessions that are over. All are over by then, and most not long before.
    fn sessions_remove(&mut self) -> Result<(), Error> {
        let opened_before = self.cx.now.shifted_by_ms(-(SESSION_VALID_FOR.0 as i64));
        self.db.execute(
            "DELETE FROM session WHERE session_id IN
             (SELECT session_id FROM session WHERE created_at <= ?1 ORDER BY created_at LIMIT ?2)",
            &[opened_before.into(), REMOVED_AT_ONCE.into()],
        )?;
        Ok(())
    }
}

/// What a proof proves.
struct Proved {
    person: PersonId,
    email: String,
    with: SessionBy,
    /// The API token that it was done with.
    token: Option<TokenView>,
}

/// Whose an API token is, and which.
fn token_proved(db: &dyn ReadSql, cx: &Context<'_>, token: Digest) -> Result<Proved, Error> {
    // `authenticated` finds sessions too: with the digest of a session's secret only, which no token's text makes.
    let known = authenticate::authenticated(db, cx, token)?.ok_or_else(|| {
        Error::problem(Code::Unauthenticated, "the token is unknown or was withdrawn: use another one")
    })?;
    let Principal { person, email, .. } = known.principal;
    Ok(Proved { person, email, with: SessionBy::Token, token: tokens::token_by_digest(db, token)? })
}

fn session_read(row: &Row) -> Result<SessionView, SqlError> {
    Ok(SessionView {
        id: row.parsed(0)?,
        person_id: row.parsed(1)?,
        email: row.text(2)?.to_owned(),
        created_at: Timestamp::from_milliseconds(row.integer(3)?),
        expires_at: Timestamp::from_milliseconds(row.integer(4)?),
        address: row.optional_text(5)?.map(str::to_owned),
        agent: row.text(6)?.to_owned(),
        last_used_at: Timestamp::from_milliseconds(row.integer(7)?)
            .shifted_by_ms(-(SESSION_IDLE_FOR.0 as i64)),
    })
}
