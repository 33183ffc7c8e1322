//! The flag of every listing and show, and how their answers are printed.

use serde::de::DeserializeOwned;

use crate::client::{Answer, Listing};
use crate::failure::Failure;
use crate::screen::Screen;
use crate::table::Table;

/// How an answer is printed.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(crate) struct Output {
    /// Print the API's JSON unchanged, one document
    #[arg(long, global = true)]
    pub json: bool,
}

impl Output {
    /// Prints a listing: its JSON, or the table that `row` fills, or `empty` where there is nothing.
    ///
    /// # Errors
    ///
    /// Where an item does not read or the output cannot be written.
    pub(crate) fn listing<T: DeserializeOwned>(
        self,
        screen: &Screen,
        listing: &Listing,
        mut table: Table,
        empty: &str,
        mut row: impl FnMut(&mut Table, T),
    ) -> Result<(), Failure> {
        if self.json {
            return Ok(screen.json(&listing.to_json())?);
        }
        for item in listing.parse::<T>()? {
            row(&mut table, item);
        }
        if table.is_empty() {
            screen.note(empty);
            return Ok(());
        }
        screen.write(&table.render(screen.width))?;
        if listing.has_more() {
            screen.note("There are more: narrow it down, or raise --limit.");
        }
        Ok(())
    }

    /// Prints one answer: its JSON, or the text that `text` makes of it.
    ///
    /// # Errors
    ///
    /// Where the answer does not read or the output cannot be written.
    pub(crate) fn one<T: DeserializeOwned>(
        self,
        screen: &Screen,
        answer: &Answer,
        text: impl FnOnce(T) -> String,
    ) -> Result<(), Failure> {
        if self.json {
            screen.json(&answer.text)?;
        } else {
            screen.write(&text(answer.parse()?))?;
        }
        Ok(())
    }
}
