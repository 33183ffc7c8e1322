//! Problem details (RFC 9457) for every answer that is not a success.
//!
//! A [`Problem`] travels to the outermost layer in the response's extensions and is written there, where the request
//! id is known. That layer also turns axum's own refusals into problems, so there is one place that writes them and
//! no way around it.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Response, StatusCode};
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use tidegate_core::error::{Code, Error};
use tidegate_core::sql::SqlErrorKind;

use crate::host::HostError;

/// The media type of problems (RFC 9457, section 3).
pub const PROBLEM_TYPE: &str = "application/problem+json";

/// What a `type` begins with; the code follows.
pub const PROBLEM_URN: &str = "urn:tidegate:problem:";

/// Seconds after which a client tries again when the write queue is full: it drains within one.
const BUSY_RETRY_SECONDS: u64 = 1;
/// Seconds after which a client tries again when the control plane restarts: about as long as that takes.
const RESTART_RETRY_SECONDS: u64 = 5;

/// A refusal on its way to the layer that writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) code: Code,
    pub(crate) detail: String,
    pub(crate) retry_after_seconds: Option<u64>,
}

/// A problem as it is written (RFC 9457, section 3.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub struct ProblemView {
    /// A URN that ends in the code.
    #[serde(rename = "type")]
    #[schema(example = "urn:tidegate:problem:not_found")]
    pub problem_type: String,
    /// The same for every occurrence of the code.
    pub title: String,
    /// The HTTP status.
    #[schema(example = 404, minimum = 400, maximum = 599)]
    pub status: u16,
    /// What happened this time and what to do next, for a person.
    pub detail: String,
    /// What scripts branch on.
    #[schema(example = "not_found")]
    pub code: String,
    /// The request, as the log names it: `urn:tidegate:request:…`.
    pub instance: String,
}

