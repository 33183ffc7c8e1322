//! Work that only the machine tells of (R12): a record with the signed work, and a claim in no list without it.

use tidegate_core::api::{Paging, SequenceState};
use tidegate_core::call::{Answer, EndpointQuestion};
use tidegate_core::chain::{Entry, Link};
use tidegate_core::digest::Digest;
use tidegate_core::entropy::Entropy;
use tidegate_core::id::SequenceId;
use tidegate_core::journal::{Accepted, JournalBody, JournalHeader, Outcome, SequenceEnd, StepOutcome};
use tidegate_core::sequence::EndState;
use tidegate_core::sql::ReadSql;
use tidegate_core::wire::{Head, Proof, SyncAnswer, SyncRequest};

use crate::driver::{heal, run_with_crashes};
use crate::world::{Delivered, FIRST, Message, World, look, steps};

/// A restore to before some work that ended and some that runs: both come back whole.
#[test]
fn work_that_a_restore_forgot_comes_back_with_its_steps_and_results() {
    run_with_crashes(|world| {
        world.settle(FIRST, 2);
        let before = world.backup();
        let ended = world.queue(look());
        world.settle(FIRST, 3);
        let running = world.queue(steps(&["look", "act"]));
        world.sync(FIRST);
        world.restore(&before);
        world.settle(FIRST, 5);
        for (work, runs) in [(ended, 1), (running, 2)] {
            world.expect(work, SequenceState::Succeeded);
            world.expect_runs(work, runs);
        }
        if let Some(view) = world.seen(ended).filter(|_| world.is_undisturbed()) {
            assert_eq!(view.created_by, "not recorded");
            assert!(view.queued_at.is_some() && view.expires_at.is_some());
            let mut attempts = view.steps.iter().flat_map(|step| &step.attempts);
            assert!(attempts.all(|attempt| attempt.started_at.is_some() && attempt.result.is_some()));
        }
    });
}

/// Answers get lost: it is asked again until the work is shown.
#[test]
fn a_lost_question_is_asked_again() {
    let mut world = World::new(1, None);
    world.settle(FIRST, 3);
    let before = world.backup();
    let work = world.queue(look());
    world.settle(FIRST, 3);
    world.restore(&before);
    // It learns how much is held, and sends again from there.
    world.sync(FIRST);
    for _ in 0..4 {
        let request = world.request(FIRST).expect("the machine is on");
        let Delivered::Answer(answer) = world.deliver(&request) else { panic!("it is answered") };
        let answer: SyncAnswer = serde_json::from_slice(&answer).unwrap();
        assert_eq!(answer.unknown, [work]);
        assert_eq!(answer.ticket, None, "something is still asked for");
    }
    world.settle(FIRST, 3);
    world.expect(work, SequenceState::Succeeded);
}

/// A machine whose program kept no work, as one of an earlier release: asked a few times, then left alone.
#[test]
fn a_machine_that_keeps_no_work_says_so_and_is_not_asked_for_ever() {
    let mut world = World::new(1, None);
    world.settle(FIRST, 3);
    let before = world.backup();
    let work = world.queue(look());
    world.settle(FIRST, 3);
    forget_work(&world);
    world.restore(&before);
    world.settle(FIRST, 4);
    assert!(world.seen(work).is_none());
    assert_eq!(world.endpoint_seen().expect("it is known").claimed, 1);
    let rows = world.control.query("SELECT asked, answered FROM claim", &[]).unwrap();
    assert_eq!((rows[0].integer(0).unwrap(), rows[0].integer(1).unwrap()), (0, 1));
    world.settle(FIRST, 2);
    assert!(world.request(FIRST).is_some_and(|request| request.0.starts_with(b"[")), "it idles");
}

/// Nobody answers the question, as a runtime of an earlier release would not.
#[test]
fn a_question_that_is_never_answered_ends() {
    let mut world = World::new(1, None);
    world.settle(FIRST, 3);
    let mut hostile = Hostile::new(&world);
    let invented = hostile.finished_failed(&mut world);
    let mut asked = 0;
    for _ in 0..20 {
        asked += usize::from(hostile.send(&mut world, &[]).unknown == [invented]);
    }
    assert_eq!(asked, 7, "with the answer that took the entries eight times");
}

/// 4,000 failures that nobody asked for made an inbox of 4,000 failures.
#[test]
fn invented_work_reaches_no_list_and_is_all_in_the_transcript() {
    let mut world = World::new(1, None);
    world.settle(FIRST, 3);
    let real = world.queue(look());
    world.settle(FIRST, 3);
    let mut hostile = Hostile::new(&world);
    let invented: Vec<_> = (0..40).map(|_| hostile.finished_failed(&mut world)).collect();
    let listed = EndpointQuestion::Sequences { state: None, since: None, paging: paging() };
    let Answer::Sequences(page) = world.asked(listed).unwrap() else { panic!("sequences are listed") };
    assert_eq!(page.items.iter().map(|item| item.id).collect::<Vec<_>>(), [real]);
    assert_eq!(world.endpoint_seen().expect("it is known").claimed, 40);
    for id in &invented {
        assert!(world.seen(*id).is_none());
        let question =
            EndpointQuestion::Transcript { is_newest_first: false, sequence: Some(*id), paging: paging() };
        let Answer::Transcript(page) = world.asked(question).unwrap() else { panic!("a transcript is") };
        let kinds: Vec<_> = page.items.iter().map(|entry| entry.kind.as_str()).collect();
        assert_eq!(kinds, ["journal.accepted", "journal.sequence_finished"]);
        assert!(page.items.iter().all(|entry| entry.claimed));
    }
    let outbox = "SELECT COUNT(*) FROM outbox WHERE sequence_id NOT IN ('', ?1)";
    let told = world.control.query(outbox, &[real.into()]).unwrap();
    assert_eq!(told[0].integer(0).unwrap(), 0, "the directory hears of none");
}

