//! Work that only the machine tells of (R12): a claim until the machine shows the envelope that this control plane
//! signed.
//!
//! A restored control plane lacks work that was made after the backup, and a hostile machine can invent any number of
//! sequences. Only a signature tells them apart. So an unknown id is asked for; with the signed work it becomes a record
//! and everything the transcript holds about it is applied in order, and without it it stays in the transcript alone.

use std::collections::BTreeMap;

use crate::api::TranscriptEntryView;
use crate::envelope::Envelope;
use crate::error::Error;
use crate::id::{EndpointId, SequenceId};
use crate::journal::{JournalBody, Outcome};
use crate::packed;
use crate::sequence::STEPS_MAX;
use crate::sql::{ReadSql, Row};
use crate::transcript::{ACTOR_ENDPOINT, TranscriptBody, TranscriptHeader};
use crate::wire::{Authority, KNOWN_MAX, PROOFS_MAX, Proof, Work};

use super::apply::{Evidence, written_at_before};
use super::object::Object;
use super::store;

/// Most claims of one endpoint: twice what an honest one can know. Past it further ones are in the transcript alone.
const CLAIMS_MAX: u64 = 2 * KNOWN_MAX as u64;
/// How often the same id is asked for until the machine tells of it again: answers get lost, and a runtime that shows no
/// proof must not be asked for ever. The schema's index repeats it.
const ASKED_MAX: u64 = 8;
/// Most entries about one sequence that are applied when it becomes a record: twice what its steps can make.
const EVIDENCE_MAX: u64 = 4 * STEPS_MAX as u64 + 64;

/// What is kept of a claim besides the transcript.
struct Claim {
    /// The outcome in the last list of known work that names it, and the ordinal of the journal that lists it.
    listed: Option<(u64, Outcome)>,
}

/// An entry about a sequence, as the transcript holds it.
struct Told {
    is_current: bool,
    evidence: Evidence,
    body: JournalBody,
}

