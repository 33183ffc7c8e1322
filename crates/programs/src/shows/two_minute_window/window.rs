//! What one window brought, from what passed and from what is on record at the end.

use std::ops::RangeInclusive;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, ensure};
use serde_json::Value;
use tidegate_cli::link::Closed;
use tidegate_core::time::Timestamp;

use crate::harness::{Exchange, World};

/// How far the machine's times may be from this computer's: they are one clock, measured over an exchange.
const CLOCK_TOLERANCE: Duration = Duration::from_millis(50);

/// What one window brought.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) way: Closed,
    opened_at: SystemTime,
    closed_at: SystemTime,
    /// From the opening to the first request that reached the control plane and was answered in time.
    pub(super) contact: Option<Duration>,
    /// Whether any work went out or came back.
    pub(super) moved: bool,
    /// `None`: not all results came within this window.
    pub(super) complete: Option<Complete>,
}

/// A sequence that went out and came back in one window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Complete {
    /// From the opening to the last result.
    pub(super) took: Duration,
    /// From the start of the first step to the end of the last.
    pub(super) ran: Duration,
    /// The exchanges of the connection that brought the last result, since the opening.
    pub(super) round_trips: usize,
}

/// When a sequence was sent, and when each of its steps was delivered, started, ended and returned.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    offered_at: Option<SystemTime>,
    steps: Vec<[Option<SystemTime>; 4]>,
}

impl Standing {
    pub(super) fn at_end(world: &World, id: &str) -> anyhow::Result<Self> {
        let ended = world.ended(id, 120)?;
        ensure!(ended["state"] == "succeeded", "{ended:#}");
        let steps = ended["steps"].as_array().context("a sequence has steps")?;
        let names = ["delivered_at", "started_at", "finished_at", "returned_at"];
        let steps = steps.iter().map(|step| names.map(|name| time(&step["attempts"][0][name])));
        Ok(Self { offered_at: time(&ended["offered_at"]), steps: steps.collect() })
    }

    /// The least or most of one of the times over all steps; `None` where one has none.
    fn over_steps(&self, index: usize, pick: fn(SystemTime, SystemTime) -> SystemTime) -> Option<SystemTime> {
        let times: Option<Vec<_>> = self.steps.iter().map(|times| times[index]).collect();
        times?.into_iter().reduce(pick)
    }

    /// Whether it was delivered to the machine or any of its results came back then.
    fn moved_in(&self, open: &RangeInclusive<SystemTime>) -> bool {
        // The machine's clock as the control plane corrects it may be off by what an exchange took.
        let near = *open.start() - CLOCK_TOLERANCE..=*open.end() + CLOCK_TOLERANCE;
        self.steps.iter().any(|[delivered, _, _, returned]| {
            delivered.is_some_and(|at| near.contains(&at)) || returned.is_some_and(|at| open.contains(&at))
        })
    }
}

fn time(value: &Value) -> Option<SystemTime> {
    let time: Timestamp = value.as_str()?.parse().ok()?;
    Some(SystemTime::UNIX_EPOCH + Duration::from_millis(time.milliseconds().try_into().ok()?))
}

impl Window {
    pub(super) fn of(
        way: Closed,
        open: RangeInclusive<SystemTime>,
        own: &Standing,
        all: &[Standing],
        exchanges: &[Exchange],
    ) -> Self {
        let in_time = |exchange: &&Exchange| {
            open.contains(&exchange.at) && exchange.answered_at.is_some_and(|at| open.contains(&at))
        };
        let (opened_at, closed_at) = (*open.start(), *open.end());
        let contact = exchanges.iter().find(in_time).map(|exchange| since(opened_at, exchange.at));
        let moved = all.iter().any(|standing| standing.moved_in(&open));
        Self { way, opened_at, closed_at, contact, moved, complete: Complete::of(own, &open, exchanges) }
    }

    /// Says what a window brought in which nothing moved, for whoever looks for the reason.
    pub(super) fn tell(&self, endpoint: &str, all: &[Standing], exchanges: &[Exchange]) {
        let ms = |at: SystemTime| match at.duration_since(self.opened_at) {
            Ok(later) => format!("{} ms", later.as_millis()),
            Err(earlier) => format!("-{} ms", earlier.duration().as_millis()),
        };
        let told = |at: Option<SystemTime>| at.map_or("never".to_owned(), ms);
        println!(
            "  missed by {}, closed by `{}`; it closed again after {}",
            endpoint,
            self.way,
            ms(self.closed_at)
        );
        let recent = exchanges.iter().filter(|exchange| exchange.at <= self.closed_at).rev().take(8);
        for exchange in recent.collect::<Vec<_>>().into_iter().rev() {
            let (number, asked) = (exchange.connection, ms(exchange.at));
            println!("    connection {number}: asked {asked}, answered {}", told(exchange.answered_at));
        }
        for standing in all {
            let over = |index, pick| told(standing.over_steps(index, pick));
            println!(
                "    a sequence: sent {}, delivered {}, started {}, ended {}, returned {}",
                told(standing.offered_at),
                over(0, SystemTime::min),
                over(1, SystemTime::min),
                over(2, SystemTime::max),
                over(3, SystemTime::max)
            );
        }
    }
}

impl Complete {
    /// `None`: not all of it came back while the window was open.
    fn of(own: &Standing, open: &RangeInclusive<SystemTime>, exchanges: &[Exchange]) -> Option<Self> {
        let (started, finished) = (own.over_steps(1, SystemTime::min)?, own.over_steps(2, SystemTime::max)?);
        // The record counts whole milliseconds.
        let returned = own.over_steps(3, SystemTime::max)? + Duration::from_millis(1);
        if !open.contains(&returned) {
            return None;
        }
        let (took, ran) = (since(*open.start(), returned), since(started, finished));
        let within: Vec<_> =
            exchanges.iter().filter(|exchange| (*open.start()..=returned).contains(&exchange.at)).collect();
        let connection = within.last()?.connection;
        let round_trips = within.iter().filter(|exchange| exchange.connection == connection).count();
        Some(Self { took, ran, round_trips })
    }
}

fn since(earlier: SystemTime, later: SystemTime) -> Duration {
    later.duration_since(earlier).unwrap_or_default()
}
