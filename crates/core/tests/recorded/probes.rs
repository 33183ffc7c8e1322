//! The probes of the machine, and what they bring back.

use serde_json::Map;
use tidegate_core::probe::{ArgumentKind, ArgumentSpec, Catalogue, ProbeSpec, Risk};
use tidegate_core::runtime::Input;
use tidegate_core::sequence::{EndState, Finding, Output, StepResult};

use crate::machine::Attempt;

/// The end of an attempt.
pub(crate) fn exited((sequence, step, attempt): Attempt, state: EndState, output: &str) -> Input {
    let bytes = output.len() as u64;
    let result = StepResult {
        summary: format!("it {state}"),
        finding: if state == EndState::Succeeded { Finding::Ok } else { Finding::Attention },
        data: Map::from_iter([("received".to_owned(), 4.into())]),
        output: Output { head: output.to_owned(), bytes, ..Output::default() },
        error_output: (state == EndState::Failed).then(|| Output {
            head: "exit code 2".to_owned(),
            bytes: 11,
            ..Output::default()
        }),
    };
    Input::StepExited { sequence, step, attempt, state, result: Box::new(result) }
}

fn probe(name: &str, risk: Risk) -> ProbeSpec {
    let argument = ArgumentSpec {
        name: "host".to_owned(),
        about: "Which host.".to_owned(),
        kind: ArgumentKind::Text { bytes_max: 100 },
        required: false,
        default: None,
    };
    let about = "A probe of the stories.".to_owned();
    let example = Map::from_iter([("host".to_owned(), "10.20.0.5".into())]);
    let arguments = if name == "look" { vec![argument] } else { Vec::new() };
    ProbeSpec { name: name.to_owned(), about, risk, arguments, example }
}

/// What the program has.
pub(crate) fn installed() -> Catalogue {
    Catalogue(vec![
        probe("look", Risk::Observe),
        probe("act", Risk::Change),
        probe("forbidden", Risk::Change),
    ])
}

/// What it told when it enrolled: one that it has no longer is among them.
pub(crate) fn published() -> Catalogue {
    let mut catalogue = installed();
    catalogue.0.push(probe("gone", Risk::Observe));
    catalogue
}
