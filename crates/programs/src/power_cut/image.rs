//! What one file holds for the process, and what of it the disk does not know yet.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::options::{Options, Sync};

/// The smallest unit that a disk writes whole.
const SECTOR_BYTES: usize = 512;

/// The real file under an image. Every call answers SQLite's result code on failure.
pub(super) trait Real {
    /// Everything in the file.
    fn load(&self) -> Result<Vec<u8>, i32>;
    /// Writes `bytes` at `offset`.
    fn write(&self, offset: usize, bytes: &[u8]) -> Result<(), i32>;
    /// Cuts the file.
    fn truncate(&self, size: usize) -> Result<(), i32>;
}

/// The disk's moods, shared by all files.
pub(super) struct Disk {
    options: Options,
    random: AtomicU64,
    syncs: AtomicU32,
}

impl Disk {
    pub(super) fn new(options: Options) -> Self {
        let random = AtomicU64::new(options.seed);
        Self { options, random, syncs: AtomicU32::new(0) }
    }

    /// SplitMix64 (Steele, Lea and Flood, 2014).
    fn random(&self) -> u64 {
        const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
        let state = self.random.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn leaks(&self) -> bool {
        ((self.random() >> 11) as f64 / (1_u64 << 53) as f64) < self.options.leak
    }
}

/// One file as the process sees it.
#[derive(Default)]
pub(super) struct Image {
    content: Vec<u8>,
    /// What the disk does not know, in order.
    unsynced: Vec<Change>,
}

enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Truncate { size: usize },
}

impl Image {
    pub(super) fn load(real: &dyn Real) -> Result<Self, i32> {
        Ok(Self { content: real.load()?, unsynced: Vec::new() })
    }

    /// Whether the disk knows everything.
    pub(super) fn is_synced(&self) -> bool {
        self.unsynced.is_empty()
    }

    pub(super) fn size(&self) -> usize {
        self.content.len()
    }

    /// Fills `buffer` from `offset`, with zeros past the end. Answers whether there was enough.
    pub(super) fn read(&self, offset: usize, buffer: &mut [u8]) -> bool {
        let stored = self.content.get(offset..).unwrap_or_default();
        let count = stored.len().min(buffer.len());
        buffer[..count].copy_from_slice(&stored[..count]);
        buffer[count..].fill(0);
        count == buffer.len()
    }

    pub(super) fn write(
        &mut self,
        disk: &Disk,
        real: &dyn Real,
        offset: usize,
        bytes: &[u8],
    ) -> Result<(), i32> {
        let end = offset + bytes.len();
        if self.content.len() < end {
            self.content.resize(end, 0);
        }
        self.content[offset..end].copy_from_slice(bytes);
        self.unsynced.push(Change::Write { offset, bytes: bytes.to_vec() });
        if disk.leaks() {
            // A write that is cut off leaves some of its first sectors.
            let sectors = bytes.len().div_ceil(SECTOR_BYTES) as u64;
            let kept = (disk.random() % (sectors + 1)) as usize * SECTOR_BYTES;
            real.write(offset, &bytes[..kept.min(bytes.len())])?;
        }
        Ok(())
    }

    pub(super) fn truncate(&mut self, disk: &Disk, real: &dyn Real, size: usize) -> Result<(), i32> {
        self.content.resize(size, 0);
        self.unsynced.push(Change::Truncate { size });
        if disk.leaks() { real.truncate(size) } else { Ok(()) }
    }

    /// Brings the changes to the disk, or does what the options want done in its place.
    ///
    /// No real fsync: the page cache survives a SIGKILL. A kill between two changes leaves the first.
    pub(super) fn sync(&mut self, disk: &Disk, real: &dyn Real) -> Result<(), i32> {
        let earlier = disk.syncs.fetch_add(1, Ordering::Relaxed);
        match disk.options.sync {
            Sync::Lie => return Ok(()),
            Sync::FailAfter(honest) if earlier >= honest => {
                // Like a kernel that drops the pages and would call the next sync a success.
                self.unsynced.clear();
                return Err(rusqlite::ffi::SQLITE_IOERR_FSYNC);
            }
            Sync::FailAfter(_) | Sync::Honest => {}
        }
        for change in self.unsynced.drain(..) {
            match change {
                Change::Write { offset, bytes } => real.write(offset, &bytes)?,
                Change::Truncate { size } => real.truncate(size)?,
            }
        }
        Ok(())
    }
}
