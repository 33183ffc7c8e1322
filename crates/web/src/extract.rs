//! Ids in paths and parameters in queries, refused as problems.

use core::str::FromStr;

use axum::extract::{FromRequestParts, Path, Query as AxumQuery};
use axum::http::request::Parts;
use serde::de::value::StringDeserializer;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use tidegate_core::api::Paging;
use tidegate_core::error::Code;

use crate::Shared;
use crate::problem::Problem;

/// Longest cursor: the core's are a few dozen bytes.
const CURSOR_BYTES_MAX: usize = 500;

/// The id in the path. One that does not read names nothing, so it is not found.
pub(crate) struct Id<T>(pub(crate) T);

/// The query's parameters. Unknown ones are refused: a misspelt filter must not answer with everything.
pub(crate) struct Query<T>(pub(crate) T);

/// A query without parameters.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

/// The query of a request that takes no parameters.
pub(crate) type NoQuery = Query<Nothing>;

impl<T: FromStr> FromRequestParts<Shared> for Id<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, host: &Shared) -> Result<Self, Problem> {
        let not_found = |text: &str| {
            let shown: String = text.chars().take(40).collect();
            Problem::new(Code::NotFound, format!("`{shown}` is not the id of anything here"))
        };
        match Path::<String>::from_request_parts(parts, host).await {
            Ok(Path(text)) => text.parse().map(Self).map_err(|_| not_found(&text)),
            Err(_) => Err(not_found("")),
        }
    }
}

impl<T: DeserializeOwned> FromRequestParts<Shared> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Problem> {
        match AxumQuery::<T>::try_from_uri(&parts.uri) {
            Ok(AxumQuery(value)) => Ok(Self(value)),
            Err(rejection) => Err(Problem::invalid(rejection.body_text())),
        }
    }
}

/// The bounds of a page out of the parameters that ask for it.
pub(crate) fn paging(cursor: Option<String>, limit: Option<u32>) -> Result<Paging, Problem> {
    let limit = limit.unwrap_or(Paging::LIMIT_DEFAULT);
    if !(1..=Paging::LIMIT_MAX).contains(&limit) {
        return Err(Problem::invalid(format!("`limit` is from 1 to {}", Paging::LIMIT_MAX)));
    }
    if cursor.as_ref().is_some_and(|cursor| cursor.len() > CURSOR_BYTES_MAX) {
        return Err(Problem::invalid("`cursor` is the `next` of the page before, unchanged"));
    }
    Ok(Paging { cursor, limit })
}

/// Reads a parameter that may be absent; an empty one counts as absent, as forms send it.
pub(crate) fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    let text = String::deserialize(deserializer)?;
    if text.is_empty() {
        return Ok(None);
    }
    T::deserialize(StringDeserializer::<D::Error>::new(text)).map(Some)
}

/// Reads a number that may be absent; an empty one counts as absent.
pub(crate) fn present_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| D::Error::custom("a whole number is expected"))
}

#[cfg(test)]
mod tests {
    use axum::http::Uri;
    use tidegate_core::api::SequenceState;

    use super::*;

    #[derive(Deserialize, PartialEq, Debug)]
    #[serde(deny_unknown_fields)]
    struct Filter {
        #[serde(default, deserialize_with = "present")]
        state: Option<SequenceState>,
        #[serde(default, deserialize_with = "present_number")]
        limit: Option<u32>,
    }

    fn filter(query: &str) -> Result<Filter, String> {
        let uri: Uri = format!("/x?{query}").parse().unwrap();
        AxumQuery::try_from_uri(&uri).map(|AxumQuery(value)| value).map_err(|error| error.body_text())
    }

    #[test]
    fn a_filter_reads_and_an_empty_one_is_absent() {
        assert_eq!(filter("state=&limit="), Ok(Filter { state: None, limit: None }));
        assert_eq!(
            filter("limit=5&state=queued"),
            Ok(Filter { state: Some(SequenceState::Queued), limit: Some(5) })
        );
    }

    #[test]
    fn an_unknown_repeated_or_unreadable_filter_is_refused() {
        for query in ["stat=queued", "state=nowhere", "limit=x", "limit=-1", "limit=1&limit=2"] {
            assert!(filter(query).is_err(), "{query}");
        }
    }

    #[test]
    fn a_page_is_bounded() {
        assert_eq!(paging(None, None).unwrap().limit, Paging::LIMIT_DEFAULT);
        assert_eq!(paging(Some("c".into()), Some(1)).unwrap().cursor.as_deref(), Some("c"));
        for limit in [0, Paging::LIMIT_MAX + 1] {
            assert_eq!(paging(None, Some(limit)).unwrap_err().code, Code::InvalidRequest);
        }
        assert!(paging(Some("c".repeat(501)), None).is_err());
    }
}
