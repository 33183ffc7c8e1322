//! The address at which a browser reached this control plane, for links and commands that lead back to it.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::Shared;
use crate::problem::Problem;

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

    async fn from_request_parts(parts: &mut Parts, host: &Shared) -> Result<Self, Problem> {
        host.front().address(&parts.headers, &parts.uri).map(Self).ok_or_else(|| {
            Problem::invalid(
                "your browser did not say at which address it reached this page: open the page by that address again",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use axum::http::header::HOST;
    use axum::http::{HeaderMap, HeaderValue, Uri};

    use super::*;
    use crate::front::Front;

    fn read(public_url: Option<&str>, is_tls: bool, host: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_str(host).unwrap());
        let front = Front::new(public_url.map(|url| url.parse().unwrap()), is_tls, |_| true);
        front.address(&headers, &Uri::from_static("/"))
    }

    #[test]
    fn it_is_the_public_url_and_otherwise_the_host() {
        let url = Some("https://desk.example:8443");
        assert_eq!(read(url, false, "inner:80").as_deref(), url);
        assert_eq!(read(None, false, "desk:8080").as_deref(), Some("http://desk:8080"));
        assert_eq!(read(None, true, "desk.example").as_deref(), Some("https://desk.example"));
    }

    #[test]
    fn nothing_gets_into_a_command_that_a_shell_would_obey() {
        for hostile in ["a;rm -rf ~", "a b", "$(id)", "a'b", "a\"b", "`id`", "a|b", "a&b", "<a>", "a\\b"] {
            assert_eq!(read(None, false, hostile), None, "{hostile}");
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
