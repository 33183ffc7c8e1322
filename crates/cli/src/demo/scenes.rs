//! The scenes of the story, in their order.

use std::fs;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tidegate_core::api::{
    ClientView, CodeView, NewClient, NewCode, NewSequence, NewSite, SequenceView, SiteView, StepState,
    StepView, TranscriptEntryView,
};
use tidegate_core::id::SequenceId;
use tidegate_core::obstacle::Obstacle;
use tidegate_core::sequence::{SequenceSpec, StepSpec, StopOn};
use tidegate_core::time::Timestamp;

use super::narrator::{self, Narrator};
use super::stage::{OWNER, Stage};
use super::timetable::Timetable;
use crate::client::LISTING_ITEMS_MAX;
use crate::commands::verify_keys::Known;
use crate::commands::{export, verify};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::link::Path;
use crate::screen::Tone;
use crate::sequence_text::{self, Outputs};
use crate::text::one_line;
use crate::{time, verdict};

/// How long a person needs to read what was just said.
const READING: Duration = Duration::from_millis(2_500);
/// How often the work is looked at while a window is open.
const LOOK_DELAY: Duration = Duration::from_millis(250);
/// A window that could not end the work is followed by others; a runtime that tries every two seconds
/// needs none of them.
const WINDOWS_MAX: u32 = 4;
/// Lines of each output that the morning shows.
const OUTPUT_LINES_SHOWN: usize = 6;
/// The machine that was lost: an address that documentation may use and nobody has (RFC 5737).
const SERVO: &str = "198.51.100.17";

/// A control plane starts, a client and a site are made, this computer enrols.
pub(super) async fn afternoon(stage: &mut Stage, narrator: &Narrator<'_>) -> Result<(), Failure> {
    narrator.heading("Afternoon: a machine is enrolled")?;
    stage.start_control_plane().await?;
    let api = stage.api()?;
    let client = NewClient { name: "Example Foods".into() };
    let client: ClientView = api.post(&["clients"], &client).await?.parse()?;
    let site = NewSite { client_id: client.id, name: "Plant 7".into(), time_zone: None, windows: Vec::new() };
    let site: SiteView = api.post(&["sites"], &site).await?.parse()?;
    let code = NewCode { site_id: site.id, uses: None, expires_in: None, endpoint_id: None };
    let code: CodeView = api.post(&["enrolment-codes"], &code).await?.parse()?;
    narrator.say(&format!("The control plane of {OWNER} is up, with an enrolment code for one machine."))?;
    let machine = stage.start_machine(code.code.as_deref().unwrap_or_default()).await?;
    let name = one_line(&machine.name);
    narrator.say(&format!("This computer is enrolled as `{name}` of {}, {}.", client.name, site.name))?;
    let [control_plane, runtime] = stage.process_ids();
    let address = stage.url.trim_start_matches("http://").trim_end_matches('/');
    narrator.block(&[
        format!("control plane <───────── link <──────────── runtime on {name}"),
        format!("{address:<25}{:<20}process {runtime}", stage.link_address()),
        format!("process {control_plane}"),
    ])?;
    narrator.say("Watch it in the console too. This link signs you in, once:")?;
    narrator.screen().line(format!("\n  {}\n", stage.sign_in_link))?;
    stage.sleep(READING).await
}

/// The link closes; something goes wrong on the machine; an alert reaches the operator.
pub(super) async fn night(stage: &mut Stage, narrator: &Narrator<'_>) -> Result<Timetable, Failure> {
    narrator.heading("Night: an alert, and no way in")?;
    let timetable = Timetable::begin()?;
    stage.set_link(Path::Closed).await?;
    narrator
        .say("The firewall closes the link: connections are cut, new ones refused. Its schedule tonight:")?;
    narrator.block(&timetable.lines())?;
    stage.sleep(READING).await?;
    let now = time::clock(time::now());
    let lines = [
        format!("{now} INFO  servo: heartbeat after 412 ms"),
        format!("{now} WARN  servo: heartbeat after 2950 ms"),
        format!("{now} ERROR servo {SERVO}: no heartbeat for 10 s, axis 2 stopped"),
    ];
    let log = stage.directory().join("app.log");
    fs::write(&log, lines.join("\n") + "\n").map_err(|error| {
        Failure::refused("failed to write the machine's log").of(Obstacle::FileNotWritten).caused_by(&error)
    })?;
    narrator.tell(Tone::Attention, "ALERT  Plant 7: HMI lost the servo controller")?;
    stage.sleep(READING).await?;
    Ok(timetable)
}

