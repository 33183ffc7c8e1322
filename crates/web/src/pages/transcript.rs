//! What happened to a machine, who did it and when: its record in words, the newest first.

use axum::extract::State;
use axum::response::{Html, Response};
use maud::{Markup, html};
use serde::Deserialize;
use tidegate_core::api::{Page, Paging, TranscriptEntryView};
use tidegate_core::call::{Answer, EndpointQuestion};
use tidegate_core::id::{EndpointId, SequenceId};
use tidegate_core::words::{actor_words, describe, kind_words, lines};

use super::layout::{Live, Section, page};
use super::machine;
use super::moment::Moment;
use super::places::Places;
use super::viewer::Viewer;
use crate::Shared;
use crate::call::ask_endpoint;
use crate::extract::{Id, NoQuery, Query, paging, present};
use crate::host::Host;
use crate::problem::Problem;
use crate::routes::export;
use crate::routes::transcript::{EntryPath, entry_of, entry_read};

/// Entries of a page: a night of a busy machine, and some 10 KB on the way.
const ENTRIES: u32 = 100;

/// Lines of a body that are shown without a box to scroll in.
const LINES_WHOLE: usize = 200;

/// Which entries.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// Only about this sequence.
    #[serde(default, deserialize_with = "present")]
    sequence: Option<SequenceId>,
    /// The number of the last entry of the page before; absent: from the newest on.
    #[serde(default, deserialize_with = "present")]
    before: Option<String>,
}

/// A page of the record.
pub(super) async fn show(
    State(host): State<Shared>,
    viewer: Viewer,
    Id(id): Id<EndpointId>,
    Query(wanted): Query<Wanted>,
) -> Result<Html<String>, Problem> {
    let Wanted { sequence, before } = wanted;
    if let Some(sequence) = sequence.filter(|sequence| sequence.endpoint() != id) {
        return Err(Problem::invalid(format!("`sequence`: `{sequence}` is not of this machine")));
    }
    let is_newest = before.is_none();
    let entries = read(host.as_ref(), id, sequence, paging(before, Some(ENTRIES))?).await?;
    let machine = machine::read(host.as_ref(), id).await?;
    let places = Places::read(host.as_ref()).await?;
    let moment = Moment::new(host.now(), places.zone(machine.site_id));
    let main = html! {
        (machine::strip(&machine, &places, &moment))
        div .heading {
            h2 .title { "Transcript" }
            p .no-print { a href={ (place(id)) "/file" } download { "Download all of it" } }
        }
        p .fine {
            "Everything that happened to the machine, the newest first. Times are " (moment.zone_name())
            ": when it was stored here. Nothing in it can be changed unnoticed: "
            code { "tidegate verify" } " checks the downloaded file without this server."
        }
        @if let Some(sequence) = sequence {
            p .notice { "Only what is about " a href={ "/sequences/" (sequence) } { "one sequence" } ". " a href=(place(id)) { "Show everything" } }
        }
        (table(id, &entries.items, &moment))
        (ways(id, sequence, entries.next.as_deref(), is_newest))
    };
    // Older entries never change.
    let live = if is_newest { Live::Machine(id.to_string()) } else { Live::Never };
    Ok(page(&viewer, Section::Machines, &format!("Transcript of {}", machine.name), &live, &main))
}

/// The whole record as a file that can be verified.
pub(super) async fn file(
    State(host): State<Shared>,
    _: Viewer,
    Id(id): Id<EndpointId>,
) -> Result<Response, Problem> {
    export::whole(host, id).await
}

/// One entry with its whole body.
pub(super) async fn one(
    State(host): State<Shared>,
    viewer: Viewer,
    path: EntryPath,
    _: NoQuery,
) -> Result<Html<String>, Problem> {
    let (id, number) = entry_of(path)?;
    let entry = entry_read(host.as_ref(), id, number).await?;
    let machine = machine::read(host.as_ref(), id).await?;
    let places = Places::read(host.as_ref()).await?;
    let moment = Moment::new(host.now(), places.zone(machine.site_id));
    let main = html! {
        (machine::strip(&machine, &places, &moment))
        (whole(id, &entry, &moment))
    };
    let title = format!("Entry {number} of the transcript of {}", machine.name);
    Ok(page(&viewer, Section::Machines, &title, &Live::Never, &main))
}

