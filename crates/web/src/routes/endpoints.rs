//! Endpoints: people read "machines".

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use tidegate_core::api::{EndpointPatch, EndpointView, Page, SiteView};
use tidegate_core::call::{Answer, Command, DirectoryQuestion, EndpointAct, EndpointQuestion};
use tidegate_core::error::Code;
use tidegate_core::id::{ClientId, EndpointId, JournalId, SiteId};
use tidegate_core::probe::ProbeSpec;

use crate::Shared;
use crate::auth::Caller;
use crate::body::{NoBody, SmallJson};
use crate::call::{act_on_endpoint, ask_directory, ask_endpoint, endpoint_with_namesakes, with_revision};
use crate::extract::{Id, NoQuery, Query, paging, present, present_number};
use crate::host::Host;
use crate::idempotency::Acting;
use crate::problem::Problem;
use crate::revision::IfMatch;

use super::sequence_acts::NewNote;

/// Longest text to search for.
const SEARCH_BYTES_MAX: usize = 200;

/// Which endpoints.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct EndpointFilter {
    /// Words to search for, all of which must be found: in names (also of the client and the site), tags, the last
    /// address and facts. At most 6 words and 200 bytes.
    #[serde(default, deserialize_with = "present")]
    q: Option<String>,
    /// Only of this client.
    #[serde(default, deserialize_with = "present")]
    client: Option<ClientId>,
    /// Only of this site.
    #[serde(default, deserialize_with = "present")]
    site: Option<SiteId>,
    /// The `next` of the page before; absent: the first page.
    #[serde(default, deserialize_with = "present")]
    cursor: Option<String>,
    /// Most items, 1 to 500; absent: 100.
    #[serde(default, deserialize_with = "present_number")]
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

/// Names a candidate journal.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Adoption {
    /// One of the endpoint's candidate journals.
    journal_id: JournalId,
}

/// What an endpoint can be asked.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Probes {
    /// Whether the machine ever told its probes.
    known: bool,
    /// The probes in the order people see them: name, what it does, risk, arguments, an example.
    #[schema(value_type = Vec<Object>)]
    items: Vec<ProbeSpec>,
    /// Always `null`: the probes fit one page.
    next: Option<String>,
}

/// Lists the endpoints by name.
#[utoipa::path(
    get, path = "/api/v1/endpoints", tag = "endpoints", operation_id = "listEndpoints",
    params(EndpointFilter),
    responses((status = 200, description = "A page of endpoints", body = Page<EndpointView>)),
    security(("token" = [])),
)]
pub(crate) async fn list(
    State(host): State<Shared>,
    _: Caller,
    Query(filter): Query<EndpointFilter>,
) -> Result<Json<Page<EndpointView>>, Problem> {
    let EndpointFilter { q: text, client, site, cursor, limit } = filter;
    if text.as_ref().is_some_and(|text| text.len() > SEARCH_BYTES_MAX) {
        return Err(Problem::invalid(format!("`q` has at most {SEARCH_BYTES_MAX} bytes")));
    }
    let question = DirectoryQuestion::Endpoints { text, client, site, paging: paging(cursor, limit)? };
    match ask_directory(host.as_ref(), question).await? {
        Answer::Endpoints(page) => Ok(Json(page)),
        _ => Err(Problem::unexpected_answer()),
    }
}

/// Shows an endpoint with its journals and probes.
#[utoipa::path(
    get, path = "/api/v1/endpoints/{id}", tag = "endpoints", operation_id = "getEndpoint",
    params(("id" = EndpointId, Path, description = "The endpoint's id")),
    responses((status = 200, description = "The endpoint", body = EndpointView,
        headers(("ETag" = String, description = "The revision, for `If-Match`")))),
    security(("token" = [])),
)]
pub(crate) async fn get(
    State(host): State<Shared>,
    _: Caller,
    Id(endpoint): Id<EndpointId>,
    _: NoQuery,
) -> Result<Response, Problem> {
    let view = endpoint_with_namesakes(host.as_ref(), endpoint).await?;
    Ok(with_revision(&view, view.revision))
}

/// Renames an endpoint, moves it to another site or gives it other tags.
#[utoipa::path(
    patch, path = "/api/v1/endpoints/{id}", tag = "endpoints", operation_id = "editEndpoint",
    params(("id" = EndpointId, Path, description = "The endpoint's id")),
    request_body = EndpointPatch,
    responses((status = 200, description = "The endpoint", body = EndpointView,
        headers(("ETag" = String, description = "The new revision")))),
    security(("token" = [])),
)]
pub(crate) async fn edit(
    State(host): State<Shared>,
    caller: Caller,
    Id(endpoint): Id<EndpointId>,
    _: NoQuery,
    IfMatch(if_match): IfMatch,
    SmallJson { value: patch, .. }: SmallJson<EndpointPatch>,
) -> Result<Response, Problem> {
    let site = match patch.site_id {
        Some(site) => Some(site_of(host.as_ref(), site).await?),
        None => None,
    };
    let act = EndpointAct::Edit { if_match, patch, site };
    // `If-Match` makes the repeat of an edit safe already.
    let command = Command { by: caller.principal, idempotency: None, act };
    act_on_endpoint(host.as_ref(), endpoint, command).await
}

