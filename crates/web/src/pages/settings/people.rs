//! People: invited with a one-time link, deactivated when they leave.

use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;
use tidegate_core::api::PersonView;
use tidegate_core::call::{Answer, DirectoryAct, DirectoryQuestion, Resource};
use tidegate_core::directory::token_digest;
use tidegate_core::id::PersonId;

use super::people_list::{self, INVITATION, NewLink};
use super::{Tab, settings};
use crate::Shared;
use crate::auth::token_secret;
use crate::call::{ask_directory, change_directory};
use crate::extract::{Id, Query, paging, present};
use crate::host::Host;
use crate::pages::confirm::Confirmed;
use crate::pages::form::Form;
use crate::pages::moment::Moment;
use crate::pages::own_address::OwnAddress;
use crate::pages::viewer::Viewer;
use crate::pages::wrong::Wrong;
use crate::problem::Problem;

/// People on one page.
const LIMIT: u32 = 100;

/// Which page.
#[derive(Default, Deserialize)]
pub(super) struct Wanted {
    #[serde(default, deserialize_with = "present")]
    cursor: Option<String>,
}

/// The list.
pub(super) async fn show(
    State(host): State<Shared>,
    viewer: Viewer,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    render(host.as_ref(), &viewer, wanted, &Wrong::nothing(), None).await
}

/// Makes a person, and shows their sign-in link once.
pub(super) async fn invite(
    State(host): State<Shared>,
    address: OwnAddress,
    Confirmed { viewer, form }: Confirmed,
) -> Result<Response, Problem> {
    let secret = token_secret(host.entropy());
    let email = form.text("email").unwrap_or_default().to_owned();
    let act = DirectoryAct::InvitePerson { email, sign_in: token_digest(&secret) };
    match person(host.as_ref(), &viewer, act).await {
        Ok(person) => linked(host.as_ref(), &viewer, &person, &address, &secret).await,
        Err(problem) => refused(host.as_ref(), &viewer, INVITATION, &problem, &form).await,
    }
}

/// Makes another link for a person, and shows it once.
pub(super) async fn make_link(
    State(host): State<Shared>,
    Id(id): Id<PersonId>,
    address: OwnAddress,
    Confirmed { viewer, form }: Confirmed,
) -> Result<Response, Problem> {
    let secret = token_secret(host.entropy());
    let act = DirectoryAct::MakeSignInLink { person: id, sign_in: token_digest(&secret) };
    match person(host.as_ref(), &viewer, act).await {
        Ok(person) => linked(host.as_ref(), &viewer, &person, &address, &secret).await,
        Err(problem) => refused(host.as_ref(), &viewer, &id.to_string(), &problem, &form).await,
    }
}

/// Ends all that a person could sign in with.
pub(super) async fn deactivate(
    State(host): State<Shared>,
    Id(id): Id<PersonId>,
    Confirmed { viewer, form }: Confirmed,
) -> Result<Response, Problem> {
    change(host.as_ref(), &viewer, id, DirectoryAct::DeactivatePerson(id), &form).await
}

/// Lets them sign in again.
pub(super) async fn reactivate(
    State(host): State<Shared>,
    Id(id): Id<PersonId>,
    Confirmed { viewer, form }: Confirmed,
) -> Result<Response, Problem> {
    change(host.as_ref(), &viewer, id, DirectoryAct::ReactivatePerson(id), &form).await
}

async fn change(
    host: &dyn Host,
    viewer: &Viewer,
    id: PersonId,
    act: DirectoryAct,
    form: &Form,
) -> Result<Response, Problem> {
    match person(host, viewer, act).await {
        Ok(_) => Ok(Redirect::to("/settings/people").into_response()),
        Err(problem) => refused(host, viewer, &id.to_string(), &problem, form).await,
    }
}

async fn person(host: &dyn Host, viewer: &Viewer, act: DirectoryAct) -> Result<PersonView, Problem> {
    match change_directory(host, &viewer.principal, act).await? {
        Resource::Person(person) => Ok(person),
        _ => Err(Problem::unexpected_answer()),
    }
}

async fn linked(
    host: &dyn Host,
    viewer: &Viewer,
    person: &PersonView,
    address: &OwnAddress,
    secret: &str,
) -> Result<Response, Problem> {
    let link = NewLink { email: person.email.clone(), link: format!("{}/sign-in#{secret}", address.0) };
    render(host, viewer, Wanted::default(), &Wrong::nothing(), Some(&link)).await
}

async fn refused(
    host: &dyn Host,
    viewer: &Viewer,
    place: &str,
    problem: &Problem,
    form: &Form,
) -> Result<Response, Problem> {
    let wrong = Wrong::at(place, problem, form)?;
    render(host, viewer, Wanted::default(), &wrong, None).await
}

async fn render(
    host: &dyn Host,
    viewer: &Viewer,
    wanted: Wanted,
    wrong: &Wrong<'_>,
    made: Option<&NewLink>,
) -> Result<Response, Problem> {
    let question = DirectoryQuestion::People(paging(wanted.cursor, Some(LIMIT))?);
    let Answer::People(people) = ask_directory(host, question).await? else {
        return Err(Problem::unexpected_answer());
    };
    let main = people_list::main(viewer, &people, &Moment::utc(host.now()), wrong, made);
    Ok(wrong.answer(settings(viewer, Tab::People, &main)))
}
