//! How much room the disk has: new work is refused while some is left, so that what is under way can end.
//!
//! Results, cancels and an operator's acts are small, and somebody waits for them who may be about to lose the path.
//! What begins something new can wait until there is room, so it is what a reserve is kept from.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tidegate_core::call::{DirectoryAct, DirectoryInput, EndpointAct, EndpointInput, Input, SequenceAct};
use tidegate_core::error::{Code, Error};
use tidegate_core::sql::SqlErrorKind;
use tidegate_web::HostError;

/// How long a refusal by the disk is remembered where the file system does not tell of its room, as with a quota.
const REFUSED_FOR: Duration = Duration::from_secs(60);

/// By how much a full disk must become emptier before it counts as having room: more than a log that is cut gives
/// back by itself.
const ROOM_BYTES: u64 = 1 << 20;

/// The disk of a data directory, as it was last seen.
#[derive(Debug)]
pub(crate) struct Storage {
    directory: PathBuf,
    reserve_bytes: u64,
    seen: Mutex<Seen>,
}

/// What the disk can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Level {
    /// Everything.
    #[default]
    Fine,
    /// Only what is under way: less is free than the reserve.
    Low,
    /// A transaction was refused by the disk, and it has not become emptier.
    Full,
}

#[derive(Debug, Default)]
struct Seen {
    level: Level,
    /// When the disk last refused, and how much was free then.
    refused: Option<(Instant, u64)>,
}

impl Storage {
    /// The disk that `database` is on, `reserve_bytes` of which are kept from new work.
    pub(super) fn new(database: &Path, reserve_bytes: u64) -> Self {
        let directory = database.parent().unwrap_or(database).to_owned();
        Self { directory, reserve_bytes, seen: Mutex::default() }
    }

    /// Refuses what begins something new while less than the reserve is free.
    pub(super) fn admit(&self, input: &Input) -> Result<(), HostError> {
        if !begins_something(input) {
            return Ok(());
        }
        let what = match self.level() {
            Level::Fine => return Ok(()),
            Level::Low => format!(
                "the control plane's disk has {} left, and its last {} are kept for results, cancels and what else \
                 is under way",
                mebibytes(self.free_bytes().unwrap_or(0)),
                mebibytes(self.reserve_bytes),
            ),
            Level::Full => "the control plane's disk is full".to_owned(),
        };
        let detail = format!("{what}: nothing of this request was stored; make room there, then repeat");
        Err(HostError::Core(Error::problem(Code::StorageFull, detail)))
    }

    /// Takes note of what became of a transaction.
    pub(super) fn wrote<T>(&self, result: &Result<T, HostError>) {
        if result.as_ref().is_err_and(is_disk_full) {
            let free = self.free_bytes().unwrap_or(0);
            self.lock().refused = Some((Instant::now(), free));
            self.level();
        }
    }

    /// How the disk stands now. What has changed is said in the log, once.
    pub(crate) fn level(&self) -> Level {
        let free = self.free_bytes();
        let mut seen = self.lock();
        if seen.refused.is_some_and(|(at, then)| has_room_again(at, then, free)) {
            seen.refused = None;
        }
        // A little more must be free to leave the reserve than to touch it, or the log would flutter.
        let margin = if seen.level == Level::Fine { 0 } else { self.reserve_bytes / 8 };
        let level = if seen.refused.is_some() {
            Level::Full
        } else if free.is_some_and(|free| free < self.reserve_bytes + margin) && self.reserve_bytes > 0 {
            Level::Low
        } else {
            Level::Fine
        };
        let before = std::mem::replace(&mut seen.level, level);
        drop(seen);
        self.tell(before, level, free.unwrap_or(0));
        level
    }

    /// What people may still have; `None`: the system does not say.
    pub(crate) fn free_bytes(&self) -> Option<u64> {
        free_bytes(&self.directory)
    }

    /// What is kept from new work.
    pub(crate) fn reserve_bytes(&self) -> u64 {
        self.reserve_bytes
    }

    /// The disk's state in a sentence that says what to do; `None`: there is nothing to do.
    pub(crate) fn advice(&self) -> Option<String> {
        let directory = self.directory.display();
        let free = mebibytes(self.free_bytes().unwrap_or(0));
        match self.level() {
            Level::Fine => None,
            Level::Low => Some(format!(
                "low on disk: {free} are free for `{directory}`, and with less than {} new work is refused; free some",
                mebibytes(self.reserve_bytes)
            )),
            Level::Full => Some(format!(
                "the disk is full: {free} are free for `{directory}`, and what cannot be stored is refused; free some"
            )),
        }
    }

