//! The list of people as it is shown.

use maud::{Markup, html};
use tidegate_core::api::{Page, PersonView};
use tidegate_core::words::one_line;

use super::cursor;
use crate::pages::moment::Moment;
use crate::pages::once::copied;
use crate::pages::viewer::Viewer;
use crate::pages::wrong::Wrong;

/// The form that invites.
pub(super) const INVITATION: &str = "invitation";

/// A sign-in link that was just made; its secret is kept nowhere.
pub(super) struct NewLink {
    /// Whose it is.
    pub(super) email: String,
    /// The whole address.
    pub(super) link: String,
}

/// The page.
pub(super) fn main(
    viewer: &Viewer,
    people: &Page<PersonView>,
    moment: &Moment,
    wrong: &Wrong<'_>,
    made: Option<&NewLink>,
) -> Markup {
    html! {
        h1 { "People" }
        p { "Everybody here may do everything. What they do is recorded under their e-mail address." }
        @if let Some(made) = made { (shown(made)) }
        (list(viewer, people, moment, wrong))
        (invitation(wrong, people.items.len() == 1 && people.next.is_none()))
    }
}

fn shown(made: &NewLink) -> Markup {
    html! {
        div .notice .attention role="status" {
            p {
                strong { "Copy it now and hand it over: " } "nothing is sent, and the link is shown once. It signs "
                (one_line(&made.email)) " in, once and within 24 hours. They set a password then."
            }
            (copied("link", "One-time sign-in link", &made.link))
        }
    }
}

fn invitation(wrong: &Wrong<'_>, is_alone: bool) -> Markup {
    html! {
        section .card aria-label="Invite somebody" {
            h2 { "Invite somebody" }
            p {
                @if is_alone { "You are the only one. A second owner can help when you lose your password. " }
                "You get a link that signs them in once; hand it over yourself."
            }
            (wrong.told(INVITATION))
            form .row method="post" action="/settings/people" {
                label { "E-mail address"
                    input name="email" type="email" required maxlength="200" autocomplete="off" placeholder="name@example.com"
                        value=(wrong.in_field(INVITATION, "email", "")) autofocus[wrong.is_at(INVITATION)];
                }
                button .primary { "Make an invitation link" }
            }
        }
    }
}

fn list(viewer: &Viewer, people: &Page<PersonView>, moment: &Moment, wrong: &Wrong<'_>) -> Markup {
    html! {
        table .list {
            thead { tr { th { "Person" } th { "Signed in last" } th { "Password" } th { "Standing" } th { "Change" } } }
            tbody {
                @for person in &people.items {
                    tr {
                        td data-label="Person" {
                            span .name { (one_line(&person.email)) } " " span .tag { (one_line(&person.role)) }
                            @if person.id == viewer.principal.person { " " span .tag { "you" } }
                        }
                        td data-label="Signed in" {
                            @match person.last_signed_in_at {
                                Some(at) => { (moment.ago(at)) }
                                None => span .quiet-tone { "never" },
                            }
                        }
                        td data-label="Password" {
                            @if person.has_password { "set" } @else { span .quiet-tone { "none" } }
                        }
                        td data-label="Standing" {
                            @match person.deactivated_at {
                                None => span .good { "Active" },
                                Some(at) => { span .quiet-tone { "Deactivated" } " " (moment.ago(at)) }
                            }
                        }
                        td data-label="Change" { (changes(viewer, person, wrong)) }
                    }
                }
            }
        }
        @if let Some(next) = &people.next {
            p { a .button href={ "/settings/people?" (cursor("cursor", next)) } { "More people" } }
        }
    }
}

fn changes(viewer: &Viewer, person: &PersonView, wrong: &Wrong<'_>) -> Markup {
    let (id, email) = (person.id.to_string(), one_line(&person.email));
    let action = |verb: &str| format!("/settings/people/{id}/{verb}");
    html! {
        (wrong.told(&id))
        @if person.deactivated_at.is_some() {
            form method="post" action=(action("reactivate")) {
                button .small aria-label={ "Reactivate " (email) } { "Reactivate" }
            }
        } @else {
            div .deeds {
                form method="post" action=(action("link")) {
                    button .small aria-label={ "New sign-in link for " (email) } { "New sign-in link" }
                }
                @if person.id != viewer.principal.person {
                    details .confirm {
                        summary .button .small aria-label={ "Deactivate " (email) } { "Deactivate …" }
                        p {
                            (email) " is signed out everywhere at once, and every API token of theirs ends for good. What they "
                            "did stays in the record under their name."
                        }
                        form method="post" action=(action("deactivate")) {
                            button .danger { "Yes, deactivate " (email) }
                        }
                    }
                }
            }
        }
    }
}
