//! Memory for the bodies of requests, granted as they arrive.
//!
//! Without it a sender decides how much a server buffers. The host keeps the account; the routes ask before they keep a
//! byte, and say when a sender has proved who it is, which gives it a larger share.

use std::sync::Arc;

use tidegate_core::error::Code;

use crate::problem::Problem;

/// Seconds after which a refused sender tries again: what is in flight is handled within one.
const RETRY_SECONDS: u64 = 2;

/// The account of one request. The host gives the bytes back when the last handle to it is dropped.
pub trait Room: Send + Sync {
    /// Reserves `bytes` more for this request.
    ///
    /// # Errors
    ///
    /// [`NoRoom`]; the request is refused then.
    fn take(&self, bytes: usize) -> Result<(), NoRoom>;

    /// The request's bytes are no longer in memory, though it is not answered yet.
    fn give_back(&self);

    /// The sender proved who it is: by a signature, a token or a session.
    fn prove(&self);
}

/// Whose share of memory is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRoom {
    /// That of the address the request came from.
    #[error("requests from this address already use its share of memory")]
    Address,
    /// That of the process.
    #[error("requests already use the memory that there is for them")]
    Process,
}

/// The account of a request. The listener puts it into the request's extensions; without one nothing is counted.
#[derive(Clone)]
pub struct BodyRoom(pub Arc<dyn Room>);

/// Reserves `bytes` on the account in `room`.
pub(crate) fn take(room: Option<&BodyRoom>, bytes: usize) -> Result<(), Problem> {
    let Some(BodyRoom(room)) = room else { return Ok(()) };
    room.take(bytes).map_err(|error| {
        let code = match error {
            NoRoom::Address => Code::RateLimited,
            NoRoom::Process => Code::Unavailable,
        };
        Problem::new(code, format!("{error}: wait as `Retry-After` says, then send it again"))
            .retry_after(RETRY_SECONDS)
    })
}

/// Notes on the request's account that its sender proved who it is.
pub(crate) fn prove(room: Option<&BodyRoom>) {
    if let Some(BodyRoom(room)) = room {
        room.prove();
    }
}
