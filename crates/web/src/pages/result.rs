//! One sequence: the verdict, what was found, and every step with its times drawn on one line.

use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;
use tidegate_core::api::{
    AttemptView, EndpointView, OutputView, SequenceState, SequenceView, StepState, StepView,
};
use tidegate_core::call::{Answer, Command, EndpointAct, EndpointQuestion, Resource, SequenceAct};
use tidegate_core::id::SequenceId;
use tidegate_core::sequence::Finding;
use tidegate_core::words::{bytes, of_sequence, of_state, of_step, one_line};

use super::form::Form;
use super::layout::{Live, Section, page};
use super::machine;
use super::moment::Moment;
use super::output;
use super::places::Places;
use super::ticket;
use super::timeline;
use super::transcript;
use super::viewer::{Viewer, local};
use super::words;
use crate::Shared;
use crate::call::{ask_endpoint, change_endpoint};
use crate::extract::{Id, Query};
use crate::host::Host;
use crate::problem::Problem;

/// What is looked for in the outputs.
#[derive(Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    find: String,
}

/// The sequence and what came of it.
pub(super) async fn show(
    State(host): State<Shared>,
    viewer: Viewer,
    Id(id): Id<SequenceId>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    let view = read(host.as_ref(), id).await?;
    if view.state == SequenceState::Draft {
        return Ok(Redirect::to(&format!("/sequences/{id}/edit")).into_response());
    }
    let machine = machine::read(host.as_ref(), id.endpoint()).await?;
    let places = Places::read(host.as_ref()).await?;
    let moment = Moment::new(host.now(), places.zone(machine.site_id));
    let find: String = wanted.find.trim().chars().take(100).collect();
    let main = html! {
        (machine::strip(&machine, &places, &moment))
        article .result {
            header .heading {
                h2 .title { (one_line(&view.title)) }
                p .fine {
                    "By " (one_line(&view.created_by)) ", sent " (moment.at(view.queued_at.unwrap_or(view.created_at)))
                    ". Times are " (moment.zone_name()) "."
                }
            }
            p .big { (words::verdict(&of_sequence(&view))) }
            @if let Some(warning) = &view.repeat_warning { p .notice .attention { (words::sentence(warning)) } }
            @if let Some(earlier) = view.retry_of { p .fine { "Repeats " a href={ "/sequences/" (earlier) } { "an earlier one" } "." } }
            (findings(&view))
            (care(&view, &viewer, &moment))
            (deeds(&view))
            (steps(&view, &machine, &moment, &find))
            (notes(&view, &moment))
            (ticket::copy(&view, &machine, &places, &moment))
            p .no-print { a href={ (transcript::place(id.endpoint())) "?sequence=" (id) } { "Transcript: what happened to it, and when" } }
        }
    };
    let live = Live::Machine(id.endpoint().to_string());
    Ok(page(&viewer, Section::Machines, &view.title, &live, &main).into_response())
}

/// What a person does with it.
pub(super) async fn act(
    State(host): State<Shared>,
    viewer: Viewer,
    Id(sequence): Id<SequenceId>,
    form: Form,
) -> Result<Response, Problem> {
    let act = match form.required("act")? {
        "cancel" => SequenceAct::Cancel,
        "retry" => SequenceAct::Retry,
        "release" => SequenceAct::Release,
        "purge" => SequenceAct::Purge,
        "note" => SequenceAct::Note(form.required("text")?.to_owned()),
        "review" => SequenceAct::Review,
        "unreview" => SequenceAct::Unreview,
        "take" => SequenceAct::Assign(Some(viewer.principal.email.clone())),
        "leave" => SequenceAct::Assign(None),
        "run-next" => SequenceAct::RunNext,
        _ => {
            let acts = "cancel, retry, release, purge, note, review, unreview, take, leave or run-next";
            return Err(Problem::invalid(format!("`act` is {acts}")));
        }
    };
    let was_draft = act == SequenceAct::Purge;
    let act = EndpointAct::Sequence { sequence, act };
    let command = Command { by: viewer.principal, idempotency: None, act };
    let changed = change_endpoint(host.as_ref(), sequence.endpoint(), command).await?;
    if let Some(next) = form.text("next") {
        return Ok(Redirect::to(local(Some(next))).into_response());
    }
    let place = match changed {
        // What was given up while it was a draft is nowhere any more.
        Resource::Sequence(view) if was_draft && view.state == SequenceState::Draft => {
            format!("/machines/{}", sequence.endpoint())
        }
        Resource::Sequence(view) => format!("/sequences/{}", view.id),
        _ => format!("/machines/{}", sequence.endpoint()),
    };
    Ok(Redirect::to(&place).into_response())
}

