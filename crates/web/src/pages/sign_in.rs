//! Signing in, with a password, a one-time link or an API token, and out.

use axum::Extension;
use axum::extract::State;
use axum::http::header::USER_AGENT;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse as _, Response};
use maud::{Markup, html};
use serde::Deserialize;
use tidegate_core::directory::RefusedWith;
use tidegate_core::error::{Code, Error};

use super::form::{Form, SmallForm};
use super::layout::outside;
use super::viewer::{Stranger, Viewer, local, secret, with_session};
use crate::Shared;
use crate::extract::Query;
use crate::host::{ClientAddress, Host, HostError, SignInAttempt};
use crate::problem::Problem;
use crate::sessions::{
    Opened, authenticate_session, end_session, has_password, open_session_by_link, open_session_by_password,
    open_session_by_token,
};

/// Where one wanted to go.
#[derive(Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    next: Option<String>,
}

/// Asks who one is.
pub(super) async fn show(viewer: Result<Viewer, Stranger>, Query(wanted): Query<Wanted>) -> Response {
    let next = wanted.next.as_deref();
    if viewer.is_ok() {
        return axum::response::Redirect::to(local(next)).into_response();
    }
    form(next, None).into_response()
}

/// Takes what one has: it works, or is asked for again with what was wrong.
pub(super) async fn submit(
    State(host): State<Shared>,
    address: Option<Extension<ClientAddress>>,
    headers: HeaderMap,
    SmallForm(sent): SmallForm,
) -> Result<Response, Problem> {
    let next = sent.text("next");
    let agent = headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let address = address.map(|Extension(address)| address);
    match open(host.as_ref(), &sent, address, agent).await {
        Ok((opened, by_link)) => {
            // The session before it ends, so that none that somebody else knows goes on (session fixation).
            end(host.as_ref(), &headers).await?;
            let place = match next {
                None if by_link => after_link(host.as_ref(), &opened).await?,
                _ => local(next),
            };
            Ok(with_session(place, Some(&opened.secret), host.front().is_secure()))
        }
        Err(error) => {
            let problem = Problem::from(error);
            if !matches!(problem.code, Code::Unauthenticated | Code::ApiTokenExpired) {
                return Err(problem);
            }
            let (typed, with) = match sent.text("email") {
                Some(email) => (Some(email), RefusedWith::Password),
                None => (None, RefusedWith::Link),
            };
            host.sign_in_refused(SignInAttempt::new(typed, with, address));
            let mut response = form(next, Some(&problem.detail)).into_response();
            *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
            Ok(response)
        }
    }
}

/// Ends the session.
pub(super) async fn sign_out(State(host): State<Shared>, headers: HeaderMap) -> Result<Response, Problem> {
    end(host.as_ref(), &headers).await?;
    Ok(with_session("/sign-in", None, host.front().is_secure()))
}

/// Where one begins who came by a link: it is used up, so without a password one could not come again.
async fn after_link(host: &dyn Host, opened: &Opened) -> Result<&'static str, HostError> {
    let has_password = has_password(host, &opened.session.email).await?;
    Ok(if has_password { "/" } else { "/settings/you#password" })
}

/// The session, and whether a one-time link opened it.
async fn open(
    host: &dyn Host,
    sent: &Form,
    address: Option<ClientAddress>,
    agent: &str,
) -> Result<(Opened, bool), HostError> {
    if let (Some(email), Some(password)) = (sent.text("email"), sent.raw("password")) {
        return Ok((open_session_by_password(host, email, password, address, agent).await?, false));
    }
    // A whole link is taken as well as the secret at its end.
    let proof = sent.text("secret").unwrap_or_default().rsplit(['#', '/']).next().unwrap_or_default();
    match open_session_by_link(host, proof, address, agent).await {
        // A link and a token look alike; what is no link that works may be a token.
        Err(error) if is_unknown(&error) => open_session_by_token(host, proof, address, agent)
            .await
            .map(|opened| (opened, false))
            .map_err(|of_token| if is_unknown(&of_token) { error } else { of_token }),
        other => other.map(|opened| (opened, true)),
    }
}

fn is_unknown(error: &HostError) -> bool {
    matches!(error, HostError::Core(Error::Problem(problem)) if problem.code == Code::Unauthenticated)
}

async fn end(host: &dyn Host, headers: &HeaderMap) -> Result<(), Problem> {
    let Some(secret) = secret(headers, host.front().is_secure()) else { return Ok(()) };
    if let Some((principal, session)) = authenticate_session(host, secret, false).await? {
        end_session(host, principal, session).await?;
    }
    Ok(())
}

fn form(next: Option<&str>, wrong: Option<&str>) -> Html<String> {
    outside(
        "Sign in",
        &html! {
            h1 { "Sign in" }
            @if let Some(wrong) = wrong { (complaint(wrong)) }
            form .stack method="post" action="/sign-in" {
                (back(next))
                label { "E-mail address" input name="email" type="email" autocomplete="username" required autofocus; }
                label { "Password" input name="password" type="password" autocomplete="current-password" required; }
                button .primary { "Sign in" }
            }
            h2 { "With a one-time link" }
            form .stack method="post" action="/sign-in/link" data-from-fragment="secret" {
                (back(next))
                label { "One-time link, or an API token"
                    input name="secret" type="password" autocomplete="off" required spellcheck="false";
                }
                button { "Sign in with it" }
            }
            p .fine {
                "Neither? A colleague makes a link for you under Settings, People. The first one is printed by "
                code { "tidegate admin owner" } "."
            }
        },
    )
}

/// Where one wanted to go, sent along.
fn back(next: Option<&str>) -> Markup {
    html! { @if let Some(next) = next { input type="hidden" name="next" value=(local(Some(next))); } }
}

fn complaint(what: &str) -> Markup {
    html! { p .notice .bad role="alert" { strong { "That did not work. " } (what) } }
}
