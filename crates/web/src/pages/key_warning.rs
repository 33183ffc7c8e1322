//! The warning that the order key's certificate ends, around every page. Who can renew it sees it from 60 days before on;
//! everybody else sees it in the last week, since their work is about to wait.

use maud::{Markup, html};
use tidegate_core::key_end::{KeyEnd, KeyStage, RENEW_COMMAND};

use super::viewer::Viewer;

/// The warning for this person; empty while the end is far.
pub(super) fn key_warning(viewer: &Viewer) -> Markup {
    let Some(end) = viewer.key_end else { return html! {} };
    match (end.stage, viewer.principal.is_owner()) {
        (KeyStage::Valid, _) | (KeyStage::Ending | KeyStage::Soon, false) => html! {},
        (_, true) => around(&for_owner(&end)),
        (KeyStage::Imminent | KeyStage::Over, false) => around(&html! {
            p .notice { (mark(end.stage)) (end.headline()) ". " (end.consequence()) " Ask an owner to renew it." }
        }),
    }
}

fn around(warning: &Markup) -> Markup {
    html! { aside .around aria-label="Order key" { (warning) } }
}

fn for_owner(end: &KeyEnd) -> Markup {
    // For a month it is one line and a press.
    let (is_early, is_urgent) = (end.stage == KeyStage::Ending, end.stage >= KeyStage::Imminent);
    let class = match end.stage {
        KeyStage::Valid | KeyStage::Ending => "notice",
        KeyStage::Soon => "notice attention",
        KeyStage::Imminent | KeyStage::Over => "notice bad",
    };
    html! {
        div class=(class) {
            p {
                strong { (mark(end.stage)) (end.headline()) "." }
                @if !is_early { " " (end.consequence()) }
            }
            details open[is_urgent] {
                summary { "Renew it" }
                @if is_early { p { (end.consequence()) } }
                p {
                    "Stop " code { "tidegate serve" } ", run this with the owner's root key, and start it again. "
                    "Machines take the new key at their next check-in."
                }
                pre { (RENEW_COMMAND) }
                p .fine {
                    "If the root key is on an offline computer, " code { "tidegate admin order-key --help" }
                    " shows the three steps. More in " code { "docs/order-keys.md" } "."
                }
            }
        }
    }
}

/// What tells the stages apart without colour.
fn mark(stage: KeyStage) -> &'static str {
    match stage {
        KeyStage::Valid | KeyStage::Ending => "",
        KeyStage::Soon | KeyStage::Imminent => "! ",
        KeyStage::Over => "✗ ",
    }
}
