//! The control plane's side: one transaction a call, and backups of all of it.

use std::sync::Arc;

use tidegate_core::api::{EndpointView, Paging, SequenceSummary, SequenceView};
use tidegate_core::call::{
    Answer, Context, EndpointInput, EndpointQuestion, Presence, Reply, Seen, SyncNeed,
};
use tidegate_core::control::{self, TicketUses};
use tidegate_core::error::{Code, Error};
use tidegate_core::id::{EndpointId, SequenceId};
use tidegate_core::rhythm::Rhythm;
use tidegate_core::sequence::Standing;
use tidegate_core::sql::ReadSql;
use tidegate_core::transcript::TranscriptHeader;
use tidegate_core::wire::{SyncMessage, SyncRequest};

use crate::fired::count;
use crate::observed::{Observed, sequences};

use super::World;
use super::database::Database;

/// A copy of the control plane, with what was seen of it until then.
pub(crate) struct Backup {
    database: Database,
    observed: Observed,
    queued: Vec<SequenceId>,
}

/// What only the host knows; a scenario sets it. By default nobody is connected between calls.
#[derive(Default)]
pub(crate) struct Known {
    pub(crate) is_connected: bool,
    pub(crate) rhythm: Rhythm,
    pub(crate) is_storage_full: bool,
    /// Which start of the program it is.
    pub(crate) start: u64,
    pub(crate) room_bytes: Option<u64>,
}

impl Presence for Known {
    fn last_seen(&self, _: EndpointId) -> Option<Seen> {
        None
    }

    fn is_connected(&self, _: EndpointId) -> bool {
        self.is_connected
    }

    fn start(&self) -> u64 {
        self.start
    }

    fn rhythm(&self, _: EndpointId) -> Rhythm {
        self.rhythm
    }

    fn is_storage_full(&self) -> bool {
        self.is_storage_full
    }

    fn room_bytes(&self) -> Option<u64> {
        self.room_bytes
    }
}

