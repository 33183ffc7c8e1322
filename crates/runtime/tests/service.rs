//! The service in an image: everything `install` and `uninstall` do but talk to systemd, which `./dev shows systemd`
//! does in a machine of its own. Never without `--root`: on a machine with systemd it would be meant.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

const PROGRAM: &str = "usr/local/bin/tidegate-runtime";
const UNIT: &str = "etc/systemd/system/tidegate-runtime.service";
const WANTED: &str = "etc/systemd/system/multi-user.target.wants/tidegate-runtime.service";
const ENVIRONMENT: &str = "etc/tidegate/runtime.env";

#[test]
fn an_image_gets_program_unit_link_and_the_proxy_of_the_shell() {
    let root = TempDir::new().unwrap();
    let said = done(&install(root.path(), &[]));
    assert!(said.contains("installed as tidegate-runtime.service"), "{said}");
    assert!(said.contains("HTTPS_PROXY of this shell went into"), "{said}");
    assert!(!said.contains("secret"), "the password is not told: {said}");
    let own = fs::read(env!("CARGO_BIN_EXE_tidegate-runtime")).unwrap();
    assert!(fs::read(root.path().join(PROGRAM)).unwrap() == own, "the program is this one");
    assert_eq!(mode(root.path(), PROGRAM), 0o755);
    assert_eq!(mode(root.path(), UNIT), 0o644);
    assert_eq!(mode(root.path(), ENVIRONMENT), 0o600);
    assert_eq!(fs::read_link(root.path().join(WANTED)).unwrap(), PathBuf::from("/").join(UNIT));
}

#[test]
fn a_repeat_replaces_what_is_old_and_leaves_the_rest() {
    let root = TempDir::new().unwrap();
    done(&install(root.path(), &[]));
    let said = done(&install(root.path(), &[]));
    assert_eq!(said.matches("(unchanged)").count(), 2, "{said}");

    fs::write(root.path().join(PROGRAM), "an older program").unwrap();
    fs::write(root.path().join(ENVIRONMENT), "HTTPS_PROXY=edited\n").unwrap();
    let said = done(&install(root.path(), &["--state", "/srv/tide gate"]));
    assert_eq!(said.matches("(written)").count(), 2, "{said}");
    assert!(fs::read_to_string(root.path().join(UNIT)).unwrap().contains("--state \"/srv/tide gate\""));
    assert_eq!(fs::read_to_string(root.path().join(ENVIRONMENT)).unwrap(), "HTTPS_PROXY=edited\n");
    let folder = fs::read_dir(root.path().join("usr/local/bin")).unwrap();
    assert_eq!(folder.count(), 1, "nothing half written is left");
}

#[test]
fn the_program_stays_until_the_last_service_that_runs_it_goes() {
    let root = TempDir::new().unwrap();
    let second = ["--unit-name", "tidegate-line-2"];
    done(&install(root.path(), &[]));
    done(&install(root.path(), &second));
    let said = done(&uninstall(root.path(), &second));
    assert!(said.contains("stays: another service runs it"), "{said}");
    assert!(root.path().join(PROGRAM).exists() && root.path().join(UNIT).exists());
    done(&uninstall(root.path(), &[]));
    for gone in [PROGRAM, UNIT, WANTED] {
        assert!(fs::symlink_metadata(root.path().join(gone)).is_err(), "{gone} is gone");
    }
    let said = done(&uninstall(root.path(), &[]));
    assert!(said.contains("not installed: nothing to remove"), "{said}");
}

#[test]
fn the_state_goes_only_when_that_is_asked_for_and_confirmed() {
    let root = TempDir::new().unwrap();
    let state = root.path().join("srv/state");
    fs::create_dir_all(&state).unwrap();
    fs::write(state.join("state.db"), "").unwrap();
    let said = done(&install(root.path(), &["--state", "/srv/state"]));
    assert!(said.contains("WARNING: the image holds an enrolled state"), "{said}");

    let refused = uninstall(root.path(), &["--purge-state"]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    assert!(state.join("state.db").exists() && root.path().join(UNIT).exists(), "nothing was changed");

    let said = done(&uninstall(root.path(), &[]));
    assert!(said.contains("srv/state stays"), "{said}");
    assert!(root.path().join(ENVIRONMENT).exists());

    fs::write(state.join("notes.txt"), "").unwrap();
    let purge = ["--purge-state", "--yes", "--state", "/srv/state"];
    let said = done(&uninstall(root.path(), &purge));
    assert!(said.contains("stays, for other files are in it"), "{said}");
    assert!(!state.join("state.db").exists() && state.join("notes.txt").exists());
    assert!(!root.path().join(ENVIRONMENT).exists());

    let refused = uninstall(root.path(), &purge);
    assert_eq!(refused.status.code(), Some(4), "a folder without a state is left alone: {refused:?}");
}

#[test]
fn a_unit_of_somebody_else_and_a_name_that_is_none_are_refused() {
    let root = TempDir::new().unwrap();
    fs::create_dir_all(root.path().join("etc/systemd/system")).unwrap();
    fs::write(root.path().join(UNIT), "[Unit]\nDescription=Another\n").unwrap();
    for refused in [install(root.path(), &[]), uninstall(root.path(), &[])] {
        assert_eq!(refused.status.code(), Some(4), "{refused:?}");
        assert!(String::from_utf8_lossy(&refused.stderr).contains("choose another --unit-name"));
    }
    assert!(!root.path().join(PROGRAM).exists());
    for bad in [["--unit-name", "../x"], ["--state", "relative"]] {
        assert_eq!(install(root.path(), &bad).status.code(), Some(2));
    }
}

#[test]
fn a_service_runs_as_the_user_it_was_given_until_another_is_named() {
    let root = TempDir::new().unwrap();
    fs::create_dir_all(root.path().join("etc")).unwrap();
    fs::write(
        root.path().join("etc/passwd"),
        "root:x:0:0::/root:/bin/sh\ntidegate:x:990:990::/:/bin/false\n",
    )
    .unwrap();
    let unit = || fs::read_to_string(root.path().join(UNIT)).unwrap();
    let refused = install(root.path(), &["--user", "nobody-here"]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("(invalid_service_user)"), "{refused:?}");
    assert!(!root.path().join(UNIT).exists(), "nothing was changed");

    done(&install(root.path(), &[]));
    assert!(!unit().contains("\nUser="), "{}", unit());
    let said = done(&install(root.path(), &["--user", "tidegate"]));
    assert!(unit().contains("\nUser=tidegate\n") && said.contains("doctor` says what then"), "{said}");
    let said = done(&install(root.path(), &[]));
    assert!(unit().contains("\nUser=tidegate\n"), "an upgrade keeps the user: {said}");
    done(&install(root.path(), &["--user", "root"]));
    assert!(!unit().contains("\nUser="));
}

fn install(root: &Path, more: &[&str]) -> Output {
    run("install", root, more)
}

fn uninstall(root: &Path, more: &[&str]) -> Output {
    run("uninstall", root, more)
}

fn run(command: &str, root: &Path, more: &[&str]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_tidegate-runtime"));
    for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"] {
        program.env_remove(name);
    }
    program.env("HTTPS_PROXY", "http://me:secret@proxy:3128").stdin(std::process::Stdio::null());
    program
        .arg(command)
        .arg("--root")
        .arg(root)
        .args(more)
        .output()
        .expect("the program was built for this test")
}

/// What a command said that did what it was asked.
fn done(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn mode(root: &Path, file: &str) -> u32 {
    fs::metadata(root.join(file)).expect("the file is there").permissions().mode() & 0o777
}
