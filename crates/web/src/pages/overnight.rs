//! Overnight: what happened while nobody looked, what needs a person first.

use axum::extract::State;
use axum::response::Html;
use maud::{Markup, html};
use serde::Deserialize;
use tidegate_core::api::{Group, MachineName, OvernightItem, OvernightView, SequenceState};
use tidegate_core::call::{Answer, DirectoryQuestion};
use tidegate_core::time::Timestamp;
use tidegate_core::words::{one_line, standing};

use super::layout::{Live, Section, page};
use super::machine::place_of;
use super::moment::Moment;
use super::viewer::Viewer;
use super::words;
use crate::Shared;
use crate::call::ask_directory;
use crate::extract::Query;
use crate::problem::Problem;

/// Most sequences of a group on the page; the rest is counted.
const GROUP_MAX: u32 = 100;
/// Spans of what ended well, in hours.
const SPANS: [(u32, &str); 3] = [(12, "12 hours"), (24, "24 hours"), (72, "3 days")];
const SPAN_DEFAULT: u32 = 24;

/// How far back what ended well is told.
#[derive(Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    hours: Option<u32>,
}

/// The morning's page.
pub(super) async fn show(
    State(host): State<Shared>,
    viewer: Viewer,
    Query(wanted): Query<Wanted>,
) -> Result<Html<String>, Problem> {
    let hours = wanted.hours.filter(|hours| (1..=24 * 31).contains(hours)).unwrap_or(SPAN_DEFAULT);
    let since = host.now().shifted_by_ms(-3_600_000 * i64::from(hours));
    let question = DirectoryQuestion::Overnight { since, limit: GROUP_MAX };
    let Answer::Overnight(night) = ask_directory(host.as_ref(), question).await? else {
        return Err(Problem::unexpected_answer());
    };
    let now = host.now();
    let main = html! {
        div .heading {
            h1 { "Overnight" }
            nav aria-label="How far back" .fine {
                "Ended well in the last "
                @for (span, name) in SPANS {
                    a href={ "/?hours=" (span) } aria-current=[(span == hours).then_some("true")] { (name) } " "
                }
            }
        }
        @if is_empty(&night) {
            (nothing())
        } @else {
            (summary(&night))
            (machines(&night))
            (group("Needs a person", "person", &night.needs_person, now, true))
            (group("Held or missed", "held", &night.held_or_missed, now, true))
            (group("Still waiting", "waiting", &night.waiting, now, true))
            (group("Clean", "clean", &night.clean, now, false))
        }
    };
    Ok(page(&viewer, Section::Overnight, "Overnight", &Live::Everything, &main))
}

fn is_empty(night: &OvernightView) -> bool {
    let groups = [&night.needs_person, &night.held_or_missed, &night.waiting, &night.clean];
    night.machines.items.is_empty() && groups.iter().all(|group| group.items.is_empty())
}

fn total<T>(group: &Group<T>) -> u64 {
    group.items.len() as u64 + group.rest
}

/// The night in one line.
fn summary(night: &OvernightView) -> Markup {
    let person = total(&night.needs_person) + total(&night.machines);
    html! {
        p .big {
            @if person == 0 {
                span .good { "✓ Nothing needs a person." }
            } @else {
                span .attention { "! " (person) @if person == 1 { " thing needs" } @else { " things need" } " a person." }
            }
            " " (total(&night.held_or_missed)) " held or missed, " (total(&night.waiting)) " still waiting, "
            (total(&night.clean)) " clean."
        }
    }
}

/// Machines about which somebody must decide before anything runs there.
fn machines(night: &OvernightView) -> Markup {
    html! {
        @if !night.machines.items.is_empty() {
            section aria-label="Machines that need a decision" {
                h2 { "Machines that need a decision" }
                ol .cards {
                    @for item in &night.machines.items {
                        li .card {
                            h3 { a href={ "/machines/" (item.machine.endpoint_id) } { (one_line(&item.machine.endpoint_name)) } }
                            p .fine {
                                (one_line(&item.machine.client_name)) " › " (one_line(&item.machine.site_name))
                                @if item.attention.iter().any(|attention| attention.code == "same_name") {
                                    " · id " code { (item.machine.endpoint_id) }
                                }
                            }
                            @for attention in &item.attention { p .attention { "! " (words::sentence(&attention.reason)) } }
                        }
                    }
                }
                (more(night.machines.rest))
            }
        }
    }
}

fn group(name: &str, id: &str, group: &Group<OvernightItem>, now: Timestamp, is_open: bool) -> Markup {
    html! {
        @if total(group) > 0 {
            section {
                details #(id) open[is_open] {
                    summary { h2 { (name) " (" (total(group)) ")" } }
                    p .fine { (next_step(id)) }
                    @for (client, items) in by_client(&group.items) {
                        h3 .client { (one_line(client)) }
                        ol .cards { @for item in items { (card(item, now)) } }
                    }
                    (more(group.rest))
                }
            }
        }
    }
}

