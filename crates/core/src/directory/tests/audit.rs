//! The audit log: what strangers try is in it in bounded numbers, owners read it, and its export proves itself.

use crate::api::{AuditEntryView, Page, Paging};
use crate::call::{
    Answer, DirectoryAct, DirectoryInput, DirectoryQuestion, Principal, RefusedSignIn, RefusedSignIns, Reply,
};
use crate::chain::Entry;
use crate::directory::{RefusedWith, is_address};
use crate::envelope::EnvelopeSignature;
use crate::error::{Code, Error};
use crate::export::AuditExportHead;
use crate::sql::ReadSql;
use crate::verify::{AUDIT_EXPORT_BEGINS, AuditReport, AuditVerifier, Fault};

use super::people::owner;
use super::sessions::world_signed_in;
use super::support::{World, all, anna, code_of, stranger};

fn read(world: &World, by: &Principal, newest: bool, paging: Paging) -> Result<Page<AuditEntryView>, Error> {
    let question = DirectoryQuestion::Audit { by: by.clone(), is_newest_first: newest, paging };
    match world.try_ask(question)? {
        Answer::Audit(page) => Ok(page),
        other => panic!("{other:?}"),
    }
}

fn refused(account: Option<&str>, address: &str, count: u64) -> RefusedSignIn {
    let (account, address) = (account.map(str::to_owned), Some(address.to_owned()));
    RefusedSignIn { account, with: RefusedWith::Password, address, count }
}

fn tell(world: &mut World, named: Vec<RefusedSignIn>, others: u64) {
    let told = RefusedSignIns { from: world.now, until: world.now, named, others };
    assert_eq!(world.try_handle(DirectoryInput::SignInsRefused(told)), Ok(Reply::Done));
}

fn of_kind(world: &World, kind: &str) -> Vec<serde_json::Value> {
    let mut bodies = Vec::new();
    let mut cursor = None;
    loop {
        let page = read(world, &anna(), false, Paging { cursor, limit: 500 }).unwrap();
        bodies.extend(page.items.into_iter().filter(|entry| entry.kind == kind).map(|entry| entry.body));
        cursor = page.next;
        if cursor.is_none() {
            return bodies;
        }
    }
}

#[test]
fn a_refused_sign_in_names_its_account_and_an_unknown_one_only_where_it_is_an_address() {
    let (mut world, anna) = world_signed_in();
    owner(&mut world, "ben@example.com", "ben").unwrap();
    tell(
        &mut world,
        vec![
            refused(Some("Anna@Example.com"), "192.0.2.7", 3),
            refused(Some("eve@evil.example"), "192.0.2.8", 1),
            refused(Some("Tr0ub4dor@3"), "192.0.2.9", 1),
            refused(None, "192.0.2.9", 2),
        ],
        0,
    );
    let bodies = of_kind(&world, "sign_in_refused");
    assert_eq!(bodies.len(), 4);
    assert_eq!((&bodies[0]["email"], &bodies[0]["count"]), (&"anna@example.com".into(), &3.into()));
    assert_eq!(bodies[0]["person"], anna.person_id.to_string());
    assert_eq!((&bodies[1]["email"], bodies[1].get("person")), (&"eve@evil.example".into(), None));
    assert_eq!((bodies[2].get("email"), bodies[3].get("email")), (None, None), "it may be a password");
    let stored = world.db.query("SELECT header, body FROM directory_audit", &[]).unwrap();
    assert!(!format!("{stored:?}").contains("Tr0ub4dor"));
}

#[test]
fn what_may_be_a_password_is_no_address() {
    for address in ["kim@msp.example", "Kim.Lee+x@a-b.co.uk", "k_1@x.museum"] {
        assert!(is_address(address), "{address}");
    }
    let long = format!("{}@msp.example", "a".repeat(65));
    for text in [
        "P@ssw0rd",
        "p@ss.w0rd",
        "hunter2",
        "a@b",
        "@b.example",
        "a b@c.example",
        "a@@b.example",
        "a@b..example",
        "ä@b.example",
        "correct horse",
        &long,
    ] {
        assert!(!is_address(text), "{text}");
    }
}

