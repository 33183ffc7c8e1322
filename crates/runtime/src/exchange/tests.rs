//! What a control plane, or something in its place, must not bring about: asking without a pause, or silence.

use std::path::Path;

use tidegate_core::api::JournalState;
use tidegate_core::digest::Digest;
use tidegate_core::envelope::Envelope;
use tidegate_core::id::EndpointId;
use tidegate_core::keys::{KeyPair, PublicKey, Role};
use tidegate_core::runtime::create;
use tidegate_core::time::Timestamp;
use tidegate_core::wire::{
    Authority, JournalAnswer, OrderKeyCertificate, PROTOCOL_VERSION, Policy, TimeStatement,
};

use tidegate_core::runtime::document_save;

use super::*;
use crate::identity::{DOCUMENT, Enrolled, Identity};
use crate::net::Intervals;
use crate::session::RunOptions;
use crate::state_directory::StateDirectory;

/// No pause at all is a loop; the shortest that is meant is half a second.
const PAUSE_MIN: Duration = Duration::from_millis(400);

fn now() -> Timestamp {
    clock::wall()
}

fn authority() -> Authority {
    let root = KeyPair::from_seed(Role::Root, &[1; 32]);
    let certificate = OrderKeyCertificate::new(1, &KeyPair::from_seed(Role::Order, &[2; 32]), now());
    Authority {
        root: PublicKey::of_seed(&[1; 32]),
        certificate: Envelope::seal(&certificate, &root, Role::Root),
    }
}

/// A session of a machine that is enrolled, and has told that it started.
fn session(state: &Path) -> Session {
    let endpoint = EndpointId::from_bytes([1; 10]);
    let enrolment = authority().certificate;
    let enrolled = Enrolled { endpoint, enrolment, root: authority().root };
    let mut identity = Identity::fresh("http://127.0.0.1:9".into(), None);
    identity.enrolled = Some(enrolled);
    let mut directory = StateDirectory::open(state).unwrap();
    directory
        .transaction(|db| {
            document_save(db, DOCUMENT, &identity)?;
            create(db, identity.journal, now(), &clock::read(), Policy::default(), &authority())
        })
        .unwrap();
    drop(directory);
    let options = RunOptions {
        retry_max: Duration::from_secs(60),
        is_metered: false,
        is_polling: false,
        intervals: Intervals::default(),
    };
    Session::begin(state, options).unwrap()
}

/// A sync that carried what there was, and what came back.
fn sync(
    request: RequestId,
    is_idle: bool,
    answer: Result<Option<Box<SyncAnswer>>, TransportError>,
) -> Landed {
    Landed::Sync { request, is_idle, before: 0, hold: Duration::ZERO, took: Duration::ZERO, answer }
}

/// An answer that took `number` entries in and says nothing more.
fn quiet(session: &Session, request: RequestId, number: u64) -> SyncAnswer {
    let mut head = session.status().unwrap().journal;
    if number == 0 {
        (head.number, head.hash) = (0, Digest::ZERO);
    }
    SyncAnswer {
        v: PROTOCOL_VERSION,
        request,
        at: now(),
        journal: JournalAnswer { head, state: JournalState::Candidate },
        authority: None,
        offered: Vec::new(),
        void: None,
        transcript: None,
        ticket: None,
        unknown: Vec::new(),
        more: false,
    }
}

fn refused(code: &str, retry_after: Option<Duration>) -> TransportError {
    TransportError::Refused { code: code.into(), detail: "no".into(), retry_after }
}

/// How long it is quiet from now on, with entries to send.
fn pause(session: &mut Session) -> Duration {
    let status = session.status().unwrap();
    session.plan_sending(&status);
    session.due_at().saturating_duration_since(Instant::now())
}

#[tokio::test]
async fn a_slowed_machine_waits_as_asked_and_sends_small_batches_until_all_is_taken() {
    let directory = tempfile::tempdir().unwrap();
    let mut session = session(directory.path());
    for attempts in 0..400 {
        let problem = "x".repeat(300);
        session.perform(Input::Link { closed_at: now(), attempts, problem }).unwrap();
    }
    let at_ease = session.request().unwrap().bytes.len();
    session.land(sync(REQUEST, false, Err(refused("rate_limited", Some(Duration::from_secs(170)))))).unwrap();
    assert!(pause(&mut session) >= Duration::from_secs(165), "it comes back too early");
    let slowed = session.request().unwrap().bytes.len() as u64;
    assert!(slowed < 2 * SLOWED_BYTES_MAX && slowed < at_ease as u64 / 2, "{slowed} of {at_ease} bytes");
    let some = quiet(&session, REQUEST, 0);
    session.land(sync(REQUEST, false, Ok(Some(Box::new(some))))).unwrap();
    assert_eq!(session.request().unwrap().bytes.len() as u64, slowed, "an answer alone ends nothing");
    let all = quiet(&session, REQUEST, session.status().unwrap().journal.number);
    session.land(sync(REQUEST, false, Ok(Some(Box::new(all))))).unwrap();
    assert!(!session.is_slowed);
}

