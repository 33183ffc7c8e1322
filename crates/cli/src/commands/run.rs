//! `tidegate run`: queues checks and actions for machines, reachable now or not.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;
use tidegate_core::api::{NewSequence, SequenceView};
use tidegate_core::error::Code;
use tidegate_core::id::EndpointId;
use tidegate_core::sequence::{SequenceSpec, StepSpec, StopOn};
use tidegate_core::time::{Milliseconds, Timestamp};

use crate::arguments::{self, WrittenProbe};
use crate::client::{Answer, Api};
use crate::connection::Connection;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::names::Named;
use crate::output::Output;
use crate::progress::{self, Watched};
use crate::screen::Screen;
use crate::sequence_text::{self, Outputs};
use crate::text::{one_line, shortened};
use crate::{sequence_file, verdict};

/// Lines of each output that `--wait` shows; `sequences show` has the rest.
const OUTPUT_LINES_SHOWN: usize = 20;

/// How much of a command becomes the title of its sequence.
const TITLE_CHARACTERS_MAX: usize = 60;

/// Queue checks and actions for machines, reachable now or not.
#[derive(Debug, clap::Args)]
#[command(after_help = concat!(
    "\
What is queued is kept, and runs at most once, when the machine's path next opens.

Examples:
  tidegate run hmi-3 --probe ping host=10.20.0.5 count=4
  tidegate run hmi-3 hmi-4 --probe system_info --probe tail_file path=/var/log/syslog
  tidegate run hmi-3 --file servo.yaml --expires-in 2d
  tidegate run hmi-3 --wait --timeout 10m -- df -h

A sequence in a file:

",
    include_str!("../sequence_file/example.yaml"),
    "
What a machine can be asked: tidegate endpoints show ENDPOINT --probes

With --wait, of several machines the worse counts:
  0 done  1 a step did not succeed  3 not taken within --timeout  4 refused
  5 done but something needs attention, or under way when --timeout came"
))]
#[command(group = clap::ArgGroup::new("what").required(true).args(["file", "probe", "command"]))]
pub(crate) struct Args {
    /// The machines, by name or id
    #[arg(required = true, value_name = "ENDPOINT")]
    endpoints: Vec<String>,
    /// A sequence as YAML or JSON; `-` reads standard input
    #[arg(long, short, value_name = "SEQUENCE.yaml")]
    file: Option<PathBuf>,
    /// A check or action with its arguments; may be repeated
    #[arg(long, num_args = 1.., value_name = "PROBE KEY=VALUE")]
    probe: Vec<String>,
    /// A command for the machine's shell
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
    #[command(flatten)]
    settings: Settings,
    /// Keep a draft and queue nothing
    #[arg(long, conflicts_with = "wait")]
    draft: bool,
    /// Watch until it has ended, and judge by the exit code
    #[arg(long, short)]
    wait: bool,
    /// With --wait: how long at most; what is queued stays queued
    #[arg(long, value_name = "SPAN", requires = "wait", value_parser = Milliseconds::parse)]
    timeout: Option<Milliseconds>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    connection: Connection,
}

/// What goes before the same field of a file.
#[derive(Clone, Debug, Default, clap::Args)]
struct Settings {
    /// What it is for
    #[arg(long)]
    title: Option<String>,
    /// What ends it early: never, failed or attention [default: failed if a step can change the machine]
    #[arg(long, value_name = "WHEN", value_parser = parse_stop_on)]
    stop_on: Option<StopOn>,
    /// How long it may still start, such as 12h [default: 7d]
    #[arg(long, value_name = "SPAN", value_parser = Milliseconds::parse, conflicts_with = "expires_at")]
    expires_in: Option<Milliseconds>,
    /// Until when it may start, such as 2026-11-24T06:00:00Z
    #[arg(long, value_name = "TIME")]
    expires_at: Option<Timestamp>,
    /// Not to start before
    #[arg(long, value_name = "TIME")]
    not_before: Option<Timestamp>,
    /// Time limit of each --probe or COMMAND [default: 60s]
    #[arg(long, value_name = "SPAN", value_parser = Milliseconds::parse)]
    step_timeout: Option<Milliseconds>,
}

/// What to run, before it is fitted to a machine.
enum Source {
    Spec(SequenceSpec),
    Probes(Vec<WrittenProbe>),
}

