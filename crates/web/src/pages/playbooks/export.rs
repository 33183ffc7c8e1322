//! A playbook as a file to take along: what import and the command line read.

use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use tidegate_core::id::PlaybookId;
use tidegate_core::playbook::yaml_write;

use super::read;
use crate::Shared;
use crate::extract::{Id, Query, present_number};
use crate::pages::viewer::Viewer;
use crate::problem::Problem;

/// Longest name of a file without its ending, in bytes.
const FILE_NAME_BYTES_MAX: usize = 60;

/// Which version; absent: the current one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    #[serde(default, deserialize_with = "present_number")]
    pub(super) version: Option<u32>,
}

/// The file.
pub(super) async fn download(
    State(host): State<Shared>,
    _: Viewer,
    Id(id): Id<PlaybookId>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    let view = read(host.as_ref(), id, wanted.version.map(u64::from)).await?;
    let disposition = format!("attachment; filename=\"{}.yaml\"", file_name(&view.spec.name));
    let disposition = HeaderValue::try_from(disposition).map_err(|error| Problem::internal(&error))?;
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/yaml; charset=utf-8")),
        (CONTENT_DISPOSITION, disposition),
    ];
    Ok((headers, yaml_write(&view.spec)).into_response())
}

/// `HMI lost its controller` as `hmi-lost-its-controller`: nothing that a header, a shell or a folder reads as more than
/// letters, and no name that begins like an option or a hidden file.
fn file_name(name: &str) -> String {
    let mut safe = String::new();
    for character in name.chars().take(FILE_NAME_BYTES_MAX) {
        if character.is_ascii_alphanumeric() {
            safe.push(character.to_ascii_lowercase());
        } else if !safe.is_empty() && !safe.ends_with('-') {
            safe.push('-');
        }
    }
    let safe = safe.trim_end_matches('-');
    // Names of devices are no names of files on Windows, whatever follows the dot.
    if safe.is_empty() { "playbook".to_owned() } else { format!("playbook-{safe}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_called_by_letters_alone() {
        for (name, file) in [
            ("HMI lost its controller", "playbook-hmi-lost-its-controller"),
            ("../../etc/passwd", "playbook-etc-passwd"),
            ("x\"\r\nSet-Cookie: a=b", "playbook-x-set-cookie-a-b"),
            ("CON", "playbook-con"),
            ("-rf .\u{202e}", "playbook-rf"),
            ("制御", "playbook"),
        ] {
            assert_eq!(file_name(name), file);
        }
        assert!(file_name(&"a".repeat(100)).len() < 100);
    }
}
