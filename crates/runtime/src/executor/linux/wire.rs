//! What runtime and guard say to each other over the control socket.
//!
//! The runtime sends one [`Order`]; later one more byte, or closing the socket, asks the guard to end
//! everything. The guard answers one [`Outcome`]. Each is a length (`u32`, little endian) and JSON. The order
//! goes over the socket and not on the guard's command line, where every user of the machine could read it.

use std::io::{self, Read, Write};
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Largest message in bytes: far above a command of 32 KiB with every byte escaped.
pub(super) const MESSAGE_BYTES_MAX: usize = 256 * 1024;

/// What the guard is to run.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Order {
    pub(super) program: String,
    pub(super) arguments: Vec<String>,
    /// The directory in which the guard makes the step's control group; absent: no groups here.
    pub(super) groups: Option<PathBuf>,
}

/// How it ended; sent when nothing of the tree is left, or nothing that can be ended.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Outcome {
    /// The main process's exit code; absent where a signal ended it.
    pub(super) exit_code: Option<i32>,
    /// The signal that ended it.
    pub(super) signal: Option<i32>,
    /// How many other processes of the tree were ended.
    pub(super) left_behind: u32,
    /// How many could not be (uninterruptible, or of another user).
    pub(super) survivors: u32,
    /// Why the main process never started.
    pub(super) error: Option<String>,
}

/// The bytes of a message.
pub(super) fn encode<T: Serialize>(message: &T) -> io::Result<Vec<u8>> {
    let body = serde_json::to_vec(message)?;
    let length = u32::try_from(body.len()).map_err(io::Error::other)?;
    Ok([length.to_le_bytes().as_slice(), &body].concat())
}

/// The length of the body that follows these four bytes.
pub(super) fn body_bytes(prefix: [u8; 4]) -> io::Result<usize> {
    let length = u32::from_le_bytes(prefix) as usize;
    if length > MESSAGE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a message over its bound"));
    }
    Ok(length)
}

/// Reads one message and not a byte more.
pub(super) fn read<T: DeserializeOwned>(mut from: impl Read) -> io::Result<T> {
    let mut prefix = [0; 4];
    from.read_exact(&mut prefix)?;
    let mut body = vec![0; body_bytes(prefix)?];
    from.read_exact(&mut body)?;
    Ok(serde_json::from_slice(&body)?)
}

/// Writes one message.
pub(super) fn write<T: Serialize>(mut to: impl Write, message: &T) -> io::Result<()> {
    to.write_all(&encode(message)?)
}
