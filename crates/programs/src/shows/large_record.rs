//! A record that a hostile machine filled: every command and page reads it in bounded memory.

use std::fs::{self, File};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use serde_json::Value;
use tidegate_core::chain::Link;
use tidegate_core::digest::Digest;
use tidegate_core::entropy::Entropy;
use tidegate_core::transcript::TranscriptHeader;

use super::{Scale, figure};
use crate::harness::{Api, World, binary, memory_kib, sequence_of};

/// Bytes of each body: close to the largest that a machine can send.
const BODY_BYTES: usize = 516_000;
/// Largest page that the API may answer, in bytes: 4 MiB, and what is around the items.
const PAGE_BYTES_MAX: usize = 4 * 1024 * 1024 + 512 * 1024;
/// Most memory that a command may use, in KiB.
const COMMAND_KIB_MAX: u64 = 64 * 1024;
/// Most memory that the control plane may use more than before it was asked, in KiB.
const PLANE_KIB_MAX: u64 = 128 * 1024;
/// Readers at once.
const READERS: usize = 4;

pub(super) fn run(scale: Scale) -> anyhow::Result<()> {
    let count = scale.pick(540, 60);
    let mut world = World::new()?;
    let mut machine = world.machine()?;
    machine.start()?;
    let id = world.queue(&machine, &sequence_of("before", &["echo one".to_owned()]))?;
    world.ended(&id, 60)?;
    machine.stop()?;
    world.plane.stop()?;
    let last = fill(&world, count)?;
    world.plane.start()?;
    let before = memory_kib(world.plane.pid()?, "VmHWM")?;
    figure("entries / bytes of the bodies added", format!("{last} / {}", count * BODY_BYTES));
    pages(&world, &machine.endpoint, last)?;
    commands(&world, &machine.endpoint, last)?;
    let more = memory_kib(world.plane.pid()?, "VmHWM")?.saturating_sub(before);
    figure("memory of the control plane, more than before", format!("{:.1} MB", more as f64 / 1024.0));
    ensure!(more < PLANE_KIB_MAX, "the control plane used {more} KiB more");
    Ok(())
}

/// Adds that many notes of [`BODY_BYTES`] to the record, as its database has them; answers the last number.
fn fill(world: &World, count: usize) -> anyhow::Result<u64> {
    let mut database = rusqlite::Connection::open(world.plane.data.join("tidegate.db"))?;
    let transaction = database.transaction()?;
    let select = "SELECT header FROM transcript ORDER BY number DESC LIMIT 1";
    let before: String = transaction.query_row(select, [], |row| row.get(0))?;
    let mut hash = Digest::of(&before);
    let before: TranscriptHeader = serde_json::from_str(&before)?;
    let (mut number, mut entropy) = (before.link.number, Entropy::new([81; 32]));
    for _ in 0..count {
        let text = "x".repeat(BODY_BYTES - "{\"kind\":\"noted\",\"text\":\"\"}".len());
        let body = format!("{{\"kind\":\"noted\",\"text\":\"{text}\"}}");
        let link = Link::new(number + 1, hash, &body, &mut entropy);
        let (kind, actor) = ("noted".to_owned(), "ada@example.com".to_owned());
        let header = TranscriptHeader { kind, actor, sequence: None, journal: None, link, ..before.clone() };
        let header = serde_json::to_string(&header)?;
        (number, hash) = (number + 1, Digest::of(&header));
        transaction.execute(
            "INSERT INTO transcript (endpoint_id, number, header, body) VALUES (?1, ?2, ?3, ?4)",
            rusqlite::params![before.endpoint.to_string(), number.to_string(), header, body],
        )?;
    }
    transaction.execute(
        "UPDATE endpoint SET transcript_number = ?1, told_number = ?1, transcript_hash = ?2",
        rusqlite::params![number.to_string(), hash.to_string()],
    )?;
    transaction.commit()?;
    Ok(number)
}