const REQUEST: RequestId = RequestId::from_bytes([5; 10]);

#[tokio::test]
async fn entries_that_are_not_taken_are_not_sent_again_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let mut session = session(directory.path());
    assert!(session.status().unwrap().journal.number > 0);
    let mut promises_more = quiet(&session, REQUEST, 0);
    promises_more.more = true;
    let mut admits = quiet(&session, REQUEST, 0);
    admits.ticket = Some("a".into());
    for answer in [None, Some(promises_more), Some(admits)] {
        let words = format!("{answer:?}");
        session.land(sync(REQUEST, false, Ok(answer.map(Box::new)))).unwrap();
        assert!(pause(&mut session) >= PAUSE_MIN, "{words}");
    }
}

#[tokio::test]
async fn nothing_at_all_is_no_answer_to_entries() {
    let directory = tempfile::tempdir().unwrap();
    let mut session = session(directory.path());
    session.land(sync(REQUEST, false, Ok(None))).unwrap();
    assert!(session.closed_at_ms.is_some(), "what answers so is not a control plane");
}

#[tokio::test]
async fn no_server_silences_a_machine_by_asking_it_to_wait() {
    let directory = tempfile::tempdir().unwrap();
    let mut session = session(directory.path());
    for wait in [Duration::MAX, Duration::from_secs(u64::MAX), Duration::from_secs(86_400)] {
        session.land(sync(REQUEST, true, Err(refused("rate_limited", Some(wait))))).unwrap();
        let pause = pause(&mut session);
        assert!(pause >= Duration::from_secs(60) && pause <= Duration::from_secs(600), "{pause:?}");
    }
}

#[tokio::test]
async fn a_recovery_that_does_not_help_is_not_repeated_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let mut session = session(directory.path());
    let recovered = || {
        let (endpoint, at) = (EndpointId::from_bytes([1; 10]), now());
        let answer = EnrolAnswer {
            endpoint,
            enrolment: authority().certificate,
            authority: authority(),
            at,
            same_name: Vec::new(),
        };
        Landed::Recover { answer: Ok(Box::new(answer)) }
    };
    session.land(sync(REQUEST, false, Err(refused("unknown_endpoint", None)))).unwrap();
    assert!(session.must_recover && pause(&mut session) < PAUSE_MIN, "the first is asked for at once");
    session.land(recovered()).unwrap();
    session.land(sync(REQUEST, false, Err(refused("unknown_endpoint", None)))).unwrap();
    assert!(session.must_recover && pause(&mut session) >= PAUSE_MIN);
}

#[tokio::test]
async fn time_that_is_not_believed_is_not_asked_for_without_a_pause() {
    let directory = tempfile::tempdir().unwrap();
    let mut session = session(directory.path());
    let order = KeyPair::from_seed(Role::Order, &[9; 32]);
    let statement = TimeStatement { v: PROTOCOL_VERSION, nonce: "n".into(), at: now() };
    let answer = TimeAnswer {
        time: Envelope::seal(&statement, &order, Role::Order),
        authority: authority().certificate,
        root: PublicKey::of_seed(&[1; 32]),
    };
    let mut slept = Duration::ZERO;
    for _ in 0..5 {
        session.land(Landed::Time { nonce: "n".into(), answer: Ok(Box::new(answer.clone())) }).unwrap();
        slept += pause(&mut session);
        session.land(sync(REQUEST, false, Err(TransportError::TimeFirst))).unwrap();
        slept += pause(&mut session);
    }
    assert!(slept >= 5 * PAUSE_MIN, "{slept:?}");
}

#[tokio::test]
async fn a_time_that_is_refused_for_ever_keeps_no_sync_from_departing() {
    let directory = tempfile::tempdir().unwrap();
    let mut session = session(directory.path());
    session.land(Landed::Time { nonce: "n".into(), answer: Err(refused("forbidden", None)) }).unwrap();
    assert!(session.next_at < session.time_at, "a sync is due before the time is asked for again");
}

#[tokio::test]
async fn a_ticket_that_a_control_plane_cannot_read_is_given_up() {
    let directory = tempfile::tempdir().unwrap();
    let mut session = session(directory.path());
    let entries = session.status().unwrap().journal.number;
    let answer = SyncAnswer { ticket: Some("a".repeat(1_000)), ..quiet(&session, REQUEST, entries) };
    session.land(sync(REQUEST, false, Ok(Some(Box::new(answer))))).unwrap();
    assert!(session.ticket.is_some());
    session.land(sync(REQUEST, true, Err(refused("invalid", None)))).unwrap();
    assert!(session.ticket.is_none());
}
