//! What really happened on the machines, which neither half of the protocol can see.

use std::collections::{BTreeMap, BTreeSet};

use tidegate_core::id::SequenceId;

/// One attempt of a step.
pub(crate) type Attempt = (SequenceId, u32, u32);

/// The ground truth that promises are checked against.
#[derive(Default)]
pub(crate) struct Truth {
    /// Every process that was started, on which machine.
    pub(crate) started: Vec<(Attempt, usize)>,
    /// Attempts whose end the machine stored: the step must not run again.
    pub(crate) finished: BTreeSet<Attempt>,
    /// The sequences that people queued and were told are stored, with how often `rerun` was asked for.
    pub(crate) queued: BTreeMap<SequenceId, Vec<bool>>,
    /// Outside G2: accepted and unfinished on a disk that was copied or set back.
    pub(crate) outside: BTreeSet<SequenceId>,
    /// What a restore may have forgotten: made after the backup.
    pub(crate) forgettable: BTreeSet<SequenceId>,
    /// What a restored control plane did not know as ended.
    pub(crate) forgotten_by_control: BTreeSet<SequenceId>,
    /// What a disk that was set back or copied did not know at all.
    pub(crate) forgotten_by_disk: BTreeSet<SequenceId>,
}

impl Truth {
    /// The first breach of "an attempt starts at most once, and a second one only after a cut-off first".
    pub(crate) fn started_twice(&self) -> Option<String> {
        let mut seen = BTreeSet::new();
        for (attempt, machine) in &self.started {
            let (sequence, step, number) = *attempt;
            if self.outside.contains(&sequence) {
                continue;
            }
            if !seen.insert(*attempt) {
                return Some(format!("{attempt:?} started a second time, on machine {machine}"));
            }
            let reruns = self
                .queued
                .get(&sequence)
                .is_some_and(|steps| steps.get(step as usize - 1).copied().unwrap_or(false));
            if number > 1 && !reruns {
                return Some(format!("{attempt:?} started although nobody asked for a rerun"));
            }
            if number > 2 {
                return Some(format!("{attempt:?}: a third attempt"));
            }
        }
        None
    }

    /// Leaves out what both sides forgot: set back together to before the same work, they agree that it never was.
    pub(crate) fn leave_out_what_both_forgot(&mut self) {
        self.outside.extend(self.forgotten_by_control.intersection(&self.forgotten_by_disk).copied());
    }

    /// Notes that a process starts; the step's earlier attempts must not have ended by themselves.
    pub(crate) fn start(&mut self, attempt: Attempt, machine: usize) {
        let (sequence, step, _) = attempt;
        let ended = self.finished.iter().find(|(other, number, _)| (*other, *number) == (sequence, step));
        assert!(
            ended.is_none() || self.outside.contains(&sequence),
            "G2: {attempt:?} starts on machine {machine} after {ended:?} ended"
        );
        self.started.push((attempt, machine));
    }

    /// Whether a process of the step ever ran.
    pub(crate) fn ran(&self, sequence: SequenceId, step: u32) -> bool {
        self.started.iter().any(|((other, number, _), _)| (*other, *number) == (sequence, step))
    }

    /// How many processes of the sequence ever ran.
    pub(crate) fn runs(&self, sequence: SequenceId) -> usize {
        self.started.iter().filter(|((other, _, _), _)| *other == sequence).count()
    }
}
