//! The directory: people, clients, sites, codes, and projections of endpoints.
//!
//! What endpoints and sequences are is decided by their endpoint objects alone. The directory knows what they
//! told of themselves and may lag behind: it serves listings and search, and decides nothing by them.
//!
//! Reading order: `people`, `sessions`, `passwords`, `tokens`, `clients`, `codes`, `playbooks` (what people make), `admit` (a machine
//! becomes an endpoint), `project` (what endpoints tell), `endpoints`, `sequences` (listings of that), `overnight` (what
//! of it asks for a person), `audit` (who did what).

mod admit;
mod audit;
mod clients;
mod codes;
mod endpoints;
mod idempotency;
mod overnight;
mod paging;
mod passwords;
mod people;
mod playbooks;
mod project;
mod sequences;
mod sessions;
#[cfg(test)]
mod tests;
mod tokens;

use serde::Serialize;

use crate::call::{
    Answer, Command, Context, DirectoryAct, DirectoryInput, DirectoryQuestion, Effect, Reply, Resource,
};
use crate::digest::Digest;
use crate::entropy::Entropy;
use crate::error::Error;
use crate::schema::Schema;
use crate::sql::{ReadSql, Sql, Value};

pub use audit::{DirectoryBody, DirectoryHeader, SessionBy};
pub use passwords::password_refused;
pub(crate) use people::check_email;
pub use sessions::SESSION_VALID_FOR;
pub use sessions::session_addresses;

/// The tables of the directory.
pub const SCHEMA: Schema = Schema {
    name: "directory",
    migrations: &[include_str!("schema/0001_directory.sql"), include_str!("schema/0002_windows.sql")],
};

/// The digest under which the secret of a token or sign-in link is stored and looked up. The secret is 32 random
/// bytes as text, so a plain digest cannot be guessed back.
pub fn token_digest(secret: &str) -> Digest {
    Digest::of_parts(&[b"tidegate token", secret.as_bytes()])
}

/// The digest under which the secret of a session is stored and looked up: another one than of a token with the same
/// text, so that what is in a browser's cookie is no API token, and the other way round.
pub fn session_digest(secret: &str) -> Digest {
    Digest::of_parts(&[b"tidegate session", secret.as_bytes()])
}

/// Applies `input` to the directory in the host's transaction.
///
/// # Errors
///
/// [`Error`]; the host rolls the transaction (or its savepoint) back.
pub fn handle(db: &dyn Sql, cx: &Context<'_>, input: DirectoryInput) -> Result<(Reply, Vec<Effect>), Error> {
    let mut directory = Directory { db, cx, entropy: Entropy::new(cx.entropy) };
    let reply = match input {
        DirectoryInput::Act(command) => directory.act(*command)?,
        DirectoryInput::Admit(envelope) => directory.admit(&envelope)?,
        DirectoryInput::Project(projections) => project::project(db, projections)?,
        DirectoryInput::CreateOwner { email, sign_in } => made(directory.owner_create(&email, sign_in)?),
        DirectoryInput::CreateToken { email, digest } => made(directory.token_create_for(&email, digest)?),
        DirectoryInput::SignIn { link, token } => made(directory.sign_in(link, token)?),
        DirectoryInput::OpenSession { proof, digest, address, agent } => {
            made(directory.session_open(proof, digest, address, &agent)?)
        }
    };
    Ok((reply, Vec::new()))
}

