//! The state directory: one bounded SQLite file, one program at a time.

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tidegate_core::digest::Digest;
use tidegate_core::error::Error;
use tidegate_core::obstacle::{Obstacle, Obstructed};
use tidegate_core::runtime::{self, document_load, document_save};
use tidegate_core::schema::migrate;
use tidegate_core::sql::{ReadSql, Sql, SqlErrorKind};
use tidegate_sqlite::{DirectoryLock, Fatal, ReadError, Settings, Store, Unusable, WriteError};

use crate::identity::{DOCUMENT, Identity};
use crate::room::RESERVE_BYTES;

/// Where the state lies when nothing else is said.
pub(crate) const DEFAULT: &str = "/var/lib/tidegate-runtime";
/// The name of the file.
const FILE: &str = "state.db";
/// Most bytes of the file: the journal's bound and room for everything beside it.
const SIZE_MAX_BYTES: u64 = 128 * 1024 * 1024;

/// An open state directory.
pub(crate) struct StateDirectory {
    path: PathBuf,
    store: Store,
    _lock: DirectoryLock,
}

impl StateDirectory {
    /// Opens `path`, makes it where it is not there, and brings its tables up to date.
    ///
    /// # Errors
    ///
    /// When another program holds it, it cannot be written, or a newer program wrote it.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        Self::open_plain(path).map_err(|error| explained(path, error))
    }

    fn open_plain(path: &Path) -> anyhow::Result<Self> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .with_context(|| format!("failed to make the state directory `{}`", path.display()))?;
        let lock = DirectoryLock::acquire(path)?;
        let file = path.join(FILE);
        let settings = Settings::endpoint().with_size_limit(SIZE_MAX_BYTES).with_log_reserve(RESERVE_BYTES);
        let store = Store::open(&file, &settings, Fatal::default())
            .with_context(|| format!("failed to open `{}`", file.display()))?;
        let mut directory = Self { path: path.to_owned(), store, _lock: lock };
        directory
            .store
            .transaction(|db| migrate(db, &runtime::SCHEMA))
            .map_err(|error| write_error(error, "migrate the state directory"))?;
        Ok(directory)
    }

    /// Where it lies.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Takes `bytes` of the disk for what is stored next, and answers how many there are: fewer when it is full.
    ///
    /// # Errors
    ///
    /// When the file is damaged.
    pub(crate) fn make_room(&mut self, bytes: u64) -> anyhow::Result<u64> {
        self.store.make_room(bytes).context("failed to look for room in the state directory")
    }

    /// Runs `job` in one durable transaction.
    ///
    /// # Errors
    ///
    /// What the job said, or that nothing could be stored.
    pub(crate) fn transaction<T>(
        &mut self,
        job: impl FnOnce(&dyn Sql) -> Result<T, Error>,
    ) -> anyhow::Result<T> {
        self.store.transaction(job).map_err(|error| write_error(error, "store"))
    }

    /// Reads in one snapshot.
    ///
    /// # Errors
    ///
    /// What the reader said, or that the file cannot be read.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&dyn ReadSql) -> Result<T, Error>) -> anyhow::Result<T> {
        self.store.read(read).map_err(|error| match error {
            ReadError::Job(error) => anyhow::Error::new(error),
            ReadError::Storage(error) => {
                anyhow::Error::new(error).context("failed to read the state directory")
            }
        })
    }

    /// Who this machine is; `None`: it never tried to enrol.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub(crate) fn identity(&self) -> anyhow::Result<Option<Identity>> {
        self.read(|db| document_load(db, DOCUMENT))
    }

    /// Keeps who this machine is.
    ///
    /// # Errors
    ///
    /// When nothing could be stored.
    pub(crate) fn identity_save(&mut self, identity: &Identity) -> anyhow::Result<()> {
        self.transaction(|db| document_save(db, DOCUMENT, identity))
    }

    /// Names this directory among all of this machine, the same across restarts: two copies of a directory must
    /// not end each other's processes, so it is made of the place and not of what the file says.
    ///
    /// # Errors
    ///
    /// When the directory cannot be looked at.
    pub(crate) fn place_id(&self) -> anyhow::Result<String> {
        let place = fs::canonicalize(&self.path)?;
        let facts = fs::metadata(&place)?;
        let text = format!("{}\0{}\0{}", place.display(), facts.dev(), facts.ino());
        Ok(Digest::of(text).to_string()[..24].to_owned())
    }
}

/// Says of an error that came of using the state directory `state` what it means and what to do; others, and what says
/// so already, stay as they are.
pub(crate) fn explained(state: &Path, error: anyhow::Error) -> anyhow::Error {
    if error.downcast_ref::<Obstructed>().is_some() {
        return error;
    }
    let Some(unusable) = Unusable::of(error.as_ref()) else { return error };
    let state = state.display();
    let (obstacle, what, next) = match unusable {
        Unusable::InUse => (
            Obstacle::StateDirectoryInUse,
            format!("the state directory `{state}` is in use: another tidegate-runtime works on it"),
            format!("nothing, if a service runs it; else end that one first:\nfuser -v {state}/lock"),
        ),
        Unusable::NotWritable => (
            Obstacle::StateDirectoryNotWritable,
            format!("the state directory `{state}` cannot be written"),
            format!(
                "run it as root, on a disk that is mounted for writing, or choose another directory with --state:\nls -ld \
                 {state}; findmnt --target {state}"
            ),
        ),
        Unusable::Newer => (
            Obstacle::StateDirectoryNewer,
            format!("the state directory `{state}` was written by a newer tidegate-runtime"),
            "install that version again; nothing was changed".to_owned(),
        ),
        Unusable::Damaged => (
            Obstacle::StateDirectoryDamaged,
            format!("the state directory `{state}` is damaged"),
            "keep a copy of the directory, check the disk (`dmesg`), then enrol with a code made for this very machine \
             (`tidegate enrolment-codes create --site SITE --endpoint MACHINE`) and another --state"
                .to_owned(),
        ),
        Unusable::Full => (
            Obstacle::DiskFull,
            format!("the disk of the state directory `{state}` is full"),
            "free some room on it; a runtime that runs goes on by itself, and nothing that was reported is lost".to_owned(),
        ),
    };
    error.context(Obstructed::new(obstacle, what, next))
}

fn write_error<E>(error: WriteError<E>, what: &str) -> anyhow::Error
where
    E: std::error::Error + Send + Sync + 'static,
{
    match error {
        WriteError::Job(error) => anyhow::Error::new(error),
        WriteError::Storage(error) if error.kind == SqlErrorKind::Full => {
            let hint = format!("failed to {what}: free some room on the disk of the state directory");
            anyhow::Error::new(error).context(hint)
        }
        WriteError::Storage(error) => anyhow::Error::new(error).context(format!("failed to {what}")),
        WriteError::Busy | WriteError::Closed | WriteError::Panicked(_) => {
            anyhow::anyhow!("failed to {what}: the store is not usable any more")
        }
    }
}