/// An entry with everything it holds.
fn whole(id: EndpointId, entry: &TranscriptEntryView, moment: &Moment) -> Markup {
    let (number, description) = (entry.number, describe(entry, moment.zone()));
    let body = entry.body.as_ref().map(|body| lines(&format!("{body:#}")));
    html! {
        div .heading {
            h2 .title { "Entry " (number) ": " (kind_words(&entry.kind)) }
            p .no-print { a href={ (place(id)) "?before=" (number + 1) "#entry-" (number) } { "Show in the transcript" } }
        }
        dl {
            div { dt { "When" } dd { (moment.second(entry.at)) " " (moment.zone_name()) } }
            div { dt { "Who" } dd { (actor_words(&entry.actor)) } }
            @if !description.is_empty() { div { dt { "What" } dd { (description) } } }
            // There is no page for what only the machine tells of.
            @if let Some(sequence) = entry.sequence_id.filter(|_| !entry.claimed) {
                div { dt { "Sequence" } dd { a href={ "/sequences/" (sequence) } { code { (sequence) } } } }
            }
            div { dt { "SHA-256 of its header" } dd { code { (entry.hash) } } }
        }
        h3 { "Body" }
        @match body {
            Some(body) => {
                figure .output .all[body.lines().count() <= LINES_WHOLE] {
                    pre tabindex="0" aria-label="Body" role="region" { (body) }
                }
            }
            None => p { "Its body was erased." },
        }
        @if number > 1 {
            nav .deeds aria-label="Entries" {
                a .button href={ (place(id)) "/" (number - 1) } rel="prev" { "Entry " (number - 1) }
            }
        }
    }
}

/// Where the record of a machine is read.
pub(super) fn place(id: EndpointId) -> String {
    format!("/machines/{id}/transcript")
}

async fn read(
    host: &dyn Host,
    id: EndpointId,
    sequence: Option<SequenceId>,
    paging: Paging,
) -> Result<Page<TranscriptEntryView>, Problem> {
    let question = EndpointQuestion::Transcript { is_newest_first: true, sequence, paging };
    match ask_endpoint(host, id, question).await? {
        Answer::Transcript(page) => Ok(page),
        _ => Err(Problem::unexpected_answer()),
    }
}

fn table(id: EndpointId, entries: &[TranscriptEntryView], moment: &Moment) -> Markup {
    html! {
        @if entries.is_empty() { p .empty-line { "There is nothing older." } }
        @else {
            table .list.record {
                thead { tr { th scope="col" { "No." } th scope="col" { "When" } th scope="col" { "Who" } th scope="col" { "What" } } }
                tbody {
                    @for entry in entries {
                        tr #{ "entry-" (entry.number) } {
                            td data-label="No." { (entry.number) }
                            td data-label="When" { (moment.second(entry.at)) }
                            td data-label="Who" { (actor_words(&entry.actor)) }
                            td data-label="What" { (what(id, entry, moment)) }
                        }
                    }
                }
            }
        }
    }
}

fn what(id: EndpointId, entry: &TranscriptEntryView, moment: &Moment) -> Markup {
    let kind = kind_words(&entry.kind);
    let description = describe(entry, moment.zone());
    html! {
        // There is no page for what only the machine tells of.
        @match entry.sequence_id.filter(|_| !entry.claimed) {
            Some(sequence) => a href={ "/sequences/" (sequence) } { (kind) },
            None => strong { (kind) },
        }
        @if !description.is_empty() { ": " (description) }
        @if entry.left_out.is_some() { " " a href={ (place(id)) "/" (entry.number) } { "Show it" } }
    }
}

fn ways(id: EndpointId, sequence: Option<SequenceId>, next: Option<&str>, is_newest: bool) -> Markup {
    let only = sequence.map(|sequence| format!("sequence={sequence}"));
    let newest = only.as_ref().map_or_else(|| place(id), |only| format!("{}?{only}", place(id)));
    let only = only.map(|only| format!("{only}&")).unwrap_or_default();
    html! {
        nav .deeds aria-label="Pages of the transcript" {
            @if !is_newest { a .button href=(newest) { "The newest" } }
            @if let Some(next) = next { a .button href={ (place(id)) "?" (only) "before=" (next) } rel="next" { "Older entries" } }
        }
    }
}