impl Problem {
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), retry_after_seconds: None }
    }

    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(Code::InvalidRequest, detail)
    }

    /// A defect of ours. The log gets `what`, the client only that it happened.
    pub(crate) fn internal(what: &dyn core::fmt::Display) -> Self {
        tracing::error!(error = %what, "a request failed because of a defect or of failing storage");
        Self::new(Code::Internal, "the request failed here, not at your side; the log has the details")
    }

    /// The core answered with something else than it was asked for.
    pub(crate) fn unexpected_answer() -> Self {
        Self::internal(&"the core answered with another kind of answer than was asked for")
    }

    #[must_use]
    pub(crate) fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_seconds = Some(seconds.max(1));
        self
    }

    /// What a status that something else chose means here.
    pub(crate) fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => {
                Self::new(Code::NotFound, "there is nothing at this path: `/api/openapi.json` has them all")
            }
            StatusCode::METHOD_NOT_ALLOWED => {
                Self::new(Code::MethodNotAllowed, "the path exists; `Allow` lists its methods")
            }
            StatusCode::PAYLOAD_TOO_LARGE => Self::new(Code::TooLarge, "the body is too large"),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                Self::new(Code::UnsupportedMediaType, "the body is of another type")
            }
            status if status.is_client_error() => Self::invalid("the request does not read"),
            status => Self::internal(&format_args!("something answered `{status}` without a problem")),
        }
    }

    pub(crate) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// Writes the problem into `response`, keeping its other headers: `Allow` of a 405 stays.
    pub(crate) fn write(&self, request_id: &str, response: &mut Response<Body>) {
        let view = ProblemView {
            problem_type: format!("{PROBLEM_URN}{}", self.code.as_str()),
            title: self.code.title().to_owned(),
            status: self.code.status(),
            detail: self.detail.clone(),
            code: self.code.as_str().to_owned(),
            instance: format!("urn:tidegate:request:{request_id}"),
        };
        *response.status_mut() = self.status();
        *response.body_mut() = Body::from(serde_json::to_vec(&view).unwrap_or_default());
        let headers = response.headers_mut();
        headers.remove(axum::http::header::CONTENT_LENGTH);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_TYPE));
        for (name, value) in self.headers() {
            headers.insert(name, value);
        }
    }

    pub(crate) fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        let mut headers = Vec::new();
        // RFC 9110, section 11.6.1: a 401 says how to do better.
        match self.code {
            Code::Unauthenticated | Code::ApiTokenExpired => {
                headers.push((WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
            }
            Code::InvalidSignature | Code::TokenExpired => {
                headers.push((WWW_AUTHENTICATE, HeaderValue::from_static("Tidegate-Signature")));
            }
            _ => {}
        }
        if let Some(seconds) = self.retry_after_seconds {
            headers.push((RETRY_AFTER, HeaderValue::from(seconds)));
        }
        headers
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<HostError> for Problem {
    fn from(error: HostError) -> Self {
        match error {
            HostError::Core(error) => error.into(),
            HostError::Busy => {
                Self::new(Code::Unavailable, "too many requests wait to be stored: try again shortly")
                    .retry_after(BUSY_RETRY_SECONDS)
            }
            HostError::ShuttingDown => {
                Self::new(Code::Unavailable, "the control plane is restarting: try again shortly")
                    .retry_after(RESTART_RETRY_SECONDS)
            }
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Problem(problem) if problem.code == Code::Internal => Self::internal(&problem.detail),
            Error::Problem(problem) => {
                let busy = (problem.code == Code::Unavailable).then_some(BUSY_RETRY_SECONDS);
                let seconds = problem.retry_after.map(|span| span.0.div_ceil(1_000)).or(busy);
                let answer = Self::new(problem.code, problem.detail);
                seconds.map_or(answer.clone(), |seconds| answer.retry_after(seconds))
            }
            Error::Sql(error) if error.kind == SqlErrorKind::Full => {
                // The host says once that the disk is full; every request that meets it would drown that.
                tracing::debug!(error = %error, "a request found no room");
                Self::new(
                    Code::StorageFull,
                    "the control plane's disk is full: nothing of this request was stored; make room there, then \
                     repeat",
                )
            }
            Error::Sql(error) => Self::internal(&error),
        }
    }
}

#[cfg(test)]
mod tests {
    use tidegate_core::sql::SqlError;
    use tidegate_core::time::Milliseconds;

    use super::*;

    #[test]
    fn every_code_travels_with_a_status_that_is_not_a_success() {
        for code in Code::ALL {
            let status = Problem::new(*code, "").status();
            assert!(status.is_client_error() || status.is_server_error(), "{}", code.as_str());
        }
    }

    #[test]
    fn what_storage_says_stays_in_the_log() {
        let error = Error::Sql(SqlError::new(SqlErrorKind::Other, "secret path /var/lib"));
        let problem = Problem::from(error);
        assert_eq!(problem.code, Code::Internal);
        assert!(!problem.detail.contains("secret"), "{}", problem.detail);
        let internal = Problem::from(Error::problem(Code::Internal, "secret"));
        assert!(!internal.detail.contains("secret"), "{}", internal.detail);
    }

    #[test]
    fn a_full_disk_and_a_busy_host_say_so() {
        let full = Problem::from(Error::Sql(SqlError::new(SqlErrorKind::Full, "full")));
        assert_eq!(full.code, Code::StorageFull);
        assert_eq!(Problem::from(HostError::Busy).retry_after_seconds, Some(1));
        let slowed = Problem::from(Error::rate_limited("slowed", Milliseconds(170_001)));
        assert_eq!((slowed.code, slowed.retry_after_seconds), (Code::RateLimited, Some(171)));
        assert_eq!(Problem::from(HostError::ShuttingDown).code, Code::Unavailable);
    }

    #[test]
    fn a_refusal_of_something_else_keeps_its_headers() {
        let mut response = Response::new(Body::from("x"));
        response.headers_mut().insert("allow", HeaderValue::from_static("GET"));
        Problem::of_status(StatusCode::METHOD_NOT_ALLOWED).write("r", &mut response);
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(response.headers()["allow"], "GET");
        assert_eq!(response.headers()["content-type"], PROBLEM_TYPE);
    }
}
