//! Listings page by page, kept as the text they came as.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::{Answer, Api};
use crate::failure::Failure;

/// Most items a listing fetches where the command names no `--limit`.
pub(crate) const LISTING_ITEMS_MAX: usize = 10_000;
/// Most bytes of items that a listing collects; past it the listing says that there is more.
const LISTING_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Items asked for at once; the control plane's own bound. It also bounds a page by bytes.
const PAGE_ITEMS: usize = 500;

/// Items of a listing in its order.
pub(crate) struct Listing {
    items: Vec<Box<RawValue>>,
    next: Option<String>,
}

/// A listing read page by page, one in memory at a time.
pub(crate) struct Pages<'a> {
    api: &'a Api,
    path: &'a [&'a str],
    query: &'a [(&'a str, &'a str)],
    cursor: Option<String>,
    is_done: bool,
}

#[derive(Deserialize)]
struct RawPage {
    items: Vec<Box<RawValue>>,
    #[serde(default)]
    next: Option<String>,
}

impl Api {
    /// The listing at `path`, page by page from `cursor` on; `None`: from its beginning.
    pub(crate) fn pages<'a>(
        &'a self,
        path: &'a [&'a str],
        query: &'a [(&'a str, &'a str)],
        cursor: Option<String>,
    ) -> Pages<'a> {
        Pages { api: self, path, query, cursor, is_done: false }
    }

    /// Fetches up to `items_max` items of the listing at `path`, page after page.
    ///
    /// # Errors
    ///
    /// What any of the requests failed with.
    pub(crate) async fn list(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        items_max: usize,
    ) -> Result<Listing, Failure> {
        let mut listing = Listing { items: Vec::new(), next: None };
        let (mut pages, mut bytes) = (self.pages(path, query, None), 0);
        while listing.items.len() < items_max && bytes < LISTING_BYTES_MAX {
            let Some(page) = pages.next(items_max - listing.items.len()).await? else { break };
            bytes += page.items.iter().map(|item| item.get().len()).sum::<usize>();
            listing.items.extend(page.items);
            listing.next = page.next;
        }
        Ok(listing)
    }
}

impl Pages<'_> {
    /// The next page, with at most `items_max` items; `None` at the end.
    ///
    /// # Errors
    ///
    /// What the request failed with.
    pub(crate) async fn next(&mut self, items_max: usize) -> Result<Option<Listing>, Failure> {
        if self.is_done {
            return Ok(None);
        }
        let limit = PAGE_ITEMS.min(items_max).to_string();
        let mut query = self.query.to_vec();
        query.push(("limit", &limit));
        if let Some(cursor) = &self.cursor {
            query.push(("cursor", cursor));
        }
        let RawPage { items, next } = self.api.get(self.path, &query).await?.parse()?;
        let is_stuck = next.is_some() && (next == self.cursor || items.is_empty());
        self.is_done = is_stuck || next.is_none();
        self.cursor.clone_from(&next);
        Ok(Some(Listing { items, next }))
    }
}

impl Listing {
    /// The items as values.
    ///
    /// # Errors
    ///
    /// [`crate::exit::Exit::Refused`] where one does not read.
    pub(crate) fn parse<T: DeserializeOwned>(&self) -> Result<Vec<T>, Failure> {
        self.items.iter().map(|item| Answer { text: item.get().to_owned() }.parse()).collect()
    }

    /// The items byte for byte as they came, with commas between.
    pub(crate) fn items_json(&self) -> String {
        let items: Vec<_> = self.items.iter().map(|item| item.get()).collect();
        items.join(",")
    }

    /// One document of the interface's shape with the items byte for byte as they came.
    pub(crate) fn to_json(&self) -> String {
        let next = serde_json::to_string(&self.next).unwrap_or_else(|_| "null".into());
        format!("{{\"items\":[{}],\"next\":{next}}}", self.items_json())
    }

    /// Whether the control plane has more than was asked for.
    pub(crate) fn has_more(&self) -> bool {
        self.next.is_some()
    }
}