/// Signed work proves only what it was signed for.
#[test]
fn work_of_another_sequence_another_key_or_altered_proves_nothing() {
    let mut world = World::new(1, None);
    world.settle(FIRST, 3);
    let real = world.queue(look());
    world.settle(FIRST, 3);
    let rows = world.control.query("SELECT envelope FROM work", &[]).unwrap();
    let genuine: tidegate_core::envelope::Envelope = rows[0].json(0).unwrap();
    let mut hostile = Hostile::new(&world);
    let invented = hostile.finished_failed(&mut world);
    let mut altered = genuine.clone();
    altered.payload = altered.payload.replacen('A', "B", 1);
    let own = tidegate_core::envelope::Envelope::seal(
        &genuine.peek::<tidegate_core::wire::Work>().unwrap(),
        &*world.machines[FIRST].keys,
        tidegate_core::keys::Role::Endpoint,
    );
    for work in [Some(genuine), Some(altered), Some(own), None] {
        hostile.send(&mut world, &[Proof { sequence: invented, work }]);
        assert!(world.seen(invented).is_none());
    }
    world.expect(real, SequenceState::Succeeded);
}

/// A machine that was set back to before its work and one that was replaced: nothing is offered again, and all heals.
#[test]
fn claims_of_a_replaced_machine_end_lost_and_never_run() {
    run_with_crashes(|world| {
        world.settle(FIRST, 3);
        let before = world.backup();
        let work = world.queue(steps(&["act", "look"]));
        world.sync(FIRST);
        world.restore(&before);
        world.sync(FIRST);
        world.reimage(FIRST);
        world.settle(FIRST, 2);
        world.adopt(FIRST);
        world.settle(FIRST, 3);
        world.expect_runs(work, 1);
    });
}

fn paging() -> Paging {
    Paging { cursor: None, limit: 100 }
}

fn forget_work(world: &World) {
    world.machines[FIRST].disk.transaction(|db| Ok(db.execute("DELETE FROM proof", &[])?)).unwrap();
}

/// Holds the machine's key and writes what it likes.
struct Hostile {
    head: Head<tidegate_core::id::JournalId>,
    entropy: Entropy,
}

impl Hostile {
    fn new(world: &World) -> Self {
        let status = world.machines[FIRST].status_at(world.now).expect("the machine is enrolled");
        Self { head: status.journal, entropy: Entropy::new([9; 32]) }
    }

    /// Tells of work that nobody made: accepted, and failed.
    fn finished_failed(&mut self, world: &mut World) -> SequenceId {
        let sequence = SequenceId::fresh(world.endpoint, &mut self.entropy);
        let log = tidegate_core::id::LogId::fresh(&mut self.entropy);
        let order = Accepted::Run {
            sequence,
            work: Digest::ZERO,
            title: "Payroll: approve".to_owned(),
            steps: vec!["look".to_owned()],
        };
        let steps = vec![StepOutcome { attempts: 1, state: Some(EndState::Failed) }];
        let outcome = Outcome { sequence, ended: Some(SequenceEnd::Completed), steps };
        let bodies = [
            JournalBody::Accepted { log, number: 2, order },
            JournalBody::SequenceFinished { outcome, reason: None },
        ];
        let after = self.head.number;
        let entries: Vec<Entry> = bodies.iter().map(|body| self.entry(world, body)).collect();
        self.request(world, after, &[], &entries);
        sequence
    }

    fn send(&mut self, world: &mut World, proofs: &[Proof]) -> SyncAnswer {
        self.request(world, self.head.number, proofs, &[])
    }

    fn entry(&mut self, world: &World, body: &JournalBody) -> Entry {
        let text = serde_json::to_string(body).unwrap();
        let number = self.head.number + 1;
        let header = JournalHeader {
            journal: self.head.id,
            kind: body.kind().to_owned(),
            at: world.now,
            is_unsure: false,
            wall: world.now,
            monotonic_ms: 0,
            boot: tidegate_core::id::BootId::from_bytes([7; 10]),
            link: Link::new(number, self.head.hash, &text, &mut self.entropy),
        };
        let entry = Entry { header: serde_json::to_string(&header).unwrap(), body: Some(text) };
        self.head = Head { number, hash: entry.hash(), ..self.head };
        entry
    }

    fn request(&mut self, world: &mut World, after: u64, proofs: &[Proof], entries: &[Entry]) -> SyncAnswer {
        let mut line = world.line(FIRST);
        line.journal = self.head;
        line.after = (!entries.is_empty()).then_some(after);
        let keys = std::rc::Rc::clone(&world.machines[FIRST].keys);
        let bytes = SyncRequest::seal_with_proofs(line, None, proofs, entries, &*keys);
        match world.deliver(&Message(bytes)) {
            Delivered::Answer(answer) => serde_json::from_slice(&answer).unwrap(),
            Delivered::Refused(code) => panic!("{code:?}"),
            Delivered::Nothing => panic!("the request reads"),
        }
    }
}

/// The scenarios above end in a world at rest; this one says that the rest is reached after many restores.
#[test]
fn many_restores_leave_no_claim() {
    let mut world = World::new(3, None);
    world.settle(FIRST, 3);
    let before = world.backup();
    for round in 0..6 {
        let work = world.queue(steps(&["act"]));
        world.settle(FIRST, 3);
        world.restore_as(&before, round % 2 == 0);
        world.settle(FIRST, 4);
        world.expect_runs(work, 1);
    }
    heal(&mut world);
}
