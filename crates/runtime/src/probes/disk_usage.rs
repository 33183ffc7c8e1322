//! Asks how full the disks are.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tidegate_core::probe::{ArgumentKind, ProbeSpec, Risk};
use tidegate_core::sequence::Finding;

use super::words::{amount, counted};
use super::{BoxFuture, Probe, Refusal, Report, arguments, example, optional, platform};
use crate::executor::StepContext;
use crate::files::NotOpened;

/// Longest path in bytes (`PATH_MAX` of Linux).
const PATH_BYTES_MAX: u32 = 4096;
/// From here on it needs a person.
const PERCENT_FULL: u64 = 90;
/// How many file systems a summary names.
const NAMED_MAX: usize = 4;

/// `disk_usage`: how full the file systems are, or the one that holds a path; bytes and inodes.
///
/// All below 90 %: `ok`. One above, or one that does not answer: `attention`; read-only images are always full and never
/// are. What the kernel only shows as files is left out. A path must lie in the folders that this machine allows.
#[derive(Debug)]
pub(super) struct DiskUsage;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    #[serde(default)]
    path: Option<String>,
}

#[derive(Debug, Serialize)]
struct Data<'a> {
    file_systems: &'a [FileSystem],
}

/// One file system.
#[derive(Debug, Serialize)]
pub(super) struct FileSystem {
    pub(super) mount_point: String,
    /// `ext4`, `nfs4`, …
    pub(super) kind: String,
    pub(super) source: String,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(super) usage: Option<Usage>,
    /// Of what programs without privileges can use, rounded up; absent where it did not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) used_percent: Option<u64>,
    /// Absent also where there is no limit to inodes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) inodes_used_percent: Option<u64>,
    /// Why it could not be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
}

/// How full it is.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Usage {
    pub(super) total_bytes: u64,
    pub(super) used_bytes: u64,
    /// To programs without privileges.
    pub(super) available_bytes: u64,
    pub(super) inodes_total: u64,
    pub(super) inodes_used: u64,
    pub(super) is_read_only: bool,
}

impl FileSystem {
    /// What is mounted there, and what it answered.
    pub(super) fn new(
        mount_point: String,
        kind: String,
        source: String,
        usage: Result<Usage, String>,
    ) -> Self {
        let (usage, error) = match usage {
            Ok(usage) => (Some(usage), None),
            Err(error) => (None, Some(error)),
        };
        let used_percent = usage
            .map(|usage| percent(usage.used_bytes, usage.used_bytes.saturating_add(usage.available_bytes)));
        let inodes_used_percent = usage
            .filter(|usage| usage.inodes_total > 0)
            .map(|usage| percent(usage.inodes_used, usage.inodes_total));
        Self { mount_point, kind, source, usage, used_percent, inodes_used_percent, error }
    }

    /// Why it needs a person; `None`: it does not.
    fn problem(&self) -> Option<String> {
        let point = &self.mount_point;
        match (self.usage, self.used_percent, self.inodes_used_percent) {
            (Some(usage), ..) if usage.is_read_only => None,
            (_, Some(used), _) if used > PERCENT_FULL => Some(format!("{point} is {used} % full")),
            (_, _, Some(used)) if used > PERCENT_FULL => {
                Some(format!("{point} has used {used} % of its inodes"))
            }
            (Some(_), ..) => None,
            (None, ..) => Some(format!("{point}: {}", self.error.as_deref().unwrap_or_default())),
        }
    }
}

/// Rounded up, so that full is never told as 99.
fn percent(part: u64, whole: u64) -> u64 {
    let percent = (u128::from(part) * 100).div_ceil(u128::from(whole.max(1)));
    u64::try_from(percent).unwrap_or(u64::MAX)
}

impl Probe for DiskUsage {
    fn spec(&self) -> ProbeSpec {
        ProbeSpec {
            name: "disk_usage".into(),
            about: "Says how full the disks are.".into(),
            risk: Risk::Observe,
            arguments: vec![optional(
                "path",
                ArgumentKind::Text { bytes_max: PATH_BYTES_MAX },
                Value::Null,
                "Absolute path: only the file system that holds it.",
            )],
            example: example(json!({ "path": "/var/log" })),
        }
    }

    fn run<'a>(
        &'a self,
        with: Map<String, Value>,
        cx: &'a StepContext,
    ) -> BoxFuture<'a, Result<Report, Refusal>> {
        Box::pin(async move {
            let arguments: Arguments = arguments(with)?;
            let Some(path) = arguments.path else {
                return Ok(match platform::file_systems().await {
                    Ok(file_systems) => report(&file_systems),
                    Err(error) => Report::failed(format!("failed to list the file systems: {error}")),
                });
            };
            if !Path::new(&path).is_absolute() {
                return Err(Refusal(format!("`{path}` is not an absolute path")));
            }
            match platform::file_system_of(PathBuf::from(&path), cx.files()).await {
                Ok(file_system) => Ok(report(&[file_system])),
                Err(NotOpened::Denied(denied)) => Err(Refusal(denied.to_string())),
                Err(NotOpened::Failed(error)) if error.kind() == io::ErrorKind::NotFound => {
                    Ok(Report::failed(format!("`{path}` does not exist")))
                }
                Err(NotOpened::Failed(error)) => {
                    Ok(Report::failed(format!("failed to look at `{path}`: {error}")))
                }
            }
        })
    }
}

