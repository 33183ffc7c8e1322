//! The control plane's disk is full: what it answered is there, what it cannot store it refuses by name.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use super::super::dice::Dice;
use super::disk::SmallDisk;
use super::{Tally, traces};
use crate::harness::{Api, ApiError, Machine, World, sequence_of, wait_for};

const STEPS: usize = 2;
const MACHINES: usize = 2;
/// Refusals that a round waits for before there is room again.
const REFUSALS: usize = 5;
/// Between two requests of a caller: so that the machines keep up, and most of the time is theirs.
const PAUSE: Duration = Duration::from_millis(40);

pub(super) fn rounds(disk: &SmallDisk, rounds: usize) -> anyhow::Result<Tally> {
    let mut world = World::with_data_at(&disk.at("data"), &["--reserve", "4"])?;
    let file = world.directory.path().join("traces");
    fs::write(&file, "")?;
    let mut machines = Vec::new();
    for _ in 0..MACHINES {
        let mut machine = world.machine()?;
        machine.start()?;
        machines.push(machine);
    }
    let mut tally = Tally::default();
    let mut queued = Vec::new();
    for round in 0..rounds {
        // Every second round without the reserve that refuses early: then it is the disk that refuses.
        let reserve = if round % 2 == 0 { "4" } else { "0" };
        world.plane.stop()?;
        world.plane.arguments = vec!["--reserve".to_owned(), reserve.to_owned()];
        world.plane.start()?;
        let callers = Callers::start(&world, &machines, &file, round)?;
        let played = play(&mut world, disk, round, &callers, &mut tally);
        queued.extend(callers.end()?);
        played.with_context(|| format!("round {round}: {}", world.plane.said().unwrap_or_default()))?;
        tally.rounds += 1;
    }
    settle(&world, &machines, &queued, &file, &mut tally)?;
    Ok(tally)
}

fn play(
    world: &mut World,
    disk: &SmallDisk,
    round: usize,
    callers: &Callers,
    tally: &mut Tally,
) -> anyhow::Result<()> {
    let mut dice = Dice::new(round as u64);
    thread::sleep(dice.moment(100, 1_000));
    let filler = disk.fill()?;
    let refused_before = callers.count(|book| book.refused);
    wait_for("refusals", 60, || Ok(callers.count(|book| book.refused) >= refused_before + REFUSALS))?;
    ensure!(disk.free_bytes()? < 16 << 10, "{} bytes are free on a full disk", disk.free_bytes()?);
    ensure!(world.plane.is_running()?, "the control plane ended");
    // Reads go on, and find everything that was acknowledged.
    for id in callers.book(|book| book.queued.clone()) {
        world.sequence(&id)?;
    }
    let ready = world.api.text("/readyz").unwrap_or_else(|error| error.to_string());
    ensure!(ready.contains("low on disk") || ready.contains("503"), "/readyz says how it stands: {ready}");
    let text = world.api.text("/metrics")?;
    ensure!(text.contains("tidegate_disk_free_bytes 0"), "/metrics says how much is free: {text}");
    if round % 3 == 1 {
        restart_while_full(world, callers, tally)?;
    }
    let taken_before = callers.count(|book| book.queued.len());
    filler.release()?;
    let released = Instant::now();
    if !world.plane.is_running()? {
        world.plane.start()?;
    }
    wait_for("the next answer 2xx", 60, || Ok(callers.count(|book| book.queued.len()) > taken_before))?;
    tally.recoveries_ms.push(released.elapsed().as_millis());
    tally.refused += callers.count(|book| book.refused);
    Ok(())
}

/// Killed on a full disk: it comes back and serves what it had, or says in words why it cannot, and comes back later.
fn restart_while_full(world: &mut World, callers: &Callers, tally: &mut Tally) -> anyhow::Result<()> {
    callers.may_be_gone.store(true, Ordering::Relaxed);
    world.plane.kill()?;
    match world.plane.start() {
        Ok(()) => {
            for id in callers.book(|book| book.queued.clone()) {
                world.sequence(&id)?;
            }
        }
        Err(_) => {
            let said = world.plane.said()?;
            ensure!(said.contains("there is no room to open"), "it says why it does not start: {said}");
        }
    }
    tally.restarts += 1;
    Ok(())
}

