//! When a machine was planned to be reached in the last days and when it was heard: a line for each day on the
//! plant's clock, and the same in words.

mod day;
mod plan;

use maud::{Markup, html};
use tidegate_core::api::{ContactKind, ContactSpan, ContactsView, EndpointView};
use tidegate_core::call::{Answer, EndpointQuestion};
use tidegate_core::id::EndpointId;
use tidegate_core::time::{Milliseconds, Timestamp};
use tidegate_core::window::{Window, openings};
use tidegate_core::words::{one_line, span};

use crate::call::ask_endpoint;
use crate::host::Host;
use crate::pages::moment::Moment;
use crate::pages::words;
use crate::problem::Problem;
use day::Day;
use plan::Known;

pub(super) use plan::next;

/// Days drawn, today among them.
const DAYS: u32 = 7;

/// The spans since the first day that is drawn.
pub(super) async fn read(host: &dyn Host, id: EndpointId, moment: &Moment) -> Result<ContactsView, Problem> {
    let since = moment.zone().day_start(moment.now(), DAYS - 1);
    match ask_endpoint(host, id, EndpointQuestion::Contacts { since }).await? {
        Answer::Contacts(view) => Ok(view),
        _ => Err(Problem::unexpected_answer()),
    }
}

/// The drawing after what it says in words.
pub(super) fn drawn(
    view: &ContactsView,
    machine: &EndpointView,
    windows: &[Window],
    moment: &Moment,
) -> Markup {
    let planned = openings(windows, moment.zone(), view.since, Day::new(moment, 0).to);
    let known = Known { enrolled_at: machine.enrolled_at, heard_at: machine.last_seen_at, contacts: view };
    html! {
        h3 { "The last " (DAYS) " days" }
        p { (in_words(view, machine.last_seen_at, moment)) }
        p { (plan::in_words(windows, &planned, &known, moment)) }
        figure .contacts {
            div .hours aria-hidden="true" { @for hour in ["0", "6", "12", "18", "24"] { span { (hour) } } }
            ol {
                @for back in (0..DAYS).rev() {
                    @let day = Day::new(moment, back);
                    li { span .day { (moment.day(day.from)) } (day.line(&view.spans, &planned)) }
                }
            }
            figcaption {
                span .key.heard { "heard" } " " span .key.presumed { "presumably reachable" } " "
                span .key.outage { "found no path" } " " span .key { "nobody can tell" }
                @if !windows.is_empty() { " " span .key.planned { "planned" } }
            }
        }
    }
}

/// The whole of it in a sentence or three.
fn in_words(view: &ContactsView, heard_at: Option<Timestamp>, moment: &Moment) -> Markup {
    let outages: Vec<_> = view.spans.iter().filter(|span| span.kind == ContactKind::Outage).collect();
    let longest = outages.iter().max_by_key(|outage| length(outage).0);
    let silent = view.spans.last().filter(|last| last.kind == ContactKind::Unknown);
    html! {
        (told(&sums(&view.spans))) ". "
        @match longest {
            Some(outage) => {
                "It was without a path " (words::count(outages.len(), "time")) ", the longest from " (moment.at(outage.from))
                " to " (moment.at(outage.to))
                @if let Some(problem) = outage.problem.as_deref().filter(|problem| !problem.is_empty()) { ": " (one_line(problem)) }
                ". "
            }
            None => { "It told of no time without a path. " }
        }
        @match silent {
            Some(_) if heard_at.is_none() => "It was never heard.",
            Some(last) => { "Nothing was heard of it since " (moment.at(heard_at.map_or(last.from, |at| at.max(last.from)))) "." }
            None => {}
        }
    }
}

/// How long it was each: heard, presumed, without a path, unknown.
fn sums(spans: &[ContactSpan]) -> [u64; 4] {
    let mut sums = [0; 4];
    for span in spans {
        sums[rank(span.kind)] += length(span).0;
    }
    sums
}

/// `Heard for 3 h, presumably reachable for 2 h, without a path for 48 min, unknown for 1 h`, without what is not so.
fn told(sums: &[u64; 4]) -> String {
    let names = ["heard for", "presumably reachable for", "without a path for", "unknown for"];
    let parts: Vec<_> = (names.iter().zip(sums))
        .filter(|(_, ms)| **ms > 0)
        // Seconds are below what is drawn.
        .map(|(name, ms)| {
            format!(
                "{name} {}",
                if *ms < 60_000 { span(Milliseconds(*ms)) } else { span(Milliseconds(ms / 60_000 * 60_000)) }
            )
        })
        .collect();
    let text = if parts.is_empty() { "nothing to tell".to_owned() } else { parts.join(", ") };
    text[..1].to_uppercase() + &text[1..]
}

fn length(span: &ContactSpan) -> Milliseconds {
    span.to.since(span.from)
}

/// Where a kind stands among the sums.
fn rank(kind: ContactKind) -> usize {
    match kind {
        ContactKind::Heard => 0,
        ContactKind::Presumed => 1,
        ContactKind::Outage => 2,
        ContactKind::Unknown => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    pub(super) fn span_of(from: &str, to: &str, kind: ContactKind) -> ContactSpan {
        ContactSpan { from: at(from), to: at(to), kind, problem: None }
    }

    pub(super) fn moment() -> Moment {
        Moment::new(at("2026-11-23T14:03:05Z"), "Europe/Berlin")
    }

    #[test]
    fn it_says_since_when_nothing_was_heard_and_what_a_machine_met_is_inert() {
        let outage = ContactSpan {
            problem: Some("<b>refused</b>\u{1b}[2J".to_owned()),
            ..span_of("2026-11-22T22:00:00Z", "2026-11-23T01:00:00Z", ContactKind::Outage)
        };
        let spans =
            vec![outage, span_of("2026-11-23T01:00:00Z", "2026-11-23T14:03:05Z", ContactKind::Unknown)];
        let view = ContactsView { at: at("2026-11-23T14:03:05Z"), since: at("2026-11-22T22:00:00Z"), spans };
        let shown = in_words(&view, Some(view.since), &moment()).into_string();
        assert!(
            shown.contains("Without a path for 3 h, unknown for 13 h 3 min. It was without a path 1 time"),
            "{shown}"
        );
        assert!(shown.contains("&lt;b&gt;refused&lt;/b&gt;\\x1b[2J") && !shown.contains("<b>"), "{shown}");
        assert!(shown.contains("Nothing was heard of it since <time"), "{shown}");
    }
}
