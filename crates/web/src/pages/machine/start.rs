//! The way to new work on a machine.

use maud::{Markup, html};
use tidegate_core::api::{EndpointView, PlaybookSummary};
use tidegate_core::probe::Risk;
use tidegate_core::words::one_line;

use crate::pages::words;

/// The way to new work: the first check of a draft is chosen here.
pub(super) fn start(machine: &EndpointView, playbooks: &[PlaybookSummary]) -> Markup {
    let (checks, actions): (Vec<_>, Vec<_>) = machine
        .probes
        .iter()
        .flat_map(|catalogue| &catalogue.0)
        .partition(|probe| probe.risk == Risk::Observe);
    html! {
        section .card aria-label="New work" {
            h2 { "Look into it" }
            @if machine.probes.is_none() {
                p { "The machine has not told yet what it can do: it does so at its first check-in." }
            } @else {
                @if !playbooks.is_empty() {
                    form .stack method="post" action={ "/machines/" (machine.id) "/playbook" } data-keep="true" {
                        label { "With a playbook"
                            select name="playbook" {
                                @for playbook in playbooks {
                                    option value=(playbook.id) title=(one_line(&playbook.about)) { (one_line(&playbook.name)) }
                                }
                            }
                        }
                        button { "Draft from it" }
                    }
                }
                form .stack method="post" action={ "/machines/" (machine.id) "/drafts" } data-keep="true" {
                    label { "Begin with"
                        select name="probe" {
                            optgroup label="Checks (cannot change the machine)" {
                                @for probe in &checks { option value=(probe.name) { (words::label(&probe.name)) } }
                            }
                            @if !actions.is_empty() {
                                optgroup label="Actions (can change the machine)" {
                                    @for probe in &actions { option value=(probe.name) { (words::label(&probe.name)) } }
                                }
                            }
                        }
                    }
                    button .primary { "Draft a sequence" }
                }
                p .fine { "Nothing is sent until you queue it." }
            }
        }
    }
}
