//! Says what machine this is and how long it has been up.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tidegate_core::probe::{ProbeSpec, Risk};
use tidegate_core::sequence::Finding;
use tidegate_core::time::Timestamp;

use super::{BoxFuture, Probe, Refusal, Report, arguments, platform, words};
use crate::executor::StepContext;

/// Most addresses that are listed.
pub(super) const ADDRESSES_MAX: usize = 64;

/// `system_info`: name, operating system, processors, memory, uptime, time zone and addresses.
///
/// Only reads; the finding is `ok`. What this machine does not tell is empty or 0.
#[derive(Debug)]
pub(super) struct SystemInfo;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {}

/// The machine.
#[derive(Debug, Serialize)]
pub(super) struct Facts {
    pub(super) hostname: String,
    pub(super) os_name: String,
    pub(super) os_version: String,
    pub(super) kernel: String,
    /// In the system's own words: `x86_64`, `armv7l`.
    pub(super) architecture: String,
    /// Logical processors that are online.
    pub(super) cpus: usize,
    pub(super) memory_total_bytes: u64,
    /// What could be used without swapping.
    pub(super) memory_available_bytes: u64,
    pub(super) uptime_seconds: u64,
    /// By the local clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) booted_at: Option<Timestamp>,
    /// Another one after each boot.
    pub(super) boot_id: String,
    /// IANA name.
    pub(super) time_zone: String,
    /// At most [`ADDRESSES_MAX`], without loopback.
    pub(super) addresses: Vec<Address>,
}

/// One address of the machine.
#[derive(Debug, Serialize)]
pub(super) struct Address {
    pub(super) interface: String,
    pub(super) address: IpAddr,
    /// Length of the network's prefix in bits.
    pub(super) prefix: u8,
}

impl Probe for SystemInfo {
    fn spec(&self) -> ProbeSpec {
        ProbeSpec {
            name: "system_info".into(),
            about: "Says what machine this is: system, memory, uptime, time zone, addresses.".into(),
            risk: Risk::Observe,
            arguments: Vec::new(),
            example: Map::new(),
        }
    }

    fn run<'a>(
        &'a self,
        with: Map<String, Value>,
        _: &'a StepContext,
    ) -> BoxFuture<'a, Result<Report, Refusal>> {
        Box::pin(async move {
            let Arguments {} = arguments(with)?;
            Ok(match tokio::task::spawn_blocking(platform::facts).await {
                Ok(facts) => Report::done(Finding::Ok, summary(&facts)).data(&facts),
                Err(error) => Report::failed(error.to_string()),
            })
        })
    }
}

/// `Debian 12, 2 cores, 23.4 GiB memory, up 3 h`.
fn summary(facts: &Facts) -> String {
    let system = format!("{} {}", facts.os_name, facts.os_version);
    let cores = if facts.cpus == 1 { "core" } else { "cores" };
    let memory = facts.memory_total_bytes as f64 / f64::from(1 << 30);
    let (system, up) = (system.trim(), words::span(facts.uptime_seconds));
    format!("{system}, {} {cores}, {memory:.1} GiB memory, up {up}", facts.cpus)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_tells_about_itself() {
        let facts = platform::facts();
        let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
        assert_eq!(facts.hostname, name.trim());
        assert!(facts.cpus >= std::thread::available_parallelism().unwrap().get());
        assert!(facts.memory_available_bytes > 0 && facts.memory_available_bytes <= facts.memory_total_bytes);
        assert!(facts.uptime_seconds > 0 && facts.booted_at.is_some());
        assert_eq!(facts.boot_id.len(), 36);
        assert!(facts.addresses.iter().all(|address| !address.interface.is_empty()), "{facts:?}");
        let routed = std::net::UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
            socket.connect("192.0.2.1:9")?;
            socket.local_addr()
        });
        if let Ok(own) = routed {
            assert!(facts.addresses.iter().any(|address| address.address == own.ip()), "{facts:?}");
        }
        eprintln!("{}\n{}", summary(&facts), serde_json::to_string_pretty(&facts).unwrap());
    }

    #[test]
    fn the_summary_is_what_people_say() {
        let mut facts = platform::facts();
        (facts.os_name, facts.os_version, facts.cpus) = ("Debian".into(), "12".into(), 2);
        (facts.memory_total_bytes, facts.uptime_seconds) = (25_130_000_000, 3 * 3_600 + 5);
        assert_eq!(summary(&facts), "Debian 12, 2 cores, 23.4 GiB memory, up 3 h");
    }
}
