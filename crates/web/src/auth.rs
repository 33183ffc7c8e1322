//! Who calls: a bearer token (RFC 6750), looked up by its digest on every request, so that one that is withdrawn
//! ends at once. The token itself is neither kept nor logged.

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use tidegate_core::call::{
    Answer, Authenticated, DirectoryInput, DirectoryQuestion, Input, ObjectId, Principal, Question,
};
use tidegate_core::digest::Digest;
use tidegate_core::directory::{RefusedWith, token_digest};
use tidegate_core::error::Code;

use crate::Shared;
use crate::host::{ClientAddress, Host, SignInAttempt};
use crate::problem::Problem;
use crate::room;

/// Longest token that is looked at: ours have 47 bytes.
const TOKEN_BYTES_MAX: usize = 200;
/// What every token begins with, so that scanners of repositories find one that leaked.
const TOKEN_PREFIX: &str = "tgp_";

/// The person who calls.
pub(crate) struct Caller {
    /// Who.
    pub(crate) principal: Principal,
    /// The digest of the token they proved it with, to prove it again while a stream lasts.
    pub(crate) token: Digest,
}

/// The secret of a new token or sign-in link, made of 32 fresh random bytes.
pub fn token_secret(entropy: [u8; 32]) -> String {
    secret(TOKEN_PREFIX, entropy)
}

/// A secret as text: what its kind begins with, then 43 characters of base 64.
pub(crate) fn secret(prefix: &str, entropy: [u8; 32]) -> String {
    use base64::Engine as _;
    format!("{prefix}{}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(entropy))
}

impl FromRequestParts<Shared> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, host: &Shared) -> Result<Self, Problem> {
        let token = token_digest(bearer(&parts.headers)?);
        let known = match authenticate(host.as_ref(), token).await {
            Ok(known) => known,
            Err(problem) => {
                if matches!(problem.code, Code::Unauthenticated | Code::ApiTokenExpired) {
                    let address = parts.extensions.get::<ClientAddress>().copied();
                    host.sign_in_refused(SignInAttempt::new(None, RefusedWith::Token, address));
                }
                return Err(problem);
            }
        };
        room::prove(parts.extensions.get());
        used(host.as_ref(), &known, token).await;
        Ok(Self { principal: known.principal, token })
    }
}

/// Who holds the token or the session with this digest.
pub(crate) async fn authenticate(host: &dyn Host, digest: Digest) -> Result<Authenticated, Problem> {
    let question = Question::Directory(DirectoryQuestion::Authenticate(digest));
    match host.query(ObjectId::Directory, question).await? {
        Answer::Authenticated(Some(known)) => Ok(known),
        Answer::Authenticated(None) => {
            Err(Problem::new(Code::Unauthenticated, "the token is unknown or was withdrawn: sign in again"))
        }
        _ => Err(Problem::unexpected_answer()),
    }
}

/// Stores that a token or session was used, where that is due.
pub(crate) async fn used(host: &dyn Host, known: &Authenticated, digest: Digest) {
    if known.is_use_due {
        let input = Input::Directory(DirectoryInput::Use(digest));
        // A full disk keeps nobody from reading: the next request tries again.
        if let Err(error) = host.handle(ObjectId::Directory, input).await {
            tracing::debug!(%error, "the last use of a token or session was not stored");
        }
    }
}

fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let missing = || Problem::new(Code::Unauthenticated, "send `Authorization: Bearer` with an API token");
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return Err(missing()) };
    let value = value.to_str().map_err(|_| missing())?;
    let (scheme, token) = value.split_once(' ').ok_or_else(missing)?;
    let token = token.trim();
    let reads = scheme.eq_ignore_ascii_case("bearer")
        && (1..=TOKEN_BYTES_MAX).contains(&token.len())
        && token.bytes().all(|byte| byte.is_ascii_graphic());
    if reads { Ok(token) } else { Err(missing()) }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn a_bearer_token_reads_in_any_case_of_the_scheme() {
        assert_eq!(bearer(&headers(&["Bearer abc"])), Ok("abc"));
        assert_eq!(bearer(&headers(&["bearer  abc"])), Ok("abc"));
    }

    #[test]
    fn anything_else_is_no_credential() {
        let long = format!("Bearer {}", "a".repeat(201));
        for values in [&[][..], &["Basic YTpi"], &["Bearer"], &["Bearer "], &["Bearer a b"], &[&long]] {
            assert_eq!(bearer(&headers(values)).unwrap_err().code, Code::Unauthenticated, "{values:?}");
        }
        assert!(bearer(&headers(&["Bearer a", "Bearer b"])).is_err());
    }

    #[test]
    fn a_token_is_47_characters_that_need_no_quoting() {
        let token = token_secret([255; 32]);
        assert_eq!(token.len(), 47);
        assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)));
    }
}
