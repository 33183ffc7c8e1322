//! Sends the cases over many kept connections and counts what comes back.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::timeout;

use super::chance::Chance;
use super::mutate::{Bombs, Ending, Shot, noise, shot};
use super::seeds::Seed;
use super::signed::Hostile;
use crate::harness::{Connection, loopback};

/// How many send at once.
pub(super) const LANES: usize = 32;

/// How long an answer is waited for. Held syncs and streams never answer whole; they are left.
const PATIENCE: Duration = Duration::from_millis(250);

/// Requests to a tightly limited route that come from one address, below the limit's burst.
const LIMITED_PER_ADDRESS: usize = 15;

/// What every lane needs.
pub(super) struct Range {
    pub(super) people: SocketAddr,
    pub(super) machines: SocketAddr,
    pub(super) seeds: Vec<Seed>,
    pub(super) bombs: Bombs,
    pub(super) token: String,
    pub(super) seed: u64,
    /// Requests to tightly limited routes so far, by which their addresses are chosen.
    pub(super) limited: AtomicUsize,
}

/// What came back.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Answers by status.
    pub(super) statuses: BTreeMap<u16, usize>,
    /// Requests, and answers below 300, by route.
    pub(super) routes: BTreeMap<String, (usize, usize)>,
    /// Held, streamed or incomplete: left after a while.
    pub(super) left: usize,
    /// Closed without an answer.
    pub(super) closed: usize,
    /// Not waited for.
    pub(super) unheard: usize,
    /// Answers of 500 and above: case, request, answer.
    pub(super) faults: Vec<String>,
}

impl Tally {
    pub(super) fn add(&mut self, other: Self) {
        for (status, count) in other.statuses {
            *self.statuses.entry(status).or_default() += count;
        }
        for (route, (sent, done)) in other.routes {
            let entry = self.routes.entry(route).or_default();
            *entry = (entry.0 + sent, entry.1 + done);
        }
        self.left += other.left;
        self.closed += other.closed;
        self.unheard += other.unheard;
        self.faults.extend(other.faults);
    }
}

/// One sender: its cases in order, its own machines that have gone wrong.
pub(super) struct Lane<'a> {
    range: &'a Range,
    number: usize,
    hostiles: Vec<Hostile>,
    people: Option<Connection>,
    machines: Option<Connection>,
    tally: Tally,
}

impl<'a> Lane<'a> {
    pub(super) fn new(range: &'a Range, number: usize, hostiles: Vec<Hostile>) -> Self {
        Self { range, number, hostiles, people: None, machines: None, tally: Tally::default() }
    }

    /// Sends the lane's share of `cases` and answers what came back, with the machines that are left.
    pub(super) async fn run(mut self, cases: std::ops::Range<usize>) -> (Tally, Vec<Hostile>) {
        let own = self.number;
        for case in cases.filter(|case| case % LANES == own) {
            let mut chance = Chance::of_case(self.range.seed, case);
            if chance.once_in(60) {
                self.noise(&mut chance).await;
            } else {
                self.case(case, &mut chance).await;
            }
        }
        (self.tally, self.hostiles)
    }

    async fn noise(&mut self, chance: &mut Chance) {
        let to = if chance.once_in(2) { self.range.people } else { self.range.machines };
        let Ok(mut connection) = Connection::open(to, loopback(self.number)).await else { return };
        let _ = connection.send(&noise(chance)).await;
        if chance.once_in(2) {
            let _ = connection.finish_sending().await;
            connection.drain(PATIENCE).await;
        }
        self.tally.routes.entry("(not HTTP)".into()).or_default().0 += 1;
    }

    async fn case(&mut self, case: usize, chance: &mut Chance) {
        let seed = chance.one_of(&self.range.seeds);
        let is_runtime = seed.route.contains("/runtime/");
        // Now and then at the wrong door.
        let to_machines = is_runtime != chance.once_in(20);
        let last = self.hostiles.len() - 1;
        let shot = shot(seed, &self.range.token, &mut self.hostiles[last], &self.range.bombs, chance);
        let fresh = if seed.is_limited { self.own_connection(to_machines).await } else { None };
        let is_own = fresh.is_some();
        let kept = if to_machines { self.machines.take() } else { self.people.take() };
        let (connection, spare) = match fresh {
            Some(fresh) => (Some(fresh), kept),
            None if kept.is_some() => (kept, None),
            None => (self.connect(to_machines, loopback(self.number)).await, None),
        };
        let Some(mut connection) = connection else {
            self.tally.closed += 1;
            return;
        };
        let entry = self.tally.routes.entry(seed.route.clone()).or_default();
        entry.0 += 1;
        let is_kept = self.send(case, seed, &mut connection, &shot).await;
        let back = if is_own { spare } else { is_kept.then_some(connection) };
        if to_machines { self.machines = back } else { self.people = back }
    }

    async fn connect(&self, to_machines: bool, from: std::net::IpAddr) -> Option<Connection> {
        let to = if to_machines { self.range.machines } else { self.range.people };
        Connection::open(to, from).await.ok()
    }

    async fn own_connection(&self, to_machines: bool) -> Option<Connection> {
        let number = self.range.limited.fetch_add(1, Ordering::Relaxed) / LIMITED_PER_ADDRESS;
        self.connect(to_machines, loopback(1_000 + number)).await
    }

    /// Sends one request; whether the connection can carry another.
    async fn send(&mut self, case: usize, seed: &Seed, connection: &mut Connection, shot: &Shot) -> bool {
        let sent = timeout(PATIENCE, connection.send(&shot.bytes)).await;
        if shot.ending == Ending::Leave {
            self.tally.unheard += 1;
            return false;
        }
        if shot.ending == Ending::HalfClose {
            let _ = connection.finish_sending().await;
        }
        // A refusal may come while the body is still being sent.
        let _ = sent;
        match timeout(PATIENCE, connection.answer()).await {
            Err(_) => {
                self.tally.left += 1;
                let status = connection.received().get(9..12).and_then(|text| std::str::from_utf8(text).ok());
                if let Some(status) = status.and_then(|text| text.parse().ok()) {
                    *self.tally.statuses.entry(status).or_default() += 1;
                }
                false
            }
            Ok(Err(_)) => {
                self.tally.closed += 1;
                false
            }
            Ok(Ok(answer)) => {
                let (status, is_kept) = (answer.status, answer.is_kept);
                *self.tally.statuses.entry(status).or_default() += 1;
                if status < 300 {
                    self.tally.routes.entry(seed.route.clone()).or_default().1 += 1;
                }
                let last = self.hostiles.len() - 1;
                let is_heard =
                    !seed.route.ends_with("/sync") || self.hostiles[last].heard(status, answer.body);
                if status >= 500 {
                    let request: String = String::from_utf8_lossy(&shot.bytes).chars().take(1_500).collect();
                    let said = String::from_utf8_lossy(answer.body);
                    self.tally
                        .faults
                        .push(format!("case {case}, {}: {status}\n{request}\n→ {said}", seed.route));
                }
                if !is_heard && self.hostiles.len() > 1 {
                    self.hostiles.pop();
                }
                is_kept && shot.ending == Ending::Stay && !shot.is_head
            }
        }
    }
}
