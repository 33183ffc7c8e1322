//! Core's storage trait on SQLite, for native programs: durable, in groups, or not at all.
//!
//! A [`Writer`] commits many callers' transactions with one fsync, [`Readers`] read snapshots beside
//! it, and a [`Store`] is the small blocking form for a program with one thread and little memory.
//! All three answer only after `COMMIT` reached the disk (`synchronous=FULL`), and none outlives an
//! I/O error: [`Fatal`] ends the process, because after a failed fsync nobody knows what is stored.
//!
//! The crate knows no table of Tidegate's, keeps no time and starts no thread but the writer's.

mod backup;
mod checkpoint;
mod database;
mod error;
mod fatal;
mod lock;
mod open;
mod readers;
mod room;
mod settings;
mod statements;
mod store;
mod unusable;
mod writer;

pub use backup::{BackupError, backup};
pub use error::{OpenError, ReadError, WriteError};
pub use fatal::Fatal;
pub use lock::{DirectoryLock, LockError};
pub use readers::Readers;
pub use room::check_room;
pub use settings::Settings;
pub use store::{Store, Usage};
pub use unusable::Unusable;
pub use writer::{Commit, Writer};
