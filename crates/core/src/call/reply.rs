//! What a call is answered with, and what leaves with it.

use serde::{Deserialize, Serialize};

use crate::api::{
    ClientView, CodeView, EndpointView, PersonView, PlaybookView, SequenceSummary, SequenceView, SessionView,
    SiteView, TokenView,
};
use crate::envelope::Envelope;
use crate::id::{EndpointId, SequenceId};
use crate::keys::{Role, Sign};
use crate::wire::{EnrolAnswer, SyncAnswer, TranscriptHead};

use super::Admission;

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
    /// The machine is admitted.
    Admitted {
        /// The call for its endpoint object.
        admission: Box<Admission>,
        /// Other machines of the site that have its name, for the answer to the machine.
        same_name: Vec<EndpointId>,
    },
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
    /// Whether the endpoint was heard with it: `false` for a repeat, and for a sync that a later one overtook (R5).
    pub is_news: bool,
}

impl Synced {
    /// The answer as it leaves.
    pub fn seal(self, keys: &dyn Sign) -> SyncAnswer {
        let transcript = self.head.map(|head| Envelope::seal(&head, keys, Role::Statement));
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
    /// The directory has something to tell endpoints; [`crate::directory::outbox`] has it.
    Tell,
    /// The endpoint's projections changed; [`crate::control::outbox`] has them.
    Project(EndpointId),
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
