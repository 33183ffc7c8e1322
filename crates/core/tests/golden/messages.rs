//! What travels between an endpoint and its control plane: time, enrolment, syncs.

use serde_json::{Map, Value};
use tidegate_core::api::JournalState;
use tidegate_core::chain::{Entry, Link};
use tidegate_core::digest::Digest;
use tidegate_core::entropy::Entropy;
use tidegate_core::envelope::{Envelope, Payload};
use tidegate_core::journal::{JournalBody, JournalHeader, Known};
use tidegate_core::probe::Catalogue;
use tidegate_core::runtime::verify_time;
use tidegate_core::wire::{
    EnrolAnswer, EnrolRequest, EnrolmentCertificate, EnrolmentCode, Gap, Head, IdleSync, JournalAnswer,
    LineClock, Proof, RecoverRequest, SyncAnswer, SyncLine, SyncMessage, SyncRequest, TimeAnswer,
    TimeRequest, TimeStatement, TranscriptHead, journals_digest, seal_public_key,
};

use super::Goldens;
use super::fixed::{
    BOOT, CODE, ENDPOINT, JOURNAL, LOG, NONCE, REQUEST, SITE, V, at, authority, by_endpoint, by_order_key,
    by_statement_key, digest, endpoint_key, endpoint_keys, json, order_key_certificate, root, statement_key,
};
use super::orders;

pub(crate) fn add(goldens: &mut Goldens) {
    envelopes(goldens);
    time(goldens);
    enrolments(goldens);
    syncs(goldens);
}

fn envelopes(goldens: &mut Goldens) {
    let head = transcript_head();
    let envelope = by_statement_key(&head);
    let payload = json(&head);
    let kind = TranscriptHead::TYPE;
    let signed = format!("DSSEv1 {} {kind} {} {payload}", kind.len(), payload.len());
    let signature = base64_decode(&envelope.signatures[0].sig);
    assert!(statement_key().verifies(signed.as_bytes(), &signature));
    goldens.insert("envelope".into(), json(&envelope));
    goldens.insert("signed-bytes".into(), signed);
    goldens.insert("transcript-head".into(), payload);
    let digest = journals_digest(Digest::ZERO, JOURNAL, &endpoint_key());
    goldens.insert("journals-digest".into(), digest.to_string());
}

/// Base 64, without asking the code under test.
fn base64_decode(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).unwrap()
}

pub(crate) fn transcript_head() -> TranscriptHead {
    TranscriptHead {
        v: V,
        endpoint: ENDPOINT,
        number: 12,
        hash: digest("entry 12"),
        at: at(0),
        journals: Some(journals_digest(Digest::ZERO, JOURNAL, &endpoint_key())),
        export: None,
    }
}

fn time(goldens: &mut Goldens) {
    let statement = TimeStatement { v: V, nonce: NONCE.into(), at: at(0) };
    let answer =
        TimeAnswer { time: by_statement_key(&statement), authority: authority().certificate, root: root() };
    assert_eq!(verify_time(&answer, NONCE, &root(), 2).map(|(time, _)| time), Ok(at(0)));
    goldens.insert("time-request".into(), json(&TimeRequest { nonce: NONCE.into() }));
    goldens.insert("time-statement".into(), json(&statement));
    goldens.insert("time-answer".into(), json(&answer));
    goldens.insert("order-key-certificate".into(), json(&order_key_certificate()));
}

pub(crate) fn facts() -> Map<String, Value> {
    Map::from_iter([("hostname".into(), "hmi-7".into()), ("os".into(), "Windows 10".into())])
}

pub(crate) fn probes() -> Catalogue {
    serde_json::from_str(include_str!("../verify/probes.json")).unwrap()
}

pub(crate) fn enrolment() -> EnrolmentCertificate {
    EnrolmentCertificate {
        v: V,
        endpoint: ENDPOINT,
        key: endpoint_key(),
        seal_key: seal_public_key(&[4; 32]),
        site: SITE,
        name: "hmi-7".into(),
        enrolled_at: at(0),
    }
}

fn enrolments(goldens: &mut Goldens) {
    let code = EnrolmentCode { id: CODE, root_fingerprint: root().fingerprint(), secret: [5; 16] };
    assert_eq!(code.to_string().parse().as_ref(), Ok(&code));
    goldens.insert("code".into(), code.to_string());
    let request = EnrolRequest {
        v: V,
        code: CODE,
        secret: "05".repeat(16),
        key: endpoint_key(),
        seal_key: seal_public_key(&[4; 32]),
        journal: JOURNAL,
        name: "hmi-7".into(),
        facts: facts(),
        probes: probes(),
    };
    assert_eq!(request.secret_bytes(), Some(code.secret));
    by_endpoint(&request);
    goldens.insert("enrol-request".into(), json(&request));
    goldens.insert("enrolment-certificate".into(), json(&enrolment()));
    let answer = EnrolAnswer {
        same_name: Vec::new(),
        endpoint: ENDPOINT,
        enrolment: by_order_key(&enrolment()),
        authority: authority(),
        at: at(0),
    };
    goldens.insert("enrol-answer".into(), json(&answer));
    let recover = RecoverRequest {
        v: V,
        enrolment: answer.enrolment,
        authority: answer.authority,
        journal: JOURNAL,
        facts: facts(),
        probes: probes(),
    };
    by_endpoint(&recover);
    goldens.insert("recover-request".into(), json(&recover));
}

