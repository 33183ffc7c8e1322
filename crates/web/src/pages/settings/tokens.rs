//! One's own API tokens, for scripts and for the command line.

use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::{Markup, html};
use tidegate_core::api::{InvalidTokenLife, Page, TokenLife, TokenView};
use tidegate_core::call::{Answer, DirectoryAct, DirectoryQuestion};
use tidegate_core::directory::token_digest;
use tidegate_core::id::TokenId;
use tidegate_core::time::Timestamp;
use tidegate_core::words::one_line;

use super::cursor;
use super::you::{Wanted, render};
use crate::Shared;
use crate::auth::token_secret;
use crate::call::{ask_directory, change_directory};
use crate::extract::{Id, paging};
use crate::host::Host;
use crate::pages::confirm::Confirmed;
use crate::pages::form::Form;
use crate::pages::moment::Moment;
use crate::pages::once::copied;
use crate::pages::viewer::Viewer;
use crate::pages::wrong::Wrong;
use crate::problem::Problem;

/// The form that makes one.
const NEW: &str = "new-token";
/// How long a new one works: what is sent, and what people read.
const LIVES: [(&str, &str); 4] =
    [("30d", "30 days"), ("90d", "90 days"), ("365d", "a year"), ("never", "ever, until it is withdrawn")];
/// Tokens on one page.
const LIMIT: u32 = 50;

/// A token that was just made; its secret is kept nowhere.
pub(super) struct NewSecret {
    name: String,
    secret: String,
}

/// Makes a token, and shows its secret once.
pub(super) async fn create(
    State(host): State<Shared>,
    Confirmed { viewer, form }: Confirmed,
) -> Result<Response, Problem> {
    let secret = token_secret(host.entropy());
    let name = form.text("name").unwrap_or_default().to_owned();
    let digest = token_digest(&secret);
    let made = match life(&form) {
        Ok(life) => {
            let act = DirectoryAct::CreateToken { name: name.clone(), digest, life };
            change_directory(host.as_ref(), &viewer.principal, act).await
        }
        Err(problem) => Err(problem),
    };
    match made {
        Ok(_) => {
            let made = NewSecret { name, secret };
            render(host.as_ref(), &viewer, Wanted::default(), &Wrong::nothing(), Some(&made)).await
        }
        Err(problem) => refused(host.as_ref(), &viewer, NEW, &problem, &form).await,
    }
}

/// How long the token is to work.
fn life(form: &Form) -> Result<TokenLife, Problem> {
    let chosen = form.text("expires_in").map(str::parse).transpose();
    chosen
        .map(Option::unwrap_or_default)
        .map_err(|error: InvalidTokenLife| Problem::invalid(error.to_string()))
}

/// Gives one another name.
pub(super) async fn rename(
    State(host): State<Shared>,
    viewer: Viewer,
    Id(token): Id<TokenId>,
    form: Form,
) -> Result<Response, Problem> {
    let name = form.text("name").unwrap_or_default().to_owned();
    let act = DirectoryAct::RenameToken { token, name };
    match change_directory(host.as_ref(), &viewer.principal, act).await {
        Ok(_) => Ok(Redirect::to("/settings/you#tokens").into_response()),
        Err(problem) => refused(host.as_ref(), &viewer, &token.to_string(), &problem, &form).await,
    }
}

/// Withdraws one.
pub(super) async fn revoke(
    State(host): State<Shared>,
    Id(token): Id<TokenId>,
    Confirmed { viewer, form: _ }: Confirmed,
) -> Result<Response, Problem> {
    change_directory(host.as_ref(), &viewer.principal, DirectoryAct::RevokeToken(token)).await?;
    Ok(Redirect::to("/settings/you#tokens").into_response())
}

/// A page of one's own.
pub(super) async fn read(
    host: &dyn Host,
    viewer: &Viewer,
    after: Option<String>,
) -> Result<Page<TokenView>, Problem> {
    let question = DirectoryQuestion::Tokens {
        person: Some(viewer.principal.person),
        paging: paging(after, Some(LIMIT))?,
    };
    match ask_directory(host, question).await? {
        Answer::Tokens(page) => Ok(page),
        _ => Err(Problem::unexpected_answer()),
    }
}

