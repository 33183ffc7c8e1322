//! One machine in a network of its own, at the end of a cable on which every packet is seen.

use std::net::Ipv4Addr;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::json;

use super::bill::Bill;
use super::packets::{Capture, Kind, Packet};
use crate::harness::{Cable, Effort, Machine, Namespace, Surroundings, World, effort, wait_for};

/// An idle sync and its answer carry so much, TLS included. Frames that are no request are smaller than the one, and the
/// answer to anything else is larger than the other.
const IDLE_REQUEST_BYTES: RangeInclusive<u64> = 100..=160;
const IDLE_ANSWER_BYTES: RangeInclusive<u64> = 30..=45;

/// Where a machine is.
pub(super) struct Place {
    namespace: Namespace,
    pub(super) cable: Cable,
}

/// The machine there.
pub(super) struct Post {
    pub(super) machine: Machine,
    place: Place,
}

/// Idle syncs one after another, whole, and what the runtime did for them.
pub(super) struct Syncs {
    pub(super) count: usize,
    pub(super) bill: Bill,
    pub(super) took: Duration,
    pub(super) cpu_ns: u64,
    pub(super) wake_ups: u64,
}

/// Where a measurement began.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    packet: usize,
    effort: Effort,
}

impl Place {
    pub(super) fn new() -> anyhow::Result<Self> {
        let (namespace, cable) = (Namespace::new()?, Cable::new());
        cable.plug_into(namespace.process())?;
        Ok(Self { namespace, cable })
    }
}

impl Post {
    /// Enrols a machine there, with what `run` is told; it is not started.
    pub(super) fn new(
        world: &mut World,
        place: Place,
        port: u16,
        ca: &Path,
        pace: &[String],
    ) -> anyhow::Result<Self> {
        let surroundings = Surroundings {
            wrapper: place.namespace.wrapper(),
            environment: vec![("NO_PROXY".to_owned(), "*".to_owned())],
            ca: Some(ca.to_owned()),
        };
        let mut machine =
            world.machine_in(&surroundings, &format!("https://{}:{port}", place.cable.host()))?;
        machine.pace = pace.to_vec();
        Ok(Self { machine, place })
    }

    fn address(&self) -> Ipv4Addr {
        self.place.cable.machine()
    }

    pub(super) fn cable(&self) -> &Cable {
        &self.place.cable
    }

    fn packets(&self, capture: &Capture, from: usize) -> Vec<Packet> {
        capture.of(self.address(), from)
    }

    /// Starts the runtime; answers what it cost until it had nothing to say for the first time.
    pub(super) fn first_contact(&mut self, capture: &Capture) -> anyhow::Result<Bill> {
        let from = capture.count(self.address());
        self.machine.start()?;
        let mut contact = Vec::new();
        wait_for("the first idle sync and its answer", 600, || {
            contact = self.packets(capture, from);
            let first = requests(&contact).into_iter().find(|index| is_idle(&contact[*index..]));
            if let Some(first) = first {
                contact.truncate(first);
            }
            Ok(first.is_some())
        })
        .with_context(|| self.machine.said().unwrap_or_default())?;
        Ok(Bill::of(&contact))
    }

    /// Waits until the last `count` syncs were idle ones and took `span` at least; answers where the next began.
    pub(super) fn steady(&self, capture: &Capture, count: usize, span: Duration) -> anyhow::Result<Mark> {
        let from = capture.count(self.address());
        let mut mark = None;
        wait_for("idle syncs at their full length", 1_200, || {
            let packets = self.packets(capture, from);
            let requests = requests(&packets);
            let Some(last) = requests.len().checked_sub(count + 1).map(|first| &requests[first..]) else {
                return Ok(false);
            };
            let are_full = last.windows(2).all(|pair| {
                is_idle(&packets[pair[0]..pair[1]]) && packets[pair[1]].at - packets[pair[0]].at >= span
            });
            if are_full && let Some(last) = last.last() {
                mark = Some(Mark { packet: from + last, effort: self.effort()? });
            }
            Ok(are_full)
        })?;
        mark.context("it waited until there is one")
    }

