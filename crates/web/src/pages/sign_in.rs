//! Signing in, by a one-time link or an API token, and out.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{Html, IntoResponse as _, Response};
use maud::{Markup, html};
use serde::Deserialize;
use tidegate_core::error::Code;

use super::form::Form;
use super::layout::outside;
use super::viewer::{Stranger, Viewer, local, secret, with_session};
use crate::Shared;
use crate::auth::{close_session, open_session};
use crate::extract::Query;
use crate::problem::Problem;

/// Where one wanted to go.
#[derive(Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    next: Option<String>,
}

/// Asks who one is.
pub(super) async fn show(viewer: Result<Viewer, Stranger>, Query(wanted): Query<Wanted>) -> Response {
    let next = local(wanted.next.as_deref());
    if viewer.is_ok() {
        return axum::response::Redirect::to(next).into_response();
    }
    form(next, None).into_response()
}

/// Takes what one has: it works, or is asked for again with what was wrong.
pub(super) async fn submit(
    State(host): State<Shared>,
    headers: HeaderMap,
    form_sent: Form,
) -> Result<Response, Problem> {
    let next = local(form_sent.text("next"));
    let proof = form_sent.text("secret").unwrap_or_default();
    // A whole link is taken as well as the secret at its end.
    let proof = proof.rsplit(['#', '/']).next().unwrap_or_default();
    match open_session(host.as_ref(), proof).await {
        Ok(new) => {
            // The session before it ends, so that none that somebody else knows goes on (session fixation).
            if let Some(before) = secret(&headers) {
                close_session(host.as_ref(), before).await?;
            }
            Ok(with_session(next, Some(&new), &headers))
        }
        Err(problem) if problem.code == Code::Unauthenticated => {
            let mut response = form(next, Some(&problem.detail)).into_response();
            *response.status_mut() = axum::http::StatusCode::UNPROCESSABLE_ENTITY;
            Ok(response)
        }
        Err(problem) => Err(problem),
    }
}

/// Ends the session.
pub(super) async fn sign_out(State(host): State<Shared>, headers: HeaderMap) -> Result<Response, Problem> {
    if let Some(secret) = secret(&headers) {
        close_session(host.as_ref(), secret).await?;
    }
    Ok(with_session("/sign-in", None, &headers))
}

fn form(next: &str, wrong: Option<&str>) -> Html<String> {
    outside(
        "Sign in",
        &html! {
            h1 { "Sign in" }
            @if let Some(wrong) = wrong { (complaint(wrong)) }
            form .stack method="post" action="/sign-in" data-from-fragment="secret" {
                input type="hidden" name="next" value=(next);
                label { "One-time link, or an API token"
                    input name="secret" type="password" autocomplete="off" required autofocus spellcheck="false";
                }
                button .primary { "Sign in" }
            }
            p .fine {
                "No link? Whoever runs the control plane makes one there: " code { "tidegate admin token --data DIR --email YOU" }
            }
        },
    )
}

fn complaint(what: &str) -> Markup {
    html! { p .notice .bad role="alert" { strong { "That did not work. " } (what) } }
}
