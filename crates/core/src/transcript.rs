//! The control plane's append-only, hash-chained record of all that happened to an endpoint.

use serde::{Deserialize, Serialize};

use crate::chain::{Entry, Link};
use crate::digest::Digest;
use crate::envelope::Envelope;
use crate::id::{EndpointId, JournalId, LogId, SequenceId};
use crate::keys::PublicKey;
use crate::sequence::{EndState, SequenceSpec};
use crate::time::Timestamp;

/// The actor of entries that the endpoint's journal brought.
pub const ACTOR_ENDPOINT: &str = "endpoint";
/// The actor of entries that nobody asked for.
pub const ACTOR_CONTROL_PLANE: &str = "control plane";

/// Who made a sequence whose record was lost with a restore: the signed work does not say.
pub const AUTHOR_NOT_RECORDED: &str = "not recorded";

/// The header of a transcript entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TranscriptHeader {
    /// The endpoint.
    pub endpoint: EndpointId,
    /// When the control plane stored it.
    pub at: Timestamp,
    /// Who acted: an e-mail address, [`ACTOR_ENDPOINT`] or [`ACTOR_CONTROL_PLANE`].
    pub actor: String,
    /// What happened; for journal entries `journal.` and their kind.
    pub kind: String,
    /// The sequence it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<SequenceId>,
    /// Where a journal entry comes from. In the header, so that the journal's chain can be checked also when
    /// the body is erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub journal: Option<JournalPlace>,
    /// Its place in the chain.
    pub link: Link,
}

