//! Sites.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use tidegate_core::api::{NewSite, Page, SitePatch, SiteView};
use tidegate_core::call::{Answer, DirectoryAct, DirectoryQuestion};
use tidegate_core::id::{ClientId, SiteId};

use crate::Shared;
use crate::auth::Caller;
use crate::body::SmallJson;
use crate::call::{act_in_directory, ask_directory};
use crate::extract::{Id, NoQuery, Query, paging, present, present_number};
use crate::idempotency::Acting;
use crate::problem::Problem;
use crate::site_zone;

/// Which sites.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SiteFilter {
    /// Only of this client.
    #[serde(default, deserialize_with = "present")]
    client: Option<ClientId>,
    /// The `next` of the page before; absent: the first page.
    #[serde(default, deserialize_with = "present")]
    cursor: Option<String>,
    /// Most items, 1 to 500; absent: 100.
    #[serde(default, deserialize_with = "present_number")]
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

/// Lists the sites by name.
#[utoipa::path(
    get, path = "/api/v1/sites", tag = "sites", operation_id = "listSites",
    params(SiteFilter),
    responses((status = 200, description = "A page of sites", body = Page<SiteView>)),
    security(("token" = [])),
)]
pub(crate) async fn list(
    State(host): State<Shared>,
    _: Caller,
    Query(filter): Query<SiteFilter>,
) -> Result<Json<Page<SiteView>>, Problem> {
    let paging = paging(filter.cursor, filter.limit)?;
    let question = DirectoryQuestion::Sites { client: filter.client, paging };
    match ask_directory(host.as_ref(), question).await? {
        Answer::Sites(page) => Ok(Json(page)),
        _ => Err(Problem::unexpected_answer()),
    }
}

/// Shows a site.
#[utoipa::path(
    get, path = "/api/v1/sites/{id}", tag = "sites", operation_id = "getSite",
    params(("id" = SiteId, Path, description = "The site's id")),
    responses((status = 200, description = "The site", body = SiteView)),
    security(("token" = [])),
)]
pub(crate) async fn get(
    State(host): State<Shared>,
    _: Caller,
    Id(site): Id<SiteId>,
    _: NoQuery,
) -> Result<Json<SiteView>, Problem> {
    match ask_directory(host.as_ref(), DirectoryQuestion::Site(site)).await? {
        Answer::Site(view) => Ok(Json(view)),
        _ => Err(Problem::unexpected_answer()),
    }
}

/// Makes a site of a client.
#[utoipa::path(
    post, path = "/api/v1/sites", tag = "sites", operation_id = "createSite",
    request_body = NewSite,
    responses((status = 201, description = "The site", body = SiteView)),
    security(("token" = [])),
)]
pub(crate) async fn create(
    State(host): State<Shared>,
    acting: Acting,
    SmallJson { value, digest }: SmallJson<NewSite>,
) -> Result<Response, Problem> {
    act_in_directory(host.as_ref(), acting.command(DirectoryAct::CreateSite(value), digest)).await
}

/// Edits a site: its name or its time zone.
///
/// Of two edits the later one stays. A time zone that the body names reaches every machine of the site before the
/// answer; where that did not work for all of them the answer says so, and repeating the request completes it.
#[utoipa::path(
    patch, path = "/api/v1/sites/{id}", tag = "sites", operation_id = "editSite",
    params(("id" = SiteId, Path, description = "The site's id")),
    request_body = SitePatch,
    responses((status = 200, description = "The site", body = SiteView)),
    security(("token" = [])),
)]
pub(crate) async fn edit(
    State(host): State<Shared>,
    acting: Acting,
    Id(site): Id<SiteId>,
    SmallJson { value, digest }: SmallJson<SitePatch>,
) -> Result<Response, Problem> {
    let names_zone = value.time_zone.is_some();
    let command = acting.command(DirectoryAct::EditSite { site, patch: value }, digest);
    let by = command.by.clone();
    let response = act_in_directory(host.as_ref(), command).await?;
    if names_zone {
        site_zone::follow(host.as_ref(), &by, site).await?;
    }
    Ok(response)
}
