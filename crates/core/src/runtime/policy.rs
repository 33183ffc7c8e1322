//! What an endpoint lets run. Orders alone can only narrow it (design, section 6).

use core::net::IpAddr;

use serde_json::{Map, Value};

use crate::destination::{Destination, is_metadata, is_metadata_name};
use crate::wire::Policy;

/// Most destinations of a policy, and most denied paths that it opens.
pub const POLICY_ENTRIES_MAX: usize = 64;

/// The argument that is a path to look at: the convention of all probes that do. A probe without it looks at no file of
/// the asker's choice.
const PATH_ARGUMENT: &str = "path";

impl Policy {
    /// Why a step may not run; `None`: it may.
    pub fn forbids(&self, probe: &str, with: &Map<String, Value>) -> Option<String> {
        if probe == "shell" && !self.shell {
            return Some("this machine's policy forbids shell".to_owned());
        }
        if self.probes.as_ref().is_some_and(|allowed| allowed.iter().all(|name| name != probe)) {
            return Some(format!("this machine's policy does not allow `{probe}`"));
        }
        let path = with.get(PATH_ARGUMENT).and_then(Value::as_str)?;
        let folders = self.paths.as_ref()?;
        if folders.iter().any(|folder| is_inside(path, folder)) {
            return None;
        }
        Some(format!(
            "this machine's policy does not allow to read `{path}`; allowed: {}",
            folders.join(", ")
        ))
    }

    /// Why a check may not connect to `address`; `None`: it may. `host` is what the step asked for, a name or the
    /// address as text; no port stands for ICMP. To be asked for every address and every attempt, redirects included.
    pub fn forbids_address(&self, host: &str, address: IpAddr, port: Option<u16>) -> Option<String> {
        let place = port.map_or_else(
            || address.to_string(),
            |port| core::net::SocketAddr::new(address, port).to_string(),
        );
        if is_metadata(address) {
            let is_named = self.destinations().any(|each| each.is_exactly(address, port));
            return (!is_named).then(|| metadata_words(&place, &address.to_string()));
        }
        let listed = self.net.as_ref()?;
        let is_covered = self.destinations().any(|each| each.covers(host, address, port));
        (!is_covered).then(|| unlisted_words(&place, listed))
    }

    /// Why a check may not ask a proxy for `host`, which the proxy resolves; `None`: it may. A name must be allowed by
    /// name, because the address is not known here.
    pub fn forbids_name(&self, host: &str, port: u16) -> Option<String> {
        if let Ok(address) = host.parse() {
            return self.forbids_address(host, address, Some(port));
        }
        let place = format!("{host}:{port}");
        if is_metadata_name(host) {
            return Some(metadata_words(&place, host));
        }
        let listed = self.net.as_ref()?;
        let is_covered = self.destinations().any(|each| each.covers_name(host, Some(port)));
        (!is_covered).then(|| unlisted_words(&place, listed))
    }

    fn destinations(&self) -> impl Iterator<Item = Destination> {
        self.net.iter().flatten().filter_map(|text| text.parse().ok())
    }

    /// This policy narrowed by `other`: what both allow.
    #[must_use]
    pub fn narrowed_by(&self, other: &Self) -> Self {
        Self {
            shell: self.shell && other.shell,
            probes: narrowed(self.probes.as_deref(), other.probes.as_deref(), |name, allowed| {
                name == allowed
            }),
            paths: narrowed(self.paths.as_deref(), other.paths.as_deref(), is_inside),
            net: narrowed_net(self, other),
            // Nothing is open by default, so an order alone opens nothing.
            allow_denied: match (&self.allow_denied, &other.allow_denied) {
                (None, _) => None,
                (Some(ours), None) => Some(ours.clone()),
                (Some(ours), Some(theirs)) => narrowed(Some(ours), Some(theirs), is_inside),
            },
        }
    }
}

fn metadata_words(place: &str, address: &str) -> String {
    format!(
        "{place} is a cloud's metadata service, which hands out this machine's credentials: no check reaches it. Only \
         enrolling the machine again with `--allow-net {address}` allows it"
    )
}

fn unlisted_words(place: &str, listed: &[String]) -> String {
    let allowed = if listed.is_empty() { "nothing".to_owned() } else { listed.join(", ") };
    format!(
        "this machine's policy does not allow checks to reach {place}; allowed: {allowed}. Only enrolling the machine \
         again with `--allow-net` allows more"
    )
}

