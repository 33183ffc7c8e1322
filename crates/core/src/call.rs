//! The core's one shape: what a host calls with and what it gets back. All of it is plain data.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::api::{
    ClientView, CodeView, ComparisonView, ContactsView, EndpointPatch, EndpointView, MachineRow, NewClient,
    NewCode, NewSequence, NewSite, OvernightView, Page, Paging, PersonView, PlaybookPatch, PlaybookSummary,
    PlaybookValues, PlaybookVersionView, PlaybookView, QueueItem, SequencePatch, SequenceState,
    SequenceSummary, SequenceView, SessionView, SitePatch, SiteView, TokenView, TranscriptEntryView,
};
use crate::chain::Entry;
use crate::digest::Digest;
use crate::envelope::Envelope;
use crate::id::{
    ClientId, EndpointId, JournalId, PersonId, PlaybookId, SequenceId, SessionId, SiteId, TokenId,
};
use crate::keys::{Role, Sign};
use crate::playbook::PlaybookSpec;
use crate::probe::Catalogue;
use crate::rhythm::Rhythm;
use crate::sequence::SequenceSpec;
use crate::time::Timestamp;
use crate::wire::{Authority, EnrolAnswer, EnrolRequest, IdleSync, SyncAnswer, SyncRequest, TranscriptHead};

/// What every call is given from outside.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The time of the call.
    pub now: Timestamp,
    /// 32 fresh random bytes, used for this call alone.
    pub entropy: [u8; 32],
    /// The host's keys.
    pub keys: &'a dyn Sign,
    /// The root key and the certificate of the order key.
    pub authority: &'a Authority,
    /// Who was heard when: a host's fact, since an idle sync writes nothing.
    pub presence: &'a dyn Presence,
}

/// When endpoints were last heard, and what else only the host knows.
pub trait Presence {
    /// The last contact; `None` where the host knows of none since it started.
    fn last_seen(&self, endpoint: EndpointId) -> Option<Seen>;

    /// Whether a sync of the endpoint is being held right now.
    fn is_connected(&self, endpoint: EndpointId) -> bool;

    /// What its contacts were like since the host started. A host that learns nothing says so by the default.
    fn rhythm(&self, _endpoint: EndpointId) -> Rhythm {
        Rhythm::default()
    }

    /// Whether the host's storage took the last writes; `true` where it was full. A host that cannot tell leaves the
    /// default.
    fn is_storage_full(&self) -> bool {
        false
    }
}

/// A contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// When.
    pub at: Timestamp,
    /// How far the endpoint's wall clock was ahead (positive) or behind; an idle sync does not say.
    pub skew_ms: Option<i64>,
}

/// Which object a call is about. A call touches the rows of one object only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ObjectId {
    /// People, clients, sites, codes, and projections of endpoints.
    Directory,
    /// One endpoint.
    Endpoint(EndpointId),
}

/// Who acts, as the host established it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Principal {
    /// The person.
    pub person: PersonId,
    /// The name that transcripts record: the e-mail address.
    pub email: String,
    /// What they may do; `owner` until roles come.
    pub role: String,
}

/// A request that may be repeated: scoped to the principal and the route, kept for 24 hours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency {
    /// The client's key, 1 to 200 bytes.
    pub key: String,
    /// Method and path.
    pub route: String,
    /// The digest of the body: the same key with another body is refused.
    pub body: Digest,
}

/// What people do, with who does it.
#[derive(Clone, Debug, PartialEq)]
pub struct Command<A> {
    /// Who.
    pub by: Principal,
    /// The key that makes a repeat safe; `None`: the client sent none.
    pub idempotency: Option<Idempotency>,
    /// What.
    pub act: A,
}

/// What can happen to an object.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// To the directory.
    Directory(DirectoryInput),
    /// To an endpoint.
    Endpoint(EndpointInput),
}

