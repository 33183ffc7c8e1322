//! The machine's policy as it is given at enrolment.

use std::path::Path;

use clap::Args;
use tidegate_core::destination::Destination;
use tidegate_core::obstacle::{Obstacle, Obstructed};
use tidegate_core::runtime::POLICY_ENTRIES_MAX;
use tidegate_core::wire::Policy;

/// What may run on this machine. Only enrolling it again widens it; an order can narrow it.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "What may run here")]
pub(crate) struct PolicyArguments {
    /// Forbids `shell` on this machine, for good
    #[arg(long)]
    forbid_shell: bool,
    /// Allows only this probe; may be repeated [default: all]
    #[arg(long, value_name = "PROBE")]
    allow_probe: Vec<String>,
    /// Lets checks read only in this folder; may be repeated. Needs --forbid-shell [default: everywhere but what is
    /// denied by default: keys, password files, this runtime's state]
    #[arg(long, value_name = "DIR")]
    allow_path: Vec<String>,
    /// Lets checks read this file or folder although it is denied by default, such as /etc/ssl/private; may be repeated.
    /// Nothing opens this runtime's state
    #[arg(long, value_name = "PATH")]
    allow_denied: Vec<String>,
    /// Lets checks reach only this name or network, with or without a port, such as plc7.plant:502, 10.20.0.0/16 or
    /// [fd00::]/8:80; may be repeated. Needs --forbid-shell [default: everywhere but the metadata services of clouds]
    #[arg(long, value_name = "HOST[:PORT]")]
    allow_net: Vec<String>,
}

impl PolicyArguments {
    /// The policy.
    ///
    /// # Errors
    ///
    /// [`Obstacle::InvalidPolicy`] where one part names what cannot be, or where `shell` would undo it.
    pub(crate) fn policy(self) -> anyhow::Result<Policy> {
        self.check_probes()?;
        for (option, paths) in [("--allow-path", &self.allow_path), ("--allow-denied", &self.allow_denied)] {
            check_paths(option, paths)?;
        }
        check_count("--allow-net", &self.allow_net)?;
        for text in &self.allow_net {
            check_destination(text)?;
        }
        self.check_shell()?;
        let listed = |list: Vec<String>| Some(list).filter(|list| !list.is_empty());
        Ok(Policy {
            shell: !self.forbid_shell,
            probes: listed(self.allow_probe),
            paths: listed(self.allow_path).map(resolved),
            net: listed(self.allow_net),
            allow_denied: listed(self.allow_denied).map(resolved),
        })
    }

    fn check_probes(&self) -> anyhow::Result<()> {
        let known = crate::probes::catalogue();
        let Some(unknown) = self.allow_probe.iter().find(|probe| known.find(probe).is_none()) else {
            return Ok(());
        };
        let names: Vec<_> = known.0.iter().map(|probe| probe.name.as_str()).collect();
        let next = format!("this runtime has: {}", names.join(", "));
        invalid(format!("`{unknown}` is not a probe of this runtime"), &next)
    }

    /// A list of folders or of places limits nothing where `shell` reads and reaches everything.
    fn check_shell(&self) -> anyhow::Result<()> {
        let has_shell = !self.forbid_shell
            && (self.allow_probe.is_empty() || self.allow_probe.iter().any(|probe| probe == "shell"));
        let (option, verb) = match (self.allow_path.is_empty(), self.allow_net.is_empty()) {
            _ if !has_shell => return Ok(()),
            (true, true) => return Ok(()),
            (false, _) => ("--allow-path", "reads every file"),
            (true, false) => ("--allow-net", "reaches every address"),
        };
        invalid(
            format!("{option} limits nothing while `shell` is allowed, which {verb}"),
            &format!(
                "add --forbid-shell, or list the probes with --allow-probe and leave out shell, or leave out {option}"
            ),
        )
    }
}

/// The paths with their links resolved, as far as they exist: a link that changes later changes no policy.
fn resolved(paths: Vec<String>) -> Vec<String> {
    let resolved = |path: String| match std::fs::canonicalize(&path) {
        Ok(real) => real.into_os_string().into_string().unwrap_or(path),
        Err(_) => path,
    };
    paths.into_iter().map(resolved).collect()
}

