//! What is around every page: the head, the ways to the others, who is signed in.

use axum::response::Html;
use maud::{DOCTYPE, Markup, html};
use tidegate_core::words::one_line;

use super::assets::place;
use super::key_warning::key_warning;
use super::viewer::Viewer;

/// Where a page stands among the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    Overnight,
    Machines,
    Playbooks,
    Settings,
}

const SECTIONS: [(Section, &str, &str); 4] = [
    (Section::Overnight, "/", "Overnight"),
    (Section::Machines, "/machines", "Machines"),
    (Section::Playbooks, "/playbooks", "Playbooks"),
    (Section::Settings, "/settings", "Settings"),
];

/// Which changes make a page old.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Live {
    /// None: it stays as it is until somebody loads it again.
    Never,
    /// Those of every machine.
    Everything,
    /// Those of one machine.
    Machine(String),
}

/// A page for somebody who is signed in.
pub(super) fn page(
    viewer: &Viewer,
    section: Section,
    title: &str,
    live: &Live,
    main: &Markup,
) -> Html<String> {
    let listens = match live {
        Live::Never => None,
        Live::Everything => Some("*"),
        Live::Machine(id) => Some(id.as_str()),
    };
    document(
        title,
        &html! {
            a .skip href="#main" { "Skip to the page" }
            header .top {
                a .brand href="/" { "Tidegate" }
                nav aria-label="Pages" {
                    @for (each, place, name) in SECTIONS {
                        a href=(place) aria-current=[(each == section).then_some("page")] { (name) }
                    }
                }
                form .who method="post" action="/sign-out" {
                    span { (one_line(&viewer.principal.email)) }
                    button .quiet { "Sign out" }
                }
            }
            p #stale .stale hidden role="status" { "Not up to date: the connection is gone. Trying on." }
            (key_warning(viewer))
            main #main tabindex="-1" data-live=[listens] { (main) }
        },
    )
}

/// A page for somebody who is not.
pub(super) fn outside(title: &str, main: &Markup) -> Html<String> {
    document(
        title,
        &html! {
            header .top { a .brand href="/" { "Tidegate" } }
            main #main .narrow tabindex="-1" { (main) }
        },
    )
}

fn document(title: &str, body: &Markup) -> Html<String> {
    let title = format!("{} · Tidegate", one_line(title));
    let scripts = ["htmx.min.js", "idiomorph-ext.min.js", "console.js"];
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="htmx-config" content=(HTMX);
                title { (title) }
                link rel="icon" href="data:,";
                link rel="stylesheet" href=(place("console.css"));
                @for script in scripts { script src=(place(script)) defer {} }
            }
            body hx-ext="morph" { (body) }
        }
    };
    Html(page.into_string())
}

/// No inline style and no evaluated text: the policy of these pages forbids both.
const HTMX: &str =
    r#"{"includeIndicatorStyles":false,"allowEval":false,"selfRequestsOnly":true,"historyCacheSize":0}"#;
