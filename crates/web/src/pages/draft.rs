//! A draft: steps as forms made of what this very machine can do, added, copied, moved and removed.
//!
//! Every press sends the whole form and saves it, so nothing that was typed is lost between two of them. The steps come
//! in the order in which they stand on the page: dragging one needs no more than that.

use axum::extract::State;
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use serde::Deserialize;
use tidegate_core::api::{NewSequence, SequencePatch, SequenceState, SequenceView};
use tidegate_core::call::{Command, EndpointAct, Principal, Resource, SequenceAct};
use tidegate_core::error::Code;
use tidegate_core::id::{EndpointId, SequenceId};
use tidegate_core::probe::Catalogue;
use tidegate_core::sequence::{SequenceSpec, StepSpec};
use tidegate_core::time::Timestamp;

use super::draft_form::{self, Editor};
use super::draft_read;
use super::form::Form;
use super::machine;
use super::moment::Moment;
use super::places::Places;
use super::result;
use super::viewer::Viewer;
use crate::Shared;
use crate::call::change_endpoint;
use crate::extract::{Id, NoQuery, Query};
use crate::host::Host;
use crate::problem::Problem;

/// Which state of the draft a page shows.
#[derive(Deserialize)]
pub(super) struct Seen {
    revision: u64,
}

/// Begins a draft with one check, filled in with its example.
pub(super) async fn create(
    State(host): State<Shared>,
    viewer: Viewer,
    Id(endpoint): Id<EndpointId>,
    form: Form,
) -> Result<Response, Problem> {
    let catalogue = machine::probes(host.as_ref(), endpoint).await?;
    let step = example(catalogue.as_ref(), form.required("probe")?)?;
    let spec = SequenceSpec {
        title: None,
        steps: vec![step],
        stop_on: None,
        expires_in: None,
        expires_at: None,
        not_before: None,
        playbook: None,
    };
    let act = EndpointAct::CreateSequence(Box::new(NewSequence { spec, draft: true }));
    match change_endpoint(host.as_ref(), endpoint, command(&viewer.principal, act)).await? {
        Resource::Sequence(view) => Ok(edit_place(view.id, "")),
        _ => Err(Problem::unexpected_answer()),
    }
}

/// The draft as it is saved.
pub(super) async fn show(
    State(host): State<Shared>,
    viewer: Viewer,
    Id(id): Id<SequenceId>,
    _: NoQuery,
) -> Result<Response, Problem> {
    let view = result::read(host.as_ref(), id).await?;
    let Some(spec) = view.draft.clone().filter(|_| view.state == SequenceState::Draft) else {
        return Ok(Redirect::to(&format!("/sequences/{id}")).into_response());
    };
    render(host.as_ref(), &viewer, &view, &spec, None).await
}

/// Saves what stands on the page, then does what was pressed.
pub(super) async fn submit(
    State(host): State<Shared>,
    viewer: Viewer,
    Id(id): Id<SequenceId>,
    form: Form,
) -> Result<Response, Problem> {
    let view = result::read(host.as_ref(), id).await?;
    if view.state != SequenceState::Draft {
        return Ok(Redirect::to(&format!("/sequences/{id}")).into_response());
    }
    let pressed = form.text("act").unwrap_or("save").to_owned();
    if pressed == "discard" {
        let act = EndpointAct::Sequence { sequence: id, act: SequenceAct::Purge };
        change_endpoint(host.as_ref(), id.endpoint(), command(&viewer.principal, act)).await?;
        return Ok(Redirect::to(&format!("/machines/{}", id.endpoint())).into_response());
    }
    let catalogue = machine::probes(host.as_ref(), id.endpoint()).await?;
    let mut spec = draft_read::spec(&form, catalogue.as_ref(), view.draft.as_ref())?;
    let not_before = earliest(host.as_ref(), &form, &view).await?;
    let arranged = not_before.and_then(|not_before| {
        spec.not_before = not_before;
        rearrange(&mut spec.steps, &pressed, &form, catalogue.as_ref())
    });
    let place = match arranged {
        Ok(place) => place,
        Err(problem) => return refused(host.as_ref(), &viewer, &view, &spec, &problem).await,
    };
    match save(host.as_ref(), &viewer.principal, &view, &spec, &form, pressed == "queue").await {
        Ok(()) if pressed == "queue" => Ok(Redirect::to(&format!("/sequences/{id}")).into_response()),
        Ok(()) if pressed == "playbook" => {
            Ok(Redirect::to(&format!("/sequences/{id}/playbook")).into_response())
        }
        Ok(()) => Ok(edit_place(id, &place)),
        Err(problem) if shows_in_form(problem.code) => {
            let now = result::read(host.as_ref(), id).await?;
            refused(host.as_ref(), &viewer, &now, &spec, &problem).await
        }
        Err(problem) => Err(problem),
    }
}