/// Queues, and with `--wait` watches.
pub(crate) async fn run(args: Args, screen: &Screen) -> Result<Exit, Failure> {
    let source = read_source(&args)?;
    let api = super::connect(&args.connection)?;
    // Everything is judged before anything is queued: a mistake queues nothing anywhere.
    let mut planned: Vec<(Named<EndpointId>, SequenceSpec)> = Vec::new();
    for text in &args.endpoints {
        let endpoint = api.endpoint_named(text).await?;
        check_once(&planned, &endpoint)?;
        let spec = fit(&api, &source, &args.settings, endpoint.id, screen).await?;
        planned.push((endpoint, spec));
    }
    let timeout = args.timeout.map(|timeout| Duration::from_millis(timeout.0));
    let wait = args.wait.then_some(timeout);
    queue_and_tell(&api, &planned, args.draft, wait, args.output, screen).await
}

/// The same sequence for each of the machines that a person named.
///
/// # Errors
///
/// Where a name is nobody's, or one machine is named twice; nothing is queued.
pub(super) async fn plan(
    api: &Api,
    endpoints: &[String],
    spec: &SequenceSpec,
) -> Result<Vec<(Named<EndpointId>, SequenceSpec)>, Failure> {
    let mut planned: Vec<(Named<EndpointId>, SequenceSpec)> = Vec::new();
    for text in endpoints {
        let endpoint = api.endpoint_named(text).await?;
        check_once(&planned, &endpoint)?;
        planned.push((endpoint, spec.clone()));
    }
    Ok(planned)
}

/// Queues what is planned. With `wait` watches it, for as long as that says (`None` inside: until it has ended).
///
/// # Errors
///
/// Where something cannot be queued or read; what is queued already is told.
pub(super) async fn queue_and_tell(
    api: &Api,
    planned: &[(Named<EndpointId>, SequenceSpec)],
    draft: bool,
    wait: Option<Option<Duration>>,
    output: Output,
    screen: &Screen,
) -> Result<Exit, Failure> {
    let queued = queue_all(api, planned, draft, screen).await?;
    if let Some(timeout) = wait {
        let ids: Vec<_> = queued.iter().map(|queued| (queued.view.id, queued.machine.clone())).collect();
        let watched = progress::watch(api, &ids, timeout, screen).await?;
        return conclude(&watched, output, screen);
    }
    if output.json {
        screen.json(&document(&queued))?;
        return Ok(Exit::Done);
    }
    for queued in &queued {
        screen.line(told(queued, draft))?;
    }
    Ok(Exit::Done)
}

fn check_once(
    planned: &[(Named<EndpointId>, SequenceSpec)],
    endpoint: &Named<EndpointId>,
) -> Result<(), Failure> {
    if planned.iter().all(|(known, _)| known.id != endpoint.id) {
        return Ok(());
    }
    Err(Failure::usage(format!("machine `{}` is named twice", endpoint.name))
        .next("name each machine once; nothing was queued"))
}

fn read_source(args: &Args) -> Result<Source, Failure> {
    if let Some(file) = &args.file {
        if args.settings.step_timeout.is_some() {
            return Err(Failure::usage("--step-timeout does not go with --file")
                .next("write `timeout:` at the steps of the file"));
        }
        return sequence_file::read(file).map(Source::Spec);
    }
    if args.command.is_empty() {
        return arguments::read_probes(&args.probe).map(Source::Probes);
    }
    let step = arguments::command_step(&args.command, args.settings.step_timeout);
    // Among a day's sequences the command tells more than that it was one.
    let title = Some(shortened(&args.command.join(" "), TITLE_CHARACTERS_MAX));
    Ok(Source::Spec(SequenceSpec { title, ..spec_of(vec![step]) }))
}

/// The sequence for one machine: values typed by its catalogue, settings over the file's.
async fn fit(
    api: &Api,
    source: &Source,
    settings: &Settings,
    endpoint: EndpointId,
    screen: &Screen,
) -> Result<SequenceSpec, Failure> {
    let spec = match source {
        Source::Spec(spec) => spec.clone(),
        Source::Probes(probes) => {
            let catalogue = api.catalogue(endpoint).await?;
            if catalogue.is_none() {
                screen.note("The machine has not told its checks yet: it judges the arguments itself.");
            }
            let steps = probes.iter().map(|probe| probe.to_step(catalogue.as_ref(), settings.step_timeout));
            spec_of(steps.collect::<Result<_, _>>()?)
        }
    };
    let spec = settings.over(spec);
    spec.check_bounds().map_err(|error| {
        Failure::usage("it cannot be queued as it is")
            .answered_with(Code::InvalidSequence)
            .because(error)
            .next("correct the value that is named, then repeat; nothing was queued")
    })?;
    Ok(spec)
}

