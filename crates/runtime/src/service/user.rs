//! The user that the service runs as, where it is not root.
//!
//! The state directory becomes that user's. It is given away file by file through descriptors that follow no link, since
//! a directory that was the user's before may hold anything.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use super::ServiceError;
use super::places::Places;

/// The user that services of the system run as.
pub(super) const ROOT: &str = "root";
/// Longest name of a user (useradd(8)).
const NAME_BYTES_MAX: usize = 32;
/// Largest list of users read.
const LIST_BYTES_MAX: usize = 1024 * 1024;

/// A user of the machine that the service is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) id: u32,
    /// The primary group.
    pub(super) group: u32,
}

impl User {
    /// Finds a user of this machine or, in an image, of that one.
    ///
    /// # Errors
    ///
    /// [`ServiceError::User`] where there is none of that name.
    pub(super) fn find(places: &Places, name: &str) -> Result<Self, ServiceError> {
        let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        let is_name = !name.is_empty()
            && name.len() <= NAME_BYTES_MAX
            && !name.starts_with(['-', '.'])
            && name.bytes().all(is_fit)
            // systemd reads a number as an id.
            && !name.bytes().all(|byte| byte.is_ascii_digit());
        if !is_name {
            return Err(ServiceError::User(name.chars().take(NAME_BYTES_MAX).collect()));
        }
        if name == ROOT {
            return Ok(Self { name: ROOT.into(), id: 0, group: 0 });
        }
        let list = fs::read_to_string(places.below_root(Path::new("/etc/passwd"))).unwrap_or_default();
        let listed = Self::in_list(&list, name);
        // A machine may have its users from elsewhere (nsswitch.conf(5)).
        let known = listed.or_else(|| places.is_this_machine().then(|| Self::asked(name)).flatten());
        known.ok_or_else(|| ServiceError::User(name.to_owned()))
    }

    /// Whether the service runs as root.
    pub(super) fn is_root(&self) -> bool {
        self.id == 0
    }

    fn in_list(list: &str, name: &str) -> Option<Self> {
        list.get(..list.len().min(LIST_BYTES_MAX))?.lines().find_map(|line| {
            let mut fields = line.split(':');
            let (found, id, group) = (fields.next()?, fields.nth(1)?, fields.next()?);
            let user = Self { name: name.to_owned(), id: id.parse().ok()?, group: group.parse().ok()? };
            (found == name).then_some(user)
        })
    }

    fn asked(name: &str) -> Option<Self> {
        let output = Command::new("getent").args(["passwd", "--", name]).output().ok()?;
        Self::in_list(&String::from_utf8_lossy(&output.stdout), name)
    }

    /// Refuses a user that cannot come to the state directory.
    ///
    /// # Errors
    ///
    /// [`ServiceError::UserOutside`] with the folder that keeps it out.
    pub(super) fn check_reaches(&self, state: &Path) -> Result<(), ServiceError> {
        let keeps_out = |folder: &&Path| {
            fs::metadata(folder).is_ok_and(|facts| {
                let bit = match () {
                    () if facts.uid() == self.id => 0o100,
                    () if facts.gid() == self.group => 0o010,
                    () => 0o001,
                };
                facts.mode() & bit == 0
            })
        };
        match state.ancestors().skip(1).find(keeps_out) {
            Some(folder) if !self.is_root() => {
                Err(ServiceError::UserOutside { user: self.name.clone(), folder: folder.to_owned() })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Gives the user the state directory and the files in it; answers whether anything changed hands.
    ///
    /// # Errors
    ///
    /// What could not be given.
    pub(super) fn take_over(&self, state: &Path) -> anyhow::Result<bool> {
        let failed = |path: &Path| format!("failed to make `{}` the user {}'s", path.display(), self.name);
        let folder = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_DIRECTORY | libc::O_NOFOLLOW)
            .open(state)
            .with_context(|| failed(state))?;
        let mut has_changed = self.give(&folder).with_context(|| failed(state))?;
        for entry in fs::read_dir(state).with_context(|| failed(state))?.flatten() {
            let path: PathBuf = entry.path();
            let options = libc::O_NOFOLLOW | libc::O_NONBLOCK;
            let Ok(file) = OpenOptions::new().read(true).custom_flags(options).open(&path) else { continue };
            let is_own = file.metadata().is_ok_and(|facts| facts.is_file() && facts.nlink() == 1);
            if is_own {
                has_changed |= self.give(&file).with_context(|| failed(&path))?;
            }
        }
        Ok(has_changed)
    }

    fn give(&self, file: &File) -> std::io::Result<bool> {
        let facts = file.metadata()?;
        if (facts.uid(), facts.gid()) == (self.id, self.group) {
            return Ok(false);
        }
        fchown(file, Some(self.id), Some(self.group)).map(|()| true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image() -> (tempfile::TempDir, Places) {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("etc")).unwrap();
        let list = "root:x:0:0:root:/root:/bin/sh\nbroken\ntide.gate:x:1001:1007::/:/usr/sbin/nologin\n";
        fs::write(root.path().join("etc/passwd"), list).unwrap();
        let places = Places::new(root.path(), "tidegate-runtime").unwrap();
        (root, places)
    }

    #[test]
    fn a_user_of_the_image_is_found_and_no_other() {
        let (_root, places) = image();
        let found = User::find(&places, "tide.gate").unwrap();
        assert_eq!((found.id, found.group), (1_001, 1_007));
        assert!(User::find(&places, "root").unwrap().is_root());
        for name in ["tidegate", "", "-x", "a b", "a\nUser=root", "0", "1001", "%u", "../x"] {
            assert!(matches!(User::find(&places, name), Err(ServiceError::User(_))), "{name:?}");
        }
    }

    #[test]
    fn a_folder_that_keeps_the_user_out_is_named() {
        use std::os::unix::fs::PermissionsExt as _;
        let (root, places) = image();
        let user = User::find(&places, "tide.gate").unwrap();
        let closed = root.path().join("closed");
        fs::create_dir_all(closed.join("state")).unwrap();
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
        let refused = user.check_reaches(&closed.join("state"));
        assert!(
            matches!(&refused, Err(ServiceError::UserOutside { folder, .. }) if *folder == closed),
            "{refused:?}"
        );
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o711)).unwrap();
        user.check_reaches(&closed.join("state")).unwrap();
    }

    #[test]
    fn only_the_files_of_the_directory_change_hands() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let (root, places) = image();
        let (state, other) = (root.path().join("state"), root.path().join("other"));
        fs::create_dir(&state).unwrap();
        for file in [&other, &state.join("state.db"), &state.join("twice")] {
            fs::write(file, "").unwrap();
        }
        std::os::unix::fs::symlink(&other, state.join("link")).unwrap();
        fs::hard_link(state.join("twice"), root.path().join("elsewhere")).unwrap();
        let user = User::find(&places, "tide.gate").unwrap();
        assert!(user.take_over(&state).unwrap());
        let owner = |path: &Path| fs::metadata(path).unwrap().uid();
        assert_eq!([owner(&state), owner(&state.join("state.db"))], [1_001, 1_001]);
        assert_eq!([owner(&other), owner(&state.join("twice"))], [0, 0], "a link gives nothing away");
        assert!(!user.take_over(&state).unwrap());
    }
}