/// One entry of a journal, by its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JournalPlace {
    /// The journal.
    pub id: JournalId,
    /// The entry's number in it.
    pub number: u64,
    /// The entry's hash.
    pub hash: Digest,
    /// The hash of the entry before it.
    pub previous: Digest,
}

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum TranscriptBody {
    /// The endpoint was enrolled, or enrolled again.
    Enrolled {
        /// What it calls itself.
        name: String,
        /// Its key.
        key: PublicKey,
        /// Who made the code.
        code_by: String,
    },
    /// It presented a certificate that this record did not hold (R15).
    Recovered {
        /// What it was called.
        name: String,
        /// Its key.
        key: PublicKey,
    },
    /// A journal was seen for the first time; nothing goes to it.
    Candidate {
        /// Which.
        journal: JournalId,
        /// From which address.
        address: Option<String>,
    },
    /// Two machines wrote one journal: it is never current again.
    Forked {
        /// Which.
        journal: JournalId,
        /// The first place where they differ, as far as is known.
        number: u64,
    },
    /// A journal became the current one.
    Adopted {
        /// Which.
        journal: JournalId,
        /// The one before.
        replaced: Option<JournalId>,
    },
    /// The control plane speaks with these keys from here on.
    Authority {
        /// The [`crate::wire::OrderKeyCertificate`], signed by the root key.
        certificate: Envelope,
    },
    /// An order log was opened for the current journal.
    LogOpened {
        /// Which.
        log: LogId,
    },
    /// An order log was closed.
    LogClosed {
        /// Which.
        log: LogId,
    },
    /// The control plane was restored from a backup. What lived only in the lost part (work that was never offered,
    /// notes, approvals) is gone.
    Restored {
        /// Whether `admin restore` said so; otherwise the endpoint's order head proved it.
        announced: bool,
    },
    /// The machine showed signed work that this record lacked, which makes it a record (R12).
    Proved {
        /// Its title.
        title: String,
        /// What was asked for, as far as the signed work says.
        spec: Box<SequenceSpec>,
        /// The digest of the signed work.
        work: Digest,
    },
    /// A sequence was queued.
    Queued {
        /// Its title.
        title: String,
        /// What was asked for.
        spec: Box<SequenceSpec>,
        /// The digest of the signed work.
        work: Digest,
        /// The sequence it repeats.
        retry_of: Option<SequenceId>,
    },
    /// A sequence was sent towards the machine, and may run from here on.
    Offered {
        /// In which log.
        log: LogId,
        /// At which place.
        number: u64,
    },
    /// A sequence is held until a person decides.
    Held {
        /// Why.
        reason: String,
    },
    /// A person let held work go.
    Released,
    /// A person gave up work that never left.
    Purged,
    /// A person asked to cancel work that was already offered.
    CancelRequested,
    /// Work that was never offered ended.
    Ended {
        /// How.
        state: EndState,
        /// Why.
        reason: String,
    },
    /// Work that was offered and that nobody can tell of.
    Lost {
        /// Why nobody can.
        reason: String,
    },
    /// The endpoint never heard of work that may have run: it stands as before.
    Returned,
    /// The endpoint has work that this record had ended: it is under way (R9).
    Revived,
    /// Late evidence replaced how a step ended.
    Amended {
        /// The step, from 1.
        step: u32,
        /// How it stood.
        from: EndState,
        /// How it stands.
        to: EndState,
    },
    /// An order was taken back because it could not be delivered unaltered.
    Voided {
        /// Its log.
        log: LogId,
        /// Its place.
        number: u64,
    },
    /// Journal entries are gone on the endpoint; what it knew of work came instead.
    Gap {
        /// The journal.
        journal: JournalId,
        /// The last entry held before the gap.
        after: u64,
        /// The last entry in the gap.
        through: u64,
        /// The hash there.
        hash: Digest,
    },
    /// A journal entry, byte for byte.
    Journal {
        /// Its exact header.
        header: String,
        /// Its exact body.
        body: String,
    },
    /// Somebody wrote on a sequence or, where the header names none, on the machine.
    Noted {
        /// What.
        text: String,
    },
    /// Somebody looked at what came back.
    Reviewed,
    /// Somebody took that back.
    Unreviewed,
    /// Somebody gave a sequence to a person to look after.
    Assigned {
        /// Whom: an e-mail address; absent: nobody any more.
        to: Option<String>,
    },
    /// Somebody put a sequence that was not sent yet before the others.
    RunNext,
    /// Somebody changed name, site or tags.
    Edited {
        /// The name since then.
        name: String,
        /// The site since then.
        site: crate::id::SiteId,
        /// The tags since then; absent: they did not change.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tags: Option<Vec<String>>,
    },
    /// The body of an earlier entry was erased. Its header stays, so the chain holds.
    Erased {
        /// The entry whose body is gone.
        number: u64,
        /// The digest of that body, as the entry's header has it.
        body: Digest,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// Nothing more is believed of it.
    Revoked,
    /// It was told to stop and remove itself.
    Retired,
}

impl TranscriptBody {
    /// The record of a journal entry.
    pub fn of_journal(entry: &Entry) -> Self {
        Self::Journal { header: entry.header.clone(), body: entry.body.clone().unwrap_or_default() }
    }

    /// The exact text that is hashed and stored.
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).expect("transcript bodies serialize")
    }

    /// The word that the header repeats; journal entries have their own.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Enrolled { .. } => "enrolled",
            Self::Recovered { .. } => "recovered",
            Self::Candidate { .. } => "candidate",
            Self::Forked { .. } => "forked",
            Self::Adopted { .. } => "adopted",
            Self::Authority { .. } => "authority",
            Self::LogOpened { .. } => "log_opened",
            Self::LogClosed { .. } => "log_closed",
            Self::Restored { .. } => "restored",
            Self::Proved { .. } => "proved",
            Self::Queued { .. } => "queued",
            Self::Offered { .. } => "offered",
            Self::Held { .. } => "held",
            Self::Released => "released",
            Self::Purged => "purged",
            Self::CancelRequested => "cancel_requested",
            Self::Ended { .. } => "ended",
            Self::Lost { .. } => "lost",
            Self::Returned => "returned",
            Self::Revived => "revived",
            Self::Amended { .. } => "amended",
            Self::Voided { .. } => "voided",
            Self::Gap { .. } => "gap",
            Self::Journal { .. } => "journal",
            Self::Noted { .. } => "noted",
            Self::Reviewed => "reviewed",
            Self::Unreviewed => "unreviewed",
            Self::Assigned { .. } => "assigned",
            Self::RunNext => "run_next",
            Self::Edited { .. } => "edited",
            Self::Erased { .. } => "erased",
            Self::Revoked => "revoked",
            Self::Retired => "retired",
        }
    }
}
