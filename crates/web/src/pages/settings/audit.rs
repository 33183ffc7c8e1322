//! The audit log: who did what, and which sign-ins were refused.

use axum::extract::State;
use axum::response::{Html, Response};
use maud::{Markup, html};
use serde::Deserialize;
use tidegate_core::api::{AuditEntryView, Page};
use tidegate_core::call::{Answer, DirectoryQuestion};
use tidegate_core::words::{actor_words, describe_audit};

use super::{Tab, cursor, settings};
use crate::Shared;
use crate::call::ask_directory;
use crate::extract::{NoQuery, Query, paging, present};
use crate::pages::moment::Moment;
use crate::pages::viewer::Viewer;
use crate::problem::Problem;
use crate::routes::audit::whole;

/// Entries on one page.
const LIMIT: u32 = 100;

/// Which page.
#[derive(Deserialize)]
pub(super) struct Wanted {
    #[serde(default, deserialize_with = "present")]
    cursor: Option<String>,
}

/// The log, newest first.
pub(super) async fn show(
    State(host): State<Shared>,
    viewer: Viewer,
    Query(wanted): Query<Wanted>,
) -> Result<Html<String>, Problem> {
    let question = DirectoryQuestion::Audit {
        by: viewer.principal.clone(),
        is_newest_first: true,
        paging: paging(wanted.cursor, Some(LIMIT))?,
    };
    let Answer::Audit(page) = ask_directory(host.as_ref(), question).await? else {
        return Err(Problem::unexpected_answer());
    };
    let moment = Moment::utc(host.now());
    let main = html! {
        div .heading {
            h1 { "Audit log" }
            a .button href="/settings/audit/file" download { "Download everything" }
        }
        p {
            "Who signed in, which attempts were refused, and every change of people, tokens, clients, sites, codes and "
            "playbooks. What people do with a machine is in its transcript."
        }
        p .fine {
            "Refused attempts are counted by account and address and stored once a minute. The file holds the chain of hashes: "
            code { "tidegate verify" } " checks that nothing in it was changed or left out."
        }
        (list(&page, &moment))
    };
    Ok(settings(&viewer, Tab::Audit, &main))
}

/// The whole log as a file that can be verified.
pub(super) async fn file(
    State(host): State<Shared>,
    viewer: Viewer,
    _: NoQuery,
) -> Result<Response, Problem> {
    whole(host, viewer.principal).await
}

fn list(page: &Page<AuditEntryView>, moment: &Moment) -> Markup {
    html! {
        table .list.record {
            thead { tr { th scope="col" { "No." } th scope="col" { "When (UTC)" } th scope="col" { "Who" } th scope="col" { "What" } } }
            tbody {
                @for entry in &page.items {
                    tr {
                        td data-label="No." { (entry.number) }
                        td data-label="When" { (moment.at(entry.at)) }
                        td data-label="Who" { (actor_words(&entry.actor)) }
                        td data-label="What" {
                            @if entry.kind.starts_with("sign_in") && entry.kind.ends_with("refused") {
                                span .attention { "! " (describe_audit(entry)) }
                            } @else {
                                (describe_audit(entry))
                            }
                        }
                    }
                }
            }
        }
        @if let Some(next) = &page.next {
            p { a .button href={ "/settings/audit?" (cursor("cursor", next)) } { "Older entries" } }
        }
    }
}
