//! The words for what a sequence waits for. They decide nothing: all of it is in [`WaitingView`] and the sequence.
//!
//! Each reads after "waits for". What the machine has not told is never told as not done (R8).

use crate::api::{Reachability, SequenceState, WaitingCode, WaitingView};
use crate::id::EndpointId;
use crate::sequence::{HoldCause, Sequence, Standing};
use crate::time::{Milliseconds, Timestamp};
use crate::zone::Zone;

/// From which on an expiry ahead is worth a word: within a day it may well come first.
const EXPIRY_TOLD_MS: u64 = 86_400_000;
/// Longest title of another sequence within a sentence, in characters.
const TITLE_CHARACTERS_MAX: usize = 60;

/// What the words are about, beside the cause.
pub(super) struct Story<'a> {
    pub(super) now: Timestamp,
    pub(super) zone: &'a Zone,
    pub(super) endpoint: EndpointId,
    pub(super) sequence: &'a Sequence,
    pub(super) enrolled_at: Timestamp,
    pub(super) reachability: Reachability,
    pub(super) is_storage_full: bool,
}

impl Story<'_> {
    /// What the sequence waits for, with the last proof of it and what ends the wait.
    pub(super) fn words(&self, waiting: &WaitingView) -> String {
        let mut clauses = vec![self.cause(waiting)];
        if tells_contact(waiting.code) {
            clauses.push(self.contact(waiting));
        }
        if let Some(other) = waiting.sequence.as_ref().filter(|_| waiting.code != WaitingCode::Behind) {
            clauses.push(format!("then {} goes first", named(&other.title, other.state)));
        }
        clauses.extend(self.expiry(waiting));
        if self.is_storage_full && waiting.code != WaitingCode::StorageFull {
            clauses.push("the control plane's disk is full, so that nothing new is stored here".to_owned());
        }
        clauses.join("; ")
    }

    fn cause(&self, waiting: &WaitingView) -> String {
        let since = self.since(waiting.since);
        let adopt = format!("on the machine's page or with `tidegate endpoints adopt {}`", self.endpoint);
        match waiting.code {
            WaitingCode::Draft => "somebody to queue it".to_owned(),
            WaitingCode::Held => self.held(),
            WaitingCode::Recovered => {
                format!(
                    "a person to confirm that this recovered machine is yours: adopt its journal, {adopt}"
                )
            }
            WaitingCode::IdentityConflict => format!(
                "a person to decide which machine this is, since it was copied or set back and two histories carry \
                 its name: adopt the journal of the right one, {adopt}"
            ),
            WaitingCode::CandidateJournal => format!(
                "the machine it is for, or a person to decide: one with its identity and another history was heard \
                 (re-imaged, set back or copied); if that is the machine now, adopt its journal, {adopt}"
            ),
            WaitingCode::OrderKey => {
                "a new order key: machines obey the one in use no more; `tidegate admin order-key new` makes one"
                    .to_owned()
            }
            WaitingCode::StorageFull => {
                "room on the control plane's disk: it is full, and nothing is sent until there is some"
                    .to_owned()
            }
            WaitingCode::Slowed => {
                "the machine's earlier reports to be stored: it reports more than may be stored of one machine, and \
                 new work is sent after them"
                    .to_owned()
            }
            WaitingCode::NotBefore => self.not_before(waiting),
            WaitingCode::NeverSeen => "the machine's first check-in".to_owned(),
            WaitingCode::NoContact | WaitingCode::CheckIn => "the machine's next check-in".to_owned(),
            WaitingCode::Behind => match &waiting.sequence {
                Some(other) => format!("{}, which goes first", named(&other.title, other.state)),
                None => "what goes first".to_owned(),
            },
            WaitingCode::Restored => format!(
                "the machine to say whether it ran: the control plane was restored{since}, and it may have run since \
                 the backup"
            ),
            WaitingCode::Offered => {
                format!("word from the machine: it was sent{since} and may already be running")
            }
            WaitingCode::Cancelling => format!(
                "word from the machine on what the cancel{} met: until then it may be running",
                self.of(waiting.since)
            ),
            WaitingCode::ClockUnknown => format!(
                "the machine to learn the time, on which the sequence has a condition: it said{since} that it does \
                 not know it"
            ),
            WaitingCode::JournalFull => format!(
                "room at the machine: it said{since} that its journal is full until results are returned, or its disk \
                 until somebody frees some"
            ),
            WaitingCode::Start => {
                format!(
                    "the machine to start it: it has had it{} and may be running it by now",
                    self.have(waiting.since)
                )
            }
            WaitingCode::Running => self.running(waiting),
        }
    }

    fn held(&self) -> String {
        let id = self.sequence.id;
        let why = match &self.sequence.standing {
            Standing::Held { reason, .. } => reason.as_str(),
            Standing::Draft
            | Standing::Queued
            | Standing::Offered { .. }
            | Standing::Delivered
            | Standing::Running
            | Standing::Ended { .. } => "the machine changed",
        };
        let on = match &self.sequence.standing {
            Standing::Held { cause: HoldCause::PersonDeactivated, .. } => "in your name",
            _ => "on the machine adopted now",
        };
        format!(
            "a person to decide: {why}; release it to run {on} (`tidegate sequences release {id}`), or purge it and it \
             never runs"
        )
    }

    fn not_before(&self, waiting: &WaitingView) -> String {
        let until = waiting.until.map_or_else(String::new, |at| format!(", {}", self.clock(at)));
        match (&self.sequence.standing, waiting.since) {
            (Standing::Delivered, Some(at)) => {
                format!("its earliest start{until}; the machine has it and said so at {}", self.clock(at))
            }
            (_, _) => format!("its earliest start{until}, and the machine's check-in"),
        }
    }

    fn running(&self, waiting: &WaitingView) -> String {
        let probe =
            |step: u32| self.sequence.spec.steps.get(step as usize - 1).map(|step| step.probe.as_str());
        match waiting.step {
            Some(step) => {
                let probe = probe(step).map(|probe| format!(" (`{probe}`)")).unwrap_or_default();
                let since = waiting.since.map(|at| format!(", which started at {}", self.clock(at)));
                let since = since.unwrap_or_default();
                format!("step {step}{probe} to end{since}; results come with the next check-in")
            }
            None => {
                "its next step, which may be running by now; results come with the next check-in".to_owned()
            }
        }
    }

    /// The last proof of a path.
    fn contact(&self, waiting: &WaitingView) -> String {
        let usually = usually(waiting.usual_interval_ms.map(Milliseconds));
        match (waiting.last_contact_at, self.reachability) {
            (_, _) if waiting.connected => "connected now".to_owned(),
            (None, _) => format!("never seen since it enrolled at {}", self.clock(self.enrolled_at)),
            (Some(at), Reachability::Quiet | Reachability::NeverSeen) => {
                format!("no contact since {}{usually}{}", self.clock(at), self.hours(waiting))
            }
            (Some(at), Reachability::Reachable) => format!("last seen {}{usually}", self.clock(at)),
        }
    }

    /// The hours in which it is usually seen: `, mostly between 02:00 and 03:00 plant time`.
    fn hours(&self, waiting: &WaitingView) -> String {
        let spans: Vec<_> = spans(&waiting.usual_hours_utc)
            .into_iter()
            .map(|(first, last)| {
                let end = (last + 1) % 24;
                format!("{} and {}", self.zone.hour(self.now, first), self.zone.hour(self.now, end))
            })
            .collect();
        match spans.is_empty() {
            true => String::new(),
            false => format!(", mostly between {} {}", spans.join(", "), self.zone.name()),
        }
    }

    fn expiry(&self, waiting: &WaitingView) -> Option<String> {
        let at = waiting.expires_at?;
        let is_out_of_reach = match waiting.code {
            WaitingCode::Draft | WaitingCode::Restored => return None,
            WaitingCode::Offered
            | WaitingCode::Cancelling
            | WaitingCode::ClockUnknown
            | WaitingCode::JournalFull
            | WaitingCode::Start
            | WaitingCode::Running => true,
            WaitingCode::NotBefore | WaitingCode::Behind => self.sequence.delivered_at.is_some(),
            WaitingCode::Held
            | WaitingCode::Recovered
            | WaitingCode::IdentityConflict
            | WaitingCode::CandidateJournal
            | WaitingCode::OrderKey
            | WaitingCode::StorageFull
            | WaitingCode::Slowed
            | WaitingCode::NeverSeen
            | WaitingCode::NoContact
            | WaitingCode::CheckIn => false,
        };
        if at <= self.now {
            // Before the offer its end is decided here within moments.
            return is_out_of_reach.then(|| {
                format!(
                    "its time ran out at {}, and what of it ran by then only the machine can tell",
                    self.clock(at)
                )
            });
        }
        let is_near = at.since(self.now).0 <= EXPIRY_TOLD_MS;
        is_near.then(|| format!("what has not started by {} expires", self.clock(at)))
    }

    fn clock(&self, at: Timestamp) -> String {
        self.zone.clock(self.now, at)
    }

    fn since(&self, at: Option<Timestamp>) -> String {
        at.map(|at| format!(" at {}", self.clock(at))).unwrap_or_default()
    }

    fn of(&self, at: Option<Timestamp>) -> String {
        at.map(|at| format!(" of {}", self.clock(at))).unwrap_or_default()
    }

    fn have(&self, at: Option<Timestamp>) -> String {
        at.map(|at| format!(" since {}", self.clock(at))).unwrap_or_default()
    }
}

