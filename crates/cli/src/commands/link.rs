//! `tidegate link`: a network path that opens and closes on a schedule, for trials.

use std::net::SocketAddr;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::link::{Closed, Link, LinkOptions, Path, Schedule};
use crate::screen::Screen;
use crate::time;

/// A network path that opens and closes on a schedule, for trials.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A small TCP proxy. While it is closed, established connections are cut and new ones refused, or with
`--closed silent` everything is swallowed and nobody is told.

Examples:
  tidegate link --listen 127.0.0.1:9000 --to 127.0.0.1:8080 --schedule 'closed 20s, open 12s'
  tidegate link --listen 127.0.0.1:9000 --to 127.0.0.1:8080 --schedule 'open 1m, closed'
  tidegate link --listen 127.0.0.1:0 --to 127.0.0.1:8080 --always-open")]
#[command(group = clap::ArgGroup::new("when").required(true).args(["schedule", "always_open"]))]
pub(crate) struct Args {
    /// Where it listens; port 0 picks a free one
    #[arg(long, value_name = "ADDR")]
    listen: SocketAddr,
    /// Where it leads
    #[arg(long, value_name = "HOST:PORT")]
    to: String,
    /// When it is open; begins again unless the last state has no length
    #[arg(long, value_name = "SCHEDULE")]
    schedule: Option<Schedule>,
    /// Open for good
    #[arg(long)]
    always_open: bool,
    /// What it does while it is closed
    #[arg(long, value_enum, default_value_t = Closed::Cut)]
    closed: Closed,
}

/// Runs the link until Ctrl-C, and says at its end what passed.
pub(crate) async fn run(args: Args, screen: &Screen) -> Result<Exit, Failure> {
    let schedule = args.schedule.unwrap_or_else(Schedule::always_open);
    let listen = args.listen;
    let options = LinkOptions { listen, to: args.to, closed: args.closed, open: false };
    let link = Link::start(options)
        .await
        .map_err(|error| Failure::refused(format!("failed to listen on {listen}")).caused_by(&error))?;
    screen.line(format!("listening on {}: {schedule}", link.address()))?;
    tokio::select! {
        played = play(&link, &schedule, screen) => played?,
        _ = tokio::signal::ctrl_c() => {}
    }
    let counts = link.counts();
    screen.line(format!(
        "{} connections, {} bytes up, {} bytes down",
        counts.connections, counts.up_bytes, counts.down_bytes
    ))?;
    Ok(Exit::Done)
}

async fn play(link: &Link, schedule: &Schedule, screen: &Screen) -> Result<(), Failure> {
    for span in schedule.spans() {
        match span.path {
            Path::Open => link.open().await,
            Path::Closed => link.close().await,
        }
        .map_err(|error| Failure::refused("failed to change the link").caused_by(&error))?;
        let counts = link.counts();
        let lasts = span.lasts.map_or_else(|| "for good".to_owned(), |lasts| format!("for {lasts}"));
        screen.line(format!(
            "{}  {} {lasts}  ({} bytes up, {} bytes down so far)",
            time::full(time::now()),
            span.path,
            counts.up_bytes,
            counts.down_bytes
        ))?;
        match span.duration() {
            Some(duration) => tokio::time::sleep(duration).await,
            None => std::future::pending().await,
        }
    }
    Ok(())
}
