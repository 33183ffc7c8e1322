//! The messages between endpoint and control plane. `docs/protocol.md` shows each with golden bytes.

mod enrol;
mod order;
mod sync;
mod time;

pub use enrol::{
    Authority, CODE_PREFIX, EnrolAnswer, EnrolRequest, EnrolmentCertificate, EnrolmentCode, InvalidCode,
    OrderKeyCertificate, RecoverRequest, seal_public_key, secret_digest,
};
pub use order::{Offered, Order, OrderKind, Policy, TranscriptHead, Void, Work, WorkStep};
pub use sync::{
    Failures, Gap, Head, JournalAnswer, KNOWN_MAX, SYNC_BYTES_MAX, SYNC_ENTRIES_MAX, SyncAnswer, SyncLine,
    SyncParseError, SyncProof, SyncRequest,
};
pub use time::{TimeAnswer, TimeRequest, TimeStatement};

/// The version of the protocol that this program speaks; every message carries it as `v`.
pub const PROTOCOL_VERSION: u32 = 1;
