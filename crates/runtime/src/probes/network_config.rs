//! Asks how the machine's network is set up.

use std::fmt::Write as _;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tidegate_core::probe::{ProbeSpec, Risk};
use tidegate_core::sequence::Finding;

use super::platform::Resolver;
use super::words::counted;
use super::{BoxFuture, Probe, Refusal, Report, arguments, platform};
use crate::executor::StepContext;

/// `network_config`: interfaces, addresses, default routes, name servers, and the proxies of the runtime's environment.
///
/// A link, an address and a default route: `ok`. Without one of these: `attention`. Passwords of proxies are left out.
#[derive(Debug)]
pub(super) struct NetworkConfig;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {}

/// What the machine has.
#[derive(Debug, Serialize)]
pub(super) struct Network {
    pub(super) interfaces: Vec<Interface>,
    pub(super) default_routes: Vec<Route>,
    pub(super) resolver: Resolver,
    pub(super) proxies: Vec<Proxy>,
}

#[derive(Debug, Serialize)]
pub(super) struct Interface {
    pub(super) name: String,
    pub(super) state: LinkState,
    pub(super) is_loopback: bool,
    /// Absent where it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mac: Option<String>,
    pub(super) mtu_bytes: u32,
    /// With the length of their prefix: `10.20.0.5/24`. Those of loopback are left out.
    pub(super) addresses: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum LinkState {
    Up,
    /// Switched on, with no cable or no other end.
    NoLink,
    /// Switched off by an administrator.
    Off,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Route {
    pub(super) interface: String,
    /// Absent where the link itself is the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) gateway: Option<IpAddr>,
    /// 4 or 6.
    pub(super) version: u8,
    /// The lowest is taken.
    pub(super) metric: u32,
}

#[derive(Debug, Serialize)]
pub(super) struct Proxy {
    pub(super) variable: String,
    pub(super) value: String,
}

impl LinkState {
    fn words(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::NoLink => "no link",
            Self::Off => "off",
        }
    }
}

impl Probe for NetworkConfig {
    fn spec(&self) -> ProbeSpec {
        ProbeSpec {
            name: "network_config".into(),
            about: "Says how the network is set up: interfaces, addresses, routes, name servers, proxies."
                .into(),
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
            Ok(match tokio::task::spawn_blocking(platform::network).await {
                Ok(network) => report(&network),
                Err(error) => Report::failed(error.to_string()),
            })
        })
    }
}

fn report(network: &Network) -> Report {
    let outside = || network.interfaces.iter().filter(|interface| !interface.is_loopback);
    let linked = || outside().filter(|interface| interface.state == LinkState::Up);
    // Every link of version 6 gives itself an address that leads nowhere else.
    let is_own = |address: &String| !address.starts_with("fe80:") && !address.starts_with("169.254.");
    let addresses = linked().flat_map(|interface| &interface.addresses).filter(|address| is_own(address));
    let missing = if outside().next().is_none() {
        Some("this machine has no network interface but loopback".to_owned())
    } else if linked().next().is_none() {
        let states = outside().map(|each| format!("{} {}", each.name, each.state.words()));
        Some(format!("no interface has a link: {}", states.collect::<Vec<_>>().join(", ")))
    } else if addresses.clone().next().is_none() {
        Some("no interface with a link has an address".to_owned())
    } else if network.default_routes.is_empty() {
        Some("there is no default route: nothing beyond the own networks can be reached".to_owned())
    } else {
        None
    };
    let (finding, summary) = match missing {
        Some(words) => (Finding::Attention, words),
        None => (Finding::Ok, summary(network, linked().count(), addresses.map(String::as_str).next())),
    };
    Report::done(finding, summary).data(network).text(lines(network))
}

/// `10.20.0.5/24, 1 link, default route by 10.20.0.1, 2 name servers`.
fn summary(network: &Network, links: usize, address: Option<&str>) -> String {
    let route = network.default_routes.iter().min_by_key(|route| (route.version, route.metric));
    let by = route.map(|route| match route.gateway {
        Some(gateway) => gateway.to_string(),
        None => route.interface.clone(),
    });
    let (links, servers) = (links as u64, network.resolver.servers.len() as u64);
    format!(
        "{}, {}, default route by {}, {}",
        address.unwrap_or_default(),
        counted(links, "link"),
        by.unwrap_or_default(),
        counted(servers, "name server")
    )
}

/// What the data has, for people.
fn lines(network: &Network) -> String {
    let mut text = String::new();
    for each in &network.interfaces {
        let mac = each.mac.as_deref().unwrap_or("-");
        let addresses = each.addresses.join(" ");
        let _ = writeln!(
            text,
            "{}: {}, {mac}, MTU {}, {addresses}",
            each.name,
            each.state.words(),
            each.mtu_bytes
        );
    }
    for route in &network.default_routes {
        let gateway = route.gateway.map(|gateway| format!("by {gateway} ")).unwrap_or_default();
        let _ = writeln!(
            text,
            "default route, version {}: {gateway}on {}, metric {}",
            route.version, route.interface, route.metric
        );
    }
    for server in &network.resolver.servers {
        let _ = writeln!(text, "name server {server}");
    }
    for proxy in &network.proxies {
        let _ = writeln!(text, "{}={}", proxy.variable, proxy.value);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(state: LinkState, addresses: &[&str], routes: &[&str]) -> Network {
        let interface = |name: &str, state, is_loopback, addresses: &[&str]| Interface {
            name: name.into(),
            state,
            is_loopback,
            mac: None,
            mtu_bytes: 1_500,
            addresses: addresses.iter().map(|address| (*address).to_owned()).collect(),
        };
        let route = |gateway: &&str| Route {
            interface: "eth0".into(),
            gateway: gateway.parse().ok(),
            version: 4,
            metric: 0,
        };
        Network {
            interfaces: vec![
                interface("lo", LinkState::Up, true, &[]),
                interface("eth0", state, false, addresses),
            ],
            default_routes: routes.iter().map(route).collect(),
            resolver: Resolver::default(),
            proxies: Vec::new(),
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let fine = made(LinkState::Up, &["10.20.0.5/24"], &["10.20.0.1"]);
        let result = report(&fine).result;
        let words = "10.20.0.5/24, 1 link, default route by 10.20.0.1, 0 name servers";
        assert_eq!((result.finding, result.summary.as_str()), (Finding::Ok, words));
        for (network, words) in [
            (
                made(LinkState::NoLink, &["10.20.0.5/24"], &["10.20.0.1"]),
                "no interface has a link: eth0 no link",
            ),
            (made(LinkState::Up, &["fe80::1/64"], &["10.20.0.1"]), "no interface with a link has an address"),
            (made(LinkState::Up, &["10.20.0.5/24"], &[]), "there is no default route"),
        ] {
            let result = report(&network).result;
            assert_eq!(result.finding, Finding::Attention);
            assert!(result.summary.starts_with(words), "{}", result.summary);
        }
    }

    #[test]
    fn this_machine_has_loopback_and_what_its_kernel_lists() {
        let network = platform::network();
        let loopback = network.interfaces.iter().find(|interface| interface.is_loopback).unwrap();
        assert_eq!((loopback.name.as_str(), loopback.mac.as_deref()), ("lo", None));
        let listed = std::fs::read_to_string("/proc/net/dev").unwrap();
        for interface in &network.interfaces {
            assert!(listed.contains(&format!("{}:", interface.name)), "{}", interface.name);
            assert!(interface.mtu_bytes > 0);
        }
        eprintln!("{}", lines(&network));
    }
}
