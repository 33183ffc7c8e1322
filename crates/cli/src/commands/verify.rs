//! `tidegate verify`: proves an exported record with nothing but the file.

use std::fs::File;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tidegate_core::digest::Digest;
use tidegate_core::obstacle::Obstacle;
use tidegate_core::verify::{Fault, HeadKey, Report};

use super::verify_audit;
use super::verify_keys::{self, Known};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::host;
use crate::output::Output;
use crate::screen::{Screen, Tone};
use crate::text::one_line;

/// Prove an exported record: nothing changed, dropped, reordered or cut off.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Needs no control plane and no network. `complete to N` says that entries 1 to N are there, unchanged
and in order, as the control plane signed them; `endorsed by the endpoint to M` says up to where the
machine's own key vouches for them. Anyone can make keys and a whole file with them, so only --root
proves whose record it is. `tidegate admin owner` prints that fingerprint, and every enrolment code
holds it between its second and third dot. An older export is a true record as of its time, which
the report names. A file cannot show that the order key which signed it was revoked since: name a
newer export of the same owner with --authority, or the serial with --revoked.

Example:
  tidegate export hmi-3 --out hmi-3.tgx
  tidegate verify hmi-3.tgx --root FINGERPRINT
  tidegate verify hmi-3.tgx --root FINGERPRINT --authority today.tgx

Ends with 0 when the record is proved, 5 when something is wrong with it, 6 when nothing is wrong and
--root is missing or the order key is revoked, and 4 when the file is no export.")]
pub(crate) struct Args {
    /// The exported file
    file: PathBuf,
    /// The fingerprint of the owner's root key: 64 hexadecimal digits
    #[arg(long, value_name = "FINGERPRINT")]
    root: Option<Digest>,
    #[command(flatten)]
    keys: verify_keys::KeyArgs,
    #[command(flatten)]
    output: Output,
}

/// Verifies and prints what was found.
pub(crate) fn run(args: &Args, screen: &Screen) -> Result<Exit, Failure> {
    let known = args.keys.known()?;
    if verify_audit::is_audit(&args.file) {
        return verify_audit::run(&args.file, args.root, &known, args.output, screen);
    }
    let report = verify(&args.file, args.root, &known)?;
    if args.output.json {
        screen.json(&document(&report).to_string())?;
    } else {
        screen.write(&text(&report, &known, screen))?;
    }
    Ok(exit_of(&report))
}

/// What the file proves.
///
/// # Errors
///
/// Where it cannot be read, or is no export at all.
pub(crate) fn verify(file: &Path, root: Option<Digest>, known: &Known) -> Result<Report, Failure> {
    let name = file.display();
    let opened = File::open(file).map_err(|error| {
        Failure::usage(format!("failed to open `{name}`"))
            .of(Obstacle::FileUnreadable)
            .caused_by(&error)
            .next("name a file that you may read; `tidegate export ENDPOINT --out FILE` writes one")
    })?;
    let report = host::verify(opened, root, known.revoked.clone()).map_err(|error| {
        Failure::usage(format!("failed to read `{name}`"))
            .of(Obstacle::FileUnreadable)
            .caused_by(&error)
            .next("name a file that you may read; `tidegate export ENDPOINT --out FILE` writes one")
    })?;
    // Another owner's record is one, and says so in its findings.
    let is_foreign = report.problems.iter().any(|problem| matches!(problem.fault, Fault::OtherRoot { .. }));
    if report.endpoint.is_none() && !is_foreign {
        let why = report.problems.iter().map(ToString::to_string);
        return Err(why
            .fold(
                Failure::refused(format!("`{name}` is no export of Tidegate")).of(Obstacle::ExportUnusable),
                Failure::because,
            )
            .next("make one with `tidegate export ENDPOINT --out FILE`"));
    }
    known.check_owner(report.root)?;
    Ok(report)
}

/// How a program that judged by the report ends.
pub(crate) fn exit_of(report: &Report) -> Exit {
    let is_proved = report.is_root_trusted && !is_revoked(report.head_key.as_ref());
    match (report.is_sound(), is_proved) {
        (false, _) => Exit::Attention,
        (true, false) => Exit::Unproved,
        (true, true) => Exit::Done,
    }
}

