//! Writes numbers through `tidegate-sqlite` on the lossy disk and prints each once it is acknowledged.
//!
//! `power-cut-writer DATABASE FIRST`: prints `ready`, then numbers from FIRST, until it is killed.

use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;

use anyhow::{Context as _, anyhow};
use tidegate_core::sql::{Sql, SqlError};
use tidegate_programs::power_cut::{self, Options};
use tidegate_sqlite::{Fatal, Settings, Writer};

/// Enough for batches of several calls.
const CALLERS: usize = 8;

fn main() -> anyhow::Result<()> {
    power_cut::register(Options::from_environment().map_err(|wrong| anyhow!(wrong))?);
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().context("the database is missing")?;
    let first: i64 = arguments.next().context("the first number is missing")?.parse()?;

    // Small bounds, so that some cuts fall into a checkpoint.
    let settings = Settings { checkpoint_bytes: 64 << 10, truncate_bytes: 256 << 10, ..Settings::server() };
    let writer = Writer::open(Path::new(&path), &settings, Fatal::default())?;
    writer.call(create)?;
    println!("ready");
    let next = AtomicI64::new(first);
    thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if writer.call(move |db| store(db, number)).is_err() {
                        return;
                    }
                    let mut out = std::io::stdout().lock();
                    // One write, so that a kill leaves no half line that reads as another number.
                    if out.write_all(format!("{number}\n").as_bytes()).and_then(|()| out.flush()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    Ok(())
}

fn create(db: &dyn Sql) -> Result<(), SqlError> {
    db.execute("CREATE TABLE IF NOT EXISTS number (number INTEGER PRIMARY KEY, body BLOB) STRICT", &[])?;
    db.execute("CREATE TABLE IF NOT EXISTS half (number INTEGER PRIMARY KEY) STRICT", &[]).map(drop)
}

/// Two tables, so that half a call can be told from a whole one.
fn store(db: &dyn Sql, number: i64) -> Result<(), SqlError> {
    let body = vec![number as u8; 500 + (number % 1500) as usize];
    db.execute("INSERT INTO number VALUES (?1, ?2)", &[number.into(), body.into()])?;
    db.execute("INSERT INTO half VALUES (?1)", &[number.into()]).map(drop)
}
