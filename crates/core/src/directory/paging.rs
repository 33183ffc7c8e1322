//! Listings by cursor. A cursor names the listing and the last item's place in it, so that a page begins after
//! that item whatever was added or removed meanwhile. It comes from outside and is hostile until read.

use data_encoding::BASE64URL_NOPAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::api::{Page, Paging};
use crate::error::Error;
use crate::sql::{Row, SqlError};

/// Longest cursor that is looked at, in bytes. A name has at most 200 bytes, 1,200 where JSON escapes each one,
/// which base 64 makes 1,600.
const CURSOR_BYTES_MAX: usize = 2_048;

/// The place after which the page begins: of what the listing is ordered by, then the id. `None`: at the
/// beginning.
///
/// # Errors
///
/// A cursor that is not one of `listing`.
pub(super) fn place<K: DeserializeOwned>(listing: &str, paging: &Paging) -> Result<Option<K>, Error> {
    let Some(cursor) = &paging.cursor else { return Ok(None) };
    let read = || {
        let bytes =
            BASE64URL_NOPAD.decode(Some(cursor).filter(|text| text.len() <= CURSOR_BYTES_MAX)?.as_bytes());
        let (named, place): (String, K) = serde_json::from_slice(&bytes.ok()?).ok()?;
        (named == listing).then_some(place)
    };
    let foreign = || Error::invalid("this cursor is not one of this listing: begin without one");
    read().ok_or_else(foreign).map(Some)
}

/// How many items the page has at most.
pub(super) fn limit(paging: &Paging) -> usize {
    paging.limit.clamp(1, Paging::LIMIT_MAX) as usize
}

/// How many rows to read: one more than the page has, to know whether there is a next.
pub(super) fn rows_wanted(paging: &Paging) -> u64 {
    limit(paging) as u64 + 1
}

/// The page of `rows`, which are [`rows_wanted`] at most.
pub(super) fn page<T, K: Serialize>(
    listing: &str,
    paging: &Paging,
    rows: &[Row],
    read: impl Fn(&Row) -> Result<T, SqlError>,
    place: impl Fn(&T) -> K,
) -> Result<Page<T>, Error> {
    let limit = limit(paging);
    page_of(listing, &rows[..rows.len().min(limit)], rows.len() > limit, read, place)
}

/// The page of exactly these `rows`; `has_more`: others follow.
pub(super) fn page_of<T, K: Serialize>(
    listing: &str,
    rows: &[Row],
    has_more: bool,
    read: impl Fn(&Row) -> Result<T, SqlError>,
    place: impl Fn(&T) -> K,
) -> Result<Page<T>, Error> {
    let items: Vec<T> = rows.iter().map(read).collect::<Result<_, _>>()?;
    let next = items.last().filter(|_| has_more).map(|last| {
        let bytes = serde_json::to_vec(&(listing, place(last))).expect("names, times and ids serialize");
        BASE64URL_NOPAD.encode(&bytes)
    });
    Ok(Page { items, next })
}
