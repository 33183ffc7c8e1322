//! The source that these programs were built from, for shows that rebuild parts of it.

use std::path::{Path, PathBuf};

use anyhow::ensure;

/// The root of the checkout.
pub(super) fn root() -> anyhow::Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
    ensure!(root.join("Cargo.lock").is_file(), "the source is where this program was built from");
    Ok(root)
}

/// A place for builds that outlives a run: the next one compiles only what changed. Not the place where this program was
/// built, which a show must not change.
pub(super) fn target_directory(name: &str) -> PathBuf {
    let cache = std::env::var_os("TIDEGATE_CACHE").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/tidegate"));
    cache.or_else(home).unwrap_or_else(std::env::temp_dir).join(name)
}
