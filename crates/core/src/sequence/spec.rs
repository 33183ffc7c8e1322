//! What a technician asks for: one shape in YAML files and in JSON alike (design, section 8).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::playbook::{NAME_BYTES_MAX as PLAYBOOK_NAME_BYTES_MAX, PlaybookOrigin};
use crate::probe::{ARGUMENTS_BYTES_MAX, ArgumentError, Catalogue, NAME_BYTES_MAX, Risk};
use crate::time::{Milliseconds, Timestamp};

/// Most steps of one sequence.
pub const STEPS_MAX: usize = 100;
/// Longest title in bytes.
pub const TITLE_BYTES_MAX: usize = 200;
/// Largest sequence as JSON, in bytes: it travels in one order of one sync.
pub const SEQUENCE_BYTES_MAX: usize = 256 * 1024;
/// The time limit of a step that names none.
pub const TIMEOUT_DEFAULT: Milliseconds = Milliseconds::from_seconds(60);
/// The longest time limit of a step.
pub const TIMEOUT_MAX: Milliseconds = Milliseconds::from_days(1);
/// How long a sequence that names no expiry stays valid.
pub const EXPIRES_IN_DEFAULT: Milliseconds = Milliseconds::from_days(7);
/// The longest a sequence may stay valid.
pub const EXPIRES_IN_MAX: Milliseconds = Milliseconds::from_days(366);

/// A sequence as written by a person or a script.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SequenceSpec {
    /// What it is for, 1 to [`TITLE_BYTES_MAX`] bytes; absent: made from the first step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The steps in their order, 1 to [`STEPS_MAX`].
    pub steps: Vec<StepSpec>,
    /// What ends it early; absent: `never` where every step only observes, else `failed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_on: Option<StopOn>,
    /// How long after queueing it may still start; absent with `expires_at` absent too: `7d`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<Milliseconds>,
    /// Until when it may start; not together with `expires_in`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Not to start before; never blocks others behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// The playbook that it was made from; absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub playbook: Option<Box<PlaybookOrigin>>,
}

/// One step as written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StepSpec {
    /// The probe's name.
    pub probe: String,
    /// Its arguments.
    #[serde(default)]
    pub with: Map<String, Value>,
    /// Its time limit, 1s to [`TIMEOUT_MAX`]; absent: [`TIMEOUT_DEFAULT`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Milliseconds>,
    /// Whether it may run once more by itself when it is interrupted.
    #[serde(default)]
    pub rerun: bool,
}

/// What ends a sequence early, the rest of it `skipped`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StopOn {
    /// Nothing: every step runs whatever the others did.
    Never,
    /// A step that did not succeed.
    Failed,
    /// A step that did not succeed, or found something that needs a person.
    Attention,
}

/// Why a sequence cannot be queued as it is written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// No steps, or too many.
    #[error("a sequence has 1 to {STEPS_MAX} steps, this one {0}")]
    Steps(usize),
    /// A title that is empty or too long.
    #[error("a title has 1 to {TITLE_BYTES_MAX} bytes and no control characters")]
    Title,
    /// A playbook that none could be called.
    #[error("`playbook` has a `name` of 1 to {} bytes without control characters", PLAYBOOK_NAME_BYTES_MAX)]
    Playbook,
    /// Too large in all.
    #[error("a sequence has at most {SEQUENCE_BYTES_MAX} bytes as JSON, this one {0}")]
    Bytes(usize),
    /// Both ways to say when it expires, or a span out of bounds.
    #[error("give `expires_in` or `expires_at`, not both, from 1s to {EXPIRES_IN_MAX} ahead")]
    Expiry,
    /// A start after the end.
    #[error("`not_before` {not_before} is not before the expiry {expires_at}")]
    NotBefore {
        /// When it may start.
        not_before: Timestamp,
        /// When it may no longer.
        expires_at: Timestamp,
    },
    /// A time limit out of bounds.
    #[error("step {step}: `timeout` is from 1s to {TIMEOUT_MAX}")]
    Timeout {
        /// Counted from 1.
        step: usize,
    },
    /// Arguments that are too large.
    #[error("step {step}: `with` has at most {ARGUMENTS_BYTES_MAX} bytes as JSON")]
    ArgumentBytes {
        /// Counted from 1.
        step: usize,
    },
    /// A probe or argument that does not fit the endpoint's catalogue.
    #[error("step {step}: {error}")]
    Argument {
        /// Counted from 1.
        step: usize,
        /// What does not fit.
        error: ArgumentError,
    },
}