fn report(file_systems: &[FileSystem]) -> Report {
    let problems: Vec<String> = file_systems.iter().filter_map(FileSystem::problem).collect();
    let (finding, summary) = match problems.len() {
        0 => (Finding::Ok, fullest(file_systems)),
        1..=NAMED_MAX => (Finding::Attention, problems.join(", ")),
        more => {
            let named = problems.iter().take(NAMED_MAX).map(String::as_str).collect::<Vec<_>>().join(", ");
            (Finding::Attention, format!("{named} and {} more", more - NAMED_MAX))
        }
    };
    Report::done(finding, summary).data(&Data { file_systems }).text(lines(file_systems))
}

/// `/ is 54 % full, 43.0 GB free`, `3 file systems; / is the fullest: 54 %, 43.0 GB free`.
fn fullest(file_systems: &[FileSystem]) -> String {
    let writable = file_systems.iter().filter(|each| each.usage.is_some_and(|usage| !usage.is_read_only));
    let fullest = writable.max_by_key(|each| each.used_percent);
    let Some((each, usage)) = fullest.or(file_systems.first()).and_then(|each| Some((each, each.usage?)))
    else {
        return "this machine has no file systems that store anything".to_owned();
    };
    let (point, percent) = (&each.mount_point, each.used_percent.unwrap_or_default());
    let free = amount(usage.available_bytes);
    match file_systems.len() {
        1 => format!("{point} is {percent} % full, {free} free"),
        count => {
            format!(
                "{}; {point} is the fullest: {percent} %, {free} free",
                counted(count as u64, "file system")
            )
        }
    }
}

/// A line for each, for people.
fn lines(file_systems: &[FileSystem]) -> String {
    let mut text = String::new();
    for each in file_systems {
        let _ = write!(text, "{} ({} on {}): ", each.mount_point, each.kind, each.source);
        let _ = match (each.usage, each.used_percent) {
            (Some(usage), Some(percent)) => writeln!(
                text,
                "{percent} % of {} used, {} free, {} % of inodes{}",
                amount(usage.total_bytes),
                amount(usage.available_bytes),
                each.inodes_used_percent.map_or_else(|| "-".to_owned(), |percent| percent.to_string()),
                if usage.is_read_only { ", read-only" } else { "" }
            ),
            _ => writeln!(text, "{}", each.error.as_deref().unwrap_or_default()),
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(point: &str, used: u64, available: u64, inodes_used: u64, is_read_only: bool) -> FileSystem {
        let usage = Usage {
            total_bytes: used + available + 50,
            used_bytes: used,
            available_bytes: available,
            inodes_total: 100,
            inodes_used,
            is_read_only,
        };
        FileSystem::new(point.into(), "ext4".into(), "/dev/vda".into(), Ok(usage))
    }

    fn told(file_systems: &[FileSystem]) -> (Finding, String) {
        let result = report(file_systems).result;
        (result.finding, result.summary)
    }

    #[test]
    fn what_is_nearly_full_is_named() {
        let calm = made("/", 540, 460, 10, false);
        assert_eq!(told(&[calm]), (Finding::Ok, "/ is 54 % full, 460 bytes free".into()));
        let (calm, full) = (made("/", 540, 460, 10, false), made("/data", 901, 99, 1, false));
        assert_eq!(told(&[calm, full]), (Finding::Attention, "/data is 91 % full".into()));
        let (calm, files) = (made("/", 900, 100, 10, false), made("/mail", 1, 99, 95, false));
        assert_eq!(told(&[calm, files]), (Finding::Attention, "/mail has used 95 % of its inodes".into()));
    }

    #[test]
    fn a_read_only_image_may_be_full_and_one_that_does_not_answer_may_not() {
        let (calm, image) = (made("/", 540, 460, 10, false), made("/snap/core", 1_000, 0, 100, true));
        let words = "2 file systems; / is the fullest: 54 %, 460 bytes free";
        assert_eq!(told(&[calm, image]), (Finding::Ok, words.into()));
        let silent = FileSystem::new(
            "/mnt/nas".into(),
            "nfs4".into(),
            "nas:/x".into(),
            Err("no answer within 2 s".into()),
        );
        assert_eq!(told(&[silent]), (Finding::Attention, "/mnt/nas: no answer within 2 s".into()));
        assert_eq!([percent(0, 0), percent(1, 1_000), percent(1_000, 1_000)], [0, 1, 100]);
    }
}
