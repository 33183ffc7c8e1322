//! `tidegate tokens`: API tokens for scripts.

use clap::Subcommand;
use serde_json::json;
use tidegate_core::api::{NewToken, TokenLife, TokenView};
use tidegate_core::id::TokenId;
use tidegate_core::time::Timestamp;

use crate::client::LISTING_ITEMS_MAX;
use crate::connection::Connection;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::screen::Screen;
use crate::table::{Column, Table};
use crate::text::one_line;
use crate::time;

/// API tokens for scripts.
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
    /// List them, the newest first (what happens without a command)
    List,
    /// Make one for yourself; it is alone on the last line of standard output
    #[command(after_help = "Example:\n  tidegate tokens create 'ticket system' --expires-in 30d")]
    Create {
        /// What it is for
        name: String,
        /// How long it works, such as 30d, or `never` for until it is withdrawn
        #[arg(long, value_name = "SPAN", default_value_t)]
        expires_in: TokenLife,
    },
    /// Withdraw one: requests with it are refused from then on
    Revoke {
        /// Its id
        #[arg(value_parser = parse_id)]
        token: TokenId,
    },
}

/// Lists, makes or withdraws tokens.
pub(crate) async fn run(args: Args, screen: &Screen) -> Result<Exit, Failure> {
    let api = super::connect(&args.connection)?;
    match args.act.unwrap_or(Act::List) {
        Act::List => {
            let listing = api.list(&["tokens"], &[], LISTING_ITEMS_MAX).await?;
            let table = Table::new(&[
                Column::Whole("ID"),
                Column::Wrapped("NAME"),
                Column::Wrapped("WHOSE"),
                Column::Whole("EXPIRES"),
                Column::Whole("LAST USED"),
            ]);
            let empty = "No tokens. Make one with: tidegate tokens create NAME";
            let now = time::now();
            args.output.listing(screen, &listing, table, empty, |table, token: TokenView| {
                table.row(&cells(&token, now));
            })?;
        }
        Act::Create { name, expires_in } => {
            let new = NewToken { name, expires_in: Some(expires_in) };
            let answer = api.post(&["tokens"], &new).await?;
            args.output.one(screen, &answer, |token: TokenView| {
                screen.note(&format!(
                    "The token “{}” is shown once and {}.",
                    one_line(&token.name),
                    match token.expires_at {
                        Some(at) => format!("works until {}", time::full(at)),
                        None => "works until it is withdrawn".to_owned(),
                    }
                ));
                format!("{}\n", token.token.unwrap_or_default())
            })?;
        }
        Act::Revoke { token } => {
            let answer = api.post(&["tokens", &token.to_string(), "revoke"], &json!({})).await?;
            args.output.one(screen, &answer, |token: TokenView| {
                format!("Token “{}” is withdrawn.\n", one_line(&token.name))
            })?;
        }
    }
    Ok(Exit::Done)
}

fn cells(token: &TokenView, now: Timestamp) -> [String; 5] {
    [
        token.id.to_string(),
        token.name.clone(),
        token.email.clone(),
        match token.expires_at {
            Some(at) if at <= now => format!("expired {}", time::full(at)),
            Some(at) => time::full(at),
            None => "never".to_owned(),
        },
        token.last_used_on.map_or_else(|| "never".to_owned(), |day| day.to_string()),
    ]
}

fn parse_id(text: &str) -> Result<TokenId, String> {
    text.parse().map_err(|_| "not the id of a token: find it with `tidegate tokens list`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use tidegate_core::id::PersonId;

    #[test]
    fn a_row_says_until_when_a_token_works_and_when_it_was_used() {
        let token = TokenView {
            id: TokenId::from_bytes([1; 10]),
            token: None,
            name: "backup".into(),
            person_id: PersonId::from_bytes([2; 10]),
            email: "kim@msp.example".into(),
            created_at: sample::at("13:03:00"),
            expires_at: Some(sample::at("14:03:00")),
            last_used_on: Some("2026-11-23".parse().unwrap()),
        };
        let at = |now| cells(&token, sample::at(now));
        assert_eq!(at("13:30:00")[3..], [time::full(sample::at("14:03:00")), "2026-11-23".into()]);
        assert!(at("14:03:00")[3].starts_with("expired "));
        let never = TokenView { expires_at: None, last_used_on: None, ..token };
        assert_eq!(cells(&never, sample::at("14:03:00"))[3..], ["never".to_owned(), "never".to_owned()]);
    }
}
