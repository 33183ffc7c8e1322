//! What can go wrong in a call, with the stable codes that scripts branch on.

use crate::sql::SqlError;
use crate::time::Milliseconds;

/// Why a call failed. Its transaction is rolled back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Storage failed.
    #[error("failed to store or read")]
    Sql(#[from] SqlError),
    /// The request cannot be done; the caller can act on it.
    #[error("{0}")]
    Problem(Problem),
}

/// A request that cannot be done: a stable code and a sentence for a person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Problem {
    /// What scripts branch on.
    pub code: Code,
    /// What happened, with the values, and what to do next.
    pub detail: String,
    /// When a repeat may succeed, where that is known.
    pub retry_after: Option<Milliseconds>,
}

macro_rules! codes {
    ($($(#[$documentation:meta])* $name:ident = $text:literal, $status:literal, $title:literal;)*) => {
        /// The stable codes of problems. `docs/errors.md` explains each.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Code { $($(#[$documentation])* $name,)* }

        impl Code {
            /// Every code, for the test that holds the documentation complete.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The word that scripts branch on.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// The HTTP status it travels with (RFC 9110).
            pub fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }

            /// The same for every occurrence (RFC 9457, section 3.1.3).
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }
        }
    };
}

codes! {
    /// The request does not read: not JSON, an unknown field, a value out of bounds.
    InvalidRequest = "invalid_request", 400, "The request does not read";
    /// A sequence that does not fit the endpoint's probes or the bounds.
    InvalidSequence = "invalid_sequence", 422, "The sequence cannot be queued as it is";
    /// A playbook that does not hold together, or values that do not fit its parameters.
    InvalidPlaybook = "invalid_playbook", 422, "The playbook does not hold, or the values do not fit it";
    /// No or no valid credentials.
    Unauthenticated = "unauthenticated", 401, "No valid credentials";
    /// The time of the API token is over.
    ApiTokenExpired = "api_token_expired", 401, "The API token has expired";
    /// The endpoint's signature or token does not hold.
    InvalidSignature = "invalid_signature", 401, "The signature does not hold";
    /// The idle token has run out: send the sync again, signed.
    TokenExpired = "token_expired", 401, "The token has run out";
    /// The endpoint's enrolment is revoked.
    Revoked = "revoked", 403, "The enrolment is revoked";
    /// The enrolment code is wrong, used up or expired.
    InvalidCode = "invalid_code", 403, "The enrolment code does not admit";
    /// The principal may not do this, or a page of another site asked for it in their browser.
    Forbidden = "forbidden", 403, "Not allowed";
    /// A sensitive act in a session that was not confirmed lately.
    ConfirmationRequired = "confirmation_required", 403, "Confirm that it is you";
    /// Nothing there of that name.
    NotFound = "not_found", 404, "Not found";
    /// The request names a host at which this control plane does not answer.
    Misdirected = "misdirected", 421, "Another host was asked for";
    /// The path exists, the method does not.
    MethodNotAllowed = "method_not_allowed", 405, "Method not allowed";
    /// The control plane does not know the endpoint: present the enrolment certificate.
    UnknownEndpoint = "unknown_endpoint", 404, "The endpoint is not known here";
    /// The state of the thing does not allow it.
    Conflict = "conflict", 409, "The state does not allow it";
    /// The same idempotency key came with another body.
    IdempotencyMismatch = "idempotency_mismatch", 422, "The idempotency key was used for another request";
    /// `If-Match` names another revision.
    RevisionMismatch = "revision_mismatch", 412, "Somebody changed it meanwhile";
    /// An edit without `If-Match`.
    RevisionRequired = "revision_required", 428, "Say which revision you edit";
    /// The body is larger than the route takes.
    TooLarge = "too_large", 413, "The body is too large";
    /// The body is not of a type the route reads.
    UnsupportedMediaType = "unsupported_media_type", 415, "The body is of another type";
    /// Too many requests from this address or token, or more reports from this endpoint than may be stored of it.
    RateLimited = "rate_limited", 429, "Too many requests";
    /// Queueing more than the endpoint's bound.
    QueueFull = "queue_full", 409, "Too much is queued for this endpoint";
    /// The disk of the control plane is full; nothing of the request was stored.
    StorageFull = "storage_full", 507, "The control plane's disk is full";
    /// The control plane is shutting down or its write queue is full: try again.
    Unavailable = "unavailable", 503, "Try again shortly";
    /// A defect of ours; the log has the details.
    Internal = "internal", 500, "The control plane failed";
}

impl Error {
    /// A problem of `code` with its sentence.
    pub fn problem(code: Code, detail: impl Into<String>) -> Self {
        Self::Problem(Problem { code, detail: detail.into(), retry_after: None })
    }

    /// [`Code::RateLimited`] with its sentence and the time after which a repeat may succeed.
    pub fn rate_limited(detail: impl Into<String>, retry_after: Milliseconds) -> Self {
        let detail = detail.into();
        Self::Problem(Problem { code: Code::RateLimited, detail, retry_after: Some(retry_after) })
    }

    /// [`Code::NotFound`] for `what`.
    pub fn not_found(what: impl core::fmt::Display) -> Self {
        Self::problem(Code::NotFound, format!("there is no {what}"))
    }

    /// [`Code::Conflict`] with its sentence.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::problem(Code::Conflict, detail)
    }

    /// [`Code::InvalidRequest`] with its sentence.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::problem(Code::InvalidRequest, detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_explained_with_its_status_and_nothing_else_is() {
        let page = include_str!("../../../docs/errors.md");
        let answers = page.split("## ").find(|part| part.starts_with("What the control plane answers"));
        let rows: Vec<_> =
            answers.unwrap_or_default().lines().filter(|line| line.starts_with("| `")).collect();
        assert_eq!(rows.len(), Code::ALL.len());
        for (row, code) in rows.iter().zip(Code::ALL) {
            let begins = format!("| `{}` | {} | ", code.as_str(), code.status());
            assert!(row.starts_with(&begins), "{row} stands where {begins} should");
        }
    }
}
