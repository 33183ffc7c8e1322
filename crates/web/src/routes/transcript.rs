//! The transcript, a page at a time.

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use tidegate_core::api::{Page, TranscriptEntryView};
use tidegate_core::call::{Answer, EndpointQuestion};
use tidegate_core::error::Code;
use tidegate_core::id::{EndpointId, SequenceId};

use crate::Shared;
use crate::auth::Caller;
use crate::call::ask_endpoint;
use crate::extract::{Id, NoQuery, Query, paging, present, present_number};
use crate::host::Host;
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
///
/// A page has at most 4 MiB. A body over 128 KiB is left out; `left_out` has its size and where to get it.
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

/// Reads one entry with its whole body.
#[utoipa::path(
    get, path = "/api/v1/endpoints/{id}/transcript/{number}", tag = "transcript",
    operation_id = "readTranscriptEntry",
    params(
        ("id" = EndpointId, Path, description = "The endpoint's id"),
        ("number" = u64, Path, description = "The entry's number, from 1"),
    ),
    responses((status = 200, description = "The entry", body = TranscriptEntryView)),
    security(("token" = [])),
)]
pub(crate) async fn entry(
    State(host): State<Shared>,
    _: Caller,
    path: EntryPath,
    _: NoQuery,
) -> Result<Json<TranscriptEntryView>, Problem> {
    let (endpoint, number) = entry_of(path)?;
    entry_read(host.as_ref(), endpoint, number).await.map(Json)
}

/// The endpoint and the number in a path.
pub(crate) type EntryPath = Result<Path<(String, String)>, axum::extract::rejection::PathRejection>;

/// Reads the path of an entry.
pub(crate) fn entry_of(path: EntryPath) -> Result<(EndpointId, u64), Problem> {
    let read = |Path((endpoint, number)): Path<(String, String)>| {
        Some((endpoint.parse().ok()?, number.parse().ok()?))
    };
    let names_none = || Problem::new(Code::NotFound, "the path names no entry of a transcript here");
    path.ok().and_then(read).ok_or_else(names_none)
}

/// One entry, whole.
pub(crate) async fn entry_read(
    host: &dyn Host,
    endpoint: EndpointId,
    number: u64,
) -> Result<TranscriptEntryView, Problem> {
    match ask_endpoint(host, endpoint, EndpointQuestion::TranscriptEntry { number }).await? {
        Answer::TranscriptEntry(entry) => Ok(*entry),
        _ => Err(Problem::unexpected_answer()),
    }
}
