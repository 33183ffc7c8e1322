//! Calls to the core, and its answers as HTTP answers.

use axum::Json;
use axum::http::header::{ETAG, LOCATION};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tidegate_core::api::EndpointView;
use tidegate_core::call::{
    Answer, Command, DirectoryAct, DirectoryInput, DirectoryQuestion, EndpointAct, EndpointInput,
    EndpointQuestion, Input, ObjectId, Principal, Question, Reply, Resource,
};
use tidegate_core::error::Code;
use tidegate_core::id::EndpointId;

use crate::host::{Host, HostError};
use crate::problem::Problem;
use crate::revision::entity_tag;

/// Asks the directory.
pub(crate) async fn ask_directory(host: &dyn Host, question: DirectoryQuestion) -> Result<Answer, Problem> {
    Ok(host.query(ObjectId::Directory, Question::Directory(question)).await?)
}

/// Asks an endpoint.
pub(crate) async fn ask_endpoint(
    host: &dyn Host,
    endpoint: EndpointId,
    question: EndpointQuestion,
) -> Result<Answer, Problem> {
    let answer = host.query(ObjectId::Endpoint(endpoint), Question::Endpoint(question)).await;
    answer.map_err(|error| for_people(endpoint, error))
}

/// Reads an endpoint and, from the directory, the others that have its name.
pub(crate) async fn endpoint_with_namesakes(
    host: &dyn Host,
    endpoint: EndpointId,
) -> Result<EndpointView, Problem> {
    let Answer::Endpoint(mut view) = ask_endpoint(host, endpoint, EndpointQuestion::Endpoint).await? else {
        return Err(Problem::unexpected_answer());
    };
    let Answer::Namesakes(others) = ask_directory(host, DirectoryQuestion::Namesakes(endpoint)).await? else {
        return Err(Problem::unexpected_answer());
    };
    view.add_namesakes(others);
    Ok(*view)
}

/// Lets a person act in the directory and answers with the resource.
pub(crate) async fn act_in_directory(
    host: &dyn Host,
    command: Command<DirectoryAct>,
) -> Result<Response, Problem> {
    let input = Input::Directory(DirectoryInput::Act(Box::new(command)));
    resource_response(host.handle(ObjectId::Directory, input).await?)
}

/// Lets a person act in the directory and answers what it became, for a page.
pub(crate) async fn change_directory(
    host: &dyn Host,
    by: &Principal,
    act: DirectoryAct,
) -> Result<Resource, Problem> {
    let command = Command { by: by.clone(), idempotency: None, act };
    let input = Input::Directory(DirectoryInput::Act(Box::new(command)));
    match host.handle(ObjectId::Directory, input).await? {
        Reply::Resource { resource, .. } => Ok(*resource),
        _ => Err(Problem::unexpected_answer()),
    }
}

/// Lets a person do what [`act_in_directory`] does, with an act that brings the digest of `secret`: the secret is in the answer that made it.
pub(crate) async fn act_with_secret(
    host: &dyn Host,
    command: Command<DirectoryAct>,
    secret: String,
) -> Result<Response, Problem> {
    let input = Input::Directory(DirectoryInput::Act(Box::new(command)));
    let reply = host.handle(ObjectId::Directory, input).await?;
    resource_response(with_secret(reply, secret))
}

/// Puts the secret into what the core made with its digest, which is all that the core knows. What an earlier request
/// made has another secret, which nobody has kept.
pub(crate) fn with_secret(mut reply: Reply, secret: String) -> Reply {
    if let Reply::Resource { resource, repeated: false, .. } = &mut reply {
        match resource.as_mut() {
            Resource::Token(view) => view.token = Some(secret),
            Resource::Person(view) => view.sign_in_secret = Some(secret),
            Resource::Client(_)
            | Resource::Site(_)
            | Resource::Code(_)
            | Resource::Endpoint(_)
            | Resource::Sequence(_)
            | Resource::Session(_)
            | Resource::Playbook(_) => {}
        }
    }
    reply
}

/// Lets a person act on an endpoint and answers with the resource.
pub(crate) async fn act_on_endpoint(
    host: &dyn Host,
    endpoint: EndpointId,
    command: Command<EndpointAct>,
) -> Result<Response, Problem> {
    resource_response(tell_endpoint(host, endpoint, command).await?)
}