    fn tell(&self, before: Level, level: Level, free_bytes: u64) {
        let (directory, reserve_bytes) = (self.directory.display(), self.reserve_bytes);
        match (before, level) {
            (before, level) if before == level => {}
            (_, Level::Full) => tracing::error!(
                %directory,
                free_bytes,
                "the disk is full: what cannot be stored is refused (storage_full) and nothing acknowledged is lost; \
                 free some, and work goes on by itself"
            ),
            (_, Level::Low) => tracing::warn!(
                %directory,
                free_bytes,
                reserve_bytes,
                "low on disk: new work is refused (storage_full) so that what is under way can end; free some"
            ),
            (_, Level::Fine) => {
                tracing::info!(%directory, free_bytes, "the disk has room again: everything is taken");
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the call failed because the disk is full, which is said once for all of them.
pub(crate) fn is_disk_full(error: &HostError) -> bool {
    match error {
        HostError::Core(Error::Sql(error)) => error.kind == SqlErrorKind::Full,
        HostError::Core(Error::Problem(_)) | HostError::Busy | HostError::ShuttingDown => false,
    }
}

fn has_room_again(refused_at: Instant, free_then: u64, free: Option<u64>) -> bool {
    refused_at.elapsed() >= REFUSED_FOR
        || free.is_some_and(|free| free >= free_then.saturating_add(ROOM_BYTES))
}

/// Whether a call begins something that can as well begin later, as against one that ends or reports something.
fn begins_something(input: &Input) -> bool {
    match input {
        Input::Directory(input) => match input {
            DirectoryInput::Act(command) => match &command.act {
                DirectoryAct::CreateClient(_)
                | DirectoryAct::CreateSite(_)
                | DirectoryAct::CreateCode(_)
                | DirectoryAct::InvitePerson { .. }
                | DirectoryAct::CreateToken { .. }
                | DirectoryAct::CreatePlaybook(_)
                | DirectoryAct::SavePlaybook { .. } => true,
                DirectoryAct::RenameClient { .. }
                | DirectoryAct::EditSite { .. }
                | DirectoryAct::RevokeCode(_)
                | DirectoryAct::MakeSignInLink { .. }
                | DirectoryAct::DeactivatePerson(_)
                | DirectoryAct::ReactivatePerson(_)
                | DirectoryAct::RenameToken { .. }
                | DirectoryAct::RevokeToken(_)
                | DirectoryAct::RevokeSession(_)
                | DirectoryAct::SetPassword { .. }
                | DirectoryAct::EndSession(_)
                | DirectoryAct::ArchivePlaybook(_)
                | DirectoryAct::UnarchivePlaybook(_) => false,
            },
            DirectoryInput::Admit(_) => true,
            DirectoryInput::Project(_)
            | DirectoryInput::CreateOwner { .. }
            | DirectoryInput::CreateSignInLink { .. }
            | DirectoryInput::ConfirmSession { .. }
            | DirectoryInput::Use(_)
            | DirectoryInput::SignInsRefused(_)
            | DirectoryInput::Operated(_)
            | DirectoryInput::CreateToken { .. }
            | DirectoryInput::SignIn { .. }
            | DirectoryInput::OpenSession { .. } => false,
        },
        Input::Endpoint(input) => match input {
            EndpointInput::Act(command) => match &command.act {
                EndpointAct::CreateSequence(_)
                | EndpointAct::EditSequence { .. }
                | EndpointAct::Edit { .. }
                | EndpointAct::Note(_)
                | EndpointAct::Sequence {
                    act:
                        SequenceAct::Queue
                        | SequenceAct::Retry
                        | SequenceAct::Note(_)
                        | SequenceAct::Review
                        | SequenceAct::Unreview
                        | SequenceAct::Assign(_)
                        | SequenceAct::RunNext,
                    ..
                } => true,
                EndpointAct::Sequence {
                    act: SequenceAct::Cancel | SequenceAct::Release | SequenceAct::Purge,
                    ..
                }
                | EndpointAct::Adopt { .. }
                | EndpointAct::Revoke
                | EndpointAct::FollowSite(_)
                | EndpointAct::Retire => false,
            },
            // The directory has admitted the machine: what was begun is ended.
            EndpointInput::Enrol(_)
            | EndpointInput::Recover(_)
            | EndpointInput::Sync { .. }
            | EndpointInput::SyncPart { .. }
            | EndpointInput::IdleSync(_)
            | EndpointInput::HoldWorkOf { .. }
            | EndpointInput::Deadline
            | EndpointInput::Seen { .. } => false,
        },
    }
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

#[cfg(unix)]
fn free_bytes(directory: &Path) -> Option<u64> {
    let facts = rustix::fs::statvfs(directory).ok()?;
    Some(facts.f_bavail.saturating_mul(facts.f_frsize))
}

/// Windows is asked nothing: there a full disk is met when it refuses.
#[cfg(not(unix))]
fn free_bytes(_: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use tidegate_core::sql::SqlError;

    use super::*;

    #[test]
    fn a_refusal_by_the_disk_counts_until_there_is_more_room_than_then() {
        let now = Instant::now();
        assert!(!has_room_again(now, 5_000, Some(5_000 + ROOM_BYTES - 1)));
        assert!(has_room_again(now, 5_000, Some(5_000 + ROOM_BYTES)));
        assert!(!has_room_again(now, 5_000, None));
    }

    #[test]
    fn what_reports_and_ends_is_admitted_while_what_begins_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let storage = Storage::new(&directory.path().join("tidegate.db"), u64::MAX / 2);
        let begins = Input::Directory(DirectoryInput::Admit(Box::new(
            serde_json::from_str(r#"{"payloadType":"x","payload":"","signatures":[]}"#).unwrap(),
        )));
        let refused = storage.admit(&begins).unwrap_err();
        assert!(matches!(&refused, HostError::Core(Error::Problem(problem))
            if problem.code == Code::StorageFull && problem.detail.contains("make room")));
        storage.admit(&Input::Endpoint(EndpointInput::Deadline)).unwrap();
        assert_eq!(storage.level(), Level::Low);
        let full = HostError::Core(Error::Sql(SqlError::new(SqlErrorKind::Full, "full")));
        storage.wrote::<()>(&Err(full));
        assert_eq!(storage.level(), Level::Full);
        assert!(storage.advice().unwrap().contains("the disk is full"));
    }

    #[test]
    fn a_reserve_of_nothing_refuses_nothing() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(Storage::new(&directory.path().join("tidegate.db"), 0).level(), Level::Fine);
    }
}
