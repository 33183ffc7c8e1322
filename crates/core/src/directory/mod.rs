//! The directory: people, clients, sites, codes, and projections of endpoints.
//!
//! What endpoints and sequences are is decided by their endpoint objects alone. The directory knows what they
//! told of themselves and may lag behind: it serves listings and search, and decides nothing by them.
//!
//! Reading order: `people`, `authenticate` (who calls), `sessions`, `passwords`, `tokens`, `clients`, `codes`, `playbooks` (what people make), `admit` (a machine
//! becomes an endpoint), `project` (what endpoints tell), `endpoints`, `sequences` (listings of that), `namesakes` (machines
//! of one name), `overnight` (what
//! of it asks for a person), `audit` (who did what; `audit_read`
//! reads it back, `refusals` bounds what strangers write into it).

mod admit;
mod audit;
mod audit_read;
mod authenticate;
mod clients;
mod codes;
mod endpoints;
mod idempotency;
mod namesakes;
mod outbox;
mod overnight;
mod paging;
mod passwords;
mod people;
mod playbooks;
mod project;
mod refusals;
mod sequences;
mod sessions;
#[cfg(test)]
mod tests;
mod tokens;

use serde::Serialize;

use crate::call::{
    Answer, Command, Context, DirectoryAct, DirectoryInput, DirectoryQuestion, Effect, Reply, Resource,
    check_confirmed,
};
use crate::digest::Digest;
use crate::entropy::Entropy;
use crate::error::Error;
use crate::schema::Schema;
use crate::sql::{ReadSql, Sql, Value};
use crate::transcript::ACTOR_CONTROL_PLANE;

pub use audit::{DirectoryBody, DirectoryHeader, Operator, OrderKeyChange, RefusedWith, SessionBy};
pub use outbox::{HoldWork, outbox, outbox_done, outbox_due_at};
pub use passwords::password_refused;
pub(crate) use people::{ROLE_OWNER, check_email};
pub use refusals::is_address;
pub use sessions::session_addresses;
pub use sessions::{SESSION_IDLE_FOR, SESSION_VALID_FOR};

/// The tables of the directory.
pub const SCHEMA: Schema = Schema {
    name: "directory",
    migrations: &[
        include_str!("schema/0001_directory.sql"),
        include_str!("schema/0002_windows.sql"),
        include_str!("schema/0003_accounts.sql"),
        include_str!("schema/0004_same_name.sql"),
        include_str!("schema/0005_token_sessions.sql"),
    ],
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
    let mut directory = Directory { db, cx, entropy: Entropy::new(cx.entropy), effects: Vec::new() };
    let reply = match input {
        DirectoryInput::Act(command) => directory.act(*command)?,
        DirectoryInput::Admit(envelope) => directory.admit(&envelope)?,
        DirectoryInput::Project(projections) => project::project(db, projections)?,
        DirectoryInput::CreateOwner { email, sign_in } => made(directory.owner_create(&email, sign_in)?),
        DirectoryInput::CreateToken { email, digest, life } => {
            made(directory.token_create_for(&email, digest, life)?)
        }
        DirectoryInput::SignIn { link, token, life } => made(directory.sign_in(link, token, life)?),
        DirectoryInput::CreateSignInLink { email, sign_in } => {
            made(directory.link_make_for(&email, sign_in)?)
        }
        DirectoryInput::ConfirmSession { session, proof } => made(directory.session_confirm(session, proof)?),
        DirectoryInput::Use(digest) => directory.used(digest)?,
        DirectoryInput::SignInsRefused(told) => directory.sign_ins_refused(told)?,
        DirectoryInput::Operated(body) => {
            directory.record(ACTOR_CONTROL_PLANE, &body)?;
            Reply::Done
        }
        DirectoryInput::OpenSession { proof, digest, address, agent } => {
            made(directory.session_open(proof, digest, address, &agent)?)
        }
    };
    Ok((reply, directory.effects))
}

/// Answers `question` from the host's snapshot; writes nothing.
///
/// # Errors
///
/// [`Error`].
pub fn query(db: &dyn ReadSql, cx: &Context<'_>, question: DirectoryQuestion) -> Result<Answer, Error> {
    Ok(match question {
        DirectoryQuestion::Authenticate(digest) => {
            Answer::Authenticated(authenticate::authenticated(db, cx, digest)?)
        }
        DirectoryQuestion::PasswordHash(email) => Answer::PasswordHash(passwords::password_hash(db, &email)?),
        DirectoryQuestion::Session(digest) => Answer::Session(sessions::session(db, cx, digest)?),
        DirectoryQuestion::Sessions { person, paging } => {
            Answer::Sessions(sessions::sessions(db, cx, person, &paging)?)
        }
        DirectoryQuestion::IsDeactivated(person) => {
            Answer::IsDeactivated(people::is_deactivated(db, person)?)
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
        DirectoryQuestion::Namesakes(endpoint) => {
            let mut found = namesakes::of_each(db, cx, &[endpoint])?;
            Answer::Namesakes(found.remove(&endpoint).unwrap_or_default())
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
        DirectoryQuestion::Audit { by, is_newest_first, paging } => {
            Answer::Audit(audit_read::audit(db, &by, is_newest_first, &paging)?)
        }
        DirectoryQuestion::AuditHead { by } => {
            Answer::AuditHead(Box::new(audit_read::export_head(db, cx, &by)?))
        }
        DirectoryQuestion::AuditEntries { by, after, through } => {
            Answer::ExportEntries(audit_read::export_entries(db, &by, after, through)?)
        }
        DirectoryQuestion::Counts => Answer::Counts(sequences::counts(db)?),
    })
}

/// What a call works on.
struct Directory<'a> {
    db: &'a dyn Sql,
    cx: &'a Context<'a>,
    entropy: Entropy,
    effects: Vec<Effect>,
}

impl Directory<'_> {
    /// Does what a person asked for, once: a repeat with the same idempotency key is answered as the first time.
    fn act(&mut self, command: Command<DirectoryAct>) -> Result<Reply, Error> {
        let Command { by, idempotency, act } = command;
        check_confirmed(&by, &act, self.cx.now)?;
        people::check_not_deactivated(self.db, &by)?;
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
            DirectoryAct::CreateToken { name, digest, life } => {
                (self.token_create(&by, &name, digest, life)?, true)
            }
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