impl Object<'_> {
    /// Notes that the machine tells of a sequence without a record; `outcome` is what a list of known work says of it.
    pub(super) fn claim(&mut self, id: SequenceId, outcome: Option<&Outcome>) -> Result<(), Error> {
        let (endpoint, told) = (self.id, self.speaker);
        let (listed, outcome) = match outcome {
            Some(outcome) => (Some(told), Some(store::json(outcome))),
            None => (None, None),
        };
        let parameters = [
            endpoint.into(),
            id.into(),
            told.into(),
            listed.into(),
            outcome.unwrap_or(crate::sql::Value::Null),
        ];
        let known = self.db.execute(
            "UPDATE claim SET asked = 0, told = ?3, listed = COALESCE(?4, listed), outcome = COALESCE(?5, outcome)
             WHERE endpoint_id = ?1 AND sequence_id = ?2",
            &parameters,
        )?;
        if known == 0 && self.claims_count()? < CLAIMS_MAX {
            self.db.execute(
                "INSERT INTO claim (endpoint_id, sequence_id, asked, answered, told, listed, outcome)
                 VALUES (?1, ?2, 0, 0, ?3, ?4, ?5)",
                &parameters,
            )?;
            self.claims = self.claims.map(|count| count + 1);
        }
        Ok(())
    }

    fn claims_count(&mut self) -> Result<u64, Error> {
        if self.claims.is_none() {
            self.claims = Some(claim_count(self.db, self.id)?);
        }
        Ok(self.claims.unwrap_or_default())
    }

    /// The ids that the machine is to show work for, at most [`PROOFS_MAX`]: those that the journal numbered `ordinal` told
    /// of last. Another machine of the endpoint has nothing to show.
    pub(super) fn claims_ask(&mut self, ordinal: u64) -> Result<Vec<SequenceId>, Error> {
        let rows = self.db.query(
            "SELECT sequence_id FROM claim WHERE endpoint_id = ?1 AND answered = 0 AND asked < 8 AND told = ?3
             ORDER BY sequence_id LIMIT ?2",
            &[self.id.into(), (PROOFS_MAX as u64).into(), ordinal.into()],
        )?;
        let asked: Vec<SequenceId> = rows.iter().map(|row| row.parsed(0)).collect::<Result<_, _>>()?;
        for id in &asked {
            self.db.execute(
                "UPDATE claim SET asked = asked + 1 WHERE endpoint_id = ?1 AND sequence_id = ?2",
                &[self.id.into(), (*id).into()],
            )?;
        }
        Ok(asked)
    }

    /// Takes the work that the machine shows. Anything that is no signed work for a claim stays a claim.
    pub(super) fn proofs_take(&mut self, proofs: &[Proof]) -> Result<(), Error> {
        for proof in proofs {
            let id = proof.sequence;
            let Some(claim) = self.claim_load(id)? else { continue };
            let proved = proof.work.as_ref().and_then(|envelope| {
                self.row.budget.charge_bytes(self.cx.now, envelope.payload.len() as u64);
                Some((self.work_verify(id, envelope)?, envelope))
            });
            match proved {
                Some((work, envelope)) => self.claim_prove(&work, envelope, &claim)?,
                None => {
                    self.db.execute(
                        "UPDATE claim SET answered = 1 WHERE endpoint_id = ?1 AND sequence_id = ?2 AND told = ?3",
                        &[self.id.into(), id.into(), self.speaker.into()],
                    )?;
                }
            }
        }
        Ok(())
    }

    fn claim_load(&self, id: SequenceId) -> Result<Option<Claim>, Error> {
        let rows = self.db.query(
            "SELECT listed, outcome FROM claim WHERE endpoint_id = ?1 AND sequence_id = ?2",
            &[self.id.into(), id.into()],
        )?;
        let Some(row) = rows.first() else { return Ok(None) };
        let listed = if row.is_null(0) { None } else { Some((row.unsigned(0)?, row.json(1)?)) };
        Ok(Some(Claim { listed }))
    }

    /// The work in `envelope`, where an order key of ours signed it for this endpoint and this sequence: the one in use or
    /// an earlier one.
    fn work_verify(&self, id: SequenceId, envelope: &Envelope) -> Option<Work> {
        let root = self.cx.authority.root;
        let certificates = [&self.cx.authority.certificate].into_iter().chain(self.cx.earlier);
        let mut keys = certificates
            .filter_map(|certificate| Authority { root, certificate: certificate.clone() }.order_key().ok());
        let work: Work = envelope.open(&keys.find(|key| envelope.names(key))?).ok()?;
        let is_ours = work.endpoint == self.id && work.sequence == id;
        (is_ours && (1..=STEPS_MAX).contains(&work.steps.len())).then_some(work)
    }

    /// Makes the record of a sequence whose signed work was shown, and applies what is known about it.
    fn claim_prove(&mut self, work: &Work, envelope: &Envelope, claim: &Claim) -> Result<(), Error> {
        let id = work.sequence;
        let told = self.told_of(id)?;
        let current = match self.row.journal {
            Some(head) => store::journal_load(self.db, self.id, head.id)?,
            None => None,
        };
        let listed = claim.listed.as_ref();
        let is_listed_now =
            listed.is_some_and(|(ordinal, _)| current.is_some_and(|journal| journal.ordinal == *ordinal));
        let catalogue = store::catalogue_load(self.db, self.id)?;
        let mut sequence = super::proved::sequence(work, catalogue.as_ref(), self.cx.now);
        let body = TranscriptBody::Proved {
            title: sequence.title.clone(),
            spec: Box::new(sequence.spec.clone()),
            work: envelope.digest(),
        };
        if !is_listed_now && !told.iter().any(|told| told.is_current) {
            sequence.lose("only a machine that is no longer current knew of it", self.cx.now);
        }
        self.sequence_add(sequence);
        store::work_save(self.db, self.id, id, envelope)?;
        self.db.execute(
            "DELETE FROM claim WHERE endpoint_id = ?1 AND sequence_id = ?2",
            &[self.id.into(), id.into()],
        )?;
        self.claims = None;
        self.record(ACTOR_ENDPOINT, Some(id), &body)?;
        for told in &told {
            self.apply_to_sequence(&told.evidence, &told.body)?;
        }
        listed.map_or(Ok(()), |(_, outcome)| self.outcome_apply(outcome, is_listed_now, None))
    }

    /// What the transcript holds of the journals' entries about a sequence, oldest first.
    fn told_of(&self, id: SequenceId) -> Result<Vec<Told>, Error> {
        let rows = self.db.query(
            "SELECT number, header, body, packed FROM transcript
             WHERE sequence_id = ?1 AND +endpoint_id = ?2 AND journal IS NOT NULL ORDER BY number LIMIT ?3",
            &[id.into(), self.id.into(), EVIDENCE_MAX.into()],
        )?;
        rows.iter().filter_map(|row| self.told(row).transpose()).collect()
    }

    /// `None` for an entry that this program cannot read, or whose body was erased.
    fn told(&self, row: &Row) -> Result<Option<Told>, Error> {
        let header: TranscriptHeader = row.json(1)?;
        let text = packed::text(row, 2)?;
        let Some(TranscriptBody::Journal { header: written, body }) =
            text.and_then(|text| serde_json::from_str(&text).ok())
        else {
            return Ok(None);
        };
        let (Ok(written), Ok(body)) = (serde_json::from_str(&written), serde_json::from_str(&body)) else {
            return Ok(None);
        };
        let journal = header.journal.map(|place| place.id);
        let is_current = journal.is_some() && journal == self.row.journal.map(|head| head.id);
        let time = written_at_before(&written);
        let evidence = Evidence { time, transcript_number: row.unsigned(0)?, is_current };
        Ok(Some(Told { is_current, evidence, body }))
    }
}

/// How many sequences the machine tells of that this record does not have.
pub(super) fn claim_count(db: &dyn ReadSql, endpoint: EndpointId) -> Result<u64, Error> {
    let rows = db.query("SELECT COUNT(*) FROM claim WHERE endpoint_id = ?1", &[endpoint.into()])?;
    Ok(rows.first().map_or(Ok(0), |row| row.unsigned(0))?)
}

/// Marks the entries whose sequence is not in this record. Past the bound on claims there is no row of one, so the
/// record itself is asked.
pub(super) fn mark(
    db: &dyn ReadSql,
    endpoint: EndpointId,
    entries: &mut [TranscriptEntryView],
) -> Result<(), Error> {
    let mut known = BTreeMap::<SequenceId, bool>::new();
    for entry in entries.iter_mut().filter(|entry| entry.kind.starts_with("journal.")) {
        let Some(sequence) = entry.sequence_id else { continue };
        let is_known = match known.get(&sequence) {
            Some(is_known) => *is_known,
            None => {
                let rows = db.query(
                    "SELECT 1 FROM sequence WHERE endpoint_id = ?1 AND sequence_id = ?2",
                    &[endpoint.into(), sequence.into()],
                )?;
                *known.entry(sequence).or_insert(!rows.is_empty())
            }
        };
        entry.claimed = !is_known;
    }
    Ok(())
}

const _: () = assert!(ASKED_MAX == 8, "the queries and the index name it");
