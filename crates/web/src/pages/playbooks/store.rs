//! Saving a playbook: a new one, or the next version of the one that a person looked at.
//!
//! A form names the version that its writer saw (`over`). Where another version came meanwhile, or the name is taken, the
//! page says so, keeps what was typed, and offers to save it as the next version all the same (`instead`).

use maud::{Markup, html};
use tidegate_core::api::{Paging, PlaybookPatch};
use tidegate_core::call::{DirectoryAct, Principal, Resource};
use tidegate_core::error::Code;
use tidegate_core::id::PlaybookId;
use tidegate_core::playbook::PlaybookSpec;
use tidegate_core::time::Timestamp;
use tidegate_core::words::one_line;

use super::{listed, read};
use crate::call::change_directory;
use crate::host::Host;
use crate::pages::form::Form;
use crate::pages::moment::Moment;
use crate::pages::words;
use crate::problem::Problem;

/// The version of a playbook that a form saves over: `0123456789abcdef.3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Over {
    pub(super) playbook: PlaybookId,
    pub(super) version: u64,
}

impl Over {
    /// What the form says; `None`: it makes a new playbook.
    pub(super) fn read(form: &Form) -> Result<Option<Self>, Problem> {
        let Some(text) = form.text("instead").or_else(|| form.text("over")) else { return Ok(None) };
        let read = text.split_once('.').and_then(|(id, version)| {
            Some(Self { playbook: id.parse().ok()?, version: version.parse().ok()? })
        });
        read.map(Some).ok_or_else(|| {
            Problem::invalid("`over` and `instead` name a playbook and its version: load the page again")
        })
    }

    /// As the form says it.
    pub(super) fn written(self) -> String {
        format!("{}.{}", self.playbook, self.version)
    }
}

/// Saves it where `over` says.
pub(super) async fn store(
    host: &dyn Host,
    by: &Principal,
    spec: PlaybookSpec,
    over: Option<Over>,
) -> Result<PlaybookId, Problem> {
    let act = match over {
        None => DirectoryAct::CreatePlaybook(Box::new(spec)),
        Some(Over { playbook, version }) => {
            let patch = Box::new(PlaybookPatch::whole(spec));
            DirectoryAct::SavePlaybook { playbook, if_match: version, patch }
        }
    };
    match change_directory(host, by, act).await? {
        Resource::Playbook(view) => Ok(view.id),
        _ => Err(Problem::unexpected_answer()),
    }
}

/// Whether a person mends it in the form.
pub(super) fn shows_in_form(code: Code) -> bool {
    matches!(
        code,
        Code::InvalidRequest
            | Code::InvalidPlaybook
            | Code::Conflict
            | Code::RevisionMismatch
            | Code::TooLarge
    )
}

/// What stands where a form wanted to save.
pub(super) struct Standing {
    over: Over,
    name: String,
    saved_by: String,
    saved_at: Timestamp,
    is_archived: bool,
}

impl Standing {
    /// What refused a form: the version that came meanwhile, or the playbook that has the name.
    pub(super) async fn find(
        host: &dyn Host,
        problem: &Problem,
        over: Option<Over>,
        name: &str,
    ) -> Result<Option<Self>, Problem> {
        match (problem.code, over) {
            (Code::RevisionMismatch, Some(Over { playbook, .. })) => {
                let view = read(host, playbook, None).await?;
                Ok(Some(Self {
                    over: Over { playbook, version: view.version },
                    name: view.spec.name,
                    saved_by: view.saved_by,
                    saved_at: view.saved_at,
                    is_archived: view.archived_at.is_some(),
                }))
            }
            (Code::Conflict, None) => {
                let all = listed(host, true, Paging::LIMIT_MAX).await?;
                // The directory compares names in this way too.
                let found = all.into_iter().find(|each| each.name.eq_ignore_ascii_case(name));
                Ok(found.map(|found| Self {
                    over: Over { playbook: found.id, version: found.version },
                    name: found.name,
                    saved_by: found.changed_by,
                    saved_at: found.changed_at,
                    is_archived: found.archived_at.is_some(),
                }))
            }
            _ => Ok(None),
        }
    }

    /// What it is, and the press that saves over it; part of the form that was refused.
    fn offer(&self, moment: &Moment) -> Markup {
        let Over { playbook, version } = self.over;
        html! {
            p {
                a href={ "/playbooks/" (playbook) } target="_blank" { (one_line(&self.name)) ", version " (version) }
                ", was saved by " (one_line(&self.saved_by)) " " (moment.ago(self.saved_at)) ". "
                @if self.is_archived { "It is archived: its page takes it out again." }
                @else { "Look at it before you save over it; what it says stays in its version." }
            }
            @if !self.is_archived {
                button name="instead" value=(self.over.written()) { "Save this as version " (version + 1) " of it" }
            }
        }
    }
}

/// What was wrong, above the fields of a form.
pub(super) fn told(problem: &Problem, standing: Option<&Standing>, moment: &Moment) -> Markup {
    html! {
        div .notice .bad role="alert" {
            p {
                strong { "Not saved: " }
                @match problem.code {
                    Code::RevisionMismatch => "Somebody saved another version meanwhile. What you typed is still here.",
                    _ => (words::sentence(&problem.detail)),
                }
            }
            @if let Some(standing) = standing { (standing.offer(moment)) }
        }
    }
}
