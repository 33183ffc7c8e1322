//! Playbooks: sequences with a name, to be filled in for a machine and looked through as a draft.

use axum::extract::State;
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use maud::{Markup, html};
use serde_json::Map;
use tidegate_core::api::{NewSequence, Paging, PlaybookSummary, PlaybookValues, PlaybookView};
use tidegate_core::call::{Answer, Command, DirectoryQuestion, EndpointAct, Resource};
use tidegate_core::id::{EndpointId, PlaybookId};
use tidegate_core::playbook::Parameter;
use tidegate_core::words::one_line;

use super::form::Form;
use super::layout::{Live, Section, page};
use super::moment::Moment;
use super::viewer::Viewer;
use super::words;
use crate::Shared;
use crate::call::{ask_directory, change_endpoint};
use crate::extract::{Id, NoQuery};
use crate::host::Host;
use crate::problem::Problem;

/// Playbooks that are listed; an MSP has dozens.
const LISTED_MAX: u32 = 200;

/// All of them.
pub(super) async fn show(
    State(host): State<Shared>,
    viewer: Viewer,
    _: NoQuery,
) -> Result<Html<String>, Problem> {
    let playbooks = list(host.as_ref()).await?;
    let moment = Moment::utc(host.now());
    let main = html! {
        h1 { "Playbooks" }
        p .lead { "Checks that belong together, with a name. Open one from a machine's page: it becomes a draft there." }
        @if playbooks.is_empty() {
            div .empty {
                h2 { "No playbooks" }
                p { "Bring one with " code { "tidegate playbooks import FILE" } "." }
            }
        }
        ol .cards {
            @for playbook in &playbooks {
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
        p .fine { "To change one: " code { "tidegate playbooks export NAME --out FILE" } ", edit it, and " code { "import" } " it again; every version is kept." }
    };
    Ok(page(&viewer, Section::Playbooks, "Playbooks", &Live::Never, &main))
}

/// One, with its steps.
pub(super) async fn one(
    State(host): State<Shared>,
    viewer: Viewer,
    Id(id): Id<PlaybookId>,
    _: NoQuery,
) -> Result<Html<String>, Problem> {
    let view = read(host.as_ref(), id).await?;
    let moment = Moment::utc(host.now());
    let main = html! {
        p .path { a href="/playbooks" { "Playbooks" } }
        h1 { (one_line(&view.spec.name)) }
        p .lead { (one_line(&view.spec.about)) }
        p .fine { "Version " (view.version) ", saved by " (one_line(&view.saved_by)) " " (moment.ago(view.saved_at)) }
        @if !view.spec.parameters.is_empty() {
            h2 { "What it asks for" }
            dl { @for parameter in &view.spec.parameters { div { dt { (words::label(&parameter.name)) } dd { (one_line(&parameter.about)) } } } }
        }
        h2 { "Steps" }
        ol .cards {
            @for (at, step) in view.spec.steps.iter().enumerate() {
                li .card { span .number { (at + 1) } " " (words::label(&step.probe)) " " code { (words::arguments(&step.with)) } }
            }
        }
        p { a .button .primary href="/machines" { "Choose a machine for it" } }
    };
    Ok(page(&viewer, Section::Playbooks, &view.spec.name, &Live::Never, &main))
}

/// The form that asks for a playbook's parameters on a machine's page.
pub(super) async fn choose(
    State(host): State<Shared>,
    viewer: Viewer,
    Id(endpoint): Id<EndpointId>,
    form: Form,
) -> Result<Response, Problem> {
    let id: PlaybookId = form
        .required("playbook")?
        .parse()
        .map_err(|_| Problem::invalid("`playbook` is not the id of a playbook"))?;
    let view = read(host.as_ref(), id).await?;
    if form.text("filled").is_none() && !view.spec.parameters.is_empty() {
        return Ok(asks(&viewer, endpoint, &view, &form, None).into_response());
    }
    let mut values = Map::new();
    for parameter in &view.spec.parameters {
        if let Some(text) = form.text(&format!("with.{}", parameter.name)) {
            values.insert(parameter.name.clone(), parameter.read(text));
        }
    }
    let wanted = PlaybookValues { version: Some(view.version), values };
    let question = DirectoryQuestion::FillPlaybook { playbook: id, values: Box::new(wanted) };
    let spec = match ask_directory(host.as_ref(), question).await {
        Ok(Answer::Filled(spec)) => *spec,
        Ok(_) => return Err(Problem::unexpected_answer()),
        Err(problem) if problem.status().is_client_error() => {
            let status = problem.status();
            let mut response = asks(&viewer, endpoint, &view, &form, Some(&problem)).into_response();
            *response.status_mut() = status;
            return Ok(response);
        }
        Err(problem) => return Err(problem),
    };
    let act = EndpointAct::CreateSequence(Box::new(NewSequence { spec, draft: true }));
    let command = Command { by: viewer.principal, idempotency: None, act };
    match change_endpoint(host.as_ref(), endpoint, command).await? {
        Resource::Sequence(view) => Ok(Redirect::to(&format!("/sequences/{}/edit", view.id)).into_response()),
        _ => Err(Problem::unexpected_answer()),
    }
}

/// Those that can be chosen.
pub(super) async fn list(host: &dyn Host) -> Result<Vec<PlaybookSummary>, Problem> {
    let paging = Paging { cursor: None, limit: LISTED_MAX };
    match ask_directory(host, DirectoryQuestion::Playbooks { archived: false, paging }).await? {
        Answer::Playbooks(page) => Ok(page.items),
        _ => Err(Problem::unexpected_answer()),
    }
}

async fn read(host: &dyn Host, playbook: PlaybookId) -> Result<PlaybookView, Problem> {
    match ask_directory(host, DirectoryQuestion::Playbook { playbook, version: None }).await? {
        Answer::Playbook(view) => Ok(*view),
        _ => Err(Problem::unexpected_answer()),
    }
}

fn asks(
    viewer: &Viewer,
    endpoint: EndpointId,
    view: &PlaybookView,
    form: &Form,
    problem: Option<&Problem>,
) -> Html<String> {
    let main = html! {
        p .path { a href={ "/machines/" (endpoint) } { "Back to the machine" } }
        h1 { (one_line(&view.spec.name)) }
        p .lead { (one_line(&view.spec.about)) }
        @if let Some(problem) = problem { p .notice .bad role="alert" { (words::sentence(&problem.detail)) } }
        form .stack method="post" action={ "/machines/" (endpoint) "/playbook" } {
            input type="hidden" name="playbook" value=(view.id);
            input type="hidden" name="filled" value="1";
            @for parameter in &view.spec.parameters { (field(parameter, form)) }
            button .primary { "Make the draft" }
        }
        p .fine { "Nothing is sent before you queue it." }
    };
    page(viewer, Section::Machines, &view.spec.name, &Live::Never, &main)
}

fn field(parameter: &Parameter, form: &Form) -> Markup {
    let name = format!("with.{}", parameter.name);
    let typed = form.raw(&name).map(str::to_owned);
    let value = typed.or_else(|| parameter.default.as_ref().map(words::fact)).unwrap_or_default();
    html! {
        label {
            (words::label(&parameter.name))
            input name=(name) value=(value) placeholder=[parameter.example.as_ref().map(words::fact)]
                required[parameter.required && parameter.default.is_none()] autocomplete="off" spellcheck="false";
            span .fine { (words::sentence(&parameter.about)) " It is " (one_line(&parameter.expected())) "." }
        }
    }
}
