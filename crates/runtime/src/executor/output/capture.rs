//! Keeps the two ends of a stream.

use tidegate_core::sequence::Output;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::decode::{self, Encoding, Undecodable};

/// Bytes asked for in one read. With a pipe of 1 MiB, 128 KiB was as fast as more.
const READ_BYTES: usize = 128 * 1024;
/// Raw bytes kept of an end, for one byte of text: ASCII in UTF-16 becomes half as long.
const RAW_PER_TEXT: usize = 2;

/// The two ends of a stream, at most `4 × end_bytes` in memory.
#[derive(Debug)]
pub struct Capture {
    end_bytes: usize,
    head: Vec<u8>,
    /// A ring: the oldest byte is at `oldest` once it is full.
    tail: Vec<u8>,
    oldest: usize,
    bytes: u64,
    expected: Option<Encoding>,
}

impl Capture {
    /// Keeps what becomes at most `end_bytes` of text at each end.
    pub fn new(end_bytes: usize) -> Self {
        Self { end_bytes, head: Vec::new(), tail: Vec::new(), oldest: 0, bytes: 0, expected: None }
    }

    /// Reads the stream as UTF-16, for one that is taken from its middle.
    pub(crate) fn expect_utf_16(&mut self, big_endian: bool) {
        self.expected = Some(Encoding::Utf16 { big_endian });
    }

    /// Takes more of the stream.
    pub fn push(&mut self, chunk: &[u8]) {
        self.bytes += chunk.len() as u64;
        let end = self.end_bytes * RAW_PER_TEXT;
        let (first, rest) = chunk.split_at(chunk.len().min(end - self.head.len()));
        self.head.extend_from_slice(first);
        // Only the last bytes of a large chunk can still be there at the end.
        let rest = &rest[rest.len().saturating_sub(end)..];
        let (grown, wrapped) = rest.split_at(rest.len().min(end - self.tail.len()));
        self.tail.extend_from_slice(grown);
        let (to_the_edge, around) = wrapped.split_at(wrapped.len().min(self.tail.len() - self.oldest));
        self.tail[self.oldest..self.oldest + to_the_edge.len()].copy_from_slice(to_the_edge);
        self.tail[..around.len()].copy_from_slice(around);
        if !wrapped.is_empty() {
            self.oldest = (self.oldest + wrapped.len()) % end;
        }
    }

    /// What was kept, as text within the bounds.
    pub fn finish(mut self, undecodable: Undecodable) -> Output {
        self.tail.rotate_left(self.oldest);
        let (mut head, mut tail) = (self.head, self.tail);
        let is_whole = self.bytes == (head.len() + tail.len()) as u64;
        if is_whole {
            head.append(&mut tail);
        }
        let encoding = self.expected.unwrap_or_else(|| Encoding::detect(&head, &tail, undecodable));
        let first = decode::beginning(&head, &encoding, is_whole, self.end_bytes);
        let rest = if is_whole { &head[first.raw_bytes..] } else { &tail };
        let parity = (self.bytes - rest.len() as u64) % 2;
        let last = decode::ending(rest, &encoding, is_whole, parity == 1, self.end_bytes);
        Output {
            head: first.text,
            tail: last.text,
            bytes: self.bytes,
            dropped_bytes: self.bytes - (first.raw_bytes + last.raw_bytes) as u64,
            encoding: encoding.label(first.escaped + last.escaped),
        }
    }
}

/// Something that takes a stream as it comes.
pub trait Intake: Send {
    /// Takes more of the stream, which may be cut anywhere.
    fn push(&mut self, chunk: &[u8]);
}

impl Intake for Capture {
    fn push(&mut self, chunk: &[u8]) {
        Self::push(self, chunk);
    }
}

/// Takes a stream to its end or its first error. Dropping this loses at most what was not read yet.
pub(in crate::executor) async fn read_all(mut stream: impl AsyncRead + Unpin, intake: &mut dyn Intake) {
    let mut buffer = vec![0; READ_BYTES];
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        intake.push(&buffer[..count]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captured(end_bytes: usize, chunks: &[&[u8]]) -> Output {
        let mut capture = Capture::new(end_bytes);
        chunks.iter().for_each(|chunk| capture.push(chunk));
        capture.finish(Undecodable::Escape)
    }

    #[test]
    fn the_ring_agrees_with_keeping_everything() {
        let stream: Vec<u8> = (0..5_000_u32).map(|at| b'a' + (at * 7 % 26) as u8).collect();
        for length in [0, 1, 9, 10, 11, 19, 20, 21, 39, 40, 41, 60, 500, 5_000] {
            for step in [1, 2, 3, 7, 20, 21, 64, 5_000] {
                let chunks: Vec<&[u8]> = stream[..length].chunks(step).collect();
                let output = captured(10, &chunks);
                let text = str::from_utf8(&stream[..length]).unwrap();
                assert_eq!(output.bytes, length as u64);
                assert_eq!(output.head, text[..length.min(10)], "{length} by {step}");
                let last = length.saturating_sub(10).min(10);
                assert_eq!(output.tail, text[length - last..], "{length} by {step}");
                assert_eq!(output.dropped_bytes, length.saturating_sub(20) as u64);
                assert_eq!(output.encoding, None);
            }
        }
    }

    #[test]
    fn a_cut_falls_between_characters() {
        let output = captured(10, &["añ€😀".repeat(100).as_bytes()]);
        assert_eq!(output.head, "añ€😀");
        assert_eq!(output.tail, "añ€😀");
        assert_eq!((output.bytes, output.dropped_bytes, output.encoding), (1_000, 980, None));
        let output = captured(9, &["añ€😀".repeat(100).as_bytes()]);
        assert_eq!((output.head.as_str(), output.tail.as_str()), ("añ€", "ñ€😀"));
        assert_eq!(output.dropped_bytes, 1_000 - 6 - 9);
    }

    #[test]
    fn utf_16_is_read_across_the_cut() {
        let text = "Zustand: läuft\r\n".repeat(50);
        let raw: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let output = captured(64, &[&raw]);
        assert_eq!(output.encoding.as_deref(), Some("utf-16le"));
        assert!(text.starts_with(&output.head) && text.ends_with(&output.tail), "{output:?}");
        let kept = output.head.encode_utf16().count() + output.tail.encode_utf16().count();
        assert_eq!(output.dropped_bytes as usize, raw.len() - 2 * kept);
    }

    #[test]
    fn every_byte_value_can_be_told_from_the_text() {
        let raw: Vec<u8> = (0..=255).chain([b'x', 0, b'y']).collect();
        let output = captured(16 * 1024, &[&raw]);
        assert_eq!((output.dropped_bytes, output.bytes), (0, 259));
        assert!(output.head.contains("~\u{7f}\\x80\\x81") && output.head.ends_with("\\xFFx\u{0}y"));
        let json = serde_json::to_string(&output).unwrap();
        assert_eq!(serde_json::from_str::<Output>(&json).unwrap(), output);
    }
}
