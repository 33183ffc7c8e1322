//! A playbook as YAML in a field: written anew, pasted from a file, or a next version of one there is.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use maud::{Markup, html};
use tidegate_core::api::PlaybookView;
use tidegate_core::call::Principal;
use tidegate_core::error::Code;
use tidegate_core::id::PlaybookId;
use tidegate_core::playbook::{YamlError, yaml_read, yaml_write};
use tidegate_core::words::{one_line, shortened};

use super::export::Wanted;
use super::one::place;
use super::read;
use super::store::{Over, Standing, shows_in_form, store, told};
use crate::Shared;
use crate::extract::{Id, NoQuery, Query};
use crate::host::Host;
use crate::pages::form::Form;
use crate::pages::layout::{Live, Section, page};
use crate::pages::moment::Moment;
use crate::pages::viewer::Viewer;
use crate::problem::Problem;

/// What the form of a new playbook begins with.
const EXAMPLE: &str = include_str!("example.yaml");
/// Rows of the field; it can be drawn larger.
const ROWS: usize = 26;
/// Most characters of a line that is shown because it does not read.
const LINE_CHARACTERS_MAX: usize = 120;

/// What a page shows.
struct Sheet<'a> {
    /// The playbook that is edited; `None`: a new one.
    of: Option<&'a PlaybookView>,
    /// What stands in the field.
    text: &'a str,
    /// The version that its writer saw.
    over: Option<Over>,
    /// Why it was not saved.
    refusal: Option<&'a Refusal>,
}

/// Why it was not saved.
struct Refusal {
    problem: Problem,
    /// The line that does not read, from 1.
    line: Option<usize>,
    standing: Option<Standing>,
}

/// The form of a new playbook.
pub(super) async fn begin(
    State(host): State<Shared>,
    viewer: Viewer,
    _: NoQuery,
) -> Result<Response, Problem> {
    let sheet = Sheet { of: None, text: EXAMPLE, over: None, refusal: None };
    Ok(sheet.answer(host.as_ref(), &viewer))
}

/// Makes it.
pub(super) async fn make(
    State(host): State<Shared>,
    viewer: Viewer,
    form: Form,
) -> Result<Response, Problem> {
    submit(host.as_ref(), &viewer, None, &form).await
}

/// The form of one there is, with what any version of it says.
pub(super) async fn show(
    State(host): State<Shared>,
    viewer: Viewer,
    Id(id): Id<PlaybookId>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    let view = read(host.as_ref(), id, wanted.version.map(u64::from)).await?;
    let text = yaml_write(&view.spec);
    let over = Some(Over { playbook: id, version: view.current_version });
    let sheet = Sheet { of: Some(&view), text: &text, over, refusal: None };
    Ok(sheet.answer(host.as_ref(), &viewer))
}

/// Saves its next version.
pub(super) async fn save(
    State(host): State<Shared>,
    viewer: Viewer,
    Id(id): Id<PlaybookId>,
    form: Form,
) -> Result<Response, Problem> {
    let view = read(host.as_ref(), id, None).await?;
    submit(host.as_ref(), &viewer, Some(&view), &form).await
}

async fn submit(
    host: &dyn Host,
    viewer: &Viewer,
    of: Option<&PlaybookView>,
    form: &Form,
) -> Result<Response, Problem> {
    // Browsers send lines with CRLF, whatever was typed (WHATWG HTML, section 4.10.21.7).
    let text = form.raw("yaml").unwrap_or_default().replace("\r\n", "\n");
    let over = Over::read(form)?;
    if of.is_some_and(|of| over.is_none_or(|over| over.playbook != of.id)) {
        return Err(Problem::invalid("the form does not say which version it changes: load the page again"));
    }
    match attempt(host, &viewer.principal, &text, over).await {
        Ok(id) => Ok(place(id)),
        Err(refusal) if shows_in_form(refusal.problem.code) => {
            let over = of.and(over);
            Ok(Sheet { of, text: &text, over, refusal: Some(&refusal) }.answer(host, viewer))
        }
        Err(refusal) => Err(refusal.problem),
    }
}

async fn attempt(
    host: &dyn Host,
    by: &Principal,
    text: &str,
    over: Option<Over>,
) -> Result<PlaybookId, Refusal> {
    let spec = yaml_read(text).map_err(|error| does_not_read(&error))?;
    let name = spec.name.clone();
    match store(host, by, spec, over).await {
        Ok(id) => Ok(id),
        Err(problem) => {
            let found = Standing::find(host, &problem, over, &name).await;
            let standing = found.map_err(|problem| Refusal { problem, line: None, standing: None })?;
            Err(Refusal { problem, line: None, standing })
        }
    }
}

