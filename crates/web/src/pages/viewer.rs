//! Who looks at a page: a session in a cookie. Whoever has none is asked to sign in, and comes back to where they were.

use axum::extract::FromRequestParts;
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use tidegate_core::call::Principal;
use tidegate_core::digest::Digest;
use tidegate_core::key_end::KeyEnd;

use crate::Shared;
use crate::host::ClientAddress;
use crate::problem::Problem;
use crate::room;
use crate::sessions::authenticate_session;

/// The cookie over TLS. The prefix makes browsers refuse one that another host or an unprotected page set
/// (RFC 6265bis, section 4.1.3.2).
const COOKIE_SECURE: &str = "__Host-tidegate";
/// The cookie over plain HTTP, as on loopback.
const COOKIE_PLAIN: &str = "tidegate";
/// How long a browser keeps it, in seconds: as long as a session lasts.
const MAX_AGE_SECONDS: u64 = 14 * 86_400;
/// What an open page sends with what it asks for by itself: `console.js`, and elements with [`BY_ITSELF`].
const REFRESH: &str = "x-tidegate-refresh";
/// The value of `hx-headers` of an element that asks every few seconds.
pub(super) const BY_ITSELF: &str = r#"{"x-tidegate-refresh":"1"}"#;
/// The stream of changes.
const LIVE: &str = "/live";
/// Longest secret that is looked at.
const SECRET_BYTES_MAX: usize = 200;

/// The person who looks.
pub(super) struct Viewer {
    /// Who.
    pub(super) principal: Principal,
    /// The digest of their session's secret.
    pub(super) session: Digest,
    /// The address they come from.
    pub(super) address: Option<ClientAddress>,
    /// When the order key ends; `None` if its certificate cannot be read.
    pub(super) key_end: Option<KeyEnd>,
}

/// What somebody without a session gets.
pub(super) enum Stranger {
    /// The way to sign in, and back.
    SignIn(String),
    /// Why it cannot be told who they are.
    Problem(Problem),
}

impl FromRequestParts<Shared> for Viewer {
    type Rejection = Stranger;

    async fn from_request_parts(parts: &mut Parts, host: &Shared) -> Result<Self, Stranger> {
        let is_secure = host.front().is_secure();
        let Some(secret) = secret(&parts.headers, is_secure) else { return Err(sign_in(parts)) };
        match authenticate_session(host.as_ref(), secret, is_use(parts)).await {
            Ok(Some((principal, session))) => {
                room::prove(parts.extensions.get());
                let address = parts.extensions.get::<ClientAddress>().copied();
                let key_end = KeyEnd::of(host.authority(), host.now());
                Ok(Self { principal, session, address, key_end })
            }
            Ok(None) => Err(sign_in(parts)),
            Err(error) => Err(Stranger::Problem(error.into())),
        }
    }
}

/// Whether a person did something. What an open page asks for by itself keeps no session alive: the stream of changes,
/// the page again after a change, and parts of a page that are asked for every few seconds.
fn is_use(parts: &Parts) -> bool {
    let asks_itself = parts.headers.contains_key(REFRESH) || parts.uri.path() == LIVE;
    parts.method != Method::GET || !asks_itself
}

fn sign_in(parts: &Parts) -> Stranger {
    // What was posted is lost with the session, so one comes back to where the form was and not to its address.
    let back = if parts.method == Method::GET {
        parts.uri.path_and_query().map(axum::http::uri::PathAndQuery::as_str)
    } else {
        None
    };
    let back: String = form_urlencoded::byte_serialize(back.unwrap_or("/").as_bytes()).collect();
    Stranger::SignIn(format!("/sign-in?next={back}"))
}

/// Marks the answer to a request that proved no session, whatever its status says to a browser.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AskedToSignIn;

impl IntoResponse for Stranger {
    fn into_response(self) -> Response {
        match self {
            Self::SignIn(place) => {
                let mut response = Redirect::to(&place).into_response();
                response.extensions_mut().insert(AskedToSignIn);
                // A script that asked for a part of a page is told to take the whole page there.
                if let Ok(value) = HeaderValue::from_str(&place) {
                    response.headers_mut().insert("hx-redirect", value);
                }
                response
            }
            Self::Problem(problem) => problem.into_response(),
        }
    }
}