/// A sequence with everything a person may leave out filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct ResolvedSequence {
    /// The title, made from the first step where none was given.
    pub title: String,
    /// What ends it early.
    pub stop_on: StopOn,
    /// When it may start at the earliest.
    pub not_before: Option<Timestamp>,
    /// When it may no longer start.
    pub expires_at: Timestamp,
    /// Whether a person chose the expiry; a default one does not block while the clock is unknown.
    pub expiry_explicit: bool,
    /// Whether any step can change the machine.
    pub risk: Risk,
}

impl SequenceSpec {
    /// Judges the sequence for an endpoint with `catalogue` and fills in what may be left out.
    ///
    /// A `None` catalogue (a machine that never told its probes) leaves names and arguments to the
    /// endpoint, which refuses what it does not know; every step then counts as able to change the machine.
    ///
    /// # Errors
    ///
    /// The first [`SpecError`]; nothing is stored.
    pub fn resolve(
        &self,
        catalogue: Option<&Catalogue>,
        now: Timestamp,
    ) -> Result<ResolvedSequence, SpecError> {
        self.check_bounds()?;
        let mut risk = Risk::Observe;
        for (index, step) in self.steps.iter().enumerate() {
            let step_risk = match catalogue {
                None => Risk::Change,
                Some(catalogue) => catalogue
                    .check(&step.probe, &step.with)
                    .map_err(|error| SpecError::Argument { step: index + 1, error })?,
            };
            if step_risk == Risk::Change {
                risk = Risk::Change;
            }
        }
        let (expires_at, expiry_explicit) = self.expiry(now)?;
        if let Some(not_before) = self.not_before.filter(|not_before| *not_before >= expires_at) {
            return Err(SpecError::NotBefore { not_before, expires_at });
        }
        let stop_on = self.stop_on.unwrap_or(match risk {
            Risk::Observe => StopOn::Never,
            Risk::Change => StopOn::Failed,
        });
        let title = self.title.clone().unwrap_or_else(|| self.default_title());
        Ok(ResolvedSequence {
            title,
            stop_on,
            not_before: self.not_before,
            expires_at,
            expiry_explicit,
            risk,
        })
    }

    /// Judges what does not depend on a machine or the time: a draft must satisfy this too.
    ///
    /// # Errors
    ///
    /// The first [`SpecError`] of its size, title, counts and time limits.
    pub fn check_bounds(&self) -> Result<(), SpecError> {
        if self.steps.is_empty() || self.steps.len() > STEPS_MAX {
            return Err(SpecError::Steps(self.steps.len()));
        }
        if self.title.as_ref().is_some_and(|title| {
            title.trim().is_empty() || title.len() > TITLE_BYTES_MAX || title.contains(char::is_control)
        }) {
            return Err(SpecError::Title);
        }
        if self.playbook.as_ref().is_some_and(|playbook| {
            let name = &playbook.name;
            name.trim().is_empty() || name.len() > PLAYBOOK_NAME_BYTES_MAX || name.contains(char::is_control)
        }) {
            return Err(SpecError::Playbook);
        }
        for (index, step) in self.steps.iter().enumerate() {
            let step_number = index + 1;
            if step.timeout.is_some_and(|timeout| timeout.0 < 1_000 || timeout > TIMEOUT_MAX) {
                return Err(SpecError::Timeout { step: step_number });
            }
            let argument_bytes = serde_json::to_string(&step.with).map_or(usize::MAX, |text| text.len());
            if argument_bytes > ARGUMENTS_BYTES_MAX || step.probe.len() > NAME_BYTES_MAX {
                return Err(SpecError::ArgumentBytes { step: step_number });
            }
        }
        let bytes = serde_json::to_string(self).map_or(usize::MAX, |text| text.len());
        if bytes > SEQUENCE_BYTES_MAX { Err(SpecError::Bytes(bytes)) } else { Ok(()) }
    }

    fn expiry(&self, now: Timestamp) -> Result<(Timestamp, bool), SpecError> {
        let (expires_at, explicit) = match (self.expires_in, self.expires_at) {
            (None, None) => (now.plus(EXPIRES_IN_DEFAULT), false),
            (Some(span), None) => (now.plus(span), true),
            (None, Some(at)) => (at, true),
            (Some(_), Some(_)) => return Err(SpecError::Expiry),
        };
        let ahead = expires_at.since(now);
        if ahead.0 < 1_000 || ahead > EXPIRES_IN_MAX {
            return Err(SpecError::Expiry);
        }
        Ok((expires_at, explicit))
    }

    /// The title of a sequence that was given none: made from its first step.
    pub fn default_title(&self) -> String {
        let first = self.steps.first().map_or("", |step| step.probe.as_str());
        match self.steps.len() {
            0 | 1 => first.to_owned(),
            steps => format!("{first} and {} more", steps - 1),
        }
    }
}
