//! API tokens.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use tidegate_core::api::{NewToken, Page, TokenPatch, TokenView};
use tidegate_core::call::{Answer, DirectoryAct, DirectoryQuestion};
use tidegate_core::directory::token_digest;
use tidegate_core::id::{PersonId, TokenId};

use crate::Shared;
use crate::auth::{Caller, token_secret};
use crate::body::{NoBody, SmallJson};
use crate::call::{act_in_directory, act_with_secret, ask_directory};
use crate::extract::{Id, Query, paging, present, present_number};
use crate::idempotency::Acting;
use crate::problem::Problem;

/// Which tokens.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct TokenFilter {
    /// Only of this person.
    #[serde(default, deserialize_with = "present")]
    person: Option<PersonId>,
    /// The `next` of the page before; absent: the first page.
    #[serde(default, deserialize_with = "present")]
    cursor: Option<String>,
    /// Most items, 1 to 500; absent: 100.
    #[serde(default, deserialize_with = "present_number")]
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

/// Lists the API tokens that were not withdrawn, newest first, without their secrets.
///
/// One whose `expires_at` is over does not work any more.
#[utoipa::path(
    get, path = "/api/v1/tokens", tag = "people", operation_id = "listTokens",
    params(TokenFilter),
    responses((status = 200, description = "A page of tokens", body = Page<TokenView>)),
    security(("token" = [])),
)]
pub(crate) async fn list(
    State(host): State<Shared>,
    _: Caller,
    Query(filter): Query<TokenFilter>,
) -> Result<Json<Page<TokenView>>, Problem> {
    let paging = paging(filter.cursor, filter.limit)?;
    let question = DirectoryQuestion::Tokens { person: filter.person, paging };
    match ask_directory(host.as_ref(), question).await? {
        Answer::Tokens(page) => Ok(Json(page)),
        _ => Err(Problem::unexpected_answer()),
    }
}

/// Makes an API token for whoever asks.
///
/// The secret is in this answer alone; a repeat with the same key names the token without it.
#[utoipa::path(
    post, path = "/api/v1/tokens", tag = "people", operation_id = "createToken",
    request_body = NewToken,
    responses((status = 201, description = "The token", body = TokenView)),
    security(("token" = [])),
)]
pub(crate) async fn create(
    State(host): State<Shared>,
    acting: Acting,
    SmallJson { value, digest }: SmallJson<NewToken>,
) -> Result<Response, Problem> {
    let secret = token_secret(host.entropy());
    let life = value.expires_in.unwrap_or_default();
    let act = DirectoryAct::CreateToken { name: value.name, digest: token_digest(&secret), life };
    act_with_secret(host.as_ref(), acting.command(act, digest), secret).await
}

/// Renames an API token: one's own, or as an owner anybody's.
///
/// Of two edits the later one stays.
#[utoipa::path(
    patch, path = "/api/v1/tokens/{id}", tag = "people", operation_id = "renameToken",
    params(("id" = TokenId, Path, description = "The token's id")),
    request_body = TokenPatch,
    responses((status = 200, description = "The token", body = TokenView)),
    security(("token" = [])),
)]
pub(crate) async fn rename(
    State(host): State<Shared>,
    acting: Acting,
    Id(token): Id<TokenId>,
    SmallJson { value, digest }: SmallJson<TokenPatch>,
) -> Result<Response, Problem> {
    let act = DirectoryAct::RenameToken { token, name: value.name };
    act_in_directory(host.as_ref(), acting.command(act, digest)).await
}

/// Withdraws an API token: one's own, or as an owner anybody's. Requests with it are refused from then on.
#[utoipa::path(
    post, path = "/api/v1/tokens/{id}/revoke", tag = "people", operation_id = "revokeToken",
    params(("id" = TokenId, Path, description = "The token's id")),
    responses((status = 200, description = "The token", body = TokenView)),
    security(("token" = [])),
)]
pub(crate) async fn revoke(
    State(host): State<Shared>,
    acting: Acting,
    Id(token): Id<TokenId>,
    NoBody { digest }: NoBody,
) -> Result<Response, Problem> {
    act_in_directory(host.as_ref(), acting.command(DirectoryAct::RevokeToken(token), digest)).await
}
