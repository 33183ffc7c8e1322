//! The times of one attempt on one line: sent, delivered, executed, returned, with the gaps in contact between.

use maud::{Markup, html};
use tidegate_core::api::{AttemptView, OutageView};
use tidegate_core::time::{Milliseconds, Timestamp};
use tidegate_core::words::span;

use super::moment::Moment;

/// From which skew on it is told.
const SKEW_TOLD_MS: u64 = 5_000;

/// A time that is told, and the one told before it.
struct Mark {
    name: &'static str,
    at: Option<Timestamp>,
    before: Option<Timestamp>,
}

/// The line. Equal distances, since the way there takes hours and the step itself milliseconds: how long each part
/// took stands on it.
pub(super) fn of(attempt: &AttemptView, outages: &[OutageView], moment: &Moment) -> Markup {
    html! {
        ol .timeline aria-label="Times" {
            @for mark in marks(attempt) {
                @let gap = mark.before.zip(mark.at);
                @let is_cut = gap.is_some_and(|(from, to)| has_outage(outages, from, to));
                li .missing[mark.at.is_none()] .cut[is_cut] {
                    @if let Some((from, to)) = gap {
                        span .took { (took(from, to)) @if is_cut { ", no contact for a part of it" } }
                    }
                    span .what { (mark.name) }
                    @match mark.at { Some(at) => { (moment.second(at)) } None => { span .quiet-tone { "not yet" } } }
                }
            }
        }
        @if let Some(raw) = attempt.started_at_raw.filter(|raw| is_off(*raw, attempt.started_at)) {
            p .fine { "The machine's own clock showed " (moment.second(raw)) " at the start; the times above are corrected." }
        }
    }
}

fn marks(attempt: &AttemptView) -> Vec<Mark> {
    let times = [
        ("sent", attempt.queued_at),
        ("delivered", attempt.delivered_at),
        ("started", attempt.started_at),
        ("finished", attempt.finished_at),
        ("returned", attempt.returned_at),
    ];
    let mut before = None;
    let mut marks = Vec::new();
    for (name, at) in times {
        marks.push(Mark { name, at, before });
        before = at.or(before);
    }
    marks
}

/// Whether a clock was off by what people are told of (design, section 4): less is the way and rounding.
fn is_off(raw: Timestamp, corrected: Option<Timestamp>) -> bool {
    corrected.is_none_or(|corrected| corrected.milliseconds().abs_diff(raw.milliseconds()) > SKEW_TOLD_MS)
}

fn has_outage(outages: &[OutageView], from: Timestamp, to: Timestamp) -> bool {
    outages.iter().any(|outage| outage.closed_at < to && outage.opened_at > from)
}

/// Clocks of two machines may disagree by a little: then nothing is claimed.
fn took(from: Timestamp, to: Timestamp) -> String {
    match to.milliseconds() - from.milliseconds() {
        ms @ 0.. => span(Milliseconds(ms.unsigned_abs())),
        _ => "at once".to_owned(),
    }
}
