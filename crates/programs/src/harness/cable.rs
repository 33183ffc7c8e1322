//! A network cable between this host and the machine: two ends and nothing beyond.

use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;

use anyhow::ensure;

/// The cable. It goes when the machine's network goes.
#[derive(Debug)]
pub(super) struct Cable {
    name: String,
    host: Ipv4Addr,
    machine: Ipv4Addr,
}

impl Cable {
    /// A cable of this process's own, not plugged in. Its addresses are of a range that is nobody's (RFC 2544).
    pub(super) fn new() -> Self {
        let process = std::process::id();
        let third = u8::try_from(process % 250).unwrap_or(0);
        Self {
            name: format!("tidegate{}", process % 1_000_000),
            host: Ipv4Addr::new(198, 18, third, 1),
            machine: Ipv4Addr::new(198, 18, third, 2),
        }
    }

    /// The host's address on it.
    pub(super) fn host(&self) -> IpAddr {
        self.host.into()
    }

    /// Plugs it into the network of the process `init`.
    pub(super) fn plug_into(&self, init: u32) -> anyhow::Result<()> {
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

    /// Whether its end on the host is there.
    pub(super) fn is_there(&self) -> bool {
        std::path::Path::new("/sys/class/net").join(&self.name).exists()
    }
}

fn run(command: &[&str]) -> anyhow::Result<()> {
    let output = Command::new(command[0]).args(&command[1..]).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "`{}` failed: {}", command.join(" "), said.trim());
    Ok(())
}
