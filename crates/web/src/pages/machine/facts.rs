//! What a machine told of itself, and when it was heard.

use maud::{Markup, html};
use tidegate_core::api::{ContactsView, EndpointView};
use tidegate_core::window::Window;
use tidegate_core::words::{bytes, one_line};

use super::contact;
use crate::pages::moment::Moment;
use crate::pages::words;

/// Everything it told, folded.
pub(super) fn facts(machine: &EndpointView) -> Markup {
    html! {
        section .card aria-label="Facts" {
            details {
                summary { h2 { "What it told of itself" } }
                @if machine.facts.is_empty() { p { "Nothing yet." } }
                dl {
                    @for (name, value) in &machine.facts {
                        div { dt { (words::label(name)) } dd { (words::fact(value)) } }
                    }
                    @if let Some(skew_ms) = machine.clock_skew_ms {
                        div { dt { "clock" } dd { (skew(skew_ms)) } }
                    }
                }
            }
        }
    }
}

fn skew(skew_ms: i64) -> String {
    let off = tidegate_core::words::span(tidegate_core::time::Milliseconds(skew_ms.unsigned_abs()));
    match skew_ms {
        -1_000..=1_000 => "right within a second".to_owned(),
        1_001.. => format!("{off} ahead"),
        _ => format!("{off} behind"),
    }
}

/// When it was heard and what that cost.
pub(super) fn contact(
    machine: &EndpointView,
    contacts: &ContactsView,
    windows: &[Window],
    moment: &Moment,
) -> Markup {
    html! {
        section .card aria-label="Contact" {
            h2 { "Contact" }
            p .fine { "Times are " (moment.zone_name()) "." }
            dl {
                div { dt { "last heard" } dd {
                    @match machine.last_seen_at { Some(at) => { (moment.second(at)) " (" (moment.ago(at)) ")" } None => "never" }
                } }
                @if let Some(ms) = machine.usual_interval_ms {
                    div { dt { "usually every" } dd { (tidegate_core::words::span(tidegate_core::time::Milliseconds(ms))) } }
                }
                div { dt { "enrolled" } dd { (moment.at(machine.enrolled_at)) } }
            }
            (contact::drawn(contacts, machine, windows, moment))
            @if !machine.outages.is_empty() {
                h3 { "Times without a path" }
                ul {
                    @for outage in &machine.outages {
                        li { (moment.at(outage.closed_at)) " to " (moment.at(outage.opened_at)) ": " (one_line(&outage.problem)) }
                    }
                }
            }
            @if let Some(day) = machine.traffic.first() {
                h3 { "Bytes a day" }
                p { (day.day.to_string()) ": " (bytes(day.up_bytes)) " up, " (bytes(day.down_bytes)) " down" }
            }
        }
    }
}
