//! A playbook filled in for a machine: what it asks for, and the draft that it becomes.

use axum::extract::State;
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use maud::{Markup, html};
use serde_json::Map;
use tidegate_core::api::{NewSequence, PlaybookValues, PlaybookView};
use tidegate_core::call::{Answer, Command, DirectoryQuestion, EndpointAct, Resource};
use tidegate_core::id::{EndpointId, PlaybookId};
use tidegate_core::playbook::Parameter;
use tidegate_core::words::one_line;

use super::read;
use crate::Shared;
use crate::call::{ask_directory, change_endpoint};
use crate::extract::Id;
use crate::pages::form::Form;
use crate::pages::layout::{Live, Section, page};
use crate::pages::viewer::Viewer;
use crate::pages::words;
use crate::problem::Problem;

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
    let view = read(host.as_ref(), id, None).await?;
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
