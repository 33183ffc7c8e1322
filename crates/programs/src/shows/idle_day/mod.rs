//! A day without work: what it costs on the wire and on the machine, in both profiles, against polling.
//!
//! Nobody waits for the day. The programs are real, and each machine is in a network of its own at the end of a cable on
//! which every packet is seen. The runtime's intervals are divided, the kernel's probes of an idle connection with them,
//! so that a check-in of 265 s takes six; what travels does not depend on how long the answer was held. One machine more
//! lives at its usual pace, so that what goes by the clock of either end and not by the check-in is seen too.

mod bill;
mod packets;
mod post;

use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, ensure};
use serde_json::json;
use tidegate_core::time::Timestamp;

use super::{Scale, figure};
use crate::harness::{Certificates, World, binary};
use bill::{Bill, Day};
use packets::Capture;
use post::{Mark, Place, Post, Syncs};

/// Says to the program, run again, that the network is its own.
const VARIABLE: &str = "TIDEGATE_OWN_NETWORK";

/// Where the control plane listens for machines, in that network.
const PORT: u16 = 8_443;

/// The longest hold (design, section 7).
const HOLD: Duration = Duration::from_secs(265);
/// The check-in of a machine that polls.
const POLL: Duration = Duration::from_secs(30);

/// The budgets of the design, section 9.
const DAY_BYTES_MAX: f64 = 200_000.0;
const METERED_DAY_BYTES_MAX: f64 = 120_000.0;
/// What is not measurable: half of what the tools that show processes by their load print as `0.1 %`.
const CPU_PERCENT_MAX: f64 = 0.05;
/// An idle sync is a read, a few turns of the program's tasks and a write.
const WAKE_UPS_MAX: u64 = 8;
/// A machine with work that waits for a moment looks once a minute whether its clock was set: each look is a transaction,
/// in which it sleeps some times for the disk. (One each second would be sixty times as many.)
const LOOKS: Duration = Duration::from_secs(60);
const LOOK_WAKE_UPS_MAX: u64 = 6;
/// A poll on a kept connection as it was measured before anything was built: what the budgets were made from.
const POLL_BYTES_BEFORE: f64 = 274.0;

pub(super) fn run(scale: Scale) -> anyhow::Result<()> {
    if std::env::var_os(VARIABLE).is_some() {
        return shown(scale);
    }
    let mut command = Command::new("unshare");
    command.args(rights()).arg(binary("shows")?).arg("idle-day").args(scale.arguments());
    let status = command.env(VARIABLE, "1").status().context("`unshare` is part of util-linux")?;
    ensure!(status.success(), "in its own network it ended with {status}");
    Ok(())
}

/// Whether this process may make networks of its own, in which `idle-day` takes place.
pub fn can_make_networks() -> bool {
    let mut command = Command::new("unshare");
    command.args(rights()).args(["unshare", "--net", "ip", "link", "set", "lo", "up"]);
    command.output().is_ok_and(|output| output.status.success())
}

/// Root makes what it likes, others in a user namespace.
fn rights() -> &'static [&'static str] {
    if rustix::process::geteuid().is_root() { &["--net"] } else { &["--net", "--user", "--map-root-user"] }
}

