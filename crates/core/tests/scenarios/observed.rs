//! What the control plane's record said after each of its commits: ends never change silently (G3).

use std::collections::BTreeMap;

use tidegate_core::api::SequenceState;
use tidegate_core::id::SequenceId;
use tidegate_core::sequence::{EndState, Sequence, Standing};
use tidegate_core::sql::ReadSql;

use crate::world::Database;

/// The ends seen so far, in one history of the control plane: a backup takes them along.
#[derive(Clone, Default)]
pub(crate) struct Observed {
    attempts: BTreeMap<(SequenceId, usize, u32), EndState>,
    sequences: BTreeMap<SequenceId, SequenceState>,
    documents: BTreeMap<SequenceId, String>,
}

/// Every sequence of the record, in the order they were made.
pub(crate) fn sequences(control: &Database) -> Vec<(Sequence, String)> {
    let rows =
        control.query("SELECT document FROM sequence ORDER BY ordinal", &[]).expect("the table is there");
    rows.iter()
        .map(|row| (row.json(0).expect("sequences read"), row.text(0).expect("text").to_owned()))
        .collect()
}

impl Observed {
    /// Looks at the record after a commit.
    pub(crate) fn look(&mut self, control: &Database) {
        for (sequence, document) in sequences(control) {
            if self.documents.get(&sequence.id) == Some(&document) {
                continue;
            }
            self.documents.insert(sequence.id, document);
            self.look_at_steps(&sequence);
            self.look_at_end(&sequence);
        }
    }

    fn look_at_steps(&mut self, sequence: &Sequence) {
        for (index, step) in sequence.steps.iter().enumerate() {
            let mut before: Option<&tidegate_core::sequence::Attempt> = None;
            for attempt in &step.attempts {
                let first_ended = before.is_none_or(|before| before.end.is_some());
                assert!(
                    first_ended,
                    "G3: {} step {}: an attempt before the last has no end",
                    sequence.id,
                    index + 1
                );
                before = Some(attempt);
                let key = (sequence.id, index, attempt.number);
                let end = attempt.end.as_ref().map(|end| end.state);
                match (self.attempts.get(&key), end) {
                    (Some(known), end) if !known.is_amendable() => {
                        assert_eq!(Some(*known), end, "G3: {key:?} changed its end");
                    }
                    (Some(_) | None, _) => {}
                }
                match end {
                    Some(end) => self.attempts.insert(key, end),
                    None => self.attempts.remove(&key),
                };
            }
        }
    }

    fn look_at_end(&mut self, sequence: &Sequence) {
        let id = sequence.id;
        let amendable = [SequenceState::Lost, SequenceState::Cancelled, SequenceState::Expired];
        match (self.sequences.get(&id), &sequence.standing) {
            (Some(known), standing) if !amendable.contains(known) => {
                let same = matches!(standing, Standing::Ended { state, .. } if state == known);
                assert!(same, "G3: {id} ended as {known:?} and is {standing:?}");
            }
            (Some(_) | None, _) => {}
        }
        if let Standing::Ended { state, .. } = &sequence.standing {
            self.sequences.insert(id, *state);
            let open = sequence.steps.iter().position(|step| step.end().is_none());
            assert_eq!(open, None, "G3: {id} ended as {state:?} with an open step (from 0)");
        } else {
            self.sequences.remove(&id);
        }
    }
}
