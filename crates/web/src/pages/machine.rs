//! One machine: whether it is the right one, what waits and why, what it found last, what is known of it.

use axum::extract::State;
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use maud::{Markup, html};
use tidegate_core::api::PlaybookSummary;
use tidegate_core::api::{
    EndpointPatch, EndpointView, JournalState, JournalView, Paging, SequenceState, SequenceSummary,
    SequenceView,
};
use tidegate_core::call::{Answer, Command, DirectoryQuestion, EndpointAct, EndpointQuestion};
use tidegate_core::id::{EndpointId, JournalId, SequenceId, SiteId};
use tidegate_core::probe::{Catalogue, Risk};
use tidegate_core::words::{bytes, lines, of_sequence, one_line, standing};

use super::form::Form;
use super::layout::{Live, Section, page};
use super::moment::Moment;
use super::places::Places;
use super::playbooks;
use super::viewer::Viewer;
use super::words;
use crate::Shared;
use crate::call::{act_on_endpoint, ask_directory, ask_endpoint, change_endpoint};
use crate::extract::Id;
use crate::host::Host;
use crate::problem::Problem;

/// Sequences that are listed.
const SEQUENCES: u32 = 30;
/// Sequences under way that are told of in full, with what they wait for.
const WAITING_MAX: usize = 10;
/// Facts that tell which machine it is, in the order in which people look for them.
const IDENTITY: [&str; 8] =
    ["hostname", "addresses", "serial", "product", "os", "os_version", "architecture", "profile"];

/// Everything about the machine.
pub(super) async fn show(
    State(host): State<Shared>,
    viewer: Viewer,
    Id(id): Id<EndpointId>,
) -> Result<Html<String>, Problem> {
    let machine = read(host.as_ref(), id).await?;
    let places = Places::read(host.as_ref()).await?;
    let moment = Moment::new(host.now(), places.zone(machine.site_id));
    let sequences = sequences(host.as_ref(), id).await?;
    let playbooks = playbooks::list(host.as_ref()).await?;
    let mut waiting = Vec::new();
    // The queue is in the order in which the machine takes it: oldest first.
    let is_live =
        |summary: &&SequenceSummary| !summary.state.is_ended() && summary.state != SequenceState::Draft;
    let live = sequences.iter().rev().filter(is_live);
    for summary in live.take(WAITING_MAX) {
        if let Answer::Sequence(view) =
            ask_endpoint(host.as_ref(), id, EndpointQuestion::Sequence(summary.id)).await?
        {
            waiting.push(*view);
        }
    }
    let main = html! {
        (strip(&machine, &places, &moment))
        (attention(&machine))
        div .columns {
            div {
                (queue(&machine, &waiting))
                (drafts(&sequences, &moment))
                (last_results(&sequences, &moment))
            }
            div {
                (start(&machine, &playbooks))
                (facts(&machine))
                (contact(&machine, &moment))
                (care(&machine, &places, &moment))
            }
        }
    };
    Ok(page(&viewer, Section::Machines, &machine.name, &Live::Machine(id.to_string()), &main))
}

/// Makes the journal that a person chose the machine's own.
pub(super) async fn adopt(
    State(host): State<Shared>,
    viewer: Viewer,
    Id(id): Id<EndpointId>,
    form: Form,
) -> Result<Response, Problem> {
    let journal: JournalId = form
        .required("journal")?
        .parse()
        .map_err(|_| Problem::invalid("`journal` is not the id of a journal"))?;
    let command = Command { by: viewer.principal, idempotency: None, act: EndpointAct::Adopt { journal } };
    act_on_endpoint(host.as_ref(), id, command).await?;
    Ok(Redirect::to(&format!("/machines/{id}")).into_response())
}

/// Takes what people call the machine, where it stands and what they sort it by.
pub(super) async fn edit(
    State(host): State<Shared>,
    viewer: Viewer,
    Id(id): Id<EndpointId>,
    form: Form,
) -> Result<Response, Problem> {
    let if_match = form
        .required("revision")?
        .parse()
        .map_err(|_| Problem::invalid("`revision` is not a number: load the page again"))?;
    let tags = form.text("tags").unwrap_or_default().split(',').map(str::trim).filter(|tag| !tag.is_empty());
    let site_id: Option<SiteId> = form.text("site").and_then(|site| site.parse().ok());
    let site = match site_id {
        Some(site) => match ask_directory(host.as_ref(), DirectoryQuestion::Site(site)).await? {
            Answer::Site(site) => Some(site),
            _ => return Err(Problem::unexpected_answer()),
        },
        None => None,
    };
    let patch = EndpointPatch {
        name: form.text("name").map(str::to_owned),
        site_id,
        tags: Some(tags.map(str::to_owned).collect()),
    };
    let act = EndpointAct::Edit { if_match, patch, site };
    let command = Command { by: viewer.principal, idempotency: None, act };
    change_endpoint(host.as_ref(), id, command).await?;
    Ok(Redirect::to(&format!("/machines/{id}")).into_response())
}

