//! How pages and their files leave: compressed, and not at all where the reader has them already.

use axum::body::Body;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    IF_NONE_MATCH, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use http_body_util::BodyExt as _;
use tidegate_core::digest::Digest;

use crate::encoding::{COMPRESS_FROM_BYTES, Encoding};

/// Nothing but this host's own files runs, dresses, frames or is sent anywhere (CSP level 3).
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Completes the answer to a request with these headers.
pub(crate) async fn deliver(asked: &HeaderMap, mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(VARY, HeaderValue::from_static("Accept-Encoding, Cookie"));
    // What a person saw is not kept where the next person at that computer could see it.
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    let content_type = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    if !content_type.starts_with(b"text/") || content_type.starts_with(b"text/event-stream") {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    // Pages are made whole in memory, so collecting them neither waits nor fails.
    let bytes = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    if parts.status == StatusCode::OK {
        let tag = format!("\"{}\"", Digest::of(&bytes).to_string().chars().take(22).collect::<String>());
        let known = asked.get(IF_NONE_MATCH).is_some_and(|value| value.as_bytes() == tag.as_bytes());
        if let Ok(value) = HeaderValue::from_str(&tag) {
            parts.headers.insert(ETAG, value);
        }
        if known {
            parts.status = StatusCode::NOT_MODIFIED;
            return Response::from_parts(parts, Body::empty());
        }
    }
    let encoding = Encoding::accepted(asked).filter(|_| bytes.len() >= COMPRESS_FROM_BYTES);
    let compressed = encoding.and_then(|encoding| Some((encoding, encoding.encode(&bytes).ok()?)));
    let body = match compressed {
        Some((encoding, bytes)) => {
            parts.headers.remove(CONTENT_LENGTH);
            parts.headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding.name()));
            Body::from(bytes)
        }
        None => Body::from(bytes),
    };
    Response::from_parts(parts, body)
}
