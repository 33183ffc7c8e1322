//! What this project shows, by name. Each can be repeated by anyone and prints its figures.

mod big_output;
mod break_on_purpose;
mod clocks;
mod console;
mod dice;
mod doctor;
mod errors;
mod flood;
mod full_disk;
mod garbage;
mod identity;
mod idle_day;
mod keys_at_home;
mod kill_mid_step;
mod large_record;
mod link_cut;
mod offline_queue;
mod power_cut;
mod proxies;
mod replay;
mod schedules;
mod source;
mod systemd;
mod tamper;
mod trickle;
mod two_minute_window;
mod verify_false;

pub use full_disk::can_mount;
pub use idle_day::can_make_networks;

use std::time::Instant;

/// One thing that is shown.
#[derive(Clone, Copy, Debug)]
pub struct Show {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What it shows, in one line.
    pub about: &'static str,
    /// Runs it; prints its figures; fails where it does not hold. The scale is full, or quick for every test run.
    pub run: fn(Scale) -> anyhow::Result<()>,
}

/// How often a show repeats what it repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// As often as is promised.
    Full,
    /// So many times as often.
    Times(u16),
    /// A few times, so that it can run with every test.
    Quick,
    /// Once, with every interval as it is in life, where a show otherwise shortens them.
    Unscaled,
}

impl Scale {
    /// How often, where `full` is promised and `quick` is for every test run.
    pub fn pick(self, full: usize, quick: usize) -> usize {
        match self {
            Self::Full | Self::Unscaled => full,
            Self::Times(count) => full * usize::from(count),
            Self::Quick => quick,
        }
    }

    /// What says so on the command line of `shows`.
    fn arguments(self) -> Vec<String> {
        match self {
            Self::Full => Vec::new(),
            Self::Times(count) => vec!["--times".to_owned(), count.to_string()],
            Self::Quick => vec!["--quick".to_owned()],
            Self::Unscaled => vec!["--unscaled".to_owned()],
        }
    }
}

