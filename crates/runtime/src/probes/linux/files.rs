//! Reading files without being held up.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Opens for reading; a pipe or terminal does not block and does not become this process's.
pub(in crate::probes) fn open_without_waiting(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)
}

/// Opens whatever is there without reading it, which has no effect on anything, a device or a pipe included
/// (open(2), `O_PATH`).
pub(in crate::probes) fn open_untouched(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(libc::O_PATH).open(path)
}

/// Opens for reading what was [opened untouched](open_untouched): the same file, whatever its path leads to since.
pub(in crate::probes) fn reopen_without_waiting(file: &File) -> io::Result<File> {
    open_without_waiting(Path::new(&format!("/proc/self/fd/{}", file.as_raw_fd())))
}

/// Reads at a place of the file and moves nothing; 0 at its end.
pub(in crate::probes) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    file.read_at(buffer, offset)
}

/// Where an open file really lies, links resolved (proc(5), `/proc/pid/fd`).
pub(in crate::probes) fn real_path(file: &File) -> io::Result<PathBuf> {
    std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))
}
