//! When an endpoint was heard, out of what is stored: entries that came from it, and the outages it told.
//!
//! An idle check-in stores nothing. So a span without an entry is told as presumed where the machine's own journal says
//! that it neither started again nor found the path closed, and as unknown everywhere else.

use crate::api::{ContactKind, ContactSpan, ContactsView};
use crate::call::Context;
use crate::error::Error;
use crate::id::EndpointId;
use crate::journal::JournalBody;
use crate::packed;
use crate::sql::{ReadSql, Row};
use crate::time::{Milliseconds, Timestamp};
use crate::transcript::{TranscriptBody, TranscriptHeader};

use super::object::endpoint_row;
use super::{outages, sync, waiting};

/// Most transcript entries that are looked through, newest first: a busy machine makes some hundred a day. Past it the
/// span before is unknown.
const ENTRIES_MAX: u64 = 4_000;
/// Largest body of a span without a path that is read: a runtime writes some hundred bytes.
const LINK_BYTES_MAX: u64 = 4 * 1024;
/// Most spans told.
const SPANS_MAX: usize = 500;
/// The longest time back.
const BACK_MAX: Milliseconds = Milliseconds::from_days(31);
/// Contacts this close belong together, however often the machine usually is heard.
const TOGETHER: Milliseconds = Milliseconds::from_seconds(900);

/// A time at which the endpoint was heard.
#[derive(Clone, Copy)]
struct Contact {
    at: Timestamp,
    /// It had started since the contact before.
    has_started: bool,
}

/// A span without a path, as the endpoint told.
struct Outage {
    from: Timestamp,
    to: Timestamp,
    problem: String,
}

/// The spans since `since`.
pub(super) fn contacts(
    db: &dyn ReadSql,
    cx: &Context<'_>,
    endpoint: EndpointId,
    since: Timestamp,
) -> Result<ContactsView, Error> {
    let row = endpoint_row(db, endpoint)?.ok_or_else(|| sync::unknown(endpoint))?;
    let back_ms = i64::try_from(BACK_MAX.0).unwrap_or(i64::MAX);
    let since = since.clamp(cx.now.shifted_by_ms(-back_ms), cx.now);
    let (mut contacts, outages) = told(db, endpoint, since)?;
    let usual = waiting::contact(cx, endpoint, &row);
    let last_at = if usual.is_connected { Some(cx.now) } else { usual.last_at };
    if let Some(at) = last_at.filter(|at| contacts.last().is_none_or(|last| last.at < *at)) {
        contacts.push(Contact { at, has_started: false });
    }
    let together = usual.usual_interval.map_or(TOGETHER, |interval| {
        Milliseconds(interval.0.saturating_mul(2)).clamp(TOGETHER, Milliseconds::from_days(1))
    });
    let mut line = Line { since, now: cx.now, spans: Vec::new() };
    line.draw(&contacts, &outages, together);
    let mut spans = line.spans;
    let dropped = spans.len().saturating_sub(SPANS_MAX);
    spans.drain(..dropped);
    Ok(ContactsView { at: cx.now, since: spans.first().map_or(since, |span| span.from), spans })
}

/// The contacts and outages that the transcript tells of, oldest first, from the last contact before `since` on.
fn told(
    db: &dyn ReadSql,
    endpoint: EndpointId,
    since: Timestamp,
) -> Result<(Vec<Contact>, Vec<Outage>), Error> {
    let rows = db.query(
        "SELECT header,
             CASE WHEN instr(header, '\"kind\":\"journal.link\"') > 0 AND octet_length(body) <= ?3 THEN body END,
             CASE WHEN instr(header, '\"kind\":\"journal.link\"') > 0 AND text_bytes <= ?3 THEN packed END
         FROM transcript
         WHERE endpoint_id = ?1 AND journal IS NOT NULL ORDER BY number DESC LIMIT ?2",
        &[endpoint.into(), ENTRIES_MAX.into(), LINK_BYTES_MAX.into()],
    )?;
    let (mut contacts, mut outages) = (Vec::<Contact>::new(), Vec::new());
    for row in &rows {
        let header: TranscriptHeader = row.json(0)?;
        let has_started = header.kind == "journal.booted";
        match contacts.last_mut() {
            Some(contact) if contact.at == header.at => contact.has_started |= has_started,
            // One contact before is enough to tell what the first span is.
            Some(contact) if contact.at < since => break,
            Some(_) | None => contacts.push(Contact { at: header.at, has_started }),
        }
        outages.extend(outage(row)?.filter(|outage| outage.to > since));
    }
    contacts.reverse();
    outages.sort_by_key(|outage| outage.from);
    Ok((contacts, outages))
}

fn outage(row: &Row) -> Result<Option<Outage>, Error> {
    let Some(text) = packed::text(row, 1)? else { return Ok(None) };
    let Ok(TranscriptBody::Journal { body, .. }) = serde_json::from_str(&text) else { return Ok(None) };
    let Ok(JournalBody::Link { closed_at, opened_at, problem, .. }) = serde_json::from_str(&body) else {
        return Ok(None);
    };
    let problem = problem.chars().take(outages::PROBLEM_CHARACTERS_MAX).collect();
    Ok(Some(Outage { from: closed_at, to: opened_at, problem }))
}

/// Spans as they are drawn, each beginning where the one before ends.
struct Line {
    since: Timestamp,
    now: Timestamp,
    spans: Vec<ContactSpan>,
}

impl Line {
    fn draw(&mut self, contacts: &[Contact], outages: &[Outage], together: Milliseconds) {
        let Some(first) = contacts.first() else { return self.add(self.now, ContactKind::Unknown, None) };
        self.fill(self.since, first.at, ContactKind::Unknown, outages);
        for pair in contacts.windows(2) {
            let [from, to] = [pair[0], pair[1]];
            let is_cut = outages.iter().any(|outage| outage.from < to.at && outage.to > from.at);
            let kind = if to.has_started {
                ContactKind::Unknown
            } else if !is_cut && to.at.since(from.at) <= together {
                ContactKind::Heard
            } else {
                ContactKind::Presumed
            };
            self.fill(from.at, to.at, kind, outages);
        }
        self.add(self.now, ContactKind::Unknown, None);
    }

    /// Draws a span with the outages in it.
    fn fill(&mut self, from: Timestamp, to: Timestamp, kind: ContactKind, outages: &[Outage]) {
        for outage in outages.iter().filter(|outage| outage.from < to && outage.to > from) {
            self.add(outage.from.clamp(from, to), kind, None);
            self.add(outage.to.clamp(from, to), ContactKind::Outage, Some(&outage.problem));
        }
        self.add(to, kind, None);
    }

    /// Goes on to `to`, or joins the span before where it is of the same kind.
    fn add(&mut self, to: Timestamp, kind: ContactKind, problem: Option<&str>) {
        let to = to.min(self.now);
        let from = self.spans.last().map_or(self.since, |last| last.to);
        if to <= from {
            return;
        }
        match self.spans.last_mut() {
            Some(last) if last.kind == kind && last.problem.as_deref() == problem => last.to = to,
            Some(_) | None => {
                let problem = problem.map(str::to_owned);
                self.spans.push(ContactSpan { from, to, kind, problem });
            }
        }
    }
}
