//! The machine, from `/proc` and `/etc`.

use std::fs;
use std::path::Path;

use tidegate_core::time::Timestamp;

use super::addresses::addresses;
use crate::probes::system_info::{ADDRESSES_MAX, Facts};

/// Reads everything; what cannot be read stays empty or zero.
pub(in crate::probes) fn facts() -> Facts {
    let uname = rustix::system::uname();
    let release =
        ["/etc/os-release", "/usr/lib/os-release"].iter().find_map(|path| fs::read_to_string(path).ok());
    let release = release.unwrap_or_default();
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kernel_counters = fs::read_to_string("/proc/stat").unwrap_or_default();
    let uptime = fs::read_to_string("/proc/uptime").unwrap_or_default();
    let boot_time = word_after(&kernel_counters, "btime").and_then(|seconds| seconds.parse::<i64>().ok());
    Facts {
        hostname: uname.nodename().to_string_lossy().into_owned(),
        os_name: short_name(&release_value(&release, "NAME").unwrap_or_else(|| "Linux".into())),
        os_version: release_value(&release, "VERSION_ID").unwrap_or_default(),
        kernel: uname.release().to_string_lossy().into_owned(),
        architecture: uname.machine().to_string_lossy().into_owned(),
        cpus: cpus(&kernel_counters),
        memory_total_bytes: memory_bytes(&memory, "MemTotal:"),
        // Kernels before 3.14 do not estimate what is available.
        memory_available_bytes: memory_bytes(&memory, "MemAvailable:").max(memory_bytes(&memory, "MemFree:")),
        uptime_seconds: uptime.split('.').next().and_then(|seconds| seconds.parse().ok()).unwrap_or(0),
        booted_at: boot_time.map(|seconds| Timestamp::from_milliseconds(seconds.saturating_mul(1_000))),
        boot_id: fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned(),
        time_zone: time_zone(),
        addresses: addresses(ADDRESSES_MAX),
    }
}

/// `Debian` for `Debian GNU/Linux`.
fn short_name(name: &str) -> String {
    let name = name.strip_suffix("Linux").unwrap_or(name).trim_end_matches('/').trim_end();
    let name = name.strip_suffix("GNU").unwrap_or(name).trim_end();
    if name.is_empty() { "Linux".into() } else { name.into() }
}

/// A value of os-release(5).
fn release_value(release: &str, key: &str) -> Option<String> {
    let value = release.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
    Some(value.trim_matches(['"', '\'']).to_owned())
}

fn cpus(kernel_counters: &str) -> usize {
    let is_one = |line: &&str| {
        line.strip_prefix("cpu").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    kernel_counters.lines().filter(is_one).count()
}

fn memory_bytes(memory: &str, key: &str) -> u64 {
    word_after(memory, key).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0).saturating_mul(1024)
}

fn word_after<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(key)?.split_ascii_whitespace().next())
}

/// The IANA name from `/etc/localtime` or `/etc/timezone`; empty where neither tells it.
fn time_zone() -> String {
    let linked = fs::canonicalize("/etc/localtime").ok();
    let linked =
        linked.as_deref().and_then(Path::to_str).and_then(|path| Some(path.split_once("/zoneinfo/")?.1));
    match linked {
        Some(name) => name.to_owned(),
        None => fs::read_to_string("/etc/timezone").unwrap_or_default().trim().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_what_every_linux_has() {
        assert_eq!(short_name("Debian GNU/Linux"), "Debian");
        assert_eq!(short_name("Arch Linux"), "Arch");
        assert_eq!(short_name("Ubuntu"), "Ubuntu");
        assert_eq!(short_name("Linux"), "Linux");
        assert_eq!(release_value("PRETTY_NAME=x\nNAME=\"Alpine Linux\"", "NAME").unwrap(), "Alpine Linux");
    }
}
