//! Playbooks as people and scripts see them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::id::PlaybookId;
use crate::playbook::{Parameter, PlaybookSpec};
use crate::sequence::{StepSpec, StopOn};
use crate::time::{Milliseconds, Timestamp};

use super::given;

/// One playbook in a listing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PlaybookSummary {
    /// Its id.
    pub id: PlaybookId,
    /// Its name.
    pub name: String,
    /// What it is for and when to use it; may be empty.
    pub about: String,
    /// The current version.
    pub version: u64,
    /// How many parameters that has.
    pub parameters: u32,
    /// How many steps that has.
    pub steps: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it.
    pub created_by: String,
    /// When the current version was saved.
    pub changed_at: Timestamp,
    /// Who saved it.
    pub changed_by: String,
    /// Since when it is put away; absent: it is in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archived_at: Option<Timestamp>,
}

/// One version of a playbook, whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PlaybookView {
    /// Its id, the same for all versions.
    pub id: PlaybookId,
    /// Which version this is, from 1; what `If-Match` names for an edit.
    pub version: u64,
    /// The newest version.
    pub current_version: u64,
    /// What this version says.
    pub spec: PlaybookSpec,
    /// When this version was saved.
    pub saved_at: Timestamp,
    /// Who saved it.
    pub saved_by: String,
    /// When the playbook was made.
    pub created_at: Timestamp,
    /// Who made it.
    pub created_by: String,
    /// Since when it is put away; absent: it is in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archived_at: Option<Timestamp>,
}

/// One version of a playbook in a listing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PlaybookVersionView {
    /// From 1.
    pub version: u64,
    /// What the playbook was called in it.
    pub name: String,
    /// When it was saved.
    pub saved_at: Timestamp,
    /// Who saved it.
    pub saved_by: String,
}

/// A new version of a playbook; absent fields stay as they are, and `null` clears those that may be absent.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlaybookPatch {
    /// Another name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Another text that says what it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// Other parameters, all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Vec<Parameter>>,
    /// Another title, or `null` for none.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub title: Option<Option<String>>,
    /// Another rule for ending early, or `null` for none.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<StopOn>)]
    pub stop_on: Option<Option<StopOn>>,
    /// Another span of validity, or `null` for none.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Milliseconds>)]
    pub expires_in: Option<Option<Milliseconds>>,
    /// Other steps, all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<Vec<StepSpec>>,
}

/// Asks what a playbook becomes with these values.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlaybookValues {
    /// Of which version; absent: the current one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// A value for each parameter that has no default and must be given, or that is to be another than its default;
    /// `null` counts as not given.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub values: Map<String, Value>,
}

impl PlaybookPatch {
    /// The edit that leaves nothing of what was there: every field as `spec` has it.
    pub fn whole(spec: PlaybookSpec) -> Self {
        let PlaybookSpec { name, about, parameters, title, stop_on, expires_in, steps } = spec;
        Self {
            name: Some(name),
            about: Some(about),
            parameters: Some(parameters),
            title: Some(title),
            stop_on: Some(stop_on),
            expires_in: Some(expires_in),
            steps: Some(steps),
        }
    }

    /// `spec` as it is after this edit.
    pub fn applied_to(self, spec: PlaybookSpec) -> PlaybookSpec {
        PlaybookSpec {
            name: self.name.unwrap_or(spec.name),
            about: self.about.unwrap_or(spec.about),
            parameters: self.parameters.unwrap_or(spec.parameters),
            title: self.title.unwrap_or(spec.title),
            stop_on: self.stop_on.unwrap_or(spec.stop_on),
            expires_in: self.expires_in.unwrap_or(spec.expires_in),
            steps: self.steps.unwrap_or(spec.steps),
        }
    }
}
