//! What became of steps and attempts, in the words of promise G3.

use core::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// How an attempt ended. Exactly one of these, once; only [`Self::Lost`], [`Self::Cancelled`] and
/// [`Self::Expired`] may be amended by late evidence, visibly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndState {
    /// The probe did its work; what it found is the finding.
    Succeeded,
    /// The probe could not do its work, or a command exited with another code than 0.
    Failed,
    /// It ran into its time limit and its whole process tree was ended.
    TimedOut,
    /// Cut off by power loss, crash or reboot: it may have had its effect.
    Interrupted,
    /// Not run because `stop_on` ended the sequence before it.
    Skipped,
    /// The endpoint would not run it: policy, unknown probe or arguments.
    Refused,
    /// Cancelled by a person before it ended.
    Cancelled,
    /// Its sequence expired before it started.
    Expired,
    /// Nobody can tell: the machine or the record that would know is gone.
    Lost,
}

impl EndState {
    /// Whether late evidence may still amend it (R9, R12).
    pub fn is_amendable(self) -> bool {
        matches!(self, Self::Lost | Self::Cancelled | Self::Expired)
    }

    /// The word of the interfaces.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Interrupted => "interrupted",
            Self::Skipped => "skipped",
            Self::Refused => "refused",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::Lost => "lost",
        }
    }
}

impl fmt::Display for EndState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Whether what a step found needs a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// It looked and all is well.
    Ok,
    /// It looked and a person should too: no reply, service stopped, errors in the log.
    Attention,
    /// It does not judge (`shell`), or never looked.
    None,
}

/// What one attempt of a step brought back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepResult {
    /// One line for people, at most [`SUMMARY_BYTES_MAX`] bytes.
    pub summary: String,
    /// Whether a person should look.
    pub finding: Finding,
    /// The probe's typed result; at most [`DATA_BYTES_MAX`] bytes as JSON.
    #[serde(default)]
    pub data: Map<String, Value>,
    /// What it printed, or the text it read.
    #[serde(default)]
    pub output: Output,
    /// What a command printed on its standard error; absent where there is no such stream or it was empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_output: Option<Output>,
}

/// Longest summary in bytes.
pub const SUMMARY_BYTES_MAX: usize = 300;
/// Largest `data` of a result as JSON, in bytes.
pub const DATA_BYTES_MAX: usize = 64 * 1024;
/// Most bytes of one end of one stream that a result carries. Two ends of two streams and the data stay
/// under [`crate::journal::BODY_BYTES_MAX`] also when every byte is escaped.
pub const OUTPUT_END_BYTES_MAX: usize = 16 * 1024;

/// A stream of output, cut in the middle where it is long and never silently.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Output {
    /// The beginning; all of it where nothing was dropped. At most [`OUTPUT_END_BYTES_MAX`] bytes.
    pub head: String,
    /// The end; empty where nothing was dropped. At most [`OUTPUT_END_BYTES_MAX`] bytes.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tail: String,
    /// How many bytes there were in all, before decoding.
    pub bytes: u64,
    /// How many of them are neither in `head` nor in `tail`.
    #[serde(default)]
    pub dropped_bytes: u64,
    /// Where the bytes were not UTF-8: the encoding they were read as; bytes it does not know are shown as
    /// `\xNN`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
}

impl Output {
    /// The whole as one text, with a line that counts what was dropped between the ends.
    pub fn text(&self) -> String {
        if self.dropped_bytes == 0 {
            format!("{}{}", self.head, self.tail)
        } else {
            format!("{}\n[… {} bytes dropped …]\n{}", self.head, self.dropped_bytes, self.tail)
        }
    }
}
