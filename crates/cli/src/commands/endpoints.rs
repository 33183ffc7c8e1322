//! `tidegate endpoints`: the machines.

use clap::Subcommand;
use serde_json::json;
use tidegate_core::api::{EndpointPatch, EndpointView, JournalState};
use tidegate_core::id::{EndpointId, JournalId};

use super::endpoint_text;
use crate::catalogue::Probes;
use crate::client::{Api, LISTING_ITEMS_MAX};
use crate::confirm::Confirmation;
use crate::connection::Connection;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::names::Named;
use crate::output::Output;
use crate::screen::Screen;
use crate::table::{Column, Table};
use crate::text::one_line;
use crate::time;

/// The machines.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    act: Option<Act>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// List them by name (what happens without a command)
    List(Filter),
    /// Show one: what needs a person, its journals, its facts
    Show {
        /// The machine, by name or id
        endpoint: String,
        /// Its checks and actions with their arguments instead
        #[arg(long)]
        probes: bool,
    },
    /// Make a candidate journal the current one, after a re-image, rollback or copy
    #[command(after_help = "\
A machine that was re-imaged, rolled back or copied writes a journal of its own, and nothing runs on
it until a person says that it is the machine meant. What waited is then held until released or
purged. The other journal never becomes current again.")]
    Adopt {
        /// The machine, by name or id
        endpoint: String,
        /// Which candidate; needed where there are several
        #[arg(long, value_name = "ID", value_parser = parse_journal)]
        journal: Option<JournalId>,
        #[command(flatten)]
        confirmation: Confirmation,
    },
    /// Believe nothing more that it sends: for a machine that was stolen or broken into
    Revoke {
        /// The machine, by name or id
        endpoint: String,
        #[command(flatten)]
        confirmation: Confirmation,
    },
    /// Tell its runtime to stop and remove itself when it is next heard
    Retire {
        /// The machine, by name or id
        endpoint: String,
        #[command(flatten)]
        confirmation: Confirmation,
    },
    /// Write a note on it, for whoever looks at it next
    Note {
        /// The machine, by name or id
        endpoint: String,
        /// The text
        text: String,
    },
    /// Give it tags in place of those it has
    Tag {
        /// The machine, by name or id
        endpoint: String,
        /// The tags; absent: none
        tags: Vec<String>,
    },
    /// Give it another name
    Rename {
        /// The machine, by name or id
        endpoint: String,
        /// Its new name
        name: String,
    },
}

#[derive(Debug, Default, clap::Args)]
struct Filter {
    /// Only those that hold all these words: in names, also of client and site, tags, the last address, facts
    text: Option<String>,
    /// Only those of this client
    #[arg(long, value_name = "CLIENT")]
    client: Option<String>,
    /// Only those of this site
    #[arg(long, value_name = "SITE")]
    site: Option<String>,
}

/// Lists, shows or acts on machines.
pub(crate) async fn run(args: Args, screen: &Screen) -> Result<Exit, Failure> {
    let api = super::connect(&args.connection)?;
    let output = args.output;
    match args.act.unwrap_or(Act::List(Filter::default())) {
        Act::List(filter) => list(&api, filter, output, screen).await?,
        Act::Show { endpoint, probes } => show(&api, &endpoint, probes, output, screen).await?,
        Act::Adopt { endpoint, journal, confirmation } => {
            adopt(&api, &endpoint, journal, confirmation, output, screen).await?;
        }
        Act::Revoke { endpoint, confirmation } => {
            let named = api.endpoint_named(&endpoint).await?;
            let name = one_line(&named.name);
            confirmation.obtain(
                screen,
                &format!(
                    "`{name}` is cut off for good: nothing it sends is believed. It can only enrol anew."
                ),
            )?;
            let done = format!("`{name}` is revoked.");
            act(&api, &named, "revoke", &json!({}), &done, output, screen).await?;
        }
        Act::Retire { endpoint, confirmation } => {
            let named = api.endpoint_named(&endpoint).await?;
            let name = one_line(&named.name);
            confirmation.obtain(
                screen,
                &format!("The runtime of `{name}` stops and removes itself. Its transcript stays."),
            )?;
            let done = format!("`{name}` is retired; its runtime learns it when it is next heard.");
            act(&api, &named, "retire", &json!({}), &done, output, screen).await?;
        }
        Act::Note { endpoint, text } => {
            let named = api.endpoint_named(&endpoint).await?;
            let done = format!("Noted on `{}`.", one_line(&named.name));
            act(&api, &named, "notes", &json!({"text": text}), &done, output, screen).await?;
        }
        Act::Tag { endpoint, tags } => tag(&api, &endpoint, tags, output, screen).await?,
        Act::Rename { endpoint, name } => rename(&api, &endpoint, name, output, screen).await?,
    }
    Ok(Exit::Done)
}

