//! Bodies of the endpoints' protocol: perhaps compressed, never past a bound, and answered in kind.

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse as _, Response};
use tidegate_core::error::Code;

use crate::Shared;
use crate::body::{media_type, read};
use crate::encoding::{COMPRESS_FROM_BYTES, DecodeError, Encoding};
use crate::problem::Problem;

/// Largest body as it travels compressed. A full batch of results shrinks by far more than four to one.
const COMPRESSED_BYTES_MAX: usize = 2 * 1024 * 1024;

/// A body as runtimes send it: perhaps compressed, of at most `BYTES_MAX` bytes once it is not.
pub(crate) struct RuntimeBody<const BYTES_MAX: usize> {
    /// What it says.
    pub(crate) bytes: Vec<u8>,
    /// What the answer may be compressed with.
    pub(crate) accepted: Option<Encoding>,
}

impl<const BYTES_MAX: usize> FromRequest<Shared> for RuntimeBody<BYTES_MAX> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &Shared) -> Result<Self, Problem> {
        require_runtime_type(request.headers())?;
        let accepted = Encoding::accepted(request.headers());
        let encoding = Encoding::of_request(request.headers())
            .map_err(|error| Problem::new(Code::UnsupportedMediaType, error.to_string()))?;
        let bytes = match encoding {
            None => read(request, BYTES_MAX).await?.into(),
            Some(encoding) => {
                let compressed = read(request, COMPRESSED_BYTES_MAX.min(BYTES_MAX)).await?;
                encoding.decode(&compressed, BYTES_MAX).map_err(undecodable)?
            }
        };
        Ok(Self { bytes, accepted })
    }
}

/// A check-in may leave the header out: every byte of it is metered.
fn require_runtime_type(headers: &HeaderMap) -> Result<(), Problem> {
    match media_type(headers).as_deref() {
        None | Some("application/json" | "application/x-ndjson" | "application/octet-stream") => Ok(()),
        Some(_) => Err(Problem::new(
            Code::UnsupportedMediaType,
            "send `Content-Type: application/json`, `application/x-ndjson` or none",
        )),
    }
}

fn undecodable(error: DecodeError) -> Problem {
    match error {
        DecodeError::TooLarge(_) => Problem::new(Code::TooLarge, error.to_string()),
        DecodeError::Damaged => Problem::invalid(error.to_string()),
    }
}

/// An answer as JSON, compressed where the endpoint takes that and it saves something.
pub(crate) fn compressed_json<A: serde::Serialize>(
    answer: &A,
    accepted: Option<Encoding>,
) -> Result<Response, Problem> {
    let bytes = serde_json::to_vec(answer).map_err(|error| Problem::internal(&error))?;
    let encoding = accepted.filter(|_| bytes.len() > COMPRESS_FROM_BYTES);
    let body: Bytes = match encoding {
        Some(encoding) => encoding.encode(&bytes).map_err(|error| Problem::internal(&error))?.into(),
        None => bytes.into(),
    };
    let mut response = Body::from(body).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(encoding) = encoding {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding.name()));
    }
    Ok(response)
}
