//! The content of a gzip file, judged while it is decompressed.

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;

use super::CheckedFile;
use super::marks::SECRET_BYTES_MAX;

/// Bytes of the file read at a time.
const BLOCK_BYTES: usize = 64 * 1024;

/// Reads the decompressed content, at most so much of it; every byte was judged together with those before it.
#[derive(Debug)]
pub(crate) struct Gunzipped<'a> {
    checked: &'a CheckedFile,
    decoder: io::Take<MultiGzDecoder<io::BufReader<Stored<'a>>>>,
    /// The end of what was handed out: a secret may begin there.
    before: Vec<u8>,
}

/// The file as it is stored, from its beginning.
#[derive(Debug)]
struct Stored<'a> {
    checked: &'a CheckedFile,
    offset: u64,
}

impl Read for Stored<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.checked.read_unseen(buffer, self.offset)?;
        self.offset += count as u64;
        Ok(count)
    }
}

impl<'a> Gunzipped<'a> {
    pub(super) fn new(checked: &'a CheckedFile, bytes_max: u64) -> Self {
        let stored = io::BufReader::with_capacity(BLOCK_BYTES, Stored { checked, offset: 0 });
        Self { checked, decoder: MultiGzDecoder::new(stored).take(bytes_max), before: Vec::new() }
    }
}

impl Read for Gunzipped<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.decoder.read(buffer)?;
        self.before.extend_from_slice(&buffer[..count]);
        // What is denied must not stay with the caller.
        self.checked.judge(&self.before).inspect_err(|_| buffer.fill(0))?;
        let keep = self.before.len().saturating_sub(SECRET_BYTES_MAX);
        self.before.drain(..keep);
        Ok(count)
    }
}
