//! A small disk, and somebody who takes all of it.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, bail};

/// Kinds of file systems, the best first, and how each is mounted at `$D`.
const KINDS: [(&str, &str); 2] = [
    ("ext4", "truncate -s 48M $D.image && mkfs.ext4 -q $D.image && mount -o loop $D.image $D"),
    ("tmpfs (no ext4 in a file can be mounted here)", "mount -t tmpfs -o size=48m none $D"),
];

/// A mounted file system of 48 MiB; unmounted at the end.
pub(super) struct SmallDisk {
    path: PathBuf,
    kind: &'static str,
}

impl SmallDisk {
    /// Mounts one at `path`, in the namespace that this process is in.
    pub(super) fn mount(path: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(path)?;
        let mut said = String::new();
        for (kind, script) in KINDS {
            let output = Command::new("sh").args(["-c", script]).env("D", path).output()?;
            if output.status.success() {
                return Ok(Self { path: path.to_owned(), kind });
            }
            said.push_str(&String::from_utf8_lossy(&output.stderr));
        }
        bail!("no small disk can be mounted here: {said}")
    }

    pub(super) fn kind(&self) -> &'static str {
        self.kind
    }

    /// A path on it.
    pub(super) fn at(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Bytes that are free. (Blocks that a file system keeps for its own books are nobody's.)
    pub(super) fn free_bytes(&self) -> anyhow::Result<u64> {
        let facts = rustix::fs::statvfs(&self.path)?;
        Ok(facts.f_bavail * facts.f_frsize)
    }

    /// Takes every byte, and every byte that becomes free, until let go.
    pub(super) fn fill(&self) -> anyhow::Result<Filler> {
        let path = self.at("filler");
        let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
        take_all(&mut file)?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                take_all(&mut file)?;
                thread::sleep(Duration::from_millis(2));
            }
            Ok(())
        });
        Ok(Filler { path, stop, thread: Some(thread) })
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // What cannot be unmounted ends with the namespace.
        let _ = Command::new("umount").arg(&self.path).status();
    }
}

/// Somebody who takes all of a disk.
pub(super) struct Filler {
    path: PathBuf,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<anyhow::Result<()>>>,
}

impl Filler {
    /// Goes away, and gives everything back.
    pub(super) fn release(mut self) -> anyhow::Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().context("it is released once")?;
        thread.join().map_err(|_| anyhow::anyhow!("whoever filled the disk panicked"))??;
        fs::remove_file(&self.path)?;
        Ok(())
    }
}

impl Drop for Filler {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn take_all(file: &mut File) -> anyhow::Result<()> {
    for size in [1 << 20, 64 << 10, 4 << 10, 1 << 10, 256] {
        let chunk = vec![7_u8; size];
        loop {
            match file.write(&chunk) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => break,
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}
