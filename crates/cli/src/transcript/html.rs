//! The transcript as one HTML page that needs nothing else and runs nothing.

use tidegate_core::api::{SequenceView, TranscriptEntryView};
use tidegate_core::words::kind_words;

use super::describe;
use crate::screen::Screen;
use crate::sequence_text::{self, Outputs};
use crate::text::one_line;
use crate::time;

const HEAD: &str = "<meta charset=\"utf-8\">\n\
<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
<meta name=\"viewport\" content=\"width=device-width\">\n\
<style>body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem}\
pre{background:#f4f4f2;padding:1rem;overflow-x:auto}table{border-collapse:collapse;width:100%}\
td,th{text-align:left;vertical-align:top;padding:.25rem .75rem .25rem 0;border-top:1px solid #ddd}\
td:nth-child(2){white-space:nowrap}</style>";

/// The beginning of a page about the machine called `machine`; its sequences follow, then its record.
pub(crate) fn html_begin(machine: &str) -> String {
    let machine = escaped(&one_line(machine));
    format!(
        "<!doctype html>\n<html lang=\"en\">\n{HEAD}\n<title>Transcript of {machine}</title>\n<h1>Transcript of {machine}</h1>\n"
    )
}

/// One sequence with all times.
pub(crate) fn html_sequence(machine: &str, sequence: &SequenceView) -> String {
    let shown = sequence_text::sequence(sequence, &one_line(machine), Outputs::Whole, &Screen::plain());
    format!("<pre>{}</pre>\n", escaped(&shown))
}

/// The beginning of the record.
pub(crate) const HTML_RECORD: &str =
    "<h2>Record</h2>\n<table>\n<tr><th>No.<th>Time<th>Who<th>What<th>Details</tr>\n";
/// The end of the record, and of the page.
pub(crate) const HTML_END: &str = "</table>\n</html>\n";

/// Entries of the record.
pub(crate) fn html_rows(entries: &[TranscriptEntryView]) -> String {
    let mut text = String::new();
    for entry in entries {
        text.push_str(&format!(
            "<tr><td>{}<td>{}<td>{}<td>{}<td title=\"{}\">{}</tr>\n",
            entry.number,
            time::full(entry.at),
            escaped(&one_line(&entry.actor)),
            escaped(&kind_words(&entry.kind)),
            entry.hash,
            escaped(&describe(entry)),
        ));
    }
    text
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_a_machine_says_becomes_part_of_the_page() {
        let rows = html_rows(&super::super::tests::entries());
        let page = format!("{}{HTML_RECORD}{rows}{HTML_END}", html_begin("<script>hmi"));
        assert!(!page.contains("<script") && !page.contains("<b>"), "{page}");
        assert!(page.contains("no &lt;b&gt;reply&lt;/b&gt;"), "{page}");
        assert!(page.contains("default-src 'none'"));
    }
}
