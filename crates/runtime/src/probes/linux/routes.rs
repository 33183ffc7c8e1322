//! The ways out of the machine: default routes, from `/proc/net`.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::probes::network_config::Route;

/// Most default routes told.
const ROUTES_MAX: usize = 32;
/// `RTF_UP`; `RTF_REJECT`: a route that refuses (linux/route.h).
const UP: u32 = 0x1;
const REJECT: u32 = 0x200;

/// The default routes of both versions that are up.
pub(super) fn default_routes() -> Vec<Route> {
    let four = fs::read_to_string("/proc/net/route").unwrap_or_default();
    let six = fs::read_to_string("/proc/net/ipv6_route").unwrap_or_default();
    let mut routes: Vec<Route> =
        four.lines().filter_map(route_4).chain(six.lines().filter_map(route_6)).collect();
    routes.truncate(ROUTES_MAX);
    routes
}

/// Columns: interface, destination, gateway, flags, references, use, metric, mask; addresses as the numbers that this
/// machine has in memory.
fn route_4(line: &str) -> Option<Route> {
    let columns: Vec<&str> = line.split_ascii_whitespace().collect();
    let [interface, destination, gateway, flags, _, _, metric, mask, ..] = columns[..] else { return None };
    let number = |text| u32::from_str_radix(text, 16).ok();
    let is_default = number(destination)? == 0 && number(mask)? == 0;
    let gateway = Ipv4Addr::from(number(gateway)?.to_ne_bytes());
    (is_default && is_way(number(flags)?)).then(|| Route {
        interface: interface.to_owned(),
        gateway: Some(IpAddr::V4(gateway)).filter(|gateway| !gateway.is_unspecified()),
        version: 4,
        metric: metric.parse().unwrap_or_default(),
    })
}

/// Columns: destination, its prefix, source, its prefix, next hop, metric, references, use, flags, interface; all in
/// hexadecimal.
fn route_6(line: &str) -> Option<Route> {
    let columns: Vec<&str> = line.split_ascii_whitespace().collect();
    let [destination, prefix, _, _, gateway, metric, _, _, flags, interface] = columns[..] else {
        return None;
    };
    let number = |text| u32::from_str_radix(text, 16).ok();
    let address = |text| u128::from_str_radix(text, 16).ok().map(Ipv6Addr::from);
    let is_default = address(destination)?.is_unspecified() && number(prefix)? == 0;
    let gateway = address(gateway)?;
    // Where there is no way the kernel lists a default route that refuses, on loopback.
    (is_default && is_way(number(flags)?) && interface != "lo").then(|| Route {
        interface: interface.to_owned(),
        gateway: Some(IpAddr::V6(gateway)).filter(|gateway| !gateway.is_unspecified()),
        version: 6,
        metric: number(metric).unwrap_or_default(),
    })
}

fn is_way(flags: u32) -> bool {
    flags & UP != 0 && flags & REJECT == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn default_routes_are_told_from_the_others() {
        let four = "eth0\t00000000\t010200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0";
        let route = route_4(four).unwrap();
        let gateway = if cfg!(target_endian = "little") { [192, 0, 2, 1] } else { [1, 2, 0, 192] };
        assert_eq!((route.gateway, route.metric), (Some(IpAddr::from(gateway)), 100));
        assert_eq!(route_4("eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0"), None);
        assert_eq!(route_4("Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask"), None);
        let zeros = "0".repeat(32);
        let six = |flags: &str, interface: &str| {
            let gateway = format!("fe80{}1", "0".repeat(27));
            route_6(&format!(
                "{zeros} 00 {zeros} 00 {gateway} 00000400 00000001 00000000 {flags} {interface}"
            ))
        };
        let route = six("00000003", "eth0").unwrap();
        assert_eq!((route.gateway, route.metric), (Some("fe80::1".parse().unwrap()), 1024));
        assert_eq!(six("00200200", "lo"), None);
        assert_eq!(six("00000002", "eth0"), None);
    }

    proptest! {
        #[test]
        fn any_line_is_read_or_skipped(line in "[0-9a-fA-F]{0,40}( [0-9a-zA-Z]{0,34}){0,12}") {
            let _ = (route_4(&line), route_6(&line));
        }
    }
}
