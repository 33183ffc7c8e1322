//! Reads the end of a file.

use std::fs::Metadata;
use std::io;
use std::path::Path;
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tidegate_core::probe::{ArgumentKind, ProbeSpec, Risk};
use tidegate_core::sequence::Finding;
use tidegate_core::time::Timestamp;

use super::lines::{self, Found};
use super::words::amount;
use super::{BoxFuture, Probe, Refusal, Report, arguments, example, optional, required};
use crate::executor::StepContext;
use crate::executor::output::{Capture, Undecodable};
use crate::files::{Files, NotOpened, Purpose, denied_in};

/// Longest path in bytes (`PATH_MAX` of Linux).
const PATH_BYTES_MAX: u32 = 4096;
/// Longest text to look for in bytes.
const CONTAINS_BYTES_MAX: u32 = 256;

/// `tail_file`: the last lines of a regular file, or the last that contain a text.
///
/// Only the end of the file is read: [`lines::WINDOW_BYTES`] of it at most, whatever its size. A file that is not
/// there or not readable has failed. Pipes, devices and directories are never opened.
#[derive(Debug)]
pub(super) struct TailFile;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    path: String,
    #[serde(default = "lines_default")]
    lines: usize,
    #[serde(default)]
    contains: Option<String>,
}

fn lines_default() -> usize {
    50
}

#[derive(Debug, Serialize)]
struct Data {
    path: String,
    size_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    modified_at: Option<Timestamp>,
    /// How many lines there are in the output.
    lines: usize,
    /// How many bytes at the end of the file were looked at.
    searched_bytes: u64,
}

impl Probe for TailFile {
    fn spec(&self) -> ProbeSpec {
        ProbeSpec {
            name: "tail_file".into(),
            about: "Reads the last lines of a file.".into(),
            risk: Risk::Observe,
            arguments: vec![
                required(
                    "path",
                    ArgumentKind::Text { bytes_max: PATH_BYTES_MAX },
                    "Absolute path of a regular file.",
                ),
                optional(
                    "lines",
                    ArgumentKind::Integer { min: 1, max: 1_000 },
                    lines_default(),
                    "How many lines.",
                ),
                optional(
                    "contains",
                    ArgumentKind::Text { bytes_max: CONTAINS_BYTES_MAX },
                    Value::Null,
                    "Only lines with this text, as it is written.",
                ),
            ],
            example: example(json!({ "path": "/var/log/syslog", "lines": 50 })),
        }
    }

    fn run<'a>(
        &'a self,
        with: Map<String, Value>,
        cx: &'a StepContext,
    ) -> BoxFuture<'a, Result<Report, Refusal>> {
        Box::pin(async move {
            let arguments: Arguments = arguments(with)?;
            if !Path::new(&arguments.path).is_absolute() {
                return Err(Refusal(format!("`{}` is not an absolute path", arguments.path)));
            }
            let (capture, undecodable, files) = (cx.capture(), cx.undecodable(), cx.files());
            let read =
                tokio::task::spawn_blocking(move || read(&arguments, capture, undecodable, &files)).await;
            read.unwrap_or_else(|error| Ok(Report::failed(error.to_string())))
        })
    }
}

fn read(
    arguments: &Arguments,
    mut capture: Capture,
    undecodable: Undecodable,
    files: &Files,
) -> Result<Report, Refusal> {
    let path = &arguments.path;
    let file = match files.open(Path::new(path), Purpose::Content) {
        Ok(file) => file,
        Err(NotOpened::Denied(denied)) => return Err(Refusal(denied.to_string())),
        Err(NotOpened::Failed(error)) => return Ok(Report::failed(unreadable(path, &error))),
    };
    let (metadata, contains) = (file.metadata(), arguments.contains.as_deref());
    let found = match lines::last(&file, metadata.len(), arguments.lines, contains, &mut capture) {
        Ok(found) => found,
        Err(error) => {
            return match denied_in(&error) {
                Some(denied) => Err(Refusal(denied.to_string())),
                None => Ok(Report::failed(unreadable(path, &error))),
            };
        }
    };
    let data = Data {
        path: path.clone(),
        size_bytes: metadata.len(),
        modified_at: modified_at(metadata),
        lines: found.lines,
        searched_bytes: found.searched_bytes,
    };
    let summary = summary(&found, metadata.len(), contains);
    Ok(Report::done(Finding::None, summary).data(&data).output(capture.finish(undecodable)))
}

fn unreadable(path: &str, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => format!("`{path}` does not exist"),
        io::ErrorKind::PermissionDenied => format!("not allowed to read `{path}`"),
        io::ErrorKind::InvalidInput => format!("`{path}` is {error}"),
        _ => format!("failed to read `{path}`: {error}"),
    }
}

/// `50 lines of 2.7 MB`, `3 lines with "error" in the last 16.8 MB of 2.1 GB`.
fn summary(found: &Found, size_bytes: u64, contains: Option<&str>) -> String {
    let count = if found.lines == 1 { "1 line".into() } else { format!("{} lines", found.lines) };
    let size = amount(size_bytes);
    match contains {
        None => format!("{count} of {size}"),
        Some(text) if found.searched_bytes < size_bytes => {
            format!("{count} with \"{text}\" in the last {} of {size}", amount(found.searched_bytes))
        }
        Some(text) => format!("{count} with \"{text}\" in {size}"),
    }
}