/// Reads the whole record through the API, [`READERS`] times at once.
fn pages(world: &World, endpoint: &str, last: u64) -> anyhow::Result<()> {
    let apis = (0..READERS).map(|_| world.plane.api()).collect::<Result<Vec<_>, _>>()?;
    let readings = std::thread::scope(|scope| {
        let readers: Vec<_> = apis.iter().map(|api| scope.spawn(|| read(api, endpoint))).collect();
        readers.into_iter().map(std::thread::ScopedJoinHandle::join).collect::<Vec<_>>()
    });
    for reading in readings {
        let (seen, pages, largest) = reading.map_err(|_| anyhow::anyhow!("a reader ended"))??;
        ensure!(seen == last, "{seen} of {last} entries were read");
        ensure!(largest < PAGE_BYTES_MAX, "a page had {largest} bytes");
        figure("a reader: entries / pages / largest page in bytes", format!("{seen} / {pages} / {largest}"));
    }
    Ok(())
}

/// Reads the record page by page: how many entries and pages, and the bytes of the largest page.
fn read(api: &Api, endpoint: &str) -> anyhow::Result<(u64, usize, usize)> {
    let (mut seen, mut pages, mut largest, mut cursor) = (0, 0, 0, String::new());
    loop {
        let page = api.text(&format!("/api/v1/endpoints/{endpoint}/transcript?limit=500{cursor}"))?;
        (pages, largest) = (pages + 1, largest.max(page.len()));
        let page: Value = serde_json::from_str(&page)?;
        seen += page["items"].as_array().map_or(0, Vec::len) as u64;
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok((seen, pages, largest)),
        }
    }
}

/// Reads it with every command and in every format.
fn commands(world: &World, endpoint: &str, last: u64) -> anyhow::Result<()> {
    let export = world.directory.path().join("large.tgx").to_string_lossy().into_owned();
    let (root, number) = (world.root()?, last.to_string());
    let listing: Value =
        serde_json::from_str(&command(world, &["transcript", endpoint, "--format", "json"])?)?;
    ensure!(listing["items"].as_array().map_or(0, Vec::len) as u64 == last, "every entry is printed");
    let entry = command(world, &["transcript", endpoint, "--entry", &number])?;
    ensure!(entry.len() > BODY_BYTES, "the entry is whole: {} bytes", entry.len());
    command(world, &["transcript", endpoint])?;
    let table = command(world, &["transcript", endpoint, "--format", "csv"])?;
    ensure!(table.lines().count() as u64 == last + 1, "every entry has a line");
    command(world, &["transcript", endpoint, "--format", "html"])?;
    command(world, &["export", endpoint, "--out", &export])?;
    let bytes = fs::metadata(&export)?.len();
    ensure!(bytes > last.saturating_sub(30) * BODY_BYTES as u64, "the export has {bytes} bytes");
    let proved = command(world, &["verify", &export, "--root", &root])?;
    ensure!(proved.contains(&format!("✓ complete to {last}")), "{proved}");
    Ok(())
}

/// Runs a command to its good end within [`COMMAND_KIB_MAX`]; answers what it printed.
fn command(world: &World, arguments: &[&str]) -> anyhow::Result<String> {
    let out = world.directory.path().join("said.txt");
    let mut child = Command::new(binary("tidegate")?)
        .args(arguments)
        .env("TIDEGATE_URL", world.plane.url())
        .env("TIDEGATE_TOKEN", &world.plane.token)
        .env("XDG_CONFIG_HOME", world.directory.path())
        .stdout(Stdio::from(File::create(&out)?))
        .spawn()?;
    // The kernel keeps the highest; it is read until the process is gone.
    let mut peak = 0;
    let status = loop {
        peak = memory_kib(child.id(), "VmHWM").map_or(peak, |now| now.max(peak));
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    };
    let said = fs::read_to_string(&out).context("what it printed")?;
    let what = arguments.iter().filter(|argument| argument.len() < 16).copied().collect::<Vec<_>>().join(" ");
    ensure!(status.code() == Some(0), "tidegate {what} ended with {status}");
    ensure!(peak < COMMAND_KIB_MAX, "tidegate {what} used {peak} KiB");
    figure(&format!("tidegate {what}: memory / bytes printed"), format!("{peak} KiB / {}", said.len()));
    Ok(said)
}
