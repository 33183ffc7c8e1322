//! What was met: codes, how, and what a person was told.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use serde_json::Value;

/// One error as a person meets it.
#[derive(Clone, Debug)]
pub struct Met {
    /// The stable code.
    pub code: &'static str,
    /// What provoked it.
    pub how: &'static str,
    /// What was said.
    pub said: String,
}

/// Everything that was met.
#[derive(Debug, Default)]
pub struct Book(Vec<Met>);

/// Variables of the caller's that would change what a program meets.
const FOREIGN: [&str; 10] = [
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
    "TIDEGATE_CA",
    "TIDEGATE_LOG",
];

/// A program of ours that finds nothing of the caller's in its environment.
pub(super) fn program(path: &Path) -> Command {
    let mut command = Command::new(path);
    command.stdin(Stdio::null());
    for name in FOREIGN {
        command.env_remove(name);
    }
    command
}

impl Book {
    /// Runs a command that must end with `exit` and tell on standard error `code`, all of `parts`, and what next.
    pub(super) fn command(
        &mut self,
        code: &'static str,
        how: &'static str,
        command: &mut Command,
        exit: i32,
        parts: &[&str],
    ) -> anyhow::Result<()> {
        let output = command.output().with_context(|| format!("failed to run {command:?}"))?;
        let said = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
        ensure!(output.status.code() == Some(exit), "{how}: {} and not {exit}: {said}", output.status);
        ensure!(said.contains(&format!("({code}")), "{how}: its code is not `{code}`: {said}");
        let next = said.split("\n  next: ").nth(1);
        ensure!(next.is_some_and(|next| next.len() > 10), "{how}: it does not say what next: {said}");
        self.said(code, how, said, parts)
    }

    /// Takes down a problem document.
    pub(super) fn problem(
        &mut self,
        code: &'static str,
        how: &'static str,
        status: u16,
        problem: &Value,
        parts: &[&str],
    ) -> anyhow::Result<()> {
        let detail = problem["detail"].as_str().unwrap_or_default();
        ensure!(problem["code"] == code, "{how}: its code is not `{code}`: {status} {problem}");
        ensure!(problem["status"] == status, "{how}: it came with {status}: {problem}");
        ensure!(problem["type"] == format!("urn:tidegate:problem:{code}"), "{how}: {problem}");
        ensure!(!detail.is_empty() && detail.len() < 1_000, "{how}: {problem}");
        let said = format!("{status} {}: {detail}", problem["title"].as_str().unwrap_or_default());
        self.said(code, how, said, parts)
    }

    /// Takes down what was said otherwise, such as in a log.
    pub(super) fn said(
        &mut self,
        code: &'static str,
        how: &'static str,
        said: String,
        parts: &[&str],
    ) -> anyhow::Result<()> {
        for part in parts {
            ensure!(said.contains(part), "{how}: it does not say `{part}`: {said}");
        }
        self.0.push(Met { code, how, said });
        Ok(())
    }

    pub(super) fn has(&self, code: &str) -> bool {
        self.0.iter().any(|met| met.code == code)
    }

    pub(super) fn met(self) -> Vec<Met> {
        self.0
    }
}

/// What a directory holds: files to the byte, databases to the value. Two of them are equal when nothing was changed in
/// between.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Contents(BTreeMap<PathBuf, Vec<u8>>);

/// Files that say nothing of their own: a lock is the system's, and the rest are parts of the database beside them.
const ASIDE: [&str; 4] = ["lock", "-wal", "-shm", "-room"];

impl Contents {
    /// Everything below `directory`; nothing where it is not there.
    pub(super) fn of(directory: &Path) -> anyhow::Result<Self> {
        let mut contents = BTreeMap::new();
        let mut folders = vec![directory.to_owned()];
        while let Some(folder) = folders.pop() {
            let Ok(entries) = fs::read_dir(&folder) else { continue };
            for entry in entries {
                let path = entry?.path();
                let name = path.to_string_lossy().into_owned();
                if path.is_dir() {
                    folders.push(path);
                } else if !ASIDE.iter().any(|ending| name.ends_with(ending)) {
                    let values = if name.ends_with(".db") { values(&path).ok() } else { None };
                    let held = values.map_or_else(|| fs::read(&path), Ok)?;
                    contents.insert(path, held);
                }
            }
        }
        Ok(Self(contents))
    }

    /// Fails with words when `directory` holds something else.
    pub(super) fn still_in(&self, directory: &Path) -> anyhow::Result<()> {
        let after = Self::of(directory)?;
        let differs = |path: &&PathBuf| self.0.get(*path) != after.0.get(*path);
        let changed: Vec<_> = self.0.keys().chain(after.0.keys()).filter(differs).collect();
        ensure!(changed.is_empty(), "something was changed: {changed:?}");
        Ok(())
    }
}

/// Every table of a database with every row. Opening one moves pages about, which changes nothing.
fn values(file: &Path) -> rusqlite::Result<Vec<u8>> {
    let database = rusqlite::Connection::open(file)?;
    let mut tables =
        database.prepare("SELECT name, sql FROM sqlite_master WHERE type = 'table' ORDER BY name")?;
    let tables: Vec<(String, String)> =
        tables.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    let mut said = String::new();
    for (name, sql) in tables {
        let mut rows = database.prepare(&format!("SELECT * FROM \"{name}\""))?;
        let columns = rows.column_count();
        let rows = rows.query_map([], |row| {
            (0..columns)
                .map(|column| row.get::<_, rusqlite::types::Value>(column))
                .collect::<Result<Vec<_>, _>>()
        })?;
        said.push_str(&format!("{sql}\n{:?}\n", rows.collect::<Result<Vec<_>, _>>()?));
    }
    Ok(said.into_bytes())
}

/// The text of a path.
pub(super) fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
