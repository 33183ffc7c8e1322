//! The owner's root key: made once, written to a file of the owner's choosing, used once, and forgotten.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use anyhow::{Context as _, bail};
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, KeypairBytes};
use tidegate_core::obstacle::{Obstacle, Obstructed};

use super::place::{self, directory_of};
use super::reading::read_text;
use crate::data::sync_directory;

/// The largest file that is read as a root key.
const BYTES_MAX: u64 = 64 * 1024;

/// Refuses a place that the root key must not be in, before anything is made.
///
/// # Errors
///
/// When the file exists, its directory does not, or it would be in the data directory, whose thief must not get it.
pub(super) fn check_place(file: &Path, data: &Path) -> anyhow::Result<()> {
    if file.symlink_metadata().is_ok() {
        bail!(misplaced(format!("`{}` exists already, and is not replaced", file.display())));
    }
    let directory = directory_of(file);
    fs::metadata(&directory)
        .with_context(|| misplaced(format!("there is no directory `{}`", directory.display())))?;
    if place::data_directory_around(file, Some(data)).is_some() {
        bail!(misplaced(format!(
            "`{}` is in a data directory: who steals that must not get the root key",
            file.display()
        )));
    }
    Ok(())
}

fn misplaced(what: String) -> Obstructed {
    let next = "name another file with --root-key, best on a medium that you can take out";
    Obstructed::new(Obstacle::RootKeyMisplaced, what, next)
}

/// Writes the key made from `seed` as PKCS#8 (RFC 5958, RFC 8410) in PEM, for its owner alone, and makes it durable.
///
/// # Errors
///
/// When the file exists meanwhile or cannot be written; then there is none.
pub(super) fn write(file: &Path, seed: &[u8; 32]) -> anyhow::Result<()> {
    // Without the public half, as version 1, which every tool reads.
    let key = KeypairBytes { secret_key: *seed, public_key: None };
    let pem =
        key.to_pkcs8_pem(LineEnding::LF).map_err(|error| anyhow::anyhow!("failed to write PEM: {error}"))?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let failed = || misplaced(format!("failed to write the root key to `{}`", file.display()));
    let created = options.open(file).with_context(failed)?;
    store(created, pem.as_bytes(), &directory_of(file)).inspect_err(|_| remove(file)).with_context(failed)
}

/// Reads the seed of a root key that [`write`] wrote.
///
/// # Errors
///
/// When the file cannot be read or holds no Ed25519 key.
pub(super) fn read(file: &Path) -> anyhow::Result<[u8; 32]> {
    let failed = || {
        Obstructed::new(
            Obstacle::RootKeyUnusable,
            format!("`{}` cannot be read as a root key", file.display()),
            "name with --root-key the file that `tidegate admin owner` wrote; nothing was changed",
        )
    };
    let pem = read_text(file, BYTES_MAX).with_context(failed)?;
    let key = KeypairBytes::from_pkcs8_pem(&pem).map_err(|error| anyhow::anyhow!("{error}"));
    Ok(key.with_context(failed)?.secret_key)
}

/// Removes a root key that nothing was signed with.
pub(super) fn remove(file: &Path) {
    if let Err(error) = fs::remove_file(file) {
        tracing::warn!(%error, file = %file.display(), "a root key that means nothing could not be removed");
    }
}

fn store(mut file: File, pem: &[u8], directory: &Path) -> io::Result<()> {
    file.write_all(pem)?;
    file.sync_all()?;
    sync_directory(directory)
}