/// Whether the last contact proves or explains the wait.
fn tells_contact(code: WaitingCode) -> bool {
    match code {
        WaitingCode::Draft
        | WaitingCode::Held
        | WaitingCode::Recovered
        | WaitingCode::IdentityConflict
        | WaitingCode::OrderKey
        | WaitingCode::StorageFull => false,
        WaitingCode::CandidateJournal
        | WaitingCode::Slowed
        | WaitingCode::NotBefore
        | WaitingCode::NeverSeen
        | WaitingCode::NoContact
        | WaitingCode::CheckIn
        | WaitingCode::Behind
        | WaitingCode::Restored
        | WaitingCode::Offered
        | WaitingCode::Cancelling
        | WaitingCode::ClockUnknown
        | WaitingCode::JournalFull
        | WaitingCode::Start
        | WaitingCode::Running => true,
    }
}

fn named(title: &str, state: SequenceState) -> String {
    let short: String = title.chars().take(TITLE_CHARACTERS_MAX).collect();
    let cut = if short.len() < title.len() { "…" } else { "" };
    let state = match state {
        SequenceState::Running => "running",
        SequenceState::Delivered => "on the machine",
        SequenceState::Offered => "sent, and may be running",
        SequenceState::Cancelling => "being cancelled",
        SequenceState::Queued
        | SequenceState::Draft
        | SequenceState::AwaitingApproval
        | SequenceState::Held
        | SequenceState::Succeeded
        | SequenceState::Failed
        | SequenceState::Stopped
        | SequenceState::Refused
        | SequenceState::Cancelled
        | SequenceState::Expired
        | SequenceState::Lost => "queued",
    };
    format!("`{short}{cut}` ({state})")
}

