//! Bodies of requests, read whole and never past a bound.

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use http_body_util::BodyExt as _;
use serde::de::DeserializeOwned;
use tidegate_core::digest::Digest;
use tidegate_core::error::Code;

use crate::Shared;
use crate::arriving::{cut, too_large};
use crate::problem::Problem;
use crate::room::{self, BodyRoom};

/// Bound of every body that holds no sequence: names and ids are at most a few hundred bytes.
pub(crate) const SMALL_BYTES_MAX: usize = 16 * 1024;
/// Bound of a sequence: four times what the core takes, so that the core can say what is too long.
pub(crate) const SEQUENCE_BODY_BYTES_MAX: usize = 1024 * 1024;

/// A JSON body of at most `BYTES_MAX` bytes.
pub(crate) struct JsonBody<T, const BYTES_MAX: usize> {
    /// What it says.
    pub(crate) value: T,
    /// The digest of its exact bytes, by which a repeat is told from another request.
    pub(crate) digest: Digest,
}

/// A JSON body without a sequence.
pub(crate) type SmallJson<T> = JsonBody<T, SMALL_BYTES_MAX>;
/// A JSON body with a sequence.
pub(crate) type SequenceJson<T> = JsonBody<T, SEQUENCE_BODY_BYTES_MAX>;

/// No body, or an empty JSON object: what scripts send where there is nothing to say.
pub(crate) struct NoBody {
    /// The digest of its exact bytes.
    pub(crate) digest: Digest,
}

impl<T: DeserializeOwned, const BYTES_MAX: usize> FromRequest<Shared> for JsonBody<T, BYTES_MAX> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &Shared) -> Result<Self, Problem> {
        require_json(request.headers())?;
        let bytes = read(request, BYTES_MAX).await?;
        Ok(Self { value: parse(&bytes)?, digest: Digest::of(&bytes) })
    }
}

impl FromRequest<Shared> for NoBody {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &Shared) -> Result<Self, Problem> {
        let bytes = read(request, SMALL_BYTES_MAX).await?;
        let text = bytes.trim_ascii();
        if text.is_empty() || text == b"{}" {
            return Ok(Self { digest: Digest::of(&bytes) });
        }
        Err(Problem::invalid("this request takes no body, or `{}`"))
    }
}

/// Reads the whole body; stops at the first byte past `bytes_max`.
pub(crate) async fn read(request: Request, bytes_max: usize) -> Result<Bytes, Problem> {
    // A body that says it is too large is refused before any of it is taken.
    if announced_bytes(request.headers()).is_some_and(|bytes| bytes > bytes_max as u64) {
        return Err(too_large(bytes_max));
    }
    let room: Option<BodyRoom> = request.extensions().get().cloned();
    let mut body: Body = request.into_body();
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let piece = frame.map_err(|_| cut())?.into_data().unwrap_or_default();
        if piece.len() > bytes_max - bytes.len() {
            return Err(too_large(bytes_max));
        }
        room::take(room.as_ref(), piece.len())?;
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes.into())
}

/// Reads JSON; a failure names the field and the place. The depth is bounded by `serde_json`, at 128.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    match axum::Json::<T>::from_bytes(bytes) {
        Ok(axum::Json(value)) => Ok(value),
        Err(rejection) => Err(Problem::invalid(plain(&rejection.body_text()))),
    }
}

/// What is wrong with a body and where, without the library's preface.
fn plain(text: &str) -> String {
    const PREFACES: [&str; 2] = [
        "Failed to parse the request body as JSON: ",
        "Failed to deserialize the JSON body into the target type: ",
    ];
    let place = PREFACES.iter().find_map(|preface| text.strip_prefix(preface)).unwrap_or(text);
    format!("the body does not read: {place}; correct it and send it again")
}

fn announced_bytes(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

pub(crate) fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    let is_plain = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    if headers.get_all(CONTENT_ENCODING).iter().any(|value| !is_plain(value)) {
        let detail = "a body here is read as it is: send it without `Content-Encoding`";
        return Err(Problem::new(Code::UnsupportedMediaType, detail));
    }
    let is_json = media_type(headers).is_some_and(|essence| {
        essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
    });
    if is_json {
        return Ok(());
    }
    Err(Problem::new(Code::UnsupportedMediaType, "send JSON with `Content-Type: application/json`"))
}

/// The media type without its parameters, in lower case; `None`: there is none.
pub(crate) fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use tidegate_core::api::NewClient;

    use super::*;

    #[test]
    fn a_failure_to_read_names_the_field_and_the_place() {
        let error = parse::<NewClient>(b"{\"name\": 3}").unwrap_err();
        assert_eq!(error.code, Code::InvalidRequest);
        assert!(error.detail.contains("name") && error.detail.contains("line 1"), "{}", error.detail);
        let error = parse::<NewClient>(b"{\"name\": \"a\",\n \"label\": 1}").unwrap_err();
        assert!(error.detail.contains("`label`") && error.detail.contains("line 2"), "{}", error.detail);
        let deep = [b"{\"name\":".to_vec(), b"[".repeat(100_000)].concat();
        assert_eq!(parse::<NewClient>(&deep).unwrap_err().code, Code::InvalidRequest);
    }

    #[test]
    fn only_json_is_taken_for_json() {
        let is_json = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(value));
            require_json(&headers).is_ok()
        };
        assert!(is_json("application/json") && is_json("Application/JSON; charset=utf-8"));
        assert!(is_json("application/merge-patch+json"));
        assert!(!is_json("text/plain") && !is_json("application/x-www-form-urlencoded") && !is_json(""));
        assert!(require_json(&HeaderMap::new()).is_err());
    }
}
