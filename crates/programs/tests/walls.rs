//! The walls between the workspace's crates, as `docs/design.md` draws them under "Parts and walls".
//!
//! The table binds normal and build dependencies. Development dependencies are free, because a test may
//! look at both sides of a wall; so is `tidegate-programs`, which is nothing but tests and is never shipped.
//! Walls to crates of others that reach deeper than one arrow are in `deny.toml`.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

/// The package of whole-program tests and measurements: it may use every crate, and none may use it.
const TESTS: &str = "tidegate-programs";

/// Who may depend on whom: the design's table, one row a crate. What is not listed is forbidden.
const TABLE: &[(&str, &[&str])] = &[
    ("tidegate-core", &[]),
    ("tidegate-sqlite", &["tidegate-core"]),
    ("tidegate-web", &["tidegate-core"]),
    ("tidegate-server", &["tidegate-core", "tidegate-sqlite", "tidegate-web"]),
    ("tidegate-worker", &["tidegate-core", "tidegate-web"]),
    ("tidegate-runtime", &["tidegate-core", "tidegate-sqlite"]),
    ("tidegate-cli", &["tidegate-core", "tidegate-server"]),
    ("tidegate-simulator", &["tidegate-core", "tidegate-sqlite"]),
];

/// Crates of others that stand for a kind of I/O, and the only crates that may name them.
const OUTSIDE: &[(&str, &[&str])] = &[
    ("tokio", &["tidegate-server", "tidegate-runtime", "tidegate-cli"]),
    ("hyper", &["tidegate-server", "tidegate-runtime"]),
    ("axum", &["tidegate-web", "tidegate-server", "tidegate-worker"]),
    ("reqwest", &["tidegate-cli"]),
    ("rusqlite", &["tidegate-sqlite"]),
];

/// The only edition in the workspace.
const EDITION: &str = "2024";

#[test]
fn every_dependency_is_one_the_table_allows() {
    assert_no_breach(&breaches(&workspace()));
}

#[test]
fn every_crate_has_the_one_edition_and_the_workspace_lints() {
    let metadata = workspace();
    let mut found = Vec::new();
    for package in packages(&metadata) {
        if text(package, "edition") != EDITION {
            found.push(format!("{} is not of edition {EDITION}", text(package, "name")));
        }
        let manifest = text(package, "manifest_path");
        let content = std::fs::read_to_string(manifest).expect("cargo named a manifest that can be read");
        if !inherits_lints(&content) {
            found.push(format!("{manifest} lacks `workspace = true` under `[lints]`"));
        }
    }
    assert_no_breach(&found);
}

#[test]
fn a_forbidden_arrow_is_found_and_named() {
    let metadata = made_up(&[
        ("tidegate-core", &[]),
        ("tidegate-server", &[]),
        ("tidegate-runtime", &[("tidegate-core", None), ("tidegate-server", None)]),
    ]);
    assert_eq!(breaches(&metadata), ["tidegate-runtime must not depend on tidegate-server"]);
}

#[test]
fn a_build_dependency_counts_and_a_development_dependency_does_not() {
    let arrow = |kind| made_up(&[("tidegate-sqlite", &[]), ("tidegate-core", &[("tidegate-sqlite", kind)])]);
    assert_eq!(breaches(&arrow(Some("build"))), ["tidegate-core must not depend on tidegate-sqlite"]);
    assert!(breaches(&arrow(Some("dev"))).is_empty());
}

#[test]
fn a_crate_without_a_row_is_found() {
    let metadata = made_up(&[("tidegate-core", &[]), ("tidegate-newcomer", &[("tidegate-core", None)])]);
    assert_eq!(breaches(&metadata), ["tidegate-newcomer has no row in the table"]);
}

#[test]
fn the_tests_may_use_every_crate_and_none_may_use_them() {
    let metadata = made_up(&[
        (TESTS, &[("tidegate-cli", None), ("tidegate-runtime", None), ("rusqlite", None)]),
        ("tidegate-runtime", &[]),
        ("tidegate-cli", &[(TESTS, None)]),
    ]);
    assert_eq!(breaches(&metadata), ["tidegate-cli must not depend on tidegate-programs"]);
}

