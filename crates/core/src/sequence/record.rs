//! A sequence as the control plane keeps it: what was asked, where it stands, what each attempt became.

use serde::{Deserialize, Serialize};

use crate::api::SequenceState;
use crate::id::{LogId, SequenceId};
use crate::journal::{SequenceEnd, WaitReason};
use crate::probe::Risk;
use crate::time::Timestamp;

use super::outcome::{EndState, Finding};
use super::spec::{SequenceSpec, StopOn};
#[cfg(doc)]
use super::worst::SAID_CHARACTERS_MAX;

/// One sequence of an endpoint object; stored as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sequence {
    /// Its id.
    pub id: SequenceId,
    /// What it is for.
    pub title: String,
    /// What was asked for, as written. For work that this record never heard of, made from what the journal
    /// told: probes without arguments.
    pub spec: SequenceSpec,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// The sequence that this one repeats.
    pub retry_of: Option<SequenceId>,
    /// Grows with every change of the draft or its state.
    pub revision: u64,
    /// What queueing filled in; absent for drafts.
    pub queued: Option<Queued>,
    /// Where it stands.
    pub standing: Standing,
    /// Set while a restore leaves open whether it ran in the part that was lost (R9): what it returns to when the
    /// endpoint says it never heard of it.
    pub doubt: Option<Doubt>,
    /// A cancel that a person asked for after it was offered.
    pub cancel: Option<CancelRequest>,
    /// When it was first sent towards the machine.
    pub offered_at: Option<Timestamp>,
    /// When the endpoint accepted it, by its corrected clock.
    pub delivered_at: Option<Timestamp>,
    /// Why the endpoint does not start it yet, as its journal last said.
    pub waiting: Option<ToldWait>,
    /// It repeats a sequence of which nobody could tell, when it was repeated, whether all of it had its effect.
    #[serde(default)]
    pub repeats_in_doubt: bool,
    /// Its steps in order.
    pub steps: Vec<StepRecord>,
    /// What people wrote on it, oldest first.
    pub notes: Vec<Note>,
    /// Who looked at what came back, and when; what changes its outcome afterwards takes that away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reviewed: Option<PersonAct>,
    /// Whose it is to look after: an e-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignee: Option<String>,
    /// Why it is held, and not queued again, should it come back from a machine that never had it: the person who vouches for it
    /// was deactivated after it was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_on_return: Option<String>,
    /// Who put it before the others of its endpoint, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_next: Option<PersonAct>,
}

/// Something that a person did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PersonAct {
    /// Who: an e-mail address.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// What queueing filled in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Queued {
    /// When.
    pub at: Timestamp,
    /// Who vouches for it: the person who queued it, or released it last. Absent in older records, where the creator does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When it may start at the earliest.
    pub not_before: Option<Timestamp>,
    /// When it may no longer start.
    pub expires_at: Timestamp,
    /// Whether a person chose that.
    pub expiry_explicit: bool,
    /// What ends it early.
    pub stop_on: StopOn,
    /// Whether any step can change the machine.
    pub risk: Risk,
}

/// Where a sequence stands. Before work is offered the control plane decides about it; after, only the journal
/// does (R8).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "standing", rename_all = "snake_case")]
pub enum Standing {
    /// Being written.
    Draft,
    /// Never offered.
    Queued,
    /// Never offered to the machine that is current now; waits for a person.
    Held {
        /// Why.
        reason: String,
        /// What happened.
        cause: HoldCause,
        /// Since when.
        at: Timestamp,
    },
    /// Sent towards the machine, which has not told of it.
    Offered {
        /// In which order log.
        log: LogId,
    },
    /// The journal accepted it.
    Delivered,
    /// The journal started a step of it.
    Running,
    /// Nothing more happens by itself.
    Ended {
        /// How.
        state: SequenceState,
        /// When the control plane learned it.
        at: Timestamp,
        /// Why, where that needs words.
        reason: Option<String>,
        /// Whether the journal said so; otherwise the control plane decided.
        by_journal: bool,
    },
}

/// What happened that waiting work is held: to the machine (R11), or to the person who queued it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HoldCause {
    /// It was enrolled again with a new key: re-imaged, or another machine in its place.
    EnrolledAgain,
    /// It was copied or set back to an earlier state, which look alike from here.
    CopiedOrSetBack,
    /// It was enrolled after the backup that the control plane was restored from.
    Recovered,
    /// The person who queued the work was deactivated.
    PersonDeactivated,
}

