//! Machines: found by name, address, tag or fact while one types.

use axum::extract::State;
use axum::response::Html;
use maud::{Markup, html};
use serde::Deserialize;
use tidegate_core::api::{EndpointView, Page};
use tidegate_core::call::{Answer, DirectoryQuestion};
use tidegate_core::id::{ClientId, SiteId};
use tidegate_core::words::one_line;

use super::layout::{Live, Section, page};
use super::moment::Moment;
use super::places::Places;
use super::viewer::Viewer;
use super::words;
use crate::Shared;
use crate::call::ask_directory;
use crate::extract::{Query, paging, present};
use crate::problem::Problem;

/// Machines on one page.
const LIMIT: u32 = 50;
/// Longest search in bytes.
const SEARCH_BYTES_MAX: usize = 200;

/// Which machines.
#[derive(Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    q: String,
    #[serde(default, deserialize_with = "present")]
    client: Option<ClientId>,
    #[serde(default, deserialize_with = "present")]
    site: Option<SiteId>,
    #[serde(default, deserialize_with = "present")]
    cursor: Option<String>,
}

/// The list, and the field that narrows it.
pub(super) async fn show(
    State(host): State<Shared>,
    viewer: Viewer,
    Query(wanted): Query<Wanted>,
) -> Result<Html<String>, Problem> {
    let text = Some(wanted.q.trim().chars().take(SEARCH_BYTES_MAX / 4).collect::<String>());
    let question = DirectoryQuestion::Endpoints {
        text: text.filter(|text| !text.is_empty()),
        client: wanted.client,
        site: wanted.site,
        paging: paging(wanted.cursor.clone(), Some(LIMIT))?,
    };
    let Answer::Endpoints(found) = ask_directory(host.as_ref(), question).await? else {
        return Err(Problem::unexpected_answer());
    };
    let places = Places::read(host.as_ref()).await?;
    let moment = Moment::utc(host.now());
    let main = html! {
        div .heading {
            h1 { "Machines" }
            a .button href="/machines/new" { "Add a machine" }
        }
        (search(&wanted, &places))
        (list(&wanted, &found, &places, &moment))
    };
    Ok(page(&viewer, Section::Machines, "Machines", &Live::Everything, &main))
}

fn search(wanted: &Wanted, places: &Places) -> Markup {
    html! {
        form #search .search method="get" action="/machines" role="search" data-keep="true"
            hx-get="/machines" hx-trigger="input changed delay:200ms from:#q, change" hx-target="#found"
            hx-select="#found" hx-swap="outerHTML" hx-push-url="true" {
            label for="q" { "Name, address, tag or fact" }
            input #q name="q" type="search" value=(wanted.q) maxlength=(SEARCH_BYTES_MAX) autocomplete="off"
                placeholder="hmi-3, 10.20.0.5, Windows 10 …";
            label for="site" .aside { "Site" }
            select #site name="site" {
                option value="" { "All sites" }
                @for (client, sites) in places.tree() {
                    optgroup label=(one_line(&client.name)) {
                        @for site in sites {
                            option value=(site.id) selected[wanted.site == Some(site.id)] { (one_line(&site.name)) }
                        }
                    }
                }
            }
            button { "Search" }
        }
    }
}

fn list(wanted: &Wanted, found: &Page<EndpointView>, places: &Places, moment: &Moment) -> Markup {
    html! {
        section #found aria-live="polite" aria-label="Machines found" {
            @if found.items.is_empty() {
                (nothing(wanted))
            } @else {
                table .list {
                    thead { tr { th { "Machine" } th { "Client and site" } th { "Heard" } th { "Work" } th { "Needs a person" } } }
                    tbody { @for endpoint in &found.items { (row(endpoint, places, moment)) } }
                }
                @if let Some(next) = &found.next {
                    p { a .button href=(further(wanted, next)) { "More machines" } }
                }
            }
        }
    }
}

fn row(endpoint: &EndpointView, places: &Places, moment: &Moment) -> Markup {
    html! {
        tr {
            td data-label="Machine" { a .name href={ "/machines/" (endpoint.id) } { (one_line(&endpoint.name)) } }
            td data-label="Place" { (one_line(places.client(endpoint.client_id))) " › " (one_line(places.site(endpoint.site_id))) }
            td data-label="Heard" { (words::reachability(endpoint, moment)) }
            td data-label="Work" { (words::work(endpoint.work)) }
            td data-label="Needs a person" {
                @if endpoint.attention.is_empty() { span .quiet-tone { "nothing" } }
                @for attention in &endpoint.attention { span .attention { "! " (one_line(&attention.reason)) } " " }
                (words::namesakes(endpoint))
            }
        }
    }
}

fn nothing(wanted: &Wanted) -> Markup {
    let is_narrowed = !wanted.q.trim().is_empty() || wanted.site.is_some() || wanted.client.is_some();
    html! {
        div .empty {
            @if is_narrowed {
                h2 { "No machine fits" }
                p { "Every word must be found in a machine's name, address, tags, site or facts. " a href="/machines" { "Show all machines" } }
            } @else {
                h2 { "No machines yet" }
                p { "A machine appears here as soon as its runtime enrols. It needs one command, and no open port." }
                p { a .button .primary href="/machines/new" { "Add a machine" } }
            }
        }
    }
}

fn further(wanted: &Wanted, cursor: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("q", &wanted.q).append_pair("cursor", cursor);
    if let Some(site) = wanted.site {
        query.append_pair("site", &site.to_string());
    }
    if let Some(client) = wanted.client {
        query.append_pair("client", &client.to_string());
    }
    format!("/machines?{}", query.finish())
}
