//! What a tab tells.

use serde::Deserialize;

/// Where a tab is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Here {
    /// The address.
    pub url: String,
    /// The title.
    pub title: String,
    /// The status that the page was answered with; 0: no page was asked for yet.
    pub status: u16,
}

/// What going to a page cost.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Navigation {
    /// The address that it led to.
    pub url: String,
    /// The title.
    pub title: String,
    /// The status that the page was answered with.
    pub status: u16,
    /// Bytes received, heads included and as they were on the wire; nothing for what the browser kept.
    pub bytes: f64,
    /// Everything asked for, in order.
    pub requests: Vec<Request>,
}

/// One request of a page.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Request {
    /// The address.
    pub url: String,
    /// What for: `Document`, `Stylesheet`, `Script`, `EventSource`, `XHR`, `Fetch`, …
    pub kind: String,
    /// The status; 0: none came.
    pub status: u16,
    /// Bytes received.
    pub bytes: u64,
    /// Whether the browser had it.
    pub is_cached: bool,
    /// From asking to the last byte, in milliseconds; 0: it has not ended.
    pub milliseconds: f64,
}

/// What has the focus, as a program that reads pages out is told it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Focus {
    /// The element's name in HTML.
    pub tag: String,
    /// Its place among all elements, counted from 0 in the order in which they are read out.
    pub position: usize,
    /// Its role.
    pub role: String,
    /// Its accessible name.
    pub name: String,
    /// Whether an outline or a shadow shows that it has the focus.
    pub is_marked: bool,
    /// Whether a part of it is in the viewport with nothing before it.
    pub is_visible: bool,
}

/// How a page lies in its viewport, in CSS pixels.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Layout {
    /// The width of what is there; more than `width`: it has to be pushed sideways.
    pub scroll_width: u32,
    /// The width of the viewport.
    pub width: u32,
    /// The height of what is there.
    pub height: u32,
    /// What sticks out on the right.
    pub wide: Vec<String>,
}

/// A rule of accessibility that a page breaks.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Violation {
    /// The rule's name in axe.
    pub rule: String,
    /// `minor`, `moderate`, `serious` or `critical`.
    pub impact: String,
    /// What the rule asks for.
    pub help: String,
    /// Where and why, five at most.
    pub places: Vec<String>,
}

impl Violation {
    /// Whether it keeps somebody from the work.
    pub fn is_grave(&self) -> bool {
        matches!(self.impact.as_str(), "serious" | "critical")
    }
}

/// A cookie that the browser holds.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cookie {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Whether script cannot read it.
    pub http_only: bool,
    /// Whether it goes over TLS alone.
    pub secure: bool,
    /// `Strict`, `Lax` or `None`.
    pub same_site: String,
}
