//! `tidegate link`: a network path that opens and closes on a schedule, for trials.

use std::net::SocketAddr;

use serde_json::json;
use tidegate_core::obstacle::Obstacle;
use tidegate_core::time::Milliseconds;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::link::{
    Closed, Conditions, Counts, Limit, Link, LinkOptions, Path, Rate, Schedule, Setting, Sided, Span, Told,
};
use crate::screen::Screen;
use crate::time;

/// A network path that opens and closes on a schedule and is as bad as you like, for trials.
///
/// Put it between a machine and its control plane: enrol the machine through the link's address, then close, slow
/// down or cut the path and watch what happens to the work.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A small TCP proxy. Up is towards --to, down is back. A plain value counts for each
direction on its own; for one alone write up:VALUE or down:VALUE.

How it is closed:
  cut      established connections are reset, new ones refused: an interface down
  silent   all is accepted and swallowed, nobody is told; goes on where it stood
  drop     packets are lost: no handshake, no acknowledgement; once the path is
           back, TCP repeats itself (Linux)
  forget   as drop, and what was established stays dead: a NAT that lost its
           table (Linux)

A schedule is a list of spans. Each is a state (open, closed, or one of the four
ways), how long it lasts, and conditions of its own, named like the flags:
  closed 20s, open 12s              again and again
  open 1m, closed                   what has no length stays
  forget 2m, open 6s rate=32kbit/s latency=300ms
                                    two minutes without a path, six bad seconds
  open 20s, forget 100ms, open 20s  connections are half-open, the path is fine

Examples, each after `tidegate link --listen 127.0.0.1:9000 --to 127.0.0.1:8080`:
  --schedule 'closed 20s, open 12s'
  --always-open --rate 32kbit/s --latency 300ms
  --always-open --cut-idle 60s --cut-tells nobody
  --always-open --cut-after up:20000

What passed is told at the end (Ctrl-C), at each change, and on SIGUSR1.")]
#[command(group = clap::ArgGroup::new("when").required(true).args(["schedule", "always_open"]))]
pub(crate) struct Args {
    /// Where it listens; port 0 picks a free one
    #[arg(long, value_name = "ADDR")]
    listen: SocketAddr,
    /// Where it leads
    #[arg(long, value_name = "HOST:PORT")]
    to: String,
    /// When it is open, and how; begins again unless the last state has no length
    #[arg(long, value_name = "SCHEDULE")]
    schedule: Option<Schedule>,
    /// Open for good
    #[arg(long)]
    always_open: bool,
    /// What it does while it is closed, where the schedule just says `closed`
    #[arg(long, value_enum, default_value_t = Closed::Cut, hide_possible_values = true, value_name = "WAY")]
    closed: Closed,
    /// How long bytes are under way, each way: 300ms makes a round trip of 600 ms
    #[arg(long, value_name = "SPAN")]
    latency: Vec<Sided<Milliseconds>>,
    /// Up to so much more, at random; order is kept
    #[arg(long, value_name = "SPAN")]
    jitter: Vec<Sided<Milliseconds>>,
    /// What all connections together may carry each way, such as 32kbit/s; the sender feels it
    #[arg(long, value_name = "RATE")]
    rate: Vec<Sided<Limit<Rate>>>,
    /// Ends each connection after so many bytes one way
    #[arg(long, value_name = "BYTES")]
    cut_after: Vec<Sided<Limit<u64>>>,
    /// Ends each connection so long after it began
    #[arg(long, value_name = "SPAN")]
    cut_age: Option<Limit<Milliseconds>>,
    /// Ends each connection that carried nothing for so long, as proxies and NAT do
    #[arg(long, value_name = "SPAN")]
    cut_idle: Option<Limit<Milliseconds>>,
    /// Who is told when a connection ends so: who is not, believes that it is connected
    #[arg(long, value_enum, default_value_t = Told::Both, value_name = "WHO")]
    cut_tells: Told,
    /// Prints each event as a line of JSON
    #[arg(long)]
    json: bool,
}

/// Runs the link until Ctrl-C or SIGTERM, and says at its end what passed.
pub(crate) async fn run(args: Args, screen: &Screen) -> Result<Exit, Failure> {
    let usual = args.conditions();
    let telling = Telling { screen, is_json: args.json };
    let schedule = args.schedule.unwrap_or_else(Schedule::always_open);
    let listen = args.listen;
    let options = LinkOptions { listen, to: args.to, conditions: usual, open: false };
    let link = Link::start(options).await.map_err(|error| {
        Failure::refused(format!("failed to listen on {listen}"))
            .of(Obstacle::AddressUnusable)
            .caused_by(&error)
    })?;
    telling.listening(&link, &schedule)?;
    tokio::select! {
        played = play(&link, &schedule, usual, telling) => played?,
        told = tell_when_asked(&link, telling) => told?,
        stopped = stopped() => stopped.map_err(|error| Failure::refused("failed to wait").caused_by(&error))?,
    }
    telling.counts("ended", link.counts())?;
    Ok(Exit::Done)
}

