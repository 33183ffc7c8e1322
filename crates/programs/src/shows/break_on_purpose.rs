//! Takes one protection away at a time, in a copy of the source, and names the test that notices.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};

use super::{Scale, figure, source};

/// One protection, how to take it away, and who must notice.
struct Break {
    what: &'static str,
    file: &'static str,
    from: &'static str,
    to: &'static str,
    package: &'static str,
    /// The test binary: an integration test's name.
    binary: &'static str,
    test: &'static str,
}

const BREAKS: &[Break] = &[
    Break {
        what: "no cursor check",
        file: "crates/core/src/runtime/orders.rs",
        from: "                if order.number <= held.number {
                    Place::Held
                } else if order.number == held.number + 1 && order.previous == held.hash {",
        to: "                if held.number == u64::MAX {
                    Place::Held
                } else if order.number > 0 {",
        package: "tidegate-core",
        binary: "scenarios",
        test: "orders::a_void_that_wins_the_race_against_a_late_good_copy_ends_the_work",
    },
    Break {
        what: "no attempt check",
        file: "crates/core/src/runtime/execute.rs",
        from: "if live.progress.running == Some(ended) {",
        to: "if live.progress.running.is_some() {",
        package: "tidegate-core",
        binary: "scenarios",
        test: "clocks::an_end_told_after_a_restart_does_not_end_the_next_attempt",
    },
    Break {
        what: "no chain check",
        file: "crates/core/src/control/intake.rs",
        from: "Ok(self.held_hash(journal, number)?.is_some_and(|held| held != hash))",
        to: "Ok(self.held_hash(journal, number)?.is_some_and(|held| held != hash) && number == u64::MAX)",
        package: "tidegate-core",
        binary: "scenarios",
        test: "copies::a_cold_clone_never_runs_what_the_other_copy_was_offered",
    },
    Break {
        what: "no signature check",
        file: "crates/core/src/envelope.rs",
        from: "if holds { Ok(bytes) } else { Err(EnvelopeError::Signature) }",
        to: "if holds || !bytes.is_empty() { Ok(bytes) } else { Err(EnvelopeError::Signature) }",
        package: "tidegate-core",
        binary: "scenarios",
        test: "orders::the_same_altered_bytes_are_one_finding_and_the_log_goes_on_behind_a_void",
    },
    Break {
        what: "no process-tree kill",
        file: "crates/runtime/src/executor/linux/guard.rs",
        from: "    let mut killed = Killed::default();\n    let mut told = false;\n",
        to: "    let mut killed = Killed::default();\n    let mut told = false;\n    let _ = \
             rustix::process::kill_process(main, Signal::KILL);\n    while !has_ended(main) {}\n    \
             if begin.elapsed() < KILL_PATIENCE * 1000 {\n        tell(outcome(main, &killed, 0));\n        \
             return;\n    }\n",
        package: "tidegate-runtime",
        binary: "executor",
        test: "a_timeout_ends_the_whole_tree_and_keeps_the_output",
    },
    Break {
        what: "no fsync",
        file: "crates/sqlite/src/open.rs",
        from: "pragma_update(None, \"synchronous\", \"full\")",
        to: "pragma_update(None, \"synchronous\", \"off\")",
        package: "tidegate-programs",
        binary: "power_cut",
        test: "nothing_acknowledged_is_missing_after_power_cuts",
    },
];

pub(super) fn run(scale: Scale) -> anyhow::Result<()> {
    let copy = tempfile::Builder::new().prefix("tidegate-break-").tempdir()?;
    let root = source::root()?;
    copy_source(&root, copy.path())?;
    let target = source::target_directory("target-break");
    let breaks = &BREAKS[..BREAKS.len().min(scale.pick(BREAKS.len(), 1))];
    for broken in breaks {
        let file = copy.path().join(broken.file);
        let whole = fs::read_to_string(&file)?;
        ensure!(whole.matches(broken.from).count() == 1, "{}: the place to break is there once", broken.file);
        fs::write(&file, whole.replace(broken.from, broken.to))?;
        let said = run_test(copy.path(), &target, broken);
        fs::write(&file, whole)?;
        let said = said?;
        let ran_and_failed = said.contains(&format!("test {} ... FAILED", broken.test))
            || said.contains(&format!("{} ... FAILED", broken.test));
        ensure!(ran_and_failed, "{}: `{}` did not notice:\n{said}", broken.what, broken.test);
        figure(broken.what, format!("noticed by {}::{}", broken.binary, broken.test));
    }
    figure("protections taken away / noticed", format!("{} / {}", breaks.len(), breaks.len()));
    Ok(())
}

fn run_test(copy: &Path, target: &Path, broken: &Break) -> anyhow::Result<String> {
    let output = Command::new("cargo")
        .args(["test", "--package", broken.package, "--test", broken.binary, "--", broken.test])
        .current_dir(copy)
        .env("CARGO_TARGET_DIR", target)
        .output()
        .context("failed to run cargo")?;
    Ok(format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)))
}

/// Copies what git tracks, as it is in the working tree.
fn copy_source(root: &Path, to: &Path) -> anyhow::Result<()> {
    let listed = Command::new("git").args(["ls-files", "-z"]).current_dir(root).output()?;
    ensure!(listed.status.success(), "the source is a git checkout");
    for name in String::from_utf8(listed.stdout)?.split('\0').filter(|name| !name.is_empty()) {
        let (from, copied) = (root.join(name), to.join(name));
        if let Some(folder) = copied.parent() {
            fs::create_dir_all(folder)?;
        }
        if from.is_file() {
            fs::copy(&from, &copied)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run takes minutes, so every test run looks at least whether what it names is still there.
    #[test]
    fn every_place_to_break_is_there_once_and_so_is_the_test_that_must_notice() {
        let root = source::root().unwrap();
        for broken in BREAKS {
            let whole = fs::read_to_string(root.join(broken.file)).unwrap();
            assert_eq!(whole.matches(broken.from).count(), 1, "{}: {}", broken.what, broken.file);
            let tests =
                root.join("crates").join(broken.package.trim_start_matches("tidegate-")).join("tests");
            let path: Vec<&str> = broken.test.split("::").collect();
            let (name, modules) = path.split_last().unwrap();
            let folder = tests.join(broken.binary);
            let files = match modules.last() {
                Some(module) => vec![folder.join(format!("{module}.rs"))],
                None => vec![tests.join(format!("{}.rs", broken.binary)), folder.join("main.rs")],
            };
            let text: String = files.iter().filter_map(|file| fs::read_to_string(file).ok()).collect();
            assert!(text.contains(&format!("fn {name}(")), "{}: `{}`", broken.what, broken.test);
        }
    }
}
