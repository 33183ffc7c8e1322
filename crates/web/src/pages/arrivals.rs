//! The machines that enrolled at a site since a code was made for it.

use axum::extract::State;
use axum::response::Html;
use maud::{Markup, html};
use serde::Deserialize;
use tidegate_core::api::{EndpointView, Paging, Reachability};
use tidegate_core::call::{Answer, DirectoryQuestion};
use tidegate_core::id::SiteId;
use tidegate_core::time::Timestamp;
use tidegate_core::words::one_line;

use super::layout::{Live, Section, page};
use super::moment::Moment;
use super::places::Places;
use super::viewer::Viewer;
use super::words;
use crate::Shared;
use crate::call::ask_directory;
use crate::extract::Query;
use crate::host::Host;
use crate::problem::Problem;

/// Most pages of a site's machines that are looked through: two thousand, twice what one code admits.
const PAGES_MAX: usize = 4;
/// Facts by which a person knows which machine it is.
const IDENTITY: [&str; 4] = ["hostname", "addresses", "serial", "os"];

/// Where and since when.
#[derive(Deserialize)]
pub(super) struct Wanted {
    site: SiteId,
    since: Timestamp,
}

/// The list as a page, which a page that shows a code takes its own list from.
pub(super) async fn show(
    State(host): State<Shared>,
    viewer: Viewer,
    Query(wanted): Query<Wanted>,
) -> Result<Html<String>, Problem> {
    let arrived = read(host.as_ref(), wanted.site, wanted.since).await?;
    let places = Places::read(host.as_ref()).await?;
    let moment = Moment::new(host.now(), places.zone(wanted.site));
    let main = html! {
        h1 { "New at " (places.path(wanted.site)) }
        p { "Machines that enrolled since " (moment.at(wanted.since)) " " (moment.zone_name()) "." }
        (list(&arrived, &places, &moment))
        div .row {
            a .button href=(place(wanted.site, wanted.since)) { "Look again" }
            a .button href={ "/machines?site=" (wanted.site) } { "All machines of this site" }
        }
    };
    Ok(page(&viewer, Section::Machines, "New machines", &Live::Everything, &main))
}

/// The address of that page.
pub(super) fn place(site: SiteId, since: Timestamp) -> String {
    format!("/machines/new/arrivals?site={site}&since={since}")
}

/// The machines of `site` that enrolled at `since` or later, the newest first.
pub(super) async fn read(
    host: &dyn Host,
    site: SiteId,
    since: Timestamp,
) -> Result<Vec<EndpointView>, Problem> {
    let mut paging = Paging { cursor: None, limit: Paging::LIMIT_MAX };
    let mut arrived = Vec::new();
    for _ in 0..PAGES_MAX {
        let question = DirectoryQuestion::Endpoints {
            text: None,
            client: None,
            site: Some(site),
            paging: paging.clone(),
        };
        let Answer::Endpoints(found) = ask_directory(host, question).await? else {
            return Err(Problem::unexpected_answer());
        };
        arrived.extend(found.items.into_iter().filter(|machine| machine.enrolled_at >= since));
        paging.cursor = found.next;
        if paging.cursor.is_none() {
            break;
        }
    }
    arrived.sort_by_key(|machine| core::cmp::Reverse(machine.enrolled_at));
    Ok(arrived)
}

/// The list. It holds no ages, so that it changes only when a machine does: whoever has it read aloud hears that alone.
pub(super) fn list(arrived: &[EndpointView], places: &Places, moment: &Moment) -> Markup {
    html! {
        section #arrived aria-live="polite" aria-label="Machines that arrived" {
            h2 { "Arrived: " (words::count(arrived.len(), "machine")) }
            @if arrived.is_empty() {
                p .empty-line { "A machine shows up here within seconds of the first command." }
            }
            ol .cards {
                @for machine in arrived {
                    li .card {
                        h3 { a href={ "/machines/" (machine.id) } { (one_line(&machine.name)) } }
                        p { (standing(machine)) }
                        @for attention in machine.attention.iter().filter(|attention| attention.code == "same_name") {
                            p { span .attention { "! " (words::sentence(&attention.reason)) } " " (words::namesakes(machine)) }
                        }
                        dl .inline {
                            @for name in IDENTITY {
                                @if let Some(value) = machine.facts.get(name) {
                                    div { dt { (words::label(name)) } dd { (words::fact(value)) } }
                                }
                            }
                        }
                        p .fine { (places.path(machine.site_id)) ", enrolled " (moment.second(machine.enrolled_at)) }
                    }
                }
            }
        }
    }
}

fn standing(machine: &EndpointView) -> Markup {
    html! {
        @match machine.reachability {
            Reachability::NeverSeen => span .active { "Enrolled. It checks in for the first time after the second command." },
            Reachability::Reachable => span .good { "✓ It checks in: work can be queued." },
            Reachability::Quiet => span .quiet-tone { "It checked in, and is quiet." },
        }
    }
}
