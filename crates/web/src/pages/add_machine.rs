//! Add a machine: a code for a site, the commands that use it, and the machines as they arrive.
//!
//! The code is in the answer that makes it and nowhere else: it is stored hashed, and no address holds it.

use axum::extract::State;
use axum::response::{Html, IntoResponse as _, Response};
use maud::{Markup, html};
use serde::Deserialize;
use tidegate_core::api::{CodeView, NewClient, NewCode, NewSite};
use tidegate_core::call::{DirectoryAct, Resource};
use tidegate_core::id::{ClientId, SiteId};
use tidegate_core::time::Milliseconds;
use tidegate_core::words::one_line;

use super::arrivals;
use super::form::Form;
use super::layout::{Live, Section, page};
use super::moment::Moment;
use super::once::copied;
use super::own_address::OwnAddress;
use super::places::Places;
use super::viewer::{BY_ITSELF, Viewer};
use super::wrong::Wrong;
use super::{words, zones};
use crate::Shared;
use crate::call::change_directory;
use crate::extract::{Query, present};
use crate::host::Host;
use crate::problem::Problem;

/// The one form of the page.
const FORM: &str = "code";
/// Most machines that one code admits, as the directory has it.
const USES_MAX: u32 = 1_000;
/// How long a code can be valid, as the directory has it, and the words for it.
const VALID_FOR: [(&str, &str); 5] =
    [("1h", "1 hour"), ("1d", "1 day"), ("7d", "7 days"), ("30d", "30 days"), ("90d", "90 days")];
const VALID_FOR_USUAL: &str = "7d";

/// The site that is chosen already.
#[derive(Deserialize)]
pub(super) struct Wanted {
    #[serde(default, deserialize_with = "present")]
    site: Option<SiteId>,
}

/// Asks where, how many and for how long.
pub(super) async fn show(
    State(host): State<Shared>,
    viewer: Viewer,
    Query(wanted): Query<Wanted>,
) -> Result<Html<String>, Problem> {
    let places = Places::read(host.as_ref()).await?;
    Ok(asking(&viewer, &places, wanted.site, &Wrong::nothing()))
}

/// Makes the code, with the client and the site where they are new, and shows it once.
pub(super) async fn submit(
    State(host): State<Shared>,
    viewer: Viewer,
    address: OwnAddress,
    mut form: Form,
) -> Result<Response, Problem> {
    match make(host.as_ref(), &viewer, &mut form).await {
        Ok(code) => {
            let places = Places::read(host.as_ref()).await?;
            let arrived = arrivals::read(host.as_ref(), code.site_id, code.created_at).await?;
            let moment = Moment::new(host.now(), places.zone(code.site_id));
            let arrived = arrivals::list(&arrived, &places, &moment);
            Ok(made(&viewer, &code, &address, &places, &moment, &arrived).into_response())
        }
        Err(problem) => {
            let wrong = Wrong::at(FORM, &problem, &form)?;
            let places = Places::read(host.as_ref()).await?;
            let chosen = form.text("site").and_then(|site| site.parse().ok());
            Ok(wrong.answer(asking(&viewer, &places, chosen, &wrong)))
        }
    }
}

/// What is made on the way is chosen in the form from then on, so that sending it again does not make it twice.
async fn make(host: &dyn Host, viewer: &Viewer, form: &mut Form) -> Result<CodeView, Problem> {
    let uses = form.required("uses")?.parse().ok().filter(|uses| (1..=USES_MAX).contains(uses));
    let uses = uses.ok_or_else(|| Problem::invalid(format!("a code admits 1 to {USES_MAX} machines")))?;
    let expires_in = Milliseconds::parse(form.required("valid_for")?)
        .map_err(|_| Problem::invalid("choose from the list how long the code is valid"))?;
    let site_id = match (form.text("site"), form.text("site_name")) {
        (Some(site), None) => site.parse().map_err(|_| Problem::invalid("choose a site from the list"))?,
        // A name is typed on purpose, and a site may stand there chosen because it is the first.
        (_, Some(name)) => {
            let name = name.to_owned();
            let made = make_site(host, viewer, form, name).await?;
            form.set("site", &made.to_string());
            form.set("site_name", "");
            made
        }
        (None, None) => {
            return Err(Problem::invalid("choose the site that the machines are at, or name a new one"));
        }
    };
    let new = NewCode { site_id, uses: Some(uses), expires_in: Some(expires_in), endpoint_id: None };
    match change_directory(host, &viewer.principal, DirectoryAct::CreateCode(new)).await? {
        Resource::Code(code) => Ok(code),
        _ => Err(Problem::unexpected_answer()),
    }
}

