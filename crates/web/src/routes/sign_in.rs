//! Signing in, and who one is.

use axum::extract::State;
use axum::response::Response;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use tidegate_core::api::{TokenLife, TokenView};
use tidegate_core::call::{DirectoryInput, Input, ObjectId};
use tidegate_core::directory::{RefusedWith, token_digest};
use tidegate_core::error::Code;
use tidegate_core::id::PersonId;

use crate::Shared;
use crate::auth::{Caller, token_secret};
use crate::body::SmallJson;
use crate::call::{resource_response, with_secret};
use crate::extract::NoQuery;
use crate::host::{ClientAddress, SignInAttempt};
use crate::problem::Problem;

/// Turns a one-time sign-in link into a token.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignIn {
    /// The secret in the link.
    secret: String,
    /// How long the token works, 1s to 366d, or `never` for until it is withdrawn; absent: 90d.
    #[serde(default)]
    expires_in: Option<TokenLife>,
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
    address: Option<Extension<ClientAddress>>,
    _: NoQuery,
    SmallJson { value, .. }: SmallJson<SignIn>,
) -> Result<Response, Problem> {
    let secret = token_secret(host.entropy());
    let life = value.expires_in.unwrap_or_default();
    let (link, token) = (token_digest(&value.secret), token_digest(&secret));
    let input = DirectoryInput::SignIn { link, token, life };
    let reply = match host.handle(ObjectId::Directory, Input::Directory(input)).await.map_err(Problem::from) {
        Err(problem) if problem.code == Code::Unauthenticated => {
            let address = address.map(|Extension(address)| address);
            host.sign_in_refused(SignInAttempt::new(None, RefusedWith::Link, address));
            return Err(problem);
        }
        reply => reply?,
    };
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
