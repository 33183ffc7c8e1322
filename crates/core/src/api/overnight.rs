//! What happened while nobody looked, in the order in which a morning goes through it.

use serde::{Deserialize, Serialize};

use crate::id::{ClientId, EndpointId, SiteId};
use crate::time::Timestamp;

use super::{Attention, SequenceSummary, WaitingView};

/// The sequences of every machine by what they ask of a person, and the machines that need one themselves. Each
/// sequence that is not a draft is in one group at most.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct OvernightView {
    /// When this was so.
    pub at: Timestamp,
    /// Since when `clean` tells.
    pub since: Timestamp,
    /// Machines that need a person: another history of the same identity, an order that was altered on its way, a gap
    /// in the journal, more reports than may be stored of it. By name.
    pub machines: Group<OvernightMachine>,
    /// Ended with a fault, whenever that was, and nobody has reviewed it. Newest first.
    pub needs_person: Group<OvernightItem>,
    /// Held until a person decides; expired and not reviewed; or under way on a machine that missed a contact which is
    /// usual for it. Newest first.
    pub held_or_missed: Group<OvernightItem>,
    /// Under way, newest first.
    pub waiting: Group<OvernightItem>,
    /// Ended since `since` without a fault, or reviewed since. Newest first.
    pub clean: Group<OvernightItem>,
}

/// The first of a group, and how many there are besides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Group<T> {
    /// The items in the group's order.
    pub items: Vec<T>,
    /// How many more there are.
    pub rest: u64,
}

/// A machine that needs a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct OvernightMachine {
    /// Where and what it is.
    pub machine: MachineName,
    /// Why, and what clears each.
    pub attention: Vec<Attention>,
}

/// Which machine, in words that people know it by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct MachineName {
    /// Its id.
    pub endpoint_id: EndpointId,
    /// Its name.
    pub endpoint_name: String,
    /// The client it belongs to.
    pub client_id: ClientId,
    /// That client's name.
    pub client_name: String,
    /// The site it belongs to.
    pub site_id: SiteId,
    /// That site's name.
    pub site_name: String,
    /// That site's time zone as the IANA database names it: `Europe/Berlin`.
    pub time_zone: String,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// One sequence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct OvernightItem {
    /// What it is and what became of it.
    pub sequence: SequenceSummary,
    /// Where.
    pub machine: MachineName,
    /// What it waits for, for a person; absent: it has ended. In less detail than with the sequence itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<String>,
    /// The same for a program, without which sequence goes first and which step runs: only the machine's own record
    /// knows those.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<WaitingView>,
    /// How many more of this group the same machine has, on the last of them that is listed: at most five of a machine
    /// are, so that none hides the others.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more_of_machine: u64,
    /// By when the machine would have been heard as usual and was not; absent: it was, or nothing is usual for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missed_at: Option<Timestamp>,
}
