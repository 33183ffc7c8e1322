//! How the story is told: headings, lines with the time they were said at, blocks.

use std::cell::Cell;

use crate::failure::Failure;
use crate::screen::{Screen, Tone};
use crate::text::{shortened, wrapped};
use crate::time;

/// Where what is said begins on a line: after the time and a mark.
const INDENT: usize = 13;
/// Longer lines than this are hard to read, however wide the terminal is.
const WIDTH_MAX: usize = 110;
/// How far text that is laid out already is set in.
pub(super) const VERBATIM_INDENT: usize = 2;

/// Tells the story on a screen.
#[derive(Debug)]
pub(super) struct Narrator<'a> {
    screen: &'a Screen,
    /// Whether the last line was empty: two of them would tear the story apart.
    has_gap: Cell<bool>,
}

impl<'a> Narrator<'a> {
    /// One for `screen`.
    pub(super) fn new(screen: &'a Screen) -> Self {
        Self { screen, has_gap: Cell::new(false) }
    }

    /// Where it is told.
    pub(super) fn screen(&self) -> &'a Screen {
        self.screen
    }

    /// A scene begins.
    pub(super) fn heading(&self, text: &str) -> Result<(), Failure> {
        let rule = "─".repeat(self.width().saturating_sub(text.chars().count() + 4));
        let rule = self.screen.paint(Tone::Quiet, &rule);
        self.gap()?;
        self.line(&format!("{} {} {rule}", self.screen.paint(Tone::Quiet, "──"), self.screen.heading(text)))?;
        self.gap()
    }

    /// Something happened.
    pub(super) fn say(&self, text: &str) -> Result<(), Failure> {
        self.lines(' ', text, ToOwned::to_owned)
    }

    /// Something happened that has a tone.
    pub(super) fn tell(&self, tone: Tone, text: &str) -> Result<(), Failure> {
        self.lines(tone.mark(), text, |line| self.screen.paint(tone, line))
    }

    /// Lines that belong to what was said; each stays one line.
    pub(super) fn block(&self, lines: &[String]) -> Result<(), Failure> {
        self.gap()?;
        for line in lines {
            let line = shortened(line, self.width() - INDENT);
            self.line(&format!("{:INDENT$}{line}", ""))?;
        }
        self.gap()
    }

    /// Text that is laid out already.
    pub(super) fn verbatim(&self, text: &str) -> Result<(), Failure> {
        self.gap()?;
        for line in text.lines() {
            if line.trim().is_empty() {
                self.gap()?;
            }
            for line in self.fit(line) {
                self.line(&line)?;
            }
        }
        Ok(())
    }

    /// A paragraph that nobody said at a time.
    pub(super) fn paragraph(&self, text: &str) -> Result<(), Failure> {
        for line in wrapped(text, self.width()) {
            self.line(&line)?;
        }
        Ok(())
    }

    fn lines(&self, mark: char, text: &str, paint: impl Fn(&str) -> String) -> Result<(), Failure> {
        let clock = time::clock(time::now());
        for (index, line) in wrapped(text, self.width() - INDENT).iter().enumerate() {
            let line = match index {
                0 => format!(
                    "{} {}",
                    self.screen.paint(Tone::Quiet, &clock),
                    paint(&format!(" {mark} {line}"))
                ),
                _ => format!("{:INDENT$}{}", "", paint(line)),
            };
            self.line(&line)?;
        }
        Ok(())
    }

    /// A line as it is where it fits, and otherwise on several that begin under its text.
    fn fit(&self, line: &str) -> Vec<String> {
        let text = line.trim_start();
        let indent = VERBATIM_INDENT + line.len() - text.len();
        if text.is_empty() || indent + text.chars().count() <= self.width() {
            return if text.is_empty() { Vec::new() } else { vec![format!("{:indent$}{text}", "")] };
        }
        let lines = wrapped(text, self.width() - indent - 2);
        let under = |(index, line): (usize, &String)| {
            let indent = if index == 0 { indent } else { indent + 2 };
            format!("{:indent$}{line}", "")
        };
        lines.iter().enumerate().map(under).collect()
    }

    fn line(&self, line: &str) -> Result<(), Failure> {
        self.has_gap.set(false);
        Ok(self.screen.line(line)?)
    }

    /// One empty line, and never two.
    fn gap(&self) -> Result<(), Failure> {
        if !self.has_gap.replace(true) {
            self.screen.line("")?;
        }
        Ok(())
    }

    fn width(&self) -> usize {
        self.screen.width.min(WIDTH_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_goes_on_under_its_own_text() {
        let screen = Screen { width: 20, ..Screen::plain() };
        let narrator = Narrator::new(&screen);
        assert_eq!(narrator.fit("   short"), ["     short"]);
        assert_eq!(narrator.fit("   one two three four"), ["     one two three", "       four"]);
        assert!(narrator.fit("  ").is_empty());
    }
}
