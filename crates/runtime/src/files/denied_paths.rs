//! Paths that no check reads unless enrolment opened them.
//!
//! A rule is a few components of a path, wherever they stand in it: `etc/shadow` is denied in the root of a container
//! and behind a bind mount too. What lies below is denied with it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::Secret;

/// One rule.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    /// Components; `*` in one stands for any bytes. With a leading `/` it is known where they lie on this machine, with
    /// `~/` in which folders.
    pub(super) path: &'static str,
    pub(super) secret: Secret,
}

const HASHES: Secret = Secret::new("password hashes");
const KEYS: Secret = Secret::new("private keys");
const PASSWORDS: Secret = Secret::new("passwords or tokens");
const SETTINGS: Secret = Secret::new("Tidegate's configuration or data");
const KERNEL: Secret = Secret::new("memory or secrets of the kernel");

const fn rule(path: &'static str, secret: Secret) -> Rule {
    Rule { path, secret }
}

/// All of them; `docs/probes.md` has the same list.
pub(super) const RULES: &[Rule] = &[
    rule("/etc/shadow*", HASHES),
    rule("/etc/gshadow*", HASHES),
    rule("/etc/security/opasswd*", HASHES),
    rule("/var/backups/*shadow*", HASHES),
    rule("Windows/System32/config", HASHES),
    rule("/etc/ssh/ssh_host_*_key", KEYS),
    rule("~/.ssh", KEYS),
    rule("~/.gnupg", KEYS),
    rule("/etc/ssl/private", KEYS),
    rule("/etc/pki/tls/private", KEYS),
    rule("/etc/letsencrypt", KEYS),
    rule("/etc/wireguard", KEYS),
    rule("/etc/ipsec.d/private", KEYS),
    rule("/etc/swanctl/private", KEYS),
    rule("/etc/kubernetes", KEYS),
    rule("/etc/dropbear", KEYS),
    rule("*.key", KEYS),
    rule("*.ppk", KEYS),
    rule("*.p12", KEYS),
    rule("*.pfx", KEYS),
    rule("*.jks", KEYS),
    rule("*.keytab", KEYS),
    rule("*.kdbx", PASSWORDS),
    rule("/etc/tidegate", SETTINGS),
    rule("/var/lib/tidegate*", SETTINGS),
    rule("~/.config/tidegate", SETTINGS),
    rule("/etc/ipsec.secrets", PASSWORDS),
    rule("/etc/ppp/*-secrets", PASSWORDS),
    rule("/etc/NetworkManager/system-connections", PASSWORDS),
    rule("/run/NetworkManager/system-connections", PASSWORDS),
    rule("wpa_supplicant*.conf", PASSWORDS),
    rule("/etc/netplan", PASSWORDS),
    rule("/run/netplan", PASSWORDS),
    rule("hostapd*.conf", PASSWORDS),
    rule("*.htpasswd", PASSWORDS),
    rule("autoinstall-user-data", PASSWORDS),
    rule("/etc/credstore*", PASSWORDS),
    rule("/run/credstore*", PASSWORDS),
    rule("/run/credentials", PASSWORDS),
    rule("/run/secrets", PASSWORDS),
    rule("/var/lib/systemd/credential.secret", PASSWORDS),
    rule("/etc/mysql/debian.cnf", PASSWORDS),
    rule("~/.aws", PASSWORDS),
    rule("~/.azure", PASSWORDS),
    rule("~/.config/gcloud", PASSWORDS),
    rule("~/.kube", PASSWORDS),
    rule("~/.docker/config.json", PASSWORDS),
    rule("~/.netrc", PASSWORDS),
    rule("~/.pgpass", PASSWORDS),
    rule("~/.my.cnf", PASSWORDS),
    rule("~/.git-credentials", PASSWORDS),
    rule("~/.password-store", PASSWORDS),
    rule("~/.vault-token", PASSWORDS),
    rule("~/.*_history", PASSWORDS),
    rule("/swapfile", KERNEL),
    rule("/swap.img", KERNEL),
    rule("/var/crash", KERNEL),
    rule("/dev/mem", KERNEL),
    rule("/dev/kmem", KERNEL),
    rule("/dev/port", KERNEL),
    rule("/sys/firmware/efi/efivars", KERNEL),
    rule("/sys/kernel/debug", KERNEL),
    rule("/sys/kernel/tracing", KERNEL),
];

/// What of a process may be read: none of it shows its memory, its environment or what it was started with.
const OF_A_PROCESS: [&str; 12] = [
    "net",
    "mounts",
    "mountinfo",
    "mountstats",
    "status",
    "stat",
    "statm",
    "limits",
    "cgroup",
    "oom_score",
    "schedstat",
    "sched",
];
/// What of the kernel may not.
const OF_THE_KERNEL: [&str; 10] = [
    "kcore",
    "kmsg",
    "keys",
    "key-users",
    "kallsyms",
    "kpage*",
    "vmcore",
    "vmallocinfo",
    "sysrq-trigger",
    "*secret*",
];

