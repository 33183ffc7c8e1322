//! `tidegate sequences`: what is queued, under way and done.

use clap::Subcommand;
use serde_json::json;
use tidegate_core::api::{EndpointView, SequenceState, SequenceSummary, SequenceView};
use tidegate_core::id::SequenceId;
use tidegate_core::probe::{Catalogue, Risk};
use tidegate_core::time::{Milliseconds, Timestamp};

use crate::client::{Answer, Api, LISTING_ITEMS_MAX};
use crate::confirm::Confirmation;
use crate::connection::Connection;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::names::sequence_id;
use crate::output::Output;
use crate::screen::Screen;
use crate::sequence_text::{self, Outputs};
use crate::table::{Column, Table};
use crate::text::one_line;
use crate::{time, verdict};

/// What is queued, under way and done.
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
    List(Filter),
    /// Show one: verdicts, the five times of every step, outputs
    Show {
        /// Its id
        sequence: String,
    },
    /// Queue a draft
    Queue(Acted),
    /// End what has not ended; a step that runs is stopped
    Cancel(Confirmed),
    /// Queue the same again as a new sequence; an action runs again
    Retry(Confirmed),
    /// Let held work run on the machine that is adopted
    Release(Acted),
    /// Give up what never left: held, queued or a draft
    Purge(Confirmed),
    /// Put one that was not sent yet before the others of its machine
    RunNext(Acted),
    /// Say that you looked at what came back: it leaves `tidegate overnight`
    Review(Acted),
    /// Take that back
    Unreview(Acted),
    /// Give one to a person to look after
    Assign {
        /// Its id
        sequence: String,
        /// The person's e-mail address; absent: nobody
        #[arg(value_name = "EMAIL")]
        to: Option<String>,
    },
    /// Write a note on one, for whoever reads the transcript
    Note {
        /// Its id
        sequence: String,
        /// The text
        text: String,
    },
}

#[derive(Debug, clap::Args)]
struct Filter {
    /// Only those of this machine
    #[arg(long, value_name = "ENDPOINT")]
    endpoint: Option<String>,
    /// Only those in this state: queued, held, offered, running, succeeded, failed, …
    #[arg(long, value_name = "STATE", value_parser = parse_state)]
    state: Option<SequenceState>,
    /// Only those that changed since a time, or within a span such as 12h
    #[arg(long, value_name = "TIME|SPAN", value_parser = parse_since)]
    since: Option<Timestamp>,
    /// Most to list
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: u16,
}

#[derive(Debug, clap::Args)]
struct Acted {
    /// Their ids
    #[arg(required = true, value_name = "SEQUENCE")]
    sequences: Vec<String>,
}

#[derive(Debug, clap::Args)]
struct Confirmed {
    /// Their ids
    #[arg(required = true, value_name = "SEQUENCE")]
    sequences: Vec<String>,
    #[command(flatten)]
    confirmation: Confirmation,
}

/// Lists, shows or acts on sequences.
pub(crate) async fn run(args: Args, screen: &Screen) -> Result<Exit, Failure> {
    let api = super::connect(&args.connection)?;
    let output = args.output;
    let list_all = Filter { endpoint: None, state: None, since: None, limit: 100 };
    match args.act.unwrap_or(Act::List(list_all)) {
        Act::List(filter) => list(&api, &filter, output, screen).await?,
        Act::Show { sequence } => show(&api, &sequence, output, screen).await?,
        Act::Queue(acted) => act(&api, &acted.sequences, "queue", output, screen).await?,
        Act::Release(acted) => act(&api, &acted.sequences, "release", output, screen).await?,
        Act::RunNext(acted) => act(&api, &acted.sequences, "run-next", output, screen).await?,
        Act::Review(acted) => act(&api, &acted.sequences, "review", output, screen).await?,
        Act::Unreview(acted) => act(&api, &acted.sequences, "unreview", output, screen).await?,
        Act::Assign { sequence, to } => {
            let id = sequence_id(&sequence)?.to_string();
            let answer = api.post(&["sequences", &id, "assign"], &json!({"assignee": to})).await?;
            let whose = to.as_deref().map_or_else(|| "nobody".to_owned(), one_line);
            output.one(screen, &answer, |_: serde_json::Value| format!("{id} is with {whose}.\n"))?;
        }
        Act::Cancel(Confirmed { sequences, confirmation }) => {
            if sequences.len() > 1 {
                let consequence = format!("{} sequences are cancelled.", sequences.len());
                confirmation.obtain(screen, &consequence)?;
            }
            act(&api, &sequences, "cancel", output, screen).await?;
        }
        Act::Purge(Confirmed { sequences, confirmation }) => {
            let consequence = format!("{} never run: given up for good.", count(&sequences));
            confirmation.obtain(screen, &consequence)?;
            act(&api, &sequences, "purge", output, screen).await?;
        }
        Act::Retry(Confirmed { sequences, confirmation }) => {
            confirm_retry(&api, &sequences, confirmation, screen).await?;
            act(&api, &sequences, "retry", output, screen).await?;
        }
        Act::Note { sequence, text } => {
            let id = sequence_id(&sequence)?.to_string();
            let answer = api.post(&["sequences", &id, "notes"], &json!({"text": text})).await?;
            output.one(screen, &answer, |_: serde_json::Value| format!("Noted on {id}.\n"))?;
        }
    }
    Ok(Exit::Done)
}

