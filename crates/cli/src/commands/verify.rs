//! `tidegate verify`: proves an exported record with nothing but the file.

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::host::{self, Report};
use crate::output::Output;
use crate::screen::{Screen, Tone};
use crate::text::one_line;

/// Prove an exported record: nothing changed, dropped, reordered or cut off.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Needs no control plane and no network. `complete to N` says that entries 1 to N are there, unchanged
and in order, as the control plane signed them; `endorsed to M` says up to where the machine's own
key vouches for them.

Example:
  tidegate export hmi-3 --out hmi-3.tgx && tidegate verify hmi-3.tgx

Ends with 0 when nothing is wrong, 5 when something is, 4 when the file is no export.")]
pub(crate) struct Args {
    /// The exported file
    file: PathBuf,
    #[command(flatten)]
    output: Output,
}

/// Verifies and prints what was found.
pub(crate) fn run(args: &Args, screen: &Screen) -> Result<Exit, Failure> {
    let name = args.file.display();
    let file = File::open(&args.file)
        .map_err(|error| Failure::usage(format!("failed to open `{name}`")).caused_by(&error))?;
    let report = host::verify(BufReader::new(file))?;
    if args.output.json {
        let json = serde_json::to_string(&report)
            .map_err(|error| Failure::refused("failed to write the report").caused_by(&error))?;
        screen.json(&json)?;
    } else {
        screen.write(&text(&report, screen))?;
    }
    Ok(if report.findings.is_empty() { Exit::Done } else { Exit::Attention })
}

/// The report for people.
pub(crate) fn text(report: &Report, screen: &Screen) -> String {
    let mut text = format!("Transcript of machine {}\n", one_line(&report.endpoint));
    let tone = if report.findings.is_empty() { Tone::Good } else { Tone::Bad };
    text.push_str(&format!(
        "{}\n",
        screen.paint(
            tone,
            &format!(
                "{} Complete to {}, endorsed by the machine to {}",
                tone.mark(),
                report.complete_to,
                report.endorsed_to
            )
        )
    ));
    if report.endorsed_to < report.complete_to && report.findings.is_empty() {
        let later = report.complete_to - report.endorsed_to;
        text.push_str(&format!(
            "  The last {later} rest on the control plane's signature until the machine is next heard.\n"
        ));
    }
    for finding in &report.findings {
        text.push_str(&format!("  {} {}\n", Tone::Bad.mark(), one_line(finding)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_says_how_far_the_record_holds_and_what_is_wrong() {
        let whole = Report {
            endpoint: "060g30c1g60r1g60".into(),
            complete_to: 41,
            endorsed_to: 38,
            findings: Vec::new(),
        };
        let broken = Report {
            complete_to: 16,
            endorsed_to: 16,
            findings: vec!["entry 17 was changed: its body does not fit its header".into()],
            ..whole.clone()
        };
        let screen = Screen::plain();
        insta::assert_snapshot!(format!("{}\n{}", text(&whole, &screen), text(&broken, &screen)));
    }
}
