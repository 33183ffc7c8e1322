//! Signing in with a browser: what the pages call.
//!
//! A session's secret is not an API token, though both are looked up by digest in the same question: the digests
//! differ by kind ([`session_digest`]), so a cookie's secret in `Authorization` finds nothing, and a token in the
//! cookie neither.

use tidegate_core::api::{PersonView, SessionView};
use tidegate_core::call::{
    Answer, Command, DirectoryAct, DirectoryInput, DirectoryQuestion, Input, ObjectId, Principal, Question,
    Reply, Resource, SessionProof,
};
use tidegate_core::digest::Digest;
use tidegate_core::directory::{password_refused, session_digest, token_digest};
use tidegate_core::error::Error;

use crate::auth;
use crate::host::{ClientAddress, Host, HostError};

/// What every session's secret begins with; a token's begins otherwise.
const SESSION_PREFIX: &str = "tgs_";
/// Longest secret that is looked at: ours have 47 bytes.
const SECRET_BYTES_MAX: usize = 200;

/// Fewest characters of a password: what guessing at ten a minute and address never gets through.
const PASSWORD_CHARACTERS_MIN: usize = 12;
/// Most characters of a password: room for a sentence, and little to hash.
const PASSWORD_CHARACTERS_MAX: usize = 200;
/// Most bytes of a password that are looked at: as many as its characters can have.
const PASSWORD_BYTES_MAX: usize = 4 * PASSWORD_CHARACTERS_MAX;

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
    if password.len() > PASSWORD_BYTES_MAX {
        return Err(password_refused().into());
    }
    let question = DirectoryQuestion::PasswordHash(email.to_owned());
    let Answer::PasswordHash(stored) = ask(host, question).await? else {
        return Err(HostError::unexpected_answer());
    };
    let hash = stored.as_ref().map(|(_, hash)| hash.clone());
    let is_right = host.verify_password(password.to_owned(), hash, address).await?;
    match stored {
        Some((person, hash)) if is_right => {
            open(host, SessionProof::Password { person, hash }, address, agent).await
        }
        Some(_) | None => Err(password_refused().into()),
    }
}

/// Sets or replaces one's own password; one's other sessions end, the one with the digest `keep` stays.
///
/// # Errors
///
/// `invalid_request`: shorter than 12 characters, longer than 200, or the person's e-mail address.
pub async fn set_password(
    host: &dyn Host,
    by: Principal,
    password: &str,
    keep: Option<Digest>,
) -> Result<PersonView, HostError> {
    check_password(password, &by.email)?;
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

/// Judges a new password by its length alone (NIST SP 800-63B, section 3.1.1.2): rules about kinds of characters make
/// passwords harder to remember and not to guess. It is taken as it was typed.
fn check_password(password: &str, email: &str) -> Result<(), Error> {
    let characters = password.chars().count();
    if !(PASSWORD_CHARACTERS_MIN..=PASSWORD_CHARACTERS_MAX).contains(&characters) {
        return Err(Error::invalid(format!(
            "a password has {PASSWORD_CHARACTERS_MIN} to {PASSWORD_CHARACTERS_MAX} characters and this one {characters}: \
             several words are easy to remember"
        )));
    }
    if password.trim().to_lowercase() == email.to_lowercase() {
        return Err(Error::invalid("the password is your e-mail address, which others know: choose another"));
    }
    Ok(())
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
