//! What a person does with a machine itself.

use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use tidegate_core::api::EndpointPatch;
use tidegate_core::call::{Answer, Command, DirectoryQuestion, EndpointAct};
use tidegate_core::id::{EndpointId, JournalId, SiteId};

use crate::Shared;
use crate::call::{act_on_endpoint, ask_directory, change_endpoint};
use crate::extract::Id;
use crate::pages::confirm::Confirmed;
use crate::pages::form::Form;
use crate::pages::viewer::Viewer;
use crate::problem::Problem;

/// Makes the journal that a person chose the machine's own.
pub(in crate::pages) async fn adopt(
    State(host): State<Shared>,
    viewer: Viewer,
    Id(id): Id<EndpointId>,
    form: Form,
) -> Result<Response, Problem> {
    let journal: JournalId = form
        .required("journal")?
        .parse()
        .map_err(|_| Problem::invalid("`journal` is not the id of a journal"))?;
    let command = Command { by: viewer.principal, idempotency: None, act: EndpointAct::Adopt { journal } };
    act_on_endpoint(host.as_ref(), id, command).await?;
    Ok(Redirect::to(&format!("/machines/{id}")).into_response())
}

/// Takes what people call the machine, where it stands and what they sort it by.
pub(in crate::pages) async fn edit(
    State(host): State<Shared>,
    viewer: Viewer,
    Id(id): Id<EndpointId>,
    form: Form,
) -> Result<Response, Problem> {
    let if_match = form
        .required("revision")?
        .parse()
        .map_err(|_| Problem::invalid("`revision` is not a number: load the page again"))?;
    let tags = form.text("tags").unwrap_or_default().split(',').map(str::trim).filter(|tag| !tag.is_empty());
    let site_id: Option<SiteId> = form.text("site").and_then(|site| site.parse().ok());
    let site = match site_id {
        Some(site) => match ask_directory(host.as_ref(), DirectoryQuestion::Site(site)).await? {
            Answer::Site(site) => Some(site),
            _ => return Err(Problem::unexpected_answer()),
        },
        None => None,
    };
    let patch = EndpointPatch {
        name: form.text("name").map(str::to_owned),
        site_id,
        tags: Some(tags.map(str::to_owned).collect()),
    };
    let act = EndpointAct::Edit { if_match, patch, site };
    perform(&host, viewer, id, act).await
}

/// Writes on the machine itself.
pub(in crate::pages) async fn note(
    State(host): State<Shared>,
    viewer: Viewer,
    Id(id): Id<EndpointId>,
    form: Form,
) -> Result<Response, Problem> {
    perform(&host, viewer, id, EndpointAct::Note(form.required("text")?.to_owned())).await
}

/// Tells the machine to stop and remove itself.
pub(in crate::pages) async fn retire(
    State(host): State<Shared>,
    Id(id): Id<EndpointId>,
    Confirmed { viewer, form: _ }: Confirmed,
) -> Result<Response, Problem> {
    perform(&host, viewer, id, EndpointAct::Retire).await
}

/// Believes nothing more that comes with the machine's key.
pub(in crate::pages) async fn revoke(
    State(host): State<Shared>,
    Id(id): Id<EndpointId>,
    Confirmed { viewer, form: _ }: Confirmed,
) -> Result<Response, Problem> {
    perform(&host, viewer, id, EndpointAct::Revoke).await
}

/// Does it and goes back to the machine's page.
async fn perform(
    host: &Shared,
    viewer: Viewer,
    id: EndpointId,
    act: EndpointAct,
) -> Result<Response, Problem> {
    let command = Command { by: viewer.principal, idempotency: None, act };
    change_endpoint(host.as_ref(), id, command).await?;
    Ok(Redirect::to(&format!("/machines/{id}")).into_response())
}
