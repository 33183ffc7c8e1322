//! Tokens that admit idle syncs: nothing is stored, an HMAC binds endpoint and expiry.

use data_encoding::HEXLOWER;
use subtle::ConstantTimeEq;

use crate::call::Context;
use crate::error::{Code, Error};
use crate::id::EndpointId;
use crate::time::{Milliseconds, Timestamp};

/// How long a token admits. A revocation does not wait for it: the endpoint's row is read at every sync.
const VALID_FOR: Milliseconds = Milliseconds::from_seconds(3_600);

/// A token for `endpoint`: `{expiry in ms}.{64 digits}`.
pub(super) fn issue(cx: &Context<'_>, endpoint: EndpointId) -> String {
    let expiry = cx.now.plus(VALID_FOR);
    format!("{}.{}", expiry.milliseconds(), HEXLOWER.encode(&mac(cx, endpoint, expiry)))
}

/// Judges a token.
pub(super) fn check(cx: &Context<'_>, endpoint: EndpointId, token: &str) -> Result<(), Error> {
    let expired =
        || Error::problem(Code::TokenExpired, "the idle token does not admit any more: send the sync signed");
    let (expiry, claimed) = token.split_once('.').ok_or_else(expired)?;
    let expiry = Timestamp::from_milliseconds(expiry.parse().map_err(|_| expired())?);
    let claimed = HEXLOWER.decode(claimed.as_bytes()).map_err(|_| expired())?;
    let holds = bool::from(mac(cx, endpoint, expiry).ct_eq(claimed.as_slice()));
    if holds && cx.now < expiry { Ok(()) } else { Err(expired()) }
}

fn mac(cx: &Context<'_>, endpoint: EndpointId, expiry: Timestamp) -> [u8; 32] {
    cx.keys.authenticate(format!("idle {endpoint} {}", expiry.milliseconds()).as_bytes())
}
