//! Signing in with a browser: what the pages call.
//!
//! A session's secret is not an API token, though both are looked up by digest in the same question: the digests
//! differ by kind ([`session_digest`]), so a cookie's secret in `Authorization` finds nothing, and a token in the
//! cookie neither.

use tidegate_core::api::SessionView;
use tidegate_core::call::{
    Answer, Command, DirectoryAct, DirectoryInput, DirectoryQuestion, Input, ObjectId, Principal, Question,
    Reply, Resource, SessionProof,
};
use tidegate_core::digest::Digest;
use tidegate_core::directory::{session_digest, token_digest};
use tidegate_core::error::{Code, Error};

use crate::auth;
use crate::host::{ClientAddress, Host, HostError};

/// What every session's secret begins with; a token's begins otherwise.
const SESSION_PREFIX: &str = "tgs_";
/// Longest secret that is looked at: ours have 47 bytes.
const SECRET_BYTES_MAX: usize = 200;

/// A session that was just opened.
#[derive(Debug)]
pub struct Opened {
    /// The secret for the browser's cookie; it is stored nowhere.
    pub secret: String,
    /// The session.
    pub session: SessionView,
}

/// Opens a session with the secret of a one-time sign-in link, which is used up.
///
/// # Errors
///
/// `unauthenticated`: unknown, used or expired, in the same words.
pub async fn open_session_by_link(
    host: &dyn Host,
    secret: &str,
    address: Option<ClientAddress>,
    agent: &str,
) -> Result<Opened, HostError> {
    open(host, SessionProof::Link(token_digest(secret)), address, agent).await
}

/// Opens a session with an API token, which stays.
///
/// # Errors
///
/// `unauthenticated`: unknown or withdrawn.
pub async fn open_session_by_token(
    host: &dyn Host,
    token: &str,
    address: Option<ClientAddress>,
    agent: &str,
) -> Result<Opened, HostError> {
    open(host, SessionProof::Token(token_digest(token)), address, agent).await
}

/// Who signed in with the session whose secret this is, and the digest that proves it again while a stream lasts.
/// `None`: unknown, over, ended, or of somebody who was deactivated.
///
/// # Errors
///
/// [`HostError`], when the question could not be asked.
pub async fn authenticate_session(
    host: &dyn Host,
    secret: &str,
) -> Result<Option<(Principal, Digest)>, HostError> {
    if secret.len() > SECRET_BYTES_MAX {
        return Ok(None);
    }
    let digest = session_digest(secret);
    match ask(host, DirectoryQuestion::Authenticate(digest)).await? {
        Answer::Principal(principal) => Ok(principal.map(|principal| (principal, digest))),
        _ => Err(unexpected_answer()),
    }
}

/// The session with this digest; `None`: it does not live.
///
/// # Errors
///
/// [`HostError`], when the question could not be asked.
pub async fn session_of(host: &dyn Host, digest: Digest) -> Result<Option<SessionView>, HostError> {
    match ask(host, DirectoryQuestion::Session(digest)).await? {
        Answer::Session(session) => Ok(session),
        _ => Err(unexpected_answer()),
    }
}

/// Signs out: ends the person's session with this digest. Repeating it changes nothing.
///
/// # Errors
///
/// `not_found`: the person has no such session.
pub async fn end_session(host: &dyn Host, by: Principal, digest: Digest) -> Result<(), HostError> {
    let command = Command { by, idempotency: None, act: DirectoryAct::EndSession(digest) };
    let input = Input::Directory(DirectoryInput::Act(Box::new(command)));
    host.handle(ObjectId::Directory, input).await?;
    Ok(())
}

async fn ask(host: &dyn Host, question: DirectoryQuestion) -> Result<Answer, HostError> {
    host.query(ObjectId::Directory, Question::Directory(question)).await
}

async fn open(
    host: &dyn Host,
    proof: SessionProof,
    address: Option<ClientAddress>,
    agent: &str,
) -> Result<Opened, HostError> {
    let secret = auth::secret(SESSION_PREFIX, host.entropy());
    let input = DirectoryInput::OpenSession {
        proof,
        digest: session_digest(&secret),
        address: address.map(|ClientAddress(address)| address.to_string()),
        agent: agent.to_owned(),
    };
    match host.handle(ObjectId::Directory, Input::Directory(input)).await? {
        Reply::Resource { resource, .. } => match *resource {
            Resource::Session(session) => Ok(Opened { secret, session }),
            _ => Err(unexpected_answer()),
        },
        _ => Err(unexpected_answer()),
    }
}

fn unexpected_answer() -> HostError {
    HostError::Core(Error::problem(
        Code::Internal,
        "the core answered with another kind of answer than was asked for",
    ))
}
