//! `tidegate export`: a machine's whole record in one file.

use std::io::Write;
use std::path::{Path, PathBuf};

use reqwest::Response;
use tempfile::NamedTempFile;

use tidegate_core::obstacle::Obstacle;

use crate::client::Api;
use crate::connection::Connection;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::screen::Screen;
use crate::text::{one_line, shell_word};

/// Write a machine's whole record to a file that proves itself.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The file holds every entry of the transcript byte for byte and the public keys to verify it. It
appears under its name only when it is whole.

Example:
  tidegate export hmi-3 --out hmi-3.tgx
  tidegate verify hmi-3.tgx --root FINGERPRINT")]
pub(crate) struct Args {
    /// The machine, by name or id
    endpoint: String,
    /// The file to write
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,
    /// Replace the file if it exists
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    connection: Connection,
}

/// Streams the export into the file.
pub(crate) async fn run(args: Args, screen: &Screen) -> Result<Exit, Failure> {
    if !args.force && args.out.exists() {
        return Err(exists(&args.out));
    }
    let api = super::connect(&args.connection)?;
    let endpoint = api.endpoint_named(&args.endpoint).await?;
    let bytes = write(&api, &endpoint.id.to_string(), &args.out, args.force).await?;
    let file = args.out.display().to_string();
    screen.line(format!("The record of `{}` is in {file} ({bytes} bytes).", one_line(&endpoint.name)))?;
    let file = shell_word(&file);
    screen.line(format!("Prove it with: tidegate verify {file} --root FINGERPRINT"))?;
    screen.line("FINGERPRINT is that of the owner's root key: `tidegate admin owner` printed it.")?;
    Ok(Exit::Done)
}

/// Writes the export of `endpoint` to `out` and returns its length in bytes. `out` appears whole or not
/// at all.
pub(crate) async fn write(api: &Api, endpoint: &str, out: &Path, force: bool) -> Result<u64, Failure> {
    write_from(api, &["endpoints", endpoint, "export"], out, force).await
}

/// Writes the export at `path` to `out`, as [`write`] does.
pub(super) async fn write_from(api: &Api, path: &[&str], out: &Path, force: bool) -> Result<u64, Failure> {
    let mut file = begin(out)?;
    let response = api.stream(path).await?;
    let bytes = copy(response, &mut file, out).await?;
    finish(file, out, force)?;
    Ok(bytes)
}

/// Writes `text` to `out`, which appears whole or not at all.
///
/// # Errors
///
/// Where the file is there already and `force` does not replace it, or it cannot be written.
pub(super) fn write_text(text: &str, out: &Path, force: bool) -> Result<(), Failure> {
    let failed = |error: std::io::Error| not_written(out).caused_by(&error);
    let mut file = begin(out)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    finish(file, out, force)
}

fn begin(out: &Path) -> Result<NamedTempFile, Failure> {
    let directory = out.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    NamedTempFile::new_in(directory).map_err(|error| not_written(out).caused_by(&error))
}

fn finish(file: NamedTempFile, out: &Path, force: bool) -> Result<(), Failure> {
    let failed = |error: std::io::Error| not_written(out).caused_by(&error);
    file.as_file().sync_all().map_err(failed)?;
    if force {
        file.persist(out).map_err(|error| failed(error.error))?;
    } else {
        file.persist_noclobber(out).map_err(|error| match error.error.kind() {
            std::io::ErrorKind::AlreadyExists => exists(out),
            _ => failed(error.error),
        })?;
    }
    Ok(())
}

async fn copy(mut response: Response, file: &mut NamedTempFile, out: &Path) -> Result<u64, Failure> {
    let (mut bytes, mut last) = (0, None);
    let cut_off = || {
        Failure::new(Exit::NotReachable, "the export was cut off; nothing was written")
            .of(Obstacle::ConnectionCut)
    };
    while let Some(chunk) = response.chunk().await.map_err(|error| cut_off().caused_by(&error))? {
        file.write_all(&chunk).map_err(|error| not_written(out).caused_by(&error))?;
        bytes += chunk.len() as u64;
        last = chunk.last().copied().or(last);
    }
    // Every line of an export ends; one that does not was cut by something in between.
    if last == Some(b'\n') { Ok(bytes) } else { Err(cut_off().next("repeat the command")) }
}

fn not_written(out: &Path) -> Failure {
    Failure::usage(format!("failed to write `{}`", out.display()))
        .of(Obstacle::FileNotWritten)
        .next("name with --out a file in a folder that exists and that you may write")
}

pub(super) fn exists(out: &Path) -> Failure {
    Failure::usage(format!("`{}` exists already", out.display()))
        .of(Obstacle::FileExists)
        .next("choose another name, or replace it with --force")
}
