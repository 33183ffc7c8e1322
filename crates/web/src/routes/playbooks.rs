//! Playbooks: sequences with parameters, a name and versions.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use tidegate_core::api::{
    Page, PlaybookPatch, PlaybookSummary, PlaybookValues, PlaybookVersionView, PlaybookView,
};
use tidegate_core::call::{Answer, Command, DirectoryAct, DirectoryQuestion};
use tidegate_core::id::PlaybookId;
use tidegate_core::playbook::PlaybookSpec;
use tidegate_core::sequence::SequenceSpec;

use super::clients::Paged;
use crate::Shared;
use crate::auth::Caller;
use crate::body::{NoBody, SequenceJson};
use crate::call::{act_in_directory, ask_directory, with_revision};
use crate::extract::{Id, NoQuery, Query, paging, present, present_number};
use crate::idempotency::Acting;
use crate::problem::Problem;
use crate::revision::IfMatch;

/// Which playbooks.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PlaybookFilter {
    /// `true`: also those that were archived.
    #[serde(default)]
    archived: Option<bool>,
    /// The `next` of the page before; absent: the first page.
    #[serde(default, deserialize_with = "present")]
    cursor: Option<String>,
    /// Most items, 1 to 500; absent: 100.
    #[serde(default, deserialize_with = "present_number")]
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

/// Which version.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct VersionWanted {
    /// From 1; absent: the current one.
    #[serde(default, deserialize_with = "present_number")]
    version: Option<u32>,
}

/// Lists the playbooks by name.
#[utoipa::path(
    get, path = "/api/v1/playbooks", tag = "playbooks", operation_id = "listPlaybooks",
    params(PlaybookFilter),
    responses((status = 200, description = "A page of playbooks", body = Page<PlaybookSummary>)),
    security(("token" = [])),
)]
pub(crate) async fn list(
    State(host): State<Shared>,
    _: Caller,
    Query(filter): Query<PlaybookFilter>,
) -> Result<Json<Page<PlaybookSummary>>, Problem> {
    let paging = paging(filter.cursor, filter.limit)?;
    let question = DirectoryQuestion::Playbooks { archived: filter.archived == Some(true), paging };
    match ask_directory(host.as_ref(), question).await? {
        Answer::Playbooks(page) => Ok(Json(page)),
        _ => Err(Problem::unexpected_answer()),
    }
}

/// Makes a playbook.
#[utoipa::path(
    post, path = "/api/v1/playbooks", tag = "playbooks", operation_id = "createPlaybook",
    request_body = PlaybookSpec,
    responses((status = 201, description = "The playbook", body = PlaybookView,
        headers(("ETag" = String, description = "The version, for `If-Match`")))),
    security(("token" = [])),
)]
pub(crate) async fn create(
    State(host): State<Shared>,
    acting: Acting,
    SequenceJson { value, digest }: SequenceJson<PlaybookSpec>,
) -> Result<Response, Problem> {
    let act = DirectoryAct::CreatePlaybook(Box::new(value));
    act_in_directory(host.as_ref(), acting.command(act, digest)).await
}

/// Shows a playbook, the current version or any other.
#[utoipa::path(
    get, path = "/api/v1/playbooks/{id}", tag = "playbooks", operation_id = "getPlaybook",
    params(("id" = PlaybookId, Path, description = "The playbook's id"), VersionWanted),
    responses((status = 200, description = "The playbook", body = PlaybookView,
        headers(("ETag" = String, description = "The version that is shown, for `If-Match`")))),
    security(("token" = [])),
)]
pub(crate) async fn get(
    State(host): State<Shared>,
    _: Caller,
    Id(playbook): Id<PlaybookId>,
    Query(wanted): Query<VersionWanted>,
) -> Result<Response, Problem> {
    let question = DirectoryQuestion::Playbook { playbook, version: wanted.version.map(u64::from) };
    match ask_directory(host.as_ref(), question).await? {
        Answer::Playbook(view) => Ok(with_revision(&view, view.version)),
        _ => Err(Problem::unexpected_answer()),
    }
}

