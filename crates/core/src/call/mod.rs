//! The core's one shape: what a host calls with and what it gets back. All of it is plain data.

mod answer;
mod context;
mod directory;
mod endpoint;
mod reply;
mod sensitive;

use crate::digest::Digest;
use crate::id::{EndpointId, PersonId};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

pub use answer::{Answer, Authenticated, Counts, SyncNeed};
pub use context::{Context, Presence, Seen};
pub use directory::{
    DirectoryAct, DirectoryInput, DirectoryQuestion, RefusedSignIn, RefusedSignIns, SessionProof,
};
pub use endpoint::{Admission, EndpointAct, EndpointInput, EndpointQuestion, SequenceAct};
pub use reply::{Effect, Projection, Reply, Resource, Synced};
pub use sensitive::CONFIRMED_FOR;
pub(crate) use sensitive::check_confirmed;

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
    /// How they proved who they are.
    pub proof: Proof,
}

impl Principal {
    /// Whether they may do what only owners may.
    pub fn is_owner(&self) -> bool {
        self.role == crate::directory::ROLE_OWNER
    }
}

/// How a principal proved who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// With an API token, which is a separate credential: no confirmation is asked.
    Token {
        /// When the token ends; `None`: when it is withdrawn.
        until: Option<Timestamp>,
    },
    /// With a browser session.
    Session {
        /// When the person last gave a password or a one-time link in this session; `None`: never, as in a session that
        /// was opened with an API token.
        confirmed_at: Option<Timestamp>,
        /// When the API token ends that opened the session; `None`: none did, or it ends when it is withdrawn.
        until: Option<Timestamp>,
    },
}

impl Proof {
    /// When the API token ends that this rests on. A token that is made with it ends no later.
    pub fn until(self) -> Option<Timestamp> {
        match self {
            Self::Token { until } | Self::Session { until, .. } => until,
        }
    }
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

/// What can be asked without changing anything.
#[derive(Clone, Debug, PartialEq)]
pub enum Question {
    /// Of the directory.
    Directory(DirectoryQuestion),
    /// Of an endpoint.
    Endpoint(EndpointQuestion),
}
