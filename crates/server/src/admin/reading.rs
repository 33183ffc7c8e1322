//! Small files that commands read: regular files only, up to a bound.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// Reads the regular file `file` of at most `bytes_max` bytes. A pipe or a device is refused: it could block the command,
/// or never end.
///
/// # Errors
///
/// When it cannot be opened or read, is not a regular file, or is larger.
pub(super) fn read_file(file: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let opened = open(file)?;
    if !opened.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    // Bounded also where the file grows while it is read.
    opened.take(bytes_max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max {
        return Err(io::Error::other(format!("it is larger than {bytes_max} bytes")));
    }
    Ok(bytes)
}

/// Reads a text as [`read_file`] does.
///
/// # Errors
///
/// As of [`read_file`], or when it is not UTF-8.
pub(super) fn read_text(file: &Path, bytes_max: u64) -> io::Result<String> {
    String::from_utf8(read_file(file, bytes_max)?).map_err(|_| io::Error::other("it is not text in UTF-8"))
}

#[cfg(unix)]
fn open(file: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    // A named pipe without a writer would block here, before it can be seen what it is.
    File::options().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(file)
}

#[cfg(not(unix))]
fn open(file: &Path) -> io::Result<File> {
    File::open(file)
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;

    use super::*;

    #[test]
    fn a_pipe_without_a_writer_and_a_device_without_an_end_are_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        for file in [pipe.as_path(), Path::new("/dev/zero"), folder.path()] {
            let refused = read_file(file, 100).unwrap_err();
            assert!(refused.to_string().contains("not a regular file"), "{}: {refused}", file.display());
        }
    }

    #[test]
    fn a_file_is_read_up_to_its_bound_and_not_beyond() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "four").unwrap();
        assert_eq!(read_text(&file, 4).unwrap(), "four");
        assert!(read_text(&file, 3).unwrap_err().to_string().contains("larger than 3 bytes"));
    }
}
