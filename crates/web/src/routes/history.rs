//! What a machine was like before.

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use tidegate_core::api::{ComparisonView, ContactsView};
use tidegate_core::call::{Answer, EndpointQuestion};
use tidegate_core::error::Code;
use tidegate_core::id::{EndpointId, SequenceId};
use tidegate_core::time::Timestamp;

use crate::Shared;
use crate::auth::Caller;
use crate::call::ask_endpoint;
use crate::extract::{Id, NoQuery, Query, present};
use crate::problem::Problem;

/// How far back contacts are told where the request names no time: a week, so that every weekday is in it.
const CONTACTS_DEFAULT_MS: i64 = 7 * 86_400_000;

/// Which contacts.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ContactFilter {
    /// Since when, 31 days at most; absent: 7 days ago.
    #[serde(default, deserialize_with = "present")]
    since: Option<Timestamp>,
}

/// Shows when an endpoint was heard and when it had no path, as far as its record tells.
#[utoipa::path(
    get, path = "/api/v1/endpoints/{id}/contacts", tag = "endpoints", operation_id = "listContacts",
    params(("id" = EndpointId, Path, description = "The endpoint's id"), ContactFilter),
    responses((status = 200, description = "Spans, oldest first", body = ContactsView)),
    security(("token" = [])),
)]
pub(crate) async fn contacts(
    State(host): State<Shared>,
    _: Caller,
    Id(endpoint): Id<EndpointId>,
    Query(filter): Query<ContactFilter>,
) -> Result<Json<ContactsView>, Problem> {
    let since = filter.since.unwrap_or_else(|| host.now().shifted_by_ms(-CONTACTS_DEFAULT_MS));
    match ask_endpoint(host.as_ref(), endpoint, EndpointQuestion::Contacts { since }).await? {
        Answer::Contacts(view) => Ok(Json(view)),
        _ => Err(Problem::unexpected_answer()),
    }
}

/// Shows what the same step found the last time on the same machine, with the same arguments.
#[utoipa::path(
    get, path = "/api/v1/sequences/{id}/steps/{step}/previous", tag = "sequences", operation_id = "getPreviousRun",
    params(
        ("id" = SequenceId, Path, description = "The sequence's id"),
        ("step" = u32, Path, description = "The step, from 1"),
    ),
    responses((status = 200, description = "The attempt before, if there is one", body = ComparisonView)),
    security(("token" = [])),
)]
pub(crate) async fn previous(
    State(host): State<Shared>,
    _: Caller,
    path: Result<Path<(String, String)>, axum::extract::rejection::PathRejection>,
    _: NoQuery,
) -> Result<Json<ComparisonView>, Problem> {
    let read = |Path((sequence, step)): Path<(String, String)>| {
        Some((sequence.parse::<SequenceId>().ok()?, step.parse::<u32>().ok()?))
    };
    let (sequence, step) = path
        .ok()
        .and_then(read)
        .ok_or_else(|| Problem::new(Code::NotFound, "the path names no step of a sequence here"))?;
    let question = EndpointQuestion::Previous { sequence, step };
    match ask_endpoint(host.as_ref(), sequence.endpoint(), question).await? {
        Answer::Comparison(view) => Ok(Json(*view)),
        _ => Err(Problem::unexpected_answer()),
    }
}
