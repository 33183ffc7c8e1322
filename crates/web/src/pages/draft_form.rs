//! A draft as a form: the machine large above it, every step with what it takes, and what it would do there.

use axum::response::Html;
use maud::{Markup, html};
use serde_json::Value;
use tidegate_core::api::{EndpointView, SequenceState, SequenceSummary, SequenceView};
use tidegate_core::estimate::estimate;
use tidegate_core::probe::{ArgumentKind, ArgumentSpec, Catalogue, ProbeSpec, Risk};
use tidegate_core::sequence::{EXPIRES_IN_DEFAULT, SequenceSpec, StepSpec, StopOn, TIMEOUT_DEFAULT};
use tidegate_core::time::Milliseconds;
use tidegate_core::words::{of_sequence_state, one_line, span as spanned};

use super::assets::place as asset;
use super::layout::{Live, Section, page};
use super::machine::{place_of, strip};
use super::moment::Moment;
use super::places::Places;
use super::viewer::{BY_ITSELF, Viewer};
use super::words;
use crate::problem::Problem;

/// Hours that are offered for how long work stays valid.
const EXPIRY_HOURS: [(u64, &str); 6] =
    [(1, "1 hour"), (12, "12 hours"), (24, "1 day"), (72, "3 days"), (168, "7 days"), (720, "30 days")];
/// Arguments with longer text than this are typed into a field of several lines.
const LINE_BYTES_MAX: u32 = 1_000;

/// What the page shows.
pub(super) struct Editor<'a> {
    pub(super) view: &'a SequenceView,
    pub(super) spec: &'a SequenceSpec,
    pub(super) machine: &'a EndpointView,
    pub(super) catalogue: Option<&'a Catalogue>,
    pub(super) others: &'a [SequenceSummary],
    pub(super) places: &'a Places,
    pub(super) moment: &'a Moment,
    pub(super) editing: &'a [String],
    pub(super) problem: Option<&'a Problem>,
}

/// The page.
pub(super) fn page_of(viewer: &Viewer, editor: &Editor<'_>) -> Html<String> {
    let Editor { view, spec, machine, places, moment, .. } = editor;
    let changing = spec.steps.iter().filter(|step| editor.risk(step) != Some(Risk::Observe)).count();
    let main = html! {
        (strip(machine, places, moment))
        h2 { "Draft" }
        p .fine { "Saved with every press, by " (one_line(&view.created_by)) " and whoever opens it. Nothing is sent before you queue it." }
        (others_editing(view, editor.editing, view.revision))
        @if let Some(problem) = editor.problem {
            p .notice .bad role="alert" { strong { (problem.code.title()) ": " } (words::sentence(&problem.detail)) }
        }
        form #draft .stack method="post" action={ "/sequences/" (view.id) "/edit" } data-keep="true" {
            input type="hidden" name="revision" value=(view.revision);
            // Return in a field saves; it does not press the first button, which could move a step.
            button .default name="act" value="save" tabindex="-1" aria-hidden="true" { "Save" }
            label { "Title"
                input name="title" value=(words::in_field(spec.title.as_deref().unwrap_or_default())) maxlength="200"
                    placeholder=(spec.default_title());
            }
            ol .steps data-sortable="true" {
                @for (at, step) in spec.steps.iter().enumerate() { (editor.step(at, step)) }
            }
            (editor.add())
            (editor.conditions())
            (editor.others())
            p { "It takes " (estimate(spec, editor.catalogue).to_string()) "." }
            div .deeds {
                button .primary name="act" value="queue" {
                    @match changing {
                        0 => "Queue for " , 1 => "Queue 1 action for " , _ => { "Queue " (changing) " actions for " }
                    }
                    (one_line(&machine.name))
                }
                button name="act" value="save" { "Save" }
                button name="act" value="playbook" { "Save as a playbook" }
                button .quiet name="act" value="discard" formnovalidate { "Discard the draft" }
            }
            @if changing > 0 {
                p .attention { "! " (changing) @if changing == 1 { " step" } @else { " steps" } " can change the machine." }
            } @else {
                p .fine { "Every step only looks: none can change the machine." }
            }
        }
        script src=(asset("sortable.min.js")) defer {}
    };
    page(viewer, Section::Machines, "Draft", &Live::Never, &main)
}

/// Who else is at it. It asks for itself every ten seconds, which also tells the others of this page.
pub(super) fn others_editing(view: &SequenceView, others: &[String], shown_revision: u64) -> Markup {
    let place = format!("/sequences/{}/others?revision={shown_revision}", view.id);
    let is_old = view.revision != shown_revision || view.state != SequenceState::Draft;
    html! {
        div #others role="status" hx-get=(place) hx-trigger="every 10s" hx-headers=(BY_ITSELF) hx-swap="outerHTML" {
            @if !others.is_empty() {
                p .notice .attention {
                    strong { "! " (one_line(&others.join(", "))) } @if others.len() == 1 { " has" } @else { " have" }
                    " this draft open too."
                }
            }
            @if is_old {
                p .notice .attention {
                    strong { "! Somebody changed it meanwhile. " }
                    a href={ "/sequences/" (view.id) "/edit" } { "Load what they saved" }
                    ": what you typed since your last press is lost then."
                }
            }
        }
    }
}

