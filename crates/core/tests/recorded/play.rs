//! Plays the script of a story: with both sides of today to record it, or with one side as it was recorded.

use std::collections::BTreeSet;

use tidegate_core::call::{EndpointAct, Resource};
use tidegate_core::id::SequenceId;
use tidegate_core::runtime::Input;
use tidegate_core::time::Timestamp;
use tidegate_core::wire::SyncMessage;

use crate::compare::{self, Comparison};
use crate::database::Database;
use crate::exchange::Exchange;
use crate::known::Known;
use crate::machine::{Machine, Question};
use crate::plane::{Moment, Plane, entropy};
use crate::problem::Place;
use crate::story::{Item, Story};
use crate::translate::Translation;

/// Which side is as it was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Neither: both are of today, and the story is written.
    Record,
    /// The runtime: today's control plane gets the recorded requests.
    RecordedRuntime,
    /// The control plane: today's runtime gets the recorded answers.
    RecordedPlane,
}

/// What differs from the recording in a replay.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Variation {
    /// Another number: today's side draws other random bytes.
    pub(crate) draws: u8,
    /// Whether the recorded side adds fields that nobody knows.
    pub(crate) is_extended: bool,
}

/// What becomes of an answer on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Arrives,
    Lost,
    /// Somebody changes the signatures of its orders.
    Altered,
}

pub(crate) struct Play {
    name: String,
    pub(super) mode: Mode,
    pub(super) story: Story,
    /// The next item of a recorded story.
    next: usize,
    variation: Variation,
    pub(super) now: Timestamp,
    step: usize,
    pub(super) plane: Plane,
    pub(super) machine: Machine,
    pub(super) queued: Vec<Option<SequenceId>>,
    pub(super) backup: Option<Database>,
    pub(super) disk: Option<Database>,
    known: Known,
    vocabulary: BTreeSet<String>,
    place: Place,
    exchanges: usize,
    pub(super) packs: bool,
    /// The last request of today's runtime.
    pub(super) asked: Option<Exchange>,
    problems: Vec<String>,
}

impl Play {
    pub(crate) fn new(name: &str, mode: Mode, story: Story, variation: Variation) -> Self {
        let now = Timestamp::from_milliseconds(1_800_000_000_000);
        let mut known = Known::default();
        let zeros = "0".repeat(64);
        known.learn(&zeros, &zeros).unwrap();
        Self {
            name: name.to_owned(),
            mode,
            story,
            next: 0,
            variation,
            now,
            step: 0,
            plane: Plane::new(now),
            machine: Machine::new(0, now),
            queued: Vec::new(),
            backup: None,
            disk: None,
            known,
            vocabulary: if mode == Mode::Record { BTreeSet::new() } else { compare::vocabulary() },
            place: Place { story: name.to_owned(), exchange: "none yet".to_owned() },
            exchanges: 0,
            packs: false,
            asked: None,
            problems: Vec::new(),
        }
    }

    pub(crate) fn save(&self) {
        self.story.save(&self.name);
    }

    /// What went wrong.
    pub(crate) fn finish(mut self) -> Vec<String> {
        let varies = self.variation.draws != 0 || self.variation.is_extended;
        if varies && self.problems.is_empty() && self.known.is_same() {
            self.problem("the replay", "nothing differs from the recording, so it shows nothing");
        }
        if self.problems.is_empty() && self.next_item().is_some() {
            self.problem("the script", "it ends before the recorded story does");
        }
        self.problems
    }

    fn is_off(&self) -> bool {
        !self.problems.is_empty()
    }

    /// What a call is given. `call` tells the calls of one step apart, which so draw the same in every mode.
    fn moment(&self, call: &str) -> Moment {
        Moment { now: self.now, entropy: entropy(&self.name, call, self.step, self.variation.draws) }
    }

    /// What a call of the control plane is given; `None`: it is as it was recorded.
    pub(super) fn plane_moment(&self) -> Option<Moment> {
        (self.mode != Mode::RecordedPlane && !self.is_off()).then(|| self.moment("plane"))
    }

    /// Likewise of the runtime.
    fn machine_moment(&self, call: &str) -> Option<Moment> {
        (self.mode != Mode::RecordedRuntime && !self.is_off()).then(|| self.moment(call))
    }

    pub(super) fn act(&mut self, act: EndpointAct) -> Option<Resource> {
        let moment = self.plane_moment()?;
        Some(self.plane.act(moment, act))
    }

    pub(super) fn on_machine(&mut self, what: &str, run: impl FnOnce(&mut Machine, Moment) -> Vec<String>) {
        self.happens(what);
        let Some(moment) = self.machine_moment("input") else { return };
        let said = run(&mut self.machine, moment);
        self.machine_says(said);
    }

    fn machine_says(&mut self, said: Vec<String>) {
        for what in said {
            self.outcome(Item::Machine(what));
        }
    }

    pub(super) fn sync_on(&mut self, way: Way) {
        self.now = self.now.shifted_by_ms(1_000);
        if let Some(moment) = self.plane_moment() {
            self.plane.deadline(moment);
        }
        self.exchange(Question::Sync, way);
        self.tick();
    }

    pub(super) fn tick(&mut self) {
        if let Some(moment) = self.machine_moment("tick") {
            let said = self.machine.handle(moment, Input::Tick);
            self.machine_says(said);
        }
    }

    pub(super) fn exchange(&mut self, question: Question, way: Way) {
        self.exchange_with(question, way, None);
    }