/// One sequence as it is.
pub(super) async fn read(host: &dyn Host, id: SequenceId) -> Result<SequenceView, Problem> {
    match ask_endpoint(host, id.endpoint(), EndpointQuestion::Sequence(id)).await? {
        Answer::Sequence(view) => Ok(*view),
        _ => Err(Problem::unexpected_answer()),
    }
}

/// What needs a person, before everything else.
fn findings(view: &SequenceView) -> Markup {
    let worth = |step: &&StepView| {
        let finding =
            step.attempts.last().and_then(|attempt| attempt.result.as_ref()).map(|result| result.finding);
        finding == Some(Finding::Attention)
            || matches!(
                step.state,
                StepState::Failed
                    | StepState::TimedOut
                    | StepState::Interrupted
                    | StepState::Refused
                    | StepState::Lost
            )
    };
    let found: Vec<_> = view.steps.iter().filter(worth).collect();
    html! {
        @if !found.is_empty() {
            section .findings aria-label="Findings" {
                h3 { "What was found" }
                ul {
                    @for step in found {
                        li {
                            a href={ "#step-" (step.index) } { (words::label(&step.probe)) " " code { (words::arguments(&step.with)) } }
                            " " (words::verdict(&of_step(step)))
                        }
                    }
                }
            }
        }
    }
}

/// Who looked at it and who looks after it.
fn care(view: &SequenceView, viewer: &Viewer, moment: &Moment) -> Markup {
    let is_mine = view.assignee.as_deref() == Some(viewer.principal.email.as_str());
    html! {
        form .care method="post" action={ "/sequences/" (view.id) "/act" } {
            span {
                @match &view.reviewed {
                    Some(reviewed) => { span .good { "✓ Reviewed" } " by " (one_line(&reviewed.by)) ", " (moment.at(reviewed.at)) ". " }
                    None => { @if view.state.is_ended() { "Not reviewed yet. " } }
                }
                @match &view.assignee {
                    Some(assignee) => { strong { (one_line(assignee)) } " looks after it." }
                    None => { "Nobody looks after it." }
                }
            }
            span {
                @if is_mine { button .small name="act" value="leave" { "Give it up" } " " }
                @else { button .small name="act" value="take" { "I look after it" } " " }
                @if view.state.is_ended() {
                    @match view.reviewed {
                        None => button .small name="act" value="review" { "Mark as reviewed" },
                        Some(_) => button .small name="act" value="unreview" { "Not reviewed after all" },
                    }
                }
            }
        }
    }
}

/// What can be done with it now; whatever cannot be undone asks once more.
fn deeds(view: &SequenceView) -> Markup {
    let can_cancel =
        !view.state.is_ended() && !matches!(view.state, SequenceState::Held | SequenceState::Cancelling);
    let place = format!("/sequences/{}/act", view.id);
    let may_run =
        matches!(view.state, SequenceState::Offered | SequenceState::Delivered | SequenceState::Running);
    html! {
        div .deeds {
            @if view.state == SequenceState::Held {
                form method="post" action=(place) {
                    button .primary name="act" value="release" { "Release: run it on this machine" }
                }
                details .confirm {
                    summary .button { "Purge…" }
                    form method="post" action=(place) {
                        p { "It is given up and never runs." }
                        button .danger name="act" value="purge" { "Purge it" }
                    }
                }
            }
            @if can_cancel {
                details .confirm {
                    summary .button { "Cancel…" }
                    form method="post" action=(place) {
                        p {
                            @if may_run {
                                "It may already be running. What runs is stopped when the machine next hears of it; what has run stays in the record."
                            } @else { "It is not sent any more, and stays in the record as cancelled." }
                        }
                        button .danger name="act" value="cancel" { "Cancel it" }
                    }
                }
            }
            @if view.state.is_ended() {
                @match &view.retry_warning {
                    Some(warning) => {
                        details .confirm {
                            summary .button { "Run again…" }
                            form method="post" action=(place) {
                                p { (words::sentence(warning)) }
                                button .danger name="act" value="retry" { "Run it again" }
                            }
                        }
                    }
                    None => { form method="post" action=(place) { button name="act" value="retry" { "Run again" } } }
                }
            }
            a .button href={ "/sequences/" (view.id) "/playbook" } { "Save as a playbook" }
            button .script-only type="button" data-print="true" { "Print" }
        }
    }
}