fn settle(
    world: &World,
    machines: &[Machine],
    queued: &[(String, String)],
    file: &std::path::Path,
    tally: &mut Tally,
) -> anyhow::Result<()> {
    let mut expected = Vec::new();
    for (id, name) in queued {
        let ended = world.ended(id, 120)?;
        ensure!(ended["state"] == "succeeded", "{ended:#}");
        expected.extend((0..STEPS).map(|step| format!("{name}.{step}")));
    }
    let ran = traces(file)?;
    let is_once = ran.windows(2).all(|pair| pair[0] != pair[1]);
    ensure!(is_once, "a step ran twice: {ran:?}");
    let missing: Vec<_> = expected.iter().filter(|name| ran.binary_search(name).is_err()).collect();
    ensure!(missing.is_empty(), "acknowledged, and it did not run: {missing:?}");
    // Where the control plane was killed, each caller may have been owed one answer to what was stored.
    let unanswered = tally.restarts * MACHINES * STEPS;
    ensure!(ran.len() <= expected.len() + unanswered, "something ran that was refused");
    tally.acknowledged = queued.len();
    tally.steps = expected.len();
    for machine in machines {
        tally.verdict = world.verified(&machine.endpoint)?;
    }
    let said = world.plane.said()?;
    let errors = said.lines().filter(|line| line.contains("ERROR")).count();
    ensure!(errors <= 3 * tally.rounds, "the log says once that the disk is full, not {errors} times");
    Ok(())
}

/// What a caller was answered.
#[derive(Default)]
struct Book {
    queued: Vec<String>,
    names: Vec<String>,
    refused: usize,
}

/// One caller a machine, who queues as fast as is answered, and writes down every answer.
struct Callers {
    stop: Arc<AtomicBool>,
    /// Whether no answer at all is fine: the control plane is being killed and started.
    may_be_gone: Arc<AtomicBool>,
    book: Arc<Mutex<Book>>,
    threads: Vec<JoinHandle<anyhow::Result<()>>>,
}

impl Callers {
    fn start(
        world: &World,
        machines: &[Machine],
        file: &std::path::Path,
        round: usize,
    ) -> anyhow::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let may_be_gone = Arc::new(AtomicBool::new(false));
        let book = Arc::new(Mutex::new(Book::default()));
        let mut threads = Vec::new();
        for (caller, machine) in machines.iter().enumerate() {
            let api = Api::new(&world.plane.url(), &world.plane.token)?;
            let path = format!("/api/v1/endpoints/{}/sequences", machine.endpoint);
            let (stop, gone, book) = (Arc::clone(&stop), Arc::clone(&may_be_gone), Arc::clone(&book));
            let file = file.display().to_string();
            threads.push(thread::spawn(move || {
                for number in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    call(&api, &path, &format!("{round}-{caller}-{number}"), &file, &gone, &book)?;
                    thread::sleep(PAUSE);
                }
                Ok(())
            }));
        }
        Ok(Self { stop, may_be_gone, book, threads })
    }

    fn book<T>(&self, look: impl FnOnce(&Book) -> T) -> T {
        look(&self.book.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn count(&self, look: impl FnOnce(&Book) -> usize) -> usize {
        self.book(look)
    }

    /// Ends them and answers what was acknowledged: ids, with the names that the steps write.
    fn end(self) -> anyhow::Result<Vec<(String, String)>> {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().map_err(|_| anyhow::anyhow!("a caller panicked"))??;
        }
        let book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(book.queued.iter().cloned().zip(book.names.iter().cloned()).collect())
    }
}

fn call(
    api: &Api,
    path: &str,
    name: &str,
    file: &str,
    may_be_gone: &AtomicBool,
    book: &Mutex<Book>,
) -> anyhow::Result<()> {
    let command = |step| format!("echo {name}.{step} >> '{file}'; head -c 6000 /dev/urandom | base64");
    let commands: Vec<_> = (0..STEPS).map(command).collect();
    let answer = api.post(path, &sequence_of(name, &commands));
    let mut book = book.lock().unwrap_or_else(PoisonError::into_inner);
    match answer {
        Ok(sequence) => {
            book.queued.push(sequence["id"].as_str().context("a sequence has an id")?.to_owned());
            book.names.push(name.to_owned());
        }
        Err(error) => match error.downcast_ref::<ApiError>() {
            Some(refusal) => {
                let is_full = refusal.status == 507
                    && refusal.body["code"] == "storage_full"
                    && refusal.body["detail"].as_str().is_some_and(|text| text.contains("make room"));
                let is_queue = refusal.body["code"] == "queue_full";
                ensure!(is_full || is_queue, "refused with something else: {refusal}");
                book.refused += usize::from(is_full);
            }
            None => ensure!(may_be_gone.load(Ordering::Relaxed), "no answer: {error:#}"),
        },
    }
    Ok(())
}
