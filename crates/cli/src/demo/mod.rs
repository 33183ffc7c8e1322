//! `tidegate demo`: the product's story on one computer, with nothing acted.
//!
//! A control plane and this computer's runtime are separate processes; between them is a [`Link`] that
//! really cuts connections. The scenes only narrate what these do.
//!
//! [`Link`]: crate::link::Link

mod children;
mod scenes;
mod stage;

use std::path::PathBuf;
use std::time::Duration;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::link::Path;
use crate::screen::Screen;
use crate::text::shell_word;
use crate::time;

use stage::Stage;

/// How long the link stays open and closed after the story, for work of one's own.
const AFTERWARDS: [(Path, Duration); 2] =
    [(Path::Open, Duration::from_secs(30)), (Path::Closed, Duration::from_secs(20))];

/// What the demonstration is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DemoOptions {
    /// Where the data is kept; `None`: a temporary directory, removed at the end.
    pub data: Option<PathBuf>,
    /// Whether it ends after the story.
    pub exit: bool,
}

/// Plays the story, then stays up until Ctrl-C unless told to end. Every process it started has ended when
/// it returns.
pub(crate) async fn play(options: &DemoOptions, screen: &Screen) -> Result<Exit, Failure> {
    let mut stage = Stage::prepare(options.data.clone())?;
    let played = tokio::select! {
        played = story(&mut stage, options.exit, screen) => played,
        () = asked_to_end() => Ok(Exit::Done),
    };
    if played.is_err() {
        stage.keep_logs(screen);
    }
    screen.note("\nEnding what was started …");
    stage.end().await;
    played
}

async fn story(stage: &mut Stage, exit: bool, screen: &Screen) -> Result<Exit, Failure> {
    scenes::curtain(stage, screen).await?;
    scenes::night(stage, screen).await?;
    let sequence = scenes::queue(stage, screen).await?;
    let ended = scenes::window(stage, sequence, screen).await?;
    scenes::morning(stage, screen).await?;
    let proved = scenes::proof(stage, screen).await?;
    if exit {
        return Ok(ended.worse(proved));
    }
    invite(stage, screen)?;
    keep_playing(stage, screen).await
}

/// Says how to queue something of one's own.
fn invite(stage: &Stage, screen: &Screen) -> Result<(), Failure> {
    let program =
        std::env::current_exe().map_or_else(|_| "tidegate".into(), |path| path.display().to_string());
    let program = shell_word(&program);
    screen.line(format!("\n{}", screen.heading("Your turn")))?;
    screen.line(format!(
        "The link is open 30 s and closed 20 s, again and again. In another terminal:\n\n  \
         export TIDEGATE_URL={} TIDEGATE_TOKEN=\"$(cat {})\"\n  \
         {program} endpoints\n  \
         {program} run {} --probe ping host=127.0.0.1 count=3\n  \
         {program} run {} --wait -- uptime\n  \
         {program} transcript {}\n",
        shell_word(stage.url.trim_end_matches('/')),
        shell_word(&stage.token_file().display().to_string()),
        stage.endpoint(),
        stage.endpoint(),
        stage.endpoint(),
    ))?;
    screen.line(format!("Sign in (once): {}", stage.sign_in_link))?;
    screen.line(format!("Everything is in {}. Ctrl-C ends it all.\n", stage.directory().display()))?;
    Ok(())
}

async fn keep_playing(stage: &mut Stage, screen: &Screen) -> Result<Exit, Failure> {
    for (path, lasts) in AFTERWARDS.into_iter().cycle() {
        stage.set_link(path).await?;
        let counts = stage.link_counts();
        screen.line(format!(
            "{}  the link is {path} for {} s  ({} bytes up, {} bytes down so far)",
            time::clock(time::now()),
            lasts.as_secs(),
            counts.up_bytes,
            counts.down_bytes
        ))?;
        tokio::select! {
            () = tokio::time::sleep(lasts) => {}
            failure = stage.child_ended() => return Err(failure),
        }
    }
    Ok(Exit::Done)
}

/// Returns on Ctrl-C, and where there are such things on SIGTERM and SIGHUP.
async fn asked_to_end() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let (Ok(mut terminate), Ok(mut hang_up)) =
            (signal(SignalKind::terminate()), signal(SignalKind::hangup()))
        {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
                _ = hang_up.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
