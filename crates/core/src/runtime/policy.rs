//! What an endpoint lets run. Orders alone can only narrow it (design, section 6).

use serde_json::{Map, Value};

use crate::wire::Policy;

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

    /// This policy narrowed by `other`: what both allow.
    #[must_use]
    pub fn narrowed_by(&self, other: &Self) -> Self {
        Self {
            shell: self.shell && other.shell,
            probes: narrowed(self.probes.as_deref(), other.probes.as_deref(), |name, allowed| {
                name == allowed
            }),
            paths: narrowed(self.paths.as_deref(), other.paths.as_deref(), is_inside),
        }
    }
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
        Policy { shell, probes: list(probes), paths: list(paths) }
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

    #[test]
    fn policies_that_share_nothing_allow_nothing() {
        let one = policy(true, Some(&["ping"]), None);
        let narrowed = one.narrowed_by(&policy(true, Some(&["shell"]), None));
        assert!(narrowed.forbids("ping", &Map::new()).is_some());
    }
}
