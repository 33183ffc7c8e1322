//! Asks about a file without bringing back what is in it.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use tidegate_core::probe::{ArgumentKind, ProbeSpec, Risk};
use tidegate_core::sequence::Finding;
use tidegate_core::time::Timestamp;

use super::words::{amount, span};
use super::{BoxFuture, Probe, Refusal, Report, arguments, example, optional, platform, required};
use crate::clock;
use crate::executor::StepContext;
use crate::files::{CheckedFile, Files, NotOpened, Purpose};

/// Longest path in bytes (`PATH_MAX` of Linux).
const PATH_BYTES_MAX: u32 = 4096;
/// Largest file that is hashed: a second or two of reading. A larger one is told without.
const HASHED_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Bytes hashed at a time; a step that is stopped reads no further block.
const BLOCK_BYTES: usize = 4 * 1024 * 1024;

/// `file_facts`: size, times, owner, mode and SHA-256 of what a path leads to.
///
/// There: `ok`. Not there: `attention`. It fails where it is not allowed to look. Pipes and devices are never opened for
/// reading. The path must lie in the folders that this machine allows, links resolved.
#[derive(Debug)]
pub(super) struct FileFacts;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    path: String,
    #[serde(default = "hash_default")]
    hash: bool,
}

fn hash_default() -> bool {
    true
}

#[derive(Debug, Serialize)]
struct Data {
    path: String,
    /// Where it really is, links resolved.
    real_path: String,
    kind: Kind,
    size_bytes: u64,
    /// What it takes on the disk; less than its size where it has holes.
    stored_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    modified_at: Option<Timestamp>,
    /// When its owner, mode, links or content last changed.
    changed_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<Timestamp>,
    /// In octal, as chmod(1) takes it.
    mode: String,
    user_id: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    group_id: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    /// How many names it has.
    links: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    /// Why there is no hash of it, though one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_hashed: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    File,
    Folder,
    Pipe,
    Socket,
    Device,
    Other,
}

impl Kind {
    fn of(metadata: &Metadata) -> Self {
        let kind = metadata.file_type();
        match () {
            () if kind.is_file() => Self::File,
            () if kind.is_dir() => Self::Folder,
            () if kind.is_fifo() => Self::Pipe,
            () if kind.is_socket() => Self::Socket,
            () if kind.is_block_device() || kind.is_char_device() => Self::Device,
            () => Self::Other,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::File => "a file",
            Self::Folder => "a folder",
            Self::Pipe => "a pipe",
            Self::Socket => "a socket",
            Self::Device => "a device",
            Self::Other => "neither a file nor a folder",
        }
    }
}

impl Probe for FileFacts {
    fn spec(&self) -> ProbeSpec {
        ProbeSpec {
            name: "file_facts".into(),
            about: "Says what a file is, without its content: size, times, owner, mode, SHA-256.".into(),
            risk: Risk::Observe,
            arguments: vec![
                required(
                    "path",
                    ArgumentKind::Text { bytes_max: PATH_BYTES_MAX },
                    "Absolute path; what a link leads to counts.",
                ),
                optional("hash", ArgumentKind::Boolean, hash_default(), "SHA-256 of a file up to 256 MiB."),
            ],
            example: example(json!({ "path": "/opt/motion/controller.conf" })),
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
            look(arguments, cx.files()).await
        })
    }
}

async fn look(arguments: Arguments, files: Arc<Files>) -> Result<Report, Refusal> {
    let path = PathBuf::from(&arguments.path);
    let opened = tokio::task::spawn_blocking(move || files.open(&path, Purpose::Facts));
    let file = match opened.await.unwrap_or_else(|error| Err(io::Error::other(error).into())) {
        Ok(file) => file,
        Err(NotOpened::Denied(denied)) => return Err(Refusal(denied.to_string())),
        Err(NotOpened::Failed(error)) => return Ok(not_opened(&arguments.path, &error)),
    };
    let size_bytes = file.metadata().len();
    let mut data = data(&arguments, file.real_path(), file.metadata());
    if arguments.hash && data.kind == Kind::File {
        match hashed(file, size_bytes).await {
            Ok(sha256) => data.sha256 = Some(sha256),
            Err(words) => data.not_hashed = Some(words),
        }
    }
    Ok(Report::done(Finding::Ok, summary(&data)).data(&data))
}

fn not_opened(path: &str, error: &io::Error) -> Report {
    match error.kind() {
        io::ErrorKind::NotFound => Report::done(Finding::Attention, format!("`{path}` does not exist"))
            .data(&json!({ "path": path })),
        io::ErrorKind::PermissionDenied => Report::failed(format!("not allowed to look at `{path}`")),
        _ => Report::failed(format!("failed to look at `{path}`: {error}")),
    }
}

fn data(arguments: &Arguments, real: &Path, metadata: &Metadata) -> Data {
    let time = |time: io::Result<std::time::SystemTime>| {
        let since = time.ok()?.duration_since(UNIX_EPOCH).ok()?;
        Some(Timestamp::from_milliseconds(i64::try_from(since.as_millis()).ok()?))
    };
    let changed_ms = metadata.ctime().saturating_mul(1_000).saturating_add(metadata.ctime_nsec() / 1_000_000);
    Data {
        path: arguments.path.clone(),
        real_path: real.to_string_lossy().into_owned(),
        kind: Kind::of(metadata),
        size_bytes: metadata.len(),
        stored_bytes: metadata.blocks().saturating_mul(512),
        modified_at: time(metadata.modified()),
        changed_at: Timestamp::from_milliseconds(changed_ms),
        created_at: time(metadata.created()),
        mode: format!("{:04o}", metadata.mode() & 0o7777),
        user_id: metadata.uid(),
        user: platform::user_name(metadata.uid()),
        group_id: metadata.gid(),
        group: platform::group_name(metadata.gid()),
        links: metadata.nlink(),
        sha256: None,
        not_hashed: None,
    }
}