/// What can happen to the directory.
#[derive(Clone, Debug, PartialEq)]
pub enum DirectoryInput {
    /// A person acts.
    Act(Box<Command<DirectoryAct>>),
    /// A machine asks to enrol: the envelope it sent. → [`Reply::Admitted`].
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
    },
    /// A one-time sign-in link is turned into a token.
    SignIn {
        /// The digest of the link's secret.
        link: Digest,
        /// The digest of the new token's secret.
        token: Digest,
    },
    /// Somebody signs in with a browser. → [`Reply::Resource`] with a [`Resource::Session`].
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
    /// [`EndpointAct::FollowSite`].
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
    /// Invites a person, as an owner: makes them with a sign-in link. → [`Resource::Person`].
    InvitePerson {
        /// The e-mail address, 3 to 200 bytes.
        email: String,
        /// [`crate::directory::token_digest`] of the secret in the sign-in link.
        sign_in: Digest,
    },
    /// Makes a sign-in link for somebody active, as an owner; it replaces one made before. → [`Resource::Person`].
    MakeSignInLink {
        /// Who.
        person: PersonId,
        /// [`crate::directory::token_digest`] of the secret in the link.
        sign_in: Digest,
    },
    /// Ends all that somebody else could sign in with, as an owner. → [`Resource::Person`].
    DeactivatePerson(PersonId),
    /// Lets somebody who was deactivated sign in again, as an owner. → [`Resource::Person`].
    ReactivatePerson(PersonId),
    /// Makes an API token for oneself. → [`Resource::Token`], without the secret.
    CreateToken {
        /// 1 to 100 bytes.
        name: String,
        /// [`crate::directory::token_digest`] of the secret.
        digest: Digest,
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
    /// Sets or replaces one's own password and ends one's other sessions. → [`Resource::Person`].
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

/// What can happen to an endpoint object.
#[derive(Clone, Debug, PartialEq)]
pub enum EndpointInput {
    /// The directory admitted it. → [`Reply::Enrolled`].
    Enrol(Box<Admission>),
    /// It presents its certificate, in an envelope signed by its key (R15). → [`Reply::Enrolled`].
    Recover(Box<Envelope>),
    /// It syncs. → [`Reply::Synced`].
    Sync {
        /// The request.
        request: Arc<SyncRequest>,
        /// The address it came from, for people.
        address: Option<String>,
    },
    /// It syncs in short, and something may have to move. → [`Reply::Synced`].
    IdleSync(Arc<IdleSync>),
    /// A person acts. → [`Reply::Resource`].
    Act(Box<Command<EndpointAct>>),
    /// A deadline of [`crate::control::next_deadline`] has come.
    Deadline,
    /// The host keeps contacts that no call stored.
    Seen {
        /// The last one.
        seen: Seen,
        /// What they were like since the host started.
        rhythm: Rhythm,
    },
}

/// What a person does with an endpoint or its sequences.
#[derive(Clone, Debug, PartialEq)]
pub enum EndpointAct {
    /// Queues a sequence or keeps a draft.
    CreateSequence(Box<NewSequence>),
    /// Edits a draft whose revision is `if_match`.
    EditSequence {
        /// Which.
        sequence: SequenceId,
        /// The revision the editor saw.
        if_match: u64,
        /// What changes.
        patch: Box<SequencePatch>,
    },
    /// Acts on a sequence.
    Sequence {
        /// Which.
        sequence: SequenceId,
        /// What.
        act: SequenceAct,
    },
    /// Makes a candidate journal the current one.
    Adopt {
        /// Which.
        journal: JournalId,
    },
    /// Believes nothing more that it sends.
    Revoke,
    /// Tells it to stop and remove itself.
    Retire,
    /// Edits name, site or tags.
    Edit {
        /// The revision the editor saw.
        if_match: u64,
        /// What changes.
        patch: EndpointPatch,
        /// The new site, looked up in the directory.
        site: Option<SiteView>,
    },
    /// Takes up the time zone of its site, which was edited. Where it belongs to another site by now, nothing happens.
    /// Nothing is decided by the zone, so there is no entry in the transcript: the directory's audit chain tells who
    /// edited the site.
    FollowSite(Box<SiteView>),
    /// Writes on the machine itself; 1 to 10,000 bytes.
    Note(String),
}

/// What a person does with a sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SequenceAct {
    /// Queues a draft.
    Queue,
    /// Ends it.
    Cancel,
    /// Queues the same again as a new sequence. An action runs again.
    Retry,
    /// Lets held work run on the machine that is adopted.
    Release,
    /// Gives up work that never left: held, queued or a draft.
    Purge,
    /// Writes on it; 1 to 10,000 bytes.
    Note(String),
    /// Says that a person looked at what came back; only for one that has ended. A repeat changes nothing.
    Review,
    /// Takes that back.
    Unreview,
    /// Gives it to a person to look after: an e-mail address, 3 to 200 bytes; `None`: to nobody.
    Assign(Option<String>),
    /// Puts one that was not sent yet before the others of its endpoint.
    RunNext,
}