async fn list(api: &Api, filter: Filter, output: Output, screen: &Screen) -> Result<(), Failure> {
    let client = match &filter.client {
        Some(client) => Some(api.client_named(client).await?.id.to_string()),
        None => None,
    };
    let site = match &filter.site {
        Some(site) => Some(api.site_named(site).await?.id.to_string()),
        None => None,
    };
    let query: Vec<_> = [("q", &filter.text), ("client", &client), ("site", &site)]
        .into_iter()
        .filter_map(|(name, value)| value.as_deref().map(|value| (name, value)))
        .collect();
    let listing = api.list(&["endpoints"], &query, LISTING_ITEMS_MAX).await?;
    let table = Table::new(&[
        Column::Whole("ID"),
        Column::Wrapped("MACHINE"),
        Column::Whole("PATH"),
        Column::Whole("WORK"),
        Column::Whole("LAST SEEN"),
        Column::Wrapped("NEEDS A PERSON"),
    ]);
    let empty = "No machines. Admit one with: tidegate enrolment-codes create --site SITE";
    output.listing(screen, &listing, table, empty, |table, endpoint: EndpointView| {
        let attention: Vec<_> = endpoint.attention.iter().map(|reason| reason.reason.as_str()).collect();
        table.row(&[
            endpoint.id.to_string(),
            endpoint.name.clone(),
            endpoint_text::path_word(&endpoint).to_owned(),
            endpoint_text::work_word(endpoint.work).to_owned(),
            endpoint.last_seen_at.map_or_else(|| "never".to_owned(), time::short),
            attention.join("\n"),
        ]);
    })
}

async fn show(
    api: &Api,
    endpoint: &str,
    probes: bool,
    output: Output,
    screen: &Screen,
) -> Result<(), Failure> {
    let id = api.endpoint_named(endpoint).await?.id.to_string();
    if probes {
        let answer = api.get(&["endpoints", &id, "probes"], &[]).await?;
        return output
            .one(screen, &answer, |probes: Probes| endpoint_text::probes(probes.catalogue(), screen));
    }
    let answer = api.get(&["endpoints", &id], &[]).await?;
    if output.json {
        return output.one(screen, &answer, |_: EndpointView| String::new());
    }
    let endpoint: EndpointView = answer.parse()?;
    let place = api.place_of(endpoint.site_id).await?;
    Ok(screen.write(&endpoint_text::endpoint(&endpoint, &place, time::now(), screen))?)
}

async fn adopt(
    api: &Api,
    endpoint: &str,
    journal: Option<JournalId>,
    confirmation: Confirmation,
    output: Output,
    screen: &Screen,
) -> Result<(), Failure> {
    let named = api.endpoint_named(endpoint).await?;
    let id = named.id.to_string();
    let view: EndpointView = api.get(&["endpoints", &id], &[]).await?.parse()?;
    let journal = match journal {
        Some(journal) => journal,
        None => only_candidate(&view)?,
    };
    screen.note(&endpoint_text::journals(&view));
    let name = one_line(&view.name);
    confirmation.obtain(
        screen,
        &format!("Journal {journal} becomes `{name}`; the others never do again, and what waited is held."),
    )?;
    let done = format!(
        "Journal {journal} is `{name}`. Release or purge what is held: tidegate sequences list --endpoint {id} --state held"
    );
    act(api, &named, "adopt", &json!({"journal_id": journal}), &done, output, screen).await
}

fn only_candidate(endpoint: &EndpointView) -> Result<JournalId, Failure> {
    let mut candidates = endpoint.journals.iter().filter(|journal| journal.state == JournalState::Candidate);
    let name = one_line(&endpoint.name);
    match (candidates.next(), candidates.next()) {
        (Some(only), None) => Ok(only.id),
        (None, _) => Err(Failure::usage(format!("`{name}` has no candidate journal to adopt"))
            .next("one comes with the check-in of a machine that was copied, set back or enrolled again")),
        (Some(_), Some(_)) => Err(Failure::usage(format!("`{name}` has several candidate journals"))
            .next(format!("name one with --journal:\n{}", endpoint_text::journals(endpoint)))),
    }
}

async fn rename(
    api: &Api,
    endpoint: &str,
    name: String,
    output: Output,
    screen: &Screen,
) -> Result<(), Failure> {
    let id = api.endpoint_named(endpoint).await?.id.to_string();
    let view: EndpointView = api.get(&["endpoints", &id], &[]).await?.parse()?;
    let patch = EndpointPatch { name: Some(name), ..EndpointPatch::default() };
    let answer = api.patch(&["endpoints", &id], view.revision, &patch).await?;
    output.one(screen, &answer, |endpoint: EndpointView| {
        format!("`{}` is called `{}`.\n", one_line(&view.name), one_line(&endpoint.name))
    })
}

async fn tag(
    api: &Api,
    endpoint: &str,
    tags: Vec<String>,
    output: Output,
    screen: &Screen,
) -> Result<(), Failure> {
    let id = api.endpoint_named(endpoint).await?.id.to_string();
    let view: EndpointView = api.get(&["endpoints", &id], &[]).await?.parse()?;
    let patch = EndpointPatch { tags: Some(tags), ..EndpointPatch::default() };
    let answer = api.patch(&["endpoints", &id], view.revision, &patch).await?;
    output.one(screen, &answer, |endpoint: EndpointView| {
        let name = one_line(&endpoint.name);
        match endpoint.tags.as_slice() {
            [] => format!("`{name}` has no tags.\n"),
            tags => format!("`{name}` has the tags {}.\n", one_line(&tags.join(", "))),
        }
    })
}

async fn act(
    api: &Api,
    endpoint: &Named<EndpointId>,
    act: &str,
    body: &serde_json::Value,
    done: &str,
    output: Output,
    screen: &Screen,
) -> Result<(), Failure> {
    let answer = api.post(&["endpoints", &endpoint.id.to_string(), act], body).await?;
    output.one(screen, &answer, |_: serde_json::Value| format!("{done}\n"))
}

fn parse_journal(text: &str) -> Result<JournalId, String> {
    text.parse().map_err(|_| "not the id of a journal: find it with `tidegate endpoints show`".to_owned())
}
