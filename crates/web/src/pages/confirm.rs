//! Asks who one is once more before a sensitive act, and then carries on with it.
//!
//! The form that was refused is sent along in hidden fields. Once the confirmation holds, the browser is led to where
//! the form was meant for and sends it again (307, RFC 9110, section 15.4.8): nothing is typed twice, without script too.

use axum::extract::{FromRequest, FromRequestParts as _, Request, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use tidegate_core::directory::RefusedWith;
use tidegate_core::error::Code;
use tidegate_core::words::one_line;

use super::form::Form;
use super::layout::outside;
use super::viewer::Viewer;
use super::words;
use crate::Shared;
use crate::host::{Host, SignInAttempt};
use crate::problem::Problem;
use crate::sessions::{Confirmation, confirm_session, has_password};

/// The fields of a confirmation; no form of a sensitive act has one of these names.
const TO: &str = "confirm_to";
const PASSWORD: &str = "confirm_password";
const LINK: &str = "confirm_link";
const EMAIL: &str = "confirm_email";

/// Forms of sensitive acts: where each is sent, and what it does. The password's own form asks by itself.
const DEEDS: [(&str, &str); 8] = [
    ("/settings/you/tokens", "make an API token"),
    ("/settings/you/tokens/{id}/revoke", "withdraw an API token"),
    ("/settings/people", "invite a colleague"),
    ("/settings/people/{id}/link", "make a sign-in link"),
    ("/settings/people/{id}/deactivate", "deactivate a colleague"),
    ("/settings/people/{id}/reactivate", "reactivate a colleague"),
    ("/machines/{id}/retire", "retire a machine"),
    ("/machines/{id}/revoke", "revoke a machine"),
];

/// A viewer with a recent confirmation, and the form they sent. Any other viewer is asked first.
pub(super) struct Confirmed {
    pub(super) viewer: Viewer,
    pub(super) form: Form,
}

impl FromRequest<Shared> for Confirmed {
    type Rejection = Response;

    async fn from_request(request: Request, host: &Shared) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let viewer =
            Viewer::from_request_parts(&mut parts, host).await.map_err(IntoResponse::into_response)?;
        let to = parts.uri.path().to_owned();
        let form = Form::from_request(Request::from_parts(parts, body), host)
            .await
            .map_err(IntoResponse::into_response)?;
        if viewer.principal.proof.is_confirmed(host.now()) {
            return Ok(Self { viewer, form });
        }
        let asked = ask(host.as_ref(), &viewer, &to, &form, None).await;
        Err(asked.unwrap_or_else(IntoResponse::into_response))
    }
}

/// Takes the confirmation and carries on, or asks again.
pub(super) async fn submit(
    State(host): State<Shared>,
    viewer: Viewer,
    form: Form,
) -> Result<Response, Problem> {
    let to = form.required(TO)?;
    if deed(to).is_none() {
        return Err(Problem::invalid("nothing at that address asks for a confirmation: begin again there"));
    }
    let missing = || {
        Problem::new(Code::Unauthenticated, "nothing was filled in: give your password or a one-time link")
    };
    let proved = confirmed(host.as_ref(), &viewer, &form)
        .await
        .and_then(|viewer| viewer.principal.proof.is_confirmed(host.now()).then_some(()).ok_or_else(missing));
    match proved {
        Ok(()) => {
            let place =
                HeaderValue::from_str(to).map_err(|_| Problem::invalid("the address is malformed"))?;
            Ok((StatusCode::TEMPORARY_REDIRECT, [(LOCATION, place)]).into_response())
        }
        Err(problem) if problem.code == Code::Unauthenticated => {
            let mut response = ask(host.as_ref(), &viewer, to, &form, Some(&problem)).await?;
            *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
            Ok(response)
        }
        Err(problem) => Err(problem),
    }
}

/// The viewer, confirmed by what the form contains; unchanged if it contains no confirmation.
pub(super) async fn confirmed(host: &dyn Host, viewer: &Viewer, form: &Form) -> Result<Viewer, Problem> {
    let confirmation = match (form.raw(PASSWORD).filter(|text| !text.is_empty()), form.text(LINK)) {
        (Some(password), _) => Confirmation::Password(password),
        // A whole link is taken as well as the secret at its end.
        (None, Some(link)) => Confirmation::Link(link.rsplit(['#', '/']).next().unwrap_or_default()),
        (None, None) => return Ok(Viewer { principal: viewer.principal.clone(), ..*viewer }),
    };
    let with = match confirmation {
        Confirmation::Password(_) => RefusedWith::Password,
        Confirmation::Link(_) => RefusedWith::Link,
    };
    let by = viewer.principal.clone();
    match confirm_session(host, by, viewer.session, confirmation, viewer.address).await {
        Ok(principal) => Ok(Viewer { principal, ..*viewer }),
        Err(error) => {
            let problem = Problem::from(error);
            if problem.code == Code::Unauthenticated {
                let account = Some(viewer.principal.email.as_str());
                host.sign_in_refused(SignInAttempt::new(account, with, viewer.address));
            }
            Err(problem)
        }
    }
}

