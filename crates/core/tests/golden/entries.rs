//! What stands in journals, transcripts and exports.

use serde_json::Map;
use tidegate_core::chain::Link;
use tidegate_core::digest::Digest;
use tidegate_core::directory::{DirectoryBody, DirectoryHeader};
use tidegate_core::entropy::Entropy;
use tidegate_core::envelope::{Envelope, EnvelopeError};
use tidegate_core::export::{
    AUDIT_EXPORT_VERSION, AuditExportHead, AuditHead, EXPORT_VERSION, ExportHead, ExportJournal,
};
use tidegate_core::id::{ClientId, SiteId};
use tidegate_core::journal::{Accepted, CancelMet, JournalBody, Known, WaitReason};
use tidegate_core::sequence::{EndState, Finding, Output, StepResult};
use tidegate_core::transcript::{ACTOR_CONTROL_PLANE, ACTOR_ENDPOINT, JournalPlace};
use tidegate_core::transcript::{TranscriptBody, TranscriptHeader};
use tidegate_core::verify::{AuditVerifier, Verifier};

use super::Goldens;
use super::fixed::{
    ENDPOINT, JOURNAL, LOG, V, at, authority, by_endpoint, by_order_key, by_statement_key, digest,
    endpoint_key, json, order_key, order_keys, root, sequence,
};
use super::messages::{enrolment, facts, first_entry, head_envelope, probes, sync_line};
use super::orders::{outcome, work};

pub(crate) fn add(goldens: &mut Goldens) {
    let entry = first_entry();
    goldens.insert("entry".into(), format!("{}\n{}", entry.header, entry.body.as_deref().unwrap()));
    goldens.insert("entry-hash".into(), entry.hash().to_string());
    for (index, body) in journal_kinds().iter().enumerate() {
        assert_eq!(journal_place(body), index, "every kind has an example");
        assert_eq!(serde_json::to_value(body).unwrap()["kind"], body.kind());
        goldens.insert(format!("journal-{}", body.kind()), json(body));
    }
    let accepted = accepted_kinds();
    accepted.iter().enumerate().for_each(|(index, kind)| assert_eq!(accepted_place(kind), index));
    let lines: Vec<_> = accepted.iter().map(json).collect();
    goldens.insert("accepted".into(), lines.join("\n"));
    let reasons = [WaitReason::NotBefore { at: at(60) }, WaitReason::ClockUnknown, WaitReason::JournalFull];
    reasons.iter().enumerate().for_each(|(index, reason)| assert_eq!(wait_place(reason), index));
    goldens.insert("wait-reasons".into(), reasons.iter().map(json).collect::<Vec<_>>().join("\n"));
    for (index, body) in transcript_kinds().iter().enumerate() {
        assert_eq!(transcript_place(body), index, "every kind has an example");
        assert_eq!(serde_json::to_value(body).unwrap()["kind"], body.kind());
        goldens.insert(format!("transcript-{}", body.kind()), json(body));
    }
    goldens.insert("export".into(), export());
    goldens.insert("audit-export".into(), audit_export());
}

/// An export of three entries, which verifies.
fn export() -> String {
    let entry = first_entry();
    let journal_body =
        TranscriptBody::Journal { header: entry.header.clone(), body: entry.body.clone().unwrap() };
    let enrolled = TranscriptBody::Enrolled {
        name: "hmi-7".into(),
        key: endpoint_key(),
        code_by: "ada@example.com".into(),
    };
    let place = JournalPlace { id: JOURNAL, number: 1, hash: entry.hash(), previous: Digest::ZERO };
    let first = transcript_entry(1, Digest::ZERO, &enrolled, None);
    let candidate = TranscriptBody::Candidate { journal: JOURNAL, address: None };
    let second = transcript_entry(2, Digest::of(&first.0), &candidate, None);
    let third = transcript_entry(3, Digest::of(&second.0), &journal_body, Some(place));
    let line = Some(by_endpoint(&sync_line(1, entry.hash())));
    let unsigned = ExportHead {
        certificates: vec![authority().certificate],
        tidegate_export: EXPORT_VERSION,
        endpoint: ENDPOINT,
        exported_at: at(60),
        authority: authority(),
        enrolments: vec![by_order_key(&enrolment())],
        journals: vec![ExportJournal { id: JOURNAL, key: endpoint_key(), line }],
        head: Envelope::default(),
    };
    let head = unsigned.sealed(V, 3, Digest::of(&third.0), &order_keys());
    let text = [json(&head), first.0, first.1, second.0, second.1, third.0, third.1].join("\n");
    let mut verifier = Verifier::new(Some(root().fingerprint()));
    verifier.feed(text.as_bytes());
    let report = verifier.finish();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!(report.to_string(), "complete to 3, not endorsed by the endpoint");
    text
}