/// What both allow. Nothing but metadata services is closed by default, so a list of `other` stands alone, without
/// those.
fn narrowed_net(ours: &Policy, other: &Policy) -> Option<Vec<String>> {
    let mut both: Vec<String> = match (&ours.net, &other.net) {
        (None, None) => return None,
        (Some(only), None) => return Some(only.clone()),
        (None, Some(_)) => {
            other.destinations().filter(|each| !each.is_metadata()).map(|each| each.to_string()).collect()
        }
        (Some(_), Some(_)) => {
            let theirs: Vec<Destination> = other.destinations().collect();
            let shared = |one: Destination| {
                theirs
                    .iter()
                    .filter_map(|two| one.shared_with(two))
                    .map(|both| both.to_string())
                    .collect::<Vec<_>>()
            };
            ours.destinations().flat_map(shared).collect()
        }
    };
    both.sort();
    both.dedup();
    // Fewer allow less.
    both.truncate(POLICY_ENTRIES_MAX);
    Some(both)
}

/// What both lists allow; `within(a, b)`: `a` lies within what `b` allows.
fn narrowed(
    ours: Option<&[String]>,
    theirs: Option<&[String]>,
    within: impl Fn(&str, &str) -> bool,
) -> Option<Vec<String>> {
    let (ours, theirs) = match (ours, theirs) {
        (None, None) => return None,
        (Some(only), None) | (None, Some(only)) => return Some(only.to_vec()),
        (Some(ours), Some(theirs)) => (ours, theirs),
    };
    let kept_of = |list: &[String], other: &[String]| -> Vec<String> {
        list.iter().filter(|item| other.iter().any(|allowed| within(item, allowed))).cloned().collect()
    };
    let mut both = kept_of(ours, theirs);
    both.extend(kept_of(theirs, ours));
    both.sort();
    both.dedup();
    Some(both)
}