impl Editor<'_> {
    fn probe(&self, step: &StepSpec) -> Option<&ProbeSpec> {
        self.catalogue.and_then(|catalogue| catalogue.find(&step.probe))
    }

    /// `None`: this machine never told of it.
    fn risk(&self, step: &StepSpec) -> Option<Risk> {
        self.probe(step).map(|probe| probe.risk)
    }

    fn step(&self, at: usize, step: &StepSpec) -> Markup {
        let key = format!("s{at}");
        let wrong = self.catalogue.and_then(|catalogue| catalogue.check(&step.probe, &step.with).err());
        let act = |verb: &str| format!("{verb}.{at}");
        let number = at + 1;
        html! {
            li .step #{ "step-" (number) } {
                fieldset {
                    legend {
                        span .grip aria-hidden="true" title="Drag to move" { "⠿" } " "
                        span .number { (number) } " " (words::label(&step.probe)) " "
                        @match self.risk(step) {
                            Some(Risk::Observe) => span .tag { "check" },
                            Some(Risk::Change) => span .tag .attention { "action: can change the machine" },
                            None => span .tag .attention { "not known to this machine" },
                        }
                    }
                    input type="hidden" name={ (key) ".probe" } value=(step.probe);
                    @if let Some(wrong) = &wrong { p .bad role="alert" { "✗ " (words::sentence(&wrong.to_string())) } }
                    @match self.probe(step) {
                        Some(probe) => {
                            p .fine { (one_line(&probe.about)) }
                            div .fields { @for argument in &probe.arguments { (field(&key, argument, step, probe)) } }
                        }
                        None => {
                            label { "Arguments as JSON"
                                textarea name={ (key) ".json" } rows="3" spellcheck="false" { (Value::Object(step.with.clone()).to_string()) }
                            }
                        }
                    }
                    details {
                        summary { "Limits" }
                        div .fields {
                            label { "Time limit in seconds"
                                input name={ (key) ".timeout_seconds" } type="number" min="1" max="86400"
                                    value=[step.timeout.map(|timeout| timeout.0 / 1_000)]
                                    placeholder=(TIMEOUT_DEFAULT.0 / 1_000);
                            }
                            label .check {
                                input name={ (key) ".rerun" } type="checkbox" checked[step.rerun];
                                " Run once more by itself if it is cut off"
                            }
                        }
                    }
                    div .row role="group" aria-label={ "Step " (number) } {
                        button .small name="act" value=(act("up")) disabled[at == 0] aria-label={ "Move step " (number) " up" } { "↑ Up" }
                        button .small name="act" value=(act("down")) disabled[number == self.spec.steps.len()] aria-label={ "Move step " (number) " down" } { "↓ Down" }
                        button .small name="act" value=(act("copy")) aria-label={ "Copy step " (number) } { "Copy" }
                        button .small name="act" value=(act("remove")) disabled[self.spec.steps.len() == 1] formnovalidate aria-label={ "Remove step " (number) } { "Remove" }
                    }
                }
            }
        }
    }

    fn add(&self) -> Markup {
        let known = self.catalogue.map(|catalogue| catalogue.0.as_slice()).unwrap_or_default();
        html! {
            div .row .add {
                label { "Another step"
                    select name="new_probe" {
                        @for probe in known {
                            option value=(probe.name) title=(one_line(&probe.about)) {
                                (words::label(&probe.name)) @if probe.risk == Risk::Change { " (action)" }
                            }
                        }
                    }
                }
                button name="act" value="add" formnovalidate { "Add the step" }
            }
        }
    }

    fn conditions(&self) -> Markup {
        let spec = self.spec;
        let stops = [
            (None, "As usual: never where every step only looks, else when one fails"),
            (Some(StopOn::Never), "Never: every step runs"),
            (Some(StopOn::Failed), "When a step fails"),
            (Some(StopOn::Attention), "When a step fails or finds something"),
        ];
        html! {
            div .fields {
                (self.expiry())
                label { "Not before"
                    input name="not_before" type="datetime-local" value=[spec.not_before.map(|at| self.moment.typed(at))];
                    span .fine {
                        @match spec.not_before {
                            Some(at) => { "It waits until " (self.moment.planned(at)) "." }
                            None => { "In " (self.moment.zone_name()) ", where it is " (self.moment.at(self.moment.now())) ". May stay empty." }
                        }
                    }
                }
                label { "Stop early"
                    select name="stop_on" {
                        @for (stop, name) in stops {
                            option value=(stop.map(stop_word).unwrap_or_default()) selected[spec.stop_on == stop] { (name) }
                        }
                    }
                }
            }
        }
    }

    /// Until when it may start, in words and as the choice that changes it.
    fn expiry(&self) -> Markup {
        let spec = self.spec;
        let span = spec.expires_in.unwrap_or(EXPIRES_IN_DEFAULT);
        let offered = |hours: u64| Milliseconds(hours.saturating_mul(3_600_000));
        let chosen = EXPIRY_HOURS.iter().find(|(hours, _)| spec.expires_in == Some(offered(*hours)));
        let is_usual = spec.expires_in.is_none() && spec.expires_at.is_none();
        let ends = spec.expires_at.unwrap_or_else(|| self.moment.now().plus(span));
        html! {
            label { "Give up if the machine is not heard within"
                select name="expires_in_hours" {
                    @if chosen.is_none() {
                        // What is not offered stays as it is until another is chosen.
                        option value="" selected {
                            @match (spec.expires_at, spec.expires_in) {
                                (Some(_), _) => "a fixed time, as it was set",
                                (None, Some(span)) => (spanned(span)),
                                (None, None) => { (spanned(EXPIRES_IN_DEFAULT)) ", as usual" }
                            }
                        }
                    }
                    @for (hours, name) in EXPIRY_HOURS {
                        @if !is_usual || offered(hours) != EXPIRES_IN_DEFAULT {
                            option value=(hours) selected[chosen.is_some_and(|(each, _)| *each == hours)] { (name) }
                        }
                    }
                }
                span .fine {
                    @if spec.expires_at.is_none() { "Queued now, it expires " } @else { "It expires " }
                    (self.moment.planned(ends)) ", unless it has started by then."
                }
            }
        }
    }

    /// What else is meant for this machine, and by whom: two people should not look for one fault unknown to each other.
    fn others(&self) -> Markup {
        let others: Vec<_> =
            self.others.iter().filter(|other| !other.state.is_ended() && other.id != self.view.id).collect();
        html! {
            section .card aria-label="Also for this machine" {
                h3 { "Also for this machine" }
                @if others.is_empty() { p .empty-line { "Nothing else is drafted, queued or under way." } }
                ul {
                    @for other in others {
                        li {
                            a href=(place_of(other.id, other.state)) { (one_line(&other.title)) } " "
                            (words::verdict(&of_sequence_state(other.state, other.attention)))
                            ", by " (one_line(&other.created_by))
                            @if other.state == SequenceState::Draft { ", last touched " (self.moment.ago(other.changed_at)) }
                        }
                    }
                }
            }
        }
    }
}

