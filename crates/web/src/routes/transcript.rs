//! The transcript, a page at a time.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use tidegate_core::api::{Page, TranscriptEntryView};
use tidegate_core::call::{Answer, EndpointQuestion};
use tidegate_core::id::{EndpointId, SequenceId};

use crate::Shared;
use crate::auth::Caller;
use crate::call::ask_endpoint;
use crate::extract::{Id, Query, paging, present, present_number};
use crate::problem::Problem;

/// Which entries.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct TranscriptFilter {
    /// Only about this sequence.
    #[serde(default, deserialize_with = "present")]
    sequence: Option<SequenceId>,
    /// The `next` of the page before; absent: the first page.
    #[serde(default, deserialize_with = "present")]
    cursor: Option<String>,
    /// Most items, 1 to 500; absent: 100.
    #[serde(default, deserialize_with = "present_number")]
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

/// Reads what happened to an endpoint, oldest first.
#[utoipa::path(
    get, path = "/api/v1/endpoints/{id}/transcript", tag = "transcript", operation_id = "readTranscript",
    params(("id" = EndpointId, Path, description = "The endpoint's id"), TranscriptFilter),
    responses((status = 200, description = "A page of entries", body = Page<TranscriptEntryView>)),
    security(("token" = [])),
)]
pub(crate) async fn read(
    State(host): State<Shared>,
    _: Caller,
    Id(endpoint): Id<EndpointId>,
    Query(filter): Query<TranscriptFilter>,
) -> Result<Json<Page<TranscriptEntryView>>, Problem> {
    let TranscriptFilter { sequence, cursor, limit } = filter;
    if let Some(sequence) = sequence.filter(|sequence| sequence.endpoint() != endpoint) {
        return Err(Problem::invalid(format!("`sequence`: `{sequence}` is not of this endpoint")));
    }
    let question =
        EndpointQuestion::Transcript { is_newest_first: false, sequence, paging: paging(cursor, limit)? };
    match ask_endpoint(host.as_ref(), endpoint, question).await? {
        Answer::Transcript(page) => Ok(Json(page)),
        _ => Err(Problem::unexpected_answer()),
    }
}
