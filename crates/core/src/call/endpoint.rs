//! What can happen to an endpoint object, and what can be asked of it.

use std::sync::Arc;

use crate::api::{EndpointPatch, NewSequence, Paging, SequencePatch, SequenceState, SiteView};
use crate::envelope::Envelope;
use crate::id::{ClientId, EndpointId, JournalId, SequenceId, SiteId};
use crate::rhythm::Rhythm;
use crate::time::Timestamp;
use crate::wire::{EnrolRequest, IdleSync, SignedLine, SyncRequest};

use super::{Command, Seen};

/// What can happen to an endpoint object.
#[derive(Clone, Debug, PartialEq)]
pub enum EndpointInput {
    /// The directory admitted it. → [`super::Reply::Enrolled`].
    Enrol(Box<Admission>),
    /// It presents its certificate, in an envelope signed by its key (R15). → [`super::Reply::Enrolled`].
    Recover(Box<Envelope>),
    /// It syncs. → [`super::Reply::Synced`].
    Sync {
        /// The request.
        request: Arc<SyncRequest>,
        /// The address it came from, for people.
        address: Option<String>,
    },
    /// Some of the entries of a sync that comes whole right after, so that one large sync does not hold up the calls of
    /// others. Nothing else of it counts yet: stopped between the two, it is as if a repeat had been heard (R5).
    /// → [`super::Reply::Done`].
    SyncPart {
        /// The whole request.
        request: Arc<SyncRequest>,
        /// Which of its entries, counted from 0; those before were taken by earlier parts.
        entries: core::ops::Range<usize>,
    },
    /// It syncs in short, and something may have to move. → [`super::Reply::Synced`].
    IdleSync(Arc<IdleSync>),
    /// A person acts. → [`super::Reply::Resource`].
    Act(Box<Command<EndpointAct>>),
    /// The directory deactivated a person ([`crate::directory::outbox`]). → [`super::Reply::Done`].
    HoldWorkOf {
        /// Whose work: the e-mail address.
        person: String,
        /// Who deactivated them: an e-mail address.
        by: String,
    },
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

/// What can be asked of an endpoint object.
#[derive(Clone, Debug, PartialEq)]
pub enum EndpointQuestion {
    /// Did a key of this endpoint sign the first line, so that the rest is worth reading? → [`super::Answer::Sync`].
    SyncLine(Arc<SignedLine>),
    /// Must anything move for this sync? → [`super::Answer::Sync`].
    Sync(Arc<SyncRequest>),
    /// Has anything moved for this short one? → [`super::Answer::Sync`].
    IdleSync(Arc<IdleSync>),
    /// → [`super::Answer::Endpoint`].
    Endpoint,
    /// → [`super::Answer::Probes`].
    Probes,
    /// → [`super::Answer::Sequence`].
    Sequence(SequenceId),
    /// → [`super::Answer::Sequences`], newest first.
    Sequences {
        /// Only in this state.
        state: Option<SequenceState>,
        /// Only changed at or after.
        since: Option<Timestamp>,
        /// How much.
        paging: Paging,
    },
    /// → [`super::Answer::Transcript`]; the cursor is the last number seen.
    Transcript {
        /// Whether the newest come first; otherwise the oldest do.
        is_newest_first: bool,
        /// Only of this sequence.
        sequence: Option<SequenceId>,
        /// How much.
        paging: Paging,
    },
    /// One entry, whole. → [`super::Answer::TranscriptEntry`]
    TranscriptEntry {
        /// Its number.
        number: u64,
    },
    /// What is under way or waits, in the order in which the machine takes it. → [`super::Answer::Queue`].
    Queue {
        /// How many at most, up to [`Paging::LIMIT_MAX`].
        limit: u32,
    },
    /// What the same step found the last time. → [`super::Answer::Comparison`].
    Previous {
        /// The sequence.
        sequence: SequenceId,
        /// The step in it, from 1.
        step: u32,
    },
    /// When it was heard. → [`super::Answer::Contacts`].
    Contacts {
        /// Since when; 31 days at most.
        since: Timestamp,
    },
    /// → [`super::Answer::ExportHead`].
    ExportHead,
    /// The entries after `after` up to `through`, at most a few hundred KiB. → [`super::Answer::ExportEntries`].
    ExportEntries {
        /// The last number seen.
        after: u64,
        /// The number of the export's head.
        through: u64,
    },
}