fn stop_word(stop: StopOn) -> &'static str {
    match stop {
        StopOn::Never => "never",
        StopOn::Failed => "failed",
        StopOn::Attention => "attention",
    }
}

/// The field of one argument, with what it takes and an example.
fn field(key: &str, argument: &ArgumentSpec, step: &StepSpec, probe: &ProbeSpec) -> Markup {
    let name = format!("{key}.with.{}", argument.name);
    let value = step.with.get(&argument.name);
    let text = match value {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    };
    let usual = argument.default.as_ref().or_else(|| probe.example.get(&argument.name)).map(words::fact);
    html! {
        label {
            span { (words::label(&argument.name)) @if !argument.required { span .fine { " (may stay empty)" } } }
            @match &argument.kind {
                ArgumentKind::Text { bytes_max } if *bytes_max > LINE_BYTES_MAX => {
                    textarea name=(name) rows="2" maxlength=(bytes_max) required[argument.required] spellcheck="false"
                        placeholder=[usual] { (words::in_area(&text)) }
                }
                ArgumentKind::Text { bytes_max } => {
                    input name=(name) value=(words::in_field(&text)) maxlength=(bytes_max) required[argument.required] spellcheck="false"
                        autocomplete="off" placeholder=[usual];
                }
                ArgumentKind::Integer { min, max } => {
                    input name=(name) value=(text) type="number" min=(min) max=(max) required[argument.required]
                        placeholder=[usual];
                }
                ArgumentKind::Boolean => (choices(&name, &text, argument, &["true", "false"])),
                ArgumentKind::Choice { options } => {
                    (choices(&name, &text, argument, &options.iter().map(String::as_str).collect::<Vec<_>>()))
                }
            }
            span .fine { (one_line(&argument.about)) }
        }
    }
}

fn choices(name: &str, chosen: &str, argument: &ArgumentSpec, options: &[&str]) -> Markup {
    html! {
        select name=(name) {
            @if !argument.required {
                option value="" {
                    "as usual" @if let Some(usual) = &argument.default { " (" (words::fact(usual)) ")" }
                }
            }
            @for option in options { option value=(option) selected[*option == chosen] { (option) } }
        }
    }
}
