//! The promises, each a named check of a world that is at rest.

use std::collections::BTreeMap;

use tidegate_core::api::{SequenceState, StepState};
use tidegate_core::chain::Entry;
use tidegate_core::digest::Digest;
use tidegate_core::id::JournalId;
use tidegate_core::journal::JournalHeader;
use tidegate_core::packed;
use tidegate_core::sequence::Standing;
use tidegate_core::sql::ReadSql;
use tidegate_core::transcript::{TranscriptBody, TranscriptHeader};

use crate::observed::sequences;
use crate::world::World;

/// Everything that holds at any time.
pub(crate) fn check_always(world: &World) {
    at_most_once(world);
    nothing_vanishes(world);
    transcript_is_one_chain(world);
    journals_are_in_the_transcript_once_and_in_order(world);
}

/// G2.
fn at_most_once(world: &World) {
    if let Some(breach) = world.truth.started_twice() {
        panic!("G2: {breach}");
    }
}

/// G3: what was queued is there, unless a restore may have forgotten it.
fn nothing_vanishes(world: &World) {
    for sequence in world.truth.queued.keys() {
        let is_there = world.seen(*sequence).is_some();
        assert!(is_there || world.truth.forgettable.contains(sequence), "G3: {sequence} vanished");
    }
}

/// G3, after healing: what has not ended waits for a person, and everything that ran is told as such.
pub(crate) fn everything_ended_or_is_held(world: &World) {
    for (sequence, _) in sequences(&world.control) {
        let settled = match &sequence.standing {
            Standing::Draft | Standing::Held { .. } => sequence.doubt.is_none(),
            Standing::Ended { .. } => sequence.doubt.is_none() && sequence.cancel.is_none(),
            Standing::Queued | Standing::Offered { .. } | Standing::Delivered | Standing::Running => false,
        };
        assert!(settled, "G8: {} is stuck: {:?}, doubt {:?}", sequence.id, sequence.standing, sequence.doubt);
    }
}

/// R12, after healing: an honest machine's work is a record again, and no claim of the journal that is current is open. It
/// has none to show where a cancel met work that never reached it.
pub(crate) fn nothing_is_merely_claimed(world: &World) {
    let claims =
        "SELECT claim.sequence_id, claim.asked, claim.answered FROM claim JOIN journal USING (endpoint_id)
                  WHERE journal.ordinal = claim.told AND journal.state = 'current'";
    let rows = world.control.query(claims, &[]).expect("the tables are there");
    for row in &rows {
        let sequence = row.parsed(0).expect("ids read");
        let has_none = row.integer(2).expect("numbers read") == 1 && world.truth.runs(sequence) == 0;
        assert!(has_none, "R12: the machine has signed work for {row:?}");
    }
}

/// The control plane never claims that something did not run which did (R8).
pub(crate) fn nothing_that_ran_is_told_as_not_run(world: &World) {
    for sequence in world.truth.queued.keys() {
        let Some(view) = world.seen(*sequence) else { continue };
        for step in &view.steps {
            let denied = match step.state {
                StepState::Waiting
                | StepState::Held
                | StepState::Skipped
                | StepState::Refused
                | StepState::Expired => true,
                StepState::Cancelled => denies(step.reason.as_deref()),
                StepState::Offered
                | StepState::Delivered
                | StepState::Running
                | StepState::Cancelling
                | StepState::Succeeded
                | StepState::Failed
                | StepState::TimedOut
                | StepState::Interrupted
                | StepState::Lost => false,
            };
            let ran = world.truth.ran(*sequence, step.index);
            let is_outside = world.truth.outside.contains(sequence);
            assert!(
                !(denied && ran) || is_outside,
                "R8: {sequence} step {} ran and is told as {:?} (sequence {:?})",
                step.index,
                step.state,
                view.state
            );
            let claimed = matches!(step.state, StepState::Succeeded | StepState::Failed);
            assert!(
                ran || !claimed,
                "{sequence} step {} is told as {:?} and never ran",
                step.index,
                step.state
            );
        }
        let all_succeeded = view.steps.iter().all(|step| step.state == StepState::Succeeded);
        let is_succeeded = view.state == SequenceState::Succeeded;
        assert!(all_succeeded || !is_succeeded, "{sequence} succeeded without its steps");
    }
}

/// Whether the words of a step or a sequence say that nothing ran.
pub(crate) fn denies(words: Option<&str>) -> bool {
    let denials = ["not run", "never ran", "before it was sent", "before it reached", "before any step"];
    words.is_some_and(|words| denials.iter().any(|denial| words.contains(denial)))
}

