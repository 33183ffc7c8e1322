//! Listings page by page, kept as the text they came as.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::{Answer, Api};
use crate::failure::Failure;

/// Most items a listing fetches where the command names no `--limit`.
pub(crate) const LISTING_ITEMS_MAX: usize = 10_000;
/// Items asked for at once; the control plane's own bound.
const PAGE_ITEMS: usize = 500;

/// Items of a listing in its order.
pub(crate) struct Listing {
    items: Vec<Box<RawValue>>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct RawPage {
    items: Vec<Box<RawValue>>,
    #[serde(default)]
    next: Option<String>,
}

impl Api {
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
        let mut cursor: Option<String> = None;
        loop {
            let limit = PAGE_ITEMS.min(items_max - listing.items.len()).to_string();
            let mut query = query.to_vec();
            query.push(("limit", &limit));
            if let Some(cursor) = &cursor {
                query.push(("cursor", cursor));
            }
            let page: RawPage = self.get(path, &query).await?.parse()?;
            let is_stuck = page.next.is_some() && (page.next == cursor || page.items.is_empty());
            listing.items.extend(page.items);
            listing.next.clone_from(&page.next);
            if is_stuck || page.next.is_none() || listing.items.len() >= items_max {
                return Ok(listing);
            }
            cursor = page.next;
        }
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

    /// One document of the interface's shape with the items byte for byte as they came.
    pub(crate) fn to_json(&self) -> String {
        let items: Vec<_> = self.items.iter().map(|item| item.get()).collect();
        let next = serde_json::to_string(&self.next).unwrap_or_else(|_| "null".into());
        format!("{{\"items\":[{}],\"next\":{next}}}", items.join(","))
    }

    /// Whether the control plane has more than was asked for.
    pub(crate) fn has_more(&self) -> bool {
        self.next.is_some()
    }
}
