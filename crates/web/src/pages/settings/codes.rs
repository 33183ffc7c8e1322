//! Enrolment codes: which still admit machines, until when, and who made them.

use axum::extract::State;
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;
use tidegate_core::api::{CodeView, Page};
use tidegate_core::call::{Answer, DirectoryAct, DirectoryQuestion};
use tidegate_core::id::CodeId;
use tidegate_core::words::one_line;

use super::{Tab, settings};
use crate::Shared;
use crate::call::{ask_directory, change_directory};
use crate::extract::{Id, Query, paging, present};
use crate::pages::form::Form;
use crate::pages::moment::Moment;
use crate::pages::places::Places;
use crate::pages::viewer::Viewer;
use crate::pages::words;
use crate::problem::Problem;

/// Codes on one page.
const LIMIT: u32 = 50;

/// Which page.
#[derive(Deserialize)]
pub(super) struct Wanted {
    #[serde(default, deserialize_with = "present")]
    cursor: Option<String>,
}

/// The list.
pub(super) async fn show(
    State(host): State<Shared>,
    viewer: Viewer,
    Query(wanted): Query<Wanted>,
) -> Result<Html<String>, Problem> {
    let question = DirectoryQuestion::Codes(paging(wanted.cursor, Some(LIMIT))?);
    let Answer::Codes(found) = ask_directory(host.as_ref(), question).await? else {
        return Err(Problem::unexpected_answer());
    };
    let places = Places::read(host.as_ref()).await?;
    let now = host.now();
    let main = html! {
        div .heading {
            h1 { "Enrolment codes" }
            a .button href="/machines/new" { "Make a code" }
        }
        p {
            "Whoever has a code that is open can bring machines in, and nothing else. The codes themselves are shown once, "
            "when they are made."
        }
        @if found.items.is_empty() {
            div .empty {
                h2 { "No codes yet" }
                p { "A machine comes in with a code for its site. Make one and run two commands on the machine." }
                p { a .button .primary href="/machines/new" { "Add a machine" } }
            }
        } @else {
            (list(&found, &places, &Moment::utc(now), |code| code.expires_at <= now))
        }
    };
    Ok(settings(&viewer, Tab::Codes, &main))
}

/// Withdraws a code.
pub(super) async fn revoke(
    State(host): State<Shared>,
    viewer: Viewer,
    Id(code): Id<CodeId>,
    _: Form,
) -> Result<Response, Problem> {
    change_directory(host.as_ref(), &viewer.principal, DirectoryAct::RevokeCode(code)).await?;
    Ok(Redirect::to("/settings/codes").into_response())
}

fn list(
    found: &Page<CodeView>,
    places: &Places,
    moment: &Moment,
    is_over: impl Fn(&CodeView) -> bool,
) -> Markup {
    html! {
        table .list {
            thead { tr { th { "Site" } th { "Admits" } th { "Valid until (UTC)" } th { "Made" } th { "Withdraw" } } }
            tbody {
                @for code in &found.items {
                    tr {
                        td data-label="Site" {
                            span .name { (places.path(code.site_id)) }
                            @if let Some(endpoint) = code.endpoint_id {
                                " for one machine: " a href={ "/machines/" (endpoint) } { (endpoint) }
                            }
                        }
                        td data-label="Admits" { (admits(code, is_over(code))) }
                        td data-label="Valid until" { (moment.at(code.expires_at)) " (" (moment.ago(code.expires_at)) ")" }
                        td data-label="Made" { (moment.ago(code.created_at)) " by " (one_line(&code.created_by)) }
                        td data-label="Withdraw" {
                            @if code.uses_left > 0 && !is_over(code) { (withdraw(code, places)) }
                            @else { span .quiet-tone { "nothing to withdraw" } }
                        }
                    }
                }
            }
        }
        @if let Some(next) = &found.next {
            p { a .button href={ "/settings/codes?" (super::cursor("cursor", next)) } { "Older codes" } }
        }
    }
}

fn admits(code: &CodeView, is_over: bool) -> Markup {
    html! {
        @if code.uses_left == 0 {
            span .quiet-tone { "none: used up or withdrawn" }
        } @else if is_over {
            span .quiet-tone { "none: its time is over" }
        } @else {
            span .active { (words::count(code.uses_left as usize, "more machine")) }
        }
    }
}

fn withdraw(code: &CodeView, places: &Places) -> Markup {
    html! {
        details .confirm {
            summary .button .small aria-label={ "Withdraw the code for " (places.path(code.site_id)) } { "Withdraw …" }
            p { "It admits no more machines, for good. Those that came in with it stay." }
            form method="post" action={ "/settings/codes/" (code.id) "/revoke" } {
                button .danger { "Yes, withdraw this code" }
            }
        }
    }
}
