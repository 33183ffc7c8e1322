//! "Why not yet?": what a sequence waits for, with the last proof of it.

use crate::api::EndpointState;
use crate::call::Context;
use crate::error::Error;
use crate::id::EndpointId;
use crate::journal::WaitReason;
use crate::sequence::{Sequence, Standing};
use crate::sql::ReadSql;
use crate::time::Timestamp;

use super::object::{EndpointRow, endpoint_row};
use super::{store, view};

/// What `sequence` waits for; `None`: nothing.
pub(super) fn waiting_for(
    db: &dyn ReadSql,
    cx: &Context<'_>,
    endpoint: EndpointId,
    sequence: &Sequence,
) -> Result<Option<String>, Error> {
    let Some(row) = endpoint_row(db, endpoint)? else { return Ok(None) };
    let contact = contact(cx, endpoint, &row);
    Ok(match &sequence.standing {
        Standing::Draft => Some("somebody to queue it".to_owned()),
        Standing::Ended { .. } => None,
        Standing::Held { reason } if sequence.doubt.is_none() => {
            Some(format!("a person to release or purge it: {reason}"))
        }
        Standing::Queued if sequence.doubt.is_none() => Some(queued(&row, &contact)),
        Standing::Queued | Standing::Held { .. } => {
            Some(format!("the endpoint to say whether it ran before the restore ({contact})"))
        }
        Standing::Offered { .. } => {
            Some(format!("word from the endpoint; it may already be running ({contact})"))
        }
        Standing::Delivered => Some(delivered(db, endpoint, sequence, &contact)?),
        Standing::Running => {
            Some(format!("its steps to end; results come with the next check-in ({contact})"))
        }
    })
}

fn queued(row: &EndpointRow, contact: &str) -> String {
    match (row.state, row.journal) {
        (EndpointState::Recovered, _) => {
            "a person to confirm this recovered machine by adopting its journal".to_owned()
        }
        (_, None) => "a person to decide which machine this is: adopt one of its journals".to_owned(),
        (_, Some(_)) => format!("the endpoint's next check-in ({contact})"),
    }
}

fn delivered(
    db: &dyn ReadSql,
    endpoint: EndpointId,
    sequence: &Sequence,
    contact: &str,
) -> Result<String, Error> {
    if let Some(reason) = sequence.waiting {
        return Ok(match reason {
            WaitReason::NotBefore { at } => format!("its earliest start, {at}"),
            WaitReason::ClockUnknown => {
                "the endpoint to learn the time: it has a condition on time".to_owned()
            }
            WaitReason::JournalFull => {
                "room at the endpoint: its journal is full until results are returned, or its disk until somebody \
                 frees some"
                    .to_owned()
            }
        });
    }
    let ahead = store::sequence_ids_live(db, endpoint)?.into_iter().take_while(|id| *id != sequence.id);
    for id in ahead {
        let other = store::sequence_load(db, endpoint, id)?;
        if let Some(other) = other.filter(|other| matches!(other.standing, Standing::Running)) {
            return Ok(format!("sequence `{}` ({}), which runs first", other.id, other.title));
        }
    }
    Ok(format!("the endpoint to start it ({contact})"))
}

/// The last proof of a path.
fn contact(cx: &Context<'_>, endpoint: EndpointId, row: &EndpointRow) -> String {
    if cx.presence.is_connected(endpoint) {
        return "connected now".to_owned();
    }
    match view::last_seen(cx, endpoint, row) {
        None => "never seen since it enrolled".to_owned(),
        Some(seen) => {
            format!("last seen {}, usually every 30 s while a path is open", clock(cx.now, seen.at))
        }
    }
}

/// A time as short as it stays clear: without the date on the same day (UTC).
fn clock(now: Timestamp, at: Timestamp) -> String {
    let (now, at) = (now.to_string(), at.to_string());
    match (at.get(..10), at.get(11..16)) {
        (Some(day), Some(minute)) if now.starts_with(day) => format!("{minute} UTC"),
        (Some(day), Some(minute)) => format!("{day} {minute} UTC"),
        _ => at,
    }
}
