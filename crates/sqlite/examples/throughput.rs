//! Prints durable rows a second through a writer for 1, 8 and 64 callers, six rows a call.
//!
//! `cargo run --release -p tidegate-sqlite --example throughput [DIRECTORY]`; the directory says which
//! disk is measured, a temporary one by default.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tidegate_core::sql::{Sql, SqlError};
use tidegate_sqlite::{Fatal, Settings, Writer};

const ROWS_PER_CALL: u32 = 6;
const MEASURED: Duration = Duration::from_secs(3);

fn main() {
    let parent = std::env::args().nth(1).map_or_else(std::env::temp_dir, Into::into);
    for callers in [1, 8, 64] {
        let directory = tempfile::tempdir_in(&parent).expect("the directory can be written");
        let (calls, mut times) = measure(&directory.path().join("throughput.db"), callers);
        times.sort_unstable();
        let percentile = |percent: usize| times[(times.len() - 1) * percent / 100].as_micros();
        println!(
            "{callers:>2} callers: {:>6.0} rows/s, a call takes {} µs (p50), {} µs (p99)",
            f64::from(calls * ROWS_PER_CALL) / MEASURED.as_secs_f64(),
            percentile(50),
            percentile(99),
        );
    }
}

fn measure(path: &Path, callers: u32) -> (u32, Vec<Duration>) {
    let writer = Writer::open(path, &Settings::server(), Fatal::default()).expect("the database opens");
    let create = "CREATE TABLE step (id INTEGER PRIMARY KEY, state TEXT, body BLOB) STRICT";
    writer.call(move |db| db.execute(create, &[])).expect("the table is created");
    let calls = AtomicU32::new(0);
    let end = Instant::now() + MEASURED;
    let times = thread::scope(|scope| {
        let call_until_the_end = || {
            let mut times = Vec::new();
            while Instant::now() < end {
                let started = Instant::now();
                writer.call(insert).expect("the rows are stored");
                times.push(started.elapsed());
                calls.fetch_add(1, Ordering::Relaxed);
            }
            times
        };
        let threads: Vec<_> = (0..callers).map(|_| scope.spawn(call_until_the_end)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a caller ends")).collect()
    });
    (calls.into_inner(), times)
}

fn insert(db: &dyn Sql) -> Result<(), SqlError> {
    for _ in 0..ROWS_PER_CALL {
        let row = ["waiting".into(), vec![7_u8; 200].into()];
        db.execute("INSERT INTO step (state, body) VALUES (?1, ?2)", &row)?;
    }
    Ok(())
}
