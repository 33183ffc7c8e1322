//! Text from machines and other people, made safe to print.
//!
//! Names, summaries and outputs come from machines that may be hostile. A terminal obeys control
//! characters, and a reader is misled by characters that reorder or hide text; both are shown, not sent.

/// `text` on one line: line breaks and tabs become spaces, everything a terminal obeys becomes visible.
pub(crate) fn one_line(text: &str) -> String {
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
pub(crate) fn lines(text: &str) -> String {
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

/// `text` indented by `indent` on every line, safe to print.
pub(crate) fn indented(text: &str, indent: &str) -> String {
    lines(text).lines().map(|line| format!("{indent}{line}\n")).collect()
}

/// `text` on lines of at most `width` characters, broken between words; a longer word keeps a line to itself.
pub(crate) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in one_line(text).split(' ') {
        let is_full = line.chars().count() + 1 + word.chars().count() > width;
        if !line.is_empty() && is_full {
            lines.push(std::mem::take(&mut line));
        } else if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

/// At most `characters` of `text` on one line, the cut marked.
pub(crate) fn shortened(text: &str, characters: usize) -> String {
    let plain = one_line(text);
    if plain.chars().count() <= characters {
        return plain;
    }
    let kept: String = plain.chars().take(characters.saturating_sub(1)).collect();
    format!("{kept}…")
}

/// `json` as it is, but with characters that a terminal obeys or that hide text written as `\uXXXX`.
///
/// In JSON they can only stand inside strings, so the document means the same.
pub(crate) fn json_for_terminal(json: &str) -> String {
    let mut plain = String::with_capacity(json.len());
    for character in json.chars() {
        if is_unsafe(character) && !matches!(character, '\n' | '\t' | '\r') {
            let mut units = [0_u16; 2];
            for unit in character.encode_utf16(&mut units) {
                plain.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            plain.push(character);
        }
    }
    plain
}

/// A number of bytes as people compare them, in thousands: `940 B`, `6.2 KB`, `143 KB`, `5.1 MB`.
pub(crate) fn bytes(bytes: u64) -> String {
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

/// `text` quoted for a POSIX shell, as it is where it needs no quotes.
pub(crate) fn shell_word(text: &str) -> String {
    let is_plain = !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./:@%+,=".contains(&byte));
    if is_plain { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
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
/// (bidirectional controls, zero-width and tag characters; Unicode Technical Report 36, section 2.5).
fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(
            u32::from(character),
            0x00ad | 0x061c | 0x180e | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0xfeff | 0xfff9..=0xfffb | 0xe0000..=0xe007f
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
        assert_eq!(one_line("two\r\nlines\tand a tab\n"), "two lines and a tab");
        assert_eq!(one_line("Förderband 3 – ünïcode 漢字"), "Förderband 3 – ünïcode 漢字");
    }

    #[test]
    fn output_keeps_its_lines_but_cannot_overwrite_one() {
        assert_eq!(lines("a\r\nb\n\tc"), "a\nb\n\tc");
        assert_eq!(lines("shown\rhidden"), r"shown\x0dhidden");
        assert_eq!(indented("a\nb\n", "  "), "  a\n  b\n");
    }

    #[test]
    fn json_means_the_same_after_it_was_made_safe() {
        let hostile = serde_json::to_string("a\u{9b}31m\u{e0041}é").unwrap();
        let safe = json_for_terminal(&hostile);
        assert!(safe.chars().all(|character| !is_unsafe(character)));
        assert_eq!(
            serde_json::from_str::<String>(&safe).unwrap(),
            serde_json::from_str::<String>(&hostile).unwrap()
        );
    }

    #[test]
    fn a_long_line_is_broken_between_words() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("a unbreakable b", 4), ["a", "unbreakable", "b"]);
        assert_eq!(wrapped("", 10), [""]);
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
    fn a_word_with_anything_special_is_quoted_for_the_shell() {
        assert_eq!(shell_word("https://tg.example:8443"), "https://tg.example:8443");
        assert_eq!(shell_word("it's $HOME"), r"'it'\''s $HOME'");
        assert_eq!(shell_word(""), "''");
    }
}
