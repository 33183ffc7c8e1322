//! Sequences as people and scripts see them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};

use super::BodyLeftOut;
use crate::id::{EndpointId, SequenceId};
use crate::playbook::PlaybookOrigin;
use crate::sequence::{EndState, Finding, PersonAct, SequenceSpec, StepSpec, StopOn};
use crate::time::{Milliseconds, Timestamp};

use super::{WaitingView, given};

/// Asks for a sequence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
pub struct NewSequence {
    /// What it does. Unknown fields are refused.
    #[serde(flatten)]
    pub spec: SequenceSpec,
    /// `true` keeps a draft and queues nothing.
    pub draft: bool,
}

impl TryFrom<Map<String, Value>> for NewSequence {
    type Error = serde_json::Error;

    /// Takes `draft` out and reads the rest strictly: serde cannot refuse unknown fields beside a flattened one.
    fn try_from(mut fields: Map<String, Value>) -> Result<Self, Self::Error> {
        let draft = fields.remove("draft").map_or(Ok(false), serde_json::from_value)?;
        Ok(Self { spec: serde_json::from_value(Value::Object(fields))?, draft })
    }
}

impl utoipa::PartialSchema for NewSequence {
    /// A sequence with one more property: an `allOf` of two closed objects would accept nothing.
    fn schema() -> RefOr<Schema> {
        let mut schema = SequenceSpec::schema();
        if let RefOr::T(Schema::Object(object)) = &mut schema {
            let draft = ObjectBuilder::new()
                .schema_type(Type::Boolean)
                .description(Some("`true` keeps a draft and queues nothing; absent: `false`."))
                .build();
            object.properties.insert("draft".to_owned(), draft.into());
            object.description = Some("Asks for a sequence.".to_owned());
        }
        schema
    }
}

impl utoipa::ToSchema for NewSequence {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        SequenceSpec::schemas(schemas);
    }
}

/// An edit of a draft; absent fields stay as they are, and `null` clears those that may be absent.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SequencePatch {
    /// Another title, or `null` for none.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub title: Option<Option<String>>,
    /// Other steps, all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<Vec<StepSpec>>,
    /// Another rule for ending early, or `null` for none.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<StopOn>)]
    pub stop_on: Option<Option<StopOn>>,
    /// Another span of validity; clears `expires_at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<Milliseconds>,
    /// Another end of validity; clears `expires_in`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Another earliest start, or `null` for none.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Timestamp>)]
    pub not_before: Option<Option<Timestamp>>,
}

/// Where a sequence is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SequenceState {
    /// Being written.
    Draft,
    /// Waits for somebody's approval.
    AwaitingApproval,
    /// Waits for the endpoint to be heard.
    Queued,
    /// Waits for a person: the machine it was meant for changed.
    Held,
    /// On its way, and may already be running.
    Offered,
    /// On the machine, which will start it.
    Delivered,
    /// The journal says that it runs.
    Running,
    /// A cancel is on its way; what it stops is not known yet.
    Cancelling,
    /// Every step succeeded.
    Succeeded,
    /// Some step did not.
    Failed,
    /// Ended early by `stop_on`.
    Stopped,
    /// The endpoint would not run it.
    Refused,
    /// Cancelled.
    Cancelled,
    /// Ran out of time before every step had started.
    Expired,
    /// Nobody can tell what became of it.
    Lost,
}

impl SequenceState {
    /// Whether nothing more will happen by itself.
    pub fn is_ended(self) -> bool {
        matches!(
            self,
            Self::Succeeded
                | Self::Failed
                | Self::Stopped
                | Self::Refused
                | Self::Cancelled
                | Self::Expired
                | Self::Lost
        )
    }
}

/// Where a step is: while its sequence is under way, or how its latest attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// Nothing was sent yet, or an earlier step runs first.
    Waiting,
    /// Waits for a person.
    Held,
    /// On its way, and may already be running.
    Offered,
    /// On the machine.
    Delivered,
    /// The journal says that it runs.
    Running,
    /// A cancel is on its way.
    Cancelling,
    /// See [`EndState::Succeeded`].
    Succeeded,
    /// See [`EndState::Failed`].
    Failed,
    /// See [`EndState::TimedOut`].
    TimedOut,
    /// See [`EndState::Interrupted`].
    Interrupted,
    /// See [`EndState::Skipped`].
    Skipped,
    /// See [`EndState::Refused`].
    Refused,
    /// See [`EndState::Cancelled`].
    Cancelled,
    /// See [`EndState::Expired`].
    Expired,
    /// See [`EndState::Lost`].
    Lost,
}

impl From<EndState> for StepState {
    fn from(state: EndState) -> Self {
        match state {
            EndState::Succeeded => Self::Succeeded,
            EndState::Failed => Self::Failed,
            EndState::TimedOut => Self::TimedOut,
            EndState::Interrupted => Self::Interrupted,
            EndState::Skipped => Self::Skipped,
            EndState::Refused => Self::Refused,
            EndState::Cancelled => Self::Cancelled,
            EndState::Expired => Self::Expired,
            EndState::Lost => Self::Lost,
        }
    }
}

