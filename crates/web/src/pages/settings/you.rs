//! Oneself: the password, and where one is signed in. Tokens are beside it.

use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;
use tidegate_core::api::{Page, SessionView};
use tidegate_core::call::{Answer, DirectoryAct, DirectoryQuestion};
use tidegate_core::error::Code;
use tidegate_core::id::SessionId;
use tidegate_core::time::Timestamp;
use tidegate_core::words::one_line;

use super::tokens::{self, NewSecret};
use super::{Tab, cursor, settings};
use crate::Shared;
use crate::call::{ask_directory, change_directory};
use crate::extract::{Id, Query, paging, present};
use crate::host::Host;
use crate::pages::confirm;
use crate::pages::form::Form;
use crate::pages::moment::Moment;
use crate::pages::viewer::Viewer;
use crate::pages::wrong::Wrong;
use crate::passwords::check_shape;
use crate::problem::Problem;
use crate::sessions;

/// The form of the password.
const PASSWORD: &str = "password";
/// Sessions on one page.
const LIMIT: u32 = 50;

/// Which part of the lists, and what was just done.
#[derive(Default, Deserialize)]
pub(super) struct Wanted {
    #[serde(default, deserialize_with = "present")]
    sessions: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(super) tokens: Option<String>,
    #[serde(default)]
    done: Option<String>,
}

/// The page.
pub(super) async fn show(
    State(host): State<Shared>,
    viewer: Viewer,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    render(host.as_ref(), &viewer, wanted, &Wrong::nothing(), None).await
}

/// Sets or replaces the password; one's other sessions end.
pub(super) async fn set_password(
    State(host): State<Shared>,
    viewer: Viewer,
    form: Form,
) -> Result<Response, Problem> {
    match password(host.as_ref(), &viewer, &form).await {
        Ok(()) => Ok(Redirect::to("/settings/you?done=password").into_response()),
        Err(problem) => {
            let problem = asked_again(problem);
            let wrong = Wrong::at(PASSWORD, &problem, &form)?;
            render(host.as_ref(), &viewer, Wanted::default(), &wrong, None).await
        }
    }
}

/// Ends a session.
pub(super) async fn end_session(
    State(host): State<Shared>,
    viewer: Viewer,
    Id(session): Id<SessionId>,
    _: Form,
) -> Result<Response, Problem> {
    change_directory(host.as_ref(), &viewer.principal, DirectoryAct::RevokeSession(session)).await?;
    Ok(Redirect::to("/settings/you#sessions").into_response())
}

/// A confirmation that is missing or wrong is a field of this form that is.
fn asked_again(problem: Problem) -> Problem {
    match problem.code {
        Code::Unauthenticated => Problem::invalid(problem.detail),
        Code::ConfirmationRequired => Problem::invalid(
            "it is more than 10 minutes since you confirmed who you are: fill in the first field too, and type the new \
             password again",
        ),
        _ => problem,
    }
}

async fn password(host: &dyn Host, viewer: &Viewer, form: &Form) -> Result<(), Problem> {
    // A password is taken as it was typed, white space too.
    let (first, second) =
        (form.raw("password").unwrap_or_default(), form.raw("repeated").unwrap_or_default());
    if first != second {
        return Err(Problem::invalid("the two passwords differ: type the same one twice"));
    }
    // Before the current one is tried: a slip in the new one costs no attempt and no one-time link.
    check_shape(first, &viewer.principal.email)?;
    let viewer = confirm::confirmed(host, viewer, form).await?;
    sessions::set_password(host, viewer.principal.clone(), first, Some(viewer.session)).await?;
    Ok(())
}

/// The page with a form that did not work, or with a secret that was just made.
pub(super) async fn render(
    host: &dyn Host,
    viewer: &Viewer,
    wanted: Wanted,
    wrong: &Wrong<'_>,
    made: Option<&NewSecret>,
) -> Result<Response, Problem> {
    let has_password = sessions::has_password(host, &viewer.principal.email).await?;
    let this = sessions::session_of(host, viewer.session).await?.map(|session| session.id);
    let person = Some(viewer.principal.person);
    let question =
        DirectoryQuestion::Sessions { person, paging: paging(wanted.sessions.clone(), Some(LIMIT))? };
    let Answer::Sessions(open) = ask_directory(host, question).await? else {
        return Err(Problem::unexpected_answer());
    };
    let tokens = tokens::read(host, viewer, wanted.tokens.clone()).await?;
    let moment = Moment::utc(host.now());
    let main = html! {
        h1 { "You" }
        p {
            "You are signed in as " strong { (one_line(&viewer.principal.email)) } " (" (one_line(&viewer.principal.role)) "). "
            "What you do is recorded under this address."
        }
        (password_form(viewer, has_password, host.now(), wanted.done.as_deref() == Some("password"), wrong))
        (sessions_list(&open, this, &moment))
        (tokens::section(&tokens, host.now(), &moment, wrong, made))
    };
    Ok(wrong.answer(settings(viewer, Tab::You, &main)))
}