/// An export of an audit log of one entry, which verifies.
fn audit_export() -> String {
    let body =
        DirectoryBody::ClientCreated { client: ClientId::from_bytes([0x11; 10]), name: "Northwind".into() };
    let text = json(&body);
    let header = DirectoryHeader {
        at: at(1),
        actor: "ada@example.com".into(),
        kind: body.kind().into(),
        link: Link::new(1, Digest::ZERO, &text, &mut Entropy::new([0xaa; 32])),
    };
    let header = json(&header);
    let last = AuditHead { v: V, number: 1, hash: Digest::of(&header), at: at(60) };
    let head = AuditExportHead {
        tidegate_audit_export: AUDIT_EXPORT_VERSION,
        exported_at: at(60),
        authority: authority(),
        head: by_statement_key(&last),
    };
    let text = [json(&head), header, text].join("\n");
    let mut verifier = AuditVerifier::new(Some(root().fingerprint()));
    verifier.feed(text.as_bytes());
    let report = verifier.finish();
    assert!(report.is_sound(), "{report:?}");
    text
}

fn transcript_entry(
    number: u64,
    previous: Digest,
    body: &TranscriptBody,
    journal: Option<JournalPlace>,
) -> (String, String) {
    let text = json(body);
    let header = TranscriptHeader {
        endpoint: ENDPOINT,
        at: at(1),
        actor: if journal.is_some() { ACTOR_ENDPOINT } else { ACTOR_CONTROL_PLANE }.into(),
        kind: if journal.is_some() { "journal.booted" } else { body.kind() }.into(),
        sequence: None,
        journal,
        link: Link::new(number, previous, &text, &mut Entropy::new([0xaa; 32])),
    };
    (json(&header), text)
}

fn known() -> Known {
    Known { complete_since: at(0), outcomes: vec![outcome()] }
}

fn journal_kinds() -> Vec<JournalBody> {
    let (sequence, step, attempt) = (sequence(), 1, 1);
    let result = StepResult {
        summary: "4 of 4 replies, 0.8 ms".into(),
        finding: Finding::Ok,
        data: Map::from_iter([("received".into(), 4.into())]),
        output: Output { head: "64 bytes from 10.20.0.5".into(), bytes: 23, ..Output::default() },
        error_output: None,
    };
    vec![
        JournalBody::Booted { version: "0.1.0".into(), machine_boot: "4f1c".into(), leftovers: 0 },
        JournalBody::Opened { log: LOG, known: known() },
        JournalBody::Continued { journal: JOURNAL, number: 40, hash: digest("entry 40"), known: known() },
        JournalBody::Accepted { log: LOG, number: 2, order: accepted_kinds().swap_remove(1) },
        JournalBody::Refused {
            log: LOG,
            number: 3,
            sequence: None,
            reason: "this runtime does not know this kind of order: update it".into(),
        },
        JournalBody::Waiting { sequence, reason: WaitReason::NotBefore { at: at(60) } },
        JournalBody::StepStarted { sequence, step, attempt },
        JournalBody::StepFinished { sequence, step, attempt, state: EndState::Succeeded, result },
        JournalBody::SequenceFinished { outcome: outcome(), reason: None },
        JournalBody::Tampered {
            log: Some(LOG),
            number: Some(2),
            digest: digest("altered"),
            problem: EnvelopeError::Signature,
        },
        JournalBody::Voided { log: LOG, number: 2 },
        JournalBody::Facts { facts: facts(), probes: probes() },
        JournalBody::Link {
            closed_at: at(-7_200),
            opened_at: at(0),
            attempts: 118,
            problem: "connection timed out".into(),
        },
        JournalBody::Traffic { day: "2026-11-22".parse().unwrap(), up_bytes: 143_012, down_bytes: 61_440 },
        JournalBody::Head { head: head_envelope() },
        JournalBody::Retired,
        JournalBody::Authority { serial: 2, order_key: order_key() },
    ]
}

