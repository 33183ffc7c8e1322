//! Text from machines and other people, made safe to show, and figures as people read them.
//!
//! Names, summaries and outputs come from machines that may be hostile. A terminal obeys control
//! characters, and a reader is misled by characters that reorder or hide text; both are shown, not sent.

use crate::time::Milliseconds;

/// `text` on one line: line breaks and tabs become spaces, everything a terminal obeys becomes visible.
pub fn one_line(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in text.trim_end_matches(['\n', '\r']).chars() {
        match character {
            '\n' | '\t' => plain.push(' '),
            '\r' => {}
            _ => push_visible(&mut plain, character),
        }
    }
    plain
}

/// `text` with its lines and tabs kept, everything else that a terminal obeys made visible.
pub fn lines(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\n' | '\t' => plain.push(character),
            '\r' if characters.peek() == Some(&'\n') => {}
            _ => push_visible(&mut plain, character),
        }
    }
    plain
}

/// A name as people compare it: without regard to case and to how wide its spaces are.
pub fn folded_name(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// At most `characters` of `text` on one line, the cut marked.
pub fn shortened(text: &str, characters: usize) -> String {
    let plain = one_line(text);
    if plain.chars().count() <= characters {
        return plain;
    }
    let kept: String = plain.chars().take(characters.saturating_sub(1)).collect();
    format!("{kept}…")
}

/// A number of bytes as people compare them, in thousands: `940 B`, `6.2 KB`, `143 KB`, `5.1 MB`.
pub fn bytes(bytes: u64) -> String {
    let units = [(1_000_000_000_000, "TB"), (1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "KB")];
    let Some((unit, name)) = units.into_iter().find(|(unit, _)| bytes >= *unit) else {
        return format!("{bytes} B");
    };
    let tenths = bytes / (unit / 10);
    if tenths < 100 {
        format!("{}.{} {name}", tenths / 10, tenths % 10)
    } else {
        format!("{} {name}", tenths / 10)
    }
}

/// A span in the two largest units that tell something: `340 ms`, `12.4 s`, `3 min 5 s`, `2 h 10 min`, `3 d 4 h`.
pub fn span(span: Milliseconds) -> String {
    let ms = span.0;
    let pair = |large: u64, large_name: &str, small: u64, small_name: &str| match small {
        0 => format!("{large} {large_name}"),
        _ => format!("{large} {large_name} {small} {small_name}"),
    };
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        60_000..3_600_000 => pair(ms / 60_000, "min", ms % 60_000 / 1_000, "s"),
        3_600_000..86_400_000 => pair(ms / 3_600_000, "h", ms % 3_600_000 / 60_000, "min"),
        _ => pair(ms / 86_400_000, "d", ms % 86_400_000 / 3_600_000, "h"),
    }
}

fn push_visible(plain: &mut String, character: char) {
    if !is_unsafe(character) {
        plain.push(character);
    } else if u32::from(character) < 0x100 {
        plain.push_str(&format!("\\x{:02x}", u32::from(character)));
    } else {
        plain.push_str(&format!("\\u{{{:x}}}", u32::from(character)));
    }
}

/// Control characters (C0, DEL, C1), line and paragraph separators, and what reorders or hides text
/// (bidirectional controls, zero-width and tag characters, fillers; Unicode Technical Report 36, section 2.5).
pub fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(
            u32::from(character),
            0x00ad | 0x034f | 0x061c | 0x115f..=0x1160 | 0x17b4..=0x17b5 | 0x180b..=0x180f | 0x200b..=0x200f | 0x2028..=0x202e
                | 0x2060..=0x206f | 0x2800 | 0x3164 | 0xfeff | 0xffa0 | 0xfff9..=0xfffb | 0xe0000..=0xe0fff
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_shown_and_not_sent() {
        assert_eq!(one_line("pump\u{1b}[31m\u{7}"), r"pump\x1b[31m\x07");
        assert_eq!(one_line("\u{9b}2J"), r"\x9b2J", "C1 controls too");
        assert_eq!(one_line("exe\u{202e}gpj"), r"exe\u{202e}gpj", "and what reorders text");
        assert_eq!(one_line("a\u{3164}b\u{ffa0}c"), r"a\u{3164}b\u{ffa0}c", "and what shows as nothing");
        assert_eq!(one_line("two\r\nlines\tand a tab\n"), "two lines and a tab");
        assert_eq!(one_line("Förderband 3 – ünïcode 漢字"), "Förderband 3 – ünïcode 漢字");
    }

    #[test]
    fn bytes_read_in_the_unit_that_tells_something() {
        let read: Vec<_> = [0, 999, 1_000, 6_249, 143_012, 5_100_000, 1 << 50].map(bytes).into();
        assert_eq!(read, ["0 B", "999 B", "1.0 KB", "6.2 KB", "143 KB", "5.1 MB", "1125 TB"]);
    }

    #[test]
    fn a_cut_is_marked() {
        assert_eq!(shortened("servo controller", 6), "servo…");
        assert_eq!(shortened("servo", 5), "servo");
    }

    #[test]
    fn spans_read_in_the_units_that_tell_something() {
        let of = |ms| span(Milliseconds(ms));
        assert_eq!(of(0), "0 ms");
        assert_eq!(of(12_450), "12.4 s");
        assert_eq!(of(185_000), "3 min 5 s");
        assert_eq!(of(7_200_000), "2 h");
        assert_eq!(of(7_800_000), "2 h 10 min");
        assert_eq!(of(273_600_000), "3 d 4 h");
    }

    #[test]
    fn output_keeps_its_lines_but_cannot_overwrite_one() {
        assert_eq!(lines("a\r\nb\n\tc"), "a\nb\n\tc");
        assert_eq!(lines("shown\rhidden"), r"shown\x0dhidden");
    }
}
