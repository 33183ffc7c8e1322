//! Why a command could not do what it was asked: what happened, why, and what to do next.

use std::io;

use tidegate_core::error::{Code, Error};
use tidegate_core::obstacle::{Obstacle, Obstructed};

use crate::exit::Exit;
use crate::screen::Screen;
use crate::text::one_line;

/// What to do where this computer itself fails, and nothing more is known.
const LOOK_BENEATH: &str = "see `dmesg` and the limits of this shell (`ulimit -a`), then repeat";

/// What ends a command early. Printed once, at the edge, by [`Failure::print`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// How the process ends.
    pub exit: Exit,
    /// The stable code; absent: the control plane's own is among the causes.
    pub code: Option<&'static str>,
    /// What happened, completing "failed to …". Empty: nothing is printed.
    pub what: String,
    /// The causes, the nearest first.
    pub why: Vec<String>,
    /// What to do next; absent: it follows from the rest.
    pub next: Option<String>,
}

impl Failure {
    /// A failure that ends with `exit`.
    pub(crate) fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self { exit, code: None, what: what.into(), why: Vec::new(), next: None }
    }

    /// The command line or a file it names does not read.
    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self::new(Exit::Usage, what).of(Obstacle::Usage)
    }

    /// It cannot be done; unless something more is known, this computer would not.
    pub(crate) fn refused(what: impl Into<String>) -> Self {
        Self::new(Exit::Refused, what).of(Obstacle::SystemFailed)
    }

    /// The path to what was asked is not there. Trying again may do.
    pub(crate) fn unreachable(obstacle: Obstacle, what: impl Into<String>) -> Self {
        Self::new(Exit::NotReachable, what).of(obstacle)
    }

    /// Names what it is.
    #[must_use]
    pub(crate) fn of(mut self, obstacle: Obstacle) -> Self {
        self.code = Some(obstacle.as_str());
        self
    }

    /// Says what the control plane would have answered, had it been asked.
    #[must_use]
    pub(crate) fn answered_with(mut self, code: Code) -> Self {
        self.code = Some(code.as_str());
        self
    }

    /// Adds a cause.
    #[must_use]
    pub(crate) fn because(mut self, why: impl core::fmt::Display) -> Self {
        self.why.push(why.to_string());
        self
    }

    /// Adds `error` and its chain of causes, each once.
    #[must_use]
    pub(crate) fn caused_by(mut self, error: &(dyn std::error::Error + 'static)) -> Self {
        let mut cause = Some(error);
        while let Some(error) = cause {
            let text = error.to_string();
            if self.why.last().is_none_or(|last| !last.contains(&text)) {
                self.why.push(text);
            }
            cause = error.source();
        }
        self
    }

    /// Says what to do next.
    #[must_use]
    pub(crate) fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// Prints it on standard error. Every part may quote hostile text, so each is made plain first.
    pub(crate) fn print(&self, screen: &Screen) {
        if !self.what.is_empty() {
            screen.note(&self.to_text());
        }
    }

    fn to_text(&self) -> String {
        let code = self.code.map(|code| format!(" ({code})")).unwrap_or_default();
        let mut text = format!("tidegate: {}{code}", one_line(&self.what));
        for why in &self.why {
            text.push_str(&format!("\n  why:  {}", one_line(why)));
        }
        let is_unnamed = self.code == Some(Obstacle::SystemFailed.as_str());
        if let Some(next) = self.next.as_deref().or(is_unnamed.then_some(LOOK_BENEATH)) {
            for (index, line) in next.lines().enumerate() {
                let label = if index == 0 { "next:" } else { "     " };
                text.push_str(&format!("\n  {label} {}", one_line(line)));
            }
        }
        text
    }
}

impl From<io::Error> for Failure {
    /// What writing to standard output can meet. A reader that went away (`| head`) is no failure.
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::new(Exit::Done, "")
        } else {
            Self::refused("failed to write the output").of(Obstacle::FileNotWritten).caused_by(&error)
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        let mut causes = error.chain().map(ToString::to_string);
        let failure = match error.downcast_ref::<Obstructed>() {
            Some(Obstructed { obstacle, what, next }) => {
                causes.find(|cause| cause == what);
                Self::new(Exit::Refused, what).of(*obstacle).next(next)
            }
            None => Self::refused(causes.next().unwrap_or_default()),
        };
        let failure = causes.fold(failure, Self::because);
        match error.downcast_ref() {
            // The core's refusal: its code is one of the control plane's.
            Some(Error::Problem(problem)) => {
                let code = problem.code;
                Self { code: None, ..failure }
                    .because(format!("{} ({})", code.title(), code.as_str()))
                    .next("correct what it names, then repeat; nothing was changed")
            }
            Some(Error::Sql(_)) | None => failure,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_what_why_and_what_next_and_never_sends_escapes_to_the_terminal() {
        let failure = Failure::refused("the control plane refused: \u{1b}[2Jconflict")
            .because("`hmi-3` was retired\non Monday")
            .next("adopt it first:\n  tidegate endpoints adopt hmi-3");
        insta::assert_snapshot!(failure.to_text(), @r"
        tidegate: the control plane refused: \x1b[2Jconflict (system_failed)
          why:  `hmi-3` was retired on Monday
          next: adopt it first:
                  tidegate endpoints adopt hmi-3
        ");
    }

    #[test]
    fn a_reader_that_went_away_is_no_failure() {
        let failure = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!((failure.exit, failure.what.as_str()), (Exit::Done, ""));
    }

    #[test]
    fn a_chain_of_causes_is_printed_once() {
        let error = anyhow::anyhow!("disk full").context("failed to write `/x`");
        let failure = Failure::from(error);
        assert_eq!(failure.what, "failed to write `/x`");
        assert_eq!(failure.why, ["disk full"]);
    }

    #[test]
    fn what_programs_meet_is_printed_with_its_code_and_what_to_do() {
        let obstructed = Obstructed::new(Obstacle::PortInUse, "failed to listen on `a`", "choose another");
        let error = anyhow::anyhow!("address in use").context(obstructed).context("failed to start");
        insta::assert_snapshot!(Failure::from(error).to_text(), @r"
        tidegate: failed to listen on `a` (port_in_use)
          why:  address in use
          next: choose another
        ");
        let refused = Error::invalid("an address has an @");
        let error = anyhow::Error::new(refused).context("failed to make the owner");
        insta::assert_snapshot!(Failure::from(error).to_text(), @r"
        tidegate: failed to make the owner
          why:  an address has an @
          why:  The request does not read (invalid_request)
          next: correct what it names, then repeat; nothing was changed
        ");
    }
}