/// The journal's first entry.
pub(crate) fn first_entry() -> Entry {
    let booted = JournalBody::Booted { version: "0.1.0".into(), machine_boot: "4f1c".into(), leftovers: 0 };
    let body = json(&booted);
    let header = JournalHeader {
        journal: JOURNAL,
        kind: booted.kind().into(),
        at: at(1),
        is_unsure: false,
        wall: at(3),
        monotonic_ms: 60_000,
        boot: BOOT,
        link: Link::new(1, Digest::ZERO, &body, &mut Entropy::new([0x99; 32])),
    };
    assert!(header.link.holds(&body));
    Entry { header: json(&header), body: Some(body) }
}

pub(crate) fn sync_line(number: u64, hash: Digest) -> SyncLine {
    SyncLine {
        v: V,
        endpoint: ENDPOINT,
        request: REQUEST,
        boot: BOOT,
        serial: 2,
        wall: at(3),
        clock: Some(LineClock { at: at(1), monotonic_ms: 60_250 }),
        journal: Head { id: JOURNAL, number, hash },
        orders: Some(Head { id: LOG, number: 1, hash: digest("order 1") }),
        after: None,
        content: None,
        gap: false,
        failures: None,
        proofs: 0,
    }
}

fn syncs(goldens: &mut Goldens) {
    let entry = first_entry();
    let line = SyncLine { after: Some(0), orders: None, ..sync_line(1, entry.hash()) };
    let signed = SyncRequest::seal(line, None, core::slice::from_ref(&entry), &endpoint_keys());
    goldens.insert("sync-line".into(), json(&parsed(&signed).line));
    goldens.insert("sync-signed".into(), String::from_utf8(signed).unwrap());

    let gap = Gap {
        number: 40,
        hash: digest("entry 40"),
        known: Known { complete_since: at(0), outcomes: vec![orders::outcome()] },
    };
    let line = SyncLine { after: Some(40), ..sync_line(40, gap.hash) };
    let with_gap = SyncRequest::seal(line, Some(&gap), &[], &endpoint_keys());
    assert_eq!(parsed(&with_gap).gap.as_ref(), Some(&gap));
    goldens.insert("sync-gap".into(), String::from_utf8(with_gap).unwrap());

    let line = sync_line(1, entry.hash());
    let proofs = [
        Proof { sequence: orders::work().sequence, work: Some(by_order_key(&orders::work())) },
        Proof { sequence: orders::forgotten(), work: None },
    ];
    let with_proofs = SyncRequest::seal_with_proofs(line, None, &proofs, &[], &endpoint_keys());
    assert_eq!(parsed(&with_proofs).proofs, proofs);
    goldens.insert("sync-proofs".into(), String::from_utf8(with_proofs).unwrap());

    let ticket = "AcjpfAAAAAAAAAAAAAAAAAAAAAA".to_owned();
    let idle = IdleSync {
        endpoint: ENDPOINT,
        request: REQUEST,
        ticket: ticket.clone(),
        hold_ms: 240_000,
        count: 17,
    };
    assert_eq!(SyncMessage::parse(&idle.write()).unwrap(), SyncMessage::Idle(idle.clone()));
    goldens.insert("sync-idle".into(), String::from_utf8(idle.write()).unwrap());

    let answer = SyncAnswer {
        v: V,
        request: REQUEST,
        at: at(1),
        journal: JournalAnswer {
            head: Head { id: JOURNAL, number: 1, hash: entry.hash() },
            state: JournalState::Current,
        },
        offered: vec![orders::offered()],
        void: Some(by_order_key(&orders::void())),
        authority: Some(authority().certificate),
        transcript: Some(by_statement_key(&transcript_head())),
        ticket: Some(ticket),
        unknown: vec![orders::work().sequence],
        more: false,
    };
    goldens.insert("sync-answer".into(), json(&answer));
}

fn parsed(bytes: &[u8]) -> SyncRequest {
    let request = SyncRequest::parse(bytes).unwrap();
    assert!(request.verify(&endpoint_key()));
    request
}

/// How an envelope shows in other goldens.
pub(crate) fn head_envelope() -> Envelope {
    by_statement_key(&transcript_head())
}
