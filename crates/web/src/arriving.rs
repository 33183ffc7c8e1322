//! A body that is taken as it arrives: decompressed piece by piece, counted, and never read further than was asked for.

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::CONTENT_LENGTH;
use http_body_util::BodyExt as _;
use tidegate_core::error::Code;

use crate::encoding::{Decoder, Encoding};
use crate::problem::Problem;
use crate::room::{self, BodyRoom};

/// Largest body as it travels compressed. A full batch of results shrinks by far more than four to one.
const COMPRESSED_BYTES_MAX: usize = 2 * 1024 * 1024;

/// A body of which a part was taken.
pub(crate) struct Arriving {
    body: Body,
    room: Option<BodyRoom>,
    decoder: Decoder,
    /// Bytes that arrived and are not decoded yet.
    encoded: Bytes,
    /// Bytes that are decoded and not taken yet.
    decoded: Vec<u8>,
    is_compressed: bool,
    arrived_bytes: usize,
}

impl Arriving {
    /// The body of `request`, of which nothing is read yet.
    ///
    /// # Errors
    ///
    /// `too_large` where the request announces more than `bytes_max`; `unsupported_media_type` for an encoding that is
    /// not read here.
    pub(crate) fn open(request: Request, bytes_max: usize) -> Result<Self, Problem> {
        let encoding = Encoding::of_request(request.headers())
            .map_err(|error| Problem::new(Code::UnsupportedMediaType, error.to_string()))?;
        let bytes_max = if encoding.is_some() { COMPRESSED_BYTES_MAX.min(bytes_max) } else { bytes_max };
        let announced = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
        if announced.and_then(|text| text.parse().ok()).is_some_and(|bytes: u64| bytes > bytes_max as u64) {
            return Err(too_large(bytes_max));
        }
        let room = request.extensions().get().cloned();
        Ok(Self {
            body: request.into_body(),
            room,
            decoder: Decoder::new(encoding),
            encoded: Bytes::new(),
            decoded: Vec::new(),
            is_compressed: encoding.is_some(),
            arrived_bytes: 0,
        })
    }

    /// Takes the bytes up to the first line feed, which is dropped, or to the end; `None`: the line is longer than
    /// `bytes_max`, and nothing further is read.
    pub(crate) async fn line(&mut self, bytes_max: usize) -> Result<Option<Vec<u8>>, Problem> {
        let mut searched = 0;
        loop {
            if let Some(found) = self.decoded[searched..].iter().position(|byte| *byte == b'\n') {
                let length = searched + found;
                let rest = self.decoded.split_off(length + 1);
                let mut line = std::mem::replace(&mut self.decoded, rest);
                line.truncate(length);
                return Ok((length <= bytes_max).then_some(line));
            }
            searched = self.decoded.len();
            if searched > bytes_max {
                return Ok(None);
            }
            if !self.more().await? {
                return Ok(Some(std::mem::take(&mut self.decoded)));
            }
        }
    }

    /// Gives every piece that is left to `take`, which may refuse it.
    pub(crate) async fn rest(
        mut self,
        mut take: impl FnMut(&[u8]) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        loop {
            if !self.decoded.is_empty() {
                take(&self.decoded)?;
                self.decoded.clear();
            }
            if !self.more().await? {
                return Ok(());
            }
        }
    }

    /// The whole body, of at most `bytes_max` bytes.
    pub(crate) async fn whole(self, bytes_max: usize) -> Result<Vec<u8>, Problem> {
        let mut bytes = Vec::new();
        let keep = |piece: &[u8]| {
            if piece.len() > bytes_max - bytes.len() {
                return Err(too_large(bytes_max));
            }
            bytes.extend_from_slice(piece);
            Ok(())
        };
        self.rest(keep).await?;
        Ok(bytes)
    }

    /// Decodes one more piece, of some tens of KiB at most; false: the body is over, and was whole.
    async fn more(&mut self) -> Result<bool, Problem> {
        loop {
            let before = self.decoded.len();
            self.decoder.decode(&mut self.encoded, &mut self.decoded).map_err(|error| damaged(&error))?;
            let decoded = self.decoded.len() - before;
            if decoded > 0 {
                room::take(self.room.as_ref(), decoded)?;
                return Ok(true);
            }
            match self.body.frame().await {
                Some(Ok(frame)) => self.arrived(frame.into_data().unwrap_or_default())?,
                Some(Err(_)) => return Err(cut()),
                None => {
                    self.decoder.finish().map_err(|error| damaged(&error))?;
                    return Ok(false);
                }
            }
        }
    }

    fn arrived(&mut self, bytes: Bytes) -> Result<(), Problem> {
        self.arrived_bytes += bytes.len();
        if self.is_compressed && self.arrived_bytes > COMPRESSED_BYTES_MAX {
            return Err(too_large(COMPRESSED_BYTES_MAX));
        }
        self.encoded = bytes;
        Ok(())
    }
}

/// A body is larger than `bytes_max`.
pub(crate) fn too_large(bytes_max: usize) -> Problem {
    Problem::new(Code::TooLarge, format!("a body here has at most {bytes_max} bytes"))
}

/// A body that ended early, or too slowly.
pub(crate) fn cut() -> Problem {
    Problem::invalid("the body did not arrive whole: send it again")
}

fn damaged(error: &dyn core::fmt::Display) -> Problem {
    Problem::invalid(error.to_string())
}