/// The secret in the cookie, if there is one that may be ours. Over TLS only the protected cookie counts: any page of a
/// sibling host, or of this one over plain HTTP, can plant the other.
pub(super) fn secret(headers: &HeaderMap, is_secure: bool) -> Option<&str> {
    let values = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = values.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let (_, secret) = pairs.find(|(key, _)| *key == cookie_name(is_secure))?;
    ((1..=SECRET_BYTES_MAX).contains(&secret.len()) && secret.bytes().all(|byte| byte.is_ascii_graphic()))
        .then_some(secret)
}

fn cookie_name(is_secure: bool) -> &'static str {
    if is_secure { COOKIE_SECURE } else { COOKIE_PLAIN }
}

/// Leads to `place` and gives the browser a session; `None` takes it away.
pub(super) fn with_session(place: &str, secret: Option<&str>, is_secure: bool) -> Response {
    let mut response = (StatusCode::SEE_OTHER, [("location", place.to_owned())]).into_response();
    let (name, secure) = (cookie_name(is_secure), if is_secure { "; Secure" } else { "" });
    let cookie = match secret {
        Some(secret) => {
            format!("{name}={secret}; Path=/; HttpOnly; SameSite=Lax; Max-Age={MAX_AGE_SECONDS}{secure}")
        }
        None => format!("{name}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0{secure}"),
    };
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(SET_COOKIE, value);
    }
    response
}

/// Where one goes after signing in: a place here and nowhere else.
pub(super) fn local(place: Option<&str>) -> &str {
    let is_here = |place: &&str| {
        place.starts_with('/')
            && !place.starts_with("//")
            && !place.contains(['\\', '\r', '\n', '\t'])
            && place.bytes().all(|byte| byte.is_ascii_graphic())
            && place.len() <= 2_000
    };
    place.filter(is_here).unwrap_or("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signing_in_leads_to_no_other_site() {
        for place in ["/", "/machines?q=pump", "/sequences/abc#step-2"] {
            assert_eq!(local(Some(place)), place);
        }
        for place in [
            "https://evil.example",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil",
            "javascript:alert(1)",
            "",
            "/a\r\nset-cookie: x",
            "machines",
            "/\t/evil.example",
        ] {
            assert_eq!(local(Some(place)), "/", "{place}");
        }
        assert_eq!(local(None), "/");
    }

    #[test]
    fn only_our_own_cookie_counts_and_over_tls_only_the_protected_one() {
        let read = |value: &str, is_secure| {
            let mut headers = HeaderMap::new();
            headers.insert(COOKIE, HeaderValue::from_str(value).unwrap());
            secret(&headers, is_secure).map(str::to_owned)
        };
        assert_eq!(read("a=b; tidegate=tgs_x", false), Some("tgs_x".to_owned()));
        let both = "tidegate=planted; __Host-tidegate=tgs_y";
        assert_eq!(read(both, true), Some("tgs_y".to_owned()));
        assert_eq!(read(both, false), Some("planted".to_owned()), "plain HTTP cannot tell");
        assert_eq!(read("tidegate=planted", true), None);
        for value in ["", "tidegate=", "tidegatex=a", "other=tidegate", "tidegate=a b"] {
            assert_eq!(read(value, false), None, "{value}");
        }
        assert_eq!(read(&format!("tidegate={}", "a".repeat(201)), false), None);
    }

    #[test]
    fn over_tls_the_cookie_is_never_sent_in_the_clear() {
        let cookie = |is_secure| {
            let response = with_session("/", Some("tgs_x"), is_secure);
            response.headers()[SET_COOKIE].to_str().unwrap().to_owned()
        };
        assert!(cookie(true).starts_with("__Host-tidegate=tgs_x; Path=/; HttpOnly; SameSite=Lax"));
        assert!(cookie(true).ends_with("; Secure"));
        assert!(cookie(false).starts_with("tidegate=tgs_x; ") && !cookie(false).contains("Secure"));
    }
}
