//! Windows that are short against what a machine usually waits: none passes without work moving, whichever way the
//! link was closed before.
//!
//! Every interval of the runtime is a twentieth of what it is in life, and so is the window: two minutes are six
//! seconds. `--unscaled` takes the time it takes, once.

mod window;

use std::thread;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tidegate_cli::link::{Closed, Conditions};

use super::{Scale, figure};
use crate::harness::{Machine, Network, Path, World};
use window::{Complete, Standing, Window};

/// What a sequence of six quick steps may cost in exchanges once there is a connection.
const ROUND_TRIPS_MAX: usize = 3;
/// Steps that take longer in all are not quick: what the first of them found is sent before the last has ended.
const QUICK: Duration = Duration::from_secs(1);
/// Every way there is of being closed.
const WAYS: [Closed; 4] = [Closed::Cut, Closed::Silent, Closed::Drop, Closed::Forget];
/// Between the openings of two machines' links, so that they do not compete for this computer's processor.
const STAGGER: Duration = Duration::from_millis(600);

/// A time of windows, all alike.
#[derive(Clone, Copy, Debug)]
struct Season {
    about: &'static str,
    machines: usize,
    ways: &'static [Closed],
    /// What the runtime is told of its pace.
    pace: &'static [&'static str],
    windows: usize,
    closed: Duration,
    open: Duration,
}

pub(super) fn run(scale: Scale) -> anyhow::Result<()> {
    if scale == Scale::Unscaled {
        return thread::scope(|scope| {
            let both = unscaled().map(|season| scope.spawn(move || season.play()));
            both.into_iter().try_for_each(|played| played.join().expect("a season does not panic"))
        });
    }
    let is_quick = scale == Scale::Quick;
    let two_minutes = Season {
        about: "all intervals 1/20: closed, then open 6 s for 2 min",
        machines: if is_quick { 8 } else { 100 },
        ways: &WAYS,
        pace: &["--interval-divisor", "20"],
        windows: scale.pick(1, 1),
        closed: Duration::from_secs(if is_quick { 8 } else { 120 }),
        open: Duration::from_secs(6),
    };
    two_minutes.play()?;
    if is_quick {
        return Ok(());
    }
    // The kernel's own timers are not divided: a connection attempt that got no answer is repeated after one second,
    // which is longer than this window. So these are the ways in which an attempt is answered.
    let six_seconds = Season {
        about: "all intervals 1/20, retries at least every 3 s: closed 6 s for 2 min, open 0.3 s for 6 s",
        machines: 10,
        ways: &[Closed::Cut, Closed::Silent],
        pace: &["--interval-divisor", "20", "--retry-max", "3s"],
        windows: scale.pick(10, 0),
        closed: Duration::from_secs(6),
        open: Duration::from_millis(300),
    };
    six_seconds.play()
}

/// The same as it is in life.
fn unscaled() -> [Season; 2] {
    let two_minutes = Season {
        about: "unscaled, retries as they are: closed 2 min, open 2 min",
        machines: WAYS.len(),
        ways: &WAYS,
        pace: &[],
        windows: 1,
        closed: Duration::from_secs(120),
        open: Duration::from_secs(120),
    };
    let six_seconds = Season {
        about: "unscaled, retries at least every 3 s: closed 2 min, open 6 s",
        pace: &["--retry-max", "3s"],
        open: Duration::from_secs(6),
        ..two_minutes
    };
    [two_minutes, six_seconds]
}

/// A machine, its path and the way in which that is closed.
struct Place {
    machine: Machine,
    path: Path,
    way: Closed,
}

impl Season {
    fn play(self) -> anyhow::Result<()> {
        let mut world = World::new()?;
        let network = Network::new()?;
        let mut places = Vec::new();
        for number in 0..self.machines {
            let way = self.ways[number % self.ways.len()];
            let path = network.path(world.plane.runtime_port(), Conditions::closing(way))?;
            let mut machine = world.machine_through(&path.url())?;
            machine.pace = self.pace.iter().map(|&word| word.to_owned()).collect();
            machine.start()?;
            places.push(Place { machine, path, way });
        }
        let world = &world;
        let played: Vec<anyhow::Result<Vec<Window>>> = thread::scope(|scope| {
            let play = |(number, place)| scope.spawn(move || self.play_at(world, place, STAGGER * number));
            let all: Vec<_> = (0..).zip(&places).map(play).collect();
            all.into_iter().map(|played| played.join().expect("a place does not panic")).collect()
        });
        let mut windows = Vec::new();
        for (played, place) in played.into_iter().zip(&places) {
            let said = || format!("closed by `{}`: {}", place.way, place.machine.said().unwrap_or_default());
            windows.extend(played.with_context(said)?);
        }
        self.tell(&windows)
    }

