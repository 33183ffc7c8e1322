//! State directories that forget: a write filter, an overlay, a RAM disk.
//!
//! What such a directory forgets at a restart the endpoint would do a second time, so `enrol` refuses one.

use std::path::Path;

use anyhow::{Context as _, bail};
use tidegate_core::obstacle::{Obstacle, Obstructed};

/// File systems that forget at a restart, or may: statfs(2) `f_type`.
const FORGETFUL: [(u64, &str); 3] =
    [(0x794c_7630, "an overlay"), (0x0102_1994, "tmpfs"), (0x8584_58f6, "ramfs")];

/// Which forgetful file system a directory is on; `None`: one that lasts.
pub(crate) fn kind(directory: &Path) -> anyhow::Result<Option<&'static str>> {
    let facts = rustix::fs::statfs(directory)
        .with_context(|| format!("failed to look at the file system of `{}`", directory.display()))?;
    // The field's type differs between architectures; the magic numbers fit 32 bits on all of them.
    let kind = u64::from(facts.f_type as u32);
    Ok(FORGETFUL.iter().find(|(magic, _)| *magic == kind).map(|(_, name)| *name))
}

/// Refuses a directory on a file system that forgets.
pub(crate) fn check(directory: &Path) -> anyhow::Result<()> {
    if let Some(name) = kind(directory)? {
        bail!(Obstructed::new(
            Obstacle::VolatileState,
            format!(
                "the state directory `{}` is on {name}, which may forget what it was told at a restart: then work could \
                 run twice",
                directory.display()
            ),
            "choose with --state a directory on a disk that is excluded from any write filter, or pass \
             --allow-volatile-state if you know that it lasts; nothing was sent",
        ));
    }
    Ok(())
}
