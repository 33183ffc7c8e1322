//! The OpenAPI document itself.

use std::sync::LazyLock;

use axum::body::Bytes;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};

use crate::extract::NoQuery;

/// Written once: it depends on nothing but the program.
static DOCUMENT: LazyLock<Bytes> =
    LazyLock::new(|| crate::openapi::document().to_json().unwrap_or_default().into());

/// Describes this API (OpenAPI 3.1).
#[utoipa::path(
    get, path = "/api/openapi.json", tag = "document", operation_id = "getDocument",
    responses((status = 200, description = "The document", body = Object, content_type = "application/json")),
)]
pub(crate) async fn openapi(_: NoQuery) -> Response {
    let headers = [(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    (headers, DOCUMENT.clone()).into_response()
}
