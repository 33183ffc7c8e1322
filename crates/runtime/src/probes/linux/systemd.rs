//! What systemd knows of a unit, asked by systemctl(1).

use tidegate_core::time::Timestamp;

use crate::clock;
use crate::executor::{CommandEnd, CommandLine, StepContext};
use crate::probes::service_status::Service;

/// What is asked; systemd leaves out what a unit or a version does not have. Times are asked on the monotonic clock,
/// because the others are printed for people, in the machine's zone.
const PROPERTIES: [&str; 14] = [
    "Id",
    "Description",
    "LoadState",
    "LoadError",
    "ActiveState",
    "SubState",
    "UnitFileState",
    "Type",
    "Result",
    "MainPID",
    "ExecMainStatus",
    "NRestarts",
    "StateChangeTimestampMonotonic",
    "MemoryCurrent",
];
/// Suffixes of units (systemd.unit(5)); a name without one is a service's.
const SUFFIXES: [&str; 11] = [
    ".service",
    ".socket",
    ".device",
    ".mount",
    ".automount",
    ".swap",
    ".target",
    ".path",
    ".timer",
    ".slice",
    ".scope",
];
/// Exit code of a program that does not exist.
const NOT_FOUND: i32 = 127;

/// The name with its suffix; `None`: no unit can be called that (systemd.unit(5), "Description"). A pattern would
/// stand for many units, a bare number for a job.
pub(in crate::probes) fn unit_name(name: &str) -> Option<String> {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b":-_.\\@".contains(&byte);
    if name.starts_with('-') || !name.bytes().all(is_fit) {
        return None;
    }
    let has_suffix = SUFFIXES.iter().any(|suffix| name.ends_with(suffix));
    Some(if has_suffix { name.to_owned() } else { format!("{name}.service") })
}

/// Asks for the unit of that [name](unit_name).
///
/// # Errors
///
/// In words, where this machine has no systemd or it does not answer.
pub(in crate::probes) async fn service(unit: &str, cx: &StepContext) -> Result<Service, String> {
    let properties = format!("--property={}", PROPERTIES.join(","));
    let arguments = ["show", "--no-pager", &properties, "--", unit].map(str::to_owned).into();
    let line = CommandLine { program: "systemctl".into(), arguments };
    let end = cx.run_command(&line).await.map_err(|error| error.to_string())?;
    judge("systemctl", &end)?;
    read(&end.output.head, monotonic_us()).ok_or_else(|| "systemctl did not say what the unit is".to_owned())
}

/// What a program of systemd that did not succeed has to say.
pub(super) fn judge(program: &str, end: &CommandEnd) -> Result<(), String> {
    match end.exit_code {
        Some(0) => Ok(()),
        Some(NOT_FOUND) => Err(format!("this machine has no `{program}`: it does not run systemd")),
        Some(_) | None => {
            let said = end.error_output.head.lines().next().unwrap_or("it said nothing").to_owned();
            Err(format!("{program} failed: {said}"))
        }
    }
}

/// `None`: not what `systemctl show` prints.
fn read(text: &str, now_us: u64) -> Option<Service> {
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        line.filter(|value| !value.is_empty() && *value != "[not set]").map(str::to_owned)
    };
    let number = |name: &str| value(name).and_then(|value| value.parse::<u64>().ok());
    let changed_us = number("StateChangeTimestampMonotonic").filter(|changed| *changed > 0);
    Some(Service {
        unit: value("Id")?,
        description: value("Description"),
        load_state: value("LoadState")?,
        load_error: value("LoadError"),
        active_state: value("ActiveState")?,
        sub_state: value("SubState").unwrap_or_default(),
        enabled: value("UnitFileState"),
        kind: value("Type"),
        result: value("Result"),
        main_pid: number("MainPID").filter(|pid| *pid > 0),
        exit_code: value("ExecMainStatus").and_then(|code| code.parse().ok()),
        restarts: number("NRestarts"),
        state_since: changed_us.map(|changed| wall_at(now_us.saturating_sub(changed))),
        // Systems without memory accounting say the largest number there is.
        memory_bytes: number("MemoryCurrent").filter(|bytes| *bytes < u64::MAX),
    })
}