/// Who else has the draft open, and whether they saved something since: a part of the page that asks for itself.
pub(super) async fn others(
    State(host): State<Shared>,
    viewer: Viewer,
    Id(id): Id<SequenceId>,
    Query(seen): Query<Seen>,
) -> Result<Html<String>, Problem> {
    let view = result::read(host.as_ref(), id).await?;
    let others = host.editing(id, &viewer.principal.email);
    Ok(Html(draft_form::others_editing(&view, &others, seen.revision).into_string()))
}

/// What a person mends on the page; everything else is a page of its own.
fn shows_in_form(code: Code) -> bool {
    matches!(
        code,
        Code::RevisionMismatch
            | Code::InvalidSequence
            | Code::InvalidRequest
            | Code::QueueFull
            | Code::Conflict
    )
}

async fn save(
    host: &dyn Host,
    by: &Principal,
    view: &SequenceView,
    spec: &SequenceSpec,
    form: &Form,
    then_queue: bool,
) -> Result<(), Problem> {
    let (endpoint, sequence) = (view.endpoint_id, view.id);
    if view.draft.as_ref() != Some(spec) {
        let seen = form.required("revision")?;
        let if_match =
            seen.parse().map_err(|_| Problem::invalid("`revision` is not a number: load the page again"))?;
        let patch = SequencePatch {
            title: Some(spec.title.clone()),
            steps: Some(spec.steps.clone()),
            stop_on: Some(spec.stop_on),
            expires_in: spec.expires_in,
            expires_at: spec.expires_at,
            not_before: Some(spec.not_before),
        };
        let act = EndpointAct::EditSequence { sequence, if_match, patch: Box::new(patch) };
        change_endpoint(host, endpoint, command(by, act)).await?;
    }
    if then_queue {
        let act = EndpointAct::Sequence { sequence, act: SequenceAct::Queue };
        change_endpoint(host, endpoint, command(by, act)).await?;
    }
    Ok(())
}

/// The earliest start that the form says, or what is wrong with it.
async fn earliest(
    host: &dyn Host,
    form: &Form,
    view: &SequenceView,
) -> Result<Result<Option<Timestamp>, Problem>, Problem> {
    let machine = machine::read(host, view.endpoint_id).await?;
    let places = Places::read(host).await?;
    let moment = Moment::new(host.now(), places.zone(machine.site_id));
    let saved = view.draft.as_ref().and_then(|draft| draft.not_before);
    Ok(draft_read::not_before(form, saved, &moment))
}

/// Does what was pressed to the steps, and answers where on the page one goes on.
fn rearrange(
    steps: &mut Vec<StepSpec>,
    pressed: &str,
    form: &Form,
    catalogue: Option<&Catalogue>,
) -> Result<String, Problem> {
    let (verb, at) = match pressed.split_once('.') {
        Some((verb, at)) => (verb, at.parse::<usize>().ok().filter(|at| *at < steps.len())),
        None => (pressed, None),
    };
    let shown = match (verb, at) {
        ("up", Some(at)) if at > 0 => {
            steps.swap(at, at - 1);
            at - 1
        }
        ("down", Some(at)) if at + 1 < steps.len() => {
            steps.swap(at, at + 1);
            at + 1
        }
        ("copy", Some(at)) => {
            steps.insert(at + 1, steps[at].clone());
            at + 1
        }
        ("remove", Some(at)) if steps.len() > 1 => {
            steps.remove(at);
            at.min(steps.len() - 1)
        }
        ("remove", Some(_)) => {
            let detail = "a sequence has at least one step: add another first, or discard the draft";
            return Err(Problem::invalid(detail));
        }
        ("add", _) => {
            steps.push(example(catalogue, form.required("new_probe")?)?);
            steps.len() - 1
        }
        _ => return Ok(String::new()),
    };
    Ok(format!("#step-{}", shown + 1))
}

