//! Playbooks: sequences with a name, written here or kept from a sequence, filled in for a machine and looked through as
//! a draft.
//!
//! Reading order: `list`, `one` (with its versions), `edit` (YAML in, a version out), `keep` (out of a sequence), `fill`.

mod edit;
mod export;
mod fill;
mod keep;
mod list;
mod one;
mod store;

use axum::Router;
use axum::routing::{get, post};
use tidegate_core::api::{Paging, PlaybookSummary, PlaybookView};
use tidegate_core::call::{Answer, DirectoryQuestion};
use tidegate_core::id::PlaybookId;

use crate::Shared;
use crate::call::ask_directory;
use crate::host::Host;
use crate::problem::Problem;

/// Playbooks that are listed; an MSP has dozens.
const LISTED_MAX: u32 = 200;

/// The pages and their forms.
pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/machines/{id}/playbook", post(fill::choose))
        .route("/playbooks", get(list::show))
        .route("/playbooks/new", get(edit::begin).post(edit::make))
        .route("/playbooks/{id}", get(one::show))
        .route("/playbooks/{id}/edit", get(edit::show).post(edit::save))
        .route("/playbooks/{id}/archive", post(one::archive))
        .route("/playbooks/{id}/unarchive", post(one::unarchive))
        .route("/playbooks/{id}/yaml", get(export::download))
        .route("/sequences/{id}/playbook", get(keep::show).post(keep::submit))
}

/// Those that can be chosen.
pub(super) async fn list(host: &dyn Host) -> Result<Vec<PlaybookSummary>, Problem> {
    listed(host, false, LISTED_MAX).await
}

async fn listed(host: &dyn Host, archived: bool, limit: u32) -> Result<Vec<PlaybookSummary>, Problem> {
    let paging = Paging { cursor: None, limit };
    match ask_directory(host, DirectoryQuestion::Playbooks { archived, paging }).await? {
        Answer::Playbooks(page) => Ok(page.items),
        _ => Err(Problem::unexpected_answer()),
    }
}

/// One in one version; `None`: the current one.
async fn read(host: &dyn Host, playbook: PlaybookId, version: Option<u64>) -> Result<PlaybookView, Problem> {
    match ask_directory(host, DirectoryQuestion::Playbook { playbook, version }).await? {
        Answer::Playbook(view) => Ok(*view),
        _ => Err(Problem::unexpected_answer()),
    }
}
