//! Sequences: made for an endpoint, found by an id that names it.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use tidegate_core::api::{NewSequence, Page, SequencePatch, SequenceState, SequenceSummary, SequenceView};
use tidegate_core::call::{Answer, Command, DirectoryQuestion, EndpointAct, EndpointQuestion};
use tidegate_core::id::{EndpointId, SequenceId};
use tidegate_core::time::Timestamp;

use crate::Shared;
use crate::auth::Caller;
use crate::body::SequenceJson;
use crate::call::{act_on_endpoint, ask_directory, ask_endpoint, with_revision};
use crate::extract::{Id, NoQuery, Query, paging, present, present_number};
use crate::idempotency::Acting;
use crate::problem::Problem;
use crate::revision::IfMatch;

/// Which sequences.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SequenceFilter {
    /// Only of this endpoint.
    #[serde(default, deserialize_with = "present")]
    endpoint: Option<EndpointId>,
    /// Only in this state.
    #[serde(default, deserialize_with = "present")]
    state: Option<SequenceState>,
    /// Only changed at or after.
    #[serde(default, deserialize_with = "present")]
    since: Option<Timestamp>,
    /// The `next` of the page before; absent: the first page.
    #[serde(default, deserialize_with = "present")]
    cursor: Option<String>,
    /// Most items, 1 to 500; absent: 100.
    #[serde(default, deserialize_with = "present_number")]
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

/// Queues a sequence for an endpoint, or keeps it as a draft.
///
/// What is answered with 201 is durable: the endpoint gets it whenever it is next heard, until it expires.
#[utoipa::path(
    post, path = "/api/v1/endpoints/{id}/sequences", tag = "sequences", operation_id = "createSequence",
    params(("id" = EndpointId, Path, description = "The endpoint's id")),
    request_body = NewSequence,
    responses((status = 201, description = "The sequence", body = SequenceView,
        headers(("ETag" = String, description = "The revision, for `If-Match`")))),
    security(("token" = [])),
)]
pub(crate) async fn create(
    State(host): State<Shared>,
    acting: Acting,
    Id(endpoint): Id<EndpointId>,
    SequenceJson { value, digest }: SequenceJson<NewSequence>,
) -> Result<Response, Problem> {
    let act = EndpointAct::CreateSequence(Box::new(value));
    act_on_endpoint(host.as_ref(), endpoint, acting.command(act, digest)).await
}

/// Lists the sequences of one endpoint or of all, newest first.
#[utoipa::path(
    get, path = "/api/v1/sequences", tag = "sequences", operation_id = "listSequences",
    params(SequenceFilter),
    responses((status = 200, description = "A page of sequences", body = Page<SequenceSummary>)),
    security(("token" = [])),
)]
pub(crate) async fn list(
    State(host): State<Shared>,
    _: Caller,
    Query(filter): Query<SequenceFilter>,
) -> Result<Json<Page<SequenceSummary>>, Problem> {
    let SequenceFilter { endpoint, state, since, cursor, limit } = filter;
    let paging = paging(cursor, limit)?;
    let answer = match endpoint {
        Some(endpoint) => {
            ask_endpoint(host.as_ref(), endpoint, EndpointQuestion::Sequences { state, since, paging })
                .await?
        }
        None => ask_directory(host.as_ref(), DirectoryQuestion::Sequences { state, since, paging }).await?,
    };
    match answer {
        Answer::Sequences(page) => Ok(Json(page)),
        _ => Err(Problem::unexpected_answer()),
    }
}

/// Shows a sequence with its steps, attempts, results and times.
#[utoipa::path(
    get, path = "/api/v1/sequences/{id}", tag = "sequences", operation_id = "getSequence",
    params(("id" = SequenceId, Path, description = "The sequence's id")),
    responses((status = 200, description = "The sequence", body = SequenceView,
        headers(("ETag" = String, description = "The revision, for `If-Match`")))),
    security(("token" = [])),
)]
pub(crate) async fn get(
    State(host): State<Shared>,
    _: Caller,
    Id(sequence): Id<SequenceId>,
    _: NoQuery,
) -> Result<Response, Problem> {
    let question = EndpointQuestion::Sequence(sequence);
    match ask_endpoint(host.as_ref(), sequence.endpoint(), question).await? {
        Answer::Sequence(view) => Ok(with_revision(&view, view.revision)),
        _ => Err(Problem::unexpected_answer()),
    }
}

/// Edits a draft; absent fields stay as they are.
#[utoipa::path(
    patch, path = "/api/v1/sequences/{id}", tag = "sequences", operation_id = "editSequence",
    params(("id" = SequenceId, Path, description = "The sequence's id")),
    request_body = SequencePatch,
    responses((status = 200, description = "The sequence", body = SequenceView,
        headers(("ETag" = String, description = "The new revision")))),
    security(("token" = [])),
)]
pub(crate) async fn edit(
    State(host): State<Shared>,
    caller: Caller,
    Id(sequence): Id<SequenceId>,
    _: NoQuery,
    IfMatch(if_match): IfMatch,
    SequenceJson { value, .. }: SequenceJson<SequencePatch>,
) -> Result<Response, Problem> {
    let act = EndpointAct::EditSequence { sequence, if_match, patch: Box::new(value) };
    // `If-Match` makes the repeat of an edit safe already.
    let command = Command { by: caller.principal, idempotency: None, act };
    act_on_endpoint(host.as_ref(), sequence.endpoint(), command).await
}
