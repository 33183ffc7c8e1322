//! `tidegate playbooks`: sequences with parameters, a name and versions.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Subcommand;
use serde_json::{Map, Value, json};
use tidegate_core::api::{PlaybookPatch, PlaybookSummary, PlaybookValues, PlaybookView};
use tidegate_core::error::Code;
use tidegate_core::obstacle::Obstacle;
use tidegate_core::playbook::{PlaybookSpec, YAML_BYTES_MAX, yaml_read, yaml_write};
use tidegate_core::sequence::SequenceSpec;
use tidegate_core::time::Milliseconds;

use crate::client::{Answer, Api, LISTING_ITEMS_MAX};
use crate::connection::Connection;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::screen::Screen;
use crate::table::{Column, Table};
use crate::text::{lines, one_line, shell_word};
use crate::{sequence_file, time};

use super::{export, playbook_text, run as queueing};

/// Sequences with parameters, a name and versions.
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
        /// Also those that were archived
        #[arg(long)]
        archived: bool,
    },
    /// Show one: what it is for, its parameters, its steps, how long it takes
    Show {
        /// Its name or id
        playbook: String,
        /// Another version than the current one
        #[arg(long, value_name = "N")]
        version: Option<u32>,
        /// Print it as YAML, as `import` reads it
        #[arg(long, conflicts_with = "json")]
        yaml: bool,
    },
    /// Make one of a YAML file, or a new version where one of that name exists
    #[command(after_help = "Example:\n  tidegate playbooks import lost-controller.yaml")]
    Import {
        /// The file; `-` reads standard input
        file: PathBuf,
    },
    /// Write one to a YAML file
    Export {
        /// Its name or id
        playbook: String,
        /// The file to write
        #[arg(long, short, value_name = "FILE")]
        out: PathBuf,
        /// Replace the file if it exists
        #[arg(long)]
        force: bool,
    },
    /// Put one away; it can still be read, and taken out again
    Archive {
        /// Its name or id
        playbook: String,
    },
    /// Take out again what was archived
    Unarchive {
        /// Its name or id
        playbook: String,
    },
    /// Fill one in and queue it for machines, reachable now or not
    #[command(after_help = "\
Example:
  tidegate playbooks run 'Service is down' --endpoint hmi-3 --set service=OpcUaClient --wait")]
    Run(Box<Queue>),
}

#[derive(Debug, clap::Args)]
struct Queue {
    /// Its name or id
    playbook: String,
    /// The machines, by name or id; may be repeated
    #[arg(long, short, required = true, num_args = 1.., value_name = "ENDPOINT")]
    endpoint: Vec<String>,
    /// A parameter's value; may be repeated
    #[arg(long, short, num_args = 1.., value_name = "NAME=VALUE", value_parser = parse_pair)]
    set: Vec<(String, String)>,
    /// Keep a draft and queue nothing
    #[arg(long, conflicts_with = "wait")]
    draft: bool,
    /// Watch until it has ended, and judge by the exit code
    #[arg(long, short)]
    wait: bool,
    /// With --wait: how long at most; what is queued stays queued
    #[arg(long, value_name = "SPAN", requires = "wait", value_parser = Milliseconds::parse)]
    timeout: Option<Milliseconds>,
}

/// Lists, shows, saves, archives or runs playbooks.
pub(crate) async fn run(args: Args, screen: &Screen) -> Result<Exit, Failure> {
    let api = super::connect(&args.connection)?;
    let output = args.output;
    match args.act.unwrap_or(Act::List { archived: false }) {
        Act::List { archived } => list(&api, archived, output, screen).await?,
        Act::Show { playbook, version, yaml } => {
            let (answer, view) = read(&api, &playbook, version).await?;
            if yaml {
                let yaml = yaml_write(&view.spec);
                // A file gets it as it is; a terminal would obey what a name may hide.
                screen.write(&if screen.is_terminal { lines(&yaml) } else { yaml })?;
            } else {
                output.one(screen, &answer, |view| playbook_text::playbook(&view, screen))?;
            }
        }
        Act::Import { file } => import(&api, &file, output, screen).await?,
        Act::Export { playbook, out, force } => {
            let (_, view) = read(&api, &playbook, None).await?;
            export::write_text(&yaml_write(&view.spec), &out, force)?;
            let file = shell_word(&out.display().to_string());
            screen.line(format!(
                "Version {} of `{}` is in {file}.",
                view.version,
                one_line(&view.spec.name)
            ))?;
        }
        Act::Archive { playbook } => put(&api, &playbook, "archive", output, screen).await?,
        Act::Unarchive { playbook } => put(&api, &playbook, "unarchive", output, screen).await?,
        Act::Run(queue) => return queue_filled(&api, &queue, output, screen).await,
    }
    Ok(Exit::Done)
}

async fn list(api: &Api, archived: bool, output: Output, screen: &Screen) -> Result<(), Failure> {
    let query: &[(&str, &str)] = if archived { &[("archived", "true")] } else { &[] };
    let listing = api.list(&["playbooks"], query, LISTING_ITEMS_MAX).await?;
    let table = Table::new(&[Column::Wrapped("NAME"), Column::Whole("VERSION"), Column::Wrapped("WHAT FOR")]);
    let empty = "No playbooks. Make one with: tidegate playbooks import FILE";
    output.listing(screen, &listing, table, empty, |table, playbook: PlaybookSummary| {
        let put_away = playbook.archived_at.map(|at| format!("\narchived {}", time::short(at)));
        table.row(&[
            format!("{}{}", playbook.name, put_away.unwrap_or_default()),
            playbook.version.to_string(),
            playbook.about,
        ]);
    })
}

