//! The words of which scripts are made: what happens at the machine and at the control plane.
//!
//! Each word does the same in every replay, whichever side is of today: a script never looks at what came of it.

use tidegate_core::api::NewSequence;
use tidegate_core::call::{EndpointAct, Resource, SequenceAct};
use tidegate_core::runtime::Input;
use tidegate_core::sequence::{EndState, SequenceSpec, StepSpec};

use crate::database::Database;
use crate::machine::{Machine, Question};
use crate::play::{Mode, Play, Way};
use crate::story::Item;

/// At the machine.
impl Play {
    /// Enrols and starts the program.
    pub(crate) fn enrols(&mut self) {
        self.exchange(Question::Enrol, Way::Arrives);
        self.boots();
    }

    pub(crate) fn boots(&mut self) {
        self.on_machine("the machine starts", Machine::boot);
    }

    /// `times` round trips, each a second after the other.
    pub(crate) fn syncs(&mut self, times: usize) {
        for _ in 0..times {
            self.sync_on(Way::Arrives);
        }
    }

    pub(crate) fn sync_lost(&mut self) {
        self.happens("the next answer is lost");
        self.sync_on(Way::Lost);
    }

    pub(crate) fn sync_altered(&mut self) {
        self.happens("somebody changes the signatures of the orders in the next answer");
        self.sync_on(Way::Altered);
    }

    /// The last request arrives once more, and its answer too.
    pub(crate) fn repeats(&mut self) {
        self.happens("the last request is sent once more");
        let asked = self.asked.clone();
        self.exchange_with(Question::Sync, Way::Arrives, asked);
    }

    pub(crate) fn recovers(&mut self) {
        self.happens("the machine presents its certificate");
        self.exchange(Question::Recover, Way::Arrives);
    }

    pub(crate) fn asks_the_time(&mut self) {
        self.exchange(Question::Time, Way::Arrives);
    }

    /// Large requests travel compressed from here on.
    pub(crate) fn packs(&mut self) {
        self.packs = true;
    }

    pub(crate) fn step_ends(&mut self, state: EndState, output: &str) {
        let what = format!("the step under way ends: {state}, with {} bytes of output", output.len());
        self.on_machine(&what, |machine, moment| machine.step_ends(moment, state, output));
    }

    /// Something else happens at the machine.
    pub(crate) fn at_the_machine(&mut self, what: &str, input: Input) {
        self.on_machine(what, |machine, moment| machine.handle(moment, input));
    }

    pub(crate) fn keeps_no_acknowledged_entry(&mut self) {
        self.machine.limits.acknowledged_bytes_max = 0;
    }

    pub(crate) fn disk_is_copied(&mut self) {
        self.happens("the machine's disk is copied");
        self.disk = Some(self.machine.disk.copy());
    }

    pub(crate) fn disk_is_set_back(&mut self) {
        self.happens("the machine's disk is set back to the copy");
        if self.mode != Mode::RecordedRuntime {
            self.machine.disk = self.disk.as_ref().expect("it was copied").copy();
        }
        self.boots();
    }

    /// Another image with keys of its own takes the machine's place.
    pub(crate) fn is_imaged_anew(&mut self) {
        self.happens("the machine gets a new disk and is enrolled again");
        self.machine = Machine::new(1, self.now);
        self.enrols();
    }
}

/// At the control plane, and time.
impl Play {
    /// A person queues a sequence: probes by name, `again` behind one that may run twice. Answers which it is, from 0.
    pub(crate) fn queues(&mut self, words: &[&str], not_before_seconds: Option<i64>) -> usize {
        let number = self.queued.len();
        self.happens(&format!("a person queues work {number}: {}", words.join(", ")));
        let step = |word: &&str| StepSpec {
            probe: word.split(' ').next().unwrap_or_default().to_owned(),
            with: serde_json::Map::new(),
            timeout: None,
            rerun: word.ends_with(" again"),
        };
        let spec = SequenceSpec {
            title: None,
            steps: words.iter().map(step).collect(),
            stop_on: None,
            expires_in: None,
            expires_at: None,
            not_before: not_before_seconds.map(|seconds| self.now.shifted_by_ms(seconds * 1_000)),
            playbook: None,
        };
        let act = EndpointAct::CreateSequence(Box::new(NewSequence { spec, draft: false }));
        let id = self.act(act).map(|resource| match resource {
            Resource::Sequence(view) => view.id,
            other => panic!("{other:?}"),
        });
        self.queued.push(id);
        number
    }

    pub(crate) fn cancels(&mut self, number: usize) {
        self.happens(&format!("a person cancels work {number}"));
        let act = |sequence| EndpointAct::Sequence { sequence, act: SequenceAct::Cancel };
        self.queued[number].map(act).and_then(|act| self.act(act));
    }

    /// A person adopts the journal that was heard last.
    pub(crate) fn adopts(&mut self) {
        self.happens("a person adopts the machine's journal");
        self.plane.journal.map(|journal| EndpointAct::Adopt { journal }).and_then(|act| self.act(act));
    }

    pub(crate) fn backs_up(&mut self) {
        self.happens("the control plane is backed up");
        self.backup = Some(self.plane.database.copy());
    }

    pub(crate) fn backs_up_nothing(&mut self) {
        self.backup = Some(Database::new(&tidegate_core::control::SCHEMA));
    }

    pub(crate) fn restores(&mut self, is_announced: bool) {
        let how = if is_announced { "with `admin restore`" } else { "as a virtual machine's snapshot" };
        self.happens(&format!("the control plane is restored, {how}"));
        if let Some(moment) = self.plane_moment() {
            let backup = self.backup.as_ref().expect("there is a backup").copy();
            self.plane.restore(moment, &backup, is_announced);
        }
    }

    pub(crate) fn restarts(&mut self) {
        self.happens("the control plane starts again");
        self.plane.restart();
    }

    pub(crate) fn rotates(&mut self, revokes: bool) {
        let more = if revokes { ", which revokes the one before" } else { "" };
        self.happens(&format!("the owner makes a new order key{more}"));
        self.plane.rotate(self.now, revokes);
    }

    pub(crate) fn passes(&mut self, seconds: i64) {
        self.happens(&format!("{seconds} seconds pass"));
        self.now = self.now.shifted_by_ms(seconds * 1_000);
        self.tick();
    }

    /// Notes how people see a sequence.
    pub(crate) fn shows(&mut self, number: usize) {
        let Some(moment) = self.plane_moment() else { return };
        let Some(sequence) = self.queued[number] else { return };
        let state = self.plane.state(moment, sequence);
        self.outcome(Item::Plane(format!("work {number} is {state}")));
    }
}