/// One sequence, whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SequenceView {
    /// Its id.
    pub id: SequenceId,
    /// The machine it is for.
    pub endpoint_id: EndpointId,
    /// What it is for.
    pub title: String,
    /// Where it is.
    pub state: SequenceState,
    /// Why it is there, where that needs words: how far it came, what amended it, what "may have run" means.
    pub reason: Option<String>,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was queued.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queued_at: Option<Timestamp>,
    /// When it was first sent towards the machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offered_at: Option<Timestamp>,
    /// When it ended, as the control plane learned it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// When it may start at the earliest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// When it may no longer start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// What ends it early.
    pub stop_on: StopOn,
    /// The sequence that this one repeats.
    pub retry_of: Option<SequenceId>,
    /// The playbook that it was made from; absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub playbook: Option<Box<PlaybookOrigin>>,
    /// What it waits for, with the last proof of it, for a person; absent when it waits for nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<String>,
    /// The same for a program; present exactly where `waiting_for` is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Box<WaitingView>>,
    /// For one that has ended: what a retry would mean, such as that an action may run twice; absent where that is
    /// nothing, as with checks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_warning: Option<String>,
    /// For one that repeats another: what that means, such as that an action may run twice; absent where that is
    /// nothing, as with checks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat_warning: Option<String>,
    /// Its steps in order.
    pub steps: Vec<StepView>,
    /// What people wrote on it, oldest first.
    #[serde(default)]
    pub notes: Vec<NoteView>,
    /// Who looked at what came back, and when; absent: nobody, or its outcome changed since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reviewed: Option<PersonAct>,
    /// Whose it is to look after: an e-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignee: Option<String>,
    /// Who put it before the others of its machine, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_next: Option<PersonAct>,
    /// The draft as written; only while it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draft: Option<SequenceSpec>,
    /// What `If-Match` names for an edit.
    pub revision: u64,
}

/// A sequence that is under way or waits.
#[derive(Clone, Debug, PartialEq)]
pub struct QueueItem {
    /// The sequence.
    pub sequence: SequenceSummary,
    /// What it waits for, in words; `None`: nothing.
    pub waiting_for: Option<String>,
}

/// One sequence in a listing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SequenceSummary {
    /// Its id.
    pub id: SequenceId,
    /// The machine it is for.
    pub endpoint_id: EndpointId,
    /// What it is for.
    pub title: String,
    /// Where it is.
    pub state: SequenceState,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When anything about it last changed.
    pub changed_at: Timestamp,
    /// How many steps it has.
    pub steps: u32,
    /// How many of them ended by running.
    pub ran: u32,
    /// How many of them found something that needs a person.
    pub attention: u32,
    /// How many of them were cut off by power loss, a crash or a reboot: they may have had their effect.
    #[serde(default)]
    pub interrupted: u32,
    /// The fault in one line, such as `ping 10.20.0.5: no reply`, at most 200 characters; absent: no step has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worst: Option<String>,
    /// When it ended, as the control plane learned it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// When it may start at the earliest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// When it may no longer start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Who looked at what came back, and when; absent: nobody, or its outcome changed since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reviewed: Option<PersonAct>,
    /// Whose it is to look after: an e-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignee: Option<String>,
    /// The playbook that it was made from; absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub playbook: Option<Box<PlaybookOrigin>>,
    /// Why it is there, where that needs words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// One step with its attempts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct StepView {
    /// Its place, from 1.
    pub index: u32,
    /// The probe.
    pub probe: String,
    /// Its arguments.
    #[schema(value_type = Object)]
    pub with: Map<String, Value>,
    /// Where it is.
    pub state: StepState,
    /// Why, where that needs words.
    pub reason: Option<String>,
    /// Its time limit.
    pub timeout: Milliseconds,
    /// Whether it may run once more by itself when it is interrupted.
    pub rerun: bool,
    /// Its attempts in order; empty until the first one started or the step ended without one.
    pub attempts: Vec<AttemptView>,
}

/// One attempt of a step with its five times.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AttemptView {
    /// From 1.
    pub number: u32,
    /// Running, or how it ended.
    pub state: StepState,
    /// When the sequence was queued (control plane).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queued_at: Option<Timestamp>,
    /// When the endpoint accepted it (endpoint's clock, corrected).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivered_at: Option<Timestamp>,
    /// When it started (endpoint's clock, corrected).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended (endpoint's clock, corrected).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// When the result was stored here (control plane).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub returned_at: Option<Timestamp>,
    /// `started_at` as the endpoint's wall clock showed it, where that differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at_raw: Option<Timestamp>,
    /// `finished_at` as the endpoint's wall clock showed it, where that differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at_raw: Option<Timestamp>,
    /// The end that this one replaced, where late evidence amended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amended_from: Option<EndState>,
    /// What it brought back; absent while running, where nothing ran, and where the body was erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<ResultView>,
}

/// What an attempt brought back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ResultView {
    /// One line for people.
    pub summary: String,
    /// Whether a person should look.
    pub finding: Finding,
    /// The probe's typed result.
    #[schema(value_type = Object)]
    pub data: Map<String, Value>,
    /// What it printed, or the text it read.
    pub output: OutputView,
    /// What a command printed on its standard error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_output: Option<OutputView>,
    /// Data and outputs are left out: with them the results of this sequence have too many bytes for one answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<BodyLeftOut>,
}

/// A stream of output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct OutputView {
    /// Head and tail, with a line between that counts what was dropped.
    pub text: String,
    /// How many bytes there were in all.
    pub bytes: u64,
    /// How many of them are not in `text`.
    pub dropped_bytes: u64,
    /// The full output's digest where it is stored as an artifact; `null`: it is not.
    pub artifact: Option<String>,
    /// What the bytes were read as, where not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
}

/// A note on a sequence or a machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct NoteView {
    /// Who wrote it.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// The text, 1 to 10,000 bytes.
    pub text: String,
}