#[test]
fn a_kind_of_io_on_the_wrong_side_is_found() {
    let metadata = made_up(&[("tidegate-web", &[("tokio", None)]), ("tidegate-core", &[("rusqlite", None)])]);
    assert_eq!(
        breaches(&metadata),
        ["tidegate-web must not depend on tokio", "tidegate-core must not depend on rusqlite"]
    );
}

#[test]
fn lints_are_inherited_only_where_the_manifest_says_so_under_lints() {
    assert!(inherits_lints("[package]\nname = \"x\"\n\n[lints]\nworkspace = true\n"));
    assert!(inherits_lints("[package]\nlints.workspace = true\n"));
    assert!(!inherits_lints("[package]\nname = \"x\"\n"));
    assert!(!inherits_lints("[lints]\n[dependencies]\nworkspace = true\n"));
    assert!(!inherits_lints("[lints]\n# workspace = true\n"));
}

/// Every arrow the tables do not allow and every crate they do not know, a sentence each.
fn breaches(metadata: &Value) -> Vec<String> {
    let ours: Vec<&str> = packages(metadata).iter().map(|package| text(package, "name")).collect();
    let mut found = Vec::new();
    for package in packages(metadata).iter().filter(|package| text(package, "name") != TESTS) {
        let name = text(package, "name");
        let Some((_, allowed)) = TABLE.iter().find(|(row, _)| *row == name) else {
            found.push(format!("{name} has no row in the table"));
            continue;
        };
        for dependency in shipped_dependencies(package) {
            let outside = OUTSIDE.iter().find(|(kind, _)| *kind == dependency);
            let forbidden_inside = ours.contains(&dependency) && !allowed.contains(&dependency);
            let forbidden_outside = outside.is_some_and(|(_, users)| !users.contains(&name));
            if forbidden_inside || forbidden_outside {
                found.push(format!("{name} must not depend on {dependency}"));
            }
        }
    }
    found
}

/// The names of a package's dependencies that are part of what ships, for every platform.
fn shipped_dependencies(package: &Value) -> Vec<&str> {
    let all = package["dependencies"].as_array().expect("a package lists its dependencies");
    all.iter().filter(|dependency| dependency["kind"] != "dev").map(|each| text(each, "name")).collect()
}

/// Whether a manifest takes its lints from the workspace. Cargo's metadata does not tell, so the manifest's
/// lines do; one form of TOML that cargo accepts (`lints = { workspace = true }`) is not recognised.
fn inherits_lints(manifest: &str) -> bool {
    let mut section = "";
    manifest.lines().map(str::trim).any(|line| {
        if line.starts_with('[') {
            section = line;
        }
        (section == "[lints]" && line == "workspace = true") || line == "lints.workspace = true"
    })
}

fn assert_no_breach(found: &[String]) {
    assert!(found.is_empty(), "docs/design.md, \"Parts and walls\":\n  {}", found.join("\n  "));
}

fn packages(metadata: &Value) -> &[Value] {
    metadata["packages"].as_array().expect("cargo metadata lists packages")
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().expect("cargo metadata names its packages and their files")
}

/// The workspace as cargo sees it. Asks neither the network nor the lock file: `--no-deps` needs neither.
fn workspace() -> Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root)
        .output()
        .expect("cargo is there: it built this test");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo metadata answers in JSON")
}

/// One package of a made-up workspace: its name, and its dependencies with their kind.
type MadeUp<'a> = (&'a str, &'a [(&'a str, Option<&'a str>)]);

fn made_up(crates: &[MadeUp<'_>]) -> Value {
    let package = |(name, dependencies): &MadeUp<'_>| {
        let arrows: Vec<Value> =
            dependencies.iter().map(|(name, kind)| json!({ "name": name, "kind": kind })).collect();
        json!({ "name": name, "dependencies": arrows })
    };
    json!({ "packages": crates.iter().map(package).collect::<Vec<Value>>() })
}
