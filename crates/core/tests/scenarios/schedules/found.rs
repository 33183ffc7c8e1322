//! Schedules in which a promise once broke, or in which one ends that is not made.

use super::action::{Action, Fate};
use super::run;
use crate::world::Altered;

#[test]
fn a_ticket_of_another_journal_keeps_no_work_waiting() {
    // The late answer belongs to the second image, and the machine runs the third.
    run(
        true,
        &[
            Action::Reimage(0),
            Action::Sync(0, Fate::RequestTwice),
            Action::Reimage(0),
            Action::Sync(0, Fate::AnswerTwice),
            Action::Sync(0, Fate::Fine),
            Action::LateAnswer(0, 2),
        ],
    );
}

#[test]
fn a_candidate_that_returns_after_another_was_adopted_is_shown_to_people() {
    run(
        true,
        &[
            Action::Reimage(0),
            Action::Snapshot(0),
            Action::Reimage(0),
            Action::Adopt(0),
            Action::RollBack(0, 0),
        ],
    );
    run(
        true,
        &[
            Action::Snapshot(0),
            Action::Sync(0, Fate::RequestTwice),
            Action::RollBack(0, 0),
            Action::Sync(0, Fate::Fine),
            Action::Sync(0, Fate::Fine),
            Action::Snapshot(0),
            Action::Reimage(0),
            Action::Adopt(0),
            Action::RollBack(0, 1),
        ],
    );
}

#[test]
fn an_idle_sync_from_before_a_restart_is_a_repeat_after_it() {
    let sync = Action::Sync(0, Fate::Fine);
    run(
        false,
        &[
            sync.clone(),
            sync.clone(),
            sync.clone(),
            Action::Sync(0, Fate::RequestTwice),
            Action::ControlRestart,
            sync,
            Action::Queue(0),
            Action::LateRequest(0),
        ],
    );
}

#[test]
fn an_attempt_that_a_copy_makes_of_lost_work_is_lost_until_its_end_is_told() {
    run(
        true,
        &[
            Action::Queue(113),
            Action::Sync(0, Fate::Fine),
            Action::StepEnds(0, true),
            Action::Snapshot(0),
            Action::Reimage(0),
            Action::Adopt(0),
            Action::Clone(0),
            Action::Queue(0),
        ],
    );
}

#[test]
fn work_that_was_taken_back_in_a_gap_ends_after_a_restore_that_forgot_it() {
    let altered = |altered| Action::Sync(0, Fate::Altered(altered));
    run(
        false,
        &[
            Action::Queue(0),
            altered(Altered::Work),
            altered(Altered::OrderSignature),
            altered(Altered::OrderSignature),
            Action::Backup,
            Action::PruneAtOnce(0),
            Action::Sync(0, Fate::Fine),
            Action::Sync(0, Fate::AnswerTwice),
            Action::Restore(0),
        ],
    );
}

/// Outside of G2, and known to be: only the copy knows the work, and the control plane was set back to before it.
#[test]
fn a_restore_forgets_what_only_a_copy_of_the_machine_ran() {
    run(
        true,
        &[
            Action::Snapshot(0),
            Action::Clone(0),
            Action::Queue(0),
            Action::Backup,
            Action::PowerCut(1),
            Action::Sync(1, Fate::Fine),
            Action::Restore(0),
        ],
    );
}

/// The entries that would show the fork are pruned on one of the two machines: their hashes still do.
#[test]
fn a_copy_is_noticed_although_the_entries_that_differ_are_pruned() {
    run(
        true,
        &[
            Action::Queue(0),
            Action::Snapshot(0),
            Action::PruneAtOnce(0),
            Action::Backup,
            Action::Sync(0, Fate::Fine),
            Action::Clone(0),
            Action::Sync(0, Fate::AnswerTwice),
            Action::Restore(0),
            Action::Queue(128),
            Action::Sync(1, Fate::AnswerTwice),
        ],
    );
}

#[test]
fn a_machine_that_was_replaced_does_not_answer_for_a_copy_that_has_the_work() {
    run(
        true,
        &[
            Action::Backup,
            Action::Queue(0),
            Action::Sync(0, Fate::Fine),
            Action::Restore(0),
            Action::Sync(0, Fate::Fine),
            Action::Snapshot(0),
            Action::Sync(0, Fate::RequestTwice),
            Action::Clone(0),
            Action::Reimage(0),
        ],
    );
}

#[test]
fn a_sync_that_was_cut_between_its_parts_denies_no_end() {
    run(
        false,
        &[
            Action::Sync(0, Fate::Fine),
            Action::PruneAtOnce(0),
            Action::Queue(61),
            Action::Sync(0, Fate::RequestTwice),
            Action::PowerCut(0),
            Action::Backup,
            Action::CrashIn(3),
            Action::Sync(0, Fate::Fine),
            Action::Restore(0),
            Action::Queue(0),
            Action::Sync(0, Fate::AnswerTwice),
        ],
    );
}