async fn make_site(
    host: &dyn Host,
    viewer: &Viewer,
    form: &mut Form,
    name: String,
) -> Result<SiteId, Problem> {
    let time_zone = Some(zones::checked(form.text("time_zone").unwrap_or("UTC"))?);
    let client_id = match (form.text("client"), form.text("client_name")) {
        (Some(_), Some(_)) => {
            let detail = "a client is chosen and a new one is named: leave the name of the new client empty, or \
                          choose “a new client”";
            return Err(Problem::invalid(detail));
        }
        (Some(client), None) => {
            client.parse().map_err(|_| Problem::invalid("choose a client from the list"))?
        }
        (None, Some(client)) => {
            let new = NewClient { name: client.to_owned() };
            let made = make_client(host, viewer, new).await?;
            form.set("client", &made.to_string());
            form.set("client_name", "");
            made
        }
        (None, None) => {
            return Err(Problem::invalid("a new site belongs to a client: choose one, or name a new one"));
        }
    };
    let act = DirectoryAct::CreateSite(NewSite { client_id, name, time_zone, windows: Vec::new() });
    match change_directory(host, &viewer.principal, act).await? {
        Resource::Site(site) => Ok(site.id),
        _ => Err(Problem::unexpected_answer()),
    }
}

async fn make_client(host: &dyn Host, viewer: &Viewer, new: NewClient) -> Result<ClientId, Problem> {
    match change_directory(host, &viewer.principal, DirectoryAct::CreateClient(new)).await? {
        Resource::Client(client) => Ok(client.id),
        _ => Err(Problem::unexpected_answer()),
    }
}

fn asking(viewer: &Viewer, places: &Places, chosen: Option<SiteId>, wrong: &Wrong<'_>) -> Html<String> {
    let valid_for = wrong.typed(FORM, "valid_for", VALID_FOR_USUAL);
    let main = html! {
        h1 { "Add a machine" }
        p .lead { "You make a code here, and run two commands on the machine. It opens no port: it calls this address by itself." }
        (wrong.told(FORM))
        form .stack .card method="post" action="/machines/new" data-keep="true" {
            @if !places.is_empty() {
                label { "Site that the machines are at"
                    select name="site" autofocus[wrong.is_at(FORM)] {
                        @for (client, sites) in places.tree() {
                            optgroup label=(one_line(&client.name)) {
                                @for site in sites {
                                    option value=(site.id) selected[chosen == Some(site.id)] { (one_line(&site.name)) }
                                }
                            }
                        }
                        option value="" selected[chosen.is_none() && wrong.is_at(FORM)] { "a new site" }
                    }
                }
            }
            (new_site(places, wrong))
            div .fields {
                label { "Machines that the code admits"
                    input name="uses" type="number" min="1" max=(USES_MAX) required value=(wrong.in_field(FORM, "uses", "1"));
                }
                label { "The code is valid for"
                    select name="valid_for" {
                        @for (span, name) in VALID_FOR { option value=(span) selected[span == valid_for] { (name) } }
                    }
                }
            }
            button .primary { "Make the code" }
        }
        (zones::list())
    };
    page(viewer, Section::Machines, "Add a machine", &Live::Never, &main)
}

