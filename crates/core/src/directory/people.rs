//! People and their one-time sign-in links. Of secrets only digests come here.
//!
//! Whoever is deactivated is out at once: sessions and tokens end in the same transaction, and neither a link nor a
//! password opens anything. The record stays, since transcripts name people for ever.

use crate::api::{Page, Paging, PersonView};
use crate::call::{Principal, Resource};
use crate::digest::Digest;
use crate::error::{Code, Error};
use crate::id::PersonId;
use crate::sql::{ReadSql, Row, SqlError};
use crate::time::{Milliseconds, Timestamp};
use crate::transcript::ACTOR_CONTROL_PLANE;
use crate::words::is_unsafe;

use super::Directory;
use super::audit::DirectoryBody;
use super::{clients, paging};

/// How long a sign-in link works: long enough to be opened on another machine, short enough to be forgotten in a
/// terminal. After that, `admin token` makes a token.
const SIGN_IN_VALID_FOR: Milliseconds = Milliseconds::from_days(1);
/// The only role so far; every invitation gives it.
pub(crate) const ROLE_OWNER: &str = "owner";

/// The columns of a person, as [`person_read`] takes them.
macro_rules! person {
    ($rest:literal) => {
        concat!(
            "SELECT person_id, email, role, created_at, deactivated_at, password_hash IS NOT NULL, \
             last_signed_in_at FROM person ",
            $rest
        )
    };
}

/// A page of people, by e-mail address.
pub(super) fn people(db: &dyn ReadSql, wanted: &Paging) -> Result<Page<PersonView>, Error> {
    let (email, id) = clients::after_name::<PersonId>("people", wanted)?;
    let rows = db.query(
        person!("WHERE (email, person_id) > (?1, ?2) ORDER BY email, person_id LIMIT ?3"),
        &[email.into(), id.into(), paging::rows_wanted(wanted).into()],
    )?;
    paging::page("people", wanted, &rows, person_read, |person| (person.email.clone(), person.id))
}

/// Somebody active by their address; `None`: nobody has it.
pub(super) fn person_named(db: &dyn ReadSql, email: &str) -> Result<Option<PersonView>, Error> {
    let rows = db.query(person!("WHERE email = ?1 AND deactivated_at IS NULL"), &[email.into()])?;
    Ok(rows.first().map(person_read).transpose()?)
}

/// One person.
pub(super) fn person(db: &dyn ReadSql, id: PersonId) -> Result<PersonView, Error> {
    let rows = db.query(person!("WHERE person_id = ?1"), &[id.into()])?;
    let row = rows.first().ok_or_else(|| Error::not_found(format_args!("person `{id}`")))?;
    Ok(person_read(row)?)
}

