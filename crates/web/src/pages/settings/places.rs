//! Clients and their sites: whose machines there are, where they stand, and the time that is kept there.

use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::html;
use tidegate_core::api::{NewClient, NewSite, SitePatch};
use tidegate_core::call::DirectoryAct;
use tidegate_core::id::{ClientId, SiteId};
use tidegate_core::window::{Window, read_windows};

use super::places_list::{client_card, name_field, new_site_place};
use super::{Tab, settings};
use crate::Shared;
use crate::call::change_directory;
use crate::extract::{Id, NoQuery};
use crate::host::Host;
use crate::pages::form::Form;
use crate::pages::places::Places;
use crate::pages::viewer::Viewer;
use crate::pages::wrong::Wrong;
use crate::pages::zones;
use crate::problem::Problem;
use crate::site_zone;

/// The form that makes a client.
const NEW_CLIENT: &str = "new-client";

/// All of them.
pub(super) async fn show(
    State(host): State<Shared>,
    viewer: Viewer,
    _: NoQuery,
) -> Result<Response, Problem> {
    render(host.as_ref(), &viewer, &Wrong::nothing()).await
}

/// Makes a client.
pub(super) async fn make_client(
    State(host): State<Shared>,
    viewer: Viewer,
    form: Form,
) -> Result<Response, Problem> {
    let act = DirectoryAct::CreateClient(NewClient { name: name(&form) });
    let done = change_directory(host.as_ref(), &viewer.principal, act).await;
    answer(host.as_ref(), &viewer, done.map(drop), NEW_CLIENT, &form).await
}

/// Renames a client.
pub(super) async fn rename_client(
    State(host): State<Shared>,
    viewer: Viewer,
    Id(client): Id<ClientId>,
    form: Form,
) -> Result<Response, Problem> {
    let act = DirectoryAct::RenameClient { client, name: name(&form) };
    let done = change_directory(host.as_ref(), &viewer.principal, act).await;
    answer(host.as_ref(), &viewer, done.map(drop), &client.to_string(), &form).await
}

/// Makes a site of a client.
pub(super) async fn make_site(
    State(host): State<Shared>,
    viewer: Viewer,
    Id(client): Id<ClientId>,
    form: Form,
) -> Result<Response, Problem> {
    let done = site_make(host.as_ref(), &viewer, client, &form).await;
    answer(host.as_ref(), &viewer, done, &new_site_place(client), &form).await
}

/// Edits a site's name and its time zone, and tells its machines.
pub(super) async fn edit_site(
    State(host): State<Shared>,
    viewer: Viewer,
    Id(site): Id<SiteId>,
    form: Form,
) -> Result<Response, Problem> {
    let done = site_edit(host.as_ref(), &viewer, site, &form).await;
    answer(host.as_ref(), &viewer, done, &site.to_string(), &form).await
}

async fn site_make(
    host: &dyn Host,
    viewer: &Viewer,
    client_id: ClientId,
    form: &Form,
) -> Result<(), Problem> {
    let time_zone = Some(zones::checked(form.text("time_zone").unwrap_or("UTC"))?);
    let windows = windows(form)?.unwrap_or_default();
    let act = DirectoryAct::CreateSite(NewSite { client_id, name: name(form), time_zone, windows });
    change_directory(host, &viewer.principal, act).await.map(drop)
}

async fn site_edit(host: &dyn Host, viewer: &Viewer, site: SiteId, form: &Form) -> Result<(), Problem> {
    let time_zone = Some(zones::checked(form.text("time_zone").unwrap_or("UTC"))?);
    let patch = SitePatch { name: Some(name(form)), time_zone, windows: windows(form)? };
    change_directory(host, &viewer.principal, DirectoryAct::EditSite { site, patch }).await?;
    site_zone::follow(host, &viewer.principal, site).await?;
    Ok(())
}

/// An absent name is refused by the directory in its own words.
fn name(form: &Form) -> String {
    form.text("name").unwrap_or_default().to_owned()
}

/// What is typed of maintenance windows; an empty field plans none, an absent one says nothing.
fn windows(form: &Form) -> Result<Option<Vec<Window>>, Problem> {
    Ok(form.text("windows").map(read_windows).transpose()?)
}

async fn answer(
    host: &dyn Host,
    viewer: &Viewer,
    done: Result<(), Problem>,
    place: &str,
    form: &Form,
) -> Result<Response, Problem> {
    match done {
        Ok(()) => Ok(Redirect::to("/settings/places").into_response()),
        Err(problem) => render(host, viewer, &Wrong::at(place, &problem, form)?).await,
    }
}

async fn render(host: &dyn Host, viewer: &Viewer, wrong: &Wrong<'_>) -> Result<Response, Problem> {
    let places = Places::read(host).await?;
    let clients = places.tree();
    let main = html! {
        h1 { "Clients and sites" }
        p {
            "Every machine belongs to a site, and every site to a client. A site's time zone is how times of its machines read, "
            "with UTC on hover. Changing it changes no plan: what waits for a time runs at the same moment as before. Its maintenance "
            "windows say when its machines are expected to be reached; one that is reached at another time is served all the same."
        }
        @if clients.is_empty() {
            div .empty {
                h2 { "No clients yet" }
                p { "A client is whoever the machines belong to. Name the first one below, then its sites: plants, halls, shops." }
            }
        }
        @for (client, sites) in &clients { (client_card(client, sites, host.now(), wrong)) }
        section .card aria-label="A new client" {
            h2 { "A new client" }
            (wrong.told(NEW_CLIENT))
            form .row method="post" action="/settings/clients" {
                (name_field(NEW_CLIENT, "Name", "", "Nordwerk", wrong))
                button { "Make the client" }
            }
        }
        (zones::list())
    };
    Ok(wrong.answer(settings(viewer, Tab::Places, &main)))
}
