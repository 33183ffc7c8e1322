//! Where output goes: what standard output and standard error are, and whether they may be coloured.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use crate::text::json_for_terminal;

/// How wide tables are where the terminal does not say.
const WIDTH_DEFAULT: usize = 80;
/// Narrower than this, tables stop being readable; they overflow rather than shrink further.
const WIDTH_MIN: usize = 60;

/// The terminal, or what stands for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Screen {
    /// Whether standard output is a terminal.
    pub is_terminal: bool,
    /// Whether standard error is a terminal: progress may be updated in place.
    pub is_live: bool,
    /// Whether a person can be asked: standard input and standard error are terminals.
    pub can_ask: bool,
    /// Whether colours are wanted: a terminal, and `NO_COLOR` is unset or empty (no-color.org).
    pub is_coloured: bool,
    /// Characters a line.
    pub width: usize,
}

pub(crate) use tidegate_core::words::Tone;

impl Screen {
    /// What this process is attached to.
    pub(crate) fn detect() -> Self {
        let is_terminal = io::stdout().is_terminal();
        let is_live = io::stderr().is_terminal();
        let is_plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        let columns = columns.or_else(terminal_columns);
        Self {
            is_terminal,
            is_live: is_live && std::env::var_os("TERM").is_none_or(|term| term != "dumb"),
            can_ask: is_live && io::stdin().is_terminal(),
            is_coloured: is_terminal && is_live && !is_plain,
            width: columns.unwrap_or(WIDTH_DEFAULT).max(WIDTH_MIN),
        }
    }

    /// One attached to nothing, for tests.
    pub(crate) fn plain() -> Self {
        Self { is_terminal: false, is_live: false, can_ask: false, is_coloured: false, width: WIDTH_DEFAULT }
    }

    /// The same with `columns` fewer characters a line, for what is set in.
    pub(crate) fn narrower(&self, columns: usize) -> Self {
        Self { width: self.width.saturating_sub(columns), ..*self }
    }

    /// Prints `text` and a line break on standard output.
    ///
    /// # Errors
    ///
    /// The error of the write, a reader that went away included.
    pub(crate) fn line(&self, text: impl Display) -> io::Result<()> {
        self.write(&format!("{text}\n"))
    }

    /// Prints `text` as it is on standard output.
    ///
    /// # Errors
    ///
    /// The error of the write, a reader that went away included.
    pub(crate) fn write(&self, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    /// Prints one JSON document on standard output, unchanged but for what a terminal would obey.
    ///
    /// # Errors
    ///
    /// The error of the write.
    pub(crate) fn json(&self, document: &str) -> io::Result<()> {
        let document = document.trim_end();
        if self.is_terminal { self.line(json_for_terminal(document)) } else { self.line(document) }
    }

    /// Prints a part of a JSON document, as [`Self::json`] does, without a line break.
    ///
    /// # Errors
    ///
    /// The error of the write.
    pub(crate) fn json_part(&self, part: &str) -> io::Result<()> {
        if self.is_terminal { self.write(&json_for_terminal(part)) } else { self.write(part) }
    }

    /// Prints `text` and a line break on standard error. Nothing depends on its being read, so a write
    /// that fails is no failure.
    pub(crate) fn note(&self, text: &str) {
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    /// Writes `text` as it is on standard error, for progress in place.
    pub(crate) fn progress(&self, text: &str) {
        let mut err = io::stderr().lock();
        let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
    }

    /// `text` in the colour of its tone, where colours are wanted.
    pub(crate) fn paint(&self, tone: Tone, text: &str) -> String {
        if !self.is_coloured {
            return text.to_owned();
        }
        let code = match tone {
            Tone::Good => "32",
            Tone::Attention => "33",
            Tone::Bad => "31",
            Tone::Active => "36",
            Tone::Quiet => "2",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }

    /// `text` bold, where colours are wanted.
    pub(crate) fn heading(&self, text: &str) -> String {
        if self.is_coloured { format!("\u{1b}[1m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// Characters a line of the terminal that standard output or standard error is.
#[cfg(unix)]
fn terminal_columns() -> Option<usize> {
    let size =
        rustix::termios::tcgetwinsize(io::stdout()).or_else(|_| rustix::termios::tcgetwinsize(io::stderr()));
    size.ok().map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

#[cfg(not(unix))]
fn terminal_columns() -> Option<usize> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_only_for_terminals() {
        let terminal = Screen { is_coloured: true, ..Screen::plain() };
        assert_eq!(Screen::plain().paint(Tone::Bad, "Failed"), "Failed");
        assert_eq!(terminal.paint(Tone::Bad, "Failed"), "\u{1b}[31mFailed\u{1b}[0m");
    }
}
