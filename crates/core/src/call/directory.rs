//! What can happen to the directory, and what can be asked of it.

use crate::api::{
    NewClient, NewCode, NewSite, Paging, PlaybookPatch, PlaybookValues, SequenceState, SitePatch, TokenLife,
};
use crate::digest::Digest;
use crate::directory::{DirectoryBody, RefusedWith};
use crate::envelope::Envelope;
use crate::id::{ClientId, EndpointId, PersonId, PlaybookId, SessionId, SiteId, TokenId};
use crate::playbook::PlaybookSpec;
use crate::time::Timestamp;

use super::{Command, Principal, Projection};

/// What can happen to the directory.
#[derive(Clone, Debug, PartialEq)]
pub enum DirectoryInput {
    /// A person acts.
    Act(Box<Command<DirectoryAct>>),
    /// A machine asks to enrol: the envelope it sent. → [`super::Reply::Admitted`].
    Admit(Box<Envelope>),
    /// Endpoints changed: their new projections.
    Project(Vec<Projection>),
    /// The owner is made by `admin owner`; `sign_in` is the digest of a one-time secret.
    CreateOwner {
        /// The e-mail address, 3 to 200 bytes.
        email: String,
        /// [`crate::directory::token_digest`] of the secret in the sign-in link.
        sign_in: Digest,
    },
    /// A token is made by `admin token`.
    CreateToken {
        /// Whose.
        email: String,
        /// [`crate::directory::token_digest`] of the secret.
        digest: Digest,
        /// How long it works.
        life: TokenLife,
    },
    /// A one-time sign-in link is turned into a token.
    SignIn {
        /// The digest of the link's secret.
        link: Digest,
        /// The digest of the new token's secret.
        token: Digest,
        /// How long the token works.
        life: TokenLife,
    },
    /// An operator makes a sign-in link with `admin sign-in-link`. → [`super::Reply::Resource`] with a
    /// [`super::Resource::Person`].
    CreateSignInLink {
        /// Whose.
        email: String,
        /// [`crate::directory::token_digest`] of the secret in the link.
        sign_in: Digest,
    },
    /// A person proves again who they are, in a session that is open. → [`super::Reply::Resource`] with a
    /// [`super::Resource::Session`].
    ConfirmSession {
        /// [`crate::directory::session_digest`] of the session's secret.
        session: Digest,
        /// A password or a one-time link of the same person. An API token is refused.
        proof: SessionProof,
    },
    /// The token or session with this digest was used. Stored where [`super::Authenticated::is_use_due`]; otherwise
    /// nothing happens. → [`super::Reply::Done`].
    Use(Digest),
    /// Sign-ins were refused, as the host counted them. → [`super::Reply::Done`].
    SignInsRefused(RefusedSignIns),
    /// An operator did something to the data directory with a command, which the audit log keeps.
    /// → [`super::Reply::Done`].
    Operated(Box<DirectoryBody>),
    /// Somebody signs in with a browser. → [`super::Reply::Resource`] with a [`super::Resource::Session`].
    OpenSession {
        /// What they prove themselves with.
        proof: SessionProof,
        /// [`crate::directory::session_digest`] of the new session's secret.
        digest: Digest,
        /// The address they come from, for people; kept up to 64 bytes.
        address: Option<String>,
        /// What the browser calls itself; kept without control characters and up to 200 characters.
        agent: String,
    },
}

/// Refused sign-ins of about a minute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedSignIns {
    /// When the first was refused, or the minute began.
    pub from: Timestamp,
    /// When the count ended.
    pub until: Timestamp,
    /// The attempts that get an entry each, the most frequent first.
    pub named: Vec<RefusedSignIn>,
    /// How many more there were.
    pub others: u64,
}

/// Refused sign-ins of one kind, for one account, from one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedSignIn {
    /// The e-mail address that was typed, only where it is one beyond doubt ([`crate::directory::is_address`]); `None`:
    /// another text was typed, or none was asked for.
    pub account: Option<String>,
    /// What did not hold.
    pub with: RefusedWith,
    /// The address the attempts came from; `None`: the host did not know.
    pub address: Option<String>,
    /// How many.
    pub count: u64,
}

