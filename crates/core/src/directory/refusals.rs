//! Refused sign-ins in the audit chain, in bounded numbers: guessing must not fill the disk.
//!
//! A host counts them in memory and passes them on once a minute. Each account and address is an entry, up to
//! [`NAMED_A_DAY_MAX`] a day; the rest of a minute is one entry with a count. So a day has at most 2,440 entries of these,
//! less than 1 MB, whatever is tried.

use crate::call::{RefusedSignIn, RefusedSignIns, Reply};
use crate::day::UtcDay;
use crate::error::Error;
use crate::id::PersonId;
use crate::sql::ReadSql;
use crate::transcript::ACTOR_CONTROL_PLANE;

use super::Directory;
use super::audit::DirectoryBody;
use super::people;

/// Most entries of one minute that name an account and an address: a colleague with a wrong password is one.
const NAMED_A_MINUTE_MAX: usize = 20;
/// Most such entries of one UTC day.
const NAMED_A_DAY_MAX: u64 = 1_000;
/// Longest address that is kept, as of sessions.
const ADDRESS_BYTES_MAX: usize = 64;

impl Directory<'_> {
    /// Records what a host counted in one minute.
    pub(super) fn sign_ins_refused(&mut self, told: RefusedSignIns) -> Result<Reply, Error> {
        let RefusedSignIns { from, until, named, mut others } = told;
        let mut room = NAMED_A_DAY_MAX.saturating_sub(named_today(self.db, UtcDay::of(self.cx.now))?);
        let mut named_now = 0;
        for refused in named {
            if room == 0 || named_now as usize >= NAMED_A_MINUTE_MAX {
                others = others.saturating_add(refused.count);
                continue;
            }
            (room, named_now) = (room - 1, named_now + 1);
            let RefusedSignIn { account, with, address, count } = refused;
            let (person, email) = match account {
                None => (None, None),
                Some(typed) => account_of(self.db, &typed)?,
            };
            let address = address.filter(|address| address.len() <= ADDRESS_BYTES_MAX);
            let body = DirectoryBody::SignInRefused { person, email, with, address, count, from, until };
            self.record(ACTOR_CONTROL_PLANE, &body)?;
        }
        self.named_count(named_now)?;
        if others > 0 {
            let body = DirectoryBody::SignInsRefused { count: others, from, until };
            self.record(ACTOR_CONTROL_PLANE, &body)?;
        }
        Ok(Reply::Done)
    }

    fn named_count(&mut self, more: u64) -> Result<(), Error> {
        let day = UtcDay::of(self.cx.now);
        self.db.execute("DELETE FROM refusals_named WHERE day <> ?1", &[day.into()])?;
        self.db.execute(
            "INSERT INTO refusals_named (day, entries) VALUES (?1, ?2)
             ON CONFLICT (day) DO UPDATE SET entries = entries + excluded.entries",
            &[day.into(), more.into()],
        )?;
        Ok(())
    }
}

fn named_today(db: &dyn ReadSql, day: UtcDay) -> Result<u64, Error> {
    let rows = db.query("SELECT entries FROM refusals_named WHERE day = ?1", &[day.into()])?;
    Ok(rows.first().map(|row| row.unsigned(0)).transpose()?.unwrap_or(0))
}

/// Who has the address that was typed, deactivated or not; an address that nobody has stays as it was typed.
fn account_of(db: &dyn ReadSql, typed: &str) -> Result<(Option<PersonId>, Option<String>), Error> {
    Ok(match people::person_load(db, typed)? {
        Some((person, email)) => (Some(person), Some(email)),
        None => (None, Some(typed.to_owned()).filter(|typed| is_address(typed))),
    })
}

/// Whether a text is an e-mail address beyond doubt. People type passwords into the wrong field, and `P@ssw0rd` is not to
/// be kept: the part behind the `@` is a domain of several labels whose last is letters.
pub fn is_address(text: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let is_top =
        |label: &str| (2..=24).contains(&label.len()) && label.bytes().all(|b| b.is_ascii_lowercase());
    let Some((local, domain)) = text.split_once('@') else { return false };
    let local_holds = (1..=64).contains(&local.len())
        && local.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._+-".contains(&byte));
    let labels: Vec<&str> = domain.split('.').collect();
    text.len() <= 200
        && local_holds
        && labels.len() >= 2
        && labels.iter().all(|label| is_label(label))
        && labels.last().is_some_and(|top| is_top(&top.to_ascii_lowercase()))
}
