//! Spans without a path as an endpoint saw them: what explains a silence to whoever reads later.

use crate::api::OutageView;
use crate::error::Error;
use crate::id::EndpointId;
use crate::sql::ReadSql;
use crate::time::Timestamp;

use super::object::Object;

/// Longest problem kept in characters: one line of an error, as the runtime bounds it too.
pub(super) const PROBLEM_CHARACTERS_MAX: usize = 300;
/// Most spans kept and shown; the transcript has them all.
const KEPT_MAX: u64 = 10;

impl Object<'_> {
    /// Keeps the span that the transcript's entry `number` tells of, and forgets the oldest.
    pub(super) fn outage_apply(&mut self, number: u64, outage: &OutageView) -> Result<(), Error> {
        self.db.execute(
            "INSERT INTO outage (endpoint_id, number, closed_at, opened_at, attempts, problem)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            &[
                self.id.into(),
                number.into(),
                outage.closed_at.into(),
                outage.opened_at.into(),
                u64::from(outage.attempts).into(),
                outage.problem.as_str().into(),
            ],
        )?;
        self.db.execute(
            "DELETE FROM outage WHERE endpoint_id = ?1 AND number <= (SELECT number FROM outage
             WHERE endpoint_id = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2)",
            &[self.id.into(), KEPT_MAX.into()],
        )?;
        Ok(())
    }
}

/// The newest spans, newest first.
pub(super) fn newest(db: &dyn ReadSql, endpoint: EndpointId) -> Result<Vec<OutageView>, Error> {
    let rows = db.query(
        "SELECT closed_at, opened_at, attempts, problem FROM outage WHERE endpoint_id = ?1
         ORDER BY number DESC LIMIT ?2",
        &[endpoint.into(), KEPT_MAX.into()],
    )?;
    rows.iter()
        .map(|row| {
            Ok(OutageView {
                closed_at: Timestamp::from_milliseconds(row.integer(0)?),
                opened_at: Timestamp::from_milliseconds(row.integer(1)?),
                attempts: u32::try_from(row.unsigned(2)?).unwrap_or(u32::MAX),
                problem: row.text(3)?.to_owned(),
            })
        })
        .collect()
}
