//! The messages between endpoint and control plane. `docs/protocol.md` shows each with golden bytes.
//!
//! No message denies unknown fields: either side may be the newer program, and a field that only one side knows must not
//! end the conversation. The exact bytes are kept, hashed and signed, so an ignored field is still on record.
//! [`Policy`] is the exception, since a restriction that is ignored would be a permission.

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
    ORDER_KEY_VALID_FOR, ORDER_KEY_VALID_FOR_MAX, OrderKeyCertificate, REVOKED_MAX, RecoverRequest,
    SERIAL_MAX, seal_public_key, secret_digest,
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
