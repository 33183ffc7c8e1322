//! Playbooks: a sequence with parameters, a name and a version.
//!
//! A playbook is data that people write: as YAML in a file, as JSON through the API, in a form. What it becomes for one
//! machine is an ordinary sequence ([`fill`]); nothing later knows of placeholders, and what is signed, performed and
//! recorded is what the machine was really asked.
//!
//! Reading order: `spec` (what is written), `placeholder` (how `{{name}}` reads), `check` (whether it holds together),
//! `fill` (values in, sequence out), `kept` (sequence in, playbook out), `yaml`, `starters`.

mod check;
mod fill;
mod kept;
mod placeholder;
mod spec;
mod starters;
#[cfg(test)]
mod tests;
mod yaml;

pub use check::PlaybookError;
pub use fill::{FillError, SHELL_PROBE, fill};
pub use kept::of_sequence;
pub use spec::{
    ABOUT_BYTES_MAX, NAME_BYTES_MAX, OPTIONS_MAX, PARAMETER_ABOUT_BYTES_MAX, PARAMETER_NAME_BYTES_MAX,
    PARAMETERS_MAX, PLAYBOOK_BYTES_MAX, Parameter, PlaybookOrigin, PlaybookSpec, TEXT_BYTES_DEFAULT,
    TEXT_BYTES_MAX,
};
pub use starters::{STARTERS, starters};
pub use yaml::{YAML_BYTES_MAX, YamlError, read as yaml_read, write as yaml_write};