impl Settings {
    fn over(&self, spec: SequenceSpec) -> SequenceSpec {
        let has_expiry = self.expires_in.is_some() || self.expires_at.is_some();
        SequenceSpec {
            title: self.title.clone().or(spec.title),
            steps: spec.steps,
            stop_on: self.stop_on.or(spec.stop_on),
            expires_in: if has_expiry { self.expires_in } else { spec.expires_in },
            expires_at: if has_expiry { self.expires_at } else { spec.expires_at },
            not_before: self.not_before.or(spec.not_before),
            playbook: spec.playbook,
        }
    }
}

/// Queues machine by machine. One that fails ends it, and what is queued already is told.
async fn queue_all(
    api: &Api,
    planned: &[(Named<EndpointId>, SequenceSpec)],
    draft: bool,
    screen: &Screen,
) -> Result<Vec<Watched>, Failure> {
    let mut queued: Vec<Watched> = Vec::new();
    for (endpoint, spec) in planned {
        let body = NewSequence { spec: spec.clone(), draft };
        let sent = api.post(&["endpoints", &endpoint.id.to_string(), "sequences"], &body).await;
        let read = sent.and_then(|answer: Answer| answer.parse().map(|view: SequenceView| (answer, view)));
        match read {
            Ok((answer, view)) => queued.push(Watched { machine: endpoint.name.clone(), answer, view }),
            Err(failure) => {
                for queued in &queued {
                    screen.note(&format!("{} (before what follows)", told(queued, draft)));
                }
                return Err(failure.because(format!("nothing was queued for `{}`", endpoint.name)));
            }
        }
    }
    Ok(queued)
}

fn conclude(watched: &[Watched], output: Output, screen: &Screen) -> Result<Exit, Failure> {
    if output.json {
        screen.json(&document(watched))?;
    } else {
        for (index, watched) in watched.iter().enumerate() {
            // Progress that was updated in place stands right above.
            let gap = if index == 0 && !(screen.is_terminal && screen.is_live) { "" } else { "\n" };
            let outputs = Outputs::Last(OUTPUT_LINES_SHOWN);
            let text = sequence_text::sequence(&watched.view, &watched.machine, outputs, screen);
            screen.write(&format!("{gap}{text}"))?;
        }
    }
    let exits = watched.iter().map(|watched| verdict::exit_of(&watched.view));
    Ok(exits.fold(Exit::Done, Exit::worse))
}

/// One sequence as the API answered it, several in the shape of a listing.
fn document(watched: &[Watched]) -> String {
    match watched {
        [only] => only.answer.text.clone(),
        several => {
            let items: Vec<_> = several.iter().map(|watched| watched.answer.text.trim()).collect();
            format!("{{\"items\":[{}],\"next\":null}}", items.join(","))
        }
    }
}

fn told(queued: &Watched, draft: bool) -> String {
    let (machine, id) = (one_line(&queued.machine), queued.view.id);
    let did = if draft { "drafted" } else { "queued" };
    let waiting = queued.view.waiting_for.as_deref().filter(|_| !draft);
    let waiting = waiting.map(|waiting| format!("\n  waits for {}", one_line(waiting))).unwrap_or_default();
    format!("`{}` is {did} for {machine}: {id}{waiting}", one_line(&queued.view.title))
}

fn spec_of(steps: Vec<StepSpec>) -> SequenceSpec {
    SequenceSpec {
        title: None,
        steps,
        stop_on: None,
        expires_in: None,
        expires_at: None,
        not_before: None,
        playbook: None,
    }
}

fn parse_stop_on(text: &str) -> Result<StopOn, String> {
    serde_json::from_value(json!(text)).map_err(|_| "one of never, failed, attention".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_goes_before_the_same_field_of_a_file() {
        let file = SequenceSpec {
            title: Some("from the file".into()),
            expires_at: "2026-11-24T00:00:00Z".parse().ok(),
            ..spec_of(Vec::new())
        };
        let settings = Settings { expires_in: Some(Milliseconds::from_days(2)), ..Settings::default() };
        let merged = settings.over(file.clone());
        assert_eq!(merged.title, file.title);
        assert_eq!((merged.expires_in, merged.expires_at), (Some(Milliseconds::from_days(2)), None));
        assert_eq!(Settings::default().over(file.clone()), file);
    }

    #[test]
    fn the_ways_to_end_early_are_the_words_of_the_files() {
        assert_eq!(parse_stop_on("attention"), Ok(StopOn::Attention));
        assert!(parse_stop_on("sometimes").is_err());
    }
}