/// `, usually every 4 min`, rounded as people say it; empty where it is not known.
fn usually(interval: Option<Milliseconds>) -> String {
    let Some(Milliseconds(ms)) = interval else { return String::new() };
    let rounded = |unit_ms: u64| (ms + unit_ms / 2) / unit_ms;
    let every = match ms {
        0..90_000 => format!("{} s", (rounded(5_000) * 5).max(5)),
        90_000..5_400_000 => format!("{} min", rounded(60_000)),
        5_400_000..129_600_000 => format!("{} h", rounded(3_600_000)),
        _ => format!("{} days", rounded(86_400_000)),
    };
    format!(", usually every {every}")
}

/// Ascending hours as spans of their first and last one; a span over midnight is one.
fn spans(hours: &[u8]) -> Vec<(u8, u8)> {
    let mut spans: Vec<(u8, u8)> = Vec::new();
    for hour in hours {
        match spans.last_mut() {
            Some((_, last)) if *last + 1 == *hour => *last = *hour,
            Some(_) | None => spans.push((*hour, *hour)),
        }
    }
    if let (Some((0, _)), Some((late, 23))) = (spans.first().copied(), spans.last().copied())
        && spans.len() > 1
    {
        spans.pop();
        spans[0].0 = late;
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_of_hours_go_over_midnight() {
        assert_eq!(spans(&[]), []);
        assert_eq!(spans(&[2]), [(2, 2)]);
        assert_eq!(spans(&[0, 1, 5, 22, 23]), [(22, 1), (5, 5)]);
        assert_eq!(spans(&[23]), [(23, 23)]);
    }

    #[test]
    fn an_interval_reads_as_people_say_it() {
        let of = |ms| usually(Some(Milliseconds(ms)));
        assert_eq!(of(29_400), ", usually every 30 s");
        assert_eq!(of(1), ", usually every 5 s");
        assert_eq!(of(238_000), ", usually every 4 min");
        assert_eq!(of(7_300_000), ", usually every 2 h");
        assert_eq!(of(86_000_000), ", usually every 24 h");
        assert_eq!(of(605_000_000), ", usually every 7 days");
        assert_eq!(usually(None), "");
    }

    #[test]
    fn a_long_title_does_not_drown_the_cause() {
        let told = named(&"ü".repeat(100), SequenceState::Running);
        assert_eq!(told, format!("`{}…` (running)", "ü".repeat(60)));
    }
}