/// Returns true if the caller knows the serial that signed the file as revoked.
pub(super) fn is_revoked(key: Option<&HeadKey>) -> bool {
    key.is_some_and(|key| key.is_revoked)
}

/// The report for people.
pub(crate) fn text(report: &Report, known: &Known, screen: &Screen) -> String {
    let endpoint = report.endpoint.map_or_else(|| "unknown".to_owned(), |endpoint| endpoint.to_string());
    let tone = match exit_of(report) {
        Exit::Done => Tone::Good,
        Exit::Unproved => Tone::Attention,
        _ => Tone::Bad,
    };
    let endorsed = match report.endorsed_to {
        Some(endorsed_to) => format!("endorsed by the endpoint to {endorsed_to}"),
        None => "not endorsed by the endpoint".to_owned(),
    };
    let whose = match tone {
        Tone::Attention if is_revoked(report.head_key.as_ref()) => {
            "not proved: its order key is revoked. By its own keys: "
        }
        Tone::Attention => "not proved: whose record this is. By its own keys: ",
        _ => "",
    };
    let head = format!("{} {whose}complete to {}, {endorsed}", tone.mark(), report.complete_to);
    let head = screen.paint(tone, &head);
    let mut text = format!("Transcript of machine {endpoint}, {} entries\n{head}\n", report.entries);
    for problem in &report.problems {
        text.push_str(&format!("  {} {}\n", Tone::Bad.mark(), one_line(&problem.to_string())));
    }
    let mut told = |line: String| text.push_str(&format!("  {line}\n"));
    if report.problems_more > 0 {
        told(format!("… and {} more", report.problems_more));
    }
    if report.is_fully_endorsed() && report.endorsed_to < Some(report.complete_to) {
        told("what follows is the record of that very endorsement".into());
    } else if report.is_sound() && !report.is_fully_endorsed() {
        told("the rest stands on the control plane's signature until the machine is heard".into());
    }
    for replaced in &report.replaced {
        told(format!(
            "the control plane was set back at entry {}: the machine had confirmed another record to {}",
            replaced.restored_at, replaced.endorsed_to
        ));
    }
    if report.erased > 0 {
        told(format!("{} bodies were erased; that they were there, and when, is proved.", report.erased));
    }
    if report.erased_unendorsed > 0 {
        let unendorsed = report.erased_unendorsed;
        told(format!(
            "the control plane alone states {unendorsed} of them: the machine has not confirmed it"
        ));
    }
    if report.gaps > 0 {
        told(format!("{} spans of the machine's journal are gone, as it declared itself.", report.gaps));
    }
    if let Some(key) = &report.head_key {
        verify_keys::lines(key, known).into_iter().for_each(&mut told);
    }
    if let Some(root) = report.root {
        told(format!("root key    {root}"));
        told(format!(
            "            {}",
            if report.is_root_trusted {
                "as you named it"
            } else {
                "as the file says: name the owner's with --root to prove it"
            }
        ));
    }
    for key in &report.keys {
        told(format!("machine key {key}"));
    }
    for journal in report.journals.iter().filter(|journal| journal.signed_to.is_none()) {
        let (id, number) = (journal.id, journal.number);
        told(format!("journal     {id}: {number} entries, of which the machine has signed none yet"));
    }
    text
}

