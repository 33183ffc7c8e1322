//! Problems as pages: what happened, and the way on.

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderValue, Response};
use maud::html;

use super::layout::outside;
use super::words;
use crate::problem::Problem;

/// Whether whoever asked reads pages: everything that is not for programs, and whatever else a browser asks for.
pub(crate) fn is_page(request: &Request, matched: Option<&str>) -> bool {
    let is_for_programs = |path: &str| path.starts_with("/api/") || path.starts_with("/runtime/");
    match matched {
        Some(path) => !is_for_programs(path),
        None => {
            let accepts = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok());
            !is_for_programs(request.uri().path()) && accepts.is_some_and(|types| types.contains("text/html"))
        }
    }
}

/// Writes the problem as a page into `response`, keeping its other headers.
pub(crate) fn refuse(problem: &Problem, request_id: &str, response: &mut Response<Body>) {
    let page = outside(
        problem.code.title(),
        &html! {
            h1 { (problem.code.title()) }
            p .lead { (words::sentence(&problem.detail)) }
            p { a .button href="/" { "To Overnight" } " " a href="/machines" { "Machines" } }
            p .fine { "Code " code { (problem.code.as_str()) } ", request " code { (request_id) } }
        },
    );
    *response.status_mut() = problem.status();
    *response.body_mut() = Body::from(page.0);
    let headers = response.headers_mut();
    headers.remove(CONTENT_LENGTH);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    for (name, value) in problem.headers() {
        headers.insert(name, value);
    }
}
