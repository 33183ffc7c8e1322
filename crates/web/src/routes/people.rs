//! People, as an owner manages them.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use tidegate_core::api::{NewPerson, Page, PersonView};
use tidegate_core::call::{Answer, DirectoryAct, DirectoryQuestion};
use tidegate_core::directory::token_digest;
use tidegate_core::id::PersonId;

use super::clients::Paged;
use crate::Shared;
use crate::auth::{Caller, token_secret};
use crate::body::{NoBody, SmallJson};
use crate::call::{act_in_directory, act_with_secret, ask_directory};
use crate::extract::{Id, Query, paging};
use crate::idempotency::Acting;
use crate::problem::Problem;

/// Lists the people by e-mail address, those who were deactivated too.
#[utoipa::path(
    get, path = "/api/v1/people", tag = "people", operation_id = "listPeople",
    params(Paged),
    responses((status = 200, description = "A page of people", body = Page<PersonView>)),
    security(("token" = [])),
)]
pub(crate) async fn list(
    State(host): State<Shared>,
    _: Caller,
    Query(query): Query<Paged>,
) -> Result<Json<Page<PersonView>>, Problem> {
    let paging = paging(query.cursor, query.limit)?;
    match ask_directory(host.as_ref(), DirectoryQuestion::People(paging)).await? {
        Answer::People(page) => Ok(Json(page)),
        _ => Err(Problem::unexpected_answer()),
    }
}

/// Invites a person: makes them with a sign-in link.
///
/// Nothing is sent: hand over the link, which is `/sign-in#` and `sign_in_secret`. The secret is in this answer alone;
/// a repeat with the same key names the person without it.
#[utoipa::path(
    post, path = "/api/v1/people", tag = "people", operation_id = "invitePerson",
    request_body = NewPerson,
    responses((status = 201, description = "The person", body = PersonView)),
    security(("token" = [])),
)]
pub(crate) async fn invite(
    State(host): State<Shared>,
    acting: Acting,
    SmallJson { value, digest }: SmallJson<NewPerson>,
) -> Result<Response, Problem> {
    let secret = token_secret(host.entropy());
    let act = DirectoryAct::InvitePerson { email: value.email, sign_in: token_digest(&secret) };
    act_with_secret(host.as_ref(), acting.command(act, digest), secret).await
}

/// Makes a sign-in link for a person, which replaces one that was made before.
///
/// The secret is in this answer alone; a repeat with the same key is answered without it.
#[utoipa::path(
    post, path = "/api/v1/people/{id}/sign-in-link", tag = "people", operation_id = "makeSignInLink",
    params(("id" = PersonId, Path, description = "The person's id")),
    responses((status = 200, description = "The person", body = PersonView)),
    security(("token" = [])),
)]
pub(crate) async fn sign_in_link(
    State(host): State<Shared>,
    acting: Acting,
    Id(person): Id<PersonId>,
    NoBody { digest }: NoBody,
) -> Result<Response, Problem> {
    let secret = token_secret(host.entropy());
    let act = DirectoryAct::MakeSignInLink { person, sign_in: token_digest(&secret) };
    act_with_secret(host.as_ref(), acting.command(act, digest), secret).await
}

/// Deactivates a person: their sessions, tokens and links end at once. Oneself and the last active owner cannot be.
#[utoipa::path(
    post, path = "/api/v1/people/{id}/deactivate", tag = "people", operation_id = "deactivatePerson",
    params(("id" = PersonId, Path, description = "The person's id")),
    responses((status = 200, description = "The person", body = PersonView)),
    security(("token" = [])),
)]
pub(crate) async fn deactivate(
    State(host): State<Shared>,
    acting: Acting,
    Id(person): Id<PersonId>,
    NoBody { digest }: NoBody,
) -> Result<Response, Problem> {
    act_in_directory(host.as_ref(), acting.command(DirectoryAct::DeactivatePerson(person), digest)).await
}

/// Lets a person who was deactivated sign in again, with their password or a new link; what ended stays ended.
#[utoipa::path(
    post, path = "/api/v1/people/{id}/reactivate", tag = "people", operation_id = "reactivatePerson",
    params(("id" = PersonId, Path, description = "The person's id")),
    responses((status = 200, description = "The person", body = PersonView)),
    security(("token" = [])),
)]
pub(crate) async fn reactivate(
    State(host): State<Shared>,
    acting: Acting,
    Id(person): Id<PersonId>,
    NoBody { digest }: NoBody,
) -> Result<Response, Problem> {
    act_in_directory(host.as_ref(), acting.command(DirectoryAct::ReactivatePerson(person), digest)).await
}
