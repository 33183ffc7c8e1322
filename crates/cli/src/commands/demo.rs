//! `tidegate demo`: the whole story on this computer.

use std::path::PathBuf;

use crate::demo::{self, DemoOptions};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::screen::Screen;

/// See the whole story on this computer: a control plane, a machine, a link that opens and closes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Everything is real and listens on 127.0.0.1 only: the control plane, this computer's runtime as a
separate process (`tidegate-runtime`, found beside this program or named by TIDEGATE_RUNTIME), and the
link between them. Then it stays up, for work of your own, until Ctrl-C.")]
pub(crate) struct Args {
    /// Keep the data here [default: a temporary directory, removed at the end]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// End after the story
    #[arg(long)]
    exit: bool,
}

/// Plays the story.
pub(crate) async fn run(args: Args, screen: &Screen) -> Result<Exit, Failure> {
    demo::play(&DemoOptions { data: args.data, exit: args.exit }, screen).await
}
