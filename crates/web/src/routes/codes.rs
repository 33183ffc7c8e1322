//! Enrolment codes.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use tidegate_core::api::{CodeView, NewCode, Page};
use tidegate_core::call::{Answer, DirectoryAct, DirectoryQuestion};
use tidegate_core::id::CodeId;

use super::clients::Paged;
use crate::Shared;
use crate::auth::Caller;
use crate::body::{NoBody, SmallJson};
use crate::call::{act_in_directory, ask_directory};
use crate::extract::{Id, Query, paging};
use crate::idempotency::Acting;
use crate::problem::Problem;

/// Lists the enrolment codes, newest first, without their secrets.
#[utoipa::path(
    get, path = "/api/v1/enrolment-codes", tag = "enrolment codes", operation_id = "listEnrolmentCodes",
    params(Paged),
    responses((status = 200, description = "A page of codes", body = Page<CodeView>)),
    security(("token" = [])),
)]
pub(crate) async fn list(
    State(host): State<Shared>,
    _: Caller,
    Query(query): Query<Paged>,
) -> Result<Json<Page<CodeView>>, Problem> {
    let paging = paging(query.cursor, query.limit)?;
    match ask_directory(host.as_ref(), DirectoryQuestion::Codes(paging)).await? {
        Answer::Codes(page) => Ok(Json(page)),
        _ => Err(Problem::unexpected_answer()),
    }
}

/// Makes an enrolment code for a site, or for one machine that lost its disk.
///
/// The code is in this answer alone; its secret is stored hashed.
#[utoipa::path(
    post, path = "/api/v1/enrolment-codes", tag = "enrolment codes", operation_id = "createEnrolmentCode",
    request_body = NewCode,
    responses((status = 201, description = "The code", body = CodeView)),
    security(("token" = [])),
)]
pub(crate) async fn create(
    State(host): State<Shared>,
    acting: Acting,
    SmallJson { value, digest }: SmallJson<NewCode>,
) -> Result<Response, Problem> {
    act_in_directory(host.as_ref(), acting.command(DirectoryAct::CreateCode(value), digest)).await
}

/// Withdraws an enrolment code: it admits no more machines; those that enrolled stay.
#[utoipa::path(
    post, path = "/api/v1/enrolment-codes/{id}/revoke", tag = "enrolment codes",
    operation_id = "revokeEnrolmentCode",
    params(("id" = CodeId, Path, description = "The code's id, the second part of its text")),
    responses((status = 200, description = "The code", body = CodeView)),
    security(("token" = [])),
)]
pub(crate) async fn revoke(
    State(host): State<Shared>,
    acting: Acting,
    Id(code): Id<CodeId>,
    NoBody { digest }: NoBody,
) -> Result<Response, Problem> {
    act_in_directory(host.as_ref(), acting.command(DirectoryAct::RevokeCode(code), digest)).await
}