fn wall_at(ago_us: u64) -> Timestamp {
    clock::wall().shifted_by_ms(i64::try_from(ago_us / 1_000).map_or(i64::MIN, |ms| -ms))
}

/// `CLOCK_MONOTONIC`, which systemd's times are of; it stands still while the machine sleeps.
fn monotonic_us() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds.saturating_mul(1_000_000) + u64::try_from(time.tv_nsec).unwrap_or(0) / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tidegate_core::sequence::Output;

    /// What systemd 252 printed for a service that had exited with 7.
    const FAILED: &str = "Type=simple\nMainPID=0\nResult=exit-code\nNRestarts=0\nExecMainStatus=7\n\
        MemoryCurrent=[not set]\nId=opcua.service\nDescription=OPC UA client\nLoadState=loaded\n\
        ActiveState=failed\nSubState=failed\nUnitFileState=static\nStateChangeTimestampMonotonic=23379194517\n\
        LoadError=\n";
    /// And for one that it had never heard of.
    const ABSENT: &str = "Type=\nMainPID=0\nResult=success\nNRestarts=0\nExecMainStatus=0\nMemoryCurrent=[not set]\n\
        Id=nosuch.service\nDescription=nosuch.service\nLoadState=not-found\nActiveState=inactive\nSubState=dead\n\
        UnitFileState=\nStateChangeTimestampMonotonic=0\n\
        LoadError=org.freedesktop.systemd1.NoSuchUnit \"Unit nosuch.service not found.\"\n";

    #[test]
    fn a_failed_and_an_unknown_service_are_read() {
        let failed = read(FAILED, 23_379_194_517 + 60_000_000).unwrap();
        assert_eq!((failed.active_state.as_str(), failed.exit_code), ("failed", Some(7)));
        assert_eq!((failed.main_pid, failed.memory_bytes, failed.load_error), (None, None, None));
        let ago = clock::wall().since(failed.state_since.unwrap());
        assert!((60_000..3_600_000).contains(&ago.0), "{ago}");
        let absent = read(ABSENT, 5).unwrap();
        assert_eq!((absent.load_state.as_str(), absent.state_since), ("not-found", None));
    }

    #[test]
    fn names_are_made_units_and_options_patterns_and_jobs_are_not() {
        assert_eq!(unit_name("OpcUaClient").as_deref(), Some("OpcUaClient.service"));
        assert_eq!(unit_name("tmp.mount").as_deref(), Some("tmp.mount"));
        assert_eq!(unit_name("getty@tty1").as_deref(), Some("getty@tty1.service"));
        assert_eq!(unit_name("12").as_deref(), Some("12.service"));
        for wrong in ["-H", "--host=x", "*", "a b", "../x", "ä"] {
            assert_eq!(unit_name(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_machine_without_systemd_is_told_so() {
        let end = |exit_code, said: &str| CommandEnd {
            exit_code: Some(exit_code),
            signal: None,
            output: Output::default(),
            error_output: Output { head: said.into(), ..Output::default() },
            left_behind: 0,
            survivors: 0,
        };
        let absent = judge("systemctl", &end(127, "cannot run"));
        assert_eq!(absent, Err("this machine has no `systemctl`: it does not run systemd".to_owned()));
        let said = "System has not been booted with systemd as init system (PID 1). Can't operate.\nFailed to \
                    connect to bus: Host is down\n";
        assert!(judge("systemctl", &end(1, said)).unwrap_err().ends_with("(PID 1). Can't operate."));
        assert_eq!(judge("systemctl", &end(0, "")), Ok(()));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in any::<String>(), lines in "(Id|LoadState|ActiveState|MainPID)=.*\n{0,9}") {
            let _ = read(&text, 0);
            let _ = read(&lines, u64::MAX);
        }
    }
}