fn check_paths(option: &str, paths: &[String]) -> anyhow::Result<()> {
    check_count(option, paths)?;
    if let Some(relative) = paths.iter().find(|path| !Path::new(path).is_absolute()) {
        let next = format!("write the whole path: {option} /…/{relative}");
        return invalid(format!("{option} takes absolute paths, not `{relative}`"), &next);
    }
    // A path that climbs would allow nothing, or something else than it seems to.
    if let Some(climbing) = paths.iter().find(|path| path.split('/').any(|part| part == "..")) {
        let next = format!("write the path as `realpath {climbing}` prints it");
        return invalid(format!("{option} takes paths without `..`, not `{climbing}`"), &next);
    }
    Ok(())
}

fn check_destination(text: &str) -> anyhow::Result<()> {
    match text.parse::<Destination>() {
        Ok(_) => Ok(()),
        Err(error) => invalid(
            format!("--allow-net does not take `{text}`: {error}"),
            "write a name or a network, with a port or without: plc7.plant:502, 10.20.0.0/16, 10.20.0.5:44818, \
             [fd00::]/8:80",
        ),
    }
}

fn check_count(option: &str, list: &[String]) -> anyhow::Result<()> {
    if list.len() <= POLICY_ENTRIES_MAX {
        return Ok(());
    }
    let next = "name a folder or a network that holds several of them";
    invalid(
        format!("{option} may be repeated {POLICY_ENTRIES_MAX} times, and stands here {} times", list.len()),
        next,
    )
}

fn invalid(what: String, next: &str) -> anyhow::Result<()> {
    let next = format!("{next}. Nothing was made");
    Err(Obstructed::new(Obstacle::InvalidPolicy, what, next).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(items: &[&str]) -> Vec<String> {
        items.iter().map(|item| (*item).to_owned()).collect()
    }

    fn refusal(arguments: PolicyArguments) -> String {
        arguments.policy().unwrap_err().to_string()
    }

    #[test]
    fn a_limit_that_shell_would_undo_is_refused() {
        let folder = PolicyArguments { allow_path: list(&["/var/log"]), ..Default::default() };
        let net = PolicyArguments { allow_net: list(&["10.0.0.0/8"]), ..Default::default() };
        for arguments in [folder, net] {
            assert!(refusal(arguments.clone()).contains("limits nothing while `shell` is allowed"));
            let with_shell = PolicyArguments { allow_probe: list(&["ping", "shell"]), ..arguments.clone() };
            assert!(refusal(with_shell).contains("limits nothing"));
            let forbidden = PolicyArguments { forbid_shell: true, ..arguments.clone() };
            assert!(!forbidden.policy().unwrap().shell);
            let unlisted = PolicyArguments { allow_probe: list(&["ping", "tail_file"]), ..arguments };
            assert!(unlisted.policy().is_ok());
        }
    }

    #[test]
    fn a_link_is_resolved_once_when_the_policy_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("logs"), folder.path().join("link"));
        std::fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let path = link.to_str().unwrap().to_owned();
        let arguments = PolicyArguments { forbid_shell: true, allow_path: vec![path], ..Default::default() };
        let paths = arguments.policy().unwrap().paths.unwrap();
        assert_eq!(paths, [real.canonicalize().unwrap().to_str().unwrap()]);
    }

    #[test]
    fn a_place_or_path_that_cannot_be_is_named() {
        let plain = || PolicyArguments { forbid_shell: true, ..Default::default() };
        for (arguments, part) in [
            (PolicyArguments { allow_net: list(&["http://plc7"]), ..plain() }, "`http://plc7`"),
            (PolicyArguments { allow_denied: list(&["ssl"]), ..plain() }, "`ssl`"),
            (PolicyArguments { allow_path: list(&["/var/../etc"]), ..plain() }, "without `..`"),
            (PolicyArguments { allow_net: vec!["10.0.0.1".into(); 65], ..plain() }, "65 times"),
        ] {
            assert!(refusal(arguments).contains(part), "{part}");
        }
    }
}
