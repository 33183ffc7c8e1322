//! DNS as the probe speaks it: messages, and asking one server over UDP and TCP (RFC 1035).

pub(super) mod exchange;
pub(super) mod message;
pub(super) mod name;
mod record;