/// Writes on the machine itself.
pub(super) async fn note(
    State(host): State<Shared>,
    viewer: Viewer,
    Id(id): Id<EndpointId>,
    form: Form,
) -> Result<Response, Problem> {
    let act = EndpointAct::Note(form.required("text")?.to_owned());
    let command = Command { by: viewer.principal, idempotency: None, act };
    change_endpoint(host.as_ref(), id, command).await?;
    Ok(Redirect::to(&format!("/machines/{id}")).into_response())
}

/// One machine as it is.
pub(super) async fn read(host: &dyn Host, id: EndpointId) -> Result<EndpointView, Problem> {
    match ask_endpoint(host, id, EndpointQuestion::Endpoint).await? {
        Answer::Endpoint(view) => Ok(*view),
        _ => Err(Problem::unexpected_answer()),
    }
}

/// What it can do; `None`: it never told.
pub(super) async fn probes(host: &dyn Host, id: EndpointId) -> Result<Option<Catalogue>, Problem> {
    match ask_endpoint(host, id, EndpointQuestion::Probes).await? {
        Answer::Probes(catalogue) => Ok(catalogue),
        _ => Err(Problem::unexpected_answer()),
    }
}

/// Its newest sequences, newest first.
pub(super) async fn sequences(host: &dyn Host, id: EndpointId) -> Result<Vec<SequenceSummary>, Problem> {
    let paging = Paging { cursor: None, limit: SEQUENCES };
    match ask_endpoint(host, id, EndpointQuestion::Sequences { state: None, since: None, paging }).await? {
        Answer::Sequences(page) => Ok(page.items),
        _ => Err(Problem::unexpected_answer()),
    }
}

/// Says which machine a page is about, so large that nobody works on the wrong one.
pub(super) fn strip(machine: &EndpointView, places: &Places, moment: &Moment) -> Markup {
    html! {
        section .strip aria-label="Which machine" {
            p .path { (one_line(places.client(machine.client_id))) " › " (one_line(places.site(machine.site_id))) }
            h1 { a href={ "/machines/" (machine.id) } { (one_line(&machine.name)) } }
            p { (words::reachability(machine, moment)) " · " (words::work(machine.work)) }
            dl .inline {
                @for name in IDENTITY {
                    @if let Some(value) = machine.facts.get(name) {
                        div { dt { (words::label(name)) } dd { (words::fact(value)) } }
                    }
                }
                @if !machine.tags.is_empty() {
                    div { dt { "tags" } dd { @for tag in &machine.tags { span .tag { (one_line(tag)) } " " } } }
                }
                div { dt { "id" } dd { code { (machine.id) } } }
            }
        }
    }
}

fn attention(machine: &EndpointView) -> Markup {
    let undecided: Vec<_> =
        machine.journals.iter().filter(|journal| journal.state == JournalState::Candidate).collect();
    html! {
        @for attention in &machine.attention {
            div .notice .attention role="note" {
                p { strong { "! " (one_line(&attention.reason)) } }
                p { "To clear it: " (words::sentence(&attention.clears)) }
            }
        }
        @if !undecided.is_empty() { (decision(machine, &undecided)) }
    }
}

/// Two machines carry one identity, or one came back with another history: a person says which is the right one.
fn decision(machine: &EndpointView, undecided: &[&JournalView]) -> Markup {
    html! {
        section .notice .attention aria-label="A decision" {
            h2 { "Which one is this machine?" }
            p {
                "Something that carries this machine's identity has another history than the one known here: it was "
                "set up anew, set back, or copied. Nothing runs on it until somebody who knows decides. What was "
                "waiting for the machine is held then, and runs only where you release it."
            }
            @for journal in undecided {
                div .card {
                    dl .inline {
                        div { dt { "first heard" } dd { (journal.first_seen_at.to_string()) } }
                        @if let Some(address) = &journal.address { div { dt { "from" } dd { (one_line(address)) } } }
                        @for name in IDENTITY {
                            @if let Some(value) = journal.facts.get(name) {
                                div { dt { (words::label(name)) } dd { (words::fact(value)) } }
                            }
                        }
                    }
                    form method="post" action={ "/machines/" (machine.id) "/adopt" } {
                        input type="hidden" name="journal" value=(journal.id);
                        details .confirm {
                            summary .button { "This is the machine" }
                            p { "The history known so far ends here and never goes on. This cannot be undone." }
                            button .danger { "Yes, this one is " (one_line(&machine.name)) }
                        }
                    }
                }
            }
        }
    }
}