/// Lists the versions of a playbook, newest first.
#[utoipa::path(
    get, path = "/api/v1/playbooks/{id}/versions", tag = "playbooks", operation_id = "listPlaybookVersions",
    params(("id" = PlaybookId, Path, description = "The playbook's id"), Paged),
    responses((status = 200, description = "A page of versions", body = Page<PlaybookVersionView>)),
    security(("token" = [])),
)]
pub(crate) async fn versions(
    State(host): State<Shared>,
    _: Caller,
    Id(playbook): Id<PlaybookId>,
    Query(query): Query<Paged>,
) -> Result<Json<Page<PlaybookVersionView>>, Problem> {
    let paging = paging(query.cursor, query.limit)?;
    match ask_directory(host.as_ref(), DirectoryQuestion::PlaybookVersions { playbook, paging }).await? {
        Answer::PlaybookVersions(page) => Ok(Json(page)),
        _ => Err(Problem::unexpected_answer()),
    }
}

/// Saves a new version; absent fields stay as they are, and `null` clears those that may be absent.
///
/// An edit that changes nothing saves nothing and answers the version there is.
#[utoipa::path(
    patch, path = "/api/v1/playbooks/{id}", tag = "playbooks", operation_id = "savePlaybook",
    params(("id" = PlaybookId, Path, description = "The playbook's id")),
    request_body = PlaybookPatch,
    responses((status = 200, description = "The playbook", body = PlaybookView,
        headers(("ETag" = String, description = "The new version")))),
    security(("token" = [])),
)]
pub(crate) async fn save(
    State(host): State<Shared>,
    caller: Caller,
    Id(playbook): Id<PlaybookId>,
    _: NoQuery,
    IfMatch(if_match): IfMatch,
    SequenceJson { value, .. }: SequenceJson<PlaybookPatch>,
) -> Result<Response, Problem> {
    let act = DirectoryAct::SavePlaybook { playbook, if_match, patch: Box::new(value) };
    // `If-Match` makes the repeat of an edit safe already.
    act_in_directory(host.as_ref(), Command { by: caller.principal, idempotency: None, act }).await
}

/// Puts a playbook away: it is no longer listed, edited or filled, and can still be read.
#[utoipa::path(
    post, path = "/api/v1/playbooks/{id}/archive", tag = "playbooks", operation_id = "archivePlaybook",
    params(("id" = PlaybookId, Path, description = "The playbook's id")),
    responses((status = 200, description = "The playbook", body = PlaybookView)),
    security(("token" = [])),
)]
pub(crate) async fn archive(
    State(host): State<Shared>,
    acting: Acting,
    Id(playbook): Id<PlaybookId>,
    NoBody { digest }: NoBody,
) -> Result<Response, Problem> {
    let act = DirectoryAct::ArchivePlaybook(playbook);
    act_in_directory(host.as_ref(), acting.command(act, digest)).await
}

/// Takes out again what was archived.
#[utoipa::path(
    post, path = "/api/v1/playbooks/{id}/unarchive", tag = "playbooks", operation_id = "unarchivePlaybook",
    params(("id" = PlaybookId, Path, description = "The playbook's id")),
    responses((status = 200, description = "The playbook", body = PlaybookView)),
    security(("token" = [])),
)]
pub(crate) async fn unarchive(
    State(host): State<Shared>,
    acting: Acting,
    Id(playbook): Id<PlaybookId>,
    NoBody { digest }: NoBody,
) -> Result<Response, Problem> {
    let act = DirectoryAct::UnarchivePlaybook(playbook);
    act_in_directory(host.as_ref(), acting.command(act, digest)).await
}

/// Answers the sequence that a playbook becomes with some values; queues and stores nothing.
///
/// What it answers can be sent as it is to `POST /api/v1/endpoints/{id}/sequences`.
#[utoipa::path(
    post, path = "/api/v1/playbooks/{id}/fill", tag = "playbooks", operation_id = "fillPlaybook",
    params(("id" = PlaybookId, Path, description = "The playbook's id")),
    request_body = PlaybookValues,
    responses((status = 200, description = "The sequence", body = SequenceSpec)),
    security(("token" = [])),
)]
pub(crate) async fn fill(
    State(host): State<Shared>,
    _: Acting,
    Id(playbook): Id<PlaybookId>,
    SequenceJson { value, .. }: SequenceJson<PlaybookValues>,
) -> Result<Json<SequenceSpec>, Problem> {
    let question = DirectoryQuestion::FillPlaybook { playbook, values: Box::new(value) };
    match ask_directory(host.as_ref(), question).await? {
        Answer::Filled(spec) => Ok(Json(*spec)),
        _ => Err(Problem::unexpected_answer()),
    }
}
