//! Signing in, and who one is.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use tidegate_core::api::TokenView;
use tidegate_core::call::{DirectoryAct, DirectoryInput, Input, ObjectId, Reply, Resource};
use tidegate_core::directory::token_digest;
use tidegate_core::id::{PersonId, TokenId};

use crate::Shared;
use crate::auth::{Caller, token_secret};
use crate::body::{NoBody, SmallJson};
use crate::call::{act_in_directory, resource_response};
use crate::extract::{Id, NoQuery};
use crate::idempotency::Acting;
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
    let mut reply = host.handle(ObjectId::Directory, Input::Directory(input)).await?;
    if let Reply::Resource { resource, .. } = &mut reply
        && let Resource::Token(view) = resource.as_mut()
    {
        // The core knows the digest alone, so the secret joins the answer here.
        view.token = Some(secret);
    }
    resource_response(reply)
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

/// Withdraws an API token; requests with it are refused from then on.
#[utoipa::path(
    post, path = "/api/v1/tokens/{id}/revoke", tag = "people", operation_id = "revokeToken",
    params(("id" = TokenId, Path, description = "The token's id")),
    responses((status = 200, description = "The token", body = TokenView)),
    security(("token" = [])),
)]
pub(crate) async fn revoke_token(
    State(host): State<Shared>,
    acting: Acting,
    Id(token): Id<TokenId>,
    NoBody { digest }: NoBody,
) -> Result<Response, Problem> {
    act_in_directory(host.as_ref(), acting.command(DirectoryAct::RevokeToken(token), digest)).await
}