/// What a person does with a group.
fn next_step(id: &str) -> &'static str {
    match id {
        "person" => {
            "Open a sequence by its name for what every check found. Once the fault is dealt with, mark it as reviewed: it moves to Clean."
        }
        "held" => {
            "Held work never runs by itself: open it by its name, and release it to run on the machine as it is now, or purge it. \
             Missed is a machine that was not heard when it usually is."
        }
        "waiting" => "Nothing to do: each runs by itself once what it waits for has come.",
        _ => "Ended without a fault, or somebody has looked.",
    }
}

/// The items of each client, in the order in which the first of each comes.
fn by_client(items: &[OvernightItem]) -> Vec<(&str, Vec<&OvernightItem>)> {
    let mut clients: Vec<(&MachineName, Vec<&OvernightItem>)> = Vec::new();
    for item in items {
        match clients.iter_mut().find(|(client, _)| client.client_id == item.machine.client_id) {
            Some((_, of_client)) => of_client.push(item),
            None => clients.push((&item.machine, vec![item])),
        }
    }
    clients.into_iter().map(|(client, items)| (client.client_name.as_str(), items)).collect()
}

fn card(item: &OvernightItem, now: Timestamp) -> Markup {
    let OvernightItem { sequence, machine, .. } = item;
    let moment = Moment::new(now, &machine.time_zone);
    let verdict = standing(sequence.state, sequence.attention, sequence.reason.as_deref());
    html! {
        li .card {
            div .heading {
                h3 {
                    a href={ "/machines/" (machine.endpoint_id) } { (one_line(&machine.endpoint_name)) }
                    span .fine { " " (one_line(&machine.site_name)) }
                }
                span .fine { (moment.ago(sequence.changed_at)) }
            }
            p { a href=(place_of(sequence.id, sequence.state)) { (one_line(&sequence.title)) } " " (words::verdict(&verdict)) }
            @if let Some(worst) = &sequence.worst { p .attention { "! " (words::sentence(worst)) } }
            // What is held says why already.
            @if let Some(waiting_for) = item.waiting_for.as_ref().filter(|_| sequence.state != SequenceState::Held) {
                p {
                    "Waits for " (words::sentence(waiting_for))
                    @if let Some(at) = item.waiting.as_ref().and_then(|waiting| waiting.last_contact_at) {
                        span .fine { " Last heard " (moment.ago(at)) "." }
                    }
                }
            }
            @if let Some(missed_at) = item.missed_at {
                p .attention { "! It would usually have been heard by " (moment.at(missed_at)) " " (moment.zone_name()) "." }
            }
            (care(item, &moment))
            @if item.more_of_machine > 0 {
                p .fine {
                    a href={ "/machines/" (machine.endpoint_id) } { (item.more_of_machine) " more from this machine" }
                }
            }
        }
    }
}

/// Who looks after it, and the press that takes it off the list.
fn care(item: &OvernightItem, moment: &Moment) -> Markup {
    let sequence = &item.sequence;
    html! {
        div .care {
            span .fine {
                (sequence.ran) " of " (words::count(sequence.steps as usize, "step")) " ran, by " (one_line(&sequence.created_by))
                @if let Some(assignee) = &sequence.assignee { "; looked after by " strong { (one_line(assignee)) } }
                @if let Some(reviewed) = &sequence.reviewed {
                    "; reviewed by " (one_line(&reviewed.by)) " " (moment.ago(reviewed.at))
                }
            }
            @if sequence.state.is_ended() && sequence.reviewed.is_none() {
                form method="post" action={ "/sequences/" (sequence.id) "/act" } {
                    input type="hidden" name="next" value="/";
                    @if sequence.assignee.is_none() { button .small name="act" value="take" { "I look after it" } " " }
                    button .small name="act" value="review" aria-label={ "Mark as reviewed: " (one_line(&sequence.title)) " on " (one_line(&item.machine.endpoint_name)) } { "Mark as reviewed" }
                }
            }
        }
    }
}

fn more(rest: u64) -> Markup {
    html! { @if rest > 0 { p .fine { (rest) " more are not shown: mark as reviewed what is done, or look at the machines." } } }
}

fn nothing() -> Markup {
    html! {
        div .empty {
            h2 { "A quiet night" }
            p {
                "Here is what happened while nobody looked: first what needs a person, then what is held or waits, then "
                "what went well. It fills as soon as work is queued for a machine."
            }
            p { a .button .primary href="/machines" { "Choose a machine" } " " a .button href="/machines/new" { "Add a machine" } }
        }
    }
}
