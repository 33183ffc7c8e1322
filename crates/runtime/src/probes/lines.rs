//! The last lines of a file, read from its end in constant memory.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;

use crate::executor::output::{Capture, utf_16};
use crate::files::CheckedFile;

/// How much of the end of a file is looked at, in bytes: read in some 10 ms, and more than 1,000 lines of any
/// log. Lines before it count as not there.
pub(super) const WINDOW_BYTES: u64 = 16 * 1024 * 1024;
/// Bytes read at a time. A multiple of 2, so that no unit of UTF-16 is cut.
const BLOCK_BYTES: u64 = 64 * 1024;
/// How much of the beginning is looked at for UTF-16.
const SAMPLE_BYTES: usize = 4096;

/// What was found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) lines: usize,
    /// How many bytes at the end of the file were looked at.
    pub(super) searched_bytes: u64,
}

/// How the units of a file are read.
#[derive(Clone, Copy, Debug)]
struct Units {
    /// `Some`: UTF-16, big endian or not.
    utf_16: Option<bool>,
}

/// Hands the last `count` lines to `capture`; with `contains`, the last ones that contain it.
///
/// The file is `size` bytes long; what is appended meanwhile is not read.
pub(super) fn last(
    file: &CheckedFile,
    size: u64,
    count: usize,
    contains: Option<&str>,
    capture: &mut Capture,
) -> io::Result<Found> {
    let units = Units { utf_16: utf_16(&block(file, 0..size.min(SAMPLE_BYTES as u64))?) };
    if let Some(big_endian) = units.utf_16 {
        capture.expect_utf_16(big_endian);
    }
    // Even, for UTF-16.
    let window = size.saturating_sub(WINDOW_BYTES).next_multiple_of(2)..size;
    let searched_bytes = window.end.saturating_sub(window.start);
    match contains {
        None => {
            let (start, lines) = start_of_last(file, window, count, units)?;
            copy(file, start..size, capture)?;
            Ok(Found { lines, searched_bytes: if lines < count { searched_bytes } else { size - start } })
        }
        Some(text) => {
            let matches = matching(file, window, count, &units.encode(text), units)?;
            for line in &matches {
                copy(file, line.clone(), capture)?;
            }
            Ok(Found { lines: matches.len(), searched_bytes })
        }
    }
}

/// Where the last `count` lines begin, and how many there are; backwards, block by block.
fn start_of_last(
    file: &CheckedFile,
    window: Range<u64>,
    count: usize,
    units: Units,
) -> io::Result<(u64, usize)> {
    let (mut end, mut lines) = (window.end, 0);
    while end > window.start {
        let start = end.saturating_sub(BLOCK_BYTES).max(window.start);
        let start = start.next_multiple_of(2).min(end - 1);
        for next in units.line_starts(&block(file, start..end)?, start).into_iter().rev() {
            // The last line's own end begins no further line.
            if next < window.end {
                lines += 1;
                if lines == count {
                    return Ok((next, lines));
                }
            }
        }
        end = start;
    }
    Ok((window.start, lines + usize::from(!window.is_empty())))
}

/// The last `count` lines that contain `text`. A line longer than a block counts as several.
fn matching(
    file: &CheckedFile,
    window: Range<u64>,
    count: usize,
    text: &[u8],
    units: Units,
) -> io::Result<VecDeque<Range<u64>>> {
    let mut found = VecDeque::new();
    let mut at = window.start;
    while at < window.end {
        let bytes = block(file, at..window.end.min(at + BLOCK_BYTES))?;
        let mut starts = units.line_starts(&bytes, at);
        let block_end = at + bytes.len() as u64;
        if bytes.is_empty() {
            break;
        }
        if starts.is_empty() || (block_end == window.end && starts.last() != Some(&block_end)) {
            starts.push(block_end);
        }
        for next in starts {
            let line = &bytes[(at - (block_end - bytes.len() as u64)) as usize..][..(next - at) as usize];
            if has(line, text) {
                found.push_back(at..next);
                if found.len() > count {
                    found.pop_front();
                }
            }
            at = next;
        }
    }
    Ok(found)
}

fn copy(file: &CheckedFile, range: Range<u64>, capture: &mut Capture) -> io::Result<()> {
    let mut at = range.start;
    while at < range.end {
        let bytes = block(file, at..range.end.min(at + BLOCK_BYTES))?;
        if bytes.is_empty() {
            break;
        }
        capture.push(&bytes);
        at += bytes.len() as u64;
    }
    Ok(())
}

/// The bytes of a range no longer than a block; fewer where the file has shrunk.
fn block(file: &CheckedFile, range: Range<u64>) -> io::Result<Vec<u8>> {
    file.read_range(range.start, (range.end - range.start) as usize)
}

fn has(line: &[u8], text: &[u8]) -> bool {
    // Most lines of most searches end here, and this one comparison is vectorised.
    text.first().is_some_and(|first| line.contains(first))
        && line.windows(text.len()).any(|part| part == text)
}

impl Units {
    /// The places right after each line feed of a block that begins at `start`.
    fn line_starts(self, block: &[u8], start: u64) -> Vec<u64> {
        let (unit, feed): (usize, &[u8]) = match self.utf_16 {
            None => (1, b"\n"),
            Some(false) => (2, b"\n\0"),
            Some(true) => (2, b"\0\n"),
        };
        if !block.contains(&b'\n') {
            return Vec::new();
        }
        let units = block.chunks(unit).enumerate();
        units.filter(|(_, bytes)| *bytes == feed).map(|(at, _)| start + ((at + 1) * unit) as u64).collect()
    }

    fn encode(self, text: &str) -> Vec<u8> {
        match self.utf_16 {
            None => text.as_bytes().to_vec(),
            Some(false) => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            Some(true) => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        }
    }
}