/// What the directory tells the endpoint object about a machine it admitted.
#[derive(Clone, Debug, PartialEq)]
pub struct Admission {
    /// The endpoint's id: a fresh one, that of an earlier try, or that of the record it re-enrols.
    pub endpoint: EndpointId,
    /// The site it enrols into.
    pub site: SiteId,
    /// That site's client.
    pub client: ClientId,
    /// That site's time zone.
    pub time_zone: String,
    /// Who made the code.
    pub code_by: String,
    /// The request, its signature verified.
    pub request: EnrolRequest,
}

/// What an endpoint object tells the directory about itself: everything that listings and search need.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Projection {
    /// Grows with every change; an older one changes nothing.
    pub version: u64,
    /// The endpoint as of then, without journals and probes.
    pub endpoint: EndpointView,
    /// Its public keys, by which a repeated enrolment finds it.
    pub keys: Vec<crate::keys::PublicKey>,
    /// The sequences that changed.
    pub sequences: Vec<SequenceSummary>,
    /// Drafts that were given up.
    pub removed: Vec<SequenceId>,
    /// The outbox rows it stands for: which, and in which version.
    pub taken: Vec<(Option<SequenceId>, u64)>,
}

/// What a call answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// Nothing to say.
    Done,
    /// The resource that was made or changed.
    Resource {
        /// The resource.
        resource: Box<Resource>,
        /// Whether it is new (201) or changed (200).
        created: bool,
        /// Whether this is the answer to an earlier request with the same idempotency key: nothing was done, and a
        /// digest that came with this one was not stored.
        repeated: bool,
    },
    /// The machine is admitted: pass it to its endpoint object.
    Admitted(Box<Admission>),
    /// The endpoint is enrolled.
    Enrolled(Box<EnrolAnswer>),
    /// The answer to a sync.
    Synced(Box<Synced>),
}

/// The answer to a sync, but for the signature on the transcript's head: the host makes it once what the head tells of
/// is durable, beside its writer.
#[derive(Clone, Debug, PartialEq)]
pub struct Synced {
    /// The answer, without a head.
    pub answer: SyncAnswer,
    /// The head that the endpoint's journal is to endorse.
    pub head: Option<TranscriptHead>,
}

impl Synced {
    /// The answer as it leaves.
    pub fn seal(self, keys: &dyn Sign) -> SyncAnswer {
        let transcript = self.head.map(|head| Envelope::seal(&head, keys, Role::Order));
        SyncAnswer { transcript, ..self.answer }
    }
}

/// A resource as the interface shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "value", rename_all = "snake_case")]
pub enum Resource {
    /// A client.
    Client(ClientView),
    /// A site.
    Site(SiteView),
    /// An enrolment code.
    Code(CodeView),
    /// An endpoint.
    Endpoint(Box<EndpointView>),
    /// A sequence.
    Sequence(Box<SequenceView>),
    /// A person.
    Person(PersonView),
    /// A token.
    Token(TokenView),
    /// A session.
    Session(SessionView),
    /// A playbook.
    Playbook(Box<PlaybookView>),
}

/// What leaves after the commit. Losing one loses nothing that matters: what matters is a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A held sync of the endpoint has something to answer.
    Wake(EndpointId),
    /// The endpoint's projections changed; [`crate::control::outbox`] has them.
    Project(EndpointId),
}

