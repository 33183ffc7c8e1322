//! What people do. Somebody who got no answer asks again with the same idempotency key.

use tidegate_core::api::{EndpointPatch, JournalState, NewSequence, SequenceState, SiteView};
use tidegate_core::call::{
    Command, EndpointAct, EndpointInput, Idempotency, Principal, Proof, Reply, Resource, SequenceAct,
};
use tidegate_core::digest::Digest;
use tidegate_core::error::Error;
use tidegate_core::id::{ClientId, JournalId, PersonId, SequenceId, SiteId};
use tidegate_core::sequence::{SequenceSpec, StepSpec};

use super::World;
use super::machine::MachineIndex;

/// Steps by what they are: `look`, `act`, and `act again` for one that may run once more.
pub(crate) fn steps(words: &[&str]) -> SequenceSpec {
    let step = |word: &&str| StepSpec {
        probe: word.split(' ').next().unwrap_or_default().to_owned(),
        with: serde_json::Map::new(),
        timeout: None,
        rerun: word.ends_with(" again"),
    };
    SequenceSpec {
        title: None,
        steps: words.iter().map(step).collect(),
        stop_on: None,
        expires_in: None,
        expires_at: None,
        not_before: None,
        playbook: None,
    }
}

/// One look.
pub(crate) fn look() -> SequenceSpec {
    steps(&["look"])
}

impl World {
    /// Does what a person asks for, until somebody answers.
    pub(crate) fn act(&mut self, act: &EndpointAct) -> Result<Resource, Error> {
        self.act_as("technician@example.org", act)
    }

    fn act_as(&mut self, email: &str, act: &EndpointAct) -> Result<Resource, Error> {
        let number = u64::from_be_bytes(self.entropy()[..8].try_into().expect("eight bytes"));
        for _ in 0..3 {
            let command = Command {
                by: Principal {
                    person: PersonId::from_bytes([4; 10]),
                    email: email.to_owned(),
                    role: "owner".to_owned(),
                    proof: Proof::Token { until: None },
                },
                idempotency: Some(Idempotency {
                    key: number.to_string(),
                    route: "test".to_owned(),
                    body: Digest::ZERO,
                }),
                act: act.clone(),
            };
            match self.control_handle(EndpointInput::Act(Box::new(command))) {
                None => {}
                Some(Ok(Reply::Resource { resource, .. })) => return Ok(*resource),
                Some(Ok(other)) => panic!("an act was answered with {other:?}"),
                Some(Err(error)) => return Err(error),
            }
        }
        panic!("an act is answered at the second time at the latest")
    }

    /// Queues a sequence.
    pub(crate) fn queue(&mut self, spec: SequenceSpec) -> SequenceId {
        let reruns = spec.steps.iter().map(|step| step.rerun).collect();
        let new = EndpointAct::CreateSequence(Box::new(NewSequence { spec, draft: false }));
        match self.act(&new) {
            Ok(Resource::Sequence(view)) => {
                self.truth.queued.insert(view.id, reruns);
                view.id
            }
            other => panic!("a sequence can be queued: {other:?}"),
        }
    }

    /// Acts on a sequence; whether that was possible.
    pub(crate) fn sequence_act(&mut self, sequence: SequenceId, act: SequenceAct) -> bool {
        match self.act(&EndpointAct::Sequence { sequence, act }) {
            Ok(_) => true,
            Err(Error::Problem(_)) => false,
            Err(Error::Sql(error)) => panic!("{error}"),
        }
    }

    /// The person who queues everything here is deactivated; the directory tells so until it is answered.
    pub(crate) fn technician_departs(&mut self) {
        let (person, by) = ("technician@example.org".to_owned(), "owner@example.org".to_owned());
        for _ in 0..3 {
            let told =
                self.control_handle(EndpointInput::HoldWorkOf { person: person.clone(), by: by.clone() });
            if told.is_some() {
                return;
            }
        }
    }

    pub(crate) fn cancel(&mut self, sequence: SequenceId) -> bool {
        self.sequence_act(sequence, SequenceAct::Cancel)
    }

    /// Moves the endpoint to a site with that time zone.
    pub(crate) fn move_to_zone(&mut self, time_zone: &str) {
        let site = SiteView {
            id: SiteId::from_bytes([9; 10]),
            client_id: ClientId::from_bytes([3; 10]),
            name: "Plant 7".to_owned(),
            time_zone: time_zone.to_owned(),
            windows: Vec::new(),
            created_at: self.now,
        };
        let if_match = self.endpoint_seen().expect("the endpoint is known").revision;
        let patch = EndpointPatch { site_id: Some(site.id), ..EndpointPatch::default() };
        let edited = self.act(&EndpointAct::Edit { if_match, patch, site: Some(site) });
        assert!(edited.is_ok(), "{edited:?}");
    }

    pub(crate) fn release(&mut self, sequence: SequenceId) -> bool {
        self.sequence_act(sequence, SequenceAct::Release)
    }

    /// Another person than the one who queued it releases it.
    pub(crate) fn release_as_owner(&mut self, sequence: SequenceId) {
        let act = EndpointAct::Sequence { sequence, act: SequenceAct::Release };
        let released = self.act_as("owner@example.org", &act);
        assert!(released.is_ok() || !self.is_undisturbed(), "{released:?}");
    }

    /// Adopts the journal that the machine writes; whether that was possible.
    pub(crate) fn adopt(&mut self, machine: MachineIndex) -> bool {
        self.journal(machine).is_some_and(|journal| self.adopt_journal(journal))
    }

    pub(crate) fn adopt_journal(&mut self, journal: JournalId) -> bool {
        self.act(&EndpointAct::Adopt { journal }).is_ok()
    }

    /// The sequence's state in the interface's word.
    pub(crate) fn state(&self, sequence: SequenceId) -> SequenceState {
        self.seen(sequence).map_or_else(|| panic!("`{sequence}` is known"), |view| view.state)
    }

    /// Checks a state in runs that nothing disturbs: with a crash in between, work may be elsewhere.
    #[track_caller]
    pub(crate) fn expect(&self, sequence: SequenceId, state: SequenceState) {
        if self.is_undisturbed() {
            assert_eq!(self.state(sequence), state, "{sequence}");
        }
    }

    /// Checks, in runs that nothing disturbs, how often processes of the sequence ran.
    #[track_caller]
    pub(crate) fn expect_runs(&self, sequence: SequenceId, runs: usize) {
        if self.is_undisturbed() {
            assert_eq!(self.truth.runs(sequence), runs, "{sequence}");
        }
    }

    /// What the journal that the machine writes is to the control plane; `None`: unknown.
    pub(crate) fn journal_state(&self, machine: MachineIndex) -> Option<JournalState> {
        let journal = self.journal(machine)?;
        let journals = self.endpoint_seen()?.journals;
        journals.iter().find(|view| view.id == journal).map(|view| view.state)
    }

    /// Checks that in runs that nothing disturbs.
    #[track_caller]
    pub(crate) fn expect_journal(&self, machine: MachineIndex, state: Option<JournalState>) {
        if self.is_undisturbed() {
            assert_eq!(self.journal_state(machine), state);
        }
    }
}
