//! Text from machines and other people, made safe to print.
//!
//! Names, summaries and outputs come from machines that may be hostile. A terminal obeys control
//! characters, and a reader is misled by characters that reorder or hide text; both are shown, not sent.

pub(crate) use tidegate_core::words::{bytes, is_unsafe, lines, one_line, shortened};

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

/// `text` quoted for a POSIX shell, as it is where it needs no quotes.
pub(crate) fn shell_word(text: &str) -> String {
    let is_plain = !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./:@%+,=".contains(&byte));
    if is_plain { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_set_in_line_by_line() {
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
    fn a_word_with_anything_special_is_quoted_for_the_shell() {
        assert_eq!(shell_word("https://tg.example:8443"), "https://tg.example:8443");
        assert_eq!(shell_word("it's $HOME"), r"'it'\''s $HOME'");
        assert_eq!(shell_word(""), "''");
    }
}
