//! Content encodings (RFC 9110, section 8.4.1): bodies of runtimes come and go compressed.

use std::io::Read;
use std::io::Write as _;

use axum::http::HeaderMap;
use axum::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING};
use flate2::Compression;

/// The encodings that are read and written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// zlib (RFC 1950), which is what HTTP calls `deflate`.
    Deflate,
    /// gzip (RFC 1952).
    Gzip,
}

/// Why a compressed body is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DecodeError {
    /// It would grow past the bound.
    #[error("a body here has at most {0} bytes once decompressed")]
    TooLarge(usize),
    /// It is cut, damaged, or followed by something else.
    #[error("the body is not what its `Content-Encoding` says")]
    Damaged,
}

/// A `Content-Encoding` that is not read here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("bodies are read with `Content-Encoding` deflate, gzip or none, and only one of them")]
pub(crate) struct UnknownEncoding;

/// Below this a compressed answer saves nothing that matters against what it costs to make.
pub(crate) const COMPRESS_FROM_BYTES: usize = 256;

impl Encoding {
    /// How the body of a request is encoded; `None`: not at all.
    pub(crate) fn of_request(headers: &HeaderMap) -> Result<Option<Self>, UnknownEncoding> {
        let mut values = headers.get_all(CONTENT_ENCODING).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return if headers.contains_key(CONTENT_ENCODING) { Err(UnknownEncoding) } else { Ok(None) };
        };
        let name = value.to_str().map_err(|_| UnknownEncoding)?.trim().to_ascii_lowercase();
        match name.as_str() {
            "deflate" => Ok(Some(Self::Deflate)),
            "gzip" | "x-gzip" => Ok(Some(Self::Gzip)),
            "identity" | "" => Ok(None),
            _ => Err(UnknownEncoding),
        }
    }

    /// What the answer may be encoded with; `deflate` first, since it is 12 bytes shorter.
    pub(crate) fn accepted(headers: &HeaderMap) -> Option<Self> {
        let accepts = |name: &str| {
            headers
                .get_all(ACCEPT_ENCODING)
                .iter()
                .filter_map(|value| value.to_str().ok())
                .flat_map(|value| value.split(','))
                .any(|choice| accepts(choice, name))
        };
        [Self::Deflate, Self::Gzip].into_iter().find(|encoding| accepts(encoding.name()))
    }

    /// The word in headers.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Deflate => "deflate",
            Self::Gzip => "gzip",
        }
    }

    /// Decompresses `bytes` to at most `bytes_max`; stops there, whatever the rest would become.
    pub(crate) fn decode(self, bytes: &[u8], bytes_max: usize) -> Result<Vec<u8>, DecodeError> {
        match self {
            Self::Deflate => read_bounded(flate2::bufread::ZlibDecoder::new(bytes), bytes_max, |decoder| {
                decoder.into_inner().is_empty()
            }),
            Self::Gzip => read_bounded(flate2::bufread::GzDecoder::new(bytes), bytes_max, |decoder| {
                decoder.into_inner().is_empty()
            }),
        }
    }

    /// Compresses `bytes`.
    pub(crate) fn encode(self, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
        match self {
            Self::Deflate => {
                let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), Compression::default());
                encoder.write_all(bytes)?;
                encoder.finish()
            }
            Self::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), Compression::default());
                encoder.write_all(bytes)?;
                encoder.finish()
            }
        }
    }
}

/// Whether one choice of an `Accept-Encoding` takes `name`: `gzip`, `*`, `gzip;q=0.5`, and not `gzip;q=0`.
fn accepts(choice: &str, name: &str) -> bool {
    let mut parts = choice.split(';').map(str::trim);
    let coding = parts.next().unwrap_or_default();
    let refused = parts.any(|parameter| {
        let value = parameter.strip_prefix("q=").or_else(|| parameter.strip_prefix("Q="));
        value.is_some_and(|weight| weight.trim().parse::<f32>().is_ok_and(|weight| weight <= 0.0))
    });
    coding.eq_ignore_ascii_case(name) && !refused
}

fn read_bounded<D: Read>(
    mut decoder: D,
    bytes_max: usize,
    is_consumed: impl FnOnce(D) -> bool,
) -> Result<Vec<u8>, DecodeError> {
    let mut decoded = Vec::new();
    // One byte more than allowed tells a body that is too large from one that just fits.
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    decoder.by_ref().take(limit).read_to_end(&mut decoded).map_err(|_| DecodeError::Damaged)?;
    if decoded.len() > bytes_max {
        return Err(DecodeError::TooLarge(bytes_max));
    }
    if is_consumed(decoder) { Ok(decoded) } else { Err(DecodeError::Damaged) }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn what_was_compressed_reads_back_up_to_the_bound_and_not_beyond() {
        let text = b"tide ".repeat(1_000);
        for encoding in [Encoding::Deflate, Encoding::Gzip] {
            let compressed = encoding.encode(&text).unwrap();
            assert!(compressed.len() < 100);
            assert_eq!(encoding.decode(&compressed, text.len()), Ok(text.clone()));
            assert_eq!(
                encoding.decode(&compressed, text.len() - 1),
                Err(DecodeError::TooLarge(text.len() - 1))
            );
        }
    }

    #[test]
    fn a_bomb_is_refused_at_the_bound() {
        let bomb = Encoding::Gzip.encode(&vec![0; 64 * 1024 * 1024]).unwrap();
        assert!(bomb.len() < 100 * 1024);
        assert_eq!(Encoding::Gzip.decode(&bomb, 1_000), Err(DecodeError::TooLarge(1_000)));
    }

    #[test]
    fn a_cut_damaged_or_prolonged_body_is_refused() {
        for encoding in [Encoding::Deflate, Encoding::Gzip] {
            let whole = encoding.encode(b"tidegate tidegate").unwrap();
            let cut = &whole[..whole.len() - 1];
            assert_eq!(encoding.decode(cut, 100), Err(DecodeError::Damaged));
            let mut longer = whole.clone();
            longer.push(0);
            assert_eq!(encoding.decode(&longer, 100), Err(DecodeError::Damaged));
            assert_eq!(encoding.decode(b"not compressed", 100), Err(DecodeError::Damaged));
            assert_eq!(encoding.decode(b"", 100), Err(DecodeError::Damaged));
        }
    }

    #[test]
    fn the_headers_choose_the_encoding() {
        let with = |name, value| {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_static(value));
            headers
        };
        assert_eq!(Encoding::of_request(&HeaderMap::new()), Ok(None));
        assert_eq!(Encoding::of_request(&with(CONTENT_ENCODING, "GZIP")), Ok(Some(Encoding::Gzip)));
        assert_eq!(Encoding::of_request(&with(CONTENT_ENCODING, "br")), Err(UnknownEncoding));
        assert_eq!(Encoding::of_request(&with(CONTENT_ENCODING, "gzip, gzip")), Err(UnknownEncoding));
        assert_eq!(Encoding::accepted(&HeaderMap::new()), None);
        assert_eq!(Encoding::accepted(&with(ACCEPT_ENCODING, "gzip, deflate")), Some(Encoding::Deflate));
        assert_eq!(
            Encoding::accepted(&with(ACCEPT_ENCODING, "deflate;q=0, gzip;q=0.5")),
            Some(Encoding::Gzip)
        );
        assert_eq!(Encoding::accepted(&with(ACCEPT_ENCODING, "br")), None);
    }
}
