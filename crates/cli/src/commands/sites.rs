//! `tidegate sites`: plants and places of the clients.

use clap::Subcommand;
use tidegate_core::api::{ClientView, NewSite, SiteView};
use tidegate_core::window::{Window, windows_text};

use crate::client::{Api, LISTING_ITEMS_MAX};
use crate::connection::Connection;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::screen::Screen;
use crate::table::{Column, Table};
use crate::text::one_line;

/// Plants and places of the clients.
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
    List {
        /// Only those of this client
        #[arg(long, value_name = "CLIENT")]
        client: Option<String>,
    },
    /// Make one
    #[command(
        after_help = "Example:\n  tidegate sites create --client 'Example Foods' --time-zone Europe/Berlin 'Plant 7'"
    )]
    Create {
        /// Its name, unique within the client
        name: String,
        /// The client it belongs to, by name or id
        #[arg(long, value_name = "CLIENT")]
        client: String,
        /// The time zone its people read, such as Europe/Berlin [default: UTC]
        #[arg(long, value_name = "ZONE")]
        time_zone: Option<String>,
        /// A span of its clock in which its machines are planned to be reached, such as 'Mon-Fri 02:00-02:12'; may be
        /// repeated
        #[arg(long = "window", value_name = "WINDOW")]
        windows: Vec<Window>,
    },
}

/// Lists or makes sites.
pub(crate) async fn run(args: Args, screen: &Screen) -> Result<Exit, Failure> {
    let api = super::connect(&args.connection)?;
    match args.act.unwrap_or(Act::List { client: None }) {
        Act::List { client } => list(&api, client, args.output, screen).await?,
        Act::Create { name, client, time_zone, windows } => {
            let client = api.client_named(&client).await?;
            let site = NewSite { client_id: client.id, name, time_zone, windows };
            let answer = api.post(&["sites"], &site).await?;
            args.output.one(screen, &answer, |site: SiteView| {
                let (name, client) = (one_line(&site.name), one_line(&client.name));
                format!("Site `{name}` of `{client}` is made: {}\n", site.id)
            })?;
        }
    }
    Ok(Exit::Done)
}

async fn list(api: &Api, client: Option<String>, output: Output, screen: &Screen) -> Result<(), Failure> {
    let client = match client {
        Some(client) => Some(api.client_named(&client).await?.id.to_string()),
        None => None,
    };
    let query: Vec<_> = client.iter().map(|client| ("client", client.as_str())).collect();
    let listing = api.list(&["sites"], &query, LISTING_ITEMS_MAX).await?;
    let clients: Vec<ClientView> = match output.json {
        true => Vec::new(),
        false => api.list(&["clients"], &[], LISTING_ITEMS_MAX).await?.parse()?,
    };
    let table = Table::new(&[
        Column::Whole("ID"),
        Column::Wrapped("NAME"),
        Column::Wrapped("CLIENT"),
        Column::Wrapped("TIME ZONE"),
        Column::Wrapped("WINDOWS"),
    ]);
    let empty = "No sites yet. Make one with: tidegate sites create --client CLIENT NAME";
    output.listing(screen, &listing, table, empty, |table, site: SiteView| {
        let client = clients.iter().find(|client| client.id == site.client_id);
        let client = client.map_or_else(|| site.client_id.to_string(), |client| client.name.clone());
        table.row(&[site.id.to_string(), site.name, client, site.time_zone, windows_text(&site.windows)]);
    })
}