/// The playbook that a person named, as it was answered and as it reads.
async fn read(api: &Api, text: &str, version: Option<u32>) -> Result<(Answer, PlaybookView), Failure> {
    let id = api.playbook_named(text).await?.id.to_string();
    let version = version.map(|version| version.to_string());
    let query: Vec<_> = version.iter().map(|version| ("version", version.as_str())).collect();
    let answer = api.get(&["playbooks", &id], &query).await?;
    let view = answer.parse()?;
    Ok((answer, view))
}

async fn import(api: &Api, file: &Path, output: Output, screen: &Screen) -> Result<(), Failure> {
    let spec = read_file(file)?;
    let listing = api.list(&["playbooks"], &[("archived", "true")], LISTING_ITEMS_MAX).await?;
    let known: Vec<PlaybookSummary> = listing.parse()?;
    let same = known.iter().find(|playbook| playbook.name.eq_ignore_ascii_case(&spec.name));
    let Some(same) = same else {
        let answer = api.post(&["playbooks"], &spec).await?;
        return output.one(screen, &answer, |view: PlaybookView| {
            format!("Playbook `{}` is made: {}\n", one_line(&view.spec.name), view.id)
        });
    };
    let path = ["playbooks", &same.id.to_string()];
    let answer = api.patch(&path, same.version, &PlaybookPatch::whole(spec)).await?;
    output.one(screen, &answer, |view: PlaybookView| {
        let name = one_line(&view.spec.name);
        match view.version == same.version {
            true => format!("Playbook `{name}` says that already: it stays at version {}\n", view.version),
            false => format!("Playbook `{name}` is at version {}\n", view.version),
        }
    })
}

fn read_file(file: &Path) -> Result<PlaybookSpec, Failure> {
    let text = sequence_file::read_text(file, YAML_BYTES_MAX as u64)?;
    yaml_read(&text).map_err(|error| {
        Failure::usage(format!("`{}` is not a playbook", file.display()))
            .of(Obstacle::InvalidYaml)
            .because(error)
            .next("correct what is named, then repeat; nothing was stored. `tidegate playbooks show NAME --yaml` shows one")
    })
}

async fn put(api: &Api, playbook: &str, act: &str, output: Output, screen: &Screen) -> Result<(), Failure> {
    let id = api.playbook_named(playbook).await?.id.to_string();
    let answer = api.post(&["playbooks", &id, act], &json!({})).await?;
    output.one(screen, &answer, |view: PlaybookView| {
        let name = one_line(&view.spec.name);
        match view.archived_at {
            Some(_) => format!(
                "Playbook `{name}` is archived. Take it out again with: tidegate playbooks unarchive {id}\n"
            ),
            None => format!("Playbook `{name}` is in use.\n"),
        }
    })
}

/// Fills first, then queues: a mistake in a value queues nothing anywhere.
async fn queue_filled(api: &Api, queue: &Queue, output: Output, screen: &Screen) -> Result<Exit, Failure> {
    let (_, view) = read(api, &queue.playbook, None).await?;
    let asked = PlaybookValues { version: Some(view.version), values: values(&view.spec, &queue.set)? };
    let filled = api.post(&["playbooks", &view.id.to_string(), "fill"], &asked).await?;
    let spec: SequenceSpec = filled.parse()?;
    let planned = queueing::plan(api, &queue.endpoint, &spec).await?;
    let timeout = queue.timeout.map(|timeout| Duration::from_millis(timeout.0));
    let wait = queue.wait.then_some(timeout);
    queueing::queue_and_tell(api, &planned, queue.draft, wait, output, screen).await
}

/// What was typed, as values of the parameters' kinds. What is not of its kind stays text, so that who fills says what
/// would do.
fn values(spec: &PlaybookSpec, pairs: &[(String, String)]) -> Result<Map<String, Value>, Failure> {
    let mut values = Map::new();
    for (name, text) in pairs {
        let Some(parameter) = spec.parameter(name) else {
            let names: Vec<_> = spec.parameters.iter().map(|known| known.name.as_str()).collect();
            return Err(Failure::usage(format!("`{}` has no parameter `{name}`", spec.name))
                .answered_with(Code::InvalidPlaybook)
                .next(format!("it has: {}; nothing was queued", names.join(", "))));
        };
        if values.insert(name.clone(), parameter.read(text)).is_some() {
            return Err(Failure::usage(format!("`{name}` is set twice")).next("set it once"));
        }
    }
    Ok(values)
}

fn parse_pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_gets_the_type_of_its_parameter_and_an_unknown_name_is_refused() {
        let spec = yaml_read(
            "name: x\nparameters:\n  - { name: count, kind: integer, min: 1, max: 9, default: 1 }\n  - { name: host, \
             kind: text, required: true }\nsteps:\n  - { probe: ping, with: { host: \"{{host}}\", count: \
             \"{{count}}\" } }\n",
        )
        .unwrap();
        let read = |words: &[&str]| {
            let pairs: Vec<_> = words.iter().map(|word| parse_pair(word).unwrap()).collect();
            values(&spec, &pairs)
        };
        let typed = read(&["count=4", "host=5"]).unwrap();
        assert_eq!(Value::Object(typed), json!({ "count": 4, "host": "5" }));
        assert_eq!(read(&["host=a=b"]).unwrap()["host"], "a=b");
        let unknown = read(&["hosts=a"]).unwrap_err();
        assert_eq!(unknown.what, "`x` has no parameter `hosts`");
        assert_eq!(unknown.next.as_deref(), Some("it has: count, host; nothing was queued"));
        assert!(read(&["host=a", "host=b"]).is_err());
        assert!(parse_pair("=a").is_err() && parse_pair("a").is_err());
    }
}
