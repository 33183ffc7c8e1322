//! Opens files for checks. Every check that reads a file of the asker's choice does it here and nowhere else.
//!
//! A file is opened without reading it, judged by what was opened, and only then read through the same descriptor, so
//! nothing can take its place in between. It is judged four times: by its kind, by its identity (device and inode), by
//! its resolved path, and by its content. [`docs/guarantees.md`] (G6) says what that covers and where it ends.
//!
//! [`docs/guarantees.md`]: https://github.com/tidegate/tidegate/blob/main/docs/guarantees.md

mod content;
mod denied_paths;
mod gunzip;
mod identities;
mod marks;

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{FileExt as _, FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use tidegate_core::wire::Policy;

use content::Sample;
pub(crate) use gunzip::Gunzipped;
use identities::Identities;
use marks::SECRET_BYTES_MAX;
pub(crate) use marks::secret_in;

/// What a check wants of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Where it lies; nothing of it is read.
    Place,
    /// What it is, without its content: size, times, a digest.
    Facts,
    /// Its content, as it is stored.
    Content,
    /// Its content out of a gzip file, by [`CheckedFile::gunzip`].
    Gunzipped,
}

/// What the checks of one step may open.
#[derive(Clone, Debug, Default)]
pub(crate) struct Files {
    /// Only in these folders; `None`: everywhere.
    folders: Option<Vec<PathBuf>>,
    /// Paths that are denied by default and that enrolment opened.
    opened: Vec<PathBuf>,
    /// This runtime's state directory.
    state: Option<PathBuf>,
}

/// A file that a check may use, and nothing else of which is read.
#[derive(Debug)]
pub(crate) struct CheckedFile {
    untouched: File,
    /// The same, opened for reading; why it is not, where that was not asked for or not possible.
    content: io::Result<File>,
    real: PathBuf,
    metadata: Metadata,
    /// Whether enrolment opened it: then only what nothing can open is looked for.
    is_opened: bool,
}

/// Why a file is not open.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotOpened {
    /// This machine does not let checks read it, with the reason and who can change that.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The operating system's reason.
    #[error(transparent)]
    Failed(#[from] io::Error),
}

/// What no check reads, as a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Denied(String);

/// Why something is denied by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Secret {
    /// Ends the sentence "it holds …".
    pub(crate) holds: &'static str,
    /// Whether enrolment can open it.
    pub(crate) can_be_opened: bool,
}

impl Secret {
    const fn new(holds: &'static str) -> Self {
        Self { holds, can_be_opened: true }
    }

    /// Tidegate's own keys: nothing opens them.
    const OWN: Self = Self { holds: "private keys of Tidegate", can_be_opened: false };
}

impl Files {
    /// What `policy` allows on a machine whose runtime keeps its state in `state`.
    pub(crate) fn new(policy: &Policy, state: Option<&Path>) -> Self {
        let paths = |list: &Vec<String>| list.iter().map(PathBuf::from).collect::<Vec<_>>();
        Self {
            folders: policy.paths.as_ref().map(paths),
            opened: policy.allow_denied.as_ref().map(paths).unwrap_or_default(),
            state: state.map(Path::to_owned),
        }
    }

    /// Opens what `path` leads to, for `purpose`. May block where a file system does not answer.
    ///
    /// # Errors
    ///
    /// [`NotOpened::Denied`] where no check may read it; [`NotOpened::Failed`] where the system refuses, or where content
    /// is asked of what is not a regular file.
    pub(crate) fn open(&self, path: &Path, purpose: Purpose) -> Result<CheckedFile, NotOpened> {
        let untouched =
            OpenOptions::new().read(true).custom_flags(libc::O_PATH | libc::O_CLOEXEC).open(path)?;
        let (real, metadata) = (real_path(&untouched)?, untouched.metadata()?);
        let is_opened = lies_in(&real, &self.opened);
        let denied = |secret: Secret| denied(path, &real, secret);
        if metadata.file_type().is_block_device() {
            return Err(denied(Secret { holds: "a whole disk", can_be_opened: false }).into());
        }
        if self.is_own(&metadata, &real) {
            return Err(denied(Secret::OWN).into());
        }
        if !is_opened && let Some(secret) = denied_secret(&untouched, &metadata, &real) {
            return Err(denied(secret).into());
        }
        if self.folders.as_ref().is_some_and(|folders| !lies_in(&real, folders)) {
            let words =
                format!("this machine's policy does not allow to read what `{}` leads to", path.display());
            return Err(Denied(words).into());
        }
        // One of its other names may lie outside, which no name of it shows.
        if self.folders.is_some() && !is_opened && metadata.is_file() && metadata.nlink() > 1 {
            return Err(Denied(linked_words(path, &real, metadata.nlink())).into());
        }
        let wants_content = matches!(purpose, Purpose::Content | Purpose::Gunzipped);
        if wants_content && !metadata.is_file() {
            let kind = if metadata.is_dir() { "a directory" } else { "not a regular file" };
            return Err(io::Error::new(io::ErrorKind::InvalidInput, kind).into());
        }
        let unread = |untouched, error| {
            Ok(CheckedFile {
                untouched,
                content: Err(error),
                real: real.clone(),
                metadata: metadata.clone(),
                is_opened,
            })
        };
        if purpose == Purpose::Place || !metadata.is_file() {
            return unread(untouched, io::ErrorKind::Unsupported.into());
        }
        let (file, sample) = match reopen(&untouched).and_then(|file| Ok((Sample::of(&file)?, file))) {
            Ok((sample, file)) => (file, sample),
            // Its facts can be told all the same; a digest cannot be made of it.
            Err(error) if purpose == Purpose::Facts => return unread(untouched, error),
            Err(error) => return Err(error.into()),
        };
        if let Some(secret) = sample.secret().filter(|secret| !(is_opened && secret.can_be_opened)) {
            return Err(denied(secret).into());
        }
        if let Some(form) =
            sample.opaque().filter(|form| wants_content && !(purpose == Purpose::Gunzipped && form.is_gzip))
        {
            let words = format!(
                "`{}` is compressed ({}): what its content is cannot be judged, so no check reads it",
                path.display(),
                form.name
            );
            return Err(Denied(words).into());
        }
        Ok(CheckedFile { untouched, content: Ok(file), real, metadata, is_opened })
    }