/// Answers `question` from the host's snapshot; writes nothing.
///
/// # Errors
///
/// [`Error`].
pub fn query(db: &dyn ReadSql, cx: &Context<'_>, question: DirectoryQuestion) -> Result<Answer, Error> {
    Ok(match question {
        DirectoryQuestion::Authenticate(digest) => Answer::Principal(people::principal(db, cx, digest)?),
        DirectoryQuestion::PasswordHash(email) => Answer::PasswordHash(passwords::password_hash(db, &email)?),
        DirectoryQuestion::Session(digest) => Answer::Session(sessions::session(db, cx, digest)?),
        DirectoryQuestion::Sessions { person, paging } => {
            Answer::Sessions(sessions::sessions(db, cx, person, &paging)?)
        }
        DirectoryQuestion::People(paging) => Answer::People(people::people(db, &paging)?),
        DirectoryQuestion::PersonNamed(email) => Answer::Person(people::person_named(db, &email)?),
        DirectoryQuestion::Tokens { person, paging } => Answer::Tokens(tokens::tokens(db, person, &paging)?),
        DirectoryQuestion::Clients(paging) => Answer::Clients(clients::clients(db, &paging)?),
        DirectoryQuestion::Sites { client, paging } => Answer::Sites(clients::sites(db, client, &paging)?),
        DirectoryQuestion::Site(id) => Answer::Site(clients::site(db, id)?),
        DirectoryQuestion::Codes(paging) => Answer::Codes(codes::codes(db, &paging)?),
        DirectoryQuestion::Endpoints { text, client, site, paging } => {
            let filter = endpoints::Filter { text: text.as_deref(), client, site };
            Answer::Endpoints(endpoints::endpoints(db, cx, &filter, &paging)?)
        }
        DirectoryQuestion::Machines { text, client, site, paging } => {
            let filter = endpoints::Filter { text: text.as_deref(), client, site };
            Answer::Machines(endpoints::machines(db, cx, &filter, &paging)?)
        }
        DirectoryQuestion::Sequences { state, since, paging } => {
            Answer::Sequences(sequences::sequences(db, state, since, &paging)?)
        }
        DirectoryQuestion::Overnight { since, limit } => {
            Answer::Overnight(Box::new(overnight::overnight(db, cx, since, limit)?))
        }
        DirectoryQuestion::Playbooks { archived, paging } => {
            Answer::Playbooks(playbooks::playbooks(db, archived, &paging)?)
        }
        DirectoryQuestion::Playbook { playbook, version } => {
            Answer::Playbook(Box::new(playbooks::playbook(db, playbook, version)?))
        }
        DirectoryQuestion::PlaybookVersions { playbook, paging } => {
            Answer::PlaybookVersions(playbooks::versions(db, playbook, &paging)?)
        }
        DirectoryQuestion::FillPlaybook { playbook, values } => {
            Answer::Filled(Box::new(playbooks::fill(db, playbook, &values)?))
        }
        DirectoryQuestion::Counts => Answer::Counts(sequences::counts(db)?),
    })
}

/// What a call works on.
struct Directory<'a> {
    db: &'a dyn Sql,
    cx: &'a Context<'a>,
    entropy: Entropy,
}

impl Directory<'_> {
    /// Does what a person asked for, once: a repeat with the same idempotency key is answered as the first time.
    fn act(&mut self, command: Command<DirectoryAct>) -> Result<Reply, Error> {
        let Command { by, idempotency, act } = command;
        if let Some(reply) = idempotency::replay(self, &by, idempotency.as_ref())? {
            return Ok(reply);
        }
        let (resource, created) = match act {
            DirectoryAct::CreateClient(new) => (self.client_create(&by, new)?, true),
            DirectoryAct::CreateSite(new) => (self.site_create(&by, new)?, true),
            DirectoryAct::RenameClient { client, name } => (self.client_rename(&by, client, name)?, false),
            DirectoryAct::EditSite { site, patch } => (self.site_edit(&by, site, patch)?, false),
            DirectoryAct::CreateCode(new) => (self.code_create(&by, &new)?, true),
            DirectoryAct::RevokeCode(id) => (self.code_revoke(&by, id)?, false),
            DirectoryAct::InvitePerson { email, sign_in } => {
                (self.person_invite(&by, &email, sign_in)?, true)
            }
            DirectoryAct::MakeSignInLink { person, sign_in } => {
                (self.link_make(&by, person, sign_in)?, false)
            }
            DirectoryAct::DeactivatePerson(id) => (self.person_deactivate(&by, id)?, false),
            DirectoryAct::ReactivatePerson(id) => (self.person_reactivate(&by, id)?, false),
            DirectoryAct::CreateToken { name, digest } => (self.token_create(&by, &name, digest)?, true),
            DirectoryAct::RenameToken { token, name } => (self.token_rename(&by, token, name)?, false),
            DirectoryAct::RevokeToken(id) => (self.token_revoke(&by, id)?, false),
            DirectoryAct::RevokeSession(id) => (self.session_revoke(&by, id)?, false),
            DirectoryAct::SetPassword { hash, keep } => (self.password_set(&by, &hash, keep)?, false),
            DirectoryAct::EndSession(digest) => (self.session_end(&by, digest)?, false),
            DirectoryAct::CreatePlaybook(spec) => (self.playbook_create(&by, &spec)?, true),
            DirectoryAct::SavePlaybook { playbook, if_match, patch } => {
                (self.playbook_save(&by, playbook, if_match, *patch)?, false)
            }
            DirectoryAct::ArchivePlaybook(id) => (self.playbook_archive(&by, id, true)?, false),
            DirectoryAct::UnarchivePlaybook(id) => (self.playbook_archive(&by, id, false)?, false),
        };
        idempotency::keep(self, &by, idempotency.as_ref(), &resource, created)?;
        Ok(Reply::Resource { resource: Box::new(resource), created, repeated: false })
    }
}

fn made(resource: Resource) -> Reply {
    Reply::Resource { resource: Box::new(resource), created: true, repeated: false }
}

/// A value as JSON text.
fn json(value: &impl Serialize) -> Value {
    Value::Text(serde_json::to_string(value).expect("stored documents serialize"))
}