/// Lets a person act on an endpoint and answers what it became, for a page.
pub(crate) async fn change_endpoint(
    host: &dyn Host,
    endpoint: EndpointId,
    command: Command<EndpointAct>,
) -> Result<Resource, Problem> {
    match tell_endpoint(host, endpoint, command).await? {
        Reply::Resource { resource, .. } => Ok(*resource),
        _ => Err(Problem::unexpected_answer()),
    }
}

async fn tell_endpoint(
    host: &dyn Host,
    endpoint: EndpointId,
    command: Command<EndpointAct>,
) -> Result<Reply, Problem> {
    check_not_deactivated(host, &command.by).await?;
    let input = Input::Endpoint(EndpointInput::Act(Box::new(command)));
    let reply = host.handle(ObjectId::Endpoint(endpoint), input).await;
    reply.map_err(|error| for_people(endpoint, error))
}

/// Rejects a person who was deactivated while their request was read, which a slow body makes long. An endpoint object does
/// not know people; the directory checks its own acts.
async fn check_not_deactivated(host: &dyn Host, by: &Principal) -> Result<(), Problem> {
    match ask_directory(host, DirectoryQuestion::IsDeactivated(by.person)).await? {
        Answer::IsDeactivated(false) => Ok(()),
        Answer::IsDeactivated(true) => Err(Problem::new(
            Code::Unauthenticated,
            "you were deactivated meanwhile, and nothing was done: ask an owner to reactivate you",
        )),
        _ => Err(Problem::unexpected_answer()),
    }
}

/// What the core tells an unknown endpoint to do is of no use to the person who named it.
fn for_people(endpoint: EndpointId, error: HostError) -> Problem {
    let problem = Problem::from(error);
    match problem.code {
        Code::UnknownEndpoint => Problem::new(Code::NotFound, format!("there is no endpoint `{endpoint}`")),
        _ => problem,
    }
}

/// The resource of a reply: 201 with its place where it is new, 200 where it changed.
pub(crate) fn resource_response(reply: Reply) -> Result<Response, Problem> {
    let Reply::Resource { resource, created, repeated: _ } = reply else {
        return Err(Problem::unexpected_answer());
    };
    let place = created.then(|| location(&resource)).flatten();
    let mut response = match *resource {
        Resource::Client(view) => Json(view).into_response(),
        Resource::Site(view) => Json(view).into_response(),
        Resource::Code(view) => Json(view).into_response(),
        Resource::Endpoint(view) => with_revision(&view, view.revision),
        Resource::Sequence(view) => with_revision(&view, view.revision),
        Resource::Person(view) => Json(view).into_response(),
        Resource::Token(view) => Json(view).into_response(),
        Resource::Session(view) => Json(view).into_response(),
        Resource::Playbook(view) => with_revision(&view, view.version),
    };
    if created {
        *response.status_mut() = StatusCode::CREATED;
    }
    if let Some(place) = place.and_then(|place| HeaderValue::from_str(&place).ok()) {
        response.headers_mut().insert(LOCATION, place);
    }
    Ok(response)
}

/// A resource with the revision that an edit of it names.
pub(crate) fn with_revision<V: Serialize>(view: &V, revision: u64) -> Response {
    ([(ETAG, entity_tag(revision))], Json(view)).into_response()
}

fn location(resource: &Resource) -> Option<String> {
    match resource {
        Resource::Client(view) => Some(format!("/api/v1/clients/{}", view.id)),
        Resource::Site(view) => Some(format!("/api/v1/sites/{}", view.id)),
        Resource::Code(view) => Some(format!("/api/v1/enrolment-codes/{}", view.id)),
        Resource::Endpoint(view) => Some(format!("/api/v1/endpoints/{}", view.id)),
        Resource::Sequence(view) => Some(format!("/api/v1/sequences/{}", view.id)),
        Resource::Person(view) => Some(format!("/api/v1/people/{}", view.id)),
        Resource::Token(view) => Some(format!("/api/v1/tokens/{}", view.id)),
        Resource::Session(_) => None,
        Resource::Playbook(view) => Some(format!("/api/v1/playbooks/{}", view.id)),
    }
}
