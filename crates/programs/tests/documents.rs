//! What the documents name exists.

use std::path::Path;

use anyhow::{Context as _, ensure};
use tidegate_programs::shows::SHOWS;

#[test]
fn every_show_that_the_guarantees_name_can_be_run() -> anyhow::Result<()> {
    let page = document("docs/guarantees.md")?;
    let rows: Vec<_> = page.lines().filter(|line| line.starts_with("| G")).collect();
    ensure!(rows.len() == 8, "a row a promise: {rows:?}");
    for row in rows {
        let shown_by = row.trim_end_matches(['|', ' ']).rsplit('|').next().context("a row has columns")?;
        let names: Vec<_> = shown_by.split('`').skip(1).step_by(2).collect();
        ensure!(!names.is_empty(), "no show is named in: {row}");
        for name in names {
            ensure!(SHOWS.iter().any(|show| show.name == name), "there is no show `{name}`, named in: {row}");
        }
    }
    Ok(())
}

#[test]
fn every_link_between_the_documents_leads_somewhere() -> anyhow::Result<()> {
    let pages = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"];
    for name in pages.into_iter().chain([
        "docs/guarantees.md",
        "docs/probes.md",
        "docs/playbooks.md",
        "docs/bytes.md",
    ]) {
        let page = document(name)?;
        let folder = Path::new(name).parent().unwrap_or(Path::new(""));
        for link in page.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap_or_default();
            let is_file = !target.is_empty() && !target.contains("://");
            ensure!(!is_file || root().join(folder).join(target).exists(), "{name} leads to `{link}`");
        }
    }
    Ok(())
}

/// Words of entries and fields that look like functions.
const FIELDS: [&str; 6] =
    ["step_started", "step_finished", "told_number", "told_to", "returned_at", "stop_on"];

/// The page names functions as `name` next to files; a name that moved is found out here.
#[test]
fn the_walks_through_the_code_name_functions_that_exist() -> anyhow::Result<()> {
    let page = document("ARCHITECTURE.md")?;
    let walks = page.split("## Walk 1").nth(1).context("there are walks")?;
    let mut source = String::new();
    read_all(&root().join("crates"), &mut source)?;
    let mut named = 0;
    for name in walks.split('`').skip(1).step_by(2) {
        let function = name.rsplit("::").next().unwrap_or(name);
        let is_function =
            function.contains('_') && function.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        if is_function && !FIELDS.contains(&function) {
            named += 1;
            ensure!(source.contains(&format!("fn {function}(")), "there is no function `{name}`");
        }
        if name.ends_with(".rs") {
            ensure!(source.contains(&format!("/{name}\n")), "there is no file `{name}`");
        }
    }
    ensure!(named > 10, "the walks name functions: {named}");
    Ok(())
}

/// Every Rust file below `folder`: its path and what it says.
fn read_all(folder: &Path, source: &mut String) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            read_all(&path, source)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let path_text = path.to_string_lossy().replace("/src/", "/");
            source.push_str(&format!("{}\n{path_text}\n", path.display()));
            source.push_str(&std::fs::read_to_string(&path)?);
        }
    }
    Ok(())
}

fn document(name: &str) -> anyhow::Result<String> {
    std::fs::read_to_string(root().join(name)).with_context(|| format!("failed to read `{name}`"))
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}