/// Whether `path` lies in `folder`, by its words alone: a path that climbs (`..`) lies nowhere. The probe judges once
/// more what it opened, links resolved.
fn is_inside(path: &str, folder: &str) -> bool {
    let parts = |path: &str| -> Vec<String> {
        path.split(['/', '\\']).filter(|part| !part.is_empty() && *part != ".").map(str::to_owned).collect()
    };
    let (path, folder) = (parts(path), parts(folder));
    !path.iter().any(|part| part == "..") && path.starts_with(&folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(shell: bool, probes: Option<&[&str]>, paths: Option<&[&str]>) -> Policy {
        let list =
            |items: Option<&[&str]>| items.map(|items| items.iter().map(|item| (*item).to_owned()).collect());
        Policy { shell, probes: list(probes), paths: list(paths), ..Policy::default() }
    }

    fn reads(path: &str) -> Map<String, Value> {
        Map::from_iter([("path".to_owned(), Value::from(path))])
    }

    #[test]
    fn a_file_probe_reads_only_in_the_allowed_folders() {
        let policy = policy(true, None, Some(&["/var/log"]));
        assert_eq!(policy.forbids("tail_file", &reads("/var/log/syslog")), None);
        for path in ["/etc/shadow", "/var/log/../../etc/shadow", "/var/logs/x", "/var"] {
            assert!(policy.forbids("tail_file", &reads(path)).is_some(), "{path}");
        }
    }

    #[test]
    fn every_probe_with_a_path_keeps_to_the_folders_and_to_the_list() {
        let listed = ["tail_file", "file_facts", "disk_usage"];
        let narrow = policy(true, Some(&listed), Some(&["/var/log"]));
        for probe in listed {
            assert_eq!(narrow.forbids(probe, &reads("/var/log/app/x")), None, "{probe}");
            let reason = narrow.forbids(probe, &reads("/etc/shadow")).unwrap();
            assert_eq!(
                reason, "this machine's policy does not allow to read `/etc/shadow`; allowed: /var/log",
                "{probe}"
            );
        }
        assert_eq!(narrow.forbids("disk_usage", &Map::new()), None);
        for probe in ["event_log", "http_check", "processes", "service_status"] {
            assert!(narrow.forbids(probe, &Map::new()).is_some(), "{probe}");
        }
    }

    #[test]
    fn an_order_never_widens_a_policy() {
        let narrow = policy(false, Some(&["ping"]), Some(&["/var/log/app"]));
        let wide = policy(true, Some(&["ping", "shell"]), Some(&["/var", "/etc"]));
        assert_eq!(narrow.narrowed_by(&wide), narrow);
        assert_eq!(wide.narrowed_by(&narrow), narrow);
        assert_eq!(narrow.narrowed_by(&Policy::default()), narrow);
    }

    fn reaching(net: &[&str]) -> Policy {
        Policy { net: Some(net.iter().map(|text| (*text).to_owned()).collect()), ..Policy::default() }
    }

    fn reaches(policy: &Policy, host: &str, address: &str, port: Option<u16>) -> bool {
        policy.forbids_address(host, address.parse().unwrap(), port).is_none()
    }

    #[test]
    fn a_check_reaches_what_is_listed_and_without_a_list_all_but_metadata() {
        let plant = reaching(&["10.20.0.0/16:44818", "plc7.plant:502"]);
        assert!(reaches(&plant, "x", "10.20.1.1", Some(44_818)));
        assert!(reaches(&plant, "plc7.plant", "192.0.2.7", Some(502)));
        for (host, address, port) in
            [("x", "10.20.1.1", Some(80)), ("x", "10.21.1.1", Some(44_818)), ("x", "127.0.0.1", None)]
        {
            assert!(!reaches(&plant, host, address, port), "{address} {port:?}");
        }
        let open = Policy::default();
        for address in ["127.0.0.1", "169.254.7.7", "fe80::1", "10.0.0.1", "::1"] {
            assert!(reaches(&open, "x", address, Some(80)), "{address}");
        }
        for address in ["169.254.169.254", "::ffff:169.254.169.254", "fd00:ec2::254", "64:ff9b::a9fe:a9fe"] {
            for net in [&[][..], &["0.0.0.0/0", "::/0"], &["169.254.0.0/16"], &["innocent.example"]] {
                assert!(
                    !reaches(&reaching(net), "innocent.example", address, Some(80)),
                    "{address} by {net:?}"
                );
            }
            assert!(!reaches(&open, "innocent.example", address, Some(80)), "{address}");
        }
        let named = reaching(&["169.254.169.254:80"]);
        assert!(reaches(&named, "x", "169.254.169.254", Some(80)));
        assert!(reaches(&named, "x", "::ffff:169.254.169.254", Some(80)));
        assert!(!reaches(&named, "x", "169.254.169.254", Some(8080)));
    }

    #[test]
    fn through_a_proxy_a_name_is_allowed_by_name_alone() {
        let plant = reaching(&["10.0.0.0/8", "plc7.plant"]);
        assert_eq!(plant.forbids_name("plc7.plant", 80), None);
        assert_eq!(plant.forbids_name("10.1.2.3", 80), None);
        for host in ["plc8.plant", "metadata.google.internal", "0xA9FEA9FE", "169.254.169.254"] {
            assert!(plant.forbids_name(host, 80).is_some(), "{host}");
        }
        assert_eq!(Policy::default().forbids_name("plc8.plant", 80), None);
        assert!(Policy::default().forbids_name("metadata.google.internal.", 80).is_some());
    }

    #[test]
    fn an_order_never_opens_a_place_or_a_denied_path() {
        let open = Policy::default();
        let asked =
            Policy { allow_denied: Some(vec!["/etc/shadow".into()]), ..reaching(&["169.254.169.254"]) };
        let narrowed = open.narrowed_by(&asked);
        assert_eq!((narrowed.allow_denied, narrowed.net), (None, Some(vec![])));
        let plant = reaching(&["0.0.0.0/0", "169.254.0.0/16"]);
        assert_eq!(plant.narrowed_by(&asked).net, Some(vec![]));
        let narrowed =
            reaching(&["10.0.0.0/8:44818", "plc7"]).narrowed_by(&reaching(&["10.20.0.0/16", "plc7:502"]));
        assert_eq!(narrowed.net, Some(vec!["10.20.0.0/16:44818".into(), "plc7:502".into()]));
        let ours = Policy { allow_denied: Some(vec!["/srv/keys".into()]), ..Policy::default() };
        assert_eq!(ours.narrowed_by(&open), ours);
        let less =
            Policy { allow_denied: Some(vec!["/srv/keys/a".into(), "/etc".into()]), ..Policy::default() };
        assert_eq!(ours.narrowed_by(&less).allow_denied, Some(vec!["/srv/keys/a".into()]));
    }

    #[test]
    fn a_destination_that_does_not_parse_allows_nothing() {
        assert!(!reaches(&reaching(&["10.0.0.0/99"]), "x", "10.0.0.1", None));
    }

    #[test]
    fn policies_that_share_nothing_allow_nothing() {
        let one = policy(true, Some(&["ping"]), None);
        let narrowed = one.narrowed_by(&policy(true, Some(&["shell"]), None));
        assert!(narrowed.forbids("ping", &Map::new()).is_some());
    }
}