/// Where each kind stands in [`journal_kinds`]; a new kind does not compile without a place.
fn journal_place(body: &JournalBody) -> usize {
    match body {
        JournalBody::Booted { .. } => 0,
        JournalBody::Opened { .. } => 1,
        JournalBody::Continued { .. } => 2,
        JournalBody::Accepted { .. } => 3,
        JournalBody::Refused { .. } => 4,
        JournalBody::Waiting { .. } => 5,
        JournalBody::StepStarted { .. } => 6,
        JournalBody::StepFinished { .. } => 7,
        JournalBody::SequenceFinished { .. } => 8,
        JournalBody::Tampered { .. } => 9,
        JournalBody::Voided { .. } => 10,
        JournalBody::Facts { .. } => 11,
        JournalBody::Link { .. } => 12,
        JournalBody::Traffic { .. } => 13,
        JournalBody::Head { .. } => 14,
        JournalBody::Retired => 15,
        JournalBody::Authority { .. } => 16,
    }
}

fn accepted_kinds() -> Vec<Accepted> {
    let sequence = sequence();
    vec![
        Accepted::Adopt,
        Accepted::Run {
            sequence,
            work: by_order_key(&work()).digest(),
            title: work().title,
            steps: vec!["ping".into()],
        },
        Accepted::Known { outcome: outcome() },
        Accepted::TooOld { sequence },
        Accepted::Cancel { sequence, met: CancelMet::Waiting },
        Accepted::Configure,
        Accepted::Retire,
    ]
}

fn accepted_place(order: &Accepted) -> usize {
    match order {
        Accepted::Adopt => 0,
        Accepted::Run { .. } => 1,
        Accepted::Known { .. } => 2,
        Accepted::TooOld { .. } => 3,
        Accepted::Cancel { .. } => 4,
        Accepted::Configure => 5,
        Accepted::Retire => 6,
    }
}

fn wait_place(reason: &WaitReason) -> usize {
    match reason {
        WaitReason::NotBefore { .. } => 0,
        WaitReason::ClockUnknown => 1,
        WaitReason::JournalFull => 2,
    }
}

