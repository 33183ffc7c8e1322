//! One playbook in one version: what it asks for, what it does, and who saved what when.

use axum::extract::State;
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;
use tidegate_core::api::{Page, Paging, PlaybookVersionView, PlaybookView};
use tidegate_core::call::{Answer, DirectoryAct, DirectoryQuestion};
use tidegate_core::estimate::estimate;
use tidegate_core::id::PlaybookId;
use tidegate_core::playbook::{Parameter, PlaybookSpec, fill};
use tidegate_core::words::one_line;

use super::read;
use crate::Shared;
use crate::call::{ask_directory, change_directory};
use crate::extract::{Id, Query, paging, present, present_number};
use crate::host::Host;
use crate::pages::form::Form;
use crate::pages::layout::{Live, Section, page};
use crate::pages::moment::Moment;
use crate::pages::viewer::Viewer;
use crate::pages::words;
use crate::problem::Problem;

/// Versions on one page.
const VERSIONS: u32 = 20;

/// Which version, and which part of the list of them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    #[serde(default, deserialize_with = "present_number")]
    version: Option<u32>,
    #[serde(default, deserialize_with = "present")]
    cursor: Option<String>,
}

/// The playbook, the current version or the one that is asked for.
pub(super) async fn show(
    State(host): State<Shared>,
    viewer: Viewer,
    Id(id): Id<PlaybookId>,
    Query(wanted): Query<Wanted>,
) -> Result<Html<String>, Problem> {
    let view = read(host.as_ref(), id, wanted.version.map(u64::from)).await?;
    let versions = versions(host.as_ref(), id, paging(wanted.cursor, Some(VERSIONS))?).await?;
    let moment = Moment::utc(host.now());
    let main = html! {
        p .path { a href="/playbooks" { "Playbooks" } }
        h1 { (one_line(&view.spec.name)) }
        p .lead { (one_line(&view.spec.about)) }
        p .fine { "Version " (view.version) ", saved by " (one_line(&view.saved_by)) " " (moment.ago(view.saved_at)) }
        (standing(&view, &moment))
        (deeds(&view))
        (contents(&view.spec))
        (history(&view, &versions, &moment))
    };
    Ok(page(&viewer, Section::Playbooks, &view.spec.name, &Live::Never, &main))
}

/// Puts it away.
pub(super) async fn archive(
    State(host): State<Shared>,
    viewer: Viewer,
    Id(id): Id<PlaybookId>,
    _: Form,
) -> Result<Response, Problem> {
    change_directory(host.as_ref(), &viewer.principal, DirectoryAct::ArchivePlaybook(id)).await?;
    Ok(place(id))
}

/// Takes it out again.
pub(super) async fn unarchive(
    State(host): State<Shared>,
    viewer: Viewer,
    Id(id): Id<PlaybookId>,
    _: Form,
) -> Result<Response, Problem> {
    change_directory(host.as_ref(), &viewer.principal, DirectoryAct::UnarchivePlaybook(id)).await?;
    Ok(place(id))
}

/// The way to a playbook's page, as answer to a form.
pub(super) fn place(id: PlaybookId) -> Response {
    Redirect::to(&format!("/playbooks/{id}")).into_response()
}

async fn versions(
    host: &dyn Host,
    playbook: PlaybookId,
    paging: Paging,
) -> Result<Page<PlaybookVersionView>, Problem> {
    match ask_directory(host, DirectoryQuestion::PlaybookVersions { playbook, paging }).await? {
        Answer::PlaybookVersions(page) => Ok(page),
        _ => Err(Problem::unexpected_answer()),
    }
}

