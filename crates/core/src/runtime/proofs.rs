//! Signed work that is kept for a control plane that lost its record (R12).

use crate::envelope::Envelope;
use crate::error::Error;
use crate::id::SequenceId;
use crate::sql::{ReadSql, Sql};
use crate::wire::{PROOFS_MAX, Proof};

/// Most bytes of kept work; past it the oldest that has ended goes first. As long as acknowledged entries, beyond which a
/// restore leaves a gap anyway.
const KEPT_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Most bytes of proofs in one request; one always travels.
const REQUEST_BYTES_MAX: u64 = 256 * 1024;

/// Most ids that are remembered as asked for: a control plane that has more asks again.
pub(super) const ASKED_MAX: usize = 4 * PROOFS_MAX;

/// Keeps work that was accepted.
pub(super) fn keep(db: &dyn Sql, sequence: SequenceId, envelope: &Envelope) -> Result<(), Error> {
    let text = serde_json::to_string(envelope).expect("envelopes serialize");
    db.execute(
        "INSERT INTO proof (sequence_id, bytes, envelope) VALUES (?1, ?2, ?3)
         ON CONFLICT (sequence_id) DO NOTHING",
        &[sequence.into(), (text.len() as u64).into(), text.into()],
    )?;
    db.execute(
        "DELETE FROM proof WHERE ordinal <= (SELECT MAX(ordinal) FROM
             (SELECT ordinal, SUM(bytes) OVER (ORDER BY ordinal DESC) AS total FROM proof) WHERE total > ?1)
         AND sequence_id NOT IN (SELECT sequence_id FROM work)",
        &[KEPT_BYTES_MAX.into()],
    )?;
    Ok(())
}

/// The answers to the first of `asked` that fit a request, in their order.
pub(super) fn answers(db: &dyn ReadSql, asked: &[SequenceId]) -> Result<Vec<Proof>, Error> {
    let mut bytes = 0;
    let mut proofs = Vec::new();
    for sequence in asked.iter().take(PROOFS_MAX) {
        let rows =
            db.query("SELECT bytes, envelope FROM proof WHERE sequence_id = ?1", &[(*sequence).into()])?;
        let work = match rows.first() {
            Some(row) => {
                bytes += row.unsigned(0)?;
                Some(row.json(1)?)
            }
            None => None,
        };
        if bytes > REQUEST_BYTES_MAX && !proofs.is_empty() {
            break;
        }
        proofs.push(Proof { sequence: *sequence, work });
    }
    Ok(proofs)
}
