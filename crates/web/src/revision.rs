//! Revisions: an edit names the one it saw (`If-Match`), so nobody overwrites what they have not read.

use axum::extract::FromRequestParts;
use axum::http::header::IF_MATCH;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use tidegate_core::error::Code;

use crate::Shared;
use crate::problem::Problem;

/// The revision that an edit names.
pub(crate) struct IfMatch(pub(crate) u64);

impl FromRequestParts<Shared> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Problem> {
        revision_of(&parts.headers).map(Self)
    }
}

/// The entity tag of a revision (RFC 9110, section 8.8.3).
pub(crate) fn entity_tag(revision: u64) -> HeaderValue {
    // A quoted decimal number is always a valid header value.
    HeaderValue::from_str(&format!("\"{revision}\"")).unwrap_or(HeaderValue::from_static("\"0\""))
}

fn revision_of(headers: &HeaderMap) -> Result<u64, Problem> {
    let mut values = headers.get_all(IF_MATCH).iter();
    let Some(value) = values.next() else {
        return Err(Problem::new(
            Code::RevisionRequired,
            "send `If-Match` with the `ETag` of what you read, so that nobody's edit is lost",
        ));
    };
    let malformed = || Problem::invalid("`If-Match` names one revision, as `ETag` gave it: \"7\"");
    if values.next().is_some() {
        return Err(malformed());
    }
    let text = value.to_str().map_err(|_| malformed())?.trim();
    let digits = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).ok_or_else(malformed)?;
    // `parse` alone would take a leading `+`.
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(malformed());
    }
    digits.parse().map_err(|_| malformed())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revision(values: &[&str]) -> Result<u64, Code> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(IF_MATCH, HeaderValue::from_str(value).unwrap());
        }
        revision_of(&headers).map_err(|problem| problem.code)
    }

    #[test]
    fn a_revision_reads_back_as_its_tag_was_written() {
        assert_eq!(revision(&[entity_tag(17).to_str().unwrap()]), Ok(17));
    }

    #[test]
    fn an_edit_without_a_strong_single_revision_is_refused() {
        assert_eq!(revision(&[]), Err(Code::RevisionRequired));
        for wrong in
            [&["W/\"7\""][..], &["7"], &["*"], &["\"\""], &["\"+7\""], &["\"7\", \"8\""], &["\"7\"", "\"7\""]]
        {
            assert_eq!(revision(wrong), Err(Code::InvalidRequest), "{wrong:?}");
        }
        assert_eq!(revision(&["\"99999999999999999999999\""]), Err(Code::InvalidRequest));
    }
}
