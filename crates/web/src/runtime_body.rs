//! Bodies of the endpoints' protocol: perhaps compressed, never past a bound, and answered in kind.

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse as _, Response};
use tidegate_core::error::Code;

use crate::Shared;
use crate::arriving::Arriving;
use crate::body::media_type;
use crate::encoding::{COMPRESS_FROM_BYTES, Encoding};
use crate::problem::Problem;

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
        let bytes = Arriving::open(request, BYTES_MAX)?.whole(BYTES_MAX).await?;
        Ok(Self { bytes, accepted })
    }
}

/// A check-in may leave the header out: every byte of it is metered.
pub(crate) fn require_runtime_type(headers: &HeaderMap) -> Result<(), Problem> {
    match media_type(headers).as_deref() {
        None | Some("application/json" | "application/x-ndjson" | "application/octet-stream") => Ok(()),
        Some(_) => Err(Problem::new(
            Code::UnsupportedMediaType,
            "send `Content-Type: application/json`, `application/x-ndjson` or none",
        )),
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
