//! Callers that ask a control plane for things, and remember what it answered 2xx to.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use rusqlite::Connection;
use serde_json::{Value, json};

use super::super::dice::Dice;
use super::disk::rows;
use crate::harness::{Api, ApiError};

/// How many ask at once: enough for batches of several calls.
const CALLERS: u64 = 4;

/// What was answered 2xx.
#[derive(Clone, Debug, Default)]
pub(super) struct Acknowledged {
    pub(super) sequences: BTreeSet<String>,
    /// By sequence.
    notes: BTreeSet<(String, String)>,
    clients: BTreeSet<(String, String)>,
    codes: BTreeSet<String>,
}

impl Acknowledged {
    /// How many answers.
    pub(super) fn len(&self) -> usize {
        self.sequences.len() + self.notes.len() + self.clients.len() + self.codes.len()
    }

    pub(super) fn add(&mut self, other: Self) {
        self.sequences.extend(other.sequences);
        self.notes.extend(other.notes);
        self.clients.extend(other.clients);
        self.codes.extend(other.codes);
    }

    /// What of it the database does not hold, in words.
    pub(super) fn missing(&self, db: &Connection) -> anyhow::Result<Vec<String>> {
        let mut missing = Vec::new();
        let (mut sequences, mut notes) = (BTreeSet::new(), BTreeSet::new());
        for [id, document] in rows(db, "SELECT sequence_id, document FROM sequence")? {
            let document: Value = serde_json::from_str(&document)?;
            for note in document["notes"].as_array().into_iter().flatten() {
                notes.insert((id.clone(), note["text"].as_str().unwrap_or_default().to_owned()));
            }
            sequences.insert(id);
        }
        let clients = rows(db, "SELECT client_id, name FROM client")?;
        let clients: BTreeSet<_> = clients.into_iter().map(|[id, name]| (id, name)).collect();
        let codes = rows(db, "SELECT code_id FROM enrolment_code")?;
        let codes: BTreeSet<_> = codes.into_iter().map(|[id]| id).collect();
        let missing_of = |what: &str, count: usize| (count > 0).then(|| format!("{count} {what}"));
        missing.extend(missing_of("sequences", self.sequences.difference(&sequences).count()));
        missing.extend(missing_of("notes", self.notes.difference(&notes).count()));
        missing.extend(missing_of("clients", self.clients.difference(&clients).count()));
        missing.extend(missing_of("enrolment codes", self.codes.difference(&codes).count()));
        Ok(missing)
    }
}

/// Whom the callers ask, and for which machine.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) url: String,
    pub(super) token: String,
    pub(super) site: String,
    pub(super) endpoint: String,
    /// The file that every step appends its mark to.
    pub(super) traces: String,
}

/// Callers at work; they end when nobody answers any more.
pub(super) struct Callers(Vec<thread::JoinHandle<anyhow::Result<Acknowledged>>>);

impl Callers {
    /// Starts them; `life` tells their marks from those of other lives.
    pub(super) fn start(target: &Target, life: usize, dice: &mut Dice) -> Self {
        let callers = (0..CALLERS).map(|caller| {
            let (target, dice) = (target.clone(), Dice::new(dice.below(u64::MAX)));
            thread::spawn(move || call(&target, &format!("{life}-{caller}"), dice))
        });
        Self(callers.collect())
    }

    /// Waits for them, and answers everything they were told was done.
    pub(super) fn join(self) -> anyhow::Result<Acknowledged> {
        let mut all = Acknowledged::default();
        for caller in self.0 {
            all.add(caller.join().map_err(|_| anyhow::anyhow!("a caller panicked"))??);
        }
        Ok(all)
    }
}

fn call(target: &Target, name: &str, mut dice: Dice) -> anyhow::Result<Acknowledged> {
    let api = Api::new(&target.url, &target.token)?;
    let mut acknowledged = Acknowledged::default();
    let mut last = None;
    for turn in 0_u64.. {
        let mark = format!("{name}-{turn}");
        match ask(&api, target, &mark, last.as_deref(), dice.below(10), &mut acknowledged) {
            Ok(sequence) => last = sequence.or(last),
            Err(error) => match error.downcast_ref::<ApiError>() {
                // Too much is queued, or it is shutting down: it said so, and nothing was acknowledged.
                Some(refused) if refused.status < 500 || refused.status == 503 => {
                    thread::sleep(Duration::from_millis(5));
                }
                Some(_) => return Err(error),
                None => break,
            },
        }
    }
    Ok(acknowledged)
}

/// Asks for one thing; answers the sequence it made, if it made one.
fn ask(
    api: &Api,
    target: &Target,
    mark: &str,
    last: Option<&str>,
    die: u64,
    acknowledged: &mut Acknowledged,
) -> anyhow::Result<Option<String>> {
    let id = |made: &Value| made["id"].as_str().unwrap_or_default().to_owned();
    match (die, last) {
        (0, _) => {
            let name = format!("client {mark}");
            let made = api.post("/api/v1/clients", &json!({ "name": name }))?;
            acknowledged.clients.insert((id(&made), name));
        }
        (1, _) => {
            let made = api.post("/api/v1/enrolment-codes", &json!({ "site_id": target.site }))?;
            acknowledged.codes.insert(id(&made));
        }
        (2..=6, Some(sequence)) => {
            let text = format!("note {mark}");
            api.post(&format!("/api/v1/sequences/{sequence}/notes"), &json!({ "text": text }))?;
            acknowledged.notes.insert((sequence.to_owned(), text));
        }
        _ => {
            let step = |step: u32| {
                let command = format!("echo {mark}.{step} >> '{}'", target.traces);
                json!({ "probe": "shell", "with": { "command": command } })
            };
            let asked = json!({ "title": mark, "stop_on": "never", "steps": [step(1)] });
            let made = api.post(&format!("/api/v1/endpoints/{}/sequences", target.endpoint), &asked)?;
            acknowledged.sequences.insert(id(&made));
            return Ok(Some(id(&made)));
        }
    }
    Ok(None)
}