/// What makes this not the one that machines are offered.
fn standing(view: &PlaybookView, moment: &Moment) -> Markup {
    html! {
        @if let Some(at) = view.archived_at {
            div .notice .attention {
                p { strong { "Archived " (moment.ago(at)) "." } " It is not offered for machines, and keeps its name." }
                form method="post" action={ "/playbooks/" (view.id) "/unarchive" } { button { "Take it out again" } }
            }
        }
        @if view.version != view.current_version {
            p .notice .attention {
                span {
                    strong { "This is an earlier version. " }
                    a href={ "/playbooks/" (view.id) } { "Version " (view.current_version) " is the current one" } "."
                }
            }
        }
    }
}

fn deeds(view: &PlaybookView) -> Markup {
    let is_current = view.version == view.current_version;
    let version = if is_current { String::new() } else { format!("?version={}", view.version) };
    html! {
        div .deeds {
            @if view.archived_at.is_none() {
                @if is_current {
                    a .button .primary href="/machines" { "Choose a machine for it" }
                    a .button href={ "/playbooks/" (view.id) "/edit" } { "Edit or rename" }
                } @else {
                    a .button href={ "/playbooks/" (view.id) "/edit" (version) } { "Go back to this version …" }
                }
            }
            a .button href={ "/playbooks/" (view.id) "/yaml" (version) } download { "Download YAML" }
            @if view.archived_at.is_none() && is_current {
                details .confirm {
                    summary .button { "Archive …" }
                    form method="post" action={ "/playbooks/" (view.id) "/archive" } {
                        p { "It is no longer offered for machines. Nothing is deleted, and it can be taken out again." }
                        button .danger { "Archive it" }
                    }
                }
            }
        }
    }
}

fn contents(spec: &PlaybookSpec) -> Markup {
    // One without examples for what it needs has no figures to show.
    let filled = fill(spec, &spec.examples()).ok();
    html! {
        @if !spec.parameters.is_empty() {
            h2 { "What it asks for" }
            dl { @for parameter in &spec.parameters { (asked(parameter)) } }
        }
        h2 { "Steps" }
        ol .cards {
            @for (at, step) in spec.steps.iter().enumerate() {
                li .card { span .number { (at + 1) } " " (words::label(&step.probe)) " " code { (words::arguments(&step.with)) } }
            }
        }
        @if let Some(filled) = filled { p .fine { "It takes " (estimate(&filled, None).to_string()) "." } }
    }
}

fn asked(parameter: &Parameter) -> Markup {
    html! {
        div {
            dt { (words::label(&parameter.name)) }
            dd {
                @if !parameter.about.is_empty() { (words::sentence(&parameter.about)) " " }
                span .fine {
                    "It is " (words::sentence(&parameter.expected()))
                    @match &parameter.default {
                        Some(default) => { " Left empty: " code { (words::fact(default)) } "." }
                        None => { @if !parameter.required { " It may be left out." } }
                    }
                }
            }
        }
    }
}

fn history(view: &PlaybookView, versions: &Page<PlaybookVersionView>, moment: &Moment) -> Markup {
    html! {
        section aria-label="Versions" {
            h2 { "Versions" }
            table .list {
                thead { tr { th { "Version" } th { "Saved by" } th { "When" } th { "Called" } } }
                tbody {
                    @for version in &versions.items {
                        tr {
                            td data-label="Version" {
                                @if version.version == view.version { strong { (version.version) } ", shown" }
                                @else { a href={ "/playbooks/" (view.id) "?version=" (version.version) } { (version.version) } }
                            }
                            td data-label="Saved by" { (one_line(&version.saved_by)) }
                            td data-label="When" { (moment.at(version.saved_at)) " " (moment.zone_name()) }
                            td data-label="Called" { (one_line(&version.name)) }
                        }
                    }
                }
            }
            @if let Some(next) = &versions.next {
                p { a href={ "/playbooks/" (view.id) "?version=" (view.version) "&" (earlier(next)) } { "Earlier versions" } }
            }
        }
    }
}

/// The parameter that leads to the next page of the list.
fn earlier(cursor: &str) -> String {
    form_urlencoded::Serializer::new(String::new()).append_pair("cursor", cursor).finish()
}
