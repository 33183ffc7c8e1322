//! The storage budget of one endpoint: how many entries and bytes its syncs may add to the control plane's disk.
//!
//! Two token buckets, one for entries and one for bytes. Each is stored as the time at which it is full again, so a
//! refill writes nothing and a restart refills nothing. The times are columns of the endpoint's row, which a sync that
//! brings entries saves in any case.

use crate::time::{Milliseconds, Timestamp};

/// The code of the attention that an endpoint has while it is slowed.
pub(super) const SLOWED: &str = "slowed";

/// The burst covers every entry that a full journal can hold ([`crate::runtime::Limits`]: 64 MiB of entries, none
/// shorter than 400 bytes), so a machine that was offline for months is not slowed. The rate is ten times what a machine
/// writes that runs 60 sequences of six steps a day.
const ENTRIES: Bucket = Bucket { burst: 200_000, per_day: 24_000, chunk: 32, floor: 2_000 };
/// The burst covers a full journal of 64 MiB, and a quarter more. The rate is half a full journal a day: a machine that
/// floods for a year adds 12 GiB.
const BYTES: Bucket = Bucket {
    burst: 80 << 20,
    per_day: 32 << 20,
    chunk: 64 << 10,
    floor: 2 * crate::journal::BODY_BYTES_MAX as u64,
};

/// The part of the free disk space above the reserve that one endpoint may fill with its burst.
const ROOM_SHARE: u64 = 16;
/// Bytes that an entry takes on the disk besides its own text: header, indexes, pages.
const ENTRY_OVERHEAD_BYTES: u64 = 1_024;
/// How far past an empty bucket one request can go: what began while there was room is stored whole.
const OVERDRAFT_DIVISOR: u64 = 4;

const DAY_MS: u64 = 86_400_000;

/// When both buckets of an endpoint are full again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Budget {
    pub(super) entries_full_at: Timestamp,
    pub(super) bytes_full_at: Timestamp,
}

impl Budget {
    /// The budget of an endpoint that has stored nothing.
    pub(super) fn full() -> Self {
        let past = Timestamp::from_milliseconds(0);
        Self { entries_full_at: past, bytes_full_at: past }
    }

    /// Charges one stored entry of `bytes`.
    pub(super) fn charge(&mut self, now: Timestamp, bytes: u64) {
        self.entries_full_at = ENTRIES.charged(self.entries_full_at, now, 1);
        self.charge_bytes(now, bytes);
    }

    /// Charges bytes that are stored or processed without an entry of their own.
    pub(super) fn charge_bytes(&mut self, now: Timestamp, bytes: u64) {
        self.bytes_full_at = BYTES.charged(self.bytes_full_at, now, bytes);
    }

    /// Whether nothing more is stored for now. `room` is the free disk space above the reserve; `None`: unknown, and
    /// treated as ample.
    pub(super) fn is_spent(&self, now: Timestamp, room: Option<u64>) -> bool {
        ENTRIES.spent(self.entries_full_at, now) >= ENTRIES.allowance(entries_room(room))
            || BYTES.spent(self.bytes_full_at, now) >= BYTES.allowance(room)
    }

    /// How long until a request is worth sending again: each bucket then has room for a small batch.
    pub(super) fn retry_after(&self, now: Timestamp, room: Option<u64>) -> Milliseconds {
        let entries = ENTRIES.wait_ms(self.entries_full_at, now, entries_room(room));
        Milliseconds(entries.max(BYTES.wait_ms(self.bytes_full_at, now, room)))
    }
}

fn entries_room(room: Option<u64>) -> Option<u64> {
    room.map(|bytes| bytes / ENTRY_OVERHEAD_BYTES)
}

/// The budget in words, for people.
pub(super) fn described() -> String {
    format!("{} MiB and {} entries a day", BYTES.per_day >> 20, ENTRIES.per_day)
}

/// One token bucket.
struct Bucket {
    /// Capacity.
    burst: u64,
    /// Refill.
    per_day: u64,
    /// What must be free until a refused endpoint is asked to try again.
    chunk: u64,
    /// The capacity that remains when the disk has no room above its reserve: results of ordinary work still fit.
    floor: u64,
}

impl Bucket {
    fn charged(&self, full_at: Timestamp, now: Timestamp, amount: u64) -> Timestamp {
        let charged = self.sane(full_at, now).max(now).shifted_by_ms(self.span_ms(amount));
        charged.min(self.latest(now))
    }

    /// What is missing until the bucket is full.
    fn spent(&self, full_at: Timestamp, now: Timestamp) -> u64 {
        let ahead_ms = self.sane(full_at, now).since(now).0;
        ahead_ms.saturating_mul(self.per_day) / DAY_MS
    }