/// A step of that name as its probe's example has it.
fn example(catalogue: Option<&Catalogue>, probe: &str) -> Result<StepSpec, Problem> {
    let found = catalogue.and_then(|catalogue| catalogue.find(probe));
    let Some(found) = found else {
        return Err(Problem::new(
            Code::InvalidSequence,
            format!(
                "this machine has not told of a check called `{}`",
                probe.chars().take(64).collect::<String>()
            ),
        ));
    };
    Ok(StepSpec { probe: found.name.clone(), with: found.example.clone(), timeout: None, rerun: false })
}

/// The page with what was typed, what is wrong, and the status of that.
async fn refused(
    host: &dyn Host,
    viewer: &Viewer,
    view: &SequenceView,
    spec: &SequenceSpec,
    problem: &Problem,
) -> Result<Response, Problem> {
    let mut response = render(host, viewer, view, spec, Some(problem)).await?;
    *response.status_mut() = problem.status();
    Ok(response)
}

async fn render(
    host: &dyn Host,
    viewer: &Viewer,
    view: &SequenceView,
    spec: &SequenceSpec,
    problem: Option<&Problem>,
) -> Result<Response, Problem> {
    let endpoint = view.endpoint_id;
    let machine = machine::read(host, endpoint).await?;
    let catalogue = machine::probes(host, endpoint).await?;
    let others = machine::sequences(host, endpoint).await?;
    let places = Places::read(host).await?;
    let moment = Moment::new(host.now(), places.zone(machine.site_id));
    let editor = Editor {
        view,
        spec,
        machine: &machine,
        catalogue: catalogue.as_ref(),
        others: &others,
        places: &places,
        moment: &moment,
        editing: &host.editing(view.id, &viewer.principal.email),
        problem,
    };
    Ok(draft_form::page_of(viewer, &editor).into_response())
}

fn command(by: &Principal, act: EndpointAct) -> Command<EndpointAct> {
    Command { by: by.clone(), idempotency: None, act }
}

fn edit_place(id: SequenceId, place: &str) -> Response {
    Redirect::to(&format!("/sequences/{id}/edit{place}")).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(names: &[&str]) -> Vec<StepSpec> {
        let step = |name: &&str| StepSpec {
            probe: (*name).to_owned(),
            with: serde_json::Map::new(),
            timeout: None,
            rerun: false,
        };
        names.iter().map(step).collect()
    }

    fn after(pressed: &str) -> (String, String) {
        let mut all = steps(&["a", "b", "c"]);
        let place =
            rearrange(&mut all, pressed, &Form::default(), None).unwrap_or_else(|problem| problem.detail);
        (all.iter().map(|step| step.probe.as_str()).collect(), place)
    }

    #[test]
    fn a_press_moves_copies_and_removes_and_leads_to_the_step() {
        assert_eq!(after("up.2"), ("acb".into(), "#step-2".into()));
        assert_eq!(after("down.0"), ("bac".into(), "#step-2".into()));
        assert_eq!(after("copy.1"), ("abbc".into(), "#step-3".into()));
        assert_eq!(after("remove.2"), ("ab".into(), "#step-2".into()));
        for nothing in ["up.0", "down.2", "up.9", "copy.x", "save", "", "remove"] {
            assert_eq!(after(nothing), ("abc".into(), String::new()), "{nothing}");
        }
    }

    #[test]
    fn the_last_step_is_not_removed() {
        let mut one = steps(&["a"]);
        let refused = rearrange(&mut one, "remove.0", &Form::default(), None).unwrap_err();
        assert!(refused.detail.contains("discard"), "{}", refused.detail);
        assert_eq!(one.len(), 1);
    }
}
