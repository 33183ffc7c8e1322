//! Signing in with a browser: what the pages call.
//!
//! A session's secret is not an API token, though both are looked up by digest in the same question: the digests
//! differ by kind ([`session_digest`]), so a cookie's secret in `Authorization` finds nothing, and a token in the
//! cookie neither.

use tidegate_core::api::{PersonView, SessionView};
use tidegate_core::call::{
    Answer, Command, DirectoryAct, DirectoryInput, DirectoryQuestion, Input, ObjectId, Principal, Proof,
    Question, Reply, Resource, SessionProof,
};
use tidegate_core::digest::Digest;
use tidegate_core::directory::{password_refused, session_digest, token_digest};
use tidegate_core::error::{Code, Error};

use crate::auth;
use crate::host::{ClientAddress, Host, HostError};
use crate::passwords::{PASSWORD_BYTES_MAX, check_shape};

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

/// Opens a session with an e-mail address and a password.
///
/// Failures are counted by the address they come from ([`crate::RouteClass::SignIn`]) and never by account: a limit on
/// the account would let anybody lock anybody out, by guessing wrong on purpose.
///
/// # Errors
///
/// `unauthenticated`: an address that nobody active has, a person without a password, and a wrong password, in the
/// same words and after the same work.
pub async fn open_session_by_password(
    host: &dyn Host,
    email: &str,
    password: &str,
    address: Option<ClientAddress>,
    agent: &str,
) -> Result<Opened, HostError> {
    match prove_password(host, email, password, address).await? {
        Some(proof) => open(host, proof, address, agent).await,
        None => Err(password_refused().into()),
    }
}

/// Whether this is the password of the person with this address, after the same work whatever is wrong.
async fn prove_password(
    host: &dyn Host,
    email: &str,
    password: &str,
    address: Option<ClientAddress>,
) -> Result<Option<SessionProof>, HostError> {
    if password.len() > PASSWORD_BYTES_MAX {
        return Ok(None);
    }
    let question = DirectoryQuestion::PasswordHash(email.to_owned());
    let Answer::PasswordHash(stored) = ask(host, question).await? else {
        return Err(HostError::unexpected_answer());
    };
    let hash = stored.as_ref().map(|(_, hash)| hash.clone());
    let is_right = host.verify_password(password.to_owned(), hash, address).await?;
    Ok(stored.filter(|_| is_right).map(|(person, hash)| SessionProof::Password { person, hash }))
}

/// What a person gives to confirm who they are.
pub enum Confirmation<'a> {
    /// Their password.
    Password(&'a str),
    /// The secret of a one-time sign-in link that was made for them; it is used up.
    Link(&'a str),
}

/// Notes in the session with this digest that its person proved again who they are; answers them as they are then.
///
/// # Errors
///
/// `unauthenticated`: a wrong password, or a link that does not work or is somebody else's.
pub async fn confirm_session(
    host: &dyn Host,
    by: Principal,
    session: Digest,
    confirmation: Confirmation<'_>,
    address: Option<ClientAddress>,
) -> Result<Principal, HostError> {
    let proof = match confirmation {
        Confirmation::Link(secret) => SessionProof::Link(token_digest(secret)),
        Confirmation::Password(password) => {
            prove_password(host, &by.email, password, address).await?.ok_or_else(|| {
                Error::problem(
                    Code::Unauthenticated,
                    "the password is wrong: try again, or use a one-time sign-in link",
                )
            })?
        }
    };
    let input = Input::Directory(DirectoryInput::ConfirmSession { session, proof });
    host.handle(ObjectId::Directory, input).await?;
    let proof = Proof::Session { confirmed_at: Some(host.now()), until: by.proof.until() };
    Ok(Principal { proof, ..by })
}

/// Sets or replaces one's own password; one's other sessions end, the one with the digest `keep` stays.
///
/// # Errors
///
/// `invalid_request`: shorter than 12 characters, longer than 200, the person's e-mail address, or easy to guess.
/// `confirmation_required`: the person has not confirmed who they are.
pub async fn set_password(
    host: &dyn Host,
    by: Principal,
    password: &str,
    keep: Option<Digest>,
) -> Result<PersonView, HostError> {
    check_shape(password, &by.email)?;
    host.judge_password(password.to_owned(), by.email.clone()).await?;
    let hash = host.hash_password(password.to_owned()).await?;
    match act(host, by, DirectoryAct::SetPassword { hash, keep }).await? {
        Resource::Person(person) => Ok(person),
        _ => Err(HostError::unexpected_answer()),
    }
}

/// Whether the person with this address can sign in with a password.
///
/// # Errors
///
/// [`HostError`], when the question could not be asked.
pub async fn has_password(host: &dyn Host, email: &str) -> Result<bool, HostError> {
    match ask(host, DirectoryQuestion::PasswordHash(email.to_owned())).await? {
        Answer::PasswordHash(stored) => Ok(stored.is_some()),
        _ => Err(HostError::unexpected_answer()),
    }
}

/// Who signed in with the session whose secret this is, and the digest that proves it again while a stream lasts.
/// `None`: unknown, over, ended, or of a person who was deactivated. `is_use` extends the session.
///
/// # Errors
///
/// [`HostError`], when the question could not be asked.
pub async fn authenticate_session(
    host: &dyn Host,
    secret: &str,
    is_use: bool,
) -> Result<Option<(Principal, Digest)>, HostError> {
    if secret.len() > SECRET_BYTES_MAX {
        return Ok(None);
    }
    let digest = session_digest(secret);
    match ask(host, DirectoryQuestion::Authenticate(digest)).await? {
        Answer::Authenticated(Some(known)) => {
            if is_use {
                auth::used(host, &known, digest).await;
            }
            Ok(Some((known.principal, digest)))
        }
        Answer::Authenticated(None) => Ok(None),
        _ => Err(HostError::unexpected_answer()),
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
        _ => Err(HostError::unexpected_answer()),
    }
}

/// Signs out: ends the person's session with this digest. Repeating it changes nothing.
///
/// # Errors
///
/// `not_found`: the person has no such session.
pub async fn end_session(host: &dyn Host, by: Principal, digest: Digest) -> Result<(), HostError> {
    act(host, by, DirectoryAct::EndSession(digest)).await.map(drop)
}

async fn act(host: &dyn Host, by: Principal, act: DirectoryAct) -> Result<Resource, HostError> {
    let command = Command { by, idempotency: None, act };
    let input = Input::Directory(DirectoryInput::Act(Box::new(command)));
    match host.handle(ObjectId::Directory, input).await? {
        Reply::Resource { resource, .. } => Ok(*resource),
        _ => Err(HostError::unexpected_answer()),
    }
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
            _ => Err(HostError::unexpected_answer()),
        },
        _ => Err(HostError::unexpected_answer()),
    }
}
