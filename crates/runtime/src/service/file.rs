//! Files that are there wholly or as they were before, also after a power cut.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// A new file beside the one it will replace. Dropped before it is put in place, it is removed.
#[derive(Debug)]
pub(super) struct NewFile {
    target: PathBuf,
    beside: PathBuf,
    is_in_place: bool,
}

impl NewFile {
    /// Writes `content` beside `target`, onto the disk. Folders that are missing are made.
    ///
    /// # Errors
    ///
    /// When it cannot be written there.
    pub(super) fn write(target: &Path, mode: u32, content: &mut dyn Read) -> anyhow::Result<Self> {
        let failed = || format!("failed to write `{}`", target.display());
        let folder = target.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(folder).with_context(failed)?;
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let beside = folder.join(format!(".{name}.new-{}", std::process::id()));
        // Left by a process of the same number that was killed.
        let _ = fs::remove_file(&beside);
        let new = Self { target: target.to_owned(), beside, is_in_place: false };
        let mut options = OpenOptions::new();
        let mut file =
            options.write(true).create_new(true).mode(mode).open(&new.beside).with_context(failed)?;
        io::copy(content, &mut file).with_context(failed)?;
        // The mode that was asked for, whatever the umask.
        file.set_permissions(Permissions::from_mode(mode)).with_context(failed)?;
        file.sync_all().with_context(failed)?;
        Ok(new)
    }

    /// Where it lies until it is put in place.
    pub(super) fn path(&self) -> &Path {
        &self.beside
    }

    /// Replaces the target at once.
    ///
    /// # Errors
    ///
    /// When the target cannot be replaced.
    pub(super) fn put_in_place(mut self) -> anyhow::Result<()> {
        let failed = || format!("failed to replace `{}`", self.target.display());
        fs::rename(&self.beside, &self.target).with_context(failed)?;
        let folder = self.target.parent().unwrap_or(Path::new("/"));
        File::open(folder).and_then(|folder| folder.sync_all()).with_context(failed)?;
        self.is_in_place = true;
        Ok(())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.is_in_place {
            let _ = fs::remove_file(&self.beside);
        }
    }
}

/// Removes a file; true when it was there.
///
/// # Errors
///
/// When it is there and cannot be removed.
pub(super) fn remove(file: &Path) -> anyhow::Result<bool> {
    match fs::remove_file(file) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).with_context(|| format!("failed to remove `{}`", file.display())),
    }
}

/// Whether both files can be read and hold the same bytes.
pub(super) fn is_same(one: &Path, other: &Path) -> bool {
    let same = || -> io::Result<bool> {
        let (mut one, mut other) = (File::open(one)?, File::open(other)?);
        if one.metadata()?.len() != other.metadata()?.len() {
            return Ok(false);
        }
        // A program is some megabytes.
        let (mut first, mut second) = (Vec::new(), Vec::new());
        one.read_to_end(&mut first)?;
        other.read_to_end(&mut second)?;
        Ok(first == second)
    };
    same().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_wholly_with_its_mode_or_left_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("below/file");
        NewFile::write(&target, 0o600, &mut &b"one"[..]).unwrap().put_in_place().unwrap();
        drop(NewFile::write(&target, 0o600, &mut &b"two"[..]).unwrap());
        assert_eq!(fs::read(&target).unwrap(), b"one");
        NewFile::write(&target, 0o755, &mut &b"three"[..]).unwrap().put_in_place().unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"three");
        assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o755);
        assert_eq!(fs::read_dir(target.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn files_are_the_same_by_their_bytes_alone() {
        let folder = tempfile::tempdir().unwrap();
        let [one, two] = ["one", "two"].map(|name| folder.path().join(name));
        fs::write(&one, "same").unwrap();
        assert!(!is_same(&one, &two));
        fs::write(&two, "sama").unwrap();
        assert!(!is_same(&one, &two));
        fs::write(&two, "same").unwrap();
        assert!(is_same(&one, &two));
    }
}
