//! Clients.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use tidegate_core::api::{ClientPatch, ClientView, NewClient, Page};
use tidegate_core::call::{Answer, DirectoryAct, DirectoryQuestion};
use tidegate_core::id::ClientId;

use crate::Shared;
use crate::auth::Caller;
use crate::body::SmallJson;
use crate::call::{act_in_directory, ask_directory};
use crate::extract::{Id, Query, paging, present, present_number};
use crate::idempotency::Acting;
use crate::problem::Problem;

/// Which page.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Paged {
    /// The `next` of the page before; absent: the first page.
    #[serde(default, deserialize_with = "present")]
    pub(crate) cursor: Option<String>,
    /// Most items, 1 to 500; absent: 100.
    #[serde(default, deserialize_with = "present_number")]
    #[param(minimum = 1, maximum = 500)]
    pub(crate) limit: Option<u32>,
}

/// Lists the clients by name.
#[utoipa::path(
    get, path = "/api/v1/clients", tag = "clients", operation_id = "listClients",
    params(Paged),
    responses((status = 200, description = "A page of clients", body = Page<ClientView>)),
    security(("token" = [])),
)]
pub(crate) async fn list(
    State(host): State<Shared>,
    _: Caller,
    Query(query): Query<Paged>,
) -> Result<Json<Page<ClientView>>, Problem> {
    let paging = paging(query.cursor, query.limit)?;
    match ask_directory(host.as_ref(), DirectoryQuestion::Clients(paging)).await? {
        Answer::Clients(page) => Ok(Json(page)),
        _ => Err(Problem::unexpected_answer()),
    }
}

/// Makes a client.
#[utoipa::path(
    post, path = "/api/v1/clients", tag = "clients", operation_id = "createClient",
    request_body = NewClient,
    responses((status = 201, description = "The client", body = ClientView)),
    security(("token" = [])),
)]
pub(crate) async fn create(
    State(host): State<Shared>,
    acting: Acting,
    SmallJson { value, digest }: SmallJson<NewClient>,
) -> Result<Response, Problem> {
    act_in_directory(host.as_ref(), acting.command(DirectoryAct::CreateClient(value), digest)).await
}

/// Renames a client.
///
/// Of two edits the later one stays.
#[utoipa::path(
    patch, path = "/api/v1/clients/{id}", tag = "clients", operation_id = "renameClient",
    params(("id" = ClientId, Path, description = "The client's id")),
    request_body = ClientPatch,
    responses((status = 200, description = "The client", body = ClientView)),
    security(("token" = [])),
)]
pub(crate) async fn rename(
    State(host): State<Shared>,
    acting: Acting,
    Id(client): Id<ClientId>,
    SmallJson { value, digest }: SmallJson<ClientPatch>,
) -> Result<Response, Problem> {
    let act = DirectoryAct::RenameClient { client, name: value.name };
    act_in_directory(host.as_ref(), acting.command(act, digest)).await
}