fn new_site(places: &Places, wrong: &Wrong<'_>) -> Markup {
    let client = wrong.typed(FORM, "client", "");
    let clients = places.tree();
    let is_open = places.is_empty()
        || (wrong.is_at(FORM) && wrong.typed(FORM, "site", "").is_empty())
        || !wrong.typed(FORM, "site_name", "").is_empty()
        || !wrong.typed(FORM, "client_name", "").is_empty();
    html! {
        details open[is_open] {
            summary { "A new site" }
            div .fields {
                @if !clients.is_empty() {
                    label { "Its client"
                        select name="client" {
                            option value="" { "a new client" }
                            @for (each, _) in &clients {
                                option value=(each.id) selected[each.id.to_string() == client] { (one_line(&each.name)) }
                            }
                        }
                    }
                }
                label { "Name of a new client"
                    input name="client_name" maxlength="200" autocomplete="off" value=(wrong.in_field(FORM, "client_name", ""))
                        placeholder="Nordwerk";
                }
                label { "Name of the new site"
                    input name="site_name" maxlength="200" autocomplete="off" value=(wrong.in_field(FORM, "site_name", ""))
                        placeholder="Plant 3";
                }
                label { "Its time zone"
                    input name="time_zone" list=(zones::LIST) maxlength="64" autocomplete="off" spellcheck="false"
                        value=(wrong.in_field(FORM, "time_zone", "")) placeholder="Europe/Berlin";
                    span .fine { "How times of its machines read. Left empty: UTC." }
                }
            }
        }
    }
}

fn made(
    viewer: &Viewer,
    view: &CodeView,
    address: &OwnAddress,
    places: &Places,
    moment: &Moment,
    arrived: &Markup,
) -> Html<String> {
    let code = view.code.as_deref().unwrap_or_default();
    let unprotected = if address.is_open_to_all() { " --allow-http" } else { "" };
    let enrol =
        format!("sudo tidegate-runtime enrol --server {} --code {code}{unprotected}", address.in_shell());
    let further = arrivals::place(view.site_id, view.created_at);
    let main = html! {
        h1 { "Add a machine to " (places.path(view.site_id)) }
        p .notice .attention role="note" {
            span {
                strong { "Copy it now: " } "the code is shown once and can be found nowhere again. It admits "
                (words::count(view.uses_left as usize, "machine")) " until " (moment.at(view.expires_at)) " "
                (moment.zone_name()) "."
            }
        }
        section .card aria-label="Commands" {
            h2 { "On the machine (Linux)" }
            ol .commands {
                li { (copied("enrol", "Enrol it", &enrol)) }
                li { (copied("install", "Make the runtime a service that starts with it", "sudo tidegate-runtime install")) }
            }
            @if !unprotected.is_empty() {
                p .attention {
                    "! You reached this page over http: what the machine sends can be read and changed on the way. With TLS in "
                    "front, open this page by its https address and make the code there."
                }
            }
            details { summary { "The code alone" } (copied("code", "Enrolment code", code)) }
        }
        div hx-get=(further) hx-trigger="every 5s" hx-headers=(BY_ITSELF) hx-target="#arrived" hx-select="#arrived" hx-swap="morph:outerHTML" {
            (arrived)
        }
        div .row {
            a .button href=(further) target="_blank" rel="noopener" { "Look again in a new tab" }
            a .button href="/machines/new" { "Make another code" }
            a .button href="/settings/codes" { "All codes" }
        }
        (needs(address))
    };
    page(viewer, Section::Machines, "Add a machine", &Live::Never, &main)
}

fn needs(address: &OwnAddress) -> Markup {
    html! {
        section .card aria-label="What the machine needs" {
            h2 { "What the machine needs" }
            ul {
                li { "The program " code { "tidegate-runtime" } ", and somebody who may use " code { "sudo" } "." }
                li { "One way out, to " code { (address.0) } ". No port is opened on it, and nobody calls it. Where machines "
                    "reach the control plane by another address, put that after " code { "--server" } "." }
                li { "Behind a proxy, both commands with " code { "sudo HTTPS_PROXY=http://proxy:3128 …" } ": "
                    "the service keeps it." }
                li { "With a private CA, " code { "--ca FILE" } " after " code { "enrol" } ": its certificate in PEM." }
            }
            p { "If it does not arrive, " code { "sudo tidegate-runtime doctor" } " says on the machine what is broken and what to do." }
        }
    }
}
