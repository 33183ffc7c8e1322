//! One question over HTTP, and what the certificate on the way says.

pub(super) mod certificate;
mod der;
pub(super) mod exchange;
pub(super) mod trust;
