//! Requests that may be repeated: a client that lost the answer sends the same key again and gets the same answer.
//!
//! The key travels with the command into the object's own transaction, so the answer is kept exactly when the work
//! is.

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use tidegate_core::call::{Command, Idempotency, Principal};
use tidegate_core::digest::Digest;

use crate::Shared;
use crate::auth::Caller;
use crate::extract::NoQuery;
use crate::problem::Problem;

/// The header that carries the key.
pub(crate) const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Longest key in bytes.
const KEY_BYTES_MAX: usize = 200;

/// A person who sends a `POST`, with the key of the request if it has one.
pub(crate) struct Acting {
    principal: Principal,
    key: Option<String>,
    route: String,
}

impl Acting {
    /// What they do, as the core takes it. `body` is the digest of the exact body.
    pub(crate) fn command<A>(self, act: A, body: Digest) -> Command<A> {
        let Self { principal, key, route } = self;
        let idempotency = key.map(|key| Idempotency { key, route, body });
        Command { by: principal, idempotency, act }
    }
}

impl FromRequestParts<Shared> for Acting {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, host: &Shared) -> Result<Self, Problem> {
        let Caller { principal, token: _ } = Caller::from_request_parts(parts, host).await?;
        NoQuery::from_request_parts(parts, host).await?;
        let key = key_of(&parts.headers)?;
        Ok(Self { principal, key, route: format!("{} {}", parts.method, parts.uri.path()) })
    }
}

fn key_of(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let reads = values.next().is_none()
        && (1..=KEY_BYTES_MAX).contains(&value.len())
        && value.as_bytes().iter().all(u8::is_ascii_graphic);
    match value.to_str() {
        Ok(key) if reads => Ok(Some(key.to_owned())),
        _ => Err(Problem::invalid(format!(
            "`Idempotency-Key` is sent once, with 1 to {KEY_BYTES_MAX} visible ASCII characters"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn key(values: &[&str]) -> Result<Option<String>, Problem> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(IDEMPOTENCY_KEY, HeaderValue::from_str(value).unwrap());
        }
        key_of(&headers)
    }

    #[test]
    fn a_key_is_visible_ascii_within_its_bounds() {
        assert_eq!(key(&[]), Ok(None));
        assert_eq!(key(&["order-7"]), Ok(Some("order-7".into())));
        assert!(key(&[&"k".repeat(200)]).is_ok());
        for wrong in [&[""][..], &["a b"], &["schlüssel"], &[&"k".repeat(201)], &["a", "a"]] {
            assert!(key(wrong).is_err(), "{wrong:?}");
        }
    }
}