fn shown(scale: Scale) -> anyhow::Result<()> {
    let mut plant = Plant::new(scale)?;
    let contact = plant.start()?;
    let (lived, living) = (plant.waits_for_next_week()?, Instant::now());
    let [default, metered, polling] = plant.measure()?;
    let daily = plant.deliver(scale).and_then(|()| plant.restart())?;
    let (lived_syncs, lived_bill, lived_effort) = plant.usual.since(&plant.capture, lived)?;
    let lived_for = living.elapsed();

    let syncs_told = plant.idle_syncs_told()?;
    let seen = default.count + metered.count + polling.count;
    ensure!(syncs_told >= seen, "the control plane counted {syncs_told} idle syncs, the wire {seen}");
    figure("idle syncs measured, in each of three machines", default.count);
    let sync = |syncs: &Syncs| syncs.bill.per(syncs.count);
    figure("default: a sync that is held", sync(&default));
    figure("metered: a sync that is held", sync(&metered));
    figure("polling: a sync that is not", sync(&polling));
    ensure!(metered.bill.probes == 0.0, "a metered path is not probed, from neither end");
    figure("first contact after enrolment: TLS, time, journal, B", contact.bytes().round());
    figure("a restart: TLS, time, signed syncs, B: default, metered", pair(daily.map(|bill| bill.bytes())));

    println!(
        "  A day, where what comes once (time, a fresh ticket, the day's traffic) counts as a whole restart:"
    );
    let day = |every: Duration, sync: Bill, once: Bill| Day {
        every_s: every.as_secs_f64(),
        sync,
        once_bytes: once.bytes(),
    };
    let usual = |syncs: &Syncs| sync(syncs).with_more_to_ask(more_digits(scale));
    let days = [
        ("default", day(HOLD, usual(&default), daily[0]), DAY_BYTES_MAX),
        ("metered", day(HOLD, usual(&metered), daily[1]), METERED_DAY_BYTES_MAX),
    ];
    let poll = day(POLL, sync(&polling), daily[0]);
    figure("polling every 30 s on the same path", poll);
    for (name, day, budget) in &days {
        figure(name, format!("{day}, of {:.0} KB", budget / 1_000.0));
        let before = 86_400.0 / POLL.as_secs_f64() * POLL_BYTES_BEFORE;
        let share = |of: f64| 100.0 * day.bytes() / of;
        figure(
            &format!("{name}: of polling; of polling at 274 B"),
            format!("{:.0} %; {:.0} %", share(poll.bytes()), share(before)),
        );
    }
    plant.check_counters()?;

    for (name, syncs) in [("default", &default), ("metered", &metered), ("polling", &polling)] {
        let every = if name == "polling" { POLL } else { HOLD };
        effort_told(name, syncs, 86_400.0 / every.as_secs_f64());
    }
    figure(
        "metered, usual pace, work for next week, for so many seconds",
        format!(
            "{:.0}: {lived_syncs} syncs, {:.0} B, {} wake-ups, {:.1} ms of CPU",
            lived_for.as_secs_f64(),
            lived_bill.bytes(),
            lived_effort.wake_ups,
            lived_effort.cpu_ns as f64 / 1_000_000.0
        ),
    );
    plant.capture.stop()?;

    for (name, day, budget) in days {
        ensure!(day.bytes() <= budget, "{name}: {day} is more than {budget} bytes");
    }
    for (name, syncs) in [("default", &default), ("metered", &metered)] {
        // A hold may last longer where the computer is busy, and is never shorter.
        let held = syncs.took.as_secs_f64() / syncs.count as f64 * f64::from(divisor(scale));
        ensure!(held >= HOLD.as_secs_f64() * 0.99, "{name}: syncs were held for {held:.0} s of 265");
        let cpu = cpu_percent(syncs, HOLD);
        ensure!(cpu <= CPU_PERCENT_MAX, "{name}: {cpu:.4} % of a processor can be measured");
        let most = WAKE_UPS_MAX * syncs.count as u64;
        ensure!(syncs.wake_ups <= most, "{name}: {} wake-ups are more than {most}", syncs.wake_ups);
    }
    // Half of one may be in it.
    let most = (lived_syncs as f64 + 0.5) * usual(&metered).bytes();
    ensure!(
        lived_bill.bytes() <= most,
        "something travelled while a sync was held at the usual pace: {lived_bill}"
    );
    let looks = lived_for.as_secs() / LOOKS.as_secs() + 1;
    let most = WAKE_UPS_MAX * lived_syncs as u64 + LOOK_WAKE_UPS_MAX * looks;
    ensure!(
        lived_effort.wake_ups <= most,
        "in {lived_for:?} at the usual pace, {lived_syncs} syncs: {} wake-ups are more than {most}",
        lived_effort.wake_ups
    );
    Ok(())
}