/// The list, and the form that makes one.
pub(super) fn section(
    tokens: &Page<TokenView>,
    now: Timestamp,
    moment: &Moment,
    wrong: &Wrong<'_>,
    made: Option<&NewSecret>,
) -> Markup {
    html! {
        section #tokens aria-label="API tokens" {
            h2 { "API tokens" }
            p .fine {
                "A token does what you may do, for a script or for " code { "tidegate" } " on the command line. It works until "
                "its time is over or it is withdrawn."
            }
            @if let Some(made) = made { (shown(made)) }
            @if tokens.items.is_empty() {
                p .empty-line { "You have none. Make one for each script, so that you can withdraw it alone." }
            } @else {
                (list(tokens, now, moment, wrong))
            }
            (wrong.told(NEW))
            form .row method="post" action="/settings/you/tokens" {
                label { "What a new token is for"
                    input name="name" required maxlength="100" autocomplete="off" placeholder="ticket system"
                        value=(wrong.in_field(NEW, "name", "")) autofocus[wrong.is_at(NEW)];
                }
                label { "Works for"
                    select name="expires_in" {
                        @let chosen = wrong.typed(NEW, "expires_in", "90d");
                        @for (life, name) in LIVES {
                            option value=(life) selected[life == chosen] { (name) }
                        }
                    }
                }
                button { "Make a token" }
            }
        }
    }
}

async fn refused(
    host: &dyn Host,
    viewer: &Viewer,
    place: &str,
    problem: &Problem,
    form: &Form,
) -> Result<Response, Problem> {
    let wrong = Wrong::at(place, problem, form)?;
    render(host, viewer, Wanted::default(), &wrong, None).await
}

fn shown(made: &NewSecret) -> Markup {
    html! {
        div .notice .attention role="status" {
            p { strong { "Copy it now: " } "the token “" (one_line(&made.name)) "” is shown once and can be found nowhere again." }
            (copied("token", "API token", &made.secret))
        }
    }
}

fn list(tokens: &Page<TokenView>, now: Timestamp, moment: &Moment, wrong: &Wrong<'_>) -> Markup {
    html! {
        table .list {
            thead { tr { th { "Token" } th { "Made (UTC)" } th { "Expires (UTC)" } th { "Last used" } th { "Change" } } }
            tbody {
                @for token in &tokens.items {
                    tr {
                        td data-label="Token" { span .name { (one_line(&token.name)) } }
                        td data-label="Made" { (moment.at(token.created_at)) " (" (moment.ago(token.created_at)) ")" }
                        td data-label="Expires" { (expiry(token, now, moment)) }
                        td data-label="Last used" {
                            @match token.last_used_on {
                                Some(day) => (day),
                                None => span .quiet-tone { "never" },
                            }
                        }
                        td data-label="Change" { (changes(token, wrong)) }
                    }
                }
            }
        }
        @if let Some(next) = &tokens.next {
            p { a .button href={ "/settings/you?" (cursor("tokens", next)) "#tokens" } { "Older tokens" } }
        }
    }
}

fn expiry(token: &TokenView, now: Timestamp, moment: &Moment) -> Markup {
    html! {
        @match token.expires_at {
            Some(at) if at <= now => span .bad { "✕ Expired " (moment.ago(at)) },
            Some(at) => (moment.at(at)),
            None => span .attention { "! Never" },
        }
    }
}

fn changes(token: &TokenView, wrong: &Wrong<'_>) -> Markup {
    let place = token.id.to_string();
    let name = one_line(&token.name);
    html! {
        div .deeds {
            details .confirm open[wrong.is_at(&place)] {
                summary .button .small aria-label={ "Rename the token " (name) } { "Rename …" }
                (wrong.told(&place))
                form method="post" action={ "/settings/you/tokens/" (token.id) "/rename" } {
                    label { "New name"
                        input name="name" required maxlength="100" autocomplete="off"
                            value=(wrong.in_field(&place, "name", &token.name)) autofocus[wrong.is_at(&place)];
                    }
                    button { "Rename" }
                }
            }
            details .confirm {
                summary .button .small aria-label={ "Withdraw the token " (name) } { "Withdraw …" }
                p { "Whatever uses it is refused from then on. This cannot be undone." }
                form method="post" action={ "/settings/you/tokens/" (token.id) "/revoke" } {
                    button .danger { "Yes, withdraw “" (name) "”" }
                }
            }
        }
    }
}