    /// Waits until `count` idle syncs are over since `mark`, which is where one began.
    pub(super) fn syncs(&self, capture: &Capture, mark: Mark, count: usize) -> anyhow::Result<Syncs> {
        wait_for("idle syncs", 3_600, || Ok(requests(&self.packets(capture, mark.packet)).len() > count))?;
        let after = self.effort()?;
        let mut packets = self.packets(capture, mark.packet);
        let requests = requests(&packets);
        ensure!(
            requests.windows(2).take(count).all(|pair| is_idle(&packets[pair[0]..pair[1]])),
            "something moved while nothing was to: {}",
            self.machine.said()?
        );
        // The runtime's own figures may hold the beginning of the next sync.
        let (begun, took) = (requests.len() - 1, packets[requests[count]].at - packets[requests[0]].at);
        packets.truncate(requests[count]);
        let share = |now: u64, before: u64| (now - before) * count as u64 / begun as u64;
        Ok(Syncs {
            count,
            bill: Bill::of(&packets),
            took,
            cpu_ns: share(after.cpu_ns, mark.effort.cpu_ns),
            wake_ups: share(after.wake_ups, mark.effort.wake_ups),
        })
    }

    /// Where a measurement may begin: a request is held.
    pub(super) fn held(&self, capture: &Capture, settled: Duration) -> anyhow::Result<Mark> {
        let mut mark = None;
        wait_for("a held sync", 120, || {
            let packets = self.packets(capture, 0);
            let last = packets.iter().rposition(Packet::has_payload);
            let is_held = last.is_some_and(|last| {
                packets[last].kind == Kind::Request && packets[last].at.elapsed() >= settled
            });
            if is_held {
                mark = Some(Mark { packet: packets.len(), effort: self.effort()? });
            }
            Ok(is_held)
        })?;
        mark.context("it waited until there is one")
    }

    /// How many requests came since `mark`, what everything cost, and what the runtime did.
    pub(super) fn since(&self, capture: &Capture, mark: Mark) -> anyhow::Result<(usize, Bill, Effort)> {
        let now = self.effort()?;
        let since =
            Effort { cpu_ns: now.cpu_ns - mark.effort.cpu_ns, wake_ups: now.wake_ups - mark.effort.wake_ups };
        let packets = self.packets(capture, mark.packet);
        Ok((requests(&packets).len(), Bill::of(&packets), since))
    }

    /// Queues one step while a sync is held. Answers how long its order took to be on the wire, as the answer to that
    /// very sync, and what all of it cost.
    pub(super) fn deliver(&self, world: &World, capture: &Capture) -> anyhow::Result<(Duration, Bill)> {
        let mark = self.held(capture, Duration::from_millis(100))?;
        let queued = Instant::now();
        let sequence = json!({ "title": "look", "steps": [{ "probe": "system_info" }] });
        let id = world.queue(&self.machine, &sequence)?;
        let ended = world.ended(&id, 60)?;
        ensure!(ended["state"] == "succeeded", "it ended {ended:#}");
        self.held(capture, Duration::from_millis(100))?;
        let packets = self.packets(capture, mark.packet);
        let order = packets.iter().find(|packet| packet.has_payload()).context("something was sent")?;
        ensure!(
            order.kind == Kind::Answer && order.payload_bytes > *IDLE_ANSWER_BYTES.end(),
            "the order did not come as the answer to the held sync: {order:?}"
        );
        Ok((order.at.saturating_duration_since(queued), Bill::of(&packets)))
    }

    fn effort(&self) -> anyhow::Result<Effort> {
        effort(self.machine.pid()?)
    }
}

/// Where requests are in `packets`.
fn requests(packets: &[Packet]) -> Vec<usize> {
    let numbered = packets.iter().enumerate();
    numbered.filter(|(_, packet)| packet.kind == Kind::Request).map(|(index, _)| index).collect()
}

/// Whether `packets` begin with an idle sync and its empty answer.
fn is_idle(packets: &[Packet]) -> bool {
    let mut carrying = packets.iter().filter(|packet| packet.has_payload());
    let (Some(request), Some(answer)) = (carrying.next(), carrying.next()) else { return false };
    request.kind == Kind::Request
        && IDLE_REQUEST_BYTES.contains(&request.payload_bytes)
        && answer.kind == Kind::Answer
        && IDLE_ANSWER_BYTES.contains(&answer.payload_bytes)
}
