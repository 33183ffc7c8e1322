//! Bytes to lines, in bounded memory.

use crate::journal::{BODY_BYTES_MAX, HEADER_BYTES_MAX};

use super::report::Fault;

/// Longest line of a genuine export: a journal entry of the largest size inside a JSON string, where every byte of
/// it takes at most six (`\u0000`), and some room for what is around it.
pub const LINE_BYTES_MAX: usize = 6 * (BODY_BYTES_MAX + HEADER_BYTES_MAX) + 64 * 1024;

/// Collects the line that is not whole yet.
#[derive(Debug, Default)]
pub(super) struct Lines {
    bytes: Vec<u8>,
    is_too_long: bool,
    count: u64,
}

/// One line, without its end.
#[derive(Debug)]
pub(super) struct Line {
    /// Its place in the file, from 1.
    pub(super) number: u64,
    /// Nothing of one that is too long.
    bytes: Vec<u8>,
    is_too_long: bool,
}

impl Lines {
    /// How many lines came.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// The next whole line of what is kept and `rest`, which moves behind it; `None`: `rest` is used up.
    pub(super) fn next(&mut self, rest: &mut &[u8]) -> Option<Line> {
        let end = rest.iter().position(|byte| *byte == b'\n');
        self.keep(&rest[..end.unwrap_or(rest.len())]);
        *rest = end.map_or(&[][..], |end| &rest[end + 1..]);
        end.map(|_| self.take())
    }

    /// The line at the end of the file that has no end of its own; `None`: there is none.
    pub(super) fn last(&mut self) -> Option<Line> {
        let is_any = self.is_too_long || !self.bytes.is_empty();
        is_any.then(|| self.take())
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.is_too_long || self.bytes.len() + bytes.len() > LINE_BYTES_MAX {
            self.is_too_long = true;
            self.bytes = Vec::new();
        } else {
            self.bytes.extend_from_slice(bytes);
        }
    }

    fn take(&mut self) -> Line {
        self.count += 1;
        Line {
            number: self.count,
            bytes: core::mem::take(&mut self.bytes),
            is_too_long: core::mem::take(&mut self.is_too_long),
        }
    }
}

impl Line {
    /// The line as text.
    pub(super) fn text(&self) -> Result<&str, Fault> {
        if self.is_too_long {
            return Err(Fault::LineTooLong(LINE_BYTES_MAX));
        }
        core::str::from_utf8(&self.bytes).map_err(|_| Fault::Text)
    }

    /// Whether nothing stands there.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty() && !self.is_too_long
    }
}
