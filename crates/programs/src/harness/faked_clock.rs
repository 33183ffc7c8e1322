//! A clock that shows something else, under one program alone: libfaketime in front of its C library, and a start of the
//! machine (`boot_id`) of its own in a mount namespace of its own.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::Surroundings;

/// Where Debian's package `libfaketime` puts the library, below the directory of the architecture.
const LIBRARY: &str = "faketime/libfaketime.so.1";

/// The clock and the boot id of one machine.
#[derive(Debug)]
pub struct FakedClock {
    offset: PathBuf,
    boot: PathBuf,
}

impl FakedClock {
    /// Keeps its files in `directory`, which it makes.
    ///
    /// # Errors
    ///
    /// When they cannot be written.
    pub fn new(directory: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(directory)?;
        let clock = Self { offset: directory.join("offset"), boot: directory.join("boot_id") };
        clock.reboot()?;
        Ok(clock)
    }

    /// Shows the true time and so much more, from here on.
    ///
    /// # Errors
    ///
    /// When it cannot be stored.
    pub fn set(&self, offset_ms: i64) -> anyhow::Result<()> {
        // Replaced at once: a program may read it at any moment.
        let fresh = self.offset.with_extension("fresh");
        std::fs::write(&fresh, format!("{:+}.{:03}", offset_ms / 1_000, offset_ms.abs() % 1_000))?;
        Ok(std::fs::rename(fresh, &self.offset)?)
    }

    /// Another start of the machine.
    ///
    /// # Errors
    ///
    /// When it cannot be stored.
    pub fn reboot(&self) -> anyhow::Result<()> {
        let id = super::random()?;
        let text: String = id[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(std::fs::write(&self.boot, text)?)
    }

    /// What a program must be started in.
    ///
    /// # Errors
    ///
    /// When libfaketime is not installed.
    pub fn surroundings(&self, ca: &Path) -> anyhow::Result<Surroundings> {
        let script = "mount --bind \"$0\" /proc/sys/kernel/random/boot_id && exec \"$@\"";
        let boot = self.boot.display().to_string();
        let wrapper = ["unshare", "--mount", "sh", "-c", script, &boot].map(str::to_owned).to_vec();
        Ok(Surroundings { wrapper, environment: self.environment()?, ca: Some(ca.to_owned()) })
    }

    /// What makes a program show this clock, without a start of the machine of its own.
    ///
    /// # Errors
    ///
    /// When libfaketime is not installed.
    pub fn environment(&self) -> anyhow::Result<Vec<(String, String)>> {
        let library = library()?.display().to_string();
        let offset = self.offset.display().to_string();
        Ok([
            ("LD_PRELOAD", library.as_str()),
            ("FAKETIME_TIMESTAMP_FILE", offset.as_str()),
            ("FAKETIME_NO_CACHE", "1"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            ("NO_FAKE_STAT", "1"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec())
    }
}

fn library() -> anyhow::Result<PathBuf> {
    let found = std::fs::read_dir("/usr/lib")?.flatten().map(|folder| folder.path().join(LIBRARY));
    found.into_iter().find(|library| library.is_file()).context(
        "libfaketime is not installed: `apt-get install libfaketime`, or run this with `./dev shows`",
    )
}
