//! Refuses changes that a page of another site makes with the rights of whoever looks at it (CSRF).
//!
//! A browser says itself where a request comes from (Fetch Metadata, section 2.4; RFC 6454, section 7), and a page
//! cannot change what it says. Programs that are no browsers say neither, and ride on nobody's session.

use axum::extract::Request;
use axum::http::header::{HOST, HeaderName, ORIGIN};
use axum::http::{HeaderMap, Method};
use tidegate_core::error::Code;

use crate::problem::Problem;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Refuses what would change something and comes from another site's page.
pub(crate) fn check(request: &Request) -> Result<(), Problem> {
    if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return Ok(());
    }
    let headers = request.headers();
    let authority = request.uri().authority().map(axum::http::uri::Authority::as_str);
    let own = authority.or_else(|| text(headers, HOST));
    let is_own = match (text(headers, SEC_FETCH_SITE), text(headers, ORIGIN)) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => origin.split_once("://").is_some_and(|(_, rest)| Some(rest) == own),
        (None, None) => !headers.contains_key(SEC_FETCH_SITE) && !headers.contains_key(ORIGIN),
    };
    if is_own {
        Ok(())
    } else {
        Err(Problem::new(
            Code::Forbidden,
            "a page of another site asked for this in your browser, and nothing was done: changes are taken from \
             Tidegate's own pages and from programs",
        ))
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn checked(method: &str, headers: &[(&str, &str)]) -> bool {
        let mut request = Request::builder().method(method).uri("/api/v1/clients");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        check(&request.body(Body::empty()).unwrap()).is_ok()
    }

    #[test]
    fn a_change_from_another_sites_page_is_refused() {
        for headers in [
            &[("sec-fetch-site", "cross-site")][..],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "Same-Origin")],
            &[("sec-fetch-site", "cross-site"), ("origin", "http://desk:8080"), ("host", "desk:8080")],
            &[("origin", "https://evil.example"), ("host", "desk:8080")],
            &[("origin", "http://desk:8081"), ("host", "desk:8080")],
            &[("origin", "http://desk"), ("host", "desk:8080")],
            &[("origin", "null"), ("host", "desk:8080")],
            &[("origin", "null")],
            &[("origin", "http://desk:8080")],
            &[("origin", "http://d\u{e9}sk"), ("host", "desk:8080")],
        ] {
            assert!(!checked("POST", headers), "{headers:?}");
            assert!(!checked("DELETE", headers), "{headers:?}");
            assert!(checked("GET", headers), "reading changes nothing: {headers:?}");
        }
    }

    #[test]
    fn own_pages_and_programs_are_heard() {
        for headers in [
            &[][..],
            &[("host", "desk:8080")],
            &[("sec-fetch-site", "same-origin"), ("origin", "https://desk"), ("host", "inner:8080")],
            &[("sec-fetch-site", "none")],
            &[("origin", "http://desk:8080"), ("host", "desk:8080")],
            &[("origin", "https://desk.example"), ("host", "desk.example")],
        ] {
            assert!(checked("POST", headers), "{headers:?}");
        }
    }

    #[test]
    fn a_request_that_names_its_host_in_the_target_is_compared_with_that() {
        let ask = |origin| {
            let request =
                Request::builder().method("POST").uri("https://desk.example/api").header("origin", origin);
            check(&request.body(Body::empty()).unwrap()).is_ok()
        };
        assert!(ask("https://desk.example"));
        assert!(!ask("https://evil.example"));
    }
}