    /// One exchange; `again` is sent where it is given.
    pub(super) fn exchange_with(&mut self, question: Question, way: Way, again: Option<Exchange>) {
        if self.is_off() {
            return;
        }
        self.exchanges += 1;
        self.step += 1;
        let recorded = match self.mode {
            Mode::Record => Exchange::default(),
            Mode::RecordedRuntime | Mode::RecordedPlane => match self.next_item() {
                Some(Item::Exchange(exchange)) => exchange,
                other => {
                    return self.problem("the script", &format!("recorded is not an exchange but {other:?}"));
                }
            },
        };
        self.place.exchange = format!("{} ({})", self.exchanges, recorded.path);
        let number = self.exchanges;
        let asked = self.machine_moment("ask").map(|moment| match again {
            Some(exchange) => exchange,
            None => self.machine.ask(moment, question, number, self.packs),
        });
        self.asked.clone_from(&asked);
        let answered = match self.mode {
            Mode::Record => {
                let mut exchange = asked.expect("the machine is of today");
                let moment = self.plane_moment().expect("the control plane is of today");
                self.plane.answer(moment, &mut exchange);
                self.story.0.push(Item::Exchange(exchange.clone()));
                exchange
            }
            Mode::RecordedRuntime => return self.answer_recorded_request(&recorded),
            Mode::RecordedPlane => {
                self.ask_recorded_plane(recorded, &asked.expect("the machine is of today"))
            }
        };
        if way == Way::Lost || self.is_off() {
            return;
        }
        let body = if way == Way::Altered { altered(&answered.answer) } else { answered.answer };
        if let Some(moment) = self.machine_moment("take") {
            let said = self.machine.take(moment, question, answered.status, &body);
            self.machine_says(said);
        }
    }

    /// Gives a recorded request to the control plane of today, and compares the answer.
    fn answer_recorded_request(&mut self, recorded: &Exchange) {
        let mut exchange = recorded.clone();
        let plain = recorded.plain_request();
        let translated = self.translated(&plain);
        if translated != plain {
            exchange.set_request(&translated);
        }
        for kind in not_understood(&translated) {
            self.problem(
                &format!("journal body `{kind}`"),
                "the control plane of today does not understand it",
            );
        }
        let Some(moment) = self.plane_moment() else { return };
        self.plane.answer(moment, &mut exchange);
        let [_, what] = recorded.names();
        let of_today = (exchange.status, &exchange.content_type);
        if of_today != (recorded.status, &recorded.content_type) {
            let text = String::from_utf8_lossy(&exchange.answer);
            return self.problem(
                &what,
                &format!("recorded with status {}, {of_today:?} today: {text}", recorded.status),
            );
        }
        self.compare(&what, &recorded.answer, &exchange.answer);
    }

    /// Compares a request of today with the recorded one, and answers it as it was answered.
    fn ask_recorded_plane(&mut self, recorded: Exchange, asked: &Exchange) -> Exchange {
        let [what, _] = recorded.names();
        let of_today = (&asked.path, &asked.headers);
        if of_today != (&recorded.path, &recorded.headers) {
            self.problem(
                &what,
                &format!("recorded as {:?}, {of_today:?} today", (&recorded.path, &recorded.headers)),
            );
            return recorded;
        }
        self.compare(&what, &recorded.plain_request(), &asked.plain_request());
        let answer = if recorded.answer.is_empty() { Vec::new() } else { self.translated(&recorded.answer) };
        Exchange { answer, ..recorded }
    }

    fn translated(&mut self, recorded: &[u8]) -> Vec<u8> {
        Translation { known: &mut self.known, is_extended: self.variation.is_extended }.body(recorded)
    }

    fn compare(&mut self, what: &str, recorded: &[u8], today: &[u8]) {
        let mut comparison = Comparison {
            known: &mut self.known,
            vocabulary: &self.vocabulary,
            place: &self.place,
            problems: Vec::new(),
        };
        comparison.bodies(what, recorded, today);
        self.problems.extend(comparison.problems);
    }

    pub(super) fn happens(&mut self, what: &str) {
        self.step += 1;
        self.outcome(Item::Happens(what.to_owned()));
    }

    /// Writes an item, or compares it with the next recorded one.
    pub(super) fn outcome(&mut self, item: Item) {
        if self.mode == Mode::Record {
            self.story.0.push(item);
        } else if !self.is_off() {
            let recorded = self.next_item();
            if recorded.as_ref() != Some(&item) {
                self.problem("the story", &format!("recorded is {recorded:?}, today it is {item:?}"));
            }
        }
    }

    /// The next recorded item, without what only the recorded side did.
    fn next_item(&mut self) -> Option<Item> {
        while let Some(item) = self.story.0.get(self.next).filter(|_| self.mode != Mode::Record) {
            self.next += 1;
            match (item, self.mode) {
                (Item::Plane(_), Mode::RecordedPlane) | (Item::Machine(_), Mode::RecordedRuntime) => {}
                (item, _) => return Some(item.clone()),
            }
        }
        None
    }

    fn problem(&mut self, field: &str, what: &str) {
        self.problems.push(self.place.problem(field, what));
    }
}

/// The kinds of the journal entries in a sync that are stored word for word and acted on by nobody.
fn not_understood(body: &[u8]) -> Vec<String> {
    let Ok(SyncMessage::Signed(request)) = SyncMessage::parse(body) else { return Vec::new() };
    let Ok(chain) = request.chain() else { return Vec::new() };
    chain.iter().filter(|entry| entry.body.is_none()).map(|entry| entry.header.kind.clone()).collect()
}

/// An answer whose orders somebody signed who has no key.
fn altered(answer: &[u8]) -> Vec<u8> {
    let mut answer: serde_json::Value = serde_json::from_slice(answer).unwrap();
    for offered in answer.get_mut("offered").and_then(|offered| offered.as_array_mut()).into_iter().flatten()
    {
        offered["order"]["signatures"][0]["sig"] = data_encoding::BASE64.encode(&[7; 64]).into();
    }
    answer.to_string().into_bytes()
}