    /// Whether it belongs to this runtime's state directory or to a control plane's data directory, by whatever name.
    fn is_own(&self, metadata: &Metadata, real: &Path) -> bool {
        let own = self.state.as_deref().map(Identities::of_folder).unwrap_or_default();
        own.has(metadata) || own.has_ancestor_of(real) || identities::is_in_data_directory(real)
    }
}

impl CheckedFile {
    /// Where it lies, links resolved.
    pub(crate) fn real_path(&self) -> &Path {
        &self.real
    }

    /// What it was when it was opened.
    pub(crate) fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The open file, for calls that read nothing of it.
    pub(crate) fn untouched(&self) -> &File {
        &self.untouched
    }

    fn content(&self) -> io::Result<&File> {
        self.content.as_ref().map_err(|error| {
            error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error)
        })
    }

    /// Reads for a digest, at a place of the file; 0 at its end. What is read must not leave the machine.
    ///
    /// # Errors
    ///
    /// The system's, also where this user may not read the file.
    pub(crate) fn read_unseen(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.content()?.read_at(buffer, offset)
    }

    /// Reads `length` bytes at a place of the file, fewer at its end, and refuses them where a secret stands in them, or
    /// so near that a part of it may: a check that counts lines would tell of it too.
    ///
    /// # Errors
    ///
    /// The system's, or one that [`denied_in`] finds.
    pub(crate) fn read_range(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let before = usize::try_from(offset).unwrap_or(usize::MAX).min(SECRET_BYTES_MAX);
        let mut bytes = vec![0; before + length + SECRET_BYTES_MAX];
        let filled = fill(self.content()?, &mut bytes, offset - before as u64)?;
        bytes.truncate(filled);
        self.judge(&bytes)?;
        bytes.truncate(before + length);
        Ok(bytes.split_off(before.min(bytes.len())))
    }

    /// The content of a gzip file, at most `bytes_max` of it, each part judged as [`read_range`](Self::read_range) does.
    #[allow(dead_code, reason = "for checks that look into rotated logs")]
    pub(crate) fn gunzip(&self, bytes_max: u64) -> Gunzipped<'_> {
        Gunzipped::new(self, bytes_max)
    }

    fn judge(&self, bytes: &[u8]) -> io::Result<()> {
        match secret_in(bytes).filter(|secret| !(self.is_opened && secret.can_be_opened)) {
            Some(secret) => Err(io::Error::other(denied(&self.real, &self.real, secret))),
            None => Ok(()),
        }
    }
}

/// The refusal that an error of reading is, if it is one.
pub(crate) fn denied_in(error: &io::Error) -> Option<&Denied> {
    error.get_ref()?.downcast_ref()
}

fn denied(path: &Path, real: &Path, secret: Secret) -> Denied {
    let (shown, real_shown) = (path.display(), real.display());
    let subject =
        if path == real { format!("`{shown}`") } else { format!("`{shown}` leads to `{real_shown}`, which") };
    let holds = secret.holds;
    Denied(if secret.can_be_opened {
        format!(
            "{subject} holds {holds}: no check reads it. Only enrolling this machine again with `--allow-denied \
             {real_shown}` allows it"
        )
    } else {
        format!("{subject} holds {holds}: no check reads it, and no policy can allow it")
    })
}

fn linked_words(path: &Path, real: &Path, names: u64) -> String {
    format!(
        "`{}` has {names} names (hard links), and another one may lie outside the folders that this machine's policy \
         allows. Only enrolling this machine again with `--allow-denied {}` allows it",
        path.display(),
        real.display()
    )
}

/// What is denied by default, where it lies or under another name.
fn denied_secret(untouched: &File, metadata: &Metadata, real: &Path) -> Option<Secret> {
    let is_proc =
        rustix::fs::fstatfs(untouched).is_ok_and(|facts| facts.f_type == rustix::fs::PROC_SUPER_MAGIC);
    if is_proc {
        return denied_paths::secret_of_proc(real, metadata.is_dir());
    }
    denied_paths::secret_of(real).or_else(|| {
        let fixed = Identities::of_denied_paths();
        let is_one = fixed.has(metadata) || fixed.has_ancestor_of(real);
        is_one.then_some(Secret::new("what another of its names is denied for (a hard link or a bind mount)"))
    })
}

/// Whether `real` lies in one of `folders`. Enrolment resolved their links, so changing a link does not change the
/// policy.
fn lies_in(real: &Path, folders: &[PathBuf]) -> bool {
    folders.iter().any(|folder| real.starts_with(folder))
}

/// Where an open file really lies (proc(5), `/proc/pid/fd`).
fn real_path(file: &File) -> io::Result<PathBuf> {
    std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

/// Opens for reading what was opened untouched: the same file, whatever its path leads to since. A pipe does not block.
fn reopen(untouched: &File) -> io::Result<File> {
    let path = format!("/proc/self/fd/{}", untouched.as_raw_fd());
    OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC).open(path)
}

/// Fills as much of `buffer` as the file has from `offset` on.
fn fill(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Device and inode.
fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

#[cfg(test)]
mod tests;
