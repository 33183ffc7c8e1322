//! The scenes of the story, in their order.

use std::fs;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tidegate_core::api::{
    ClientView, CodeView, NewClient, NewCode, NewSequence, NewSite, SequenceView, SiteView,
    TranscriptEntryView,
};
use tidegate_core::id::SequenceId;
use tidegate_core::sequence::{SequenceSpec, StepSpec, StopOn};

use super::stage::{OWNER, Stage};
use crate::client::LISTING_ITEMS_MAX;
use crate::commands::{export, transcript, verify};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::link::Path;
use crate::screen::{Screen, Tone};
use crate::text::one_line;
use crate::{host, progress, time, verdict};

/// The night: how long the link stays closed at first, and between windows.
const CLOSED: Duration = Duration::from_secs(12);
/// A window.
const OPEN: Duration = Duration::from_secs(20);
/// Windows until the story gives up. A runtime tries at least once a minute, so three always hold a try.
const WINDOWS_MAX: u32 = 3;

/// A control plane starts, a client and a site are made, this computer enrols.
pub(super) async fn curtain(stage: &mut Stage, screen: &Screen) -> Result<(), Failure> {
    heading(screen, "One afternoon")?;
    stage.start_control_plane().await?;
    say(screen, &format!("The control plane of {OWNER} is up at {}", stage.url))?;
    let api = stage.api()?;
    let client = NewClient { name: "Example Foods".into() };
    let client: ClientView = api.post(&["clients"], &client).await?.parse()?;
    let site = NewSite { client_id: client.id, name: "Plant 7".into(), time_zone: None };
    let site: SiteView = api.post(&["sites"], &site).await?.parse()?;
    let code = NewCode { site_id: site.id, uses: None, expires_in: None, endpoint_id: None };
    let code: CodeView = api.post(&["enrolment-codes"], &code).await?.parse()?;
    say(
        screen,
        &format!("Client `{}`, site `{}`, an enrolment code for one machine.", client.name, site.name),
    )?;
    let machine = stage.start_machine(code.code.as_deref().unwrap_or_default()).await?;
    let [control_plane, runtime] = stage.process_ids();
    say(
        screen,
        &format!(
            "This computer enrolled through the link as `{}` ({}).",
            one_line(&machine.name),
            machine.id
        ),
    )?;
    say(screen, &format!("Processes: control plane {control_plane}, runtime {runtime}."))
}

/// The link closes; something goes wrong on the machine; an alert reaches the operator.
pub(super) async fn night(stage: &mut Stage, screen: &Screen) -> Result<(), Failure> {
    heading(screen, "Night")?;
    stage.set_link(Path::Closed).await?;
    say(screen, "The link closes: every connection of the machine is cut, new ones are refused.")?;
    say(
        screen,
        &format!("Schedule: closed {} s, then open {} s, and again.", CLOSED.as_secs(), OPEN.as_secs()),
    )?;
    let now = time::now();
    let lines = [
        format!("{now} INFO  servo: heartbeat 412 ms"),
        format!("{now} WARN  servo: heartbeat 2950 ms"),
        format!("{now} ERROR servo: no heartbeat for 10 s, axis 2 stopped"),
    ];
    let log = stage.directory().join("app.log");
    fs::write(&log, lines.join("\n") + "\n")
        .map_err(|error| Failure::refused("failed to write the machine's log").caused_by(&error))?;
    let alert = format!("{} ALERT  Plant 7: HMI lost the servo controller", Tone::Attention.mark());
    say(screen, &screen.paint(Tone::Attention, &alert))?;
    say(screen, "The machine cannot be reached. Nobody has to wait for it.")
}

/// The operator queues real checks and goes home.
pub(super) async fn queue(stage: &mut Stage, screen: &Screen) -> Result<SequenceId, Failure> {
    let log = stage.directory().join("app.log").display().to_string();
    let steps = vec![
        step("system_info", json!({})),
        step("ping", json!({"host": "127.0.0.1", "count": 3})),
        step("tail_file", json!({"path": log, "lines": 10})),
        step("shell", json!({"command": "df -h"})),
    ];
    let spec = SequenceSpec {
        title: Some("HMI lost the servo controller".into()),
        steps,
        stop_on: Some(StopOn::Never),
        expires_in: None,
        expires_at: None,
        not_before: None,
    };
    let body = NewSequence { spec, draft: false };
    let answer = stage.api()?.post(&["endpoints", stage.endpoint(), "sequences"], &body).await?;
    let sequence: SequenceView = answer.parse()?;
    say(
        screen,
        &format!("The operator queues {} steps and goes home: {}", sequence.steps.len(), sequence.id),
    )?;
    for step in &sequence.steps {
        screen.line(format!("            {}. {}", step.index, crate::sequence_text::title(step)))?;
    }
    let waiting = sequence.waiting_for.as_deref().unwrap_or("the machine's next check-in");
    say(screen, &format!("It waits for {}", one_line(waiting)))?;
    Ok(sequence.id)
}

