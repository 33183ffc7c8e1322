//! `tidegate transcript`: what happened on a machine, with all times.

use std::time::Duration;

use tidegate_core::api::{SequenceView, TranscriptEntryView};
use tidegate_core::id::SequenceId;

use crate::client::{Api, LISTING_ITEMS_MAX};
use crate::connection::Connection;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::names::sequence_id;
use crate::screen::Screen;
use crate::sequence_text::{self, Outputs};
use crate::text::wrapped;
use crate::{transcript, verdict};

/// How often `--follow` asks for new entries.
const FOLLOW_DELAY: Duration = Duration::from_secs(2);
/// Most sequences shown before the record; the record itself is whole.
const SEQUENCES_SHOWN_MAX: usize = 50;

/// What happened on a machine, with all times.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tidegate transcript hmi-3
  tidegate transcript hmi-3 --format html > hmi-3.html
  tidegate transcript hmi-3 --follow")]
pub(crate) struct Args {
    /// The machine, by name or id
    endpoint: String,
    /// In which form
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Only what is about this sequence
    #[arg(long, value_name = "ID")]
    sequence: Option<String>,
    /// Stay and print entries as they come
    #[arg(long, conflicts_with = "format")]
    follow: bool,
    /// Print the API's JSON unchanged: the same as --format json
    #[arg(long, conflicts_with_all = ["format", "follow"])]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For a terminal
    Text,
    /// The API's own, unchanged
    Json,
    /// One page that needs nothing else
    Html,
    /// For a spreadsheet
    Csv,
}

/// Prints the transcript.
pub(crate) async fn run(args: Args, screen: &Screen) -> Result<Exit, Failure> {
    let sequence = args.sequence.as_deref().map(sequence_id).transpose()?;
    let api = super::connect(&args.connection)?;
    let endpoint = api.endpoint_named(&args.endpoint).await?;
    let id = endpoint.id.to_string();
    if args.follow {
        return follow(&api, &id, sequence, screen).await;
    }
    let sequence_text = sequence.map(|sequence| sequence.to_string());
    let query: Vec<_> = sequence_text.iter().map(|id| ("sequence", id.as_str())).collect();
    let listing = api.list(&["endpoints", &id, "transcript"], &query, LISTING_ITEMS_MAX).await?;
    if args.json || args.format == Format::Json {
        screen.json(&listing.to_json())?;
        return Ok(Exit::Done);
    }
    let entries: Vec<TranscriptEntryView> = listing.parse()?;
    match args.format {
        Format::Json => {}
        Format::Csv => screen.write(&transcript::csv(&entries))?,
        Format::Html => {
            let sequences = sequences_of(&api, &entries).await?;
            screen.write(&transcript::html(&endpoint.name, &sequences, &entries))?;
        }
        Format::Text => {
            let sequences = sequences_of(&api, &entries).await?;
            screen.write(&text(&endpoint.name, &sequences, &entries, screen))?;
        }
    }
    if listing.has_more() {
        screen.note("This is not all: `tidegate export` writes the whole record.");
    }
    Ok(Exit::Done)
}

/// The sequences first, with verdicts and times, then the record line by line.
pub(crate) fn text(
    machine: &str,
    sequences: &[SequenceView],
    entries: &[TranscriptEntryView],
    screen: &Screen,
) -> String {
    let mut text = String::new();
    for sequence in sequences {
        let shown = sequence_text::sequence(sequence, machine, Outputs::Last(5), screen);
        text.push_str(&format!("{shown}\n"));
    }
    let attention = sequences.iter().map(verdict::attention_count).sum::<u32>();
    if attention > 0 {
        text.push_str(&format!("{attention} of the steps above need a look.\n\n"));
    }
    text.push_str(&format!("{}\n", screen.heading("Record")));
    for entry in entries {
        text.push_str(&folded(&transcript::line(entry), screen.width));
    }
    text
}

/// A line of the record; what does not fit goes on under its time.
fn folded(line: &str, width: usize) -> String {
    const UNDER_TIME: usize = 7;
    let (number, rest) = line.split_at(line.len().min(UNDER_TIME));
    let lines = wrapped(rest, width.saturating_sub(UNDER_TIME));
    let indented = lines.iter().enumerate().map(|(index, line)| match index {
        0 => format!("{number}{line}\n"),
        _ => format!("{:UNDER_TIME$}  {line}\n", ""),
    });
    indented.collect()
}

/// The sequences that the entries are about, the oldest first.
pub(crate) async fn sequences_of(
    api: &Api,
    entries: &[TranscriptEntryView],
) -> Result<Vec<SequenceView>, Failure> {
    let mut ids: Vec<SequenceId> = Vec::new();
    for id in entries.iter().filter_map(|entry| entry.sequence_id) {
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    let newest = ids.split_off(ids.len().saturating_sub(SEQUENCES_SHOWN_MAX));
    let mut sequences = Vec::with_capacity(newest.len());
    for id in newest {
        sequences.push(api.get(&["sequences", &id.to_string()], &[]).await?.parse()?);
    }
    Ok(sequences)
}

/// Prints entries as they come until the process is ended. The cursor is the last number seen.
async fn follow(
    api: &Api,
    endpoint: &str,
    sequence: Option<SequenceId>,
    screen: &Screen,
) -> Result<Exit, Failure> {
    let sequence = sequence.map(|sequence| sequence.to_string());
    let mut seen = String::new();
    loop {
        let mut query = Vec::new();
        if let Some(sequence) = &sequence {
            query.push(("sequence", sequence.as_str()));
        }
        if !seen.is_empty() {
            query.push(("cursor", seen.as_str()));
        }
        match api.list(&["endpoints", endpoint, "transcript"], &query, LISTING_ITEMS_MAX).await {
            Ok(listing) => {
                let entries: Vec<TranscriptEntryView> = listing.parse()?;
                for entry in &entries {
                    screen.line(transcript::line(entry))?;
                }
                if let Some(last) = entries.last() {
                    seen = last.number.to_string();
                }
            }
            Err(failure) if failure.exit == Exit::NotReachable => failure.print(screen),
            Err(failure) => return Err(failure),
        }
        tokio::time::sleep(FOLLOW_DELAY).await;
    }
}
