//! The messages between endpoint and control plane. `docs/protocol.md` shows each with golden bytes.

mod chained;
mod enrol;
mod idle;
mod journals;
mod order;
mod sync;
mod sync_request;
mod time;

pub use chained::{Chained, NotOneChain};
pub use enrol::{
    Authority, CODE_PREFIX, EnrolAnswer, EnrolRequest, EnrolmentCertificate, EnrolmentCode, InvalidCode,
    ORDER_KEY_VALID_FOR, OrderKeyCertificate, REVOKED_MAX, RecoverRequest, seal_public_key, secret_digest,
};
pub use idle::{FirstLine, IDLE_BYTES_MAX, IdleSync, SyncMessage, TICKET_BYTES_MAX};
pub use journals::journals_digest;
pub use order::{Offered, Order, OrderKind, Policy, TranscriptHead, Void, Work, WorkStep};
pub use sync::{
    Failures, Gap, Head, JournalAnswer, KNOWN_MAX, LineClock, PROOFS_MAX, Proof, SYNC_BYTES_MAX,
    SYNC_ENTRIES_MAX, SYNC_LINE_BYTES_MAX, SyncAnswer, SyncLine,
};
pub use sync_request::{SignedLine, SyncContent, SyncParseError, SyncRequest};
pub use time::{TimeAnswer, TimeRequest, TimeStatement};

/// The version of the protocol that this program speaks; every message carries it as `v`.
pub const PROTOCOL_VERSION: u32 = 2;
