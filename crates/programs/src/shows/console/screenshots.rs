//! A picture of every page, whole, in both themes and widths.
//!
//! They go to the folder that `TIDEGATE_SCREENSHOTS` names, else to a temporary one that is gone at the end.

use std::path::PathBuf;

use anyhow::{Context as _, ensure};

use super::DEVICES;
use super::stage::Stage;
use crate::harness::{Device, Scheme};
use crate::shows::{Scale, figure};

/// Most bytes of all pictures together: `./dev pictures` makes them a third of it, and they are kept with the source.
const BYTES_MAX: u64 = 14_000_000;

/// How high the window is, in CSS pixels: a page that is higher is taken whole, a lower one without empty ground below.
const HEIGHT: u32 = 540;

/// Takes them.
pub(in crate::shows) fn run(_: Scale) -> anyhow::Result<()> {
    let temporary = tempfile::tempdir()?;
    let given = std::env::var_os("TIDEGATE_SCREENSHOTS").map(PathBuf::from);
    let folder = given.as_deref().unwrap_or(temporary.path());
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let mut stage = Stage::new()?;
    let pages = stage.furnish()?;
    let (mut count, mut bytes) = (0_usize, 0);
    for device in DEVICES {
        let device = Device { height: HEIGHT, ..device };
        let theme = if device.scheme == Scheme::Dark { "dark" } else { "light" };
        stage.visit(device, &pages, |tab, page| {
            let file = folder.join(format!("{}-{theme}-{}.png", page.name, device.width));
            tab.shot(&file, true)?;
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