async fn list(api: &Api, filter: &Filter, output: Output, screen: &Screen) -> Result<(), Failure> {
    let endpoint = match &filter.endpoint {
        Some(endpoint) => Some(api.endpoint_named(endpoint).await?.id.to_string()),
        None => None,
    };
    let state = filter.state.map(state_word);
    let since = filter.since.map(|since| since.to_string());
    let query: Vec<_> = [("endpoint", &endpoint), ("state", &state), ("since", &since)]
        .into_iter()
        .filter_map(|(name, value)| value.as_deref().map(|value| (name, value)))
        .collect();
    let listing = api.list(&["sequences"], &query, usize::from(filter.limit.max(1))).await?;
    let machines: Vec<EndpointView> = match output.json {
        true => Vec::new(),
        false => api.list(&["endpoints"], &[], LISTING_ITEMS_MAX).await?.parse()?,
    };
    let table = Table::new(&[
        Column::Whole("ID"),
        Column::Whole("MADE"),
        Column::Wrapped("MACHINE"),
        Column::Wrapped("WHAT"),
    ]);
    let empty = "No sequences. Queue one with: tidegate run ENDPOINT --probe system_info";
    output.listing(screen, &listing, table, empty, |table, sequence: SequenceSummary| {
        let machine = machines.iter().find(|machine| machine.id == sequence.endpoint_id);
        let machine =
            machine.map_or_else(|| sequence.endpoint_id.to_string(), |machine| machine.name.clone());
        let verdict = verdict::standing(sequence.state, sequence.attention, sequence.reason.as_deref());
        table.row(&[
            sequence.id.to_string(),
            time::short(sequence.created_at),
            machine,
            format!("{}\n{} {}", one_line(&sequence.title), verdict.tone.mark(), verdict.text()),
        ]);
    })
}

async fn show(api: &Api, sequence: &str, output: Output, screen: &Screen) -> Result<(), Failure> {
    let id = sequence_id(sequence)?;
    let answer = api.get(&["sequences", &id.to_string()], &[]).await?;
    if output.json {
        return Ok(screen.json(&answer.text)?);
    }
    let machine = machine_name(api, id).await;
    output.one(screen, &answer, |view: SequenceView| {
        sequence_text::sequence(&view, &machine, Outputs::Whole, screen)
    })
}

/// The name of the machine that the sequence is for; its id where the name cannot be read.
pub(super) async fn machine_name(api: &Api, sequence: SequenceId) -> String {
    let id = sequence.endpoint().to_string();
    let read = api.get(&["endpoints", &id], &[]).await.and_then(|answer| answer.parse::<EndpointView>());
    read.map_or(id, |endpoint| endpoint.name)
}

/// Posts `act` to each of the sequences. All ids are read before the first is acted on.
async fn act(
    api: &Api,
    sequences: &[String],
    act: &str,
    output: Output,
    screen: &Screen,
) -> Result<(), Failure> {
    let ids = sequences.iter().map(|text| sequence_id(text)).collect::<Result<Vec<_>, _>>()?;
    let mut answers: Vec<Answer> = Vec::new();
    for id in ids {
        let answer = api.post(&["sequences", &id.to_string(), act], &json!({})).await?;
        if !output.json {
            let view: SequenceView = answer.parse()?;
            screen.line(told(&view, act))?;
        }
        answers.push(answer);
    }
    if output.json {
        screen.json(&match answers.as_slice() {
            [only] => only.text.clone(),
            several => {
                let items: Vec<_> = several.iter().map(|answer| answer.text.trim()).collect();
                format!("{{\"items\":[{}],\"next\":null}}", items.join(","))
            }
        })?;
    }
    Ok(())
}

