//! What a question is answered with.

use crate::api::{
    AuditEntryView, ClientView, CodeView, ComparisonView, ContactsView, EndpointView, MachineRow, Namesake,
    OvernightView, Page, PersonView, PlaybookSummary, PlaybookVersionView, PlaybookView, QueueItem,
    SequenceSummary, SequenceView, SessionView, SiteView, TokenView, TranscriptEntryView,
};
use crate::chain::Entry;
use crate::id::PersonId;
use crate::probe::Catalogue;
use crate::sequence::SequenceSpec;

use super::Principal;

/// What a question is answered with.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Who acts; `None`: nobody has that token or session.
    Authenticated(Option<Authenticated>),
    /// Who, and the hash; `None`: nobody active has that address, or has a password.
    PasswordHash(Option<(PersonId, String)>),
    /// One session; `None`: it does not live.
    Session(Option<SessionView>),
    /// A page of sessions.
    Sessions(Page<SessionView>),
    /// Whether somebody was deactivated.
    IsDeactivated(bool),
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
    /// Other machines of one name; empty: there are none.
    Namesakes(Vec<Namesake>),
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
    /// A page of the audit log.
    Audit(Page<AuditEntryView>),
    /// The first line of an export of the audit log.
    AuditHead(Box<crate::export::AuditExportHead>),
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
    /// One entry of the transcript.
    TranscriptEntry(Box<TranscriptEntryView>),
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

/// Who acts, and whether this use of the token or session is to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authenticated {
    /// Who.
    pub principal: Principal,
    /// Whether the stored time of the last use is so old that [`super::DirectoryInput::Use`] would move it. Most requests
    /// are not stored: a session's use is every 15 minutes, a token's once a day.
    pub is_use_due: bool,
}

/// What a sync needs.
#[derive(Clone, Debug, PartialEq)]
pub enum SyncNeed {
    /// Something must move: call with [`super::EndpointInput::Sync`].
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