/// The SHA-256 of the file, or why there is none.
async fn hashed(mut file: CheckedFile, size_bytes: u64) -> Result<String, String> {
    if size_bytes > HASHED_BYTES_MAX {
        return Err(format!("it is larger than {} MiB", HASHED_BYTES_MAX / (1024 * 1024)));
    }
    let words = |error: io::Error| format!("it cannot be read: {error}");
    let (mut hash, mut offset) = (Sha256::new(), 0);
    // Not beyond its size: a log grows while it is read.
    while offset < size_bytes {
        let block = tokio::task::spawn_blocking(move || {
            let mut bytes = vec![0; BLOCK_BYTES.min((size_bytes - offset) as usize)];
            let count = file.read_unseen(&mut bytes, offset)?;
            hash.update(&bytes[..count]);
            Ok::<_, io::Error>((file, hash, count))
        });
        let count;
        (file, hash, count) =
            block.await.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(words)?;
        if count == 0 {
            return Err("it became shorter while it was read".to_owned());
        }
        offset += count as u64;
    }
    Ok(HEXLOWER.encode(&hash.finalize()))
}

/// `a file of 2.7 MB, changed 3 h ago, 0640 root:adm`.
fn summary(data: &Data) -> String {
    let age = data.modified_at.map(|at| {
        let seconds = clock::wall().since(at).0 / 1_000;
        if at > clock::wall() {
            ", changed in the future".to_owned()
        } else {
            format!(", changed {} ago", span(seconds))
        }
    });
    let owner = |name: &Option<String>, id: u32| name.clone().unwrap_or_else(|| id.to_string());
    let size =
        if data.kind == Kind::File { format!(" of {}", amount(data.size_bytes)) } else { String::new() };
    format!(
        "{}{size}{}, {} {}:{}",
        data.kind.words(),
        age.unwrap_or_default(),
        data.mode,
        owner(&data.user, data.user_id),
        owner(&data.group, data.group_id)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::os::unix::fs::PermissionsExt;

    use tidegate_core::wire::Policy;

    async fn looked(path: &Path, folder: Option<&Path>) -> Result<Report, Refusal> {
        let paths = folder.map(|folder| vec![folder.to_str().unwrap().to_owned()]);
        let files = Arc::new(Files::new(&Policy { paths, ..Policy::default() }, None));
        look(Arguments { path: path.to_str().unwrap().to_owned(), hash: true }, files).await
    }

    async fn found(path: &Path) -> Report {
        looked(path, None).await.unwrap_or_else(|Refusal(reason)| panic!("{reason}"))
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_file_is_told_without_its_content() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("conf");
        std::fs::write(&path, "abc").unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
        let report = found(&path).await;
        let data = &report.result.data;
        assert_eq!(report.result.finding, Finding::Ok);
        assert!(report.result.summary.starts_with("a file of 3 bytes, changed "), "{report:?}");
        // NIST's vector for `abc` (FIPS 180-4).
        assert_eq!(data["sha256"], "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(
            (&data["kind"], &data["size_bytes"], &data["mode"]),
            (&json!("file"), &json!(3), &json!("0640"))
        );
        assert_eq!(data["user_id"], rustix::process::getuid().as_raw());
        assert_eq!(report.result.output.bytes, 0);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_hash_is_of_more_than_one_block_and_not_of_a_file_too_large() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("large");
        let content = vec![7; 2 * BLOCK_BYTES + 1];
        std::fs::write(&path, &content).unwrap();
        let sha256 = found(&path).await.result.data["sha256"].clone();
        assert_eq!(sha256, HEXLOWER.encode(&Sha256::digest(&content)));
        File::options().write(true).open(&path).unwrap().set_len(HASHED_BYTES_MAX + 1).unwrap();
        let data = found(&path).await.result.data;
        assert_eq!((data.get("sha256"), &data["not_hashed"]), (None, &json!("it is larger than 256 MiB")));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn folders_pipes_and_devices_are_told_and_never_read() {
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        for (path, kind) in
            [(pipe.as_path(), "pipe"), (directory.path(), "folder"), (Path::new("/dev/zero"), "device")]
        {
            let data = found(path).await.result.data;
            assert_eq!((&data["kind"], data.get("sha256")), (&json!(kind), None));
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_file_that_is_not_there_is_a_finding() {
        let directory = tempfile::tempdir().unwrap();
        let report = found(&directory.path().join("absent")).await;
        assert_eq!((report.succeeded, report.result.finding), (true, Finding::Attention));
        assert!(report.result.summary.ends_with("absent` does not exist"));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_link_does_not_lead_out_of_the_allowed_folders() {
        let directory = tempfile::tempdir().unwrap();
        let (allowed, secret) = (directory.path().join("allowed"), directory.path().join("secret"));
        std::fs::create_dir(&allowed).unwrap();
        std::fs::write(&secret, "secret\n").unwrap();
        std::fs::write(allowed.join("log"), "a line\n").unwrap();
        std::os::unix::fs::symlink(&secret, allowed.join("link")).unwrap();
        std::os::unix::fs::symlink(directory.path(), allowed.join("up")).unwrap();
        assert!(looked(&allowed.join("log"), Some(&allowed)).await.is_ok());
        for path in ["link", "up", "up/secret"] {
            assert!(matches!(looked(&allowed.join(path), Some(&allowed)).await, Err(Refusal(_))), "{path}");
        }
    }
}
