//! The systemd unit, as text.
//!
//! It hardens little, and says in its own comments why: steps run as root to diagnose and mend this machine, and a
//! sandbox around the runtime is one around them.

use std::path::{Path, PathBuf};

/// The unit with places for what differs; its comments go onto the machine with it.
const TEMPLATE: &str = include_str!("unit.service");
/// How a unit begins that this program wrote, and may replace or remove.
const OURS: &str = "# Written by `tidegate-runtime install`";
/// The first systemd whose delay between restarts can grow: `RestartSteps=` (systemd.service(5)).
const GROWING_DELAY_SINCE: u32 = 254;

/// What differs between units.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unit<'a> {
    /// The unit's name, without `.service`.
    pub(super) name: &'a str,
    /// Where the program lies when the unit runs.
    pub(super) program: &'a Path,
    /// The state directory; absolute, without control characters.
    pub(super) state: &'a Path,
    /// A file with variables such as `HTTPS_PROXY`; it need not exist.
    pub(super) environment: &'a Path,
    /// The version of systemd that reads it; `None`: unknown, so nothing recent is used.
    pub(super) systemd: Option<u32>,
    /// Whom it runs as; `None`: root.
    pub(super) user: Option<&'a str>,
}

impl Unit<'_> {
    /// The whole file.
    pub(super) fn text(&self) -> String {
        // A crash loop costs a start in a minute where the delay can grow, and one in five seconds elsewhere.
        let restart = match self.systemd {
            Some(version) if version >= GROWING_DELAY_SINCE => {
                "RestartSec=1\nRestartSteps=6\nRestartMaxDelaySec=60"
            }
            Some(_) | None => "RestartSec=5",
        };
        TEMPLATE
            .replace("@USER@", &self.user.map(user_lines).unwrap_or_default())
            .replace("@RESTART@", restart)
            .replace("@NAME@", self.name)
            .replace("@PROGRAM@", &quoted(self.program))
            .replace("@ENVIRONMENT@", &self.environment.to_string_lossy().replace('%', "%%"))
            .replace("@STATE@", &quoted(self.state))
    }
}

/// Whether this program wrote the unit.
pub(super) fn is_ours(text: &str) -> bool {
    text.starts_with(OURS)
}

/// The state directory that a unit of ours names.
pub(super) fn state_of(text: &str) -> Option<PathBuf> {
    let (_, section) = text.split_once("[X-Tidegate]")?;
    let value = section.lines().find_map(|line| line.strip_prefix("State="))?;
    Some(unquoted(value).into())
}

/// The user that a unit of ours runs as; `None`: root.
pub(super) fn user_of(text: &str) -> Option<String> {
    text.lines().find_map(|line| line.strip_prefix("User=")).map(str::to_owned)
}

/// No capabilities besides: a step would have them too. Ping needs none where `net.ipv4.ping_group_range` allows it.
fn user_lines(user: &str) -> String {
    format!(
        "# Given by `install --user`: steps see and do what this user may. `tidegate-runtime doctor` says what does not\n\
         # work then. A repeat without --user keeps it; `--user root` takes it back.\nUser={user}\n"
    )
}

/// A path as one word of a unit (systemd.syntax(7), and systemd.service(5) for `$`): plain where that does.
fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "/._-+:@,=".contains(character);
    if text.chars().all(is_plain) {
        return text.into_owned();
    }
    let escaped = text.replace('\\', r"\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$");
    format!("\"{escaped}\"")
}

fn unquoted(word: &str) -> String {
    let Some(inner) = word.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return word.to_owned();
    };
    let mut plain = String::new();
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        plain.push(match character {
            // Each of these is followed by what it stands for.
            '\\' | '%' | '$' => characters.next().unwrap_or(character),
            other => other,
        });
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(state: &str, systemd: Option<u32>) -> String {
        with_user(state, systemd, None)
    }

    fn with_user(state: &str, systemd: Option<u32>, user: Option<&str>) -> String {
        let (program, environment) =
            (Path::new("/usr/local/bin/tidegate-runtime"), Path::new("/etc/tidegate/runtime.env"));
        Unit { name: "tidegate-runtime", program, state: Path::new(state), environment, systemd, user }.text()
    }

    #[test]
    fn a_unit_names_its_user_and_reads_back() {
        let text = with_user("/s", None, Some("tide.gate"));
        assert!(text.contains("[Service]\n# Given by `install --user`"), "{text}");
        assert_eq!((user_of(&text).as_deref(), user_of(&unit("/s", None))), (Some("tide.gate"), None));
        assert!(!text.contains('@') && !text.contains("AmbientCapabilities"), "{text}");
    }

    #[test]
    fn the_unit_as_it_is_written() {
        insta::assert_snapshot!(unit("/var/lib/tidegate-runtime", Some(252)));
    }

    #[test]
    fn the_delay_between_restarts_grows_where_systemd_knows_how() {
        assert!(unit("/s", Some(254)).contains("\nRestartSec=1\nRestartSteps=6\nRestartMaxDelaySec=60\n"));
        for old in [Some(253), None] {
            assert!(
                unit("/s", old).contains("\nRestartSec=5\n") && !unit("/s", old).contains("RestartSteps=")
            );
        }
    }

    #[test]
    fn a_state_directory_of_any_name_stays_one_word_and_reads_back() {
        for state in ["/var/lib/tidegate-runtime", "/srv/Line 3/100% \"$HOME\" \\o/é"] {
            assert_eq!(state_of(&unit(state, None)).as_deref(), Some(Path::new(state)));
        }
        let text = unit("/srv/Line 3/50%", None);
        assert!(text.contains("run --state \"/srv/Line 3/50%%\" --service tidegate-runtime\n"), "{text}");
        assert!(!text.contains('@'), "every place is filled: {text}");
    }

    #[test]
    fn only_a_unit_of_this_program_is_taken_for_one() {
        assert!(is_ours(&unit("/s", None)));
        assert!(!is_ours("[Unit]\nDescription=OpenBSD Secure Shell server\n"));
        assert_eq!(state_of("[Service]\nState=/elsewhere\n"), None);
    }
}
