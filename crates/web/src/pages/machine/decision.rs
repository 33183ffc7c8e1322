//! What about a machine needs a person before anything runs there.

use maud::{Markup, html};
use tidegate_core::api::{EndpointView, JournalState, JournalView};
use tidegate_core::words::one_line;

use super::strip::IDENTITY;
use crate::pages::moment::Moment;
use crate::pages::words;

/// Why, and what clears it.
pub(super) fn attention(machine: &EndpointView, moment: &Moment) -> Markup {
    let undecided: Vec<_> =
        machine.journals.iter().filter(|journal| journal.state == JournalState::Candidate).collect();
    html! {
        @for attention in &machine.attention {
            div .notice .attention role="note" {
                p { strong { "! " (one_line(&attention.reason)) } }
                @if attention.code == "same_name" { (namesakes(machine, moment)) }
                p { "To clear it: " (words::sentence(&attention.clears)) }
            }
        }
        @if machine.claimed > 0 { (claimed(machine)) }
        @if !undecided.is_empty() { (decision(machine, &undecided)) }
    }
}

/// The others that have its name, with what tells them apart.
fn namesakes(machine: &EndpointView, moment: &Moment) -> Markup {
    html! {
        ul {
            @for other in &machine.same_name {
                li {
                    a href={ "/machines/" (other.id) } { (one_line(&other.name)) } ", id " code { (other.id) }
                    ", enrolled " (moment.at(other.enrolled_at))
                    @match other.last_seen_at {
                        Some(at) => { ", last seen " (moment.ago(at)) }
                        None => ", never seen",
                    }
                }
            }
        }
        p { "This one: id " code { (machine.id) } ", enrolled " (moment.at(machine.enrolled_at)) "." }
    }
}

/// Sequences that only the machine tells of: no alarm, since nobody here asked for them.
fn claimed(machine: &EndpointView) -> Markup {
    html! {
        div .notice role="note" {
            p {
                strong { "Claimed by the machine: " (words::count(usize::try_from(machine.claimed).unwrap_or(usize::MAX), "sequence")) }
                " that this record does not have and for which the machine shows no signed work. They are in no list. "
                a href={ "/machines/" (machine.id) "/transcript" } { "The transcript" } " has what it reported."
            }
        }
    }
}

/// Two machines carry one identity, or one came back with another history: a person says which is the right one.
fn decision(machine: &EndpointView, undecided: &[&JournalView]) -> Markup {
    html! {
        section .notice .attention aria-label="A decision" {
            h2 { "Which one is this machine?" }
            p {
                "Something that carries this machine's identity has another history than the one known here: it was "
                "set up anew, set back, or copied. Nothing runs on it until somebody who knows decides. What was "
                "waiting for the machine is held then, and runs only where you release it."
            }
            @for journal in undecided {
                div .card {
                    dl .inline {
                        div { dt { "first heard" } dd { (journal.first_seen_at.to_string()) } }
                        @if let Some(address) = &journal.address { div { dt { "from" } dd { (one_line(address)) } } }
                        @for name in IDENTITY {
                            @if let Some(value) = journal.facts.get(name) {
                                div { dt { (words::label(name)) } dd { (words::fact(value)) } }
                            }
                        }
                    }
                    form method="post" action={ "/machines/" (machine.id) "/adopt" } {
                        input type="hidden" name="journal" value=(journal.id);
                        details .confirm {
                            summary .button { "This is the machine" }
                            p { "The history known so far ends here and never goes on. This cannot be undone." }
                            button .danger { "Yes, this one is " (one_line(&machine.name)) }
                        }
                    }
                }
            }
        }
    }
}