#[test]
fn however_much_is_tried_a_day_leaves_a_bounded_number_of_entries() {
    let (mut world, _) = world_signed_in();
    world.now = "2026-11-24T00:00:00Z".parse().unwrap();
    let mut attempts = 0;
    for minute in 0..200_u64 {
        let named = (0..50).map(|number| refused(None, &format!("192.0.{minute}.{number}"), 2)).collect();
        tell(&mut world, named, 7);
        attempts += 107;
        world.pass("1m");
    }
    let named = of_kind(&world, "sign_in_refused");
    let others = of_kind(&world, "sign_ins_refused");
    assert_eq!((named.len(), others.len()), (1_000, 200));
    let counted =
        |bodies: &[serde_json::Value]| bodies.iter().map(|body| body["count"].as_u64().unwrap()).sum::<u64>();
    assert_eq!(counted(&named) + counted(&others), attempts, "each is counted");
    world.now = "2026-11-25T00:00:00Z".parse().unwrap();
    tell(&mut world, vec![refused(None, "192.0.2.1", 1)], 0);
    assert_eq!(of_kind(&world, "sign_in_refused").len(), 1_001, "the next day has room again");
}

#[test]
fn owners_and_nobody_else_read_the_log_from_either_end_in_pages() {
    let (mut world, _) = world_signed_in();
    for name in ["Acme", "Bolt", "Cord"] {
        world.client(name);
    }
    let whole = read(&world, &anna(), false, all()).unwrap();
    let numbers: Vec<u64> = whole.items.iter().map(|entry| entry.number).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    assert!(
        whole.items.iter().skip(1).zip(&whole.items).all(|(next, entry)| next.previous_hash == entry.hash)
    );
    let mut paged = Vec::new();
    let mut cursor = None;
    loop {
        let page = read(&world, &anna(), true, Paging { cursor, limit: 2 }).unwrap();
        assert!(page.items.len() <= 2);
        paged.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    paged.reverse();
    assert_eq!(paged, whole.items);
    let opened = whole.items.iter().find(|entry| entry.kind == "session_opened").unwrap();
    assert_eq!(opened.about.as_deref(), Some("anna@example.com"));
    assert_eq!(opened.body["address"], "192.0.2.7");
    let foreign = Paging { cursor: whole.next.or(Some("x".into())), limit: 1 };
    assert_eq!(code_of(read(&world, &anna(), false, foreign)), Code::InvalidRequest);
    assert_eq!(code_of(read(&world, &stranger(), false, all())), Code::Forbidden);
    for question in [
        DirectoryQuestion::AuditHead { by: stranger() },
        DirectoryQuestion::AuditEntries { by: stranger(), after: 0, through: 9 },
    ] {
        assert_eq!(code_of(world.try_ask(question)), Code::Forbidden);
    }
}

#[test]
fn a_page_ends_at_its_bytes_and_the_next_goes_on() {
    let (mut world, _) = world_signed_in();
    let client = world.client("Acme");
    let before = of_kind(&world, "client_renamed").len();
    for number in 0..1_200 {
        let name = format!("{number:0>200}");
        world.act(DirectoryAct::RenameClient { client: client.id, name }).unwrap();
    }
    let page = read(&world, &anna(), false, all()).unwrap();
    assert!(page.items.len() < 500 && page.next.is_some(), "{}", page.items.len());
    assert_eq!(of_kind(&world, "client_renamed").len(), before + 1_200);
}

/// The export as it leaves: first line, then two lines an entry.
fn export(world: &World) -> String {
    let Ok(Answer::AuditHead(head)) = world.try_ask(DirectoryQuestion::AuditHead { by: anna() }) else {
        panic!()
    };
    let (mut text, mut after) = (serde_json::to_string(head.as_ref()).unwrap() + "\n", 0);
    loop {
        let question = DirectoryQuestion::AuditEntries { by: anna(), after, through: u64::MAX >> 12 };
        let Ok(Answer::ExportEntries(entries)) = world.try_ask(question) else { panic!() };
        let Some((last, _)) = entries.last() else { return text };
        after = *last;
        for (_, Entry { header, body }) in entries {
            text.push_str(&format!("{header}\n{}\n", body.unwrap()));
        }
    }
}

fn verified(text: &str, root: Option<crate::digest::Digest>) -> AuditReport {
    let mut verifier = AuditVerifier::new(root);
    for piece in text.as_bytes().chunks(7) {
        verifier.feed(piece);
    }
    verifier.finish()
}

#[test]
fn an_export_of_the_log_proves_itself_and_whatever_is_changed_shows() {
    let (mut world, _) = world_signed_in();
    world.client("Acme");
    let root = world.root().fingerprint();
    let text = export(&world);
    assert!(text.as_bytes().starts_with(AUDIT_EXPORT_BEGINS));
    let report = verified(&text, Some(root));
    assert!(report.is_sound() && report.is_root_trusted, "{report:?}");
    assert_eq!(report.complete_to, report.entries);
    assert!(report.entries >= 4);
    let lines: Vec<&str> = text.lines().collect();
    let (count, last) = (lines.len(), lines.len() - 1);
    let with = |index: usize, line: &str| {
        let mut lines = lines.clone();
        lines[index] = line;
        lines.join("\n") + "\n"
    };
    let without = |gone: std::ops::Range<usize>| {
        let kept = lines.iter().enumerate().filter(|(index, _)| !gone.contains(index)).map(|(_, line)| *line);
        kept.collect::<Vec<_>>().join("\n") + "\n"
    };
    for (what, damaged) in [
        ("a body blanked", with(4, "")),
        ("a body changed", with(2, &lines[2].replace("anna", "eve"))),
        ("a header changed", with(3, &lines[3].replace("control plane", "eve"))),
        (
            "the last header changed",
            with(last - 1, &lines[last - 1].replace("anna@example.com", "eve@example.com")),
        ),
        ("an entry removed", without(3..5)),
        ("the last entry cut off", without(last - 1..count)),
        ("the last body cut off", without(last..count)),
        ("everything cut off", without(1..count)),
        ("an entry twice", format!("{text}{}\n{}\n", lines[last - 1], lines[last])),
        ("two bodies swapped", {
            let mut it = lines.clone();
            it.swap(2, 4);
            it.join("\n")
        }),
        ("nothing at all", String::new()),
        ("another file", "milk\n".to_owned()),
    ] {
        let report = verified(&damaged, Some(root));
        assert!(!report.is_sound(), "{what}: {report:?}");
        assert!(report.complete_to < count as u64 / 2 || what == "an entry twice", "{what}: {report:?}");
    }
    let foreign = verified(&text, Some(crate::digest::Digest::of("another")));
    assert!(matches!(foreign.problems[0].fault, Fault::OtherRoot { .. }), "{foreign:?}");
    assert!(!verified(&text, None).is_root_trusted);
    let head: AuditExportHead = serde_json::from_str(lines[0]).unwrap();
    let key = report.head_key.unwrap();
    assert_eq!((key.serial, key.signed_at), (1, Some(world.now)));
    let junk = EnvelopeSignature { keyid: "0123456789abcdef".into(), sig: "anything".into() };
    for is_head in [true, false] {
        let mut edited = head.clone();
        let signed = if is_head { &mut edited.head } else { &mut edited.authority.certificate };
        signed.signatures.push(junk.clone());
        let further = with(0, &serde_json::to_string(&edited).unwrap());
        assert!(!verified(&further, Some(root)).is_sound(), "a further signature, on the head: {is_head}");
    }
    let earlier = AuditExportHead { exported_at: world.now.shifted_by_ms(1), ..head };
    let dated = with(0, &serde_json::to_string(&earlier).unwrap());
    assert!(!verified(&dated, Some(root)).is_sound());
    let spaced = verified(&with(0, &lines[0].replacen(':', ": ", 1)), Some(root));
    assert!(spaced.problems.iter().any(|problem| matches!(problem.fault, Fault::Writing)), "{spaced:?}");
}
