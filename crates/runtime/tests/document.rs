//! `docs/probes.md` says of each probe what the catalogue says.
#![allow(clippy::unwrap_used, reason = "a test says where it broke")]

use std::fmt::Write as _;
use std::path::Path;

use tidegate_core::probe::{ArgumentKind, ArgumentSpec, Risk};
use tidegate_runtime::probes;

#[test]
fn the_page_of_probes_is_the_catalogue() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/probes.md");
    let page = std::fs::read_to_string(path).unwrap();
    let table = table();
    assert!(page.contains(&table), "docs/probes.md must have this table:\n\n{table}");
    for probe in probes::catalogue().0 {
        let row = format!("\n| `{}` | ", probe.name);
        let rows = page.matches(&row).count();
        assert_eq!(rows, 2, "`{}` has a row in the table and one about its finding", probe.name);
    }
}

fn table() -> String {
    let mut text = "| probe | what it does | arguments |\n|---|---|---|\n".to_owned();
    for probe in probes::catalogue().0 {
        let arguments: Vec<String> = probe.arguments.iter().map(argument).collect();
        let arguments = if arguments.is_empty() { "none".to_owned() } else { arguments.join("<br>") };
        let action = if probe.risk == Risk::Change { " An action." } else { "" };
        let _ = writeln!(text, "| `{}` | {}{action} | {arguments} |", probe.name, probe.about);
    }
    text
}

fn argument(argument: &ArgumentSpec) -> String {
    let kind = match &argument.kind {
        ArgumentKind::Text { bytes_max } => format!("text up to {bytes_max} bytes"),
        ArgumentKind::Integer { min, max } => format!("{min} to {max}"),
        ArgumentKind::Boolean => "true or false".to_owned(),
        ArgumentKind::Choice { options } => options.join(", "),
    };
    let absent = match (&argument.default, argument.required) {
        (Some(default), _) => {
            format!("; else {}", default.as_str().map_or(default.to_string(), str::to_owned))
        }
        (None, true) => "; needed".to_owned(),
        (None, false) => String::new(),
    };
    format!("`{}` ({kind}{absent}): {}", argument.name, argument.about)
}
