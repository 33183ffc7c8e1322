//! Why a command could not do what it was asked: what happened, why, and what to do next.

use std::io;

use crate::exit::Exit;
use crate::screen::Screen;
use crate::text::one_line;

/// What ends a command early. Printed once, at the edge, by [`Failure::print`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// How the process ends.
    pub exit: Exit,
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
        Self { exit, what: what.into(), why: Vec::new(), next: None }
    }

    /// The command line or a file it names does not read.
    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self::new(Exit::Usage, what)
    }

    /// It was reached and would not.
    pub(crate) fn refused(what: impl Into<String>) -> Self {
        Self::new(Exit::Refused, what)
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
        let mut text = format!("tidegate: {}", one_line(&self.what));
        for why in &self.why {
            text.push_str(&format!("\n  why:  {}", one_line(why)));
        }
        if let Some(next) = &self.next {
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
            Self::refused("failed to write the output").caused_by(&error)
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        let mut causes = error.chain().map(ToString::to_string);
        let what = causes.next().unwrap_or_default();
        Self { exit: Exit::Refused, what, why: causes.collect(), next: None }
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
        tidegate: the control plane refused: \x1b[2Jconflict
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
}
