//! The shortest sync: nothing moves, and the endpoint says so in 76 bytes, since it says it all day.
//!
//! What it would have to say at length (journal and order log as they stand) is in the ticket's authentication code: the
//! control plane makes the code again from its own record, and where the two differ something has moved.

use serde::{Deserialize, Serialize};

use crate::id::{EndpointId, RequestId};

use super::PROTOCOL_VERSION;
use super::sync_request::{SignedLine, SyncParseError, SyncRequest};

/// Largest idle sync in bytes.
pub const IDLE_BYTES_MAX: usize = 256;
/// Longest ticket in bytes.
pub const TICKET_BYTES_MAX: usize = 64;

/// An idle sync. Only an empty answer may be held; any other names its request (R5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdleSync {
    /// Who speaks.
    pub endpoint: EndpointId,
    /// Comes back in an answer that says something.
    pub request: RequestId,
    /// What the last quiet answer gave for the state that still holds.
    pub ticket: String,
    /// How long the answer may be held.
    pub hold_ms: u64,
    /// How many idle syncs this start of the program has made, this one included: no count comes twice with one ticket.
    pub count: u64,
}

/// A sync as it was received, checked for its form only.
#[derive(Clone, Debug, PartialEq)]
pub enum SyncMessage {
    /// Nothing moves.
    Idle(IdleSync),
    /// Something does, or nothing is agreed yet.
    Signed(Box<SyncRequest>),
}

/// The first line of a sync, which for an idle one is all of it.
#[derive(Clone, Debug, PartialEq)]
pub enum FirstLine {
    /// Nothing moves. Nothing may follow.
    Idle(IdleSync),
    /// Something does; verify it before the content is read.
    Signed(Box<SignedLine>),
}

/// A list, since names of fields would be a quarter of it: the version, `{endpoint}.{request}.{ticket}`, `hold_ms`,
/// `count`.
#[derive(Serialize, Deserialize)]
struct Form(u32, String, u64, u64);

impl IdleSync {
    /// Writes it.
    pub fn write(&self) -> Vec<u8> {
        let idle = format!("{}.{}.{}", self.endpoint, self.request, self.ticket);
        let form = Form(PROTOCOL_VERSION, idle, self.hold_ms, self.count);
        serde_json::to_vec(&form).expect("protocol messages serialize")
    }

    fn parse(bytes: &[u8]) -> Option<Result<Self, SyncParseError>> {
        if bytes.len() > IDLE_BYTES_MAX {
            return None;
        }
        let Form(version, idle, hold_ms, count) = serde_json::from_slice(bytes).ok()?;
        let wrong =
            || SyncParseError::Line("an idle sync does not name endpoint, request and ticket".to_owned());
        if version != PROTOCOL_VERSION {
            let line = format!("protocol version {version} is not spoken here, {PROTOCOL_VERSION} is");
            return Some(Err(SyncParseError::Line(line)));
        }
        let mut parts = idle.splitn(3, '.');
        let read = || {
            let endpoint = parts.next()?.parse().ok()?;
            let request = parts.next()?.parse().ok()?;
            let ticket = parts.next().filter(|ticket| ticket.len() <= TICKET_BYTES_MAX)?.to_owned();
            Some(Self { endpoint, request, ticket, hold_ms, count })
        };
        Some({ read }().ok_or_else(wrong))
    }
}

impl FirstLine {
    /// Parses the first line, without the line feed that ends it. Nothing of it is believed yet.
    ///
    /// # Errors
    ///
    /// [`SyncParseError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, SyncParseError> {
        match IdleSync::parse(bytes) {
            Some(idle) => idle.map(Self::Idle),
            None => SignedLine::parse(bytes).map(Box::new).map(Self::Signed),
        }
    }
}

impl SyncMessage {
    /// Reads a whole sync. Nothing of it is believed yet.
    ///
    /// # Errors
    ///
    /// [`SyncParseError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, SyncParseError> {
        match IdleSync::parse(bytes) {
            Some(idle) => idle.map(Self::Idle),
            None => SyncRequest::parse(bytes).map(Box::new).map(Self::Signed),
        }
    }

    /// Who claims to speak.
    pub fn endpoint(&self) -> EndpointId {
        match self {
            Self::Idle(idle) => idle.endpoint,
            Self::Signed(request) => request.line.endpoint,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_sync_reads_back_and_stays_short() {
        let idle = IdleSync {
            endpoint: EndpointId::from_bytes([1; 10]),
            request: RequestId::from_bytes([2; 10]),
            ticket: "a".repeat(27),
            hold_ms: 240_000,
            count: 326,
        };
        let bytes = idle.write();
        assert!(bytes.len() <= 79, "{}", bytes.len());
        assert_eq!(SyncMessage::parse(&bytes).unwrap(), SyncMessage::Idle(idle));
    }

    #[test]
    fn what_is_neither_short_nor_signed_is_refused() {
        let long = format!(r#"[2,"{}",0]"#, "a".repeat(IDLE_BYTES_MAX));
        for text in ["", "{}", "[]", r#"[2,"",0,1]"#, r#"[9,"a.b.c",0,1]"#, r#"[2,"a.b.c",0]"#, &long] {
            assert!(SyncMessage::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
