//! Machines as people and scripts see them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::day::UtcDay;
use crate::id::{ClientId, EndpointId, JournalId, SiteId};
use crate::probe::Catalogue;
use crate::time::Timestamp;

use super::NoteView;

/// One enrolled machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct EndpointView {
    /// Its id.
    pub id: EndpointId,
    /// Its name: the host name at enrolment until a person renames it.
    pub name: String,
    /// The client it belongs to.
    pub client_id: ClientId,
    /// The site it belongs to.
    pub site_id: SiteId,
    /// Whether it may work here at all.
    pub state: EndpointState,
    /// Whether it was heard lately.
    pub reachability: Reachability,
    /// What its work does.
    pub work: WorkState,
    /// What needs a person, and what clears it.
    pub attention: Vec<Attention>,
    /// When it was last heard; absent: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen_at: Option<Timestamp>,
    /// How far its wall clock is ahead (positive) or behind; absent: not measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_skew_ms: Option<i64>,
    /// What it last told of itself.
    #[schema(value_type = Object)]
    pub facts: Map<String, Value>,
    /// Its probes, for forms; only in the answer about one endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    pub probes: Option<Catalogue>,
    /// Its journals, the current one first; only in the answer about one endpoint.
    #[serde(default)]
    pub journals: Vec<JournalView>,
    /// What its runtime sent and received a day, newest first, at most 31 days; only in the answer about one
    /// endpoint.
    #[serde(default)]
    pub traffic: Vec<TrafficView>,
    /// When its runtime found no path, newest first, at most 10; only in the answer about one endpoint.
    #[serde(default)]
    pub outages: Vec<OutageView>,
    /// How often it is usually heard while it has a path, learned from its own contacts; absent: not known yet. In
    /// listings as it was when the machine last told anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usual_interval_ms: Option<u64>,
    /// The hours of UTC in which it is usually heard, where those are few; empty: any, or not known yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub usual_hours_utc: Vec<u8>,
    /// What people sort it by, in the order they gave: at most 20, each 1 to 50 bytes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The address it was last heard from with something to tell; absent: not known. Behind a router it is the router's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// What people wrote on it, newest first, at most 50; the transcript has them all. Only in the answer about one
    /// endpoint.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<NoteView>,
    /// How many sequences the machine tells of that this record does not have and for which it showed no signed work:
    /// the machine's own word, which no listing counts. Only in the answer about one endpoint.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub claimed: u64,
    /// Other machines of its site in service that have the same name, without regard to case: at most 5. In listings and in
    /// the answer about one endpoint.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub same_name: Vec<Namesake>,
    /// When it was enrolled.
    pub enrolled_at: Timestamp,
    /// What `If-Match` names for an edit.
    pub revision: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Another machine of the same site with the same name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Namesake {
    /// Its id.
    pub id: EndpointId,
    /// Its name as it is written.
    pub name: String,
    /// When it was enrolled.
    pub enrolled_at: Timestamp,
    /// When it was last heard; absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen_at: Option<Timestamp>,
}

/// One enrolled machine in a listing, with the names of where it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MachineRow {
    /// The machine.
    pub endpoint: EndpointView,
    /// The name of its client; its id where there is none of that id.
    pub client_name: String,
    /// The name of its site; its id where there is none of that id.
    pub site_name: String,
}

/// Whether an endpoint may work here at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndpointState {
    /// It may.
    Active,
    /// It came with a certificate of ours that this record does not hold (R15): adopt one of its journals to confirm.
    Recovered,
    /// It was told to stop and remove itself when it is next heard.
    Retired,
    /// Nothing it sends is believed.
    Revoked,
}

/// Whether an endpoint was heard lately.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reachability {
    /// Heard within two check-ins.
    Reachable,
    /// Not heard within two check-ins.
    Quiet,
    /// Not heard since it enrolled here.
    NeverSeen,
}

/// What the work of an endpoint does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WorkState {
    /// Nothing is queued or under way.
    Idle,
    /// Something waits or may be under way unseen.
    Waiting,
    /// The journal says that something runs.
    Running,
    /// Something is held until a person decides.
    Held,
}

/// One reason why a person should look, with what clears it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Attention {
    /// A stable word: `identity_conflict`, `candidate_journal`, `recovered`, `held`, `tampered`, `clock_skew`,
    /// `journal_gap`, `order_key_behind`, `finding`, `slowed`, `same_name`.
    pub code: String,
    /// What happened, for a person.
    pub reason: String,
    /// What clears it, for a person.
    pub clears: String,
}

/// One journal of an endpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct JournalView {
    /// Its id.
    pub id: JournalId,
    /// Whether work goes to it.
    pub current: bool,
    /// What it is to this endpoint.
    pub state: JournalState,
    /// When it was first heard.
    pub first_seen_at: Timestamp,
    /// From which address, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// How many of its entries are held here.
    pub number: u64,
    /// What the machine that writes it told of itself.
    #[schema(value_type = Object)]
    pub facts: Map<String, Value>,
}

/// What a runtime sent and received in one finished day, as it counted itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TrafficView {
    /// Which day (UTC).
    pub day: UtcDay,
    /// Bytes from the machine to the control plane.
    pub up_bytes: u64,
    /// Bytes from the control plane to the machine.
    pub down_bytes: u64,
}

/// A span in which a runtime found no path to the control plane, as it saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct OutageView {
    /// When the path was first seen closed, by the endpoint's corrected clock.
    pub closed_at: Timestamp,
    /// When it was seen open again.
    pub opened_at: Timestamp,
    /// Attempts in between.
    pub attempts: u32,
    /// What the last one met, at most 300 characters.
    pub problem: String,
}

/// What a journal is to its endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JournalState {
    /// Work goes to it.
    Current,
    /// Seen, and nothing goes to it until a person adopts it.
    Candidate,
    /// It was current once and never becomes so again.
    Replaced,
    /// Two machines wrote it: it is never current again.
    Forked,
}

/// An edit of an endpoint.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EndpointPatch {
    /// A new name, 1 to 200 bytes without control characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Another site to belong to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site_id: Option<SiteId>,
    /// Other tags, all of them: at most 20, each 1 to 50 bytes without control characters. One that comes twice counts
    /// once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
}