    /// A time that no charge can reach was stored before the control plane's clock was set back. The bucket then counts
    /// as full: otherwise the endpoint would be silenced until that time.
    fn sane(&self, full_at: Timestamp, now: Timestamp) -> Timestamp {
        if full_at > self.latest(now) { now } else { full_at }
    }

    fn latest(&self, now: Timestamp) -> Timestamp {
        now.shifted_by_ms(self.span_ms(self.burst + self.burst / OVERDRAFT_DIVISOR))
    }

    /// The capacity at this much room: near the reserve every endpoint's share of it, so that the ones that stored much
    /// lately are slowed and the others are not.
    fn allowance(&self, room: Option<u64>) -> u64 {
        room.map_or(self.burst, |room| (room / ROOM_SHARE).clamp(self.floor, self.burst))
    }

    fn wait_ms(&self, full_at: Timestamp, now: Timestamp, room: Option<u64>) -> u64 {
        let over = (self.spent(full_at, now) + self.chunk).saturating_sub(self.allowance(room));
        u64::try_from(self.span_ms(over)).unwrap_or(u64::MAX)
    }

    fn span_ms(&self, amount: u64) -> i64 {
        i64::try_from(amount.saturating_mul(DAY_MS).div_ceil(self.per_day)).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::Limits;

    const NOW_MS: i64 = 1_800_000_000_000;
    const DAY: i64 = DAY_MS as i64;

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_milliseconds(milliseconds)
    }

    fn charged(entries: u64, bytes: u64) -> Budget {
        let mut budget = Budget::full();
        for _ in 0..entries {
            budget.charge(at(NOW_MS), bytes / entries);
        }
        budget
    }

    #[test]
    fn a_full_journal_of_the_largest_and_of_the_smallest_entries_fits_the_burst() {
        let full = Limits::default().journal_bytes_max;
        assert!(!charged(full / 520_000, full).is_spent(at(NOW_MS), None));
        assert!(!charged(full / 400, full).is_spent(at(NOW_MS), None));
    }

    #[test]
    fn a_budget_refills_at_its_rate_and_no_further_than_full() {
        let mut budget = charged(1, BYTES.burst);
        assert!(budget.is_spent(at(NOW_MS), None));
        assert!(!budget.is_spent(at(NOW_MS + 1_000), None));
        let spent = |budget: &Budget, at| BYTES.spent(budget.bytes_full_at, at);
        let later = at(NOW_MS + DAY);
        assert_eq!(spent(&budget, later), BYTES.burst - BYTES.per_day);
        let much_later = at(NOW_MS + 100 * DAY);
        budget.charge(much_later, BYTES.burst);
        assert_eq!(spent(&budget, much_later), BYTES.burst);
    }

    #[test]
    fn a_refused_endpoint_is_told_when_a_batch_fits() {
        let budget = charged(1, BYTES.burst + 500_000);
        let wait = budget.retry_after(at(NOW_MS), None);
        let then = at(NOW_MS + i64::try_from(wait.0).unwrap());
        assert!(!budget.is_spent(then, None));
        let mut batch = budget;
        batch.charge(then, BYTES.chunk - 1);
        assert!(!batch.is_spent(then, None), "the batch fits");
        assert!(wait < Milliseconds::from_seconds(3_600), "{wait:?}");
    }

    #[test]
    fn near_the_reserve_one_endpoint_gets_a_sixteenth_of_the_room_and_always_a_result() {
        let room = 160 << 20;
        assert!(!charged(10, 9 << 20).is_spent(at(NOW_MS), Some(room)));
        assert!(charged(10, 11 << 20).is_spent(at(NOW_MS), Some(room)));
        assert!(charged(12_000, 12_000).is_spent(at(NOW_MS), Some(room)), "entries take room too");
        assert!(!charged(1, 600_000).is_spent(at(NOW_MS), Some(0)));
        assert!(!charged(10, 70 << 20).is_spent(at(NOW_MS), Some(2 << 30)), "ample room changes nothing");
    }

    #[test]
    fn a_clock_that_was_set_back_silences_nobody() {
        let mut budget = Budget::full();
        budget.charge(at(NOW_MS + 3_650 * DAY), BYTES.burst);
        assert!(!budget.is_spent(at(NOW_MS), None));
        budget.charge(at(NOW_MS), BYTES.burst);
        assert!(budget.is_spent(at(NOW_MS), None), "from then on it is charged as before");
    }

    #[test]
    fn a_bucket_is_never_emptier_than_one_request_can_leave_it() {
        let budget = charged(1, 100 * BYTES.burst);
        assert!(budget.is_spent(at(NOW_MS), None));
        assert!(!budget.is_spent(at(NOW_MS + DAY), None), "a quarter of the burst refills within a day");
    }
}