/// The operator queues real checks and goes home.
pub(super) async fn queue(stage: &mut Stage, narrator: &Narrator<'_>) -> Result<SequenceId, Failure> {
    let log = stage.directory().join("app.log").display().to_string();
    let steps = vec![
        step("system_info", json!({})),
        step("ping", json!({"host": SERVO, "count": 2, "timeout_ms": 500})),
        step("tail_file", json!({"path": log, "lines": 10})),
        step("shell", json!({"command": "for n in 1 2 3 4 5; do cat /proc/loadavg; sleep 3; done"})),
        step("shell", json!({"command": "df -h ."})),
    ];
    let spec = SequenceSpec {
        title: Some("HMI lost the servo controller".into()),
        steps,
        stop_on: Some(StopOn::Never),
        expires_in: None,
        expires_at: None,
        not_before: None,
        playbook: None,
    };
    let body = NewSequence { spec, draft: false };
    let answer = stage.api()?.post(&["endpoints", stage.endpoint(), "sequences"], &body).await?;
    let sequence: SequenceView = answer.parse()?;
    narrator.say("Nobody can reach the machine, and nobody has to wait for it. The operator queues:")?;
    let titles = sequence.steps.iter().map(|step| format!("{}. {}", step.index, sequence_text::title(step)));
    narrator.block(&titles.collect::<Vec<_>>())?;
    narrator.tell(Tone::Quiet, &verdict::of_sequence(&sequence).text())?;
    narrator.say("It is stored and signed. The operator goes home.")?;
    Ok(sequence.id)
}

/// Windows open and close until the work is done.
pub(super) async fn windows(
    stage: &mut Stage,
    timetable: &mut Timetable,
    sequence: SequenceId,
    narrator: &Narrator<'_>,
) -> Result<(), Failure> {
    let mut seen = Vec::new();
    for number in 1..=WINDOWS_MAX {
        let window = timetable.next_window();
        stage.sleep_until(window.opens).await?;
        narrator.heading(&format!("Window {number}: the link is open for {} s", window.lasts.as_secs()))?;
        let before = stage.link_counts();
        stage.set_link(Path::Open).await?;
        let view = follow(stage, sequence, window.closes(), time::now(), &mut seen, narrator).await?;
        stage.sleep_until(window.closes()).await?;
        stage.set_link(Path::Closed).await?;
        let after = stage.link_counts();
        narrator.say(&format!(
            "The link closes. {} bytes went to the control plane, {} to the machine.",
            after.up_bytes - before.up_bytes,
            after.down_bytes - before.down_bytes
        ))?;
        if view.state.is_ended() {
            return Ok(());
        }
        match view.steps.iter().find(|step| step.state == StepState::Running) {
            Some(step) => narrator.say(&format!(
                "It closed in the middle of step {}. The machine goes on by itself; what it finds comes with the \
                 next window.",
                step.index
            ))?,
            None => narrator.say("What is not back yet is safe, and goes on in the next window.")?,
        }
    }
    Err(Failure::new(Exit::NotReachable, format!("the work did not end within {WINDOWS_MAX} windows"))
        .of(Obstacle::NoAnswer))
}