/// What somebody who signs in proves themselves with.
#[derive(Clone, Debug, PartialEq)]
pub enum SessionProof {
    /// The secret of a one-time sign-in link, by its [`crate::directory::token_digest`]; it is used up.
    Link(Digest),
    /// An API token, by its [`crate::directory::token_digest`].
    Token(Digest),
    /// A password that the host has compared with a stored hash, which takes too long for a transaction.
    Password {
        /// Whose.
        person: PersonId,
        /// The hash it was compared with; one that was replaced meanwhile opens nothing.
        hash: String,
    },
}

/// What a person does in the directory. Each is answered with the resource.
#[derive(Clone, Debug, PartialEq)]
pub enum DirectoryAct {
    /// Makes a client.
    CreateClient(NewClient),
    /// Makes a site.
    CreateSite(NewSite),
    /// Renames a client. The later of two edits stays.
    RenameClient {
        /// Which.
        client: ClientId,
        /// 1 to 200 bytes; unique.
        name: String,
    },
    /// Edits a site. The later of two edits stays. Its endpoints keep the time zone they had until each is told with
    /// [`super::EndpointAct::FollowSite`].
    EditSite {
        /// Which.
        site: SiteId,
        /// What changes.
        patch: SitePatch,
    },
    /// Makes an enrolment code.
    CreateCode(NewCode),
    /// Withdraws an enrolment code.
    RevokeCode(crate::id::CodeId),
    /// Invites a person, as an owner: makes them with a sign-in link. → [`super::Resource::Person`].
    InvitePerson {
        /// The e-mail address, 3 to 200 bytes.
        email: String,
        /// [`crate::directory::token_digest`] of the secret in the sign-in link.
        sign_in: Digest,
    },
    /// Makes a sign-in link for somebody active, as an owner; it replaces one made before. → [`super::Resource::Person`].
    MakeSignInLink {
        /// Who.
        person: PersonId,
        /// [`crate::directory::token_digest`] of the secret in the link.
        sign_in: Digest,
    },
    /// Ends all that somebody else could sign in with, as an owner. → [`super::Resource::Person`].
    DeactivatePerson(PersonId),
    /// Lets somebody who was deactivated sign in again, as an owner. → [`super::Resource::Person`].
    ReactivatePerson(PersonId),
    /// Makes an API token for oneself. → [`super::Resource::Token`], without the secret.
    CreateToken {
        /// 1 to 100 bytes.
        name: String,
        /// [`crate::directory::token_digest`] of the secret.
        digest: Digest,
        /// How long it works.
        life: TokenLife,
    },
    /// Renames a token: one's own, or as an owner anybody's.
    RenameToken {
        /// Which.
        token: TokenId,
        /// 1 to 100 bytes.
        name: String,
    },
    /// Withdraws a token: one's own, or as an owner anybody's.
    RevokeToken(TokenId),
    /// Ends a session: one's own, or as an owner anybody's.
    RevokeSession(SessionId),
    /// Sets or replaces one's own password and ends one's other sessions. → [`super::Resource::Person`].
    SetPassword {
        /// What the host made of the password: Argon2id as a PHC string.
        hash: String,
        /// The [`crate::directory::session_digest`] of the session that stays; `None`: all end.
        keep: Option<Digest>,
    },
    /// Signs out: ends one's own session with this [`crate::directory::session_digest`].
    EndSession(Digest),
    /// Makes a playbook.
    CreatePlaybook(Box<PlaybookSpec>),
    /// Saves a new version of a playbook whose current version is `if_match`.
    SavePlaybook {
        /// Which.
        playbook: PlaybookId,
        /// The version the editor saw.
        if_match: u64,
        /// What changes.
        patch: Box<PlaybookPatch>,
    },
    /// Puts a playbook away.
    ArchivePlaybook(PlaybookId),
    /// Takes out again what was put away.
    UnarchivePlaybook(PlaybookId),
}

