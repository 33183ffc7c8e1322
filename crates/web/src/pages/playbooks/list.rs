//! All playbooks, those that were put away below.

use axum::extract::State;
use axum::response::Html;
use maud::{Markup, html};
use tidegate_core::api::PlaybookSummary;
use tidegate_core::words::one_line;

use super::{LISTED_MAX, listed};
use crate::Shared;
use crate::extract::NoQuery;
use crate::pages::layout::{Live, Section, page};
use crate::pages::moment::Moment;
use crate::pages::viewer::Viewer;
use crate::pages::words;
use crate::problem::Problem;

/// All of them.
pub(super) async fn show(
    State(host): State<Shared>,
    viewer: Viewer,
    _: NoQuery,
) -> Result<Html<String>, Problem> {
    let all = listed(host.as_ref(), true, LISTED_MAX).await?;
    let (archived, used): (Vec<_>, Vec<_>) = all.iter().partition(|playbook| playbook.archived_at.is_some());
    let moment = Moment::utc(host.now());
    let main = html! {
        div .heading {
            h1 { "Playbooks" }
            a .button href="/playbooks/new" { "New playbook" }
        }
        p .lead { "Checks that belong together, with a name. Open one from a machine's page: it becomes a draft there." }
        @if used.is_empty() {
            div .empty {
                h2 { "No playbooks" }
                p { "Write one or paste a file, or keep a sequence that proved itself: its page has " em { "Save as a playbook" } "." }
                p { a .button .primary href="/playbooks/new" { "New playbook" } }
            }
        }
        @if !used.is_empty() { h2 .hidden-words { "In use" } }
        (cards(&used, &moment))
        @if !archived.is_empty() {
            details {
                summary { h2 { "Archived (" (archived.len()) ")" } }
                p .fine { "Not offered for machines. Open one to take it out again." }
                (cards(&archived, &moment))
            }
        }
        @if all.len() >= LISTED_MAX as usize {
            p .fine { "These are the first " (LISTED_MAX) " by name; " code { "tidegate playbooks" } " lists all." }
        }
    };
    Ok(page(&viewer, Section::Playbooks, "Playbooks", &Live::Never, &main))
}

fn cards(playbooks: &[&PlaybookSummary], moment: &Moment) -> Markup {
    html! {
        ol .cards {
            @for playbook in playbooks {
                li .card {
                    h3 { a href={ "/playbooks/" (playbook.id) } { (one_line(&playbook.name)) } }
                    p { (one_line(&playbook.about)) }
                    p .fine {
                        (words::count(playbook.steps as usize, "step")) ", version " (playbook.version) " by "
                        (one_line(&playbook.changed_by)) " " (moment.ago(playbook.changed_at))
                    }
                }
            }
        }
    }
}
