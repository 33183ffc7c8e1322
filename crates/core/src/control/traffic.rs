//! Bytes a day as an endpoint tells them: figures for people, bounded whatever it claims.

use crate::api::TrafficView;
use crate::day::UtcDay;
use crate::error::Error;
use crate::id::EndpointId;
use crate::journal::TRAFFIC_BYTES_MAX;
use crate::sql::ReadSql;

use super::object::Object;

/// How far back days are kept: two months, so that the month before can be compared. An endpoint has one row a day at
/// most, hence no more rows than days.
const KEPT_MS: i64 = 62 * 86_400_000;
/// Most days shown: a month.
const SHOWN_MAX: u64 = 31;

impl Object<'_> {
    /// Takes in what one day cost. A day that is not over, lies too far back or has more bytes than a day can is left
    /// out; the entry itself stays in the transcript.
    pub(super) fn traffic_apply(&mut self, told: TrafficView) -> Result<(), Error> {
        let oldest = UtcDay::of(self.cx.now.shifted_by_ms(-KEPT_MS));
        let is_kept = (oldest..=UtcDay::of(self.cx.now)).contains(&told.day);
        if !is_kept || told.up_bytes.max(told.down_bytes) > TRAFFIC_BYTES_MAX {
            return Ok(());
        }
        // A machine that was set back tells a day it told before, from the part of it that it still knows.
        self.db.execute(
            "INSERT INTO traffic (endpoint_id, day, up_bytes, down_bytes) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (endpoint_id, day) DO UPDATE SET up_bytes = MAX(up_bytes, excluded.up_bytes),
             down_bytes = MAX(down_bytes, excluded.down_bytes)",
            &[self.id.into(), told.day.into(), told.up_bytes.into(), told.down_bytes.into()],
        )?;
        self.db.execute(
            "DELETE FROM traffic WHERE endpoint_id = ?1 AND day < ?2",
            &[self.id.into(), oldest.into()],
        )?;
        Ok(())
    }
}

/// The newest days that are kept, newest first.
pub(super) fn newest(db: &dyn ReadSql, endpoint: EndpointId) -> Result<Vec<TrafficView>, Error> {
    let rows = db.query(
        "SELECT day, up_bytes, down_bytes FROM traffic WHERE endpoint_id = ?1 ORDER BY day DESC LIMIT ?2",
        &[endpoint.into(), SHOWN_MAX.into()],
    )?;
    rows.iter()
        .map(|row| {
            Ok(TrafficView { day: row.parsed(0)?, up_bytes: row.unsigned(1)?, down_bytes: row.unsigned(2)? })
        })
        .collect()
}
