//! Overnight: what happened, and what needs a person first.

use axum::extract::State;
use axum::response::Html;
use maud::html;

use super::layout::{Live, Section, page};
use super::viewer::Viewer;
use crate::Shared;
use crate::problem::Problem;

/// The morning's page.
pub(super) async fn show(State(_): State<Shared>, viewer: Viewer) -> Result<Html<String>, Problem> {
    let main = html! { h1 { "Overnight" } p { a href="/machines" { "All machines" } } };
    Ok(page(&viewer, Section::Overnight, "Overnight", &Live::Everything, &main))
}
