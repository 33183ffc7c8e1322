//! The environment of commands: a short list of variables, and nothing that the service was started with.
//!
//! The service's own environment holds the password of a proxy and whatever an administrator gave it. A command that
//! prints its environment would write that into the record. `docs/probes.md` lists what commands get.

use std::ffi::OsString;
use std::fs;

/// Where programs are looked up, if the service has no `PATH`.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Taken from the service where it has them: where its machine keeps programs, and the time zone it was given.
const TAKEN_OVER: [&str; 2] = ["PATH", "TZ"];
/// Largest list of users read.
const USERS_BYTES_MAX: usize = 1024 * 1024;

/// All variables that a command starts with.
pub(super) fn of_commands() -> Vec<(&'static str, OsString)> {
    let user =
        User::of(&fs::read_to_string("/etc/passwd").unwrap_or_default(), rustix::process::geteuid().as_raw());
    let mut variables: Vec<(&'static str, OsString)> = vec![
        ("PATH", PATH.into()),
        ("HOME", user.home.into()),
        ("USER", user.name.clone().into()),
        ("LOGNAME", user.name.into()),
        ("SHELL", "/bin/sh".into()),
        // The same words and numbers on every machine.
        ("LANG", "C.UTF-8".into()),
    ];
    for name in TAKEN_OVER {
        if let Some(value) = std::env::var_os(name).filter(|value| !value.is_empty()) {
            variables.retain(|(known, _)| *known != name);
            variables.push((name, value));
        }
    }
    variables
}

/// Whom commands run as.
#[derive(Debug, PartialEq, Eq)]
struct User {
    name: String,
    home: String,
}

impl User {
    /// The user of that id in a passwd(5); one that is not in it is called by its number and lives in `/`.
    fn of(list: &str, id: u32) -> Self {
        let list = list.get(..list.len().min(USERS_BYTES_MAX)).unwrap_or_default();
        let known = list.lines().find_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            let [name, _, number, _, _, home, ..] = fields[..] else { return None };
            (number.parse() == Ok(id)).then(|| Self { name: name.to_owned(), home: home.to_owned() })
        });
        let mut user = known.unwrap_or_else(|| Self { name: id.to_string(), home: String::new() });
        if user.home.is_empty() {
            "/".clone_into(&mut user.home);
        }
        user
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_run_at_the_home_of_their_user() {
        let list = "root:x:0:0:root:/root:/bin/sh\nbroken\nmotion:x:1001:7:::/bin/false\n";
        let user = |name: &str, home: &str| User { name: name.into(), home: home.into() };
        assert_eq!(User::of(list, 0), user("root", "/root"));
        assert_eq!(User::of(list, 1_001), user("motion", "/"));
        assert_eq!(User::of(list, 7), user("7", "/"));
    }
}