/// Windows open and close until the work is done.
pub(super) async fn window(
    stage: &mut Stage,
    sequence: SequenceId,
    screen: &Screen,
) -> Result<Exit, Failure> {
    let machine = stage.machine().await?.name;
    for _ in 0..WINDOWS_MAX {
        sleep(stage, CLOSED).await?;
        heading(screen, "A window")?;
        let before = stage.link_counts();
        stage.set_link(Path::Open).await?;
        say(screen, &format!("The link opens for {} s at most.", OPEN.as_secs()))?;
        let watched = [(sequence, machine.clone())];
        let seen = progress::watch(stage.api()?, &watched, Some(OPEN), screen).await?;
        stage.set_link(Path::Closed).await?;
        let after = stage.link_counts();
        say(
            screen,
            &format!(
                "The link closes. {} bytes went up to the control plane, {} down to the machine.",
                after.up_bytes - before.up_bytes,
                after.down_bytes - before.down_bytes
            ),
        )?;
        if let Some(seen) = seen.first().filter(|seen| seen.view.state.is_ended()) {
            return Ok(match verdict::exit_of(&seen.view) {
                // What the checks found is the story's own; only work that did not run ends it badly.
                Exit::Attention => Exit::Done,
                exit => exit,
            });
        }
        say(screen, "The work is not all back yet; what is, is safe. It goes on in the next window.")?;
    }
    Err(Failure::new(Exit::NotReachable, format!("the work did not end within {WINDOWS_MAX} windows")))
}

/// The day shift reads the transcript.
pub(super) async fn morning(stage: &mut Stage, screen: &Screen) -> Result<(), Failure> {
    heading(screen, "Morning")?;
    say(screen, "The machine is out of reach again. The day shift opens the transcript:")?;
    let api = stage.api()?;
    let machine = stage.machine().await?.name;
    let path = ["endpoints", stage.endpoint(), "transcript"];
    let entries: Vec<TranscriptEntryView> = api.list(&path, &[], LISTING_ITEMS_MAX).await?.parse()?;
    let sequences = transcript::sequences_of(api, &entries).await?;
    screen.line("")?;
    screen.write(&transcript::text(&machine, &sequences, &entries, screen))?;
    Ok(())
}

/// An auditor takes the record away and proves it.
pub(super) async fn proof(stage: &mut Stage, screen: &Screen) -> Result<Exit, Failure> {
    heading(screen, "Proof")?;
    let out = stage.directory().join("record.tgx");
    let bytes = export::write(stage.api()?, stage.endpoint(), &out, false).await?;
    say(screen, &format!("The record is exported to {} ({bytes} bytes) and proved:", out.display()))?;
    let file = fs::File::open(&out)
        .map_err(|error| Failure::refused(format!("failed to open `{}`", out.display())).caused_by(&error))?;
    let report = host::verify(std::io::BufReader::new(file))?;
    screen.line("")?;
    screen.write(&verify::text(&report, screen))?;
    Ok(if report.findings.is_empty() { Exit::Done } else { Exit::Attention })
}

fn step(probe: &str, with: Value) -> StepSpec {
    let with = match with {
        Value::Object(with) => with,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    };
    StepSpec { probe: probe.into(), with, timeout: None, rerun: false }
}

/// Sleeps, unless one of the processes ends meanwhile.
async fn sleep(stage: &mut Stage, duration: Duration) -> Result<(), Failure> {
    tokio::select! {
        () = tokio::time::sleep(duration) => Ok(()),
        failure = stage.child_ended() => Err(failure),
    }
}

fn heading(screen: &Screen, text: &str) -> Result<(), Failure> {
    Ok(screen.line(format!("\n{}", screen.heading(text)))?)
}

fn say(screen: &Screen, text: &str) -> Result<(), Failure> {
    Ok(screen.line(format!("  {}  {text}", time::clock(time::now())))?)
}