fn queue(machine: &EndpointView, waiting: &[SequenceView]) -> Markup {
    html! {
        section aria-label="Queue" {
            h2 { "Waiting and under way" }
            @if waiting.is_empty() {
                p .empty-line { "Nothing waits for " (one_line(&machine.name)) "." }
            }
            ol .cards {
                @for view in waiting {
                    li .card {
                        h3 { a href=(place_of(view.id, view.state)) { (one_line(&view.title)) } }
                        p { (words::verdict(&of_sequence(view))) }
                        p .fine { (words::count(view.steps.len(), "step")) ", by " (one_line(&view.created_by)) }
                        @if view.state == SequenceState::Queued && waiting.len() > 1 {
                            form method="post" action={ "/sequences/" (view.id) "/act" } {
                                input type="hidden" name="next" value={ "/machines/" (machine.id) };
                                button .small name="act" value="run-next" aria-label={ "Run next: " (one_line(&view.title)) } { "Run next" }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// What somebody has begun: to be finished by whoever is at hand.
fn drafts(sequences: &[SequenceSummary], moment: &Moment) -> Markup {
    let drafts: Vec<_> = sequences.iter().filter(|summary| summary.state == SequenceState::Draft).collect();
    html! {
        @if !drafts.is_empty() {
            section aria-label="Drafts" {
                h2 { "Drafts" }
                ol .cards {
                    @for summary in drafts {
                        li .card {
                            h3 { a href=(place_of(summary.id, summary.state)) { (one_line(&summary.title)) } }
                            p .fine {
                                (words::count(summary.steps as usize, "step")) ", begun by " (one_line(&summary.created_by))
                                ", last touched " (moment.ago(summary.changed_at))
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Where one goes on with a sequence: a draft is edited, everything else is read.
pub(super) fn place_of(id: SequenceId, state: SequenceState) -> String {
    match state {
        SequenceState::Draft => format!("/sequences/{id}/edit"),
        _ => format!("/sequences/{id}"),
    }
}

fn last_results(sequences: &[SequenceSummary], moment: &Moment) -> Markup {
    let ended: Vec<_> = sequences.iter().filter(|summary| summary.state.is_ended()).collect();
    html! {
        section aria-label="Last results" {
            h2 { "Last results" }
            @if ended.is_empty() { p .empty-line { "Nothing has run here yet." } }
            ol .cards {
                @for summary in ended {
                    li .card {
                        h3 { a href={ "/sequences/" (summary.id) } { (one_line(&summary.title)) } }
                        p { (words::verdict(&standing(summary.state, summary.attention, summary.reason.as_deref()))) }
                        p .fine {
                            (summary.ran) " of " (summary.steps) " steps ran, " (moment.at(summary.changed_at))
                            ", by " (one_line(&summary.created_by))
                        }
                    }
                }
            }
        }
    }
}

/// The way to new work: the first check of a draft is chosen here.
fn start(machine: &EndpointView, playbooks: &[PlaybookSummary]) -> Markup {
    let (checks, actions): (Vec<_>, Vec<_>) = machine
        .probes
        .iter()
        .flat_map(|catalogue| &catalogue.0)
        .partition(|probe| probe.risk == Risk::Observe);
    html! {
        section .card aria-label="New work" {
            h2 { "Look into it" }
            @if machine.probes.is_none() {
                p { "The machine has not told yet what it can do: it does so at its first check-in." }
            } @else {
                @if !playbooks.is_empty() {
                    form .stack method="post" action={ "/machines/" (machine.id) "/playbook" } data-keep="true" {
                        label { "With a playbook"
                            select name="playbook" {
                                @for playbook in playbooks {
                                    option value=(playbook.id) title=(one_line(&playbook.about)) { (one_line(&playbook.name)) }
                                }
                            }
                        }
                        button { "Draft from it" }
                    }
                }
                form .stack method="post" action={ "/machines/" (machine.id) "/drafts" } data-keep="true" {
                    label { "Begin with"
                        select name="probe" {
                            optgroup label="Checks (cannot change the machine)" {
                                @for probe in &checks { option value=(probe.name) { (words::label(&probe.name)) } }
                            }
                            @if !actions.is_empty() {
                                optgroup label="Actions (can change the machine)" {
                                    @for probe in &actions { option value=(probe.name) { (words::label(&probe.name)) } }
                                }
                            }
                        }
                    }
                    button .primary { "Draft a sequence" }
                }
                p .fine { "Nothing is sent until you queue it." }
            }
        }
    }
}

fn facts(machine: &EndpointView) -> Markup {
    html! {
        section .card aria-label="Facts" {
            details {
                summary { h2 { "What it told of itself" } }
                @if machine.facts.is_empty() { p { "Nothing yet." } }
                dl {
                    @for (name, value) in &machine.facts {
                        div { dt { (words::label(name)) } dd { (words::fact(value)) } }
                    }
                    @if let Some(skew_ms) = machine.clock_skew_ms {
                        div { dt { "clock" } dd { (skew(skew_ms)) } }
                    }
                }
            }
        }
    }
}

fn skew(skew_ms: i64) -> String {
    let off = tidegate_core::words::span(tidegate_core::time::Milliseconds(skew_ms.unsigned_abs()));
    match skew_ms {
        -1_000..=1_000 => "right within a second".to_owned(),
        1_001.. => format!("{off} ahead"),
        _ => format!("{off} behind"),
    }
}

fn contact(machine: &EndpointView, moment: &Moment) -> Markup {
    html! {
        section .card aria-label="Contact" {
            h2 { "Contact" }
            p .fine { "Times are " (moment.zone_name()) "." }
            dl {
                div { dt { "last heard" } dd {
                    @match machine.last_seen_at { Some(at) => { (moment.second(at)) " (" (moment.ago(at)) ")" } None => "never" }
                } }
                @if let Some(ms) = machine.usual_interval_ms {
                    div { dt { "usually every" } dd { (tidegate_core::words::span(tidegate_core::time::Milliseconds(ms))) } }
                }
                div { dt { "enrolled" } dd { (moment.at(machine.enrolled_at)) } }
            }
            @if !machine.outages.is_empty() {
                h3 { "Times without a path" }
                ul {
                    @for outage in &machine.outages {
                        li { (moment.at(outage.closed_at)) " to " (moment.at(outage.opened_at)) ": " (one_line(&outage.problem)) }
                    }
                }
            }
            @if let Some(day) = machine.traffic.first() {
                h3 { "Bytes a day" }
                p { (day.day.to_string()) ": " (bytes(day.up_bytes)) " up, " (bytes(day.down_bytes)) " down" }
            }
        }
    }
}

/// What people know of it: notes for the next shift, tags, its name and place.
fn care(machine: &EndpointView, places: &Places, moment: &Moment) -> Markup {
    html! {
        section .card aria-label="Notes" {
            h2 { "Notes" }
            @for note in &machine.notes {
                blockquote {
                    p .plain { (lines(&note.text)) }
                    footer .fine { (one_line(&note.by)) ", " (moment.at(note.at)) }
                }
            }
            form .stack method="post" action={ "/machines/" (machine.id) "/notes" } data-keep="true" {
                label { "What the next one should know of this machine" textarea name="text" rows="2" maxlength="10000" required {} }
                button { "Add the note" }
            }
        }
        section .card aria-label="Name, place and tags" {
            details {
                summary { h2 { "Name, place and tags" } }
                form .stack method="post" action={ "/machines/" (machine.id) "/edit" } data-keep="true" {
                    input type="hidden" name="revision" value=(machine.revision);
                    label { "Name" input name="name" value=(machine.name) maxlength="200" required; }
                    label { "Site"
                        select name="site" {
                            @for (client, sites) in places.tree() {
                                optgroup label=(one_line(&client.name)) {
                                    @for site in sites {
                                        option value=(site.id) selected[site.id == machine.site_id] { (one_line(&site.name)) }
                                    }
                                }
                            }
                        }
                    }
                    label { "Tags" input name="tags" value=(machine.tags.join(", ")) placeholder="line 4, packaging, Windows 7";
                        span .fine { "With commas between them; the search finds them." } }
                    button { "Save" }
                }
            }
        }
    }
}