/// What can be asked without changing anything.
#[derive(Clone, Debug, PartialEq)]
pub enum Question {
    /// Of the directory.
    Directory(DirectoryQuestion),
    /// Of an endpoint.
    Endpoint(EndpointQuestion),
}

/// What can be asked of the directory.
#[derive(Clone, Debug, PartialEq)]
pub enum DirectoryQuestion {
    /// Who holds the token or the session with this digest? → [`Answer::Principal`].
    ///
    /// [`crate::directory::token_digest`] finds tokens alone and [`crate::directory::session_digest`] sessions alone,
    /// so neither secret works in the other's place.
    Authenticate(Digest),
    /// Whose e-mail address this is and the hash of their password, for the host to compare; never shown.
    /// → [`Answer::PasswordHash`].
    PasswordHash(String),
    /// The live session with this [`crate::directory::session_digest`]. → [`Answer::Session`].
    Session(Digest),
    /// Sessions that live. → [`Answer::Sessions`], newest first.
    Sessions {
        /// Only of this person.
        person: Option<PersonId>,
        /// How much.
        paging: Paging,
    },
    /// → [`Answer::People`], by e-mail address, those who were deactivated too.
    People(Paging),
    /// Somebody active by e-mail address, in whichever case it is written. → [`Answer::Person`].
    PersonNamed(String),
    /// API tokens that work. → [`Answer::Tokens`], newest first.
    Tokens {
        /// Only of this person.
        person: Option<PersonId>,
        /// How much.
        paging: Paging,
    },
    /// → [`Answer::Clients`], by name.
    Clients(Paging),
    /// → [`Answer::Sites`], by name.
    Sites {
        /// Only of this client.
        client: Option<ClientId>,
        /// How much.
        paging: Paging,
    },
    /// → [`Answer::Site`].
    Site(SiteId),
    /// → [`Answer::Codes`], newest first.
    Codes(Paging),
    /// → [`Answer::Endpoints`], by name.
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
    /// The same with the names of clients and sites. → [`Answer::Machines`], by name.
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
    /// Sequences of every endpoint. → [`Answer::Sequences`], newest first.
    Sequences {
        /// Only in this state.
        state: Option<SequenceState>,
        /// Only changed at or after.
        since: Option<Timestamp>,
        /// How much.
        paging: Paging,
    },
    /// What happened while nobody looked. → [`Answer::Overnight`].
    Overnight {
        /// Since when what ended well is told.
        since: Timestamp,
        /// Most items of a group, 1 to 500; the rest is counted.
        limit: u32,
    },
    /// → [`Answer::Playbooks`], by name.
    Playbooks {
        /// Whether also those that were put away.
        archived: bool,
        /// How much.
        paging: Paging,
    },
    /// → [`Answer::Playbook`].
    Playbook {
        /// Which.
        playbook: PlaybookId,
        /// Which version; `None`: the current one.
        version: Option<u64>,
    },
    /// → [`Answer::PlaybookVersions`], newest first.
    PlaybookVersions {
        /// Of which.
        playbook: PlaybookId,
        /// How much.
        paging: Paging,
    },
    /// What does a playbook become with these values? → [`Answer::Filled`].
    FillPlaybook {
        /// Which.
        playbook: PlaybookId,
        /// The values.
        values: Box<PlaybookValues>,
    },
    /// → [`Answer::Counts`].
    Counts,
}

