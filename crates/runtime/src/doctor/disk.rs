//! The disk below the state directory: room, a trial of writing, and whether it lasts.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::check::Finding;
use crate::room::RESERVE_BYTES;
use crate::volatile;

/// How much is written on trial.
const TRIAL_BYTES: usize = 4096;

/// Writes a file in `place`, onto the disk, and removes it: no permission bit tells what a mount, a quota or a full
/// disk will say.
pub(super) fn try_writing(place: &Path) -> io::Result<()> {
    let trial = place.join(format!(".doctor-{}", std::process::id()));
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&trial)?;
        file.write_all(&[0; TRIAL_BYTES])?;
        file.sync_all()
    };
    let written = write();
    let removed = fs::remove_file(&trial);
    written?;
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// What speaks against the disk, if anything does.
pub(super) fn trouble(place: &Path, written: &io::Result<()>) -> Option<Finding> {
    let shown = place.display();
    let room = rustix::fs::statvfs(place);
    let free = room.as_ref().map(|room| room.f_bavail.saturating_mul(room.f_frsize)).ok();
    if let Err(error) = written
        && matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
    {
        let said = format!("{shown} is full: {} free, and nothing can be written", size(free.unwrap_or(0)));
        return Some(Finding::broken(said, room_remedy(place)));
    }
    if let Err(error) = written
        && error.kind() == ErrorKind::ReadOnlyFilesystem
    {
        let remedy = "make the file system writable (`mount -o remount,rw …`); one that turned read-only by itself has \
                      met an error: see `dmesg`, and check the disk";
        return Some(Finding::broken(format!("{shown} is on a read-only file system"), remedy));
    }
    if let Err(error) = written
        && error.kind() != ErrorKind::PermissionDenied
    {
        let remedy = "see `dmesg` for what the disk said";
        return Some(Finding::broken(format!("nothing can be written in {shown}: {error}"), remedy));
    }
    if let Some(free) = free.filter(|free| *free < RESERVE_BYTES) {
        let needed = size(RESERVE_BYTES);
        let said = format!("only {} are free for {shown}; without {needed} no step starts", size(free));
        return Some(Finding::broken(said, room_remedy(place)));
    }
    if let Ok(Some(kind)) = volatile::kind(place) {
        let said = format!("{shown} is on {kind}, which may forget: work could run twice after a restart");
        let remedy = "enrol anew with --state on a disk that no write filter covers; if you know that it lasts, nothing";
        return Some(Finding::broken(said, remedy));
    }
    None
}

fn room_remedy(place: &Path) -> String {
    format!(
        "make room on its file system: `df -h {0}` shows which, `du -xh / | sort -h | tail` what takes it",
        place.display()
    )
}

/// How much is free, for people.
pub(super) fn free(place: &Path) -> String {
    match rustix::fs::statvfs(place) {
        Ok(room) => format!("{} free", size(room.f_bavail.saturating_mul(room.f_frsize))),
        Err(error) => format!("how much is free is not known: {error}"),
    }
}

/// Bytes in the largest unit that leaves a digit before the point.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut amount = bytes as f64;
    let mut unit = 0;
    while amount >= 1024.0 && unit + 1 < UNITS.len() {
        amount /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{amount:.1} {}", UNITS[unit]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trial_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        try_writing(folder.path()).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(try_writing(&folder.path().join("missing")).is_err());
    }

    #[test]
    fn sizes_are_for_people() {
        assert_eq!([0, 1023, 1024, 16 * 1024 * 1024].map(size), ["0 B", "1023 B", "1.0 KiB", "16.0 MiB"]);
    }

    #[test]
    fn every_way_in_which_writing_fails_has_its_words() {
        let folder = tempfile::tempdir().unwrap();
        for (kind, words) in [
            (ErrorKind::StorageFull, "is full"),
            (ErrorKind::ReadOnlyFilesystem, "read-only"),
            (ErrorKind::Other, "nothing can be written"),
        ] {
            let Some(Finding::Broken(trouble)) = trouble(folder.path(), &Err(kind.into())) else {
                panic!("{kind:?} is broken")
            };
            assert!(trouble.said.contains(words), "{}", trouble.said);
        }
    }
}
