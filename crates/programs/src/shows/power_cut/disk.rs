//! What a power cut left on the disk: a copy of the database, looked over from outside.
//!
//! The copy is recovered by SQLite alone; the original is left for the program itself to recover.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use rusqlite::{Connection, OpenFlags};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tempfile::TempDir;
use tidegate_core::chain::{Entry, Link};
use tidegate_core::journal::JournalHeader;
use tidegate_core::packed::unpack;
use tidegate_core::transcript::TranscriptHeader;

/// A database as the cut left it.
pub(super) struct Left {
    pub(super) db: Connection,
    _directory: TempDir,
}

impl Left {
    /// Copies `database` and its log; no program may have it open.
    pub(super) fn of(database: &Path) -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new().prefix("tidegate-cut-").tempdir()?;
        let copy = directory.path().join("copy.db");
        fs::copy(database, &copy).with_context(|| database.display().to_string())?;
        let log = beside(database, "-wal");
        if log.exists() {
            fs::copy(&log, beside(&copy, "-wal"))?;
        }
        Ok(Self { db: Connection::open(&copy)?, _directory: directory })
    }

    /// What SQLite finds damaged; nothing where the file is whole.
    pub(super) fn damage(&self) -> Option<String> {
        let verdict = self.db.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0));
        match verdict {
            Ok(verdict) if verdict == "ok" => None,
            Ok(verdict) => Some(verdict),
            Err(error) => Some(error.to_string()),
        }
    }
}

/// The database of a program that runs beside this one, read only.
pub(super) fn beside_its_program(database: &Path) -> anyhow::Result<Connection> {
    let db = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    db.busy_timeout(std::time::Duration::from_secs(5))?;
    Ok(db)
}

/// The text columns of a query's rows.
pub(super) fn rows<const COLUMNS: usize>(
    db: &Connection,
    sql: &str,
) -> anyhow::Result<Vec<[String; COLUMNS]>> {
    let mut statement = db.prepare(sql)?;
    let read = statement.query_map([], |row| {
        let mut texts = [const { String::new() }; COLUMNS];
        for (column, text) in texts.iter_mut().enumerate() {
            *text = row.get::<_, Option<String>>(column)?.unwrap_or_default();
        }
        Ok(texts)
    })?;
    Ok(read.collect::<rusqlite::Result<_>>()?)
}

/// The state document of a machine.
pub(super) fn machine_state(db: &Connection) -> anyhow::Result<Value> {
    let [[text]] = rows::<1>(db, "SELECT value FROM document WHERE name = 'state'")?
        .try_into()
        .map_err(|_| anyhow::anyhow!("the state directory has no state"))?;
    Ok(serde_json::from_str(&text)?)
}

/// Recomputes every link of a transcript; answers its length, and what does not hold.
pub(super) fn transcript(db: &Connection, endpoint: &str) -> anyhow::Result<(u64, Vec<String>)> {
    let sql = format!(
        "SELECT header, body, packed FROM transcript WHERE endpoint_id = '{endpoint}' ORDER BY number"
    );
    let link = |header: &str| -> anyhow::Result<Link> { Ok(read::<TranscriptHeader>(header)?.link) };
    let (hashes, mut wrong) = chain("transcript", &bodies(db, &sql)?, link)?;
    let sql = format!("SELECT transcript_hash FROM endpoint WHERE endpoint_id = '{endpoint}'");
    let head = rows::<1>(db, &sql)?;
    if head.first().map(|[hash]| hash) != hashes.values().next_back() {
        wrong.push("the transcript's head is not its last entry".to_owned());
    }
    Ok((hashes.len() as u64, wrong))
}

/// Headers and bodies of a transcript, unpacked.
fn bodies(db: &Connection, sql: &str) -> anyhow::Result<Vec<[String; 2]>> {
    let mut statement = db.prepare(sql)?;
    let read = statement.query_map([], |row| {
        let (header, body, packed) = (row.get(0)?, row.get::<_, Option<String>>(1)?, row.get(2)?);
        Ok::<(String, _, Option<Vec<u8>>), _>((header, body, packed))
    })?;
    read.map(|row| {
        let (header, body, packed) = row?;
        let body = packed.map(|packed| unpack(&packed)).transpose()?.or(body).unwrap_or_default();
        Ok([header, body])
    })
    .collect()
}

/// Recomputes every link of a machine's journal; answers the hashes by number, and what does not hold.
pub(super) fn journal(db: &Connection) -> anyhow::Result<(BTreeMap<u64, String>, Vec<String>)> {
    let link = |header: &str| -> anyhow::Result<Link> { Ok(read::<JournalHeader>(header)?.link) };
    let (hashes, mut wrong) =
        chain("journal", &rows(db, "SELECT header, body FROM journal ORDER BY number")?, link)?;
    let head = machine_state(db)?["journal"]["number"].as_u64();
    if head != Some(hashes.len() as u64) {
        wrong.push("the journal's head is not its last entry".to_owned());
    }
    Ok((hashes, wrong))
}

fn chain(
    what: &str,
    entries: &[[String; 2]],
    link: impl Fn(&str) -> anyhow::Result<Link>,
) -> anyhow::Result<(BTreeMap<u64, String>, Vec<String>)> {
    let (mut hashes, mut wrong) = (BTreeMap::new(), Vec::new());
    let mut previous = tidegate_core::digest::Digest::ZERO;
    for (number, [header, body]) in (1..).zip(entries) {
        let link = link(header)?;
        if link.number != number || link.previous != previous || !link.holds(body) {
            wrong.push(format!("{what} entry {number} does not continue the chain"));
        }
        previous = Entry { header: header.clone(), body: None }.hash();
        hashes.insert(number, previous.to_string());
    }
    Ok((hashes, wrong))
}

fn read<T: DeserializeOwned>(text: &str) -> anyhow::Result<T> {
    serde_json::from_str(text).with_context(|| format!("an entry's header reads: {text}"))
}

fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
