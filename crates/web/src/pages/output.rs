//! What a machine printed, inert: every byte that a browser or a terminal could obey is shown and not sent.

use maud::{Markup, html};
use tidegate_core::words::lines;

/// Lines that are shown at once; the rest is behind a press.
const LINES_SHOWN: usize = 12;

/// The text, with every occurrence of `find` marked, in any case. An empty one marks nothing.
pub(super) fn text(text: &str, find: &str) -> Markup {
    let plain = lines(text);
    let count = plain.lines().count();
    let body = html! { pre tabindex="0" { (marked(&plain, find)) } };
    let is_found = !find.is_empty() && plain.to_lowercase().contains(&find.to_lowercase());
    html! {
        @if count <= LINES_SHOWN {
            (body)
        } @else {
            details open[is_found] {
                summary { (count) " lines" @if !find.is_empty() && !is_found { ", nothing found in them" } }
                (body)
            }
        }
    }
}

fn marked(plain: &str, find: &str) -> Markup {
    let places = places(plain, find);
    let ends = std::iter::once(0).chain(places.iter().map(|(_, to)| *to));
    let last = places.last().map_or(0, |(_, to)| *to);
    html! {
        @for (before, (from, to)) in ends.zip(&places) {
            (&plain[before..*from]) mark { (&plain[*from..*to]) }
        }
        (&plain[last..])
    }
}

/// Where `find` occurs, one after the other, compared letter by letter without regard to ASCII case: a lowering that
/// changes lengths would point beside the text.
fn places(plain: &str, find: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    if find.is_empty() {
        return found;
    }
    let (haystack, needle) = (plain.to_ascii_lowercase(), find.to_ascii_lowercase());
    let mut from = 0;
    while let Some(at) = haystack.get(from..).and_then(|rest| rest.find(&needle)) {
        let begin = from + at;
        found.push((begin, begin + needle.len()));
        from = begin + needle.len();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_and_terminal_escapes_of_a_machine_are_inert() {
        let shown = text("<script>alert(1)</script>\u{1b}[2J\u{202e}gpj\0", "").into_string();
        assert!(
            !shown.contains("<script>") && !shown.contains('\u{1b}') && !shown.contains('\u{202e}'),
            "{shown}"
        );
        assert!(
            shown.contains("&lt;script&gt;") && shown.contains("\\x1b[2J") && shown.contains("\\x00"),
            "{shown}"
        );
    }

    #[test]
    fn what_is_looked_for_is_marked_wherever_it_stands() {
        assert_eq!(marked("Timeout, TIMEOUT", "timeout").0, "<mark>Timeout</mark>, <mark>TIMEOUT</mark>");
        assert_eq!(marked("İstanbul <b>", "<B>").0, "İstanbul <mark>&lt;b&gt;</mark>");
        assert_eq!(marked("aaa", "aa").0, "<mark>aa</mark>a");
        assert_eq!(marked("abc", "").0, "abc");
    }

    #[test]
    fn a_long_output_is_folded_and_opens_where_something_is_found() {
        let long = "line\n".repeat(40);
        assert!(text(&long, "").0.contains("<details><summary>40 lines"));
        assert!(text(&long, "LINE").0.contains("<details open>"));
        assert!(text(&long, "pump").0.contains("nothing found"));
    }
}
