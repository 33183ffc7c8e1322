//! Who keeps this machine's clock right: the kernel's own word, chrony's where it runs, and which daemon systemd runs.
//!
//! `timedatectl` is not asked: what it says of synchronisation is the kernel's word, and its question about
//! systemd-timesyncd may wait for 25 s where that does not run.

use std::mem::MaybeUninit;

use super::systemd;
use crate::executor::{CommandLine, StepContext};
use crate::probes::time_source::{Daemon, Kernel, Tracking};
use crate::probes::words::round;

/// `STA_UNSYNC`, `STA_NANO` and `TIME_ERROR` (adjtimex(2)).
const UNSYNCHRONISED: i32 = 0x0040;
const NANOSECONDS: i32 = 0x2000;
const TIME_ERROR: i32 = 5;
/// Units of programs that set the clock, under the names of distributions.
const DAEMONS: [&str; 7] = [
    "chrony.service",
    "chronyd.service",
    "systemd-timesyncd.service",
    "ntpsec.service",
    "ntp.service",
    "ntpd.service",
    "openntpd.service",
];
/// What chrony calls the machine's own clock taken for a source.
const OWN_CLOCK: &str = "7F7F0101";
/// And no source at all.
const NO_SOURCE: &str = "00000000";

/// What the kernel says of its clock. `None`: it says nothing, as in some containers.
#[allow(unsafe_code, reason = "adjtimex has no safe interface")]
pub(in crate::probes) fn kernel() -> Option<Kernel> {
    let mut timex = MaybeUninit::<libc::timex>::zeroed();
    // SAFETY: a `timex` of zeros is valid (numbers only) and its `modes` of 0 asks to change nothing; the call writes
    // within it.
    let (state, timex) = unsafe { (libc::adjtimex(timex.as_mut_ptr()), timex.assume_init()) };
    if state < 0 {
        return None;
    }
    let per_ms = if timex.status & NANOSECONDS != 0 { 1_000_000.0 } else { 1_000.0 };
    Some(Kernel {
        synchronised: state != TIME_ERROR && timex.status & UNSYNCHRONISED == 0,
        remaining_offset_ms: round(timex.offset as f64 / per_ms),
        max_error_ms: round(timex.maxerror as f64 / 1_000.0),
        estimated_error_ms: round(timex.esterror as f64 / 1_000.0),
    })
}

/// What chrony says; `None`: it does not run here.
pub(in crate::probes) async fn chrony(cx: &StepContext) -> Option<Tracking> {
    let arguments = ["-n", "-c", "tracking"].map(str::to_owned).into();
    let end = cx.run_command(&CommandLine { program: "chronyc".into(), arguments }).await.ok()?;
    if end.exit_code == Some(0) { tracking(&end.output.head) } else { None }
}

/// The first daemon that runs; `None`: none does, or there is no systemd.
pub(in crate::probes) async fn daemon(cx: &StepContext) -> Option<Daemon> {
    let options = ["show", "--no-pager", "--property=Id,ActiveState,StatusText", "--"];
    let arguments = options.iter().chain(&DAEMONS).map(|each| (*each).to_owned()).collect();
    let end = cx.run_command(&CommandLine { program: "systemctl".into(), arguments }).await.ok()?;
    systemd::judge("systemctl", &end).ok()?;
    running(&end.output.head)
}

/// Properties in any order, an empty line between units.
fn running(text: &str) -> Option<Daemon> {
    text.split("\n\n").find_map(|unit| {
        let value = |name: &str| unit.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        let name = value("Id")?.trim_end_matches(".service").to_owned();
        let status = value("StatusText").filter(|status| !status.is_empty()).map(str::to_owned);
        (value("ActiveState") == Some("active")).then_some(Daemon { name, status })
    })
}

/// Columns: reference id, its name, stratum, time of the last update, offset, last offset, …, the last one whether it is
/// synchronised (chronyc(1), `tracking`).
fn tracking(line: &str) -> Option<Tracking> {
    let columns: Vec<&str> = line.lines().next()?.split(',').collect();
    let [reference, server, stratum, _, behind_seconds, ..] = columns[..] else { return None };
    let behind: f64 = behind_seconds.parse().ok().filter(|seconds: &f64| seconds.is_finite())?;
    let has_source = ![OWN_CLOCK, NO_SOURCE].contains(&reference);
    let is_locked = columns.len() >= 14 && *columns.last()? != "Not synchronised";
    Some(Tracking {
        synchronised: has_source && is_locked,
        server: Some(server.to_owned()).filter(|server| has_source && !server.is_empty()),
        stratum: stratum.parse().ok()?,
        // chrony counts how far the clock is behind.
        offset_ms: -behind * 1_000.0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What chronyc 4.3 printed of a daemon with a server, of one that takes its own clock, and the form of one without.
    const LOCKED: &str = "7F000001,127.0.0.1,9,1795453120.590816844,-0.000001687,0.000000086,0.000000360,0.048,0.001,\
                          0.364,0.000005786,0.000002836,1.0,Normal\n";
    const OWN: &str = "7F7F0101,,8,1795453110.661092637,0.000000000,0.000000000,0.000000000,0.000,0.000,0.000,\
                       0.000000000,0.000000000,0.0,Normal\n";
    const NONE: &str = "00000000,,0,0.000000000,0.000000000,0.000000000,0.000000000,0.000,0.000,0.000,1.000000000,\
                        1.000000000,0.0,Not synchronised\n";

    #[test]
    fn a_server_is_told_from_the_own_clock_and_from_none() {
        let locked = tracking(LOCKED).unwrap();
        assert_eq!((locked.synchronised, locked.server.as_deref()), (true, Some("127.0.0.1")));
        assert_eq!((locked.stratum, round(locked.offset_ms)), (9, 0.002));
        for text in [OWN, NONE] {
            let own = tracking(text).unwrap();
            assert_eq!((own.synchronised, own.server), (false, None));
        }
        assert!(tracking("506 Cannot talk to daemon\n").is_none());
    }

    #[test]
    fn the_daemon_that_runs_is_found_among_those_that_do_not() {
        let text = "Id=chrony.service\nActiveState=inactive\nStatusText=\n\nStatusText=Contacted time server \
                    10.0.0.1:123 (ntp.plant).\nActiveState=active\nId=systemd-timesyncd.service\n";
        let daemon = running(text).unwrap();
        assert_eq!(daemon.name, "systemd-timesyncd");
        assert_eq!(daemon.status.as_deref(), Some("Contacted time server 10.0.0.1:123 (ntp.plant)."));
        assert!(running("Id=chrony.service\nActiveState=failed\n").is_none());
    }

    #[test]
    fn the_kernel_of_this_machine_answers() {
        // What it says depends on the machine; its limits do not (kernel/time/ntp.c, NTP_PHASE_LIMIT: 16 s).
        if let Some(kernel) = kernel() {
            assert!((0.0..=16_000.0).contains(&kernel.max_error_ms), "{kernel:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_skipped(text in any::<String>(), line in "([0-9A-F.,-]{0,9},){0,15}Normal") {
            let _ = (tracking(&text), running(&text), tracking(&line));
        }
    }
}
