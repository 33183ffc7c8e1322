//! Signing in, and who one is.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use tidegate_core::api::TokenView;
use tidegate_core::call::{DirectoryInput, Input, ObjectId};
use tidegate_core::directory::token_digest;
use tidegate_core::id::PersonId;

use crate::Shared;
use crate::auth::{Caller, token_secret};
use crate::body::SmallJson;
use crate::call::{resource_response, with_secret};
use crate::extract::NoQuery;
use crate::problem::Problem;

/// Turns a one-time sign-in link into a token.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignIn {
    /// The secret in the link.
    secret: String,
}

/// The person who holds the token.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Me {
    /// The id.
    id: PersonId,
    /// The e-mail address, which is also the name in transcripts.
    email: String,
    /// What they may do.
    role: String,
}

/// Signs in: turns the secret of a one-time link into an API token.
///
/// The link works once. The token is in this answer alone; only its digest is stored.
#[utoipa::path(
    post, path = "/api/v1/sign-in", tag = "people", operation_id = "signIn",
    request_body = SignIn,
    responses((status = 201, description = "The token", body = TokenView)),
)]
pub(crate) async fn sign_in(
    State(host): State<Shared>,
    _: NoQuery,
    SmallJson { value, .. }: SmallJson<SignIn>,
) -> Result<Response, Problem> {
    let secret = token_secret(host.entropy());
    let input = DirectoryInput::SignIn { link: token_digest(&value.secret), token: token_digest(&secret) };
    let reply = host.handle(ObjectId::Directory, Input::Directory(input)).await?;
    resource_response(with_secret(reply, secret))
}

/// Tells who holds the token of this request.
#[utoipa::path(
    get, path = "/api/v1/me", tag = "people", operation_id = "getMe",
    responses((status = 200, description = "The person", body = Me)),
    security(("token" = [])),
)]
pub(crate) async fn me(caller: Caller, _: NoQuery) -> Json<Me> {
    let Caller { principal, token: _ } = caller;
    Json(Me { id: principal.person, email: principal.email, role: principal.role })
}