/// The report for programs.
fn document(report: &Report) -> Value {
    let mut document = json!({
        "endpoint": report.endpoint,
        "root": report.root,
        "is_root_trusted": report.is_root_trusted,
        "proved": exit_of(report) == Exit::Done,
        "keys": report.keys,
        "entries": report.entries,
        "complete_to": report.complete_to,
        "endorsed_to": report.endorsed_to,
        "fully_endorsed": report.is_fully_endorsed(),
        "erased": report.erased,
        "erased_unendorsed": report.erased_unendorsed,
        "gaps": report.gaps,
        "journals": report.journals,
        "replaced": report.replaced,
        "findings": report.problems.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "findings_more": report.problems_more,
    });
    verify_keys::add(&mut document, report.head_key.as_ref());
    document
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate_core::id::{EndpointId, JournalId};
    use tidegate_core::time::Timestamp;
    use tidegate_core::verify::{JournalReport, Problem};

    #[test]
    fn a_report_says_how_far_the_record_holds_and_what_is_wrong() {
        let screen = Screen::plain();
        let unsigned = JournalReport {
            id: JournalId::from_bytes([4; 10]),
            number: 7,
            signed_to: None,
            signed_from: None,
        };
        let reports = [
            whole(),
            Report { endorsed_to: None, journals: vec![unsigned], ..whole() },
            broken(),
            Report { is_root_trusted: false, ..whole() },
            revoked(),
            Report { is_root_trusted: false, ..broken() },
        ];
        let texts = reports.map(|it| text(&it, &Known::default(), &screen));
        insta::assert_snapshot!(texts.join("\n"));
    }

    #[test]
    fn a_program_reads_the_same() {
        let document = document(&broken());
        assert_eq!(document["complete_to"], 16);
        assert_eq!(document["fully_endorsed"], false);
        assert_eq!(
            document["findings"][0],
            "line 37, entry 17: header and body name different kinds of entry"
        );
        assert_eq!([exit_of(&whole()), exit_of(&broken())], [Exit::Done, Exit::Attention]);
    }

    #[test]
    fn a_record_without_the_owners_root_key_is_not_proved() {
        let unproved = Report { is_root_trusted: false, ..whole() };
        assert_eq!(exit_of(&unproved), Exit::Unproved);
        assert!(!text(&unproved, &Known::default(), &Screen::plain()).contains(Tone::Good.mark()));
        assert_eq!(document(&unproved)["proved"], false);
        assert_eq!(document(&whole())["proved"], true);
        assert_eq!(exit_of(&Report { is_root_trusted: false, ..broken() }), Exit::Attention);
    }

    #[test]
    fn a_record_under_a_revoked_key_is_not_proved() {
        assert_eq!(exit_of(&revoked()), Exit::Unproved);
        assert!(!text(&revoked(), &Known::default(), &Screen::plain()).contains(Tone::Good.mark()));
        let document = document(&revoked());
        assert_eq!((&document["proved"], &document["serial"]), (&json!(false), &json!(2)));
    }

    #[test]
    fn a_file_that_is_no_export_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("notes.txt");
        std::fs::write(&file, "milk\n").unwrap();
        assert_eq!(verify(&file, None, &Known::default()).unwrap_err().exit, Exit::Refused);
        assert_eq!(
            verify(&directory.path().join("absent"), None, &Known::default()).unwrap_err().exit,
            Exit::Usage
        );
    }

    fn whole() -> Report {
        Report {
            endpoint: Some(EndpointId::from_bytes([3; 10])),
            root: Some(Digest::of("root")),
            is_root_trusted: true,
            head_key: Some(head_key()),
            keys: vec![Digest::of("machine")],
            entries: 41,
            complete_to: 41,
            endorsed_to: Some(38),
            told_to: 38,
            erased: 0,
            erased_unendorsed: 0,
            gaps: 0,
            journals: Vec::new(),
            replaced: Vec::new(),
            problems: Vec::new(),
            problems_more: 0,
        }
    }

    fn head_key() -> HeadKey {
        let signed_at = Timestamp::from_milliseconds(1_795_442_400_000);
        HeadKey {
            order_key: Digest::of("order"),
            serial: 2,
            not_after: signed_at.shifted_by_ms(86_400_000),
            signed_at: Some(signed_at),
            is_revoked: false,
        }
    }

    fn revoked() -> Report {
        Report { head_key: Some(HeadKey { is_revoked: true, ..head_key() }), ..whole() }
    }

    fn broken() -> Report {
        let problem = Problem { line: 37, entry: Some(17), fault: Fault::Kind };
        Report { complete_to: 16, endorsed_to: Some(16), erased: 1, problems: vec![problem], ..whole() }
    }
}
