//! Problem details (RFC 9457) turned into what happened, why, and what next.

use reqwest::Url;
use serde::Deserialize;

use tidegate_core::obstacle::Obstacle;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::text::shortened;

/// Longest problem read, in bytes.
pub(super) const BYTES_MAX: usize = 64 * 1024;

#[derive(Deserialize)]
struct Problem {
    #[serde(default)]
    title: String,
    #[serde(default)]
    detail: String,
    #[serde(default)]
    code: String,
}

/// What an answer other than 2xx of the control plane at `base` means to the person.
pub(super) fn failure(base: &Url, status: u16, location: Option<&str>, body: &str) -> Failure {
    let exit = if matches!(status, 429 | 502 | 503 | 504) { Exit::NotReachable } else { Exit::Refused };
    let Ok(problem) = serde_json::from_str::<Problem>(body) else {
        return foreign(base, exit, status, location, body);
    };
    let what = match (problem.title.as_str(), problem.detail.as_str()) {
        ("", "") => format!("the control plane answered {status}"),
        (title, "") => title.to_owned(),
        (_, detail) => detail.to_owned(),
    };
    let mut failure = Failure::new(exit, what);
    if !problem.code.is_empty() {
        let title = if problem.title.is_empty() { "the control plane refused" } else { &problem.title };
        failure = failure.because(format!("{title} ({}, HTTP {status})", problem.code));
    }
    match next(&problem.code) {
        Some(next) => failure.next(next),
        None => failure,
    }
}

/// What to do about the codes where something general helps; the detail names the particular.
fn next(code: &str) -> Option<&'static str> {
    match code {
        "unauthenticated" => Some(
            "sign in again with `tidegate login LINK`, or make a token on the control plane's machine:\n  tidegate admin token --data DIR --email YOU",
        ),
        "revision_mismatch" => Some("repeat the command: it reads the new revision first"),
        "rate_limited" | "unavailable" => Some("repeat the command in a moment: it is safe to repeat"),
        "conflict" => Some("look how it stands first; the sentence above says what stands in the way"),
        "forbidden" => Some("ask an owner to do it, or to widen your role"),
        "too_large" => Some("send less at once: several sequences in the place of one"),
        "queue_full" => Some("see what is queued: tidegate sequences list --endpoint ENDPOINT"),
        "invalid_sequence" => Some("see what the machine knows: tidegate endpoints show ENDPOINT --probes"),
        "invalid_playbook" => Some("see what it asks for, with bounds: tidegate playbooks show NAME"),
        "storage_full" => Some("free space on the control plane's disk; nothing of this request was stored"),
        "internal" => Some("the control plane's log has the details; repeating is safe"),
        _ => None,
    }
}

/// An answer that is not a control plane's: a proxy's page, another server, a redirect.
fn foreign(base: &Url, exit: Exit, status: u16, location: Option<&str>, body: &str) -> Failure {
    let failure = Failure::new(exit, format!("{base} answered {status}, not as a control plane does"))
        .of(Obstacle::NotAControlPlane);
    match location {
        Some(location) => failure
            .because(format!("it points to {location}"))
            .next("name that address with --url if it is your control plane"),
        None if body.trim().is_empty() => failure.next("check the URL, and any proxy in between"),
        None => failure.because(shortened(body.trim(), 200)).next("check the URL, and any proxy in between"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_says_what_why_and_what_next() {
        let body = r#"{"type":"about:blank","title":"No valid credentials","status":401,
            "detail":"the token is not known here","code":"unauthenticated"}"#;
        let failure = failure(&base(), 401, None, body);
        assert_eq!(failure.exit, Exit::Refused);
        assert_eq!(failure.what, "the token is not known here");
        assert_eq!(failure.why, ["No valid credentials (unauthenticated, HTTP 401)"]);
        assert!(failure.next.is_some_and(|next| next.contains("tidegate login")));
    }

    #[test]
    fn not_now_is_not_reachable_and_everything_else_is_refused() {
        let exit = |status| failure(&base(), status, None, "{}").exit;
        for status in [429, 502, 503, 504] {
            assert_eq!(exit(status), Exit::NotReachable, "{status}");
        }
        for status in [400, 401, 403, 404, 409, 412, 413, 415, 422, 428, 500, 507] {
            assert_eq!(exit(status), Exit::Refused, "{status}");
        }
    }

    #[test]
    fn what_is_no_control_plane_is_named_as_such() {
        let page = failure(&base(), 407, None, "<html>Proxy authentication required</html>");
        assert_eq!(page.what, "https://tg.example/ answered 407, not as a control plane does");
        let elsewhere = failure(&base(), 308, Some("https://new.example/"), "");
        assert_eq!(elsewhere.why, ["it points to https://new.example/"]);
    }

    fn base() -> Url {
        Url::parse("https://tg.example/").unwrap()
    }
}