/// R8 while nothing is restored, copied or lost with a machine: what runs or ran is denied at no moment, neither by a
/// state nor by a word.
pub(crate) fn nothing_is_denied_now(world: &World) {
    for sequence in world.truth.queued.keys() {
        let Some(view) = world.seen(*sequence) else { continue };
        for step in &view.steps {
            let by_state = matches!(
                step.state,
                StepState::Waiting
                    | StepState::Held
                    | StepState::Skipped
                    | StepState::Refused
                    | StepState::Expired
            );
            let is_denied = by_state || denies(step.reason.as_deref());
            let ran = world.truth.ran(*sequence, step.index);
            assert!(
                !(is_denied && ran),
                "R8: {sequence} step {} ran and is told as {:?}: {:?}",
                step.index,
                step.state,
                step.reason
            );
        }
        let ran = view.steps.iter().any(|step| world.truth.ran(*sequence, step.index));
        assert!(!(ran && denies(view.reason.as_deref())), "R8: {sequence} ran: {:?}", view.reason);
        let is_open = !view.state.is_ended() && view.state != SequenceState::Draft;
        assert_eq!(view.waiting_for.is_some(), is_open, "what is open says what it waits for, and only that");
        assert_eq!(view.waiting.is_some(), is_open, "and says it for programs too");
    }
}

/// G5: the transcript is one chain of whole entries.
fn transcript_is_one_chain(world: &World) {
    let (mut number, mut previous) = (0, Digest::ZERO);
    for (header, text, body) in transcript(world) {
        number += 1;
        assert_eq!((header.link.number, header.link.previous), (number, previous), "G5: the chain is broken");
        assert!(header.link.holds(&body), "G5: entry {number} has another body");
        previous = Digest::of(&text);
    }
}

/// G4, and G5 for journals: each entry once, in order, gaps only where the transcript says so.
fn journals_are_in_the_transcript_once_and_in_order(world: &World) {
    let mut heads: BTreeMap<JournalId, (u64, Digest)> = BTreeMap::new();
    for (_, _, body) in transcript(world) {
        match serde_json::from_str(&body).expect("transcript bodies read") {
            TranscriptBody::Gap { journal, after, through, hash } => {
                let head = heads.entry(journal).or_insert((0, Digest::ZERO));
                assert_eq!(head.0, after, "G4: a gap that does not begin at the head");
                *head = (through, hash);
            }
            TranscriptBody::Journal { header, body } => {
                let entry = Entry { header, body: Some(body) };
                let told: JournalHeader = serde_json::from_str(&entry.header).expect("headers read");
                assert!(told.link.holds(entry.body.as_deref().unwrap_or_default()), "G5: another body");
                let head = heads.entry(told.journal).or_insert((0, Digest::ZERO));
                let expected = (head.0 + 1, head.1);
                assert_eq!((told.link.number, told.link.previous), expected, "G4: {}", told.journal);
                *head = (told.link.number, entry.hash());
            }
            _ => {}
        }
    }
    for index in 0..world.machines.len() {
        machine_agrees(world, index, &heads);
    }
}

/// What the transcript holds of a machine's journal is what the machine wrote, where that journal was not forked.
fn machine_agrees(world: &World, machine: usize, heads: &BTreeMap<JournalId, (u64, Digest)>) {
    use tidegate_core::api::JournalState;
    let Some(journal) = world.journal(machine) else { return };
    let is_one_history = world.journal_state(machine) == Some(JournalState::Current)
        && world.machines[machine]
            .status_at(world.now)
            .is_some_and(|status| heads.get(&journal).is_some_and(|head| status.acknowledged == head.0));
    let Some((number, hash)) = heads.get(&journal).filter(|_| is_one_history) else { return };
    let rows = world.machines[machine]
        .disk
        .query("SELECT hash FROM journal WHERE number = ?1", &[(*number).into()])
        .expect("the table is there");
    if let Some(row) = rows.first() {
        let held: Digest = row.parsed(0).expect("digests read");
        assert_eq!(held, *hash, "G4: the transcript holds another entry {number} of {journal}");
    }
}

fn transcript(world: &World) -> Vec<(TranscriptHeader, String, String)> {
    let rows = world
        .control
        .query("SELECT header, body, packed FROM transcript ORDER BY number", &[])
        .expect("the table is there");
    rows.iter()
        .map(|row| {
            let text = row.text(0).expect("headers are text").to_owned();
            let body = packed::text(row, 1).expect("bodies read").expect("nothing is erased");
            (row.json(0).expect("headers read"), text, body)
        })
        .collect()
}