/// Tells what becomes of the steps until all have ended or the window closes.
async fn follow(
    stage: &mut Stage,
    sequence: SequenceId,
    closes: tokio::time::Instant,
    opened: Timestamp,
    seen: &mut Vec<StepState>,
    narrator: &Narrator<'_>,
) -> Result<SequenceView, Failure> {
    loop {
        let view: SequenceView =
            stage.api()?.get(&["sequences", &sequence.to_string()], &[]).await?.parse()?;
        let was_away = seen.iter().all(|state| *state == StepState::Waiting);
        seen.resize(view.steps.len(), StepState::Waiting);
        let is_there = view.steps.iter().any(|step| is_on_machine(step.state));
        if was_away && is_there {
            narrator.say("The runtime checks in, takes the work and stores it before it says so.")?;
        }
        for (step, seen) in view.steps.iter().zip(seen.iter_mut()) {
            if *seen != step.state && is_news(step.state) {
                let verdict = verdict::of_step(step);
                let text = format!("{}. {:<12} {}", step.index, one_line(&step.probe), verdict.text());
                let text = format!("{text}{}", alone(step, opened));
                narrator.tell(verdict.tone, &text)?;
            }
            *seen = step.state;
        }
        if view.state.is_ended() || tokio::time::Instant::now() + LOOK_DELAY >= closes {
            return Ok(view);
        }
        stage.sleep(LOOK_DELAY).await?;
    }
}

/// Tells of a step that ended before the link opened when it did.
fn alone(step: &StepView, opened: Timestamp) -> String {
    let finished = step.attempts.last().and_then(|attempt| attempt.finished_at);
    match finished.filter(|finished| *finished < opened) {
        Some(finished) => format!(" (at {}, while the link was closed)", time::clock(finished)),
        None => String::new(),
    }
}

fn is_on_machine(state: StepState) -> bool {
    !matches!(state, StepState::Waiting | StepState::Held | StepState::Offered)
}

/// Whether a step that came into `state` is worth a line of its own.
fn is_news(state: StepState) -> bool {
    is_on_machine(state) && state != StepState::Delivered
}

/// The day shift reads the transcript.
pub(super) async fn morning(
    stage: &mut Stage,
    sequence: SequenceId,
    narrator: &Narrator<'_>,
) -> Result<(), Failure> {
    narrator.heading("Morning: the day shift reads the transcript")?;
    narrator.say("The machine is out of reach again. What came back is here:")?;
    let api = stage.api()?;
    let machine = stage.machine().await?.name;
    let view: SequenceView = api.get(&["sequences", &sequence.to_string()], &[]).await?.parse()?;
    let outputs = Outputs::Last(OUTPUT_LINES_SHOWN);
    let screen = narrator.screen().narrower(narrator::VERBATIM_INDENT);
    narrator.verbatim(&sequence_text::sequence(&view, &machine, outputs, &screen))?;
    stage.sleep(READING).await
}

/// An auditor takes the record away and proves it.
pub(super) async fn proof(stage: &mut Stage, narrator: &Narrator<'_>) -> Result<Exit, Failure> {
    narrator.heading("Proof: the record is exported and verified")?;
    let api = stage.api()?;
    let path = ["endpoints", stage.endpoint(), "transcript"];
    let entries: Vec<TranscriptEntryView> = api.list(&path, &[], LISTING_ITEMS_MAX).await?.parse()?;
    let out = stage.directory().join("record.tgx");
    let bytes = export::write(api, stage.endpoint(), &out, false).await?;
    narrator.say(&format!(
        "The whole record, {} chained entries, is exported ({bytes} bytes) and checked with nothing but the file and the fingerprint of the owner's root key:",
        entries.len()
    ))?;
    let report = verify::verify(&out, stage.root, &Known::default())?;
    narrator.verbatim(&verify::text(&report, &Known::default(), narrator.screen()))?;
    Ok(verify::exit_of(&report))
}

fn step(probe: &str, with: Value) -> StepSpec {
    let with = match with {
        Value::Object(with) => with,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    };
    StepSpec { probe: probe.into(), with, timeout: None, rerun: false }
}
