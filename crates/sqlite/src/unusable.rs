//! What an error that came of opening a directory's database means to the person who started the program.

use std::error::Error;
use std::io::{self, ErrorKind};

use tidegate_core::schema::MigrateError;
use tidegate_core::sql::{SqlError, SqlErrorKind};

use crate::lock::LockError;
use crate::room::is_full;

/// Why a data or state directory cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// Another process works on it.
    InUse,
    /// It, or a file in it, cannot be made, opened or written.
    NotWritable,
    /// A newer program wrote it.
    Newer,
    /// Its file is damaged, or none of ours.
    Damaged,
    /// Its disk has no room.
    Full,
}

impl Unusable {
    /// What an error or the nearest of its causes says; `None`: something else is the matter.
    pub fn of(error: &(dyn Error + 'static)) -> Option<Self> {
        let mut cause = Some(error);
        while let Some(error) = cause {
            let meaning = of_one(error);
            if meaning.is_some() {
                return meaning;
            }
            cause = error.source();
        }
        None
    }
}

fn of_one(error: &(dyn Error + 'static)) -> Option<Unusable> {
    if let Some(LockError::Held(_)) = error.downcast_ref() {
        return Some(Unusable::InUse);
    }
    if let Some(MigrateError::Newer { .. }) = error.downcast_ref() {
        return Some(Unusable::Newer);
    }
    if let Some(error) = error.downcast_ref::<SqlError>() {
        return match error.kind {
            SqlErrorKind::Full => Some(Unusable::Full),
            SqlErrorKind::NotWritable => Some(Unusable::NotWritable),
            SqlErrorKind::Damaged => Some(Unusable::Damaged),
            SqlErrorKind::Constraint
            | SqlErrorKind::IntegerRange
            | SqlErrorKind::Shape
            | SqlErrorKind::NoTransaction
            | SqlErrorKind::Other => None,
        };
    }
    of_io(error.downcast_ref()?)
}

fn of_io(error: &io::Error) -> Option<Unusable> {
    if is_full(error) {
        return Some(Unusable::Full);
    }
    let is_closed = matches!(
        error.kind(),
        ErrorKind::PermissionDenied
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::NotADirectory
            | ErrorKind::IsADirectory
            | ErrorKind::AlreadyExists
    );
    is_closed.then_some(Unusable::NotWritable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DirectoryLock, Fatal, Settings, Store};

    #[test]
    fn a_directory_that_cannot_be_used_says_why() {
        let directory = tempfile::tempdir().unwrap();
        let _lock = DirectoryLock::acquire(directory.path()).unwrap();
        assert_eq!(
            Unusable::of(&DirectoryLock::acquire(directory.path()).unwrap_err()),
            Some(Unusable::InUse)
        );

        let file = directory.path().join("a file");
        std::fs::write(&file, "no database, and longer than nothing").unwrap();
        let open = |path| Store::open(path, &Settings::endpoint(), Fatal::default()).unwrap_err();
        assert_eq!(Unusable::of(&open(&file)), Some(Unusable::Damaged));
        assert_eq!(Unusable::of(&open(&file.join("below"))), Some(Unusable::NotWritable));
        assert_eq!(Unusable::of(&DirectoryLock::acquire(&file).unwrap_err()), Some(Unusable::NotWritable));

        let newer = MigrateError::Newer { schema: "runtime", found: 2, known: 1 };
        assert_eq!(Unusable::of(&newer), Some(Unusable::Newer));
        assert_eq!(Unusable::of(&io::Error::from(ErrorKind::StorageFull)), Some(Unusable::Full));
        assert_eq!(Unusable::of(&io::Error::from(ErrorKind::NotFound)), None);
    }
}
