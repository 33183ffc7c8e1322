//! What a person does with a sequence. Each answers with the sequence as it is afterwards; a retry with the new one.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use tidegate_core::api::SequenceView;
use tidegate_core::call::{Answer, DirectoryQuestion, EndpointAct, SequenceAct};
use tidegate_core::digest::Digest;
use tidegate_core::id::SequenceId;

use crate::Shared;
use crate::body::{NoBody, SmallJson};
use crate::call::{act_on_endpoint, ask_directory};
use crate::extract::Id;
use crate::host::Host;
use crate::idempotency::Acting;
use crate::problem::Problem;

/// Longest e-mail address, as the directory takes them.
const EMAIL_BYTES_MAX: usize = 200;

/// A note on a sequence or a machine.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewNote {
    /// The text, 1 to 10,000 bytes.
    pub(crate) text: String,
}

/// Whose a sequence is to look after.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Assignment {
    /// The e-mail address of somebody who can sign in; `null`: nobody's.
    // Named by hand, serde does not let it be absent: who forgets it must not take the sequence from somebody.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required)]
    assignee: Option<String>,
}

/// Queues a draft.
#[utoipa::path(
    post, path = "/api/v1/sequences/{id}/queue", tag = "sequences", operation_id = "queueSequence",
    params(("id" = SequenceId, Path, description = "The sequence's id")),
    responses((status = 200, description = "The sequence", body = SequenceView)),
    security(("token" = [])),
)]
pub(crate) async fn queue(
    State(host): State<Shared>,
    acting: Acting,
    Id(sequence): Id<SequenceId>,
    NoBody { digest }: NoBody,
) -> Result<Response, Problem> {
    act(host, acting, sequence, SequenceAct::Queue, digest).await
}

/// Cancels a sequence. What was already sent may be running: it is `cancelling` until the machine answers.
#[utoipa::path(
    post, path = "/api/v1/sequences/{id}/cancel", tag = "sequences", operation_id = "cancelSequence",
    params(("id" = SequenceId, Path, description = "The sequence's id")),
    responses((status = 200, description = "The sequence", body = SequenceView)),
    security(("token" = [])),
)]
pub(crate) async fn cancel(
    State(host): State<Shared>,
    acting: Acting,
    Id(sequence): Id<SequenceId>,
    NoBody { digest }: NoBody,
) -> Result<Response, Problem> {
    act(host, acting, sequence, SequenceAct::Cancel, digest).await
}

/// Queues the same again as a new sequence. An action runs again.
#[utoipa::path(
    post, path = "/api/v1/sequences/{id}/retry", tag = "sequences", operation_id = "retrySequence",
    params(("id" = SequenceId, Path, description = "The sequence's id")),
    responses((status = 201, description = "The new sequence", body = SequenceView)),
    security(("token" = [])),
)]
pub(crate) async fn retry(
    State(host): State<Shared>,
    acting: Acting,
    Id(sequence): Id<SequenceId>,
    NoBody { digest }: NoBody,
) -> Result<Response, Problem> {
    act(host, acting, sequence, SequenceAct::Retry, digest).await
}

/// Releases held work: it may run on the machine that is adopted now.
#[utoipa::path(
    post, path = "/api/v1/sequences/{id}/release", tag = "sequences", operation_id = "releaseSequence",
    params(("id" = SequenceId, Path, description = "The sequence's id")),
    responses((status = 200, description = "The sequence", body = SequenceView)),
    security(("token" = [])),
)]
pub(crate) async fn release(
    State(host): State<Shared>,
    acting: Acting,
    Id(sequence): Id<SequenceId>,
    NoBody { digest }: NoBody,
) -> Result<Response, Problem> {
    act(host, acting, sequence, SequenceAct::Release, digest).await
}

/// Gives up work that never left: held, queued or a draft.
#[utoipa::path(
    post, path = "/api/v1/sequences/{id}/purge", tag = "sequences", operation_id = "purgeSequence",
    params(("id" = SequenceId, Path, description = "The sequence's id")),
    responses((status = 200, description = "The sequence", body = SequenceView)),
    security(("token" = [])),
)]
pub(crate) async fn purge(
    State(host): State<Shared>,
    acting: Acting,
    Id(sequence): Id<SequenceId>,
    NoBody { digest }: NoBody,
) -> Result<Response, Problem> {
    act(host, acting, sequence, SequenceAct::Purge, digest).await
}