fn password_form(
    viewer: &Viewer,
    has_password: bool,
    now: Timestamp,
    is_done: bool,
    wrong: &Wrong<'_>,
) -> Markup {
    html! {
        section #password .card aria-label="Password" {
            h2 { "Password" }
            @if is_done {
                p .good role="status" { "✓ Your password is set. Your other sessions have ended." }
            } @else if has_password {
                p { "You have one. A new one takes its place and ends your other sessions." }
            } @else {
                p .notice .attention role="note" {
                    span {
                        strong { "You have no password yet. " }
                        "A sign-in link works once: set a password, and you can sign in again without asking anybody."
                    }
                }
            }
            (wrong.told(PASSWORD))
            form .stack method="post" action="/settings/you/password" {
                label { "E-mail address"
                    input type="email" name="email" autocomplete="username" readonly value=(viewer.principal.email);
                }
                @if !viewer.principal.proof.is_confirmed(now) { (confirm::field(has_password)) }
                label { "New password"
                    input type="password" name="password" autocomplete="new-password" required minlength="12"
                        autofocus[wrong.is_at(PASSWORD)];
                    span .fine {
                        "12 to 200 characters, any you like: several words are easy to remember. What attackers try early is refused."
                    }
                }
                label { "The same once more"
                    input type="password" name="repeated" autocomplete="new-password" required minlength="12";
                }
                button .primary { @if has_password { "Change the password" } @else { "Set the password" } }
            }
        }
    }
}

fn sessions_list(open: &Page<SessionView>, this: Option<SessionId>, moment: &Moment) -> Markup {
    html! {
        section #sessions aria-label="Where you are signed in" {
            h2 { "Where you are signed in" }
            p .fine { "A session ends by itself after 12 hours without use, and 14 days after it began. One that you do not know: end it, and change the password." }
            table .list {
                thead { tr { th { "Browser" } th { "From" } th { "Since (UTC)" } th { "Last used" } th { "End" } } }
                tbody {
                    @for session in &open.items {
                        tr {
                            td data-label="Browser" {
                                span title=(one_line(&session.agent)) { (browser(&session.agent)) }
                                @if Some(session.id) == this { " " span .tag { "this one" } }
                            }
                            td data-label="From" { (session.address.as_deref().map_or_else(|| "not known".to_owned(), one_line)) }
                            td data-label="Since" { (moment.at(session.created_at)) " (" (moment.ago(session.created_at)) ")" }
                            td data-label="Last used" { (moment.ago(session.last_used_at)) }
                            td data-label="End" { (end(session, this)) }
                        }
                    }
                }
            }
            @if let Some(next) = &open.next {
                p { a .button href={ "/settings/you?" (cursor("sessions", next)) "#sessions" } { "Older sessions" } }
            }
        }
    }
}

fn end(session: &SessionView, this: Option<SessionId>) -> Markup {
    let of = browser(&session.agent);
    html! {
        @if Some(session.id) == this {
            form method="post" action="/sign-out" { button .small { "Sign out here" } }
        } @else {
            form method="post" action={ "/settings/you/sessions/" (session.id) "/end" } {
                button .small aria-label={ "End this session: " (of) } { "End this session" }
            }
        }
    }
}

/// `Firefox on Windows` out of what a browser calls itself; otherwise that text, shortened. Order decides: Edge and Opera
/// also say Chrome, which also says Safari.
fn browser(agent: &str) -> String {
    const BROWSERS: [(&str, &str); 5] = [
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ];
    const SYSTEMS: [(&str, &str); 6] = [
        ("Windows", "Windows"),
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Mac OS", "macOS"),
        ("Linux", "Linux"),
    ];
    let named = |names: &[(&str, &'static str)]| {
        names.iter().find(|(sign, _)| agent.contains(sign)).map(|(_, name)| *name)
    };
    match (named(&BROWSERS), named(&SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(browser), None) => browser.to_owned(),
        (None, _) if agent.is_empty() => "a browser that does not say which".to_owned(),
        (None, _) => tidegate_core::words::shortened(agent, 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_called_what_its_user_calls_it() {
        let edge = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Safari/537.36 Edg/142.0";
        let phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile Safari/604.1";
        for (agent, name) in [
            (edge, "Edge on Windows"),
            (phone, "Safari on iPhone"),
            ("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", "Firefox on Linux"),
            ("curl/8.5.0", "curl/8.5.0"),
            ("", "a browser that does not say which"),
        ] {
            assert_eq!(browser(agent), name);
        }
        assert_eq!(browser(&"x".repeat(200)).chars().count(), 60);
    }
}