fn steps(view: &SequenceView, machine: &EndpointView, moment: &Moment, find: &str) -> Markup {
    html! {
        section aria-label="Steps" {
            div .heading {
                h3 { "Steps" }
                form .search method="get" role="search" data-keep="true" {
                    label for="find" { "Find in the outputs" }
                    input #find name="find" type="search" value=(find) maxlength="100";
                    button { "Find" }
                }
            }
            ol .steps {
                @for step in &view.steps {
                    li .step #{ "step-" (step.index) } {
                        h4 {
                            span .number { (step.index) } " "
                            (words::label(&step.probe)) " " code { (words::arguments(&step.with)) }
                        }
                        @if step.attempts.is_empty() { p { (words::verdict(&of_step(step))) } }
                        @for attempt in step.attempts.iter().rev() { (self::attempt(step, attempt, machine, moment, find)) }
                        @if step.attempts.iter().any(|attempt| attempt.result.is_some()) {
                            p .fine.no-print {
                                a href={ "/sequences/" (view.id) "/steps/" (step.index) "/previous" } {
                                    "Compare with the last time" span .hidden-words { ": step " (step.index) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn attempt(
    step: &StepView,
    attempt: &AttemptView,
    machine: &EndpointView,
    moment: &Moment,
    find: &str,
) -> Markup {
    let is_latest = step.attempts.last().is_some_and(|last| last.number == attempt.number);
    let reason = step.reason.as_deref().filter(|_| is_latest);
    html! {
        div .attempt {
            @if step.attempts.len() > 1 { p .fine { "Attempt " (attempt.number) } }
            p { (words::verdict(&of_state(attempt.state, attempt.result.as_ref(), reason))) }
            @if attempt.amended_from.is_some() {
                p .fine { "Told otherwise at first; the machine's own word came later and counts." }
            }
            (timeline::of(attempt, &machine.outages, moment))
            @if let Some(result) = &attempt.result {
                @if !result.data.is_empty() {
                    details {
                        summary { "Details" }
                        dl { @for (name, value) in &result.data { div { dt { (words::label(name)) } dd { (words::fact(value)) } } } }
                    }
                }
                @if let Some(left_out) = &result.left_out {
                    p .fine {
                        "Details and output are left out here: the results of this sequence are too large for one page. "
                        a href={ (transcript::place(machine.id)) "/" (left_out.number) } { "Show this one, " (bytes(left_out.bytes)) }
                    }
                }
                (stream("Output", &result.output, find))
                @if let Some(error_output) = &result.error_output { (stream("Error output", error_output, find)) }
            }
        }
    }
}

fn stream(name: &str, output: &OutputView, find: &str) -> Markup {
    html! {
        @if !output.text.trim().is_empty() {
            figure .output {
                figcaption {
                    (name) ", "
                    @if output.dropped_bytes > 0 {
                        (bytes(output.bytes.saturating_sub(output.dropped_bytes))) " of " (bytes(output.bytes))
                        " here, its beginning and its end; the machine did not keep the rest"
                    } @else { (bytes(output.bytes)) }
                    @if let Some(encoding) = &output.encoding { ", read as " (one_line(encoding)) }
                }
                (output::text(&output.text, find))
            }
        }
    }
}

fn notes(view: &SequenceView, moment: &Moment) -> Markup {
    html! {
        section aria-label="Notes" {
            h3 { "Notes" }
            @for note in &view.notes {
                blockquote {
                    p .plain { (tidegate_core::words::lines(&note.text)) }
                    footer .fine { (one_line(&note.by)) ", " (moment.at(note.at)) }
                }
            }
            form .stack method="post" action={ "/sequences/" (view.id) "/act" } data-keep="true" {
                label { "Add a note for the next shift" textarea name="text" rows="2" maxlength="10000" required {} }
                button name="act" value="note" { "Add the note" }
            }
        }
    }
}