/// What can be asked of an endpoint object.
#[derive(Clone, Debug, PartialEq)]
pub enum EndpointQuestion {
    /// Must anything move for this sync? → [`Answer::Sync`].
    Sync(Arc<SyncRequest>),
    /// Has anything moved for this short one? → [`Answer::Sync`].
    IdleSync(Arc<IdleSync>),
    /// → [`Answer::Endpoint`].
    Endpoint,
    /// → [`Answer::Probes`].
    Probes,
    /// → [`Answer::Sequence`].
    Sequence(SequenceId),
    /// → [`Answer::Sequences`], newest first.
    Sequences {
        /// Only in this state.
        state: Option<SequenceState>,
        /// Only changed at or after.
        since: Option<Timestamp>,
        /// How much.
        paging: Paging,
    },
    /// → [`Answer::Transcript`]; the cursor is the last number seen.
    Transcript {
        /// Whether the newest come first; otherwise the oldest do.
        is_newest_first: bool,
        /// Only of this sequence.
        sequence: Option<SequenceId>,
        /// How much.
        paging: Paging,
    },
    /// What is under way or waits, in the order in which the machine takes it. → [`Answer::Queue`].
    Queue {
        /// How many at most, up to [`Paging::LIMIT_MAX`].
        limit: u32,
    },
    /// What the same step found the last time. → [`Answer::Comparison`].
    Previous {
        /// The sequence.
        sequence: SequenceId,
        /// The step in it, from 1.
        step: u32,
    },
    /// When it was heard. → [`Answer::Contacts`].
    Contacts {
        /// Since when; 31 days at most.
        since: Timestamp,
    },
    /// → [`Answer::ExportHead`].
    ExportHead,
    /// The entries after `after` up to `through`, at most a few hundred KiB. → [`Answer::ExportEntries`].
    ExportEntries {
        /// The last number seen.
        after: u64,
        /// The number of the export's head.
        through: u64,
    },
}

/// What a question is answered with.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Who acts; `None`: nobody has that token or session.
    Principal(Option<Principal>),
    /// Who, and the hash; `None`: nobody active has that address, or has a password.
    PasswordHash(Option<(PersonId, String)>),
    /// One session; `None`: it does not live.
    Session(Option<SessionView>),
    /// A page of sessions.
    Sessions(Page<SessionView>),
    /// A page of people.
    People(Page<PersonView>),
    /// One person; `None`: nobody active has that address.
    Person(Option<PersonView>),
    /// A page of tokens.
    Tokens(Page<TokenView>),
    /// A page of clients.
    Clients(Page<ClientView>),
    /// A page of sites.
    Sites(Page<SiteView>),
    /// One site.
    Site(SiteView),
    /// A page of codes.
    Codes(Page<CodeView>),
    /// A page of endpoints.
    Endpoints(Page<EndpointView>),
    /// A page of machines.
    Machines(Page<MachineRow>),
    /// What happened while nobody looked.
    Overnight(Box<OvernightView>),
    /// A page of playbooks.
    Playbooks(Page<PlaybookSummary>),
    /// One version of a playbook.
    Playbook(Box<PlaybookView>),
    /// A page of a playbook's versions.
    PlaybookVersions(Page<PlaybookVersionView>),
    /// A sequence made from a playbook.
    Filled(Box<SequenceSpec>),
    /// How much there is.
    Counts(Counts),
    /// What a sync needs.
    Sync(SyncNeed),
    /// One endpoint.
    Endpoint(Box<EndpointView>),
    /// Its probes; `None`: it never told them.
    Probes(Option<Catalogue>),
    /// One sequence.
    Sequence(Box<SequenceView>),
    /// A page of sequences.
    Sequences(Page<SequenceSummary>),
    /// A page of the transcript.
    Transcript(Page<TranscriptEntryView>),
    /// What the same step found the last time.
    Comparison(Box<ComparisonView>),
    /// What is under way or waits, first what is taken first.
    Queue(Vec<QueueItem>),
    /// When it was heard.
    Contacts(ContactsView),
    /// The first line of an export.
    ExportHead(Box<crate::export::ExportHead>),
    /// Entries of an export; empty: no more.
    ExportEntries(Vec<(u64, Entry)>),
}

/// What a sync needs.
#[derive(Clone, Debug, PartialEq)]
pub enum SyncNeed {
    /// Something must move: call with [`EndpointInput::Sync`].
    Handle,
    /// Nothing moves: hold it as long as it allows, then answer with nothing.
    Wait,
}

/// How much there is, for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Counts {
    /// Endpoints known.
    pub endpoints: u64,
    /// Sequences that have not ended.
    pub sequences_live: u64,
    /// Sequences in all.
    pub sequences: u64,
}