impl Args {
    fn conditions(&self) -> Conditions {
        let settings: Vec<_> = (self.latency.iter().map(|span| Setting::Latency(*span)))
            .chain(self.jitter.iter().map(|span| Setting::Jitter(*span)))
            .chain(self.rate.iter().map(|rate| Setting::Rate(*rate)))
            .chain(self.cut_after.iter().map(|bytes| Setting::CutAfter(*bytes)))
            .chain(self.cut_age.map(Setting::CutAge))
            .chain(self.cut_idle.map(Setting::CutIdle))
            .chain([Setting::CutTells(self.cut_tells)])
            .collect();
        Conditions::closing(self.closed).with(&settings)
    }
}

async fn play(
    link: &Link,
    schedule: &Schedule,
    usual: Conditions,
    telling: Telling<'_>,
) -> Result<(), Failure> {
    for span in schedule.spans() {
        change(link, &span, usual)
            .await
            .map_err(|error| Failure::refused("failed to change the link").caused_by(&error))?;
        telling.span(&span, link.counts())?;
        match span.duration() {
            Some(duration) => tokio::time::sleep(duration).await,
            None => std::future::pending().await,
        }
    }
    Ok(())
}

async fn change(link: &Link, span: &Span, usual: Conditions) -> std::io::Result<()> {
    let conditions = span.conditions(usual);
    match span.path {
        Path::Open => {
            // A closed link would change to another way of being closed first, and that may end connections.
            link.set(Conditions { closed: link.conditions().closed, ..conditions }).await?;
            link.open().await
        }
        Path::Closed => {
            link.set(conditions).await?;
            link.close().await
        }
    }
}

#[cfg(unix)]
async fn tell_when_asked(link: &Link, telling: Telling<'_>) -> Result<(), Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut asked = signal(SignalKind::user_defined1())
        .map_err(|error| Failure::refused("failed to listen for SIGUSR1").caused_by(&error))?;
    while asked.recv().await.is_some() {
        telling.counts("counts", link.counts())?;
    }
    Ok(())
}

#[cfg(not(unix))]
async fn tell_when_asked(_link: &Link, _telling: Telling<'_>) -> Result<(), Failure> {
    std::future::pending().await
}

#[cfg(unix)]
async fn stopped() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminated.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn stopped() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}

/// How events are told: as lines for people or for programs.
#[derive(Clone, Copy)]
struct Telling<'s> {
    screen: &'s Screen,
    is_json: bool,
}

impl Telling<'_> {
    fn listening(self, link: &Link, schedule: &Schedule) -> Result<(), Failure> {
        let address = link.address();
        let event = json!({ "event": "listening", "address": address, "schedule": schedule.to_string() });
        self.tell(&event, || format!("listening on {address}: {schedule}"))
    }

    fn span(self, span: &Span, counts: Counts) -> Result<(), Failure> {
        let now = time::now();
        let event = json!({
            "event": span.path.to_string(),
            "at": now.to_string(),
            "span": span.to_string(),
            "lasts_ms": span.lasts.map(|lasts| lasts.0),
            "connections": counts.connections,
            "up_bytes": counts.up_bytes,
            "down_bytes": counts.down_bytes,
        });
        self.tell(&event, || {
            let good = if span.lasts.is_some() { "" } else { " for good" };
            format!(
                "{}  {span}{good}  ({} bytes up, {} bytes down so far)",
                time::full(now),
                counts.up_bytes,
                counts.down_bytes
            )
        })
    }

    fn counts(self, event: &str, counts: Counts) -> Result<(), Failure> {
        let Counts { connections, up_bytes, down_bytes } = counts;
        let event = json!({
            "event": event,
            "at": time::now().to_string(),
            "connections": connections,
            "up_bytes": up_bytes,
            "down_bytes": down_bytes,
        });
        self.tell(&event, || {
            format!("{connections} connections, {up_bytes} bytes up, {down_bytes} bytes down")
        })
    }

    fn tell(self, event: &serde_json::Value, words: impl FnOnce() -> String) -> Result<(), Failure> {
        Ok(if self.is_json { self.screen.json(&event.to_string()) } else { self.screen.line(words()) }?)
    }
}