/// Why the endpoint does not start a sequence yet, and when it said so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldWait {
    /// Why.
    pub reason: WaitReason,
    /// When, by its corrected clock.
    pub at: Timestamp,
}

/// A restore left open whether it ran in the part that was lost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Doubt {
    /// When the restore was made or proved.
    pub since: Timestamp,
}

/// A cancel that a person asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CancelRequest {
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// The order log in which the order to cancel was made; absent: none yet.
    pub log: Option<LogId>,
}

/// What became of one step.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct StepRecord {
    /// Its attempts in order; one without a start for a step that ended without running.
    pub attempts: Vec<Attempt>,
}

/// One attempt of a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// From 1.
    pub number: u32,
    /// When it started; absent: it never did, or nobody told.
    pub started: Option<EndpointTime>,
    /// The journal says that it started, and the entry that says when is missing.
    #[serde(default, skip_serializing_if = "is_false")]
    pub started_untold: bool,
    /// How it ended; absent: it has not.
    pub end: Option<AttemptEnd>,
}

/// A time by the endpoint's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointTime {
    /// Corrected.
    pub at: Timestamp,
    /// As the wall clock showed it.
    pub wall: Timestamp,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttemptEnd {
    /// How.
    pub state: EndState,
    /// When, by the endpoint's clock; absent where the endpoint did not tell.
    pub finished: Option<EndpointTime>,
    /// When the control plane stored it.
    pub returned_at: Timestamp,
    /// Whether a person should look.
    pub finding: Finding,
    /// What the result says in a line, at most [`SAID_CHARACTERS_MAX`] characters; kept beside the transcript only where
    /// a person should look or the step did not succeed, for listings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
    /// The transcript entry whose body holds the result.
    pub result_entry: Option<u64>,
    /// The end that this one replaced.
    pub amended_from: Option<EndState>,
}

/// What somebody wrote.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Note {
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// What.
    pub text: String,
}

impl Sequence {
    /// Where it is, in the words of the interfaces.
    pub fn state(&self) -> SequenceState {
        match &self.standing {
            Standing::Draft => SequenceState::Draft,
            Standing::Ended { state, .. } => *state,
            Standing::Queued
            | Standing::Held { .. }
            | Standing::Offered { .. }
            | Standing::Delivered
            | Standing::Running
                if self.cancel.is_some() =>
            {
                SequenceState::Cancelling
            }
            Standing::Queued | Standing::Held { .. } if self.doubt.is_some() => SequenceState::Offered,
            Standing::Queued => SequenceState::Queued,
            Standing::Held { .. } => SequenceState::Held,
            Standing::Offered { .. } => SequenceState::Offered,
            Standing::Delivered => SequenceState::Delivered,
            Standing::Running => SequenceState::Running,
        }
    }

    /// Returns the person who vouches for what it does: who queued it, or released it last.
    pub fn vouched_by(&self) -> &str {
        self.queued.as_ref().and_then(|queued| queued.by.as_deref()).unwrap_or(&self.created_by)
    }

    /// Whether it ended, doubt or not.
    pub fn is_ended(&self) -> bool {
        matches!(self.standing, Standing::Ended { .. })
    }

    /// When it ended, as the control plane learned it; `None`: it has not.
    pub fn ended_at(&self) -> Option<Timestamp> {
        match self.standing {
            Standing::Ended { at, .. } => Some(at),
            Standing::Draft
            | Standing::Queued
            | Standing::Held { .. }
            | Standing::Offered { .. }
            | Standing::Delivered
            | Standing::Running => None,
        }
    }

    /// Whether something may still happen to it: not a draft, and not ended beyond doubt.
    pub fn is_live(&self) -> bool {
        match self.standing {
            Standing::Draft => false,
            Standing::Ended { .. } => self.doubt.is_some(),
            Standing::Queued
            | Standing::Held { .. }
            | Standing::Offered { .. }
            | Standing::Delivered
            | Standing::Running => true,
        }
    }

    /// Whether the control plane still decides about it (R8).
    pub fn is_ours_to_decide(&self) -> bool {
        matches!(self.standing, Standing::Queued | Standing::Held { .. }) && self.doubt.is_none()
    }

    /// How many of its steps ended by running.
    pub fn ran(&self) -> u32 {
        self.count(|end| {
            matches!(
                end.state,
                EndState::Succeeded | EndState::Failed | EndState::TimedOut | EndState::Interrupted
            )
        })
    }

