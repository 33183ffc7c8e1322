//! Long texts as storage keeps them: DEFLATE in zlib's frame (RFC 1950), where that saves.
//!
//! What is hashed, signed, exported and counted is always the text. Only the column that holds it differs, so a database
//! may hold both forms and older rows stay as they are.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;

use crate::sql::{Row, SqlError};

/// Shorter texts stay as they are: they are mostly digests, and setting up a compressor costs more than it saves.
const PACKED_FROM_BYTES: usize = 2_048;
/// Longest text that is unpacked: twice the longest entry of a transcript. A damaged row must not fill the memory.
const TEXT_BYTES_MAX: u64 = 8 << 20;

/// Packs `text`; `None` where less than an eighth is saved.
pub fn pack(text: &str) -> Option<Vec<u8>> {
    if text.len() < PACKED_FROM_BYTES {
        return None;
    }
    // The fastest level: it halves results and shrinks repetition to a hundredth, at a few milliseconds a MiB.
    let mut encoder = ZlibEncoder::new(Vec::with_capacity(text.len() / 2), Compression::fast());
    encoder.write_all(text.as_bytes()).ok()?;
    let packed = encoder.finish().ok()?;
    (packed.len() <= text.len() - text.len() / 8).then_some(packed)
}

/// Unpacks what [`pack`] made.
///
/// # Errors
///
/// [`crate::sql::SqlErrorKind::Shape`] for bytes that [`pack`] did not make.
pub fn unpack(packed: &[u8]) -> Result<String, SqlError> {
    let mut text = String::new();
    let read = ZlibDecoder::new(packed).take(TEXT_BYTES_MAX + 1).read_to_string(&mut text);
    match read {
        Ok(bytes) if bytes as u64 <= TEXT_BYTES_MAX => Ok(text),
        Ok(_) | Err(_) => Err(SqlError::shape("a packed text")),
    }
}

/// The text that a row holds plainly in `column` or packed in the one after it; `None` where both are NULL.
///
/// # Errors
///
/// As [`unpack`] and [`Row::text`].
pub fn text(row: &Row, column: usize) -> Result<Option<String>, SqlError> {
    if row.is_null(column + 1) {
        return Ok(row.optional_text(column)?.map(str::to_owned));
    }
    unpack(row.blob(column + 1)?).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::{SqlErrorKind, Value};

    #[test]
    fn what_is_packed_comes_back_byte_for_byte_and_much_smaller() {
        let long = "\u{fc}\u{0} \"quoted\" \n".repeat(1_000);
        let packed = pack(&long).unwrap();
        assert!(packed.len() < long.len() / 20, "{} of {}", packed.len(), long.len());
        assert_eq!(unpack(&packed).unwrap(), long);
    }

    #[test]
    fn what_saves_nothing_stays_as_it_is() {
        assert_eq!(pack(&"a".repeat(PACKED_FROM_BYTES - 1)), None);
        let mut entropy = crate::entropy::Entropy::new([1; 32]);
        let bytes = (0..200).flat_map(|_| entropy.bytes::<32>());
        let noise: String = bytes.map(|byte| char::from(byte & 0x7f)).collect();
        assert_eq!(pack(&noise), None, "seven bits of eight are noise");
    }

    #[test]
    fn damaged_and_endless_bytes_are_no_text() {
        let packed = pack(&"text ".repeat(1_000)).unwrap();
        let bomb = pack(&"x".repeat(usize::try_from(TEXT_BYTES_MAX).unwrap() + 1)).unwrap();
        for bytes in [&packed[..packed.len() - 1], &packed[1..], b"", &bomb] {
            assert_eq!(unpack(bytes).unwrap_err().kind, SqlErrorKind::Shape);
        }
    }

    #[test]
    fn a_row_reads_in_either_form() {
        let long = "text ".repeat(1_000);
        let row = |plain, packed| Row(vec![Value::from(7_u64), plain, packed]);
        let packed = row(Value::Null, pack(&long).into());
        assert_eq!(text(&packed, 1).unwrap().as_deref(), Some(long.as_str()));
        assert_eq!(text(&row("short".into(), Value::Null), 1).unwrap().as_deref(), Some("short"));
        assert_eq!(text(&row(Value::Null, Value::Null), 1).unwrap(), None);
    }
}