/// What can be asked of the directory.
#[derive(Clone, Debug, PartialEq)]
pub enum DirectoryQuestion {
    /// Who holds the token or the session with this digest? → [`super::Answer::Authenticated`].
    ///
    /// [`crate::directory::token_digest`] finds tokens alone and [`crate::directory::session_digest`] sessions alone,
    /// so neither secret works in the other's place.
    Authenticate(Digest),
    /// Whose e-mail address this is and the hash of their password, for the host to compare; never shown.
    /// → [`super::Answer::PasswordHash`].
    PasswordHash(String),
    /// The live session with this [`crate::directory::session_digest`]. → [`super::Answer::Session`].
    Session(Digest),
    /// Sessions that live. → [`super::Answer::Sessions`], newest first.
    Sessions {
        /// Only of this person.
        person: Option<PersonId>,
        /// How much.
        paging: Paging,
    },
    /// Was this person deactivated? Asked once more right before what they asked for is done, since reading a request
    /// takes time. → [`super::Answer::IsDeactivated`].
    IsDeactivated(PersonId),
    /// → [`super::Answer::People`], by e-mail address, those who were deactivated too.
    People(Paging),
    /// Somebody active by e-mail address, in whichever case it is written. → [`super::Answer::Person`].
    PersonNamed(String),
    /// API tokens that were not withdrawn, those whose time is over too. → [`super::Answer::Tokens`], newest first.
    Tokens {
        /// Only of this person.
        person: Option<PersonId>,
        /// How much.
        paging: Paging,
    },
    /// → [`super::Answer::Clients`], by name.
    Clients(Paging),
    /// → [`super::Answer::Sites`], by name.
    Sites {
        /// Only of this client.
        client: Option<ClientId>,
        /// How much.
        paging: Paging,
    },
    /// → [`super::Answer::Site`].
    Site(SiteId),
    /// → [`super::Answer::Codes`], newest first.
    Codes(Paging),
    /// → [`super::Answer::Endpoints`], by name.
    Endpoints {
        /// Words to search for, all of which must be found: in names (also of the client and the site), tags, the last
        /// address and facts. At most 6 words and 200 bytes.
        text: Option<String>,
        /// Only of this client.
        client: Option<ClientId>,
        /// Only of this site.
        site: Option<SiteId>,
        /// How much.
        paging: Paging,
    },
    /// The same with the names of clients and sites. → [`super::Answer::Machines`], by name.
    Machines {
        /// As for [`Self::Endpoints`].
        text: Option<String>,
        /// Only of this client.
        client: Option<ClientId>,
        /// Only of this site.
        site: Option<SiteId>,
        /// How much.
        paging: Paging,
    },
    /// The other machines of its site that have the name of this one. → [`super::Answer::Namesakes`]; none where the
    /// directory does not know it yet.
    Namesakes(EndpointId),
    /// Sequences of every endpoint. → [`super::Answer::Sequences`], newest first.
    Sequences {
        /// Only in this state.
        state: Option<SequenceState>,
        /// Only changed at or after.
        since: Option<Timestamp>,
        /// How much.
        paging: Paging,
    },
    /// What happened while nobody looked. → [`super::Answer::Overnight`].
    Overnight {
        /// Since when what ended well is told.
        since: Timestamp,
        /// Most items of a group, 1 to 500; the rest is counted.
        limit: u32,
    },
    /// → [`super::Answer::Playbooks`], by name.
    Playbooks {
        /// Whether also those that were put away.
        archived: bool,
        /// How much.
        paging: Paging,
    },
    /// → [`super::Answer::Playbook`].
    Playbook {
        /// Which.
        playbook: PlaybookId,
        /// Which version; `None`: the current one.
        version: Option<u64>,
    },
    /// → [`super::Answer::PlaybookVersions`], newest first.
    PlaybookVersions {
        /// Of which.
        playbook: PlaybookId,
        /// How much.
        paging: Paging,
    },
    /// What does a playbook become with these values? → [`super::Answer::Filled`].
    FillPlaybook {
        /// Which.
        playbook: PlaybookId,
        /// The values.
        values: Box<PlaybookValues>,
    },
    /// Who did what, for an owner. → [`super::Answer::Audit`]; the cursor names the last number seen.
    Audit {
        /// Who asks.
        by: Principal,
        /// Whether the newest come first; otherwise the oldest do.
        is_newest_first: bool,
        /// How much; a page also ends at 256 KiB.
        paging: Paging,
    },
    /// The first line of an export of it, for an owner. → [`super::Answer::AuditHead`].
    AuditHead {
        /// Who asks.
        by: Principal,
    },
    /// The entries after `after` up to `through`, for an owner. → [`super::Answer::ExportEntries`].
    AuditEntries {
        /// Who asks.
        by: Principal,
        /// The last number seen.
        after: u64,
        /// The number of the export's head.
        through: u64,
    },
    /// → [`super::Answer::Counts`].
    Counts,
}
