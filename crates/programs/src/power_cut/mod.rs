//! A disk that loses what was not synced: with it, SIGKILL is a power cut.
//!
//! A plain SIGKILL proves nothing about fsync, because the kernel's page cache survives it. Here
//! SQLite's writes to databases, logs and journals stay in the process and reach the real files only
//! when SQLite syncs, so that killing the process loses what pulling the plug would.
//!
//! It is registered as SQLite's default file system before a program's `main` does anything, so the
//! program under test needs no feature. What it does not model: directory entries that were never
//! synced, files that are not SQLite's, and a second process that opens the same database.

#![allow(unsafe_code, reason = "SQLite's file systems are tables of C functions")]

mod file;
mod image;
mod options;
mod vfs;

pub use options::{Options, Sync};
pub use vfs::register;
