//! The endpoint's own append-only log.

/// Largest body of a journal entry in bytes: one step's result with both ends of both streams.
pub const BODY_BYTES_MAX: usize = 512 * 1024;