fn told(view: &SequenceView, act: &str) -> String {
    let verdict = verdict::of_sequence(view);
    let title = one_line(&view.title);
    match act {
        "retry" => {
            let warning = view.repeat_warning.as_deref().map(|warning| format!(": {}", one_line(warning)));
            format!("`{title}` is queued again as {}{}", view.id, warning.unwrap_or_default())
        }
        "run-next" => format!("`{title}` goes before the others of its machine"),
        "review" => format!("`{title}` is reviewed"),
        "unreview" => format!("`{title}` is to be looked at again"),
        _ => format!("`{title}`: {} {}", verdict.tone.mark(), verdict.text()),
    }
}

/// Asks where any of the sequences has a step that can change its machine.
async fn confirm_retry(
    api: &Api,
    sequences: &[String],
    confirmation: Confirmation,
    screen: &Screen,
) -> Result<(), Failure> {
    let (mut actions, mut warnings) = (Vec::new(), Vec::new());
    for text in sequences {
        let id = sequence_id(text)?;
        let view: SequenceView = api.get(&["sequences", &id.to_string()], &[]).await?.parse()?;
        let catalogue = api.catalogue(id.endpoint()).await?;
        actions.extend(actions_of(&view, catalogue.as_ref()));
        warnings.extend(view.retry_warning.map(|warning| one_line(&warning)));
    }
    if actions.is_empty() {
        return Ok(());
    }
    warnings.sort();
    warnings.dedup();
    let warnings: Vec<_> = warnings.iter().map(|warning| format!(" Beware: {warning}.")).collect();
    let consequence = format!("This action runs again: {}.{}", actions.join("; "), warnings.concat());
    confirmation.obtain(screen, &consequence)
}

/// The steps that can change the machine. What its catalogue does not know counts as such.
fn actions_of(view: &SequenceView, catalogue: Option<&Catalogue>) -> Vec<String> {
    let can_change = |probe: &str| {
        let spec = catalogue.and_then(|catalogue| catalogue.find(probe));
        spec.is_none_or(|spec| spec.risk == Risk::Change)
    };
    view.steps.iter().filter(|step| can_change(&step.probe)).map(sequence_text::title).collect()
}

fn count(sequences: &[String]) -> String {
    if sequences.len() == 1 {
        "This sequence will".into()
    } else {
        format!("{} sequences will", sequences.len())
    }
}

fn parse_state(text: &str) -> Result<SequenceState, String> {
    serde_json::from_value(json!(text)).map_err(|_| {
        "one of draft, awaiting_approval, queued, held, offered, delivered, running, cancelling, succeeded, failed, \
         stopped, refused, cancelled, expired, lost"
            .to_owned()
    })
}

fn state_word(state: SequenceState) -> String {
    serde_json::to_value(state).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}

pub(super) fn parse_since(text: &str) -> Result<Timestamp, String> {
    match Milliseconds::parse(text) {
        Ok(span) => Ok(time::now().shifted_by_ms(-i64::try_from(span.0).unwrap_or(i64::MAX))),
        Err(_) => text.parse().map_err(|error| format!("{error}, nor a span such as 12h")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use tidegate_core::api::StepState;
    use tidegate_core::sequence::Finding;

    #[test]
    fn only_what_can_change_the_machine_asks_before_it_runs_again() {
        let view = sample::sequence(SequenceState::Failed, &[(StepState::Failed, Finding::None)]);
        let catalogue = |risk: &str| -> Catalogue {
            let probe = json!({"name": "ping", "about": "", "risk": risk, "arguments": [], "example": {}});
            serde_json::from_value(json!([probe])).unwrap()
        };
        assert!(actions_of(&view, Some(&catalogue("observe"))).is_empty());
        assert_eq!(actions_of(&view, Some(&catalogue("change"))), ["ping host=10.20.0.5"]);
        assert_eq!(actions_of(&view, None).len(), 1, "what is not known can change it");
    }

    #[test]
    fn states_and_times_read_as_scripts_write_them() {
        assert_eq!(parse_state("awaiting_approval"), Ok(SequenceState::AwaitingApproval));
        assert_eq!(state_word(SequenceState::AwaitingApproval), "awaiting_approval");
        assert!(parse_state("gone").is_err_and(|error| error.contains("queued")));
        assert_eq!(parse_since("2026-11-23T14:03:00Z"), Ok(sample::at("14:03:00")));
        assert!(parse_since("1h").is_ok_and(|since| since < time::now()));
        assert!(parse_since("yesterday").is_err());
    }
}
