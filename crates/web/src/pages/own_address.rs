//! The address at which a browser reached this control plane, for links and commands that lead back to it.

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::{HOST, ORIGIN};
use axum::http::request::Parts;

use super::viewer::is_over_tls;
use crate::Shared;
use crate::problem::Problem;

/// Longest host and port that is taken.
const AUTHORITY_BYTES_MAX: usize = 300;

/// `https://tidegate.example:8443`, without a slash at its end.
pub(super) struct OwnAddress(pub(super) String);

impl OwnAddress {
    /// Whether what is sent there can be read and changed on the way.
    pub(super) fn is_open_to_all(&self) -> bool {
        let Some(authority) = self.0.strip_prefix("http://") else { return false };
        let own = ["localhost", "127.0.0.1", "[::1]"];
        !own.into_iter().any(|name| {
            authority.strip_prefix(name).is_some_and(|port| port.is_empty() || port.starts_with(':'))
        })
    }

    /// The address as one word for a shell: brackets of an IPv6 address mean something there.
    pub(super) fn in_shell(&self) -> String {
        if self.0.contains('[') { format!("'{}'", self.0) } else { self.0.clone() }
    }
}

impl FromRequestParts<Shared> for OwnAddress {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Problem> {
        let authority = parts.uri.authority().map(axum::http::uri::Authority::as_str);
        of(&parts.headers, authority).map(Self).ok_or_else(|| {
            Problem::invalid(
                "your browser did not say at which address it reached this page: open the page by that address again",
            )
        })
    }
}

fn of(headers: &HeaderMap, authority: Option<&str>) -> Option<String> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    // A proxy may give another host on, but not another origin.
    let origin = text(ORIGIN).and_then(|origin| origin.split_once("://"));
    if let Some((scheme @ ("http" | "https"), authority)) = origin {
        return is_authority(authority).then(|| format!("{scheme}://{authority}"));
    }
    let authority = authority.or_else(|| text(HOST)).filter(|authority| is_authority(authority))?;
    let scheme = if is_over_tls(headers) { "https" } else { "http" };
    Some(format!("{scheme}://{authority}"))
}

/// A host with a port or without, of letters that mean nothing to a shell.
fn is_authority(text: &str) -> bool {
    (1..=AUTHORITY_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte))
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn read(headers: &[(HeaderName, &str)]) -> Option<String> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(name.clone(), HeaderValue::from_str(value).unwrap());
        }
        of(&map, None)
    }

    #[test]
    fn it_is_what_the_browser_says_and_otherwise_the_host() {
        let https = "https://desk.example:8443";
        assert_eq!(read(&[(ORIGIN, https), (HOST, "inner:80")]).as_deref(), Some(https));
        assert_eq!(read(&[(HOST, "desk:8080")]).as_deref(), Some("http://desk:8080"));
        let cookie = (axum::http::header::COOKIE, "__Host-tidegate=tgs_x");
        assert_eq!(read(&[(HOST, "desk.example"), cookie]).as_deref(), Some("https://desk.example"));
        assert_eq!(read(&[(ORIGIN, "null"), (HOST, "desk")]).as_deref(), Some("http://desk"));
        assert_eq!(read(&[]), None);
    }

    #[test]
    fn nothing_gets_into_a_command_that_a_shell_would_obey() {
        for hostile in ["a;rm -rf ~", "a b", "$(id)", "a'b", "a\"b", "`id`", "a|b", "a&b", "<a>", "a\\b"] {
            assert_eq!(read(&[(HOST, hostile)]), None, "{hostile}");
            assert_eq!(read(&[(ORIGIN, &format!("https://{hostile}"))]), None, "{hostile}");
        }
        assert_eq!(OwnAddress("http://[::1]:8080".into()).in_shell(), "'http://[::1]:8080'");
    }

    #[test]
    fn only_this_computer_is_safe_without_tls() {
        for (address, is_open) in [
            ("https://desk.example", false),
            ("http://localhost", false),
            ("http://127.0.0.1:8080", false),
            ("http://[::1]:8080", false),
            ("http://desk:8080", true),
            ("http://localhost.evil.example", true),
        ] {
            assert_eq!(OwnAddress(address.into()).is_open_to_all(), is_open, "{address}");
        }
    }
}
