//! `tidegate overnight`: what happened while nobody looked, by what it asks of a person.

use tidegate_core::api::{Group, MachineName, OvernightItem, OvernightMachine, OvernightView, SequenceState};
use tidegate_core::time::Timestamp;

use crate::connection::Connection;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::screen::{Screen, Tone};
use crate::text::one_line;
use crate::time;
use crate::verdict;

use super::sequences::parse_since;

/// What happened while nobody looked, by what it asks of a person.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit code 5: something needs a person.\n\n\
Take a sequence off the list with: tidegate sequences review SEQUENCE")]
pub(crate) struct Args {
    /// Since when to tell what ended well: a time, or a span such as 12h [default: 24h]
    #[arg(long, value_name = "TIME|SPAN", value_parser = parse_since)]
    since: Option<Timestamp>,
    /// Most to show of a group, 1 to 500; the rest is counted
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=500))]
    limit: u16,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    connection: Connection,
}

/// Prints it.
pub(crate) async fn run(args: Args, screen: &Screen) -> Result<Exit, Failure> {
    let api = super::connect(&args.connection)?;
    let limit = args.limit.to_string();
    let since = args.since.map(|since| since.to_string());
    let mut query = vec![("limit", limit.as_str())];
    query.extend(since.as_deref().map(|since| ("since", since)));
    let answer = api.get(&["overnight"], &query).await?;
    let view: OvernightView = answer.parse()?;
    if args.output.json {
        screen.json(&answer.text)?;
    } else {
        screen.write(&text(&view, screen))?;
    }
    let is_calm = view.machines.items.is_empty() && view.needs_person.items.is_empty();
    Ok(if is_calm && view.held_or_missed.items.is_empty() { Exit::Done } else { Exit::Attention })
}

/// The whole morning as text.
fn text(view: &OvernightView, screen: &Screen) -> String {
    let clean = format!("Done without a fault, or reviewed, since {}", time::short(view.since));
    let parts = [
        part("Machines that need a person", &view.machines, screen, machine),
        part("Needs a person", &view.needs_person, screen, |item| item_text(item, screen)),
        part("Held, expired, or its usual contact missed", &view.held_or_missed, screen, |item| {
            item_text(item, screen)
        }),
        part("Waiting", &view.waiting, screen, |item| item_text(item, screen)),
        part(&clean, &view.clean, screen, |item| item_text(item, screen)),
    ];
    let text: Vec<String> = parts.into_iter().flatten().collect();
    if text.is_empty() { "Nothing happened, and nothing waits.\n".to_owned() } else { text.join("\n") }
}

/// One group under its heading; `None`: there is nothing in it.
fn part<T>(title: &str, group: &Group<T>, screen: &Screen, text: impl Fn(&T) -> String) -> Option<String> {
    if group.items.is_empty() {
        return None;
    }
    let count = group.items.len() as u64 + group.rest;
    let mut part = format!("{}\n", screen.heading(&format!("{title} ({count})")));
    part.extend(group.items.iter().map(text));
    if group.rest > 0 {
        part.push_str(&format!("  and {} more\n", group.rest));
    }
    Some(part)
}

fn place(machine: &MachineName) -> String {
    let MachineName { endpoint_name, client_name, site_name, .. } = machine;
    one_line(&format!("{endpoint_name} ({client_name}, {site_name})"))
}

fn machine(machine: &OvernightMachine) -> String {
    let mut text = format!("  {} {}\n", Tone::Attention.mark(), place(&machine.machine));
    for attention in &machine.attention {
        text.push_str(&format!("      {}: {}\n", one_line(&attention.reason), one_line(&attention.clears)));
    }
    text
}