impl World {
    pub(super) fn with_control<T>(&self, run: impl FnOnce(&Context<'_>) -> T) -> T {
        run(&Context {
            now: self.now,
            entropy: self.entropy(),
            keys: &*self.order_keys,
            authority: &self.authority,
            presence: &self.host,
            earlier: &self.earlier,
        })
    }

    /// Calls the control plane; `None`: it lost power right after the commit, so nobody has its reply.
    pub(crate) fn control_handle(&mut self, input: EndpointInput) -> Option<Result<Reply, Error>> {
        let endpoint = self.endpoint;
        let answer =
            self.with_control(|cx| self.control.transaction(|db| control::handle(db, cx, endpoint, input)));
        if let Err(Error::Sql(error)) = &answer {
            panic!("storage never fails here: {error}");
        }
        if answer.is_ok() {
            self.observed.look(&self.control);
            if self.commit() {
                count("the control plane loses power after a commit");
                self.control_restart();
                return None;
            }
        }
        Some(answer.map(|(reply, _)| reply))
    }

    /// Answers a sync as a host does, asking on a reader first; `None`: the machine hears nothing, or that nothing has
    /// moved.
    pub(super) fn control_sync(&mut self, message: SyncMessage) -> Option<Result<Reply, Error>> {
        let endpoint = self.endpoint;
        let (question, input) = match message {
            SyncMessage::Signed(request) => {
                let request = Arc::new(*request);
                let input = EndpointInput::Sync { request: Arc::clone(&request), address: None };
                (EndpointQuestion::Sync(request), input)
            }
            SyncMessage::Idle(idle) => {
                let idle = Arc::new(idle);
                (EndpointQuestion::IdleSync(Arc::clone(&idle)), EndpointInput::IdleSync(idle))
            }
        };
        let need = match self.with_control(|cx| control::query(&self.control, cx, endpoint, question)) {
            Ok(Answer::Sync(need)) => need,
            Ok(other) => panic!("a question about a sync was answered with {other:?}"),
            Err(error) => return Some(Err(error)),
        };
        if let EndpointInput::IdleSync(idle) = &input
            && !self.tickets.admits(&idle.ticket, idle.count)
        {
            return Some(Err(Error::problem(
                Code::TokenExpired,
                "sent before, or not issued since the start",
            )));
        }
        match need {
            SyncNeed::Wait => None,
            SyncNeed::Handle => {
                if let EndpointInput::Sync { request, .. } = &input {
                    self.control_sync_part(request)?;
                }
                self.control_handle(input)
            }
        }
    }

    /// Hands some entries in first, as a host does with a large sync; `None`: the power went.
    fn control_sync_part(&mut self, request: &Arc<SyncRequest>) -> Option<()> {
        // Every other length, so that both ways are taken.
        if request.entries.len() < 2 || request.entries.len() % 2 == 1 {
            return Some(());
        }
        let entries = 0..request.entries.len() / 2;
        // What is refused here is refused again with the whole, and said then.
        let part = self.control_handle(EndpointInput::SyncPart { request: Arc::clone(request), entries });
        self.is_part_lost = part.is_none();
        let _ = part?;
        count("a sync is taken in two parts");
        Some(())
    }

    /// The control plane's program starts again: what only its memory held is gone.
    pub(crate) fn control_restart(&mut self) {
        self.tickets = TicketUses::default();
        self.host.start += 1;
    }

    /// Lets the control plane do what time asks of it.
    pub(crate) fn deadlines(&mut self) {
        let due = control::next_deadline(&self.control, self.endpoint).expect("deadlines read");
        if due.is_some_and(|due| due <= self.now) {
            self.control_handle(EndpointInput::Deadline);
        }
    }

    /// A copy of the control plane.
    pub(crate) fn backup(&self) -> Backup {
        Backup {
            database: self.control.copy(),
            observed: self.observed.clone(),
            queued: self.truth.queued.keys().copied().collect(),
        }
    }

    /// A copy from before anything was there.
    pub(crate) fn backup_of_nothing(&self) -> Backup {
        Backup { database: super::empty_control(), observed: Observed::default(), queued: Vec::new() }
    }

    /// Puts a copy in place, as a virtual machine's snapshot does: nobody says so.
    pub(crate) fn restore_silently(&mut self, backup: &Backup) {
        self.control = backup.database.copy();
        self.control_restart();
        self.delivered.clear();
        self.observed = backup.observed.clone();
        let made_since = self.truth.queued.keys().filter(|id| !backup.queued.contains(id));
        self.truth.forgettable.extend(made_since.copied());
        let ended: Vec<_> = sequences(&self.control)
            .into_iter()
            .filter(|(sequence, _)| matches!(sequence.standing, Standing::Ended { by_journal: true, .. }))
            .map(|(sequence, _)| sequence.id)
            .collect();
        let forgotten: Vec<_> = self.truth.queued.keys().filter(|id| !ended.contains(id)).copied().collect();
        self.leave_out_what_a_copy_alone_knows(&forgotten);
        self.truth.forgotten_by_control.extend(forgotten);
        self.truth.leave_out_what_both_forgot();
    }

    /// Leaves out of G2 what some copies of the machine know and others do not, once the control plane forgot it: those
    /// that do not know it agree with the control plane that it never was.
    fn leave_out_what_a_copy_alone_knows(&mut self, forgotten: &[SequenceId]) {
        let known: Vec<Vec<SequenceId>> =
            self.machines.iter().map(|machine| super::machine::known(&machine.disk)).collect();
        let of_one = |id: &&SequenceId| {
            known.iter().any(|known| known.contains(*id)) && !known.iter().all(|known| known.contains(*id))
        };
        self.truth.outside.extend(forgotten.iter().filter(of_one));
    }

    /// Restores as `admin restore` does.
    pub(crate) fn restore(&mut self, backup: &Backup) {
        self.restore_silently(backup);
        let restored = self.with_control(|cx| self.control.transaction(|db| control::restore_all(db, cx)));
        restored.expect("a restore is possible");
        self.observed.look(&self.control);
        self.commit();
    }

    /// Restores, and says so or not.
    pub(crate) fn restore_as(&mut self, backup: &Backup, announced: bool) {
        if announced { self.restore(backup) } else { self.restore_silently(backup) }
    }

    /// How many entries of that kind the transcript has.
    pub(crate) fn transcript_count(&self, kind: &str) -> usize {
        let rows = self.control.query("SELECT header FROM transcript", &[]).expect("the table is there");
        let headers = rows.iter().map(|row| row.json::<TranscriptHeader>(0).expect("headers read"));
        headers.filter(|header| header.kind == kind).count()
    }

    /// The sequence as people see it; `None`: the control plane does not know it.
    pub(crate) fn seen(&self, sequence: SequenceId) -> Option<SequenceView> {
        let question = EndpointQuestion::Sequence(sequence);
        match self.with_control(|cx| control::query(&self.control, cx, self.endpoint, question)) {
            Ok(Answer::Sequence(view)) => Some(*view),
            Err(Error::Problem(problem)) if problem.code == Code::NotFound => None,
            other => panic!("a question about a sequence was answered with {other:?}"),
        }
    }

    /// What the control plane answers to a question about the endpoint.
    pub(crate) fn asked(&self, question: EndpointQuestion) -> Result<Answer, Error> {
        self.with_control(|cx| control::query(&self.control, cx, self.endpoint, question))
    }

    /// The sequence as listings show it.
    pub(crate) fn summary(&self, sequence: SequenceId) -> SequenceSummary {
        let paging = Paging { cursor: None, limit: Paging::LIMIT_MAX };
        let question = EndpointQuestion::Sequences { state: None, since: None, paging };
        match self.with_control(|cx| control::query(&self.control, cx, self.endpoint, question)) {
            Ok(Answer::Sequences(page)) => {
                let found = page.items.into_iter().find(|summary| summary.id == sequence);
                found.expect("the sequence is listed")
            }
            other => panic!("a question about sequences was answered with {other:?}"),
        }
    }

    /// The endpoint as people see it; `None`: the control plane does not know it.
    pub(crate) fn endpoint_seen(&self) -> Option<EndpointView> {
        match self
            .with_control(|cx| control::query(&self.control, cx, self.endpoint, EndpointQuestion::Endpoint))
        {
            Ok(Answer::Endpoint(view)) => Some(*view),
            Err(Error::Problem(problem)) if problem.code == Code::UnknownEndpoint => None,
            other => panic!("a question about the endpoint was answered with {other:?}"),
        }
    }
}
