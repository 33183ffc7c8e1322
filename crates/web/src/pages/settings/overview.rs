//! What there is to set, and how much of it there is.

use axum::extract::State;
use axum::response::Html;
use maud::html;

use super::{Tab, settings};
use crate::Shared;
use crate::extract::NoQuery;
use crate::pages::viewer::Viewer;
use crate::problem::Problem;
use crate::sessions::has_password;

/// The way to each page, with what one finds there.
pub(super) async fn show(
    State(host): State<Shared>,
    viewer: Viewer,
    _: NoQuery,
) -> Result<Html<String>, Problem> {
    let has_password = has_password(host.as_ref(), &viewer.principal.email).await?;
    let main = html! {
        h1 { "Settings" }
        ul .cards .tiles {
            li .card {
                h2 { a href="/settings/you" { "You" } }
                p { "Your password, where you are signed in, and tokens for your scripts." }
                @if !has_password { p .attention { "! You have no password yet." } }
            }
            li .card {
                h2 { a href="/settings/people" { "People" } }
                p { "Who may sign in. Invite colleagues with a one-time link, and deactivate who left." }
            }
            li .card {
                h2 { a href="/settings/places" { "Clients and sites" } }
                p { "Whose machines these are, where they stand, and the time that is kept there." }
            }
            li .card {
                h2 { a href="/settings/codes" { "Enrolment codes" } }
                p { "Codes that still admit machines, and who made them." }
            }
            li .card {
                h2 { a href="/settings/audit" { "Audit log" } }
                p { "Who signed in or was refused, and who changed what here." }
            }
        }
    };
    Ok(settings(&viewer, Tab::Overview, &main))
}
