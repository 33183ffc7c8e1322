//! `tidegate clients`: the MSP's customers.

use clap::Subcommand;
use tidegate_core::api::{ClientView, NewClient};

use crate::client::LISTING_ITEMS_MAX;
use crate::connection::Connection;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::screen::Screen;
use crate::table::{Column, Table};
use crate::text::one_line;
use crate::time;

/// The MSP's customers.
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
    List,
    /// Make one
    #[command(after_help = "Example:\n  tidegate clients create 'Example Foods'")]
    Create {
        /// Its name, unique
        name: String,
    },
}

/// Lists or makes clients.
pub(crate) async fn run(args: Args, screen: &Screen) -> Result<Exit, Failure> {
    let api = super::connect(&args.connection)?;
    match args.act.unwrap_or(Act::List) {
        Act::List => {
            let listing = api.list(&["clients"], &[], LISTING_ITEMS_MAX).await?;
            let table = Table::new(&[Column::Whole("ID"), Column::Wrapped("NAME"), Column::Whole("SINCE")]);
            let empty = "No clients yet. Make one with: tidegate clients create NAME";
            args.output.listing(screen, &listing, table, empty, |table, client: ClientView| {
                table.row(&[client.id.to_string(), client.name, time::short(client.created_at)]);
            })?;
        }
        Act::Create { name } => {
            let answer = api.post(&["clients"], &NewClient { name }).await?;
            args.output.one(screen, &answer, |client: ClientView| {
                format!("Client `{}` is made: {}\n", one_line(&client.name), client.id)
            })?;
        }
    }
    Ok(Exit::Done)
}
