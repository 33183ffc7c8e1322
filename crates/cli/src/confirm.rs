//! Asks before something that cannot be taken back.

use std::io::{self, BufRead};

use tidegate_core::obstacle::Obstacle;

use crate::failure::Failure;
use crate::screen::Screen;
use crate::text::one_line;

/// Flag of every command that cannot be taken back.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(crate) struct Confirmation {
    /// Do it without asking; needed where nobody can be asked
    #[arg(long, short = 'y')]
    pub yes: bool,
}

impl Confirmation {
    /// Returns when `--yes` was given or the person says yes to `consequence`, a sentence that says what
    /// will be so afterwards.
    ///
    /// # Errors
    ///
    /// A usage [`Failure`] when they say anything else, or nobody can be asked. Nothing was done then.
    pub(crate) fn obtain(self, screen: &Screen, consequence: &str) -> Result<(), Failure> {
        if self.yes {
            return Ok(());
        }
        if !screen.can_ask {
            return Err(Failure::usage("this needs a confirmation, and there is nobody to ask")
                .of(Obstacle::NotConfirmed)
                .because(consequence)
                .next("repeat the command with --yes if that is what you want"));
        }
        screen.progress(&format!("{}\nGo on? Type `yes`: ", one_line(consequence)));
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer)?;
        if is_yes(&answer) {
            Ok(())
        } else {
            Err(Failure::usage("not confirmed; nothing was done")
                .of(Obstacle::NotConfirmed)
                .next("repeat the command, and answer `yes` if that is what you want"))
        }
    }
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_lowercase().as_str(), "yes" | "y")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    #[test]
    fn where_nobody_can_be_asked_only_the_flag_confirms() {
        let screen = Screen::plain();
        let failure = Confirmation { yes: false }.obtain(&screen, "`hmi-3` is revoked.").unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        assert_eq!(failure.why, ["`hmi-3` is revoked."]);
        assert_eq!(Confirmation { yes: true }.obtain(&screen, "`hmi-3` is revoked."), Ok(()));
    }

    #[test]
    fn anything_but_yes_is_no() {
        assert!(is_yes("yes\n") && is_yes("Y") && is_yes(" YES "));
        assert!(!is_yes("") && !is_yes("no") && !is_yes("yess") && !is_yes("\n"));
    }
}
