//! What the machine itself can do: the disk, SQLite on it, and HTTP over loopback without a program behind it.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use axum::Router;
use axum::routing::post;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;

use super::table::Table;

/// Measures fsync and SQLite in `directory`.
pub(super) fn disk(table: &mut Table, directory: &Path) -> anyhow::Result<()> {
    let p50 = fsync_p50(directory, 200)?;
    table.note("floor: fsync of 4 KiB appended, p50", format!("{:.2} ms", p50.as_secs_f64() * 1e3));
    let (one, hundred) = (rows_per_second(directory, 1)?, rows_per_second(directory, 100)?);
    table.note("floor: SQLite FULL, one row an fsync", format!("{one:.0} rows/s"));
    table.note("floor: SQLite FULL, 100 rows an fsync", format!("{hundred:.0} rows/s"));
    Ok(())
}

/// The median of so many syncs of an appended page.
pub(super) fn fsync_p50(directory: &Path, rounds: usize) -> anyhow::Result<Duration> {
    let mut file = File::create(directory.join("fsync"))?;
    let mut took = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        file.write_all(&[7; 4096])?;
        let started = Instant::now();
        file.sync_data()?;
        took.push(started.elapsed());
    }
    took.sort();
    Ok(took[took.len() / 2])
}

fn rows_per_second(directory: &Path, rows: usize) -> anyhow::Result<f64> {
    let db = rusqlite::Connection::open(directory.join(format!("floor-{rows}.db")))?;
    db.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         CREATE TABLE step (id INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT;",
    )?;
    let body = "x".repeat(300);
    let (started, mut stored) = (Instant::now(), 0);
    while started.elapsed() < Duration::from_secs(1) {
        db.execute_batch("BEGIN IMMEDIATE")?;
        for _ in 0..rows {
            db.prepare_cached("INSERT INTO step (body) VALUES (?1)")?.execute([&body])?;
        }
        db.execute_batch("COMMIT")?;
        stored += rows;
    }
    Ok(stored as f64 / started.elapsed().as_secs_f64())
}

/// A process that answers every request with the same few bytes, through the same libraries.
pub(super) struct FloorServer {
    pub(super) address: SocketAddr,
    child: Child,
}

impl FloorServer {
    pub(super) fn start() -> anyhow::Result<Self> {
        let mut child =
            Command::new(std::env::current_exe()?).arg("--floor-server").stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("its output is read")?).read_line(&mut line)?;
        Ok(Self { address: line.trim().parse()?, child })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for FloorServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serves the floor until the process is ended; prints its address first.
///
/// # Errors
///
/// When it cannot listen.
pub fn serve_floor() -> anyhow::Result<()> {
    let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    tokio.block_on(async {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
        println!("{}", listener.local_addr()?);
        let body = "x".repeat(360);
        let app = Router::new()
            .route("/runtime/v1/sync", post(move |_: axum::body::Bytes| async move { body.clone() }));
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let service = TowerToHyperService::new(app.clone());
            tokio::spawn(async move {
                let _ =
                    Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
            });
        }
    })
}
