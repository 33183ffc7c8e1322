//! Which machine a page is about.

use maud::{Markup, html};
use tidegate_core::api::EndpointView;
use tidegate_core::words::one_line;

use crate::pages::moment::Moment;
use crate::pages::places::Places;
use crate::pages::words;

/// Facts that tell which machine it is, in the order in which people look for them.
pub(super) const IDENTITY: [&str; 8] =
    ["hostname", "addresses", "serial", "product", "os", "os_version", "architecture", "profile"];

/// Says which machine a page is about, so large that nobody works on the wrong one.
pub(in crate::pages) fn strip(machine: &EndpointView, places: &Places, moment: &Moment) -> Markup {
    html! {
        section .strip aria-label="Which machine" {
            p .path { (one_line(places.client(machine.client_id))) " › " (one_line(places.site(machine.site_id))) }
            h1 { a href={ "/machines/" (machine.id) } { (one_line(&machine.name)) } }
            p {
                (words::reachability(machine, moment)) " · " (words::work(machine.work))
                @if !machine.same_name.is_empty() { " · " span .attention { "!\u{a0}Another machine has this name" } }
            }
            dl .inline {
                @for name in IDENTITY {
                    @if let Some(value) = machine.facts.get(name) {
                        div { dt { (words::label(name)) } dd { (words::fact(value)) } }
                    }
                }
                @if !machine.tags.is_empty() {
                    div { dt { "tags" } dd { @for tag in &machine.tags { span .tag { (one_line(tag)) } " " } } }
                }
                div { dt { "id" } dd { code { (machine.id) } } }
            }
        }
    }
}