fn transcript_kinds() -> Vec<TranscriptBody> {
    let entry = first_entry();
    let spec =
        serde_json::from_str(r#"{"steps": [{"probe": "ping", "with": {"host": "10.20.0.5"}}]}"#).unwrap();
    let proved = serde_json::from_str(
        r#"{"title": "HMI lost the servo controller", "steps": [{"probe": "ping", "with": {"host": "10.20.0.5"},
            "timeout": "30s"}], "stop_on": "never", "expires_at": "2026-11-30T14:03:00Z",
            "not_before": "2026-11-23T14:04:00Z"}"#,
    )
    .unwrap();
    let (name, key) = ("hmi-7".to_owned(), endpoint_key());
    vec![
        TranscriptBody::Enrolled { name: name.clone(), key, code_by: "ada@example.com".into() },
        TranscriptBody::Recovered { name: name.clone(), key },
        TranscriptBody::Candidate { journal: JOURNAL, address: Some("203.0.113.7".into()) },
        TranscriptBody::Forked { journal: JOURNAL, number: 41 },
        TranscriptBody::Adopted { journal: JOURNAL, replaced: None },
        TranscriptBody::LogOpened { log: LOG },
        TranscriptBody::LogClosed { log: LOG },
        TranscriptBody::Restored { announced: true },
        TranscriptBody::Queued {
            title: work().title,
            spec,
            work: by_order_key(&work()).digest(),
            retry_of: None,
        },
        TranscriptBody::Offered { log: LOG, number: 2 },
        TranscriptBody::Held { reason: "it was meant for the machine before this one was adopted".into() },
        TranscriptBody::Released,
        TranscriptBody::Purged,
        TranscriptBody::CancelRequested,
        TranscriptBody::Ended {
            state: EndState::Cancelled,
            reason: "cancelled before it reached the machine".into(),
        },
        TranscriptBody::Lost {
            reason: "the machine it was sent to was replaced before it told what became of it".into(),
        },
        TranscriptBody::Returned,
        TranscriptBody::Revived,
        TranscriptBody::Amended { step: 1, from: EndState::Lost, to: EndState::Succeeded },
        TranscriptBody::Voided { log: LOG, number: 2 },
        TranscriptBody::Gap { journal: JOURNAL, after: 12, through: 40, hash: digest("entry 40") },
        TranscriptBody::Journal { header: entry.header, body: entry.body.unwrap() },
        TranscriptBody::Noted { text: "the cable was loose".into() },
        TranscriptBody::Reviewed,
        TranscriptBody::Unreviewed,
        TranscriptBody::Assigned { to: Some("ben@example.com".into()) },
        TranscriptBody::RunNext,
        TranscriptBody::Edited {
            name,
            site: SiteId::from_bytes([0x66; 10]),
            tags: Some(vec!["line 4".into()]),
        },
        TranscriptBody::Revoked,
        TranscriptBody::Retired,
        TranscriptBody::Erased {
            number: 12,
            body: digest("body of entry 12"),
            reason: Some("it named a person".into()),
        },
        TranscriptBody::Authority { certificate: authority().certificate },
        TranscriptBody::Proved {
            title: work().title,
            spec: Box::new(proved),
            work: by_order_key(&work()).digest(),
        },
    ]
}

/// Where each kind stands in [`transcript_kinds`]; a new kind does not compile without a place.
fn transcript_place(body: &TranscriptBody) -> usize {
    match body {
        TranscriptBody::Enrolled { .. } => 0,
        TranscriptBody::Recovered { .. } => 1,
        TranscriptBody::Candidate { .. } => 2,
        TranscriptBody::Forked { .. } => 3,
        TranscriptBody::Adopted { .. } => 4,
        TranscriptBody::LogOpened { .. } => 5,
        TranscriptBody::LogClosed { .. } => 6,
        TranscriptBody::Restored { .. } => 7,
        TranscriptBody::Queued { .. } => 8,
        TranscriptBody::Offered { .. } => 9,
        TranscriptBody::Held { .. } => 10,
        TranscriptBody::Released => 11,
        TranscriptBody::Purged => 12,
        TranscriptBody::CancelRequested => 13,
        TranscriptBody::Ended { .. } => 14,
        TranscriptBody::Lost { .. } => 15,
        TranscriptBody::Returned => 16,
        TranscriptBody::Revived => 17,
        TranscriptBody::Amended { .. } => 18,
        TranscriptBody::Voided { .. } => 19,
        TranscriptBody::Gap { .. } => 20,
        TranscriptBody::Journal { .. } => 21,
        TranscriptBody::Noted { .. } => 22,
        TranscriptBody::Reviewed => 23,
        TranscriptBody::Unreviewed => 24,
        TranscriptBody::Assigned { .. } => 25,
        TranscriptBody::RunNext => 26,
        TranscriptBody::Edited { .. } => 27,
        TranscriptBody::Revoked => 28,
        TranscriptBody::Retired => 29,
        TranscriptBody::Erased { .. } => 30,
        TranscriptBody::Authority { .. } => 31,
        TranscriptBody::Proved { .. } => 32,
    }
}
