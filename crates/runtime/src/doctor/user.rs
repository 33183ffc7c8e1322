//! What does not work where the runtime is not root.

use std::fs;

use super::check::Finding;

/// Groups whose members may read the whole journal (systemd-journald.service(8)).
const JOURNAL_GROUPS: [&str; 3] = ["systemd-journal", "adm", "wheel"];
/// Groups that may open ICMP sockets without privileges (icmp(7)).
const PING_GROUPS: &str = "/proc/sys/net/ipv4/ping_group_range";

/// A user and its groups, as this machine's own lists have them (passwd(5), group(5)).
#[derive(Debug)]
struct Standing {
    name: String,
    groups: Vec<(String, u32)>,
}

/// What steps cannot do as the user of that id.
pub(super) fn limits(id: u32) -> Finding {
    let read = |file| fs::read_to_string(file).unwrap_or_default();
    let standing = Standing::of(id, &read("/etc/passwd"), &read("/etc/group"));
    finding(&standing, &read(PING_GROUPS))
}

fn finding(standing: &Standing, ping_groups: &str) -> Finding {
    let name = &standing.name;
    let (mut missing, mut remedies) = (Vec::new(), Vec::new());
    if !standing.may_ping(ping_groups) {
        missing.push("`ping` fails");
        remedies.push("sysctl -w net.ipv4.ping_group_range='0 2147483647'".to_owned());
    }
    if !standing.reads_journal() {
        missing.push("`event_log` shows only that user's own entries");
        remedies.push(format!("usermod -aG systemd-journal {name}, then restart the service"));
    }
    missing.push("`tail_file` and `file_facts` read only what that user may");
    missing.push("actions change only what that user may: services are restarted by nobody");
    missing.push("a retired runtime cannot remove its own unit");
    remedies.push(
        "for the whole machine run it as root: `tidegate-runtime install --user root`, or `tidegate-runtime run` as root"
            .to_owned(),
    );
    Finding::noted(
        format!("the runtime is user {name}, not root: {}", missing.join("; ")),
        remedies.join("; "),
    )
}

impl Standing {
    fn of(id: u32, users: &str, groups: &str) -> Self {
        let user = users.lines().find_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            let [name, _, number, group, ..] = fields[..] else { return None };
            (number.parse() == Ok(id)).then(|| (name.to_owned(), group.parse::<u32>().ok()))
        });
        let (name, primary) = user.unwrap_or_else(|| (id.to_string(), None));
        let has = |members: &str, group: u32| {
            Some(group) == primary || members.split(',').any(|member| member == name)
        };
        let groups = groups.lines().filter_map(|line| {
            let mut fields = line.split(':');
            let (group, number) = (fields.next()?, fields.nth(1)?.parse().ok()?);
            has(fields.next().unwrap_or_default(), number).then(|| (group.to_owned(), number))
        });
        let groups = groups.collect();
        Self { name, groups }
    }

    fn reads_journal(&self) -> bool {
        self.groups.iter().any(|(group, _)| JOURNAL_GROUPS.contains(&group.as_str()))
    }

    fn may_ping(&self, range: &str) -> bool {
        let mut ends = range.split_ascii_whitespace().filter_map(|end| end.parse::<u32>().ok());
        let (Some(first), Some(last)) = (ends.next(), ends.next()) else { return false };
        self.groups.iter().any(|(_, number)| (first..=last).contains(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::check::Trouble;

    const USERS: &str = "root:x:0:0:root:/root:/bin/sh\ntidegate:x:990:990::/:/usr/sbin/nologin\n";
    const GROUPS: &str = "root:x:0:\ntidegate:x:990:\nsystemd-journal:x:101:motion,tidegate\n";

    fn said(groups: &str, ping: &str) -> (String, String) {
        match finding(&Standing::of(990, USERS, groups), ping) {
            Finding::Noted(Trouble { said, remedy }) => (said, remedy),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_the_user_lacks_is_named_with_its_remedy() {
        let (all, remedy) = said("tidegate:x:990:\n", "1\t0\n");
        assert!(
            all.starts_with("the runtime is user tidegate, not root: `ping` fails; `event_log` shows"),
            "{all}"
        );
        assert!(
            remedy.contains("ping_group_range") && remedy.contains("systemd-journal tidegate"),
            "{remedy}"
        );
        let (less, remedy) = said(GROUPS, "0\t2147483647\n");
        assert!(!less.contains("ping") && !less.contains("event_log") && less.contains("own unit"), "{less}");
        assert!(!remedy.contains("usermod") && remedy.contains("--user root"), "{remedy}");
    }

    #[test]
    fn a_user_that_no_list_has_goes_by_its_number() {
        let standing = Standing::of(4_000, USERS, GROUPS);
        assert_eq!((standing.name.as_str(), standing.groups.len()), ("4000", 0));
    }
}
