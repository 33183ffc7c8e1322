//! The transcript as CSV (RFC 4180), safe to open in a spreadsheet.

use tidegate_core::api::TranscriptEntryView;
use tidegate_core::words::kind_words;

use super::describe;
use crate::text::one_line;

/// The heading.
pub(crate) const CSV_HEADING: &str = "number,at,actor,kind,sequence_id,description,hash,previous_hash\r\n";

/// Entries, a line each.
pub(crate) fn csv_lines(entries: &[TranscriptEntryView]) -> String {
    let mut text = String::new();
    for entry in entries {
        let fields = [
            entry.number.to_string(),
            entry.at.to_string(),
            one_line(&entry.actor),
            kind_words(&entry.kind),
            entry.sequence_id.map(|id| id.to_string()).unwrap_or_default(),
            describe(entry),
            entry.hash.to_string(),
            entry.previous_hash.to_string(),
        ];
        text.push_str(&fields.map(|field| quoted(&field)).join(","));
        text.push_str("\r\n");
    }
    text
}

/// A field in quotes. One that a spreadsheet would take for a formula gets an apostrophe in front (OWASP,
/// "CSV Injection"): names and outputs come from machines that may be hostile.
pub(crate) fn quoted(field: &str) -> String {
    let guard = if field.starts_with(['=', '+', '-', '@', '\t']) { "'" } else { "" };
    format!("\"{guard}{}\"", field.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transcript_opens_in_a_spreadsheet_without_running_anything() {
        let text = format!("{CSV_HEADING}{}", csv_lines(&super::super::tests::entries()));
        insta::assert_snapshot!(text.replace("\r\n", "\n"));
        assert_eq!(quoted("=1+1"), "\"'=1+1\"");
        assert_eq!(quoted("say \"hi\", twice"), "\"say \"\"hi\"\", twice\"");
    }
}