/// Four machines and their control plane.
struct Plant {
    world: World,
    capture: Capture,
    default: Post,
    metered: Post,
    polling: Post,
    /// Metered, at its usual pace.
    usual: Post,
    divisor: u32,
    syncs: usize,
    _directory: tempfile::TempDir,
}

impl Plant {
    fn new(scale: Scale) -> anyhow::Result<Self> {
        let status = Command::new("ip").args(["link", "set", "lo", "up"]).status()?;
        ensure!(status.success(), "loopback cannot be used in a network of its own");
        let directory = tempfile::Builder::new().prefix("tidegate-idle-day-").tempdir()?;
        let certificates = Certificates::new(directory.path(), "plant")?;
        let places = [Place::new()?, Place::new()?, Place::new()?, Place::new()?];
        let names: Vec<_> = places.iter().map(|place| place.cable.host().to_string()).collect();
        let machines: Vec<_> = places.iter().map(|place| place.cable.machine()).collect();
        let capture = Capture::start(&machines)?;
        let mut world = World::with_tls_at(&certificates, ([0, 0, 0, 0], PORT).into(), &names)?;
        let ca = certificates.ca_file("plant");
        let divided = format!("--interval-divisor={}", divisor(scale));
        let mut post = |place, pace: &[&str]| {
            let pace: Vec<_> = pace.iter().map(ToString::to_string).collect();
            Post::new(&mut world, place, PORT, &ca, &pace)
        };
        let [first, second, third, fourth] = places;
        let default = post(first, &[&divided])?;
        let metered = post(second, &[&divided, "--metered"])?;
        let polling = post(third, &[&divided, "--poll"])?;
        let usual = post(fourth, &["--metered"])?;
        let (divisor, syncs) = (divisor(scale), syncs(scale));
        Ok(Self { world, capture, default, metered, polling, usual, divisor, syncs, _directory: directory })
    }

    /// Starts all of them; answers what that cost one in the default profile.
    fn start(&mut self) -> anyhow::Result<Bill> {
        for post in [&mut self.metered, &mut self.polling, &mut self.usual] {
            post.machine.start()?;
        }
        self.default.first_contact(&self.capture)
    }

    /// Gives the machine at its usual pace work that may not start for a week, and waits until its sync is held.
    fn waits_for_next_week(&self) -> anyhow::Result<Mark> {
        let at = SystemTime::now().duration_since(UNIX_EPOCH)? + Duration::from_secs(7 * 86_400);
        let at = Timestamp::from_milliseconds(i64::try_from(at.as_millis())?);
        let steps = [json!({ "probe": "system_info" })];
        let sequence = json!({ "title": "later", "not_before": at, "expires_in": "14d", "steps": steps });
        let id = self.world.queue(&self.usual.machine, &sequence)?;
        self.world.until(&id, 60, |state| state == "delivered")?;
        self.usual.held(&self.capture, Duration::from_secs(1))
    }

    /// Waits until each checks in as it does all day, and then for as many check-ins as are measured.
    fn measure(&self) -> anyhow::Result<[Syncs; 3]> {
        let full = (HOLD / self.divisor).mul_f64(0.98);
        let default = self.default.steady(&self.capture, 1, full)?;
        let metered = self.metered.steady(&self.capture, 1, full)?;
        // The pauses of one that polls have grown to their usual length after six.
        let polling = self.polling.steady(&self.capture, 6, Duration::ZERO)?;
        Ok([
            self.default.syncs(&self.capture, default, self.syncs)?,
            self.metered.syncs(&self.capture, metered, self.syncs)?,
            self.polling.syncs(&self.capture, polling, self.syncs)?,
        ])
    }

