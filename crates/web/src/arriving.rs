//! A body that is taken as it arrives: decompressed piece by piece, counted, and never read further than was asked for.

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::CONTENT_LENGTH;
use http_body_util::BodyExt as _;
use tidegate_core::error::Code;
use tidegate_core::wire::{SyncContent, SyncParseError};

use crate::encoding::{Decoder, Encoding};
use crate::host::{Host, apart};
use crate::problem::Problem;
use crate::room::{self, BodyRoom};

/// Largest body as it travels compressed. A full batch of results shrinks by far more than four to one.
const COMPRESSED_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Content of a sync that is unpacked where its request is served, in bytes: a millisecond's work. What comes beyond
/// is unpacked apart, so that no flood of large syncs holds up the requests of others.
pub(crate) const NEAR_BYTES_MAX: usize = 256 * 1024;
/// How much is unpacked apart at once, in bytes: then it is another sync's turn.
const APART_BYTES: usize = 1024 * 1024;

/// A body of which a part was taken.
pub(crate) struct Arriving {
    body: Body,
    unpacking: Unpacking,
    is_compressed: bool,
    arrived_bytes: usize,
}

/// What arrived, on its way through the decoder.
struct Unpacking {
    decoder: Decoder,
    /// Bytes that arrived and are not decoded yet.
    encoded: Bytes,
    /// Bytes that are decoded and not taken yet.
    decoded: Vec<u8>,
    room: Option<BodyRoom>,
}

impl Unpacking {
    /// Decodes one more piece, of some tens of KiB at most; false: more has to arrive first.
    fn step(&mut self) -> Result<bool, Problem> {
        let before = self.decoded.len();
        self.decoder.decode(&mut self.encoded, &mut self.decoded).map_err(|error| damaged(&error))?;
        let decoded = self.decoded.len() - before;
        if decoded > 0 {
            room::take(self.room.as_ref(), decoded)?;
        }
        Ok(decoded > 0)
    }

    /// Moves up to `bytes_max` bytes, and a piece, into `content`. False in the answer: more has to arrive first.
    fn move_into(
        mut self,
        mut content: SyncContent,
        bytes_max: usize,
    ) -> Result<(Self, SyncContent, bool), Unpacked> {
        let end = content.bytes() + bytes_max;
        loop {
            content.push(&self.decoded).map_err(Unpacked::Unreadable)?;
            self.decoded.clear();
            if content.bytes() >= end {
                return Ok((self, content, true));
            }
            if !self.step().map_err(Unpacked::Refused)? {
                return Ok((self, content, false));
            }
        }
    }
}

/// Why the content of a sync is not taken.
pub(crate) enum Unpacked {
    /// Its transport failed, or there is no room for it.
    Refused(Problem),
    /// It is not what a sync may have.
    Unreadable(SyncParseError),
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
        let decoder = Decoder::new(encoding);
        Ok(Self {
            body: request.into_body(),
            unpacking: Unpacking { decoder, encoded: Bytes::new(), decoded: Vec::new(), room },
            is_compressed: encoding.is_some(),
            arrived_bytes: 0,
        })
    }

    /// Takes the bytes up to the first line feed, which is dropped, or to the end; `None`: the line is longer than
    /// `bytes_max`, and nothing further is read.
    pub(crate) async fn line(&mut self, bytes_max: usize) -> Result<Option<Vec<u8>>, Problem> {
        let mut searched = 0;
        loop {
            if let Some(found) = self.unpacking.decoded[searched..].iter().position(|byte| *byte == b'\n') {
                let length = searched + found;
                let rest = self.unpacking.decoded.split_off(length + 1);
                let mut line = std::mem::replace(&mut self.unpacking.decoded, rest);
                line.truncate(length);
                return Ok((length <= bytes_max).then_some(line));
            }
            searched = self.unpacking.decoded.len();
            if searched > bytes_max {
                return Ok(None);
            }
            if !self.more().await? {
                return Ok(Some(std::mem::take(&mut self.unpacking.decoded)));
            }
        }
    }

    /// Gives every piece that is left to `take`, which may refuse it.
    pub(crate) async fn rest(
        mut self,
        mut take: impl FnMut(&[u8]) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        loop {
            if !self.unpacking.decoded.is_empty() {
                take(&self.unpacking.decoded)?;
                self.unpacking.decoded.clear();
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

    /// Takes everything that is left as the content of a sync.
    pub(crate) async fn content(
        mut self,
        host: &dyn Host,
        mut content: SyncContent,
    ) -> Result<SyncContent, Unpacked> {
        loop {
            let left = NEAR_BYTES_MAX.saturating_sub(content.bytes());
            let unpacking = self.unpacking;
            let is_more;
            (self.unpacking, content, is_more) = if left > 0 {
                unpacking.move_into(content, left)?
            } else {
                let work = move || unpacking.move_into(content, APART_BYTES);
                apart(host, work).await.map_err(Unpacked::Refused)??
            };
            if !is_more && !self.frame().await.map_err(Unpacked::Refused)? {
                return Ok(content);
            }
        }
    }

    /// Decodes one more piece, of some tens of KiB at most; false: the body is over, and was whole.
    async fn more(&mut self) -> Result<bool, Problem> {
        loop {
            if self.unpacking.step()? {
                return Ok(true);
            }
            if !self.frame().await? {
                return Ok(false);
            }
        }
    }

    /// Waits for bytes to arrive; false: the body is over, and was whole.
    async fn frame(&mut self) -> Result<bool, Problem> {
        match self.body.frame().await {
            Some(Ok(frame)) => self.arrived(frame.into_data().unwrap_or_default()).map(|()| true),
            Some(Err(_)) => Err(cut()),
            None => {
                self.unpacking.decoder.finish().map_err(|error| damaged(&error))?;
                Ok(false)
            }
        }
    }

    fn arrived(&mut self, bytes: Bytes) -> Result<(), Problem> {
        self.arrived_bytes += bytes.len();
        if self.is_compressed && self.arrived_bytes > COMPRESSED_BYTES_MAX {
            return Err(too_large(COMPRESSED_BYTES_MAX));
        }
        self.unpacking.encoded = bytes;
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
