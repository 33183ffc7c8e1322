//! Settings: oneself, people, clients and sites, the codes that admit machines, and the audit log.

mod audit;
mod codes;
mod overview;
mod people;
mod people_list;
mod places;
mod places_list;
mod tokens;
mod you;

use axum::Router;
use axum::response::Html;
use axum::routing::{get, post};
use maud::{Markup, html};

use super::layout::{Live, Section, page};
use super::viewer::Viewer;
use crate::Shared;

/// A page of the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tab {
    Overview,
    You,
    People,
    Places,
    Codes,
    Audit,
}

const TABS: [(Tab, &str, &str); 6] = [
    (Tab::Overview, "/settings", "Overview"),
    (Tab::You, "/settings/you", "You"),
    (Tab::People, "/settings/people", "People"),
    (Tab::Places, "/settings/places", "Clients and sites"),
    (Tab::Codes, "/settings/codes", "Enrolment codes"),
    (Tab::Audit, "/settings/audit", "Audit log"),
];

/// The pages and their forms.
pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/settings", get(overview::show))
        .route("/settings/you", get(you::show))
        .route("/settings/you/password", post(you::set_password))
        .route("/settings/you/sessions/{id}/end", post(you::end_session))
        .route("/settings/you/tokens", post(tokens::create))
        .route("/settings/you/tokens/{id}/rename", post(tokens::rename))
        .route("/settings/you/tokens/{id}/revoke", post(tokens::revoke))
        .route("/settings/people", get(people::show).post(people::invite))
        .route("/settings/people/{id}/link", post(people::make_link))
        .route("/settings/people/{id}/deactivate", post(people::deactivate))
        .route("/settings/people/{id}/reactivate", post(people::reactivate))
        .route("/settings/places", get(places::show))
        .route("/settings/clients", post(places::make_client))
        .route("/settings/clients/{id}", post(places::rename_client))
        .route("/settings/clients/{id}/sites", post(places::make_site))
        .route("/settings/sites/{id}", post(places::edit_site))
        .route("/settings/codes", get(codes::show))
        .route("/settings/audit", get(audit::show))
        .route("/settings/audit/file", get(audit::file))
        .route("/settings/codes/{id}/revoke", post(codes::revoke))
}

/// One of them, below the way to the others.
fn settings(viewer: &Viewer, tab: Tab, main: &Markup) -> Html<String> {
    let name = TABS.iter().find(|(each, ..)| *each == tab).map_or("Settings", |(_, _, name)| name);
    let title = if tab == Tab::Overview { "Settings".to_owned() } else { format!("{name} · Settings") };
    let main = html! {
        nav .tabs aria-label="Settings" {
            @for (each, place, name) in TABS {
                a href=(place) aria-current=[(each == tab).then_some("page")] { (name) }
            }
        }
        (main)
    };
    page(viewer, Section::Settings, &title, &Live::Never, &main)
}

/// A parameter that leads to the next page of a list.
fn cursor(name: &str, cursor: &str) -> String {
    form_urlencoded::Serializer::new(String::new()).append_pair(name, cursor).finish()
}
