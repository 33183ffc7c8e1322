//! What is shown once: secrets, and the commands that carry them.

use maud::{Markup, html};

/// A text to be taken along: in a field of its own, copied by hand or by a press. `id` names the field on the page and
/// `label` says what it holds.
pub(super) fn copied(id: &str, label: &str, text: &str) -> Markup {
    html! {
        div .copied {
            label { (label) textarea id=(id) readonly rows="2" spellcheck="false" { (text) } }
            button .small .script-only type="button" data-copy=(id) aria-label={ "Copy: " (label) } { "Copy" }
        }
    }
}
