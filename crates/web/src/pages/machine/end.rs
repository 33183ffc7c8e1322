//! The two ways in which a machine leaves, neither of which can be taken back.

use maud::{Markup, html};
use tidegate_core::api::{EndpointState, EndpointView};
use tidegate_core::words::one_line;

/// What each does, said before it is done; for a machine that was revoked there is nothing left to do.
pub(super) fn end(machine: &EndpointView) -> Markup {
    let name = one_line(&machine.name);
    let place = format!("/machines/{}", machine.id);
    html! {
        @if machine.state != EndpointState::Revoked {
            section .card aria-label="Take out of service" {
                details {
                    summary { h2 { "Take out of service" } }
                    @if machine.state == EndpointState::Active { (retire(&place, &name)) }
                    (revoke(&place, &name))
                }
            }
        }
    }
}

fn retire(place: &str, name: &str) -> Markup {
    html! {
        details .confirm {
            summary .button { "Retire…" }
            form method="post" action={ (place) "/retire" } {
                p {
                    "For a machine that goes. At its next check-in the runtime on " strong { (name) } " stops and removes itself. "
                    "Work that was not sent yet is cancelled; what was sent may still run. The transcript stays."
                }
                p { "This cannot be undone: to have the machine here again it is added anew." }
                button .danger { "Retire " (name) }
            }
        }
    }
}

fn revoke(place: &str, name: &str) -> Markup {
    html! {
        details .confirm {
            summary .button { "Revoke…" }
            form method="post" action={ (place) "/revoke" } {
                p {
                    "For a machine that was stolen, or whose key may be. From now on nothing that " strong { (name) }
                    " sends is believed and nothing is sent to it, not even that it should stop. Work that was not sent is "
                    "cancelled; of what was sent nobody will learn whether it ran. The transcript stays."
                }
                p { "This cannot be undone: the machine can only be added anew." }
                button .danger { "Revoke " (name) }
            }
        }
    }
}
