//! `tidegate transcript`: what happened on a machine, with all times.
//!
//! The record is read and printed page by page: however long it is, one page is in memory.

use std::time::Duration;

use tidegate_core::api::{SequenceState, SequenceSummary, SequenceView, TranscriptEntryView};
use tidegate_core::id::SequenceId;

use crate::client::Api;
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
/// Most entries of a page; the control plane also bounds it by bytes.
const PAGE_ENTRIES: usize = 500;

/// What happened on a machine, with all times.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tidegate transcript hmi-3
  tidegate transcript hmi-3 --format html > hmi-3.html
  tidegate transcript hmi-3 --entry 12
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
    /// Print this entry alone, with its whole body, as JSON
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["sequence", "follow", "format"])]
    entry: Option<u64>,
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

/// The record of one machine, or what of it is about one sequence.
struct Record<'a> {
    api: &'a Api,
    machine: &'a str,
    endpoint: &'a str,
    sequence: Option<SequenceId>,
    screen: &'a Screen,
}

/// Prints the transcript.
pub(crate) async fn run(args: Args, screen: &Screen) -> Result<Exit, Failure> {
    let sequence = args.sequence.as_deref().map(sequence_id).transpose()?;
    let api = super::connect(&args.connection)?;
    let endpoint = api.endpoint_named(&args.endpoint).await?;
    let id = endpoint.id.to_string();
    if let Some(number) = args.entry {
        let entry = api.get(&["endpoints", &id, "transcript", &number.to_string()], &[]).await?;
        screen.json(&entry.text)?;
        return Ok(Exit::Done);
    }
    let record = Record { api: &api, machine: &endpoint.name, endpoint: &id, sequence, screen };
    if args.follow {
        return record.follow().await;
    }
    match if args.json { Format::Json } else { args.format } {
        Format::Json => record.json().await?,
        Format::Csv => record.csv().await?,
        Format::Html => record.html().await?,
        Format::Text => record.text().await?,
    }
    Ok(Exit::Done)
}

impl Record<'_> {
    /// Hands each page of the record to `print`, as it came and parsed.
    async fn pages(
        &self,
        cursor: Option<String>,
        mut print: impl FnMut(&str, &[TranscriptEntryView]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let sequence = self.sequence.map(|sequence| sequence.to_string());
        let query: Vec<_> = sequence.iter().map(|id| ("sequence", id.as_str())).collect();
        let path = ["endpoints", self.endpoint, "transcript"];
        let mut pages = self.api.pages(&path, &query, cursor);
        while let Some(page) = pages.next(PAGE_ENTRIES).await? {
            print(&page.items_json(), &page.parse::<TranscriptEntryView>()?)?;
        }
        Ok(())
    }

    /// The interface's document, its items unchanged.
    async fn json(&self) -> Result<(), Failure> {
        self.screen.json_part("{\"items\":[")?;
        let mut comma = "";
        self.pages(None, |items, entries| {
            if !entries.is_empty() {
                self.screen.json_part(&format!("{comma}{items}"))?;
                comma = ",";
            }
            Ok(())
        })
        .await?;
        Ok(self.screen.line("],\"next\":null}")?)
    }

    async fn csv(&self) -> Result<(), Failure> {
        self.screen.write(transcript::CSV_HEADING)?;
        self.pages(None, |_, entries| Ok(self.screen.write(&transcript::csv_lines(entries))?)).await
    }

    async fn html(&self) -> Result<(), Failure> {
        self.screen.write(&transcript::html_begin(self.machine))?;
        for id in self.sequences().await? {
            let sequence = self.sequence_read(id).await?;
            self.screen.write(&transcript::html_sequence(self.machine, &sequence))?;
        }
        self.screen.write(transcript::HTML_RECORD)?;
        self.pages(None, |_, entries| Ok(self.screen.write(&transcript::html_rows(entries))?)).await?;
        Ok(self.screen.write(transcript::HTML_END)?)
    }

    /// The sequences first, with verdicts and times, then the record line by line.
    async fn text(&self) -> Result<(), Failure> {
        let mut attention = 0;
        for id in self.sequences().await? {
            let sequence = self.sequence_read(id).await?;
            attention += verdict::attention_count(&sequence);
            self.screen.line(sequence_text::sequence(
                &sequence,
                self.machine,
                Outputs::Last(5),
                self.screen,
            ))?;
        }
        if attention > 0 {
            self.screen.line(format!("{attention} of the steps above need a look.\n"))?;
        }
        self.screen.line(self.screen.heading("Record"))?;
        self.pages(None, |_, entries| {
            let lines = entries.iter().map(|entry| folded(&transcript::line(entry), self.screen.width));
            Ok(self.screen.write(&lines.collect::<String>())?)
        })
        .await
    }

    /// The sequences that the record is about, the oldest first: the newest [`SEQUENCES_SHOWN_MAX`].
    async fn sequences(&self) -> Result<Vec<SequenceId>, Failure> {
        if let Some(sequence) = self.sequence {
            return Ok(vec![sequence]);
        }
        let query = [("endpoint", self.endpoint)];
        let newest = self.api.list(&["sequences"], &query, SEQUENCES_SHOWN_MAX).await?;
        let mut newest: Vec<SequenceSummary> = newest.parse()?;
        newest.retain(|sequence| sequence.state != SequenceState::Draft);
        Ok(newest.iter().rev().map(|sequence| sequence.id).collect())
    }

    async fn sequence_read(&self, id: SequenceId) -> Result<SequenceView, Failure> {
        self.api.get(&["sequences", &id.to_string()], &[]).await?.parse()
    }

    /// Prints entries as they come until the process is ended. The cursor is the last number seen.
    async fn follow(&self) -> Result<Exit, Failure> {
        let mut seen: Option<String> = None;
        loop {
            let printed = self.pages(seen.clone(), |_, entries| {
                for entry in entries {
                    self.screen.line(transcript::line(entry))?;
                }
                seen = entries.last().map(|last| last.number.to_string()).or(seen.take());
                Ok(())
            });
            match printed.await {
                Ok(()) => {}
                Err(failure) if failure.exit == Exit::NotReachable => failure.print(self.screen),
                Err(failure) => return Err(failure),
            }
            tokio::time::sleep(FOLLOW_DELAY).await;
        }
    }
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