fn does_not_read(error: &YamlError) -> Refusal {
    let line = match error {
        YamlError::Shape { line, .. } => *line,
        YamlError::Bytes | YamlError::Brackets | YamlError::Playbook(_) => None,
    };
    Refusal { problem: Problem::new(Code::InvalidPlaybook, error.to_string()), line, standing: None }
}

impl Sheet<'_> {
    fn answer(&self, host: &dyn Host, viewer: &Viewer) -> Response {
        let title = self.of.map_or("New playbook", |of| of.spec.name.as_str());
        let moment = Moment::utc(host.now());
        let mut response =
            page(viewer, Section::Playbooks, title, &Live::Never, &self.main(&moment)).into_response();
        if let Some(refusal) = self.refusal {
            *response.status_mut() = refusal.problem.status();
        }
        response
    }

    fn main(&self, moment: &Moment) -> Markup {
        let action = self.of.map_or("/playbooks/new".to_owned(), |of| format!("/playbooks/{}/edit", of.id));
        html! {
            @match self.of {
                Some(of) => {
                    p .path { a href="/playbooks" { "Playbooks" } " › " a href={ "/playbooks/" (of.id) } { (one_line(&of.spec.name)) } }
                    h1 { "Edit a playbook" }
                    p .lead { "Saving makes a new version, and the ones before stay. Another " code { "name" } " renames it." }
                }
                None => {
                    p .path { a href="/playbooks" { "Playbooks" } }
                    h1 { "New playbook" }
                    p .lead { "Change the example, or paste a playbook's file over it." }
                }
            }
            form .stack method="post" action=(action) {
                // Return never presses what saves over somebody else's version.
                button .default tabindex="-1" aria-hidden="true" { "Save" }
                @if let Some(refusal) = self.refusal {
                    (told(&refusal.problem, refusal.standing.as_ref(), moment))
                    (self.line(refusal))
                }
                @if let Some(over) = self.over { input type="hidden" name="over" value=(over.written()); }
                label .script-only { "Take it from a file"
                    input type="file" accept=".yaml,.yml,text/yaml" data-into="yaml";
                }
                label { "The playbook as YAML"
                    textarea #yaml .source name="yaml" rows=(ROWS) required spellcheck="false" autocapitalize="off"
                        autofocus[self.refusal.is_some()] { "\n" (self.text) }
                }
                div .deeds {
                    button .primary {
                        @match self.over {
                            Some(over) if self.refusal.is_none() => { "Save version " (over.version + 1) }
                            _ => "Save the playbook",
                        }
                    }
                    a .button .quiet href=(self.of.map_or("/playbooks".to_owned(), |of| format!("/playbooks/{}", of.id))) { "Cancel" }
                }
            }
            (help())
        }
    }

    /// The line that does not read: a field of many lines does not number them.
    fn line(&self, refusal: &Refusal) -> Markup {
        let number = refusal.line.unwrap_or_default();
        let line = number.checked_sub(1).and_then(|at| self.text.lines().nth(at));
        html! {
            @if let Some(line) = line.filter(|line| !line.trim().is_empty()) {
                p { "Line " (number) ": " code { (shortened(line, LINE_CHARACTERS_MAX)) } }
            }
        }
    }
}

fn help() -> Markup {
    html! {
        details {
            summary { "How it is written" }
            ul {
                li { code { "{{name}}" } " stands for the parameter of that name, in the title and in what steps ask. Put it between quotes." }
                li { "A parameter is of kind " code { "text" } ", " code { "integer" } " (with " code { "min" } " and " code { "max" } "), "
                    code { "choice" } " (with " code { "options" } ") or " code { "boolean" } "." }
                li { "A literal " code { "{{" } " is written " code { "{{{{" } "." }
                li { "In a command a text must be one plain word, so that no value becomes another command." }
                li { "Comments are not kept: what is said for others belongs into " code { "about" } "." }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_new_playbook_begins_with_can_be_saved() {
        let read = yaml_read(EXAMPLE).unwrap();
        assert_eq!((read.parameters.len(), read.steps.len()), (2, 2));
    }
}