    /// How many of its steps started and were ended by the sequence's own end, so that they may have had part of their
    /// effect.
    pub fn cut_off(&self) -> u32 {
        let latest = self.steps.iter().filter_map(|step| step.attempts.last());
        let cut_off = latest.filter(|attempt| {
            let ended = attempt.end.as_ref().map(|end| end.state);
            attempt.has_started() && matches!(ended, Some(EndState::Cancelled | EndState::Expired))
        });
        u32::try_from(cut_off.count()).unwrap_or(u32::MAX)
    }

    /// Whether nobody can tell of some step if it had its effect, all of it or not at all.
    pub fn is_in_doubt(&self) -> bool {
        let unclear = |attempt: &Attempt| match attempt.end.as_ref().map(|end| end.state) {
            Some(EndState::Lost | EndState::Interrupted | EndState::TimedOut) => true,
            Some(EndState::Cancelled | EndState::Expired) | None => attempt.has_started(),
            Some(EndState::Succeeded | EndState::Failed | EndState::Skipped | EndState::Refused) => false,
        };
        self.doubt.is_some() || self.steps.iter().flat_map(|step| &step.attempts).any(unclear)
    }

    /// How many of its steps found something that needs a person.
    pub fn attention(&self) -> u32 {
        self.count(|end| end.finding == Finding::Attention)
    }

    pub(super) fn count(&self, counts: impl Fn(&AttemptEnd) -> bool) -> u32 {
        let ended = self.steps.iter().filter_map(|step| step.attempts.last()?.end.as_ref());
        u32::try_from(ended.filter(|end| counts(end)).count()).unwrap_or(u32::MAX)
    }

    /// Ends every step that has not ended as `state`, without saying that it ran.
    pub fn end_open_steps(&mut self, state: EndState, at: Timestamp) {
        for step in &mut self.steps {
            step.end_open(state, at);
        }
    }

    /// How a sequence that the endpoint ended so reads, its steps being as they are now.
    pub fn state_after(&self, end: SequenceEnd) -> SequenceState {
        match end {
            SequenceEnd::Completed if self.all_steps_succeeded() => SequenceState::Succeeded,
            SequenceEnd::Completed => SequenceState::Failed,
            SequenceEnd::Stopped => SequenceState::Stopped,
            SequenceEnd::Refused => SequenceState::Refused,
            SequenceEnd::Cancelled => SequenceState::Cancelled,
            SequenceEnd::Expired => SequenceState::Expired,
            SequenceEnd::Lost => SequenceState::Lost,
        }
    }

    /// Takes away a review of what stood differently `before`: a person looked at another outcome.
    pub fn review_outdate(&mut self, before: &Self) {
        let is_same = self.standing == before.standing && self.steps == before.steps;
        if !is_same && self.reviewed == before.reviewed {
            self.reviewed = None;
        }
    }

    fn all_steps_succeeded(&self) -> bool {
        self.steps.iter().all(|step| {
            step.attempts
                .last()
                .and_then(|attempt| attempt.end.as_ref())
                .is_some_and(|end| end.state == EndState::Succeeded)
        })
    }
}

impl Attempt {
    /// Whether the journal says that it started.
    pub fn has_started(&self) -> bool {
        self.started.is_some() || self.started_untold
    }
}

fn is_false(value: &bool) -> bool {
    !value
}

impl StepRecord {
    /// How it ended; `None`: it has not.
    pub fn end(&self) -> Option<EndState> {
        Some(self.attempts.last()?.end.as_ref()?.state)
    }

    /// The attempt of that number, made where it is not there yet.
    pub fn attempt(&mut self, number: u32) -> &mut Attempt {
        let found = self.attempts.iter().position(|attempt| attempt.number == number);
        let index = found.unwrap_or_else(|| {
            let index = self.attempts.partition_point(|attempt| attempt.number < number);
            self.attempts.insert(index, Attempt { number, started: None, started_untold: false, end: None });
            index
        });
        &mut self.attempts[index]
    }

    /// Ends the last attempt, where it has no end yet.
    pub(crate) fn end_open(&mut self, state: EndState, at: Timestamp) {
        let number = self.attempts.last().map_or(1, |attempt| attempt.number);
        let attempt = self.attempt(number);
        if attempt.end.is_none() {
            attempt.end = Some(AttemptEnd {
                state,
                finished: None,
                returned_at: at,
                finding: Finding::None,
                said: None,
                result_entry: None,
                amended_from: None,
            });
        }
    }
}