    fn play_at(&self, world: &World, place: &Place, stagger: Duration) -> anyhow::Result<Vec<Window>> {
        place.path.settles(120)?;
        thread::sleep(stagger);
        place.path.close()?;
        let mut queued = Vec::new();
        let mut opened = Vec::new();
        for _ in 0..self.windows {
            queued.push(world.queue(&place.machine, &six_steps())?);
            thread::sleep(self.closed);
            let opened_at = place.path.open()?;
            thread::sleep(self.open);
            opened.push((opened_at, place.path.close()?));
        }
        place.path.open()?;
        // The machine tells later what it did in windows that were too short to tell it.
        let standings: Vec<_> =
            queued.iter().map(|id| Standing::at_end(world, id)).collect::<Result<_, _>>()?;
        let exchanges = place.path.exchanges();
        let windows = opened.into_iter().zip(&standings);
        Ok(windows
            .map(|((opened_at, closed_at), own)| {
                let window = Window::of(place.way, opened_at..=closed_at, own, &standings, &exchanges);
                if !window.moved {
                    window.tell(&place.machine.endpoint, &standings, &exchanges);
                }
                window
            })
            .collect())
    }

    fn tell(&self, windows: &[Window]) -> anyhow::Result<()> {
        println!("  {} machines, {}", self.machines, self.about);
        for way in self.ways {
            let of_way: Vec<_> = windows.iter().filter(|window| window.way == *way).collect();
            let contacts = sorted(of_way.iter().filter_map(|window| window.contact));
            let complete = sorted(of_way.iter().filter_map(|window| window.complete.map(|all| all.took)));
            figure(
                &format!("{way}: windows / with a new request / complete in one"),
                format!("{} / {} / {}", of_way.len(), contacts.len(), complete.len()),
            );
            figure(&format!("{way}: from the opening to the first sync, p50 / most"), spread(&contacts));
            figure(&format!("{way}: from the opening to the last of six results"), spread(&complete));
        }
        let missed = windows.iter().filter(|window| !window.moved).count();
        figure("windows in which nothing moved", missed);
        let complete: Vec<_> = windows.iter().filter_map(|window| window.complete).collect();
        figure(
            "sequences sent and complete in one window",
            format!("{} of {}", complete.len(), windows.len()),
        );
        let (quick, slow): (Vec<_>, Vec<_>) = complete.iter().partition(|all| all.ran < QUICK);
        let most = |of: &[&Complete]| of.iter().map(|all| all.round_trips).max().unwrap_or(0);
        figure(
            "round trips where six steps took under 1 s, most",
            format!("{} (of {})", most(&quick), quick.len()),
        );
        figure("round trips where they took longer, most", format!("{} (of {})", most(&slow), slow.len()));
        ensure!(missed == 0, "{missed} of {} windows were missed", windows.len());
        let most = most(&quick);
        ensure!(most <= ROUND_TRIPS_MAX, "a sequence of six quick steps took {most} round trips");
        Ok(())
    }
}

fn six_steps() -> Value {
    let steps: Vec<_> = (1..=6)
        .map(|number| json!({ "probe": "shell", "with": { "command": format!("echo {number}") } }))
        .collect();
    json!({ "title": "six quick steps", "stop_on": "never", "steps": steps })
}

fn sorted(spans: impl Iterator<Item = Duration>) -> Vec<Duration> {
    let mut spans: Vec<_> = spans.collect();
    spans.sort_unstable();
    spans
}

fn spread(sorted: &[Duration]) -> String {
    match (sorted.get(sorted.len() / 2), sorted.last()) {
        (Some(middle), Some(most)) => format!("{:.2} s / {:.2} s", middle.as_secs_f64(), most.as_secs_f64()),
        _ => "none".to_owned(),
    }
}
