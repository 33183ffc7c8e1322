//! A sequence that proved itself, kept as a playbook.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use maud::{Markup, html};
use tidegate_core::api::{SequenceState, SequenceView, StepView};
use tidegate_core::id::SequenceId;
use tidegate_core::playbook::{ABOUT_BYTES_MAX, NAME_BYTES_MAX, PlaybookSpec, of_sequence};
use tidegate_core::sequence::{SequenceSpec, StepSpec, TIMEOUT_DEFAULT};
use tidegate_core::words::one_line;

use super::one::place;
use super::store::{Over, Standing, shows_in_form, store, told};
use crate::Shared;
use crate::extract::{Id, NoQuery};
use crate::host::Host;
use crate::pages::form::Form;
use crate::pages::layout::{Live, Section, page};
use crate::pages::moment::Moment;
use crate::pages::viewer::Viewer;
use crate::pages::{result, words};
use crate::problem::Problem;

/// The form.
pub(super) async fn show(
    State(host): State<Shared>,
    viewer: Viewer,
    Id(id): Id<SequenceId>,
    _: NoQuery,
) -> Result<Response, Problem> {
    let view = result::read(host.as_ref(), id).await?;
    let kept = kept(&view, name_of(&view.title), String::new());
    let main = main_of(&view, &kept, &html! {});
    Ok(page(&viewer, Section::Playbooks, "Save as a playbook", &Live::Never, &main).into_response())
}

/// Makes the playbook, or the next version of the one that has the name.
pub(super) async fn submit(
    State(host): State<Shared>,
    viewer: Viewer,
    Id(id): Id<SequenceId>,
    form: Form,
) -> Result<Response, Problem> {
    let host: &dyn Host = host.as_ref();
    let view = result::read(host, id).await?;
    // Browsers send lines with CRLF; a description is one paragraph.
    let about = form.text("about").unwrap_or_default().replace("\r\n", "\n");
    let kept = kept(&view, form.text("name").unwrap_or_default().to_owned(), about);
    let over = Over::read(&form)?;
    let problem = match store(host, &viewer.principal, kept.clone(), over).await {
        Ok(playbook) => return Ok(place(playbook)),
        Err(problem) if shows_in_form(problem.code) => problem,
        Err(problem) => return Err(problem),
    };
    let standing = Standing::find(host, &problem, over, &kept.name).await?;
    let told = told(&problem, standing.as_ref(), &Moment::utc(host.now()));
    let main = main_of(&view, &kept, &told);
    let mut response =
        page(&viewer, Section::Playbooks, "Save as a playbook", &Live::Never, &main).into_response();
    *response.status_mut() = problem.status();
    Ok(response)
}

/// What the sequence asked for, under that name.
fn kept(view: &SequenceView, name: String, about: String) -> PlaybookSpec {
    let asked = match &view.draft {
        Some(draft) if view.state == SequenceState::Draft => draft.clone(),
        _ => SequenceSpec {
            title: Some(view.title.clone()),
            steps: view.steps.iter().map(step).collect(),
            stop_on: Some(view.stop_on),
            expires_in: None,
            expires_at: None,
            not_before: None,
            playbook: None,
        },
    };
    of_sequence(&asked, name, about)
}

fn step(step: &StepView) -> StepSpec {
    StepSpec {
        probe: step.probe.clone(),
        with: step.with.clone(),
        timeout: Some(step.timeout).filter(|timeout| *timeout != TIMEOUT_DEFAULT),
        rerun: step.rerun,
    }
}

/// As much of a title as a name may hold.
fn name_of(title: &str) -> String {
    let end = (0..=NAME_BYTES_MAX.min(title.len())).rev().find(|at| title.is_char_boundary(*at));
    title[..end.unwrap_or_default()].trim().to_owned()
}

fn main_of(view: &SequenceView, kept: &PlaybookSpec, told: &Markup) -> Markup {
    let (from, back) = match view.state {
        SequenceState::Draft => ("the draft", format!("/sequences/{}/edit", view.id)),
        _ => ("the sequence", format!("/sequences/{}", view.id)),
    };
    html! {
        p .path { a href=(back) { "Back to " (from) } }
        h1 { "Save as a playbook" }
        p .lead {
            "The " (words::count(kept.steps.len(), "step")) " of " strong { (one_line(&view.title)) }
            ", to be used again on any machine."
        }
        form .stack method="post" action={ "/sequences/" (view.id) "/playbook" } {
            // Return never presses what saves over somebody else's version.
            button .default tabindex="-1" aria-hidden="true" { "Save" }
            (told)
            label { "Name"
                input name="name" required maxlength=(NAME_BYTES_MAX) autocomplete="off" value=(kept.name);
            }
            label { "What it is for" span .fine { " (may stay empty)" }
                textarea name="about" rows="2" maxlength=(ABOUT_BYTES_MAX) { "\n" (kept.about) }
            }
            div .deeds {
                button .primary { "Save the playbook" }
                a .button .quiet href=(back) { "Cancel" }
            }
        }
        h2 { "Steps" }
        ol .cards {
            @for (at, step) in kept.steps.iter().enumerate() {
                li .card { span .number { (at + 1) } " " (words::label(&step.probe)) " " code { (words::arguments(&step.with)) } }
            }
        }
        p .fine { "It asks for nothing yet. Edit it then, to put " code { "{{names}}" } " in place of what differs from machine to machine." }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_title_becomes_a_name_that_can_be_saved() {
        assert_eq!(name_of(" Pump "), "Pump");
        let long = name_of(&"é".repeat(90));
        assert_eq!(long, "é".repeat(50));
    }
}
