//! Passwords, of which only hashes come here. They are made and compared by the host, since that takes tens of
//! milliseconds and tens of MiB on purpose, which is too much for a transaction.

use crate::call::{Principal, Resource};
use crate::digest::Digest;
use crate::error::{Code, Error};
use crate::id::PersonId;
use crate::sql::ReadSql;

use super::Directory;
use super::audit::DirectoryBody;
use super::people;

/// What the hash of a password begins with (PHC string format): a host that stored anything else by mistake, the
/// password itself in the worst case, is refused.
const HASH_PREFIX: &str = "$argon2id$";
/// Longest hash: one with a salt of 16 bytes and an output of 32 has 97.
const HASH_BYTES_MAX: usize = 200;

/// The person with this address, and the hash of their password.
pub(super) fn password_hash(db: &dyn ReadSql, email: &str) -> Result<Option<(PersonId, String)>, Error> {
    let rows = db.query(
        "SELECT person_id, password_hash FROM person
         WHERE email = ?1 AND password_hash IS NOT NULL AND deactivated_at IS NULL",
        &[email.into()],
    )?;
    rows.first().map(|row| Ok((row.parsed(0)?, row.text(1)?.to_owned()))).transpose()
}

/// The person whose password the host has compared with `hash`, and their address.
pub(super) fn password_proved(
    db: &dyn ReadSql,
    person: PersonId,
    hash: &str,
) -> Result<(PersonId, String), Error> {
    let rows = db.query(
        "SELECT email FROM person WHERE person_id = ?1 AND password_hash = ?2 AND deactivated_at IS NULL",
        &[person.into(), hash.into()],
    )?;
    let row = rows.first().ok_or_else(password_refused)?;
    Ok((person, row.text(0)?.to_owned()))
}

/// The one answer to an address that nobody has, a person without a password, and a wrong password: who guesses
/// learns nothing.
pub fn password_refused() -> Error {
    Error::problem(
        Code::Unauthenticated,
        "the e-mail address or the password is wrong: try again, or ask an owner for a sign-in link",
    )
}

impl Directory<'_> {
    /// Sets one's own password and ends one's other sessions: whoever knew the old one is out.
    pub(super) fn password_set(
        &mut self,
        by: &Principal,
        hash: &str,
        keep: Option<Digest>,
    ) -> Result<Resource, Error> {
        if !hash.starts_with(HASH_PREFIX) || hash.len() > HASH_BYTES_MAX {
            return Err(Error::invalid("a password is stored as Argon2id, and this is no hash of that kind"));
        }
        let set = self.db.execute(
            "UPDATE person SET password_hash = ?2 WHERE person_id = ?1 AND deactivated_at IS NULL",
            &[by.person.into(), hash.into()],
        )?;
        if set == 0 {
            return Err(Error::not_found(format_args!("active person `{}`", by.person)));
        }
        let sessions_ended = self.sessions_end(by.person, keep)?;
        self.record(&by.email, &DirectoryBody::PasswordSet { person: by.person, sessions_ended })?;
        Ok(Resource::Person(people::person(self.db, by.person)?))
    }
}
