//! Which lines two outputs do not share, however long they are.

use std::collections::HashMap;

use tidegate_core::words::shortened;

/// Lines of each output that are compared.
const COMPARED_MAX: usize = 5_000;
/// Lines of each side that are shown; the rest is counted.
const SHOWN_MAX: usize = 60;
/// Characters of a line that are shown.
const CHARACTERS_MAX: usize = 400;

/// Lines that stand in one output more often than in the other, each side in its own order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Difference {
    /// Of the newer, safe to show.
    pub(super) now: Vec<String>,
    /// How many more.
    pub(super) now_rest: usize,
    /// Of the older.
    pub(super) before: Vec<String>,
    /// How many more.
    pub(super) before_rest: usize,
    /// Whether an output was longer than what is compared.
    pub(super) is_cut: bool,
}

impl Difference {
    /// Whether nothing differs, as far as it was compared.
    pub(super) fn is_empty(&self) -> bool {
        self.now.is_empty() && self.before.is_empty() && !self.is_cut
    }
}

/// Compares them line by line, white space at the ends of lines aside. Where lines stand is not compared: a list in
/// another order is the same list.
pub(super) fn lines_of(before: &str, now: &str) -> Difference {
    let (now_only, now_rest) = only(now, before);
    let (before_only, before_rest) = only(before, now);
    let is_long = |text: &str| text.lines().nth(COMPARED_MAX).is_some();
    Difference {
        now: now_only,
        now_rest,
        before: before_only,
        before_rest,
        is_cut: before != now && (is_long(before) || is_long(now)),
    }
}

fn only(text: &str, other: &str) -> (Vec<String>, usize) {
    let mut shared: HashMap<&str, usize> = HashMap::new();
    for line in compared(other) {
        *shared.entry(line).or_default() += 1;
    }
    let (mut shown, mut rest) = (Vec::new(), 0);
    for line in compared(text) {
        match shared.get_mut(line) {
            Some(count) if *count > 0 => *count -= 1,
            _ if line.is_empty() => {}
            _ if shown.len() < SHOWN_MAX => shown.push(shortened(line, CHARACTERS_MAX)),
            _ => rest += 1,
        }
    }
    (shown, rest)
}

fn compared(text: &str) -> impl Iterator<Item = &str> {
    text.lines().take(COMPARED_MAX).map(str::trim_end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_one_side_alone_are_told_in_order_and_as_often() {
        let difference = lines_of("a\nb\nb\nc\n", "c \r\nb\nd\nd\na");
        assert_eq!(difference.now, ["d", "d"]);
        assert_eq!(difference.before, ["b"]);
        assert!(lines_of("b\na\n\n", "a\nb").is_empty(), "the order and empty lines say nothing");
    }

    #[test]
    fn a_flood_of_lines_is_counted_and_hostile_ones_are_inert() {
        let flood: String = (0..COMPARED_MAX + 10).map(|line| format!("{line}\n")).collect();
        let difference = lines_of("", &flood);
        assert_eq!((difference.now.len(), difference.now_rest), (SHOWN_MAX, COMPARED_MAX - SHOWN_MAX));
        assert!(difference.is_cut && difference.before.is_empty());
        assert!(!lines_of(&flood, &flood).is_cut);
        let hostile = lines_of("", &format!("\u{1b}[2J{}", "x".repeat(1_000)));
        assert_eq!(hostile.now[0].chars().count(), CHARACTERS_MAX);
        assert!(hostile.now[0].starts_with("\\x1b[2Jxx"));
    }
}