    /// Work is on its way the moment it is queued, in both profiles.
    fn deliver(&self, scale: Scale) -> anyhow::Result<()> {
        let rounds = scale.pick(5, 2);
        for (name, post) in [("default", &self.default), ("metered", &self.metered)] {
            let mut spans = Vec::new();
            let mut cost = Bill::default();
            for _ in 0..rounds {
                let (span, bill) = post.deliver(&self.world, &self.capture).with_context(|| name)?;
                spans.push(span);
                cost = bill;
            }
            spans.sort_unstable();
            figure(
                &format!("{name}: orders that answered the sync held at that moment"),
                format!("{rounds} of {rounds}"),
            );
            figure(
                &format!("{name}: on the wire after queueing, median, ms; one step, B"),
                format!("{:.1}; {:.0}", spans[rounds / 2].as_secs_f64() * 1_000.0, cost.bytes()),
            );
        }
        Ok(())
    }

    /// What it costs to come back after a restart.
    fn restart(&mut self) -> anyhow::Result<[Bill; 2]> {
        let restart = |post: &mut Post| {
            post.machine.stop()?;
            post.first_contact(&self.capture)
        };
        Ok([restart(&mut self.default)?, restart(&mut self.metered)?])
    }

    fn idle_syncs_told(&self) -> anyhow::Result<usize> {
        let text = self.world.api.text("/metrics")?;
        let line = text.lines().find_map(|line| line.strip_prefix("tidegate_syncs_total{kind=\"idle\"} "));
        Ok(line.context("/metrics tells the idle syncs")?.trim().parse()?)
    }

    /// The kernel counted the same bytes on the cables.
    fn check_counters(&self) -> anyhow::Result<()> {
        const ETHERNET_HEADER_BYTES: u64 = 14;
        let cables = [&self.default, &self.metered, &self.polling, &self.usual].map(Post::cable);
        let mut counted = 0;
        for cable in cables {
            let (packets, bytes) = cable.counters()?;
            counted += bytes - ETHERNET_HEADER_BYTES * packets;
        }
        let (seen, apart) = self.capture.bytes();
        figure("bytes on the cables: the kernel's count; seen", format!("{counted}; {seen}"));
        figure("of them not IPv4, and in no bill", apart);
        // Packets are under way while both are read.
        let difference = counted.abs_diff(seen);
        ensure!(difference * 200 <= counted, "they differ by {difference} bytes");
        Ok(())
    }
}

fn divisor(scale: Scale) -> u32 {
    match scale {
        // The kernel's probes are set in whole seconds: 90 s become 2 s or 1 s.
        Scale::Full | Scale::Times(_) => 45,
        Scale::Quick => 90,
        Scale::Unscaled => 1,
    }
}

/// How many idle syncs are measured of each machine; in life's own time six take half an hour.
fn syncs(scale: Scale) -> usize {
    if scale == Scale::Unscaled { 6 } else { scale.pick(40, 6) }
}

/// By how much the usual hold is longer than the divided one where a request says it: in digits, which are bytes.
fn more_digits(scale: Scale) -> f64 {
    let digits = |hold: Duration| hold.as_millis().to_string().len() as f64;
    digits(HOLD) - digits(HOLD / divisor(scale))
}

fn effort_told(name: &str, syncs: &Syncs, in_a_day: f64) {
    let each = |total: u64| total as f64 / syncs.count as f64;
    figure(
        &format!("{name}: wake-ups; CPU, ms a sync"),
        format!("{:.1}; {:.2}", each(syncs.wake_ups), each(syncs.cpu_ns) / 1_000_000.0),
    );
    let cpu_s = each(syncs.cpu_ns) / 1_000_000_000.0 * in_a_day;
    figure(
        &format!("{name}: in a day: wake-ups; CPU, s; % of one processor"),
        format!("{:.0}; {cpu_s:.2}; {:.5}", each(syncs.wake_ups) * in_a_day, cpu_s / 864.0),
    );
}

fn cpu_percent(syncs: &Syncs, every: Duration) -> f64 {
    syncs.cpu_ns as f64 / syncs.count as f64 / every.as_nanos() as f64 * 100.0
}

fn pair(bytes: [f64; 2]) -> String {
    format!("{:.0}; {:.0}", bytes[0], bytes[1])
}