fn item_text(item: &OvernightItem, screen: &Screen) -> String {
    let sequence = &item.sequence;
    let mut verdict = verdict::standing(sequence.state, sequence.attention, sequence.reason.as_deref());
    if let Some(worst) = &sequence.worst {
        verdict.detail = one_line(worst);
    } else if let Some(waiting_for) = item.waiting_for.as_ref().filter(|_| !sequence.state.is_ended()) {
        verdict.detail = format!("waiting for {}", one_line(waiting_for));
    }
    let mut text = format!("  {}\n", verdict::show(&verdict, screen));
    text.push_str(&format!("      {} on {}\n", one_line(&sequence.title), place(&item.machine)));
    let at = sequence.ended_at.unwrap_or(sequence.changed_at);
    let mut facts = vec![format!("{}  {}", sequence.id, time::short(at))];
    if sequence.state.is_ended() && sequence.state != SequenceState::Refused {
        facts.push(format!("{} of {} ran", sequence.ran, sequence.steps));
    }
    if sequence.interrupted > 0 {
        facts.push(format!("{} interrupted", sequence.interrupted));
    }
    if let Some(at) = item.missed_at {
        facts.push(format!("usually heard by {}, and was not", time::short(at)));
    }
    if let Some(at) = item.waiting.as_ref().and_then(|waiting| waiting.last_contact_at) {
        facts.push(format!("last heard {}", time::short(at)));
    }
    if item.more_of_machine > 0 {
        facts.push(format!("{} more of this machine", item.more_of_machine));
    }
    facts.extend(sequence.assignee.as_ref().map(|assignee| format!("with {}", one_line(assignee))));
    facts
        .extend(sequence.reviewed.as_ref().map(|reviewed| format!("reviewed by {}", one_line(&reviewed.by))));
    text.push_str(&format!("      {}\n", facts.join(", ")));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn view() -> OvernightView {
        let machine = json!({
            "endpoint_id": "248h248h248h248h", "endpoint_name": "hmi-3", "client_id": "248h248h248h248h",
            "client_name": "Example Foods", "site_id": "248h248h248h248h", "site_name": "Plant \u{1b}[2J7",
            "time_zone": "Europe/Berlin",
        });
        let sequence = |state: &str, more: &serde_json::Value| {
            let mut sequence = json!({
                "id": "248h248h248h248h-wcecx83s1gzg08dk", "endpoint_id": "248h248h248h248h",
                "title": "Labeller lost its servo controller", "state": state, "created_by": "ada@example.com",
                "created_at": "2026-11-22T23:04:00Z", "changed_at": "2026-11-23T02:01:00Z", "steps": 6, "ran": 6,
                "attention": 0,
            });
            sequence.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            json!({"sequence": sequence, "machine": machine})
        };
        let fault = json!({"attention": 1, "worst": "ping 10.20.0.5: no reply", "ended_at": "2026-11-23T02:01:00Z",
            "assignee": "ben@example.com"});
        let mut missed = sequence("queued", &json!({"ran": 0}));
        missed["missed_at"] = json!("2026-11-23T03:00:00Z");
        missed["waiting_for"] = json!("the machine's next check-in");
        let reviewed = json!({"ended_at": "2026-11-23T02:01:00Z",
            "reviewed": {"by": "ada@example.com", "at": "2026-11-23T06:00:00Z"}});
        let group = |items: Vec<serde_json::Value>, rest: u64| json!({"items": items, "rest": rest});
        let attention = json!([{"code": "candidate_journal", "reason": "another history was heard", "clears": "adopt it"}]);
        serde_json::from_value(json!({
            "at": "2026-11-23T07:00:00Z", "since": "2026-11-22T07:00:00Z",
            "machines": group(vec![json!({"machine": machine, "attention": attention})], 0),
            "needs_person": group(vec![sequence("succeeded", &fault)], 3),
            "held_or_missed": group(vec![missed], 0),
            "waiting": group(vec![], 0),
            "clean": group(vec![sequence("succeeded", &reviewed)], 0),
        }))
        .unwrap()
    }

    #[test]
    fn a_morning_reads_from_what_needs_a_person_to_what_does_not() {
        insta::assert_snapshot!(text(&view(), &Screen::plain()));
    }

    #[test]
    fn a_night_without_anything_says_so() {
        let mut view = view();
        view.machines.items.clear();
        for group in [&mut view.needs_person, &mut view.held_or_missed, &mut view.waiting, &mut view.clean] {
            group.items.clear();
        }
        assert_eq!(text(&view, &Screen::plain()), "Nothing happened, and nothing waits.\n");
    }
}
