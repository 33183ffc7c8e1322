//! What waits for a machine, what somebody began, and what has ended.

use maud::{Markup, html};
use tidegate_core::api::{EndpointView, QueueItem, SequenceState, SequenceSummary};
use tidegate_core::id::SequenceId;
use tidegate_core::words::{of_waiting, one_line, standing};

use crate::pages::moment::Moment;
use crate::pages::words;

/// What is under way, in the order in which the machine takes it; `next`: when its next maintenance window is.
pub(super) fn queue(machine: &EndpointView, waiting: &[QueueItem], next: Option<&Markup>) -> Markup {
    html! {
        section aria-label="Queue" {
            h2 { "Waiting and under way" }
            @if waiting.is_empty() {
                p .empty-line { "Nothing waits for " (one_line(&machine.name)) "." }
            } @else if let Some(next) = next {
                p .fine { (next) }
            }
            ol .cards {
                @for (place, QueueItem { sequence: view, waiting_for }) in waiting.iter().enumerate() {
                    li .card {
                        h3 { a href=(place_of(view.id, view.state)) { (one_line(&view.title)) } }
                        p { (words::verdict(&of_waiting(view.state, view.attention, waiting_for.as_deref(), view.reason.as_deref()))) }
                        p .fine { (words::count(view.steps as usize, "step")) ", by " (one_line(&view.created_by)) }
                        @if view.state == SequenceState::Queued && place > 0 {
                            form method="post" action={ "/sequences/" (view.id) "/act" } {
                                input type="hidden" name="next" value={ "/machines/" (machine.id) };
                                button .small name="act" value="run-next" aria-label={ "Run next: " (one_line(&view.title)) } { "Run next" }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// What somebody has begun: to be finished by whoever is at hand.
pub(super) fn drafts(sequences: &[SequenceSummary], moment: &Moment) -> Markup {
    let drafts: Vec<_> = sequences.iter().filter(|summary| summary.state == SequenceState::Draft).collect();
    html! {
        @if !drafts.is_empty() {
            section aria-label="Drafts" {
                h2 { "Drafts" }
                ol .cards {
                    @for summary in drafts {
                        li .card {
                            h3 { a href=(place_of(summary.id, summary.state)) { (one_line(&summary.title)) } }
                            p .fine {
                                (words::count(summary.steps as usize, "step")) ", begun by " (one_line(&summary.created_by))
                                ", last touched " (moment.ago(summary.changed_at))
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Where one goes on with a sequence: a draft is edited, everything else is read.
pub(in crate::pages) fn place_of(id: SequenceId, state: SequenceState) -> String {
    match state {
        SequenceState::Draft => format!("/sequences/{id}/edit"),
        _ => format!("/sequences/{id}"),
    }
}

/// What came of the newest, newest first.
pub(super) fn last_results(sequences: &[SequenceSummary], moment: &Moment) -> Markup {
    let ended: Vec<_> = sequences.iter().filter(|summary| summary.state.is_ended()).collect();
    html! {
        section aria-label="Last results" {
            h2 { "Last results" }
            @if ended.is_empty() { p .empty-line { "Nothing has run here yet." } }
            ol .cards {
                @for summary in ended {
                    li .card {
                        h3 { a href={ "/sequences/" (summary.id) } { (one_line(&summary.title)) } }
                        p { (words::verdict(&standing(summary.state, summary.attention, summary.reason.as_deref()))) }
                        p .fine {
                            (summary.ran) " of " (summary.steps) " steps ran, " (moment.at(summary.changed_at))
                            ", by " (one_line(&summary.created_by))
                        }
                    }
                }
            }
        }
    }
}