/// Everything that is shown.
pub const SHOWS: &[Show] = &[
    Show {
        name: "offline-queue",
        about: "work queued for a machine that is off survives a SIGKILL of the control plane and runs once, in order",
        run: offline_queue::run,
    },
    Show {
        name: "kill-mid-step",
        about: "a runtime killed in the middle of a step leaves no process, and the step is not run again",
        run: kill_mid_step::run,
    },
    Show {
        name: "link-cut",
        about: "the link is cut in the middle: the rest runs all the same, and who looks or cancels is told what is known",
        run: link_cut::run,
    },
    Show {
        name: "two-minute-window",
        about: "100 short windows, whichever way the link was closed before: none passes without work moving",
        run: two_minute_window::run,
    },
    Show {
        name: "trickle",
        about: "32 kbit/s and 600 ms there and back: six steps with 40 KB of output in three round trips at most",
        run: trickle::run,
    },
    Show {
        name: "big-output",
        about: "500 MB of output in bounded memory: head and tail shown, the rest counted",
        run: big_output::run,
    },
    Show {
        name: "timeout",
        about: "a step over its limit leaves no process, however well its grandchildren hide",
        run: big_output::timeout,
    },
    Show {
        name: "tamper",
        about: "nothing altered on the wire runs; everything altered in an export is found or bounded",
        run: tamper::run,
    },
    Show {
        name: "rotate",
        about: "order keys replaced and revoked while machines are away: they come back, and a stolen backup orders nothing",
        run: identity::rotate,
    },
    Show {
        name: "replay",
        about: "1,000 recorded syncs sent again from elsewhere, at once, later and after a restart: nothing moves",
        run: replay::run,
    },
    Show {
        name: "verify-false",
        about: "exports doctored in more than 60 ways without a key: none passes `tidegate verify`, the true ones do",
        run: verify_false::run,
    },
    Show {
        name: "large-record",
        about: "a record of 280 MB that a machine filled: every command and page reads it in bounded memory",
        run: large_record::run,
    },
    Show {
        name: "garbage",
        about: "100,000 mutated requests to every route of both listeners: no 5xx, no restart, memory flat",
        run: garbage::run,
    },
    Show {
        name: "keys-at-home",
        about: "every way to a private key that a check could take, on a live machine: 0 bytes of it come home",
        run: keys_at_home::run,
    },
    Show {
        name: "flood",
        about: "250 half-sent streams, 200 slow sockets, 20 hostile machines: bounded memory, and honest work goes on",
        run: flood::run,
    },
    Show {
        name: "power-cut",
        about: "power cuts under the control plane and the machine: nothing acknowledged is missing, nothing corrupt",
        run: power_cut::run,
    },
    Show {
        name: "full-disk",
        about: "disks filled to the last byte while work flows: nothing acknowledged is lost, and all goes on by itself",
        run: full_disk::run,
    },
    Show {
        name: "restore",
        about: "a control plane set back to a backup runs nothing twice and learns what it missed from the machine",
        run: identity::restore,
    },
    Show {
        name: "re-image",
        about: "work meant for the old image of a machine is held, lost or released, and never runs by itself",
        run: identity::re_image,
    },
    Show {
        name: "clone",
        about: "two copies of one machine: nothing runs until a person says which it is, and then on that one",
        run: identity::clone,
    },
    Show {
        name: "rollback",
        about: "a machine set back to a snapshot is found out, and does not do again what it did since",
        run: identity::rollback,
    },
    Show {
        name: "doctor",
        about: "machines broken in one way each: the doctor names that one, and what to do about it",
        run: doctor::run,
    },
    Show {
        name: "errors",
        about: "the errors that an operator can meet, provoked on real programs, with the message that a person gets",
        run: errors::run,
    },
    Show {
        name: "systemd",
        about: "the runtime as a service of a booted systemd: killed, restarted, rebooted, unplugged, upgraded, retired",
        run: systemd::run,
    },
    Show {
        name: "clocks",
        about: "clocks hours and years off, jumping, or lost at a reboot, over TLS: right times, conditions on time kept",
        run: clocks::run,
    },
    Show {
        name: "proxies",
        about: "squid, squid with Basic and with NTLM, mitmproxy, nginx, cuts after 30, 60 and 100 s: the job or clear words",
        run: proxies::run,
    },
    Show {
        name: "idle-day",
        about: "what a day without work costs: bytes with headers counted, processor time and wake-ups, against polling",
        run: idle_day::run,
    },
    Show {
        name: "browser",
        about: "the main job in a real browser, by mouse, keyboard, touch and without script, on real processes",
        run: console::browser,
    },
    Show {
        name: "axe",
        about: "every page of the console at 1280 and 360 px in both themes: nothing grave to axe, focus as one reads",
        run: console::axe,
    },
    Show {
        name: "hostile",
        about: "hostile names and outputs are inert on every page, and pages of others can do nothing with a session",
        run: console::hostile,
    },
    Show {
        name: "morning",
        about: "a night of 40 machines and 60 sequences, and what its morning looks like at both widths",
        run: console::morning,
    },
    Show {
        name: "screenshots",
        about: "a picture of every page of the console, into the folder that TIDEGATE_SCREENSHOTS names",
        run: console::screenshots,
    },
    Show {
        name: "weight",
        about: "bytes of every page of the console, and its time among 10,000 machines and 100,000 sequences",
        run: console::weight,
    },
    Show {
        name: "two-people",
        about: "what one person drafts and queues is on the pages of fifty others at once, without a reload",
        run: console::two_people,
    },
    Show {
        name: "schedules",
        about: "400,000 random schedules of everything that can go wrong, 20 fresh seeds: no promise breaks (an hour)",
        run: schedules::run,
    },
    Show {
        name: "break",
        about: "one protection taken away at a time, in a copy of the source: the named test notices each",
        run: break_on_purpose::run,
    },
];

/// Runs the show called `name`.
///
/// # Errors
///
/// What did not hold, or that there is none of that name.
pub fn run(name: &str, scale: Scale) -> anyhow::Result<()> {
    let show = SHOWS.iter().find(|show| show.name == name);
    let show = show.ok_or_else(|| anyhow::anyhow!("there is no show `{name}`: see `shows list`"))?;
    println!("{name}: {}", show.about);
    let started = Instant::now();
    (show.run)(scale)?;
    println!("{name}: held, {:.1} s", started.elapsed().as_secs_f64());
    Ok(())
}

/// Prints one figure.
fn figure(what: &str, value: impl std::fmt::Display) {
    println!("  {what:<58} {value}");
}