/// Why the path is denied; `None`: it is not.
pub(super) fn secret_of(real: &Path) -> Option<Secret> {
    let components: Vec<&[u8]> = real.iter().map(OsStr::as_bytes).collect();
    let is_denied = |rule: &&Rule| {
        let wanted: Vec<&str> = rule.components().collect();
        components
            .windows(wanted.len())
            .any(|part| part.iter().zip(&wanted).all(|(has, wants)| fits(wants, has)))
    };
    RULES.iter().find(is_denied).map(|rule| rule.secret)
}

/// Why a file of procfs is denied, wherever that is mounted; `None`: it is not.
pub(super) fn secret_of_proc(real: &Path, is_folder: bool) -> Option<Secret> {
    let components: Vec<&[u8]> = real.iter().map(OsStr::as_bytes).collect();
    let is_number = |part: &&[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    // Below `sys` a number is a setting's name.
    let process = components.iter().position(is_number).filter(|_| !components.contains(&&b"sys"[..]));
    let is_denied = match process {
        Some(at) => match components.get(at + 1) {
            None => !is_folder,
            Some(first) => !OF_A_PROCESS.iter().any(|allowed| allowed.as_bytes() == *first),
        },
        None => components.iter().any(|part| OF_THE_KERNEL.iter().any(|denied| fits(denied, part))),
    };
    is_denied.then_some(Secret::new("memory, environment or secrets of a process or of the kernel"))
}

impl Rule {
    /// Its components, without where they lie.
    pub(super) fn components(&self) -> impl Iterator<Item = &'static str> {
        self.path.split('/').filter(|part| !part.is_empty() && *part != "~")
    }
}

/// Whether a component fits a pattern with any number of `*`. Upper and lower case count the same, because they do on
/// some file systems.
pub(super) fn fits(pattern: &str, component: &[u8]) -> bool {
    let mut parts = pattern.as_bytes().split(|byte| *byte == b'*');
    let first = parts.next().unwrap_or_default();
    let lower = component.to_ascii_lowercase();
    let Some(mut rest) = lower.strip_prefix(first.to_ascii_lowercase().as_slice()) else { return false };
    let parts: Vec<&[u8]> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        match memchr::memmem::find(rest, &part.to_ascii_lowercase()) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(&last.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_of_probes_lists_every_rule() {
        let page =
            std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/probes.md")).unwrap();
        for secret in [HASHES, KEYS, PASSWORDS, SETTINGS, KERNEL] {
            let paths =
                RULES.iter().filter(|rule| rule.secret == secret).map(|rule| format!("`{}`", rule.path));
            let row = format!("| {}: {} | yes |", secret.holds, paths.collect::<Vec<_>>().join(", "));
            assert!(page.contains(&row), "docs/probes.md must have the row\n{row}");
        }
    }

    #[test]
    fn a_rule_holds_wherever_its_components_stand() {
        for path in [
            "/etc/shadow",
            "/etc/shadow-",
            "/var/lib/docker/overlay2/ab/diff/etc/shadow",
            "/mnt/backup/etc/gshadow.bak",
            "/etc/ssh/ssh_host_ed25519_key",
            "/home/motion/.ssh/id_ed25519",
            "/home/motion/.SSH/authorized_keys",
            "/opt/app/server.key",
            "/etc/ssl/private/server.pem",
            "/etc/tidegate/runtime.env",
            "/var/lib/tidegate-runtime/state.db",
            "/home/motion/.bash_history",
            "/dev/mem",
        ] {
            assert!(secret_of(Path::new(path)).is_some(), "{path}");
        }
        for path in [
            "/etc/ssh/ssh_host_ed25519_key.pub",
            "/etc/ssh/sshd_config",
            "/var/log/shadow.log",
            "/etc/ssl/certs/ca.pem",
            "/opt/keys/readme",
            "/",
        ] {
            assert!(secret_of(Path::new(path)).is_none(), "{path}");
        }
    }

    #[test]
    fn of_procfs_only_what_shows_no_memory_is_read() {
        let denied = |path| secret_of_proc(Path::new(path), false).is_some();
        for path in [
            "/proc/1/environ",
            "/proc/1/mem",
            "/proc/1/maps",
            "/proc/1/cmdline",
            "/proc/1/task/7/environ",
            "/proc/kcore",
            "/proc/kmsg",
            "/proc/keys",
            "/mnt/proc/1/environ",
            "/proc/sys/net/ipv6/conf/all/stable_secret",
        ] {
            assert!(denied(path), "{path}");
        }
        for path in [
            "/proc/meminfo",
            "/proc/1/net/dev",
            "/proc/1/mountinfo",
            "/proc/sys/net/ipv4/ip_forward",
            "/proc/mdstat",
        ] {
            assert!(!denied(path), "{path}");
        }
        assert!(secret_of_proc(Path::new("/proc/1"), true).is_none());
    }

    #[test]
    fn a_star_stands_for_any_bytes() {
        assert!(
            fits("ssh_host_*_key", b"ssh_host_rsa_key") && !fits("ssh_host_*_key", b"ssh_host_rsa_key.pub")
        );
        assert!(fits("*shadow*", b"gshadow.bak") && fits("*shadow*", b"shadow") && !fits("*.key", b"key"));
    }
}
