//! How a thing on a page is named: as a person, or a program that reads pages to one, knows it.

use serde::Serialize;

/// Something on a page. Where it names more than one thing, whoever acts on it is told so and does nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Find {
    #[serde(skip_serializing_if = "Option::is_none")]
    inside: Option<Box<Find>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    css: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nth: Option<usize>,
    exact: bool,
}

impl Find {
    /// By its role and a part of its accessible name, without regard to case. An empty name is any.
    pub fn role(role: &str, name: &str) -> Self {
        let name = (!name.is_empty()).then(|| name.to_owned());
        Self { role: Some(role.to_owned()), name, ..Self::default() }
    }

    /// A button, by a part of its name.
    pub fn button(name: &str) -> Self {
        Self::role("button", name)
    }

    /// A link, by a part of its name.
    pub fn link(name: &str) -> Self {
        Self::role("link", name)
    }

    /// A heading, by a part of its text.
    pub fn heading(name: &str) -> Self {
        Self::role("heading", name)
    }

    /// A field, by a part of its label.
    pub fn label(label: &str) -> Self {
        Self { label: Some(label.to_owned()), ..Self::default() }
    }

    /// The innermost element with the text in it, without regard to case.
    pub fn text(text: &str) -> Self {
        Self { text: Some(text.to_owned()), ..Self::default() }
    }

    /// By a selector, for what people have no word for.
    pub fn css(selector: &str) -> Self {
        Self { css: Some(selector.to_owned()), ..Self::default() }
    }

    /// Only where the whole name, label or text is the one given, in the same case.
    pub fn exact(self) -> Self {
        Self { exact: true, ..self }
    }

    /// Only within another thing.
    pub fn inside(self, outer: Find) -> Self {
        Self { inside: Some(Box::new(outer)), ..self }
    }

    /// The one of many, counted from 0 in the order of the page.
    pub fn nth(self, nth: usize) -> Self {
        Self { nth: Some(nth), ..self }
    }
}
