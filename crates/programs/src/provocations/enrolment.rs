//! Codes that do not admit, and two machines with one.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use super::book::{Book, Contents, program, text};
use crate::harness::{ControlPlane, World, binary};

pub(super) const CODES: &[&str] =
    &["invalid_code", "unreadable_code", "wrong_control_plane", "already_enrolled"];

pub(super) fn provoke(book: &mut Book) -> anyhow::Result<()> {
    let world = World::new()?;
    let folder = world.directory.path();
    codes(book, &world)?;
    race(book, &world)?;

    let other = folder.join("another");
    let mut another = ControlPlane::create(&other, &binary("tidegate")?)?;
    another.start()?;
    let (state, code) = (folder.join("astray"), world.code()?);
    let how = "a code of another control plane";
    let mut astray = enrol(&state, &another.url(), &code)?;
    book.command(
        "wrong_control_plane",
        how,
        &mut astray,
        4,
        &["another fingerprint", "not sent", "--server"],
    )?;
    ensure!(uses_left(&world, &code)? == 1, "the code is not used up");

    let state = folder.join("settled");
    let answer = enrol(&state, &world.plane.url(), &code)?.output()?;
    ensure!(answer.status.success(), "the same code admits where it belongs: {answer:?}");
    let before = Contents::of(&state)?;
    let how = "enrolling what is enrolled elsewhere";
    let mut again = enrol(&state, &another.url(), &world.code()?)?;
    book.command("already_enrolled", how, &mut again, 4, &[&world.plane.url(), "another --state"])?;
    before.still_in(&state)
}

fn codes(book: &mut Book, world: &World) -> anyhow::Result<()> {
    let (folder, url) = (world.directory.path(), world.plane.url());
    let state = folder.join("refused");
    let how = "half a code";
    let mut half = enrol(&state, &url, &world.code()?[..20])?;
    book.command("unreadable_code", how, &mut half, 2, &["four parts", "tidegate enrolment-codes create"])?;
    ensure!(!state.exists(), "nothing is made for a code that does not read");

    let code = world.code()?;
    let (front, secret) = code.rsplit_once('.').context("a code has a secret")?;
    let wrong = format!("{front}.{}", secret.chars().rev().collect::<String>());
    let mut refused = |how, code: &str, parts: &[&str]| {
        book.command("invalid_code", how, &mut enrol(&state, &url, code)?, 4, parts)?;
        let said = status_of(&state)?;
        ensure!(said.contains("not enrolled"), "{how}: the machine is not half enrolled: {said}");
        ensure!(uses_left(world, code)? <= 1, "{how}");
        Ok::<_, anyhow::Error>(())
    };
    refused("a code with a wrong secret", &wrong, &["tidegate enrolment-codes create"])?;
    ensure!(uses_left(world, &code)? == 1, "a guess does not use it up");

    let expired = world.code()?;
    let database = rusqlite::Connection::open(world.plane.data.join("tidegate.db"))?;
    let changed = database
        .execute("UPDATE enrolment_code SET expires_at = 1000 WHERE code_id = ?1", [id_of(&expired)?])?;
    ensure!(changed == 1, "the code is there");
    refused("a code that expired", &expired, &["expired at 1970-01-01", "ask for a new one"])?;

    let withdrawn = world.code()?;
    world
        .api
        .post(&format!("/api/v1/enrolment-codes/{}/revoke", id_of(&withdrawn)?), &serde_json::json!({}))?;
    refused("a code that was withdrawn", &withdrawn, &["withdrawn", "ask for"])?;

    // The same state, with a good code at last.
    let answer = enrol(&state, &url, &code)?.output()?;
    ensure!(answer.status.success(), "a good code admits after all that: {answer:?}");
    let late = folder.join("late");
    book.command("invalid_code", "a code that is used up", &mut enrol(&late, &url, &code)?, 4, &["used up"])?;
    Ok(())
}

/// Two machines with one code for one: exactly one is admitted.
fn race(book: &mut Book, world: &World) -> anyhow::Result<()> {
    let (folder, url, code) = (world.directory.path(), world.plane.url(), world.code()?);
    let states = [folder.join("racer-1"), folder.join("racer-2")];
    let start = |state: &Path| {
        let mut command = enrol(state, &url, &code)?;
        Ok::<_, anyhow::Error>(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?)
    };
    let racers = [start(&states[0])?, start(&states[1])?];
    let mut won = Vec::new();
    for (racer, state) in racers.into_iter().zip(&states) {
        let output = racer.wait_with_output()?;
        match output.status.code() {
            Some(0) => won.push((state, endpoint_of(&output.stdout)?)),
            Some(4) => {
                let said = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
                let how = "the second of two machines with a code for one";
                book.said("invalid_code", how, said, &["used up", "(invalid_code)", "next: "])?;
                ensure!(status_of(state)?.contains("not enrolled"), "the loser is not half enrolled");
            }
            _ => anyhow::bail!("{output:?}"),
        }
    }
    let [(state, endpoint)] = &won[..] else { anyhow::bail!("exactly one is admitted, and not {won:?}") };
    ensure!(uses_left(world, &code)? == 0, "the code is used up, and not more than that");
    let repeated = enrol(state, &url, &code)?.output()?;
    ensure!(endpoint_of(&repeated.stdout)? == *endpoint, "a repeat gives the same endpoint: {repeated:?}");

    // The winner forgets that it was answered, as if the answer had been lost, and asks again with the same keys.
    let database = rusqlite::Connection::open(state.join("state.db"))?;
    let forgot = "UPDATE document SET value = json_remove(value, '$.enrolled') WHERE name = 'identity'";
    ensure!(database.execute(forgot, [])? == 1, "the state has an identity");
    drop(database);
    let repeated = enrol(state, &url, &code)?.output()?;
    let is_same = endpoint_of(&repeated.stdout).is_ok_and(|repeated| repeated == *endpoint);
    ensure!(is_same, "a lost answer costs no second use: {}", String::from_utf8_lossy(&repeated.stderr));
    Ok(())
}

/// `tidegate-runtime enrol`, as a technician runs it.
pub(super) fn enrol(state: &Path, server: &str, code: &str) -> anyhow::Result<Command> {
    let mut command = program(&binary("tidegate-runtime")?);
    command.args([
        "enrol",
        "--json",
        "--allow-volatile-state",
        "--server",
        server,
        "--code",
        code,
        "--state",
    ]);
    command.arg(state);
    Ok(command)
}

fn status_of(state: &Path) -> anyhow::Result<String> {
    let output =
        program(&binary("tidegate-runtime")?).arg("status").arg("--state").arg(text(state)).output()?;
    Ok(format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)))
}

fn endpoint_of(said: &[u8]) -> anyhow::Result<String> {
    let said: Value = serde_json::from_slice(said)?;
    Ok(said["endpoint_id"].as_str().context("enrol tells the endpoint's id")?.to_owned())
}

fn id_of(code: &str) -> anyhow::Result<&str> {
    code.split('.').nth(1).context("a code has an id")
}

/// As the API shows it; a code that admits nothing any more is not listed: 0.
fn uses_left(world: &World, code: &str) -> anyhow::Result<u64> {
    let listed = world.api.get("/api/v1/enrolment-codes")?;
    let items = listed["items"].as_array().context("a list has items")?;
    let found = items.iter().find(|item| item["id"] == code.split('.').nth(1).unwrap_or_default());
    Ok(found.and_then(|code| code["uses_left"].as_u64()).unwrap_or(0))
}
