//! `tidegate demo`: the product's story on one computer, with nothing acted.
//!
//! A control plane and this computer's runtime are separate processes; between them is a [`Link`] that
//! really cuts connections. The scenes only narrate what these do.
//!
//! [`Link`]: crate::link::Link

mod children;
mod narrator;
mod scenes;
mod stage;
mod timetable;

use std::path::PathBuf;
use std::time::Duration;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::link::Path;
use crate::screen::Screen;
use crate::text::{shell_word, shortened};
use crate::time;

use narrator::Narrator;
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
    let narrator = Narrator::new(screen);
    narrator.paragraph(
        "Tidegate: one night, in about a minute. Nothing is acted: the control plane and this computer's runtime \
         are programs of their own, and the link between them really cuts connections. Times are UTC.",
    )?;
    scenes::afternoon(stage, &narrator).await?;
    let mut timetable = scenes::night(stage, &narrator).await?;
    let sequence = scenes::queue(stage, &narrator).await?;
    scenes::windows(stage, &mut timetable, sequence, &narrator).await?;
    scenes::morning(stage, sequence, &narrator).await?;
    let proved = scenes::proof(stage, &narrator).await?;
    if exit {
        return Ok(proved);
    }
    invite(stage, &narrator).await?;
    keep_playing(stage, screen).await
}

/// Says how to queue something of one's own.
async fn invite(stage: &Stage, narrator: &Narrator<'_>) -> Result<(), Failure> {
    stage.write_environment()?;
    let machine = shell_word(&stage.machine().await?.name);
    let environment = shell_word(&stage.environment_file().display().to_string());
    let root = stage.root.map(|root| root.to_string()).unwrap_or_default();
    let [open, closed] = AFTERWARDS.map(|(_, lasts)| lasts.as_secs());
    narrator.heading("Your turn")?;
    narrator.paragraph(&format!(
        "From here on the link is open {open} s and closed {closed} s, again and again. In another terminal:"
    ))?;
    let screen = narrator.screen();
    screen.line(format!(
        "\n  . {environment}\n\n  \
         tidegate endpoints\n  \
         tidegate run {machine} --wait -- uname -a\n  \
         tidegate run {machine} --probe ping host=127.0.0.1 count=3\n  \
         tidegate transcript {machine}\n  \
         tidegate export {machine} --out record.tgx --force\n  \
         tidegate verify record.tgx --root {root}\n"
    ))?;
    narrator.paragraph(&format!(
        "What the machine can be asked: `tidegate endpoints show {machine} --probes`."
    ))?;
    screen.line(format!(
        "\nThe console, and its link for whoever has not used it: it works once, here or with `tidegate login`:\n\n  {}\n  {}\n",
        stage.url, stage.sign_in_link
    ))?;
    let kept = if stage.is_temporary() { "ends both programs and removes it" } else { "ends both programs" };
    narrator.paragraph(&format!("Everything is in {}; Ctrl-C {kept}.", stage.directory().display()))?;
    Ok(screen.line("")?)
}

/// Opens and closes the link for ever. A terminal has one line that counts down, everything else a line a change.
async fn keep_playing(stage: &mut Stage, screen: &Screen) -> Result<Exit, Failure> {
    for (path, lasts) in AFTERWARDS.into_iter().cycle() {
        stage.set_link(path).await?;
        let ends = tokio::time::Instant::now() + lasts;
        let mut left = lasts.as_secs();
        while left > 0 {
            let counts = stage.link_counts();
            let line = format!(
                "{}  the link is {path} for {left} s  ({} bytes up, {} bytes down so far)",
                time::clock(time::now()),
                counts.up_bytes,
                counts.down_bytes
            );
            if screen.is_terminal && screen.is_live {
                screen.progress(&format!("\r\u{1b}[K{}", shortened(&line, screen.width - 1)));
                left -= 1;
            } else {
                screen.line(line)?;
                left = 0;
            }
            stage.sleep_until(ends - Duration::from_secs(left)).await?;
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