impl Directory<'_> {
    /// Makes an owner with a sign-in link, on the control plane's own machine.
    pub(super) fn owner_create(&mut self, email: &str, sign_in: Digest) -> Result<Resource, Error> {
        check_email(email)?;
        if person_load(self.db, email)?.is_some() {
            return Err(Error::conflict(format!(
                "`{email}` is an owner already: make a token with `tidegate admin token --email {email}`"
            )));
        }
        let id = self.person_add(email, ROLE_OWNER, sign_in)?;
        let body = DirectoryBody::OwnerCreated { person: id, email: email.to_owned() };
        self.record(ACTOR_CONTROL_PLANE, &body)?;
        self.playbooks_begin()?;
        Ok(Resource::Person(person(self.db, id)?))
    }

    /// Makes a person with a sign-in link.
    pub(super) fn person_invite(
        &mut self,
        by: &Principal,
        email: &str,
        sign_in: Digest,
    ) -> Result<Resource, Error> {
        check_owner(by)?;
        check_email(email)?;
        if let Some((known, _)) = person_load(self.db, email)? {
            let known = person(self.db, known)?;
            return Err(Error::conflict(match known.deactivated_at {
                None => format!("`{}` is known already: make a new sign-in link for them", known.email),
                Some(_) => format!("`{}` was deactivated: reactivate them", known.email),
            }));
        }
        let role = ROLE_OWNER;
        let id = self.person_add(email, role, sign_in)?;
        let body =
            DirectoryBody::PersonInvited { person: id, email: email.to_owned(), role: role.to_owned() };
        self.record(&by.email, &body)?;
        Ok(Resource::Person(person(self.db, id)?))
    }

    /// Makes a sign-in link for somebody active; it replaces one that was made before.
    pub(super) fn link_make(
        &mut self,
        by: &Principal,
        id: PersonId,
        sign_in: Digest,
    ) -> Result<Resource, Error> {
        check_owner(by)?;
        let view = person_active(self.db, id)?;
        self.links_remove(id)?;
        self.link_add(id, sign_in)?;
        self.record(&by.email, &DirectoryBody::SignInLinkMade { person: id })?;
        Ok(Resource::Person(view))
    }

    /// Makes a sign-in link for somebody active, on the control plane's own machine; it replaces one made before.
    pub(super) fn link_make_for(&mut self, email: &str, sign_in: Digest) -> Result<Resource, Error> {
        let (id, _) = person_load(self.db, email)?.ok_or_else(|| person_unknown(email))?;
        let view = person_active(self.db, id)?;
        self.links_remove(id)?;
        self.link_add(id, sign_in)?;
        self.record(ACTOR_CONTROL_PLANE, &DirectoryBody::SignInLinkMade { person: id })?;
        Ok(Resource::Person(view))
    }

    /// Ends all that a person could sign in with. Repeating it changes nothing.
    pub(super) fn person_deactivate(&mut self, by: &Principal, id: PersonId) -> Result<Resource, Error> {
        check_owner(by)?;
        let view = person(self.db, id)?;
        if id == by.person {
            return Err(Error::conflict("you cannot deactivate yourself: another owner can"));
        }
        if view.deactivated_at.is_some() {
            return Ok(Resource::Person(view));
        }
        let others = self.db.query(
            "SELECT 1 FROM person WHERE role = ?2 AND deactivated_at IS NULL AND person_id <> ?1 LIMIT 1",
            &[id.into(), ROLE_OWNER.into()],
        )?;
        if others.is_empty() {
            return Err(Error::conflict(format!(
                "`{}` is the last active owner: invite another owner first, or nobody could manage anything",
                view.email
            )));
        }
        self.db.execute(
            "UPDATE person SET deactivated_at = ?2 WHERE person_id = ?1",
            &[id.into(), self.cx.now.into()],
        )?;
        self.links_remove(id)?;
        let sessions_ended = self.sessions_end(id, None)?;
        let tokens_revoked = self.tokens_revoke(id)?;
        self.work_hold(&view.email, by)?;
        let body = DirectoryBody::PersonDeactivated { person: id, sessions_ended, tokens_revoked };
        self.record(&by.email, &body)?;
        Ok(Resource::Person(person(self.db, id)?))
    }

    /// Lets a person sign in again: with their password, or a new link. What ended stays ended.
    pub(super) fn person_reactivate(&mut self, by: &Principal, id: PersonId) -> Result<Resource, Error> {
        check_owner(by)?;
        let reactivated = self.db.execute(
            "UPDATE person SET deactivated_at = NULL WHERE person_id = ?1 AND deactivated_at IS NOT NULL",
            &[id.into()],
        )?;
        let view = person(self.db, id)?;
        if reactivated > 0 {
            self.record(&by.email, &DirectoryBody::PersonReactivated { person: id })?;
        }
        Ok(Resource::Person(view))
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

    fn person_add(&mut self, email: &str, role: &str, sign_in: Digest) -> Result<PersonId, Error> {
        let id = PersonId::fresh(&mut self.entropy);
        self.db.execute(
            "INSERT INTO person (person_id, email, role, created_at) VALUES (?1, ?2, ?3, ?4)",
            &[id.into(), email.into(), role.into(), self.cx.now.into()],
        )?;
        self.link_add(id, sign_in)?;
        Ok(id)
    }

    fn link_add(&mut self, person: PersonId, sign_in: Digest) -> Result<(), Error> {
        let now = self.cx.now;
        self.db.execute("DELETE FROM sign_in WHERE expires_at <= ?1", &[now.into()])?;
        self.db.execute(
            "INSERT INTO sign_in (digest, person_id, expires_at) VALUES (?1, ?2, ?3)",
            &[sign_in.into(), person.into(), now.plus(SIGN_IN_VALID_FOR).into()],
        )?;
        Ok(())
    }

    fn links_remove(&mut self, person: PersonId) -> Result<(), Error> {
        self.db.execute("DELETE FROM sign_in WHERE person_id = ?1", &[person.into()])?;
        Ok(())
    }
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
        sign_in_secret: None,
    })
}

/// The person of this address, in whichever case it is written, and the address as it was written first.
pub(super) fn person_load(db: &dyn ReadSql, email: &str) -> Result<Option<(PersonId, String)>, Error> {
    let rows = db.query("SELECT person_id, email FROM person WHERE email = ?1", &[email.into()])?;
    rows.first().map(|row| Ok((row.parsed(0)?, row.text(1)?.to_owned()))).transpose()
}

/// Whether somebody was deactivated.
pub(super) fn is_deactivated(db: &dyn ReadSql, id: PersonId) -> Result<bool, Error> {
    let rows =
        db.query("SELECT 1 FROM person WHERE person_id = ?1 AND deactivated_at IS NOT NULL", &[id.into()])?;
    Ok(!rows.is_empty())
}

/// Rejects a person who was deactivated while their request was read.
pub(super) fn check_not_deactivated(db: &dyn ReadSql, by: &Principal) -> Result<(), Error> {
    if is_deactivated(db, by.person)? {
        return Err(Error::problem(
            Code::Unauthenticated,
            format!("`{}` was deactivated: ask an owner to reactivate you", by.email),
        ));
    }
    Ok(())
}

/// Nobody has the address that an operator named.
pub(super) fn person_unknown(email: &str) -> Error {
    Error::not_found(format_args!("person `{email}`: make one with `tidegate admin owner --email {email}`"))
}

/// Whether somebody may act for others.
pub(super) fn is_owner(by: &Principal) -> bool {
    by.is_owner()
}

fn check_owner(by: &Principal) -> Result<(), Error> {
    if is_owner(by) {
        return Ok(());
    }
    Err(Error::problem(Code::Forbidden, "only an owner manages people: ask one"))
}

/// One person who is to get something to sign in with; nobody who was deactivated does.
pub(super) fn person_active(db: &dyn ReadSql, id: PersonId) -> Result<PersonView, Error> {
    let view = person(db, id)?;
    match view.deactivated_at {
        None => Ok(view),
        Some(_) => Err(Error::conflict(format!("`{}` was deactivated: reactivate them first", view.email))),
    }
}

/// Judges an e-mail address by its shape alone: it is a name here, nothing is sent to it.
pub(crate) fn check_email(email: &str) -> Result<(), Error> {
    let holds = (3..=200).contains(&email.len())
        && !email.contains(|letter: char| is_unsafe(letter) || letter.is_whitespace())
        && email
            .split_once('@')
            .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty() && !domain.contains('@'));
    if holds {
        return Ok(());
    }
    let detail =
        "an e-mail address looks like name@example.com, has 3 to 200 bytes and no invisible characters";
    Err(Error::invalid(detail))
}
