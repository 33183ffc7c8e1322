//! A picture of every page in both themes and widths.
//!
//! They go to the folder that `TIDEGATE_SCREENSHOTS` names, else to a temporary one that is gone at the end.

use std::path::PathBuf;

use anyhow::{Context as _, ensure};

use super::DEVICES;
use super::stage::Stage;
use crate::harness::Scheme;
use crate::shows::{Scale, figure};

/// Most bytes of all pictures together: they are kept with the source.
const BYTES_MAX: u64 = 3_000_000;

/// Takes them.
pub(in crate::shows) fn run(_: Scale) -> anyhow::Result<()> {
    let temporary = tempfile::tempdir()?;
    let given = std::env::var_os("TIDEGATE_SCREENSHOTS").map(PathBuf::from);
    let folder = given.as_deref().unwrap_or(temporary.path());
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let mut stage = Stage::new()?;
    stage.crowd()?;
    let pages = stage.furnish()?;
    let (mut count, mut bytes) = (0_usize, 0);
    for device in DEVICES {
        let theme = if device.scheme == Scheme::Dark { "dark" } else { "light" };
        stage.visit(device, &pages, |tab, page| {
            let file = folder.join(format!("{}-{theme}-{}.png", page.name, device.width));
            // What one sees first. Whole pages would be three times as much to keep.
            tab.shot(&file, false)?;
            count += 1;
            bytes += file.metadata()?.len();
            Ok(())
        })?;
    }
    figure("pictures", count);
    figure("bytes of all", bytes);
    if given.is_some() {
        figure("they are in", folder.display());
    }
    ensure!(bytes <= BYTES_MAX, "pictures of {bytes} bytes are too much to keep with the source");
    Ok(())
}
