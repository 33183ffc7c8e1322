//! A playbook on the terminal.

use serde_json::{Map, Value};
use tidegate_core::api::PlaybookView;
use tidegate_core::estimate::estimate;
use tidegate_core::playbook::{Parameter, fill};

use crate::screen::Screen;
use crate::text::{one_line, shell_word, wrapped};
use crate::{sequence_text, time};

/// The playbook with its parameters, steps and the command that runs it.
pub(super) fn playbook(view: &PlaybookView, screen: &Screen) -> String {
    let (spec, width) = (&view.spec, screen.width.saturating_sub(2));
    let mut text = screen.heading(&one_line(&spec.name));
    text.push('\n');
    for line in wrapped(&spec.about, width).iter().filter(|line| !line.is_empty()) {
        text.push_str(&format!("  {line}\n"));
    }
    let versions = match view.version == view.current_version {
        true => format!("version {}", view.version),
        false => format!("version {} of {}", view.version, view.current_version),
    };
    let (saved_at, saved_by) = (time::full(view.saved_at), one_line(&view.saved_by));
    text.push_str(&format!("  {versions}, saved {saved_at} by {saved_by}; id {}\n", view.id));
    if let Some(at) = view.archived_at {
        text.push_str(&format!("  archived {}\n", time::full(at)));
    }
    if !spec.parameters.is_empty() {
        text.push_str(&format!("\n{}\n", screen.heading("Parameters")));
    }
    for parameter in &spec.parameters {
        text.push_str(&format!("  {}: {}\n", one_line(&parameter.name), asked(parameter)));
        for line in wrapped(&parameter.about, width.saturating_sub(4)).iter().filter(|line| !line.is_empty())
        {
            text.push_str(&format!("      {line}\n"));
        }
    }
    text.push_str(&format!("\n{}\n", screen.heading("Steps")));
    for (index, step) in spec.steps.iter().enumerate() {
        let arguments = sequence_text::arguments(&step.with);
        let space = if arguments.is_empty() { "" } else { " " };
        text.push_str(&format!(
            "  {}. {}{space}{}\n",
            index + 1,
            one_line(&step.probe),
            one_line(&arguments)
        ));
    }
    // A playbook without examples for what it needs has no figures to show.
    if let Ok(filled) = fill(spec, &spec.examples()) {
        text.push_str(&format!("\nIt takes {}.\n", estimate(&filled, None)));
    }
    text.push_str(&format!("Run it with:\n  {}\n", command(view)));
    text
}

fn asked(parameter: &Parameter) -> String {
    let shown = |value: &Value| match value {
        Value::String(text) => format!("`{}`", one_line(text)),
        other => format!("`{other}`"),
    };
    let presence = match (&parameter.default, parameter.required) {
        (Some(default), _) => format!("else {}", shown(default)),
        (None, true) => "needed".to_owned(),
        (None, false) => "may be left out".to_owned(),
    };
    let example = parameter.example.as_ref().map(|example| format!(", such as {}", shown(example)));
    format!("{}{} ({presence})", one_line(&parameter.expected()), example.unwrap_or_default())
}

/// The command that runs it with its examples for what it needs.
fn command(view: &PlaybookView) -> String {
    let needed = view.spec.parameters.iter().filter(|parameter| parameter.required);
    let examples: Map<String, Value> = view.spec.examples();
    let set: Vec<_> = needed
        .map(|parameter| {
            let value = match examples.get(&parameter.name) {
                Some(Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
                None => "VALUE".to_owned(),
            };
            format!(" --set {}", shell_word(&one_line(&format!("{}={value}", parameter.name))))
        })
        .collect();
    let name = shell_word(&one_line(&view.spec.name));
    format!("tidegate playbooks run {name} --endpoint ENDPOINT{}", set.join(""))
}

#[cfg(test)]
mod tests {
    use tidegate_core::id::PlaybookId;
    use tidegate_core::playbook::starters;
    use tidegate_core::time::Timestamp;

    use super::*;

    #[test]
    fn a_playbook_says_what_it_asks_does_and_takes() {
        let at = Timestamp::from_milliseconds(1_795_442_580_000);
        let spec = starters().into_iter().find(|starter| starter.name == "Service is down").unwrap();
        let view = PlaybookView {
            id: PlaybookId::from_bytes([1; 10]),
            version: 1,
            current_version: 2,
            spec,
            saved_at: at,
            saved_by: "control plane".into(),
            created_at: at,
            created_by: "control plane".into(),
            archived_at: None,
        };
        insta::assert_snapshot!(playbook(&view, &Screen::plain()));
    }
}
