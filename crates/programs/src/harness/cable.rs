//! A network cable between this network and another: two ends and nothing beyond.

use std::fs;
use std::net::Ipv4Addr;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, ensure};

/// Cables of this process so far.
static MADE: AtomicU32 = AtomicU32::new(0);

/// The cable. It goes when the other network goes.
#[derive(Debug)]
pub struct Cable {
    name: String,
    host: Ipv4Addr,
    machine: Ipv4Addr,
}

impl Cable {
    /// A cable of this process's own, not plugged in. Its addresses are of a range that is nobody's (RFC 2544).
    pub fn new() -> Self {
        let (process, number) = (std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let third = u8::try_from((process + number) % 250).unwrap_or(0);
        Self {
            // A name has 15 characters at most.
            name: format!("tg{}n{}", process % 10_000_000, number % 10_000),
            host: Ipv4Addr::new(198, 18, third, 1),
            machine: Ipv4Addr::new(198, 18, third, 2),
        }
    }

    /// The address of the end that is here.
    pub fn host(&self) -> Ipv4Addr {
        self.host
    }

    /// The address of the other end.
    pub fn machine(&self) -> Ipv4Addr {
        self.machine
    }

    /// Plugs it into the network of the process `init`.
    ///
    /// # Errors
    ///
    /// What `ip` said.
    pub fn plug_into(&self, init: u32) -> anyhow::Result<()> {
        let init = init.to_string();
        let inside = format!(
            "ip address add {}/30 dev eth0 && ip link set eth0 up && ip route add default via {}",
            self.machine, self.host
        );
        let host = format!("{}/30", self.host);
        run(&["ip", "link", "add", &self.name, "type", "veth", "peer", "name", "eth0", "netns", &init])?;
        run(&["ip", "address", "add", &host, "dev", &self.name])?;
        run(&["ip", "link", "set", &self.name, "up"])?;
        run(&["nsenter", "--target", &init, "--net", "sh", "-c", &inside])
    }

    /// Whether the end that is here is there.
    pub fn is_there(&self) -> bool {
        self.counters().is_ok()
    }

    /// Packets and bytes that went through it, both ways together, by the kernel's count: headers of Ethernet included.
    ///
    /// # Errors
    ///
    /// When it is not plugged in.
    pub fn counters(&self) -> anyhow::Result<(u64, u64)> {
        // Not in /sys, which shows the network in which it was mounted.
        let devices = fs::read_to_string("/proc/net/dev")?;
        let here = |line: &&str| line.trim_start().starts_with(&format!("{}:", self.name));
        let line = devices.lines().find(here).context("the cable is not plugged in")?;
        let counters: Vec<u64> = line
            .rsplit(':')
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .filter_map(|count| count.parse().ok())
            .collect();
        // proc(5): received bytes and packets come first, sent ones ninth and tenth.
        let count = |index: usize| counters.get(index).copied().context("a device has 16 counters");
        Ok((count(1)? + count(9)?, count(0)? + count(8)?))
    }
}

impl Default for Cable {
    fn default() -> Self {
        Self::new()
    }
}

fn run(command: &[&str]) -> anyhow::Result<()> {
    let output = Command::new(command[0]).args(&command[1..]).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "`{}` failed: {}", command.join(" "), said.trim());
    Ok(())
}