/// Writes a note on a sequence, for whoever reads the transcript next.
#[utoipa::path(
    post, path = "/api/v1/sequences/{id}/notes", tag = "sequences", operation_id = "noteOnSequence",
    params(("id" = SequenceId, Path, description = "The sequence's id")),
    request_body = NewNote,
    responses((status = 200, description = "The sequence with the note", body = SequenceView)),
    security(("token" = [])),
)]
pub(crate) async fn note(
    State(host): State<Shared>,
    acting: Acting,
    Id(sequence): Id<SequenceId>,
    SmallJson { value, digest }: SmallJson<NewNote>,
) -> Result<Response, Problem> {
    act(host, acting, sequence, SequenceAct::Note(value.text), digest).await
}

/// Says that a person looked at what came back; only of a sequence that has ended.
#[utoipa::path(
    post, path = "/api/v1/sequences/{id}/review", tag = "sequences", operation_id = "reviewSequence",
    params(("id" = SequenceId, Path, description = "The sequence's id")),
    responses((status = 200, description = "The sequence", body = SequenceView)),
    security(("token" = [])),
)]
pub(crate) async fn review(
    State(host): State<Shared>,
    acting: Acting,
    Id(sequence): Id<SequenceId>,
    NoBody { digest }: NoBody,
) -> Result<Response, Problem> {
    act(host, acting, sequence, SequenceAct::Review, digest).await
}

/// Takes back that a person looked at what came back.
#[utoipa::path(
    post, path = "/api/v1/sequences/{id}/unreview", tag = "sequences", operation_id = "unreviewSequence",
    params(("id" = SequenceId, Path, description = "The sequence's id")),
    responses((status = 200, description = "The sequence", body = SequenceView)),
    security(("token" = [])),
)]
pub(crate) async fn unreview(
    State(host): State<Shared>,
    acting: Acting,
    Id(sequence): Id<SequenceId>,
    NoBody { digest }: NoBody,
) -> Result<Response, Problem> {
    act(host, acting, sequence, SequenceAct::Unreview, digest).await
}

/// Gives a sequence to a person to look after, or to nobody.
#[utoipa::path(
    post, path = "/api/v1/sequences/{id}/assign", tag = "sequences", operation_id = "assignSequence",
    params(("id" = SequenceId, Path, description = "The sequence's id")),
    request_body = Assignment,
    responses((status = 200, description = "The sequence", body = SequenceView)),
    security(("token" = [])),
)]
pub(crate) async fn assign(
    State(host): State<Shared>,
    acting: Acting,
    Id(sequence): Id<SequenceId>,
    SmallJson { value, digest }: SmallJson<Assignment>,
) -> Result<Response, Problem> {
    let assignee = match value.assignee {
        Some(email) => Some(known_person(host.as_ref(), email).await?),
        None => None,
    };
    act(host, acting, sequence, SequenceAct::Assign(assignee), digest).await
}

/// The address of somebody active as it is written in the directory.
async fn known_person(host: &dyn Host, email: String) -> Result<String, Problem> {
    if email.len() > EMAIL_BYTES_MAX {
        return Err(Problem::invalid(format!("`assignee` has at most {EMAIL_BYTES_MAX} bytes")));
    }
    match ask_directory(host, DirectoryQuestion::PersonNamed(email.clone())).await? {
        Answer::Person(Some(person)) => Ok(person.email),
        Answer::Person(None) => Err(Problem::invalid(format!(
            "`assignee`: nobody who can sign in has the address `{email}`; `GET /api/v1/people` lists who can"
        ))),
        _ => Err(Problem::unexpected_answer()),
    }
}

/// Puts a sequence that was not sent yet before the others of its machine.
#[utoipa::path(
    post, path = "/api/v1/sequences/{id}/run-next", tag = "sequences", operation_id = "runSequenceNext",
    params(("id" = SequenceId, Path, description = "The sequence's id")),
    responses((status = 200, description = "The sequence", body = SequenceView)),
    security(("token" = [])),
)]
pub(crate) async fn run_next(
    State(host): State<Shared>,
    acting: Acting,
    Id(sequence): Id<SequenceId>,
    NoBody { digest }: NoBody,
) -> Result<Response, Problem> {
    act(host, acting, sequence, SequenceAct::RunNext, digest).await
}

async fn act(
    host: Shared,
    acting: Acting,
    sequence: SequenceId,
    act: SequenceAct,
    body: Digest,
) -> Result<Response, Problem> {
    let act = EndpointAct::Sequence { sequence, act };
    act_on_endpoint(host.as_ref(), sequence.endpoint(), acting.command(act, body)).await
}
