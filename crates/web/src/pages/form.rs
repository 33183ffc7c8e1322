//! What a form sent: names and values in their order, bounded before any of it is kept.

use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use tidegate_core::error::Code;

use crate::Shared;
use crate::body::{SEQUENCE_BODY_BYTES_MAX, SMALL_BYTES_MAX, read};
use crate::problem::Problem;

/// Most fields: a sequence of 100 steps with 40 arguments each.
const FIELDS_MAX: usize = 5_000;

/// A form as it was sent (WHATWG URL, section 5).
#[derive(Clone, Debug, Default)]
pub(super) struct Form(pub(super) Vec<(String, String)>);

impl Form {
    /// The first value of that name, without white space around it; empty counts as absent.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, _)| key == name)?;
        Some(found.1.trim()).filter(|text| !text.is_empty())
    }

    /// The first value of that name exactly as it was sent.
    pub(super) fn raw(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Gives the field of that name this value, as if it had been sent so.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.0.retain(|(key, _)| key != name);
        self.0.push((name.to_owned(), value.to_owned()));
    }

    /// The value of a field that every such form has.
    pub(super) fn required(&self, name: &str) -> Result<&str, Problem> {
        self.text(name)
            .ok_or_else(|| Problem::invalid(format!("the form lacks `{name}`: fill it in and send it again")))
    }
}

/// A form of a few short fields, such as a person without a session may send.
pub(super) struct SmallForm(pub(super) Form);

impl FromRequest<Shared> for Form {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &Shared) -> Result<Self, Problem> {
        parse(request, SEQUENCE_BODY_BYTES_MAX).await
    }
}

impl FromRequest<Shared> for SmallForm {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &Shared) -> Result<Self, Problem> {
        parse(request, SMALL_BYTES_MAX).await.map(Self)
    }
}

async fn parse(request: Request, bytes_max: usize) -> Result<Form, Problem> {
    let media_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = media_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    // A form without fields has no body, and some browsers then say no type.
    if !essence.is_empty() && !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        let detail = "a form here is sent as `application/x-www-form-urlencoded`";
        return Err(Problem::new(Code::UnsupportedMediaType, detail));
    }
    let bytes = read(request, bytes_max).await?;
    let fields: Vec<_> = form_urlencoded::parse(&bytes).into_owned().take(FIELDS_MAX + 1).collect();
    if fields.len() > FIELDS_MAX {
        return Err(Problem::new(Code::TooLarge, format!("a form here has at most {FIELDS_MAX} fields")));
    }
    Ok(Form(fields))
}