/// The field that asks for the password, or for a one-time link where there is none.
pub(super) fn field(has_password: bool) -> Markup {
    html! {
        @if has_password {
            label { "Current password"
                input name=(PASSWORD) type="password" autocomplete="current-password" required;
            }
        } @else {
            label { "New one-time link"
                input name=(LINK) type="password" autocomplete="off" required spellcheck="false";
                span .fine {
                    "You have no password yet. A colleague makes a link for you under Settings, People; "
                    code { "tidegate admin sign-in-link" } " makes one on the control plane's machine."
                }
            }
        }
    }
}

async fn ask(
    host: &dyn Host,
    viewer: &Viewer,
    to: &str,
    form: &Form,
    wrong: Option<&Problem>,
) -> Result<Response, Problem> {
    let has_password = has_password(host, &viewer.principal.email).await?;
    let what = deed(to).unwrap_or("do this");
    let page = outside(
        "Confirm that it is you",
        &html! {
            h1 { "Confirm that it is you" }
            p .lead { "You are about to " strong { (what) } ", signed in as " (one_line(&viewer.principal.email)) "." }
            @if let Some(wrong) = wrong {
                p .notice .bad role="alert" { span { strong { "That did not work: " } (words::sentence(&wrong.detail)) } }
            }
            form .stack method="post" action="/confirm" {
                (sent_along(to, form))
                input type="email" name=(EMAIL) autocomplete="username" value=(viewer.principal.email) hidden;
                (field(has_password))
                button .primary { "Confirm and carry on" }
            }
            @if has_password {
                details {
                    summary { "With a one-time link" }
                    form .stack method="post" action="/confirm" {
                        (sent_along(to, form))
                        label { "New one-time link"
                            input name=(LINK) type="password" autocomplete="off" required spellcheck="false";
                        }
                        button { "Confirm with it" }
                    }
                }
            }
            p .fine {
                "Asked again after 10 minutes, so that someone else at your desk cannot do this as you. Nothing is done yet, and "
                "nothing you typed is lost. " a href=(back(to)) { "Cancel" }
            }
            p .fine { "Code " code { (Code::ConfirmationRequired.as_str()) } }
        },
    );
    let mut response = page.into_response();
    *response.status_mut() = StatusCode::FORBIDDEN;
    Ok(response)
}

/// Everything that the form held, but for an earlier confirmation.
fn sent_along(to: &str, form: &Form) -> Markup {
    let own = [TO, PASSWORD, LINK, EMAIL];
    html! {
        input type="hidden" name=(TO) value=(to);
        @for (name, value) in form.0.iter().filter(|(name, _)| !own.contains(&name.as_str())) {
            input type="hidden" name=(name) value=(value);
        }
    }
}

/// The page on which the form was.
fn back(to: &str) -> &str {
    let page = ["/settings/you", "/settings/people"].into_iter().find(|page| to.starts_with(page));
    page.unwrap_or_else(|| to.rsplit_once('/').map_or("/", |(machine, _)| machine))
}

/// What is done by sending a form there; `None`: nothing that is confirmed.
fn deed(path: &str) -> Option<&'static str> {
    let is_same = |pattern: &str| {
        let (mut wanted, mut found) = (pattern.split('/'), path.split('/'));
        loop {
            match (wanted.next(), found.next()) {
                (None, None) => return true,
                (Some("{id}"), Some(id))
                    if !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric()) => {}
                (Some(wanted), Some(found)) if wanted == found => {}
                _ => return false,
            }
        }
    };
    DEEDS.iter().find(|(pattern, _)| is_same(pattern)).map(|(_, what)| *what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_form_of_a_sensitive_act_is_carried_on_with() {
        for (pattern, what) in DEEDS {
            assert_eq!(deed(&pattern.replace("{id}", "0123456789abcdef")), Some(what));
        }
        for path in [
            "/machines/0123/notes",
            "//evil.example/revoke",
            "/machines//revoke",
            "/machines/../revoke",
            "/machines/a?b/revoke",
            "/machines/0123/revoke/",
            "https://evil.example/machines/0123/revoke",
            "",
        ] {
            assert_eq!(deed(path), None, "{path}");
        }
    }

    #[test]
    fn cancelling_leads_to_the_page_with_the_form() {
        assert_eq!(back("/settings/you/tokens/0123/revoke"), "/settings/you");
        assert_eq!(back("/settings/people"), "/settings/people");
        assert_eq!(back("/machines/0123/revoke"), "/machines/0123");
    }
}