/// Lists what the endpoint can be asked to do, as its own runtime told it.
#[utoipa::path(
    get, path = "/api/v1/endpoints/{id}/probes", tag = "endpoints", operation_id = "listProbes",
    params(("id" = EndpointId, Path, description = "The endpoint's id")),
    responses((status = 200, description = "The probes", body = Probes)),
    security(("token" = [])),
)]
pub(crate) async fn probes(
    State(host): State<Shared>,
    _: Caller,
    Id(endpoint): Id<EndpointId>,
    _: NoQuery,
) -> Result<Json<Probes>, Problem> {
    match ask_endpoint(host.as_ref(), endpoint, EndpointQuestion::Probes).await? {
        Answer::Probes(catalogue) => Ok(Json(Probes {
            known: catalogue.is_some(),
            items: catalogue.map_or_else(Vec::new, |catalogue| catalogue.0),
            next: None,
        })),
        _ => Err(Problem::unexpected_answer()),
    }
}

/// Adopts a candidate journal: work goes to the machine that writes it from then on.
#[utoipa::path(
    post, path = "/api/v1/endpoints/{id}/adopt", tag = "endpoints", operation_id = "adoptJournal",
    params(("id" = EndpointId, Path, description = "The endpoint's id")),
    request_body = Adoption,
    responses((status = 200, description = "The endpoint", body = EndpointView)),
    security(("token" = [])),
)]
pub(crate) async fn adopt(
    State(host): State<Shared>,
    acting: Acting,
    Id(endpoint): Id<EndpointId>,
    SmallJson { value, digest }: SmallJson<Adoption>,
) -> Result<Response, Problem> {
    let act = EndpointAct::Adopt { journal: value.journal_id };
    act_on_endpoint(host.as_ref(), endpoint, acting.command(act, digest)).await
}

/// Writes a note on an endpoint, for whoever looks at it next.
#[utoipa::path(
    post, path = "/api/v1/endpoints/{id}/notes", tag = "endpoints", operation_id = "noteOnEndpoint",
    params(("id" = EndpointId, Path, description = "The endpoint's id")),
    request_body = NewNote,
    responses((status = 200, description = "The endpoint with the note", body = EndpointView)),
    security(("token" = [])),
)]
pub(crate) async fn note(
    State(host): State<Shared>,
    acting: Acting,
    Id(endpoint): Id<EndpointId>,
    SmallJson { value, digest }: SmallJson<NewNote>,
) -> Result<Response, Problem> {
    let act = EndpointAct::Note(value.text);
    act_on_endpoint(host.as_ref(), endpoint, acting.command(act, digest)).await
}

/// Revokes an endpoint: nothing it sends is believed any more.
#[utoipa::path(
    post, path = "/api/v1/endpoints/{id}/revoke", tag = "endpoints", operation_id = "revokeEndpoint",
    params(("id" = EndpointId, Path, description = "The endpoint's id")),
    responses((status = 200, description = "The endpoint", body = EndpointView)),
    security(("token" = [])),
)]
pub(crate) async fn revoke(
    State(host): State<Shared>,
    acting: Acting,
    Id(endpoint): Id<EndpointId>,
    NoBody { digest }: NoBody,
) -> Result<Response, Problem> {
    act_on_endpoint(host.as_ref(), endpoint, acting.command(EndpointAct::Revoke, digest)).await
}

/// Retires an endpoint: its runtime stops and removes itself when it is next heard.
#[utoipa::path(
    post, path = "/api/v1/endpoints/{id}/retire", tag = "endpoints", operation_id = "retireEndpoint",
    params(("id" = EndpointId, Path, description = "The endpoint's id")),
    responses((status = 200, description = "The endpoint", body = EndpointView)),
    security(("token" = [])),
)]
pub(crate) async fn retire(
    State(host): State<Shared>,
    acting: Acting,
    Id(endpoint): Id<EndpointId>,
    NoBody { digest }: NoBody,
) -> Result<Response, Problem> {
    act_on_endpoint(host.as_ref(), endpoint, acting.command(EndpointAct::Retire, digest)).await
}

/// The site that a body names. One that is not there is the body's fault, not the path's.
async fn site_of(host: &dyn Host, site: SiteId) -> Result<SiteView, Problem> {
    match ask_directory(host, DirectoryQuestion::Site(site)).await {
        Ok(Answer::Site(view)) => Ok(view),
        Ok(_) => Err(Problem::unexpected_answer()),
        Err(problem) if problem.code == Code::NotFound => {
            Err(Problem::invalid(format!("site_id: there is no site `{site}`")))
        }
        Err(problem) => Err(problem),
    }
}
