//! Content encodings (RFC 9110, section 8.4.1): bodies of runtimes come and go compressed.

use std::io::Write as _;

use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING};
use flate2::{Compression, Decompress, FlushDecompress, Status};

/// The encodings that are read and written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// zlib (RFC 1950), which is what HTTP calls `deflate`.
    Deflate,
    /// gzip (RFC 1952).
    Gzip,
}

/// A compressed body that is cut, damaged, or followed by something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body is not what its `Content-Encoding` says")]
pub(crate) struct Damaged;

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

/// Most bytes that one call of [`Decoder::decode`] adds with `deflate`; with gzip it may be a few times as many. A
/// thousandfold compression is therefore seen by its reader in small pieces.
const PIECE_BYTES: usize = 16 * 1024;

/// Decompresses a body as it arrives.
pub(crate) enum Decoder {
    /// Not compressed.
    Plain,
    /// zlib.
    Zlib {
        /// The state.
        inflater: Decompress,
        /// Whether the stream is over and its checksum held.
        is_over: bool,
    },
    /// gzip.
    Gzip(Box<flate2::write::GzDecoder<Vec<u8>>>),
}

impl Decoder {
    /// A decoder of bodies with this encoding.
    pub(crate) fn new(encoding: Option<Encoding>) -> Self {
        match encoding {
            None => Self::Plain,
            Some(Encoding::Deflate) => Self::Zlib { inflater: Decompress::new(true), is_over: false },
            Some(Encoding::Gzip) => Self::Gzip(Box::new(flate2::write::GzDecoder::new(Vec::new()))),
        }
    }

    /// Takes bytes from `input` and appends what they become. It appends nothing only once it needs more input.
    pub(crate) fn decode(&mut self, input: &mut Bytes, output: &mut Vec<u8>) -> Result<(), Damaged> {
        match self {
            Self::Plain => {
                let piece = input.split_to(input.len());
                output.extend_from_slice(&piece);
                Ok(())
            }
            Self::Zlib { inflater, is_over } => inflate(inflater, is_over, input, output),
            Self::Gzip(decoder) => gunzip(decoder, input, output),
        }
    }

    /// Checks at the body's end that it was whole.
    pub(crate) fn finish(&mut self) -> Result<(), Damaged> {
        match self {
            Self::Plain | Self::Zlib { is_over: true, .. } => Ok(()),
            Self::Zlib { is_over: false, .. } => Err(Damaged),
            Self::Gzip(decoder) => decoder.try_finish().map_err(|_| Damaged),
        }
    }
}

fn inflate(
    inflater: &mut Decompress,
    is_over: &mut bool,
    input: &mut Bytes,
    output: &mut Vec<u8>,
) -> Result<(), Damaged> {
    let mut piece = [0; PIECE_BYTES];
    loop {
        if *is_over {
            return if input.is_empty() { Ok(()) } else { Err(Damaged) };
        }
        let (in_before, out_before) = (inflater.total_in(), inflater.total_out());
        let status = inflater.decompress(input, &mut piece, FlushDecompress::None).map_err(|_| Damaged)?;
        let [consumed, produced] =
            [inflater.total_in() - in_before, inflater.total_out() - out_before].map(|count| count as usize);
        let _ = input.split_to(consumed);
        *is_over = status == Status::StreamEnd;
        if produced > 0 {
            output.extend_from_slice(&piece[..produced]);
            return Ok(());
        }
        if consumed == 0 && !*is_over {
            return if input.is_empty() { Ok(()) } else { Err(Damaged) };
        }
    }
}

fn gunzip(
    decoder: &mut flate2::write::GzDecoder<Vec<u8>>,
    input: &mut Bytes,
    output: &mut Vec<u8>,
) -> Result<(), Damaged> {
    while !input.is_empty() {
        let consumed = decoder.write(input).map_err(|_| Damaged)?;
        if consumed == 0 {
            // Something follows the end.
            return Err(Damaged);
        }
        let _ = input.split_to(consumed);
        decoder.flush().map_err(|_| Damaged)?;
        if !decoder.get_ref().is_empty() {
            output.append(decoder.get_mut());
            return Ok(());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    /// Decodes `bytes`, which arrive in pieces of `piece_bytes`; gives up once more than `bytes_max` came out.
    fn decode(
        encoding: Encoding,
        bytes: &[u8],
        piece_bytes: usize,
        bytes_max: usize,
    ) -> Result<Vec<u8>, Damaged> {
        let mut decoder = Decoder::new(Some(encoding));
        let mut output = Vec::new();
        for piece in bytes.chunks(piece_bytes) {
            let mut input = Bytes::copy_from_slice(piece);
            loop {
                let before = output.len();
                decoder.decode(&mut input, &mut output)?;
                if output.len() > bytes_max {
                    return Ok(output);
                }
                if output.len() == before {
                    break;
                }
            }
            assert!(input.is_empty(), "a decoder that wants more has taken everything");
        }
        decoder.finish().map(|()| output)
    }

    #[test]
    fn what_was_compressed_is_decoded_however_it_arrives() {
        let text: Vec<u8> =
            (0..200_000_u32).flat_map(|number| (number % 251 * 7 % 256).to_le_bytes()).collect();
        for encoding in [Encoding::Deflate, Encoding::Gzip] {
            let compressed = encoding.encode(&text).unwrap();
            for piece_bytes in [1, 7, 1_000, compressed.len()] {
                assert_eq!(
                    decode(encoding, &compressed, piece_bytes, text.len()).unwrap(),
                    text,
                    "{piece_bytes}"
                );
            }
        }
    }

    #[test]
    fn a_bomb_comes_out_in_small_pieces() {
        for encoding in [Encoding::Deflate, Encoding::Gzip] {
            let bomb = encoding.encode(&vec![0; 64 * 1024 * 1024]).unwrap();
            assert!(bomb.len() < 100 * 1024);
            let came_out = decode(encoding, &bomb, bomb.len(), 1_000).unwrap().len();
            assert!(came_out <= 128 * 1024, "{encoding:?}: {came_out}");
        }
    }

    #[test]
    fn a_cut_damaged_or_prolonged_body_is_refused() {
        for encoding in [Encoding::Deflate, Encoding::Gzip] {
            let whole = encoding.encode(b"tidegate tidegate").unwrap();
            for length in 0..whole.len() {
                assert_eq!(decode(encoding, &whole[..length], 5, 100), Err(Damaged), "{encoding:?} {length}");
            }
            for (index, piece_bytes) in [(whole.len() - 2, 100), (whole.len() - 6, 1)] {
                let mut damaged = whole.clone();
                damaged[index] ^= 1;
                assert_eq!(
                    decode(encoding, &damaged, piece_bytes, 100),
                    Err(Damaged),
                    "{encoding:?} {index}"
                );
            }
            let longer = [whole.clone(), vec![0]].concat();
            for piece_bytes in [1, 100] {
                assert_eq!(decode(encoding, &longer, piece_bytes, 100), Err(Damaged), "{encoding:?}");
            }
            assert_eq!(decode(encoding, b"not compressed", 100, 100), Err(Damaged));
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
