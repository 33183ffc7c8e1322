//! A form that did not work, shown again: what was wrong stands above it, and what was typed stays.

use axum::response::{Html, IntoResponse as _, Response};
use maud::{Markup, html};
use tidegate_core::error::Code;

use super::form::Form;
use super::words;
use crate::problem::Problem;

/// Which form of a page did not work, and why. `None`: all did.
pub(super) struct Wrong<'a>(Option<Refused<'a>>);

struct Refused<'a> {
    place: &'a str,
    problem: &'a Problem,
    form: &'a Form,
}

impl<'a> Wrong<'a> {
    /// A page that is looked at.
    pub(super) fn nothing() -> Self {
        Self(None)
    }

    /// The form that the page calls `place` was refused; answers the problem where a person cannot mend it there.
    pub(super) fn at(place: &'a str, problem: &'a Problem, form: &'a Form) -> Result<Self, Problem> {
        if !matches!(problem.code, Code::InvalidRequest | Code::Conflict) {
            return Err(problem.clone());
        }
        Ok(Self(Some(Refused { place, problem, form })))
    }

    /// Whether it was the form of that place.
    pub(super) fn is_at(&self, place: &str) -> bool {
        self.0.as_ref().is_some_and(|refused| refused.place == place)
    }

    /// What was wrong, if it was the form of that place.
    pub(super) fn told(&self, place: &str) -> Markup {
        let refused = self.0.as_ref().filter(|refused| refused.place == place);
        html! {
            @if let Some(refused) = refused {
                p .notice .bad role="alert" {
                    span { strong { "That did not work: " } (words::sentence(&refused.problem.detail)) }
                }
            }
        }
    }

    /// What a field holds: what was typed, if it was the form of that place, and `otherwise` what it begins with.
    pub(super) fn typed<'b>(&'b self, place: &str, field: &str, otherwise: &'b str) -> &'b str {
        let refused = self.0.as_ref().filter(|refused| refused.place == place);
        refused.map_or(otherwise, |refused| refused.form.raw(field).unwrap_or_default())
    }

    /// The same for a field that shows it, with characters that reorder or hide text made visible.
    pub(super) fn in_field(&self, place: &str, field: &str, otherwise: &str) -> String {
        words::in_field(self.typed(place, field, otherwise))
    }

    /// The page with the status of what was wrong.
    pub(super) fn answer(&self, page: Html<String>) -> Response {
        let mut response = page.into_response();
        if let Some(refused) = &self.0 {
            *response.status_mut() = refused.problem.status();
        }
        response
    }
}