fn modified_at(metadata: &Metadata) -> Option<Timestamp> {
    let modified = metadata.modified().ok()?;
    let milliseconds = match modified.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).ok()?,
        Err(error) => -i64::try_from(error.duration().as_millis()).ok()?,
    };
    Some(Timestamp::from_milliseconds(milliseconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::path::PathBuf;
    use std::time::Instant;

    use tidegate_core::wire::Policy;

    #[test]
    fn a_link_does_not_lead_out_of_the_allowed_folders() {
        let directory = tempfile::tempdir().unwrap();
        let (allowed, secret) = (directory.path().join("allowed"), directory.path().join("secret"));
        std::fs::create_dir(&allowed).unwrap();
        std::fs::write(&secret, "secret\n").unwrap();
        std::fs::write(allowed.join("log"), "a line\n").unwrap();
        std::os::unix::fs::symlink(&secret, allowed.join("link")).unwrap();
        let paths = Some(vec![allowed.to_string_lossy().into_owned()]);
        let files = Files::new(&Policy { paths, ..Policy::default() }, None);
        let reads = |name: &str| {
            let path = allowed.join(name).to_string_lossy().into_owned();
            let arguments = Arguments { path, lines: 5, contains: None };
            read(&arguments, Capture::new(1024), Undecodable::Escape, &files)
        };
        assert!(reads("log").is_ok());
        assert!(matches!(reads("link"), Err(Refusal(_))));
    }

    fn tail(path: &Path, lines: usize, contains: Option<&str>) -> Report {
        let path = path.to_str().unwrap().to_owned();
        let arguments = Arguments { path, lines, contains: contains.map(ToOwned::to_owned) };
        read(&arguments, Capture::new(16 * 1024), Undecodable::Escape, &Files::default()).unwrap()
    }

    fn written(name: &str, content: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        (directory, path)
    }

    #[test]
    fn the_last_lines_come_with_size_and_time() {
        let text: String = (1..=5_000).map(|number| format!("line {number}\n")).collect();
        let (_directory, path) = written("log", text.as_bytes());
        let report = tail(&path, 3, None);
        assert_eq!(report.result.output.head, "line 4998\nline 4999\nline 5000\n");
        assert_eq!(
            report.result.summary,
            "3 lines of 53.9 KB".replace("53.9", &format!("{:.1}", text.len() as f64 / 1e3))
        );
        assert_eq!(report.result.data["size_bytes"], text.len());
        assert!(report.result.data["modified_at"].is_string());
        let report = tail(&path, 2, Some("line 1"));
        assert_eq!(report.result.output.head, "line 1998\nline 1999\n");
        assert_eq!(tail(&path, 9, Some("absent")).result.output.bytes, 0);
    }

    #[test]
    fn utf_16_is_read_from_its_middle() {
        let text: String = (1..=9_000).map(|number| format!("Ċ Zeile {number} ä\r\n")).collect();
        let raw: Vec<u8> =
            [0xFEFF].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
        let (_directory, path) = written("log", &raw);
        let report = tail(&path, 2, None);
        assert_eq!(report.result.output.head, "Ċ Zeile 8999 ä\r\nĊ Zeile 9000 ä\r\n");
        assert_eq!(report.result.output.encoding.as_deref(), Some("utf-16le"));
        assert_eq!(tail(&path, 1, Some("8999 ä")).result.output.head, "Ċ Zeile 8999 ä\r\n");
    }

    #[test]
    fn ten_gigabytes_of_nothing_are_no_hurry() {
        let (_directory, path) = written("log", b"");
        File::options().write(true).open(&path).unwrap().set_len(10_000_000_000).unwrap();
        let start = Instant::now();
        for contains in [None, Some("x")] {
            let report = tail(&path, 1_000, contains);
            assert_eq!(report.result.data["size_bytes"], 10_000_000_000_u64);
            assert_eq!(report.result.data["searched_bytes"], lines::WINDOW_BYTES);
        }
        eprintln!("two tails of 10 GB in {:?}", start.elapsed());
    }

    #[test]
    fn what_is_not_a_readable_file_is_named() {
        let (directory, path) = written("log", b"");
        let absent = directory.path().join("absent");
        let report = tail(&absent, 5, None);
        assert!(!report.succeeded);
        assert_eq!(report.result.summary, format!("`{}` does not exist", absent.display()));
        assert!(tail(directory.path(), 5, None).result.summary.ends_with("` is a directory"));
        assert!(tail(Path::new("/dev/zero"), 5, None).result.summary.ends_with("` is not a regular file"));
        let pipe = directory.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert!(tail(&pipe, 5, None).result.summary.ends_with("` is not a regular file"));
        assert_eq!(tail(&path, 5, None).result.summary, "0 lines of 0 bytes");
    }
}
