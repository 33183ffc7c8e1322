//! `tidegate verify` of an exported audit log.

use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::path::Path;

use serde_json::{Value, json};
use tidegate_core::digest::Digest;
use tidegate_core::verify::{AUDIT_EXPORT_BEGINS, AuditReport};

use super::verify::is_revoked;
use super::verify_keys::{self, Known};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::host;
use crate::output::Output;
use crate::screen::{Screen, Tone};
use crate::text::one_line;

/// Returns true if the file begins as an exported audit log. A file that cannot be read is reported by the transcript's
/// verifier.
pub(super) fn is_audit(file: &Path) -> bool {
    let mut beginning = [0; AUDIT_EXPORT_BEGINS.len()];
    File::open(file).and_then(|mut file| file.read_exact(&mut beginning)).is_ok()
        && beginning == *AUDIT_EXPORT_BEGINS
}

/// Verifies and prints what was found.
pub(super) fn run(
    file: &Path,
    root: Option<Digest>,
    known: &Known,
    output: Output,
    screen: &Screen,
) -> Result<Exit, Failure> {
    let read = || -> io::Result<AuditReport> {
        let mut opened = File::open(file)?;
        opened.rewind()?;
        host::verify_audit(opened, root, known.revoked.clone())
    };
    let report = read().map_err(|error| {
        Failure::usage(format!("failed to read `{}`", file.display()))
            .of(tidegate_core::obstacle::Obstacle::FileUnreadable)
            .caused_by(&error)
            .next("name a file that you may read; `tidegate audit export --out FILE` writes one")
    })?;
    known.check_owner(report.root)?;
    if output.json {
        screen.json(&document(&report).to_string())?;
    } else {
        screen.write(&text(&report, known, screen))?;
    }
    Ok(exit_of(&report))
}

/// The exit code for a report, by the rule of a transcript.
fn exit_of(report: &AuditReport) -> Exit {
    let is_proved = report.is_root_trusted && !is_revoked(report.head_key.as_ref());
    match (report.is_sound(), is_proved) {
        (false, _) => Exit::Attention,
        (true, false) => Exit::Unproved,
        (true, true) => Exit::Done,
    }
}

fn text(report: &AuditReport, known: &Known, screen: &Screen) -> String {
    let (tone, whose) = match exit_of(report) {
        Exit::Done => (Tone::Good, ""),
        Exit::Unproved if is_revoked(report.head_key.as_ref()) => {
            (Tone::Attention, "not proved: its order key is revoked. By its own keys: ")
        }
        Exit::Unproved => (Tone::Attention, "not proved: whose log this is. By its own keys: "),
        _ => (Tone::Bad, ""),
    };
    let head = screen.paint(tone, &format!("{} {whose}complete to {}", tone.mark(), report.complete_to));
    let mut text = format!("Audit log, {} entries\n{head}\n", report.entries);
    for problem in &report.problems {
        text.push_str(&format!("  {} {}\n", Tone::Bad.mark(), one_line(&problem.to_string())));
    }
    if report.problems_more > 0 {
        text.push_str(&format!("  … and {} more\n", report.problems_more));
    }
    for line in report.head_key.iter().flat_map(|key| verify_keys::lines(key, known)) {
        text.push_str(&format!("  {line}\n"));
    }
    if let Some(root) = report.root {
        let whose = match report.is_root_trusted {
            true => "as you named it",
            false => "as the file says: name the owner's with --root to prove it",
        };
        text.push_str(&format!("  root key    {root}\n              {whose}\n"));
    }
    text
}

fn document(report: &AuditReport) -> Value {
    let mut document = json!({
        "audit": true,
        "root": report.root,
        "is_root_trusted": report.is_root_trusted,
        "proved": exit_of(report) == Exit::Done,
        "entries": report.entries,
        "complete_to": report.complete_to,
        "findings": report.problems.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "findings_more": report.problems_more,
    });
    verify_keys::add(&mut document, report.head_key.as_ref());
    document
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate_core::time::Timestamp;
    use tidegate_core::verify::HeadKey;

    #[test]
    fn only_a_file_that_says_so_is_taken_for_an_audit_log_and_a_broken_one_needs_attention() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("audit.tgx");
        std::fs::write(&file, "{\"tidegate_export\":1}\n").unwrap();
        assert!(!is_audit(&file));
        assert!(!is_audit(&directory.path().join("absent")));
        std::fs::write(&file, "{\"tidegate_audit_export\":1}\n").unwrap();
        assert!(is_audit(&file));
        let exit = run(&file, None, &Known::default(), Output::default(), &Screen::plain()).unwrap();
        assert_eq!(exit, Exit::Attention);
    }

    #[test]
    fn an_audit_log_without_the_owners_root_key_is_not_proved() {
        let proved = AuditReport {
            root: Some(Digest::of("root")),
            is_root_trusted: true,
            head_key: Some(HeadKey {
                order_key: Digest::of("order"),
                serial: 2,
                not_after: Timestamp::from_milliseconds(1_000),
                signed_at: Some(Timestamp::from_milliseconds(500)),
                is_revoked: false,
            }),
            entries: 3,
            complete_to: 3,
            problems: Vec::new(),
            problems_more: 0,
        };
        let unproved = AuditReport { is_root_trusted: false, ..proved.clone() };
        let exits = [&proved, &unproved].map(exit_of);
        assert_eq!(exits, [Exit::Done, Exit::Unproved]);
        let said = |report: &AuditReport| text(report, &Known::default(), &Screen::plain());
        assert!(said(&proved).contains(Tone::Good.mark()));
        assert!(!said(&unproved).contains(Tone::Good.mark()));
        assert!(
            said(&proved).contains("signed      1970-01-01T00:00:00.500Z: nothing later is in this file")
        );
        assert!(said(&proved).contains("serial 2, ends"), "{}", said(&proved));
        let revoked = HeadKey { is_revoked: true, ..proved.head_key.clone().unwrap() };
        let revoked = AuditReport { head_key: Some(revoked), ..proved.clone() };
        assert_eq!(exit_of(&revoked), Exit::Unproved);
        assert!(said(&revoked).contains("its order key is revoked"), "{}", said(&revoked));
        assert_eq!([&proved, &unproved].map(|it| document(it)["proved"].clone()), [true, false]);
        let broken = AuditReport { root: None, head_key: None, is_root_trusted: false, ..proved };
        assert_eq!(exit_of(&broken), Exit::Attention);
    }
}
