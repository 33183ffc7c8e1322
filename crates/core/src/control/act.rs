//! What people do with an endpoint and its sequences.

use crate::api::{EndpointPatch, EndpointState, NewSequence, SequencePatch, SequenceState, SiteView};
use crate::call::{Command, EndpointAct, Principal, Reply, Resource, SequenceAct, check_confirmed};
use crate::envelope::Envelope;
use crate::error::{Code, Error};
use crate::id::SequenceId;
use crate::keys::Role;
use crate::sequence::{
    CancelRequest, EndState, Note, Queued, Sequence, SequenceSpec, SpecError, Standing, StepRecord,
    TIMEOUT_DEFAULT,
};
use crate::time::Timestamp;
use crate::transcript::{ACTOR_CONTROL_PLANE, TranscriptBody};
use crate::wire::{PROTOCOL_VERSION, Work, WorkStep};

use super::object::Object;
use super::{idempotency, notes, store, view};

/// Most sequences of one endpoint that have not ended: a queue longer than this is a script gone wrong.
const LIVE_MAX: u64 = 1_000;
/// Most notes on one sequence.
const NOTES_MAX: usize = 200;

/// Does what a person asked for, once: a repeat with the same idempotency key is answered as the first time.
pub(super) fn act(object: &mut Object<'_>, command: Command<EndpointAct>) -> Result<Reply, Error> {
    let Command { by, idempotency, act } = command;
    check_confirmed(&by, &act, object.cx.now)?;
    if let Some(reply) = idempotency::replay(object, &by, idempotency.as_ref())? {
        return Ok(reply);
    }
    let (resource, created) = match act {
        EndpointAct::CreateSequence(new) => (object.sequence_create(&by, *new)?, true),
        EndpointAct::EditSequence { sequence, if_match, patch } => {
            (object.sequence_edit(sequence, if_match, *patch)?, false)
        }
        EndpointAct::Sequence { sequence, act } => object.sequence_act(&by, sequence, act)?,
        EndpointAct::Adopt { journal } => {
            object.adopt(&by.email, journal)?;
            (object.endpoint_resource()?, false)
        }
        EndpointAct::Note(text) => {
            object.note_machine(&by, text)?;
            (object.endpoint_resource()?, false)
        }
        EndpointAct::Revoke => (object.revoke(&by)?, false),
        EndpointAct::Retire => (object.retire(&by)?, false),
        EndpointAct::FollowSite(site) => (object.follow(*site)?, false),
        EndpointAct::Edit { if_match, patch, site } => (object.edit(&by, if_match, patch, site)?, false),
    };
    idempotency::keep(object, &by, idempotency.as_ref(), &resource, created)?;
    Ok(Reply::Resource { resource: Box::new(resource), created, repeated: false })
}

impl Object<'_> {
    fn sequence_create(&mut self, by: &Principal, new: NewSequence) -> Result<Resource, Error> {
        new.spec.check_bounds().map_err(|error| invalid_sequence(&error))?;
        let draft = new.draft;
        let id = self.sequence_make(by, new.spec, None)?;
        if !draft {
            self.queue(by, id)?;
        }
        self.sequence_resource(id)
    }

    fn sequence_make(
        &mut self,
        by: &Principal,
        spec: SequenceSpec,
        retry_of: Option<SequenceId>,
    ) -> Result<SequenceId, Error> {
        self.check_working()?;
        if store::sequence_count_live(self.db, self.id)? >= LIVE_MAX {
            let detail =
                format!("this endpoint has {LIVE_MAX} sequences that have not ended: cancel some first");
            return Err(Error::problem(Code::QueueFull, detail));
        }
        let id = SequenceId::fresh(self.id, &mut self.entropy);
        self.sequence_add(Sequence {
            id,
            title: spec.title.clone().unwrap_or_else(|| spec.default_title()),
            steps: vec![StepRecord::default(); spec.steps.len()],
            spec,
            created_by: by.email.clone(),
            created_at: self.cx.now,
            retry_of,
            revision: 0,
            queued: None,
            standing: Standing::Draft,
            doubt: None,
            cancel: None,
            offered_at: None,
            delivered_at: None,
            waiting: None,
            repeats_in_doubt: false,
            notes: Vec::new(),
            reviewed: None,
            assignee: None,
            hold_on_return: None,
            run_next: None,
        });
        Ok(id)
    }

    /// Queues a draft: judges it against the machine's own probes and signs it.
    fn queue(&mut self, by: &Principal, id: SequenceId) -> Result<(), Error> {
        self.check_working()?;
        let now = self.cx.now;
        let catalogue = store::catalogue_load(self.db, self.id)?;
        let sequence = self.sequence_named(id)?;
        if sequence.standing != Standing::Draft {
            return Err(wrong_state(sequence, "queued", "a draft"));
        }
        let resolved =
            sequence.spec.resolve(catalogue.as_ref(), now).map_err(|error| invalid_sequence(&error))?;
        sequence.title = resolved.title;
        sequence.steps = vec![StepRecord::default(); sequence.spec.steps.len()];
        sequence.queued = Some(Queued {
            at: now,
            by: Some(by.email.clone()),
            not_before: resolved.not_before,
            expires_at: resolved.expires_at,
            expiry_explicit: resolved.expiry_explicit,
            stop_on: resolved.stop_on,
            risk: resolved.risk,
        });
        sequence.standing = Standing::Queued;
        let (title, spec, retry_of) = (sequence.title.clone(), sequence.spec.clone(), sequence.retry_of);
        let work = self.work_sign(id)?;
        let body = TranscriptBody::Queued { title, spec: Box::new(spec), work: work.digest(), retry_of };
        self.record(&by.email, Some(id), &body)?;
        self.wake();
        Ok(())
    }

    /// Signs the work as it is to run from now on (R1: `issued_at` is when).
    fn work_sign(&mut self, id: SequenceId) -> Result<Envelope, Error> {
        let (endpoint, now) = (self.id, self.cx.now);
        let sequence = self.sequence_named(id)?;
        let queued = sequence.queued.as_ref().ok_or_else(|| Error::conflict("only queued work is signed"))?;
        let steps = sequence.spec.steps.iter().map(|step| WorkStep {
            probe: step.probe.clone(),
            with: step.with.clone(),
            timeout: step.timeout.unwrap_or(TIMEOUT_DEFAULT),
            rerun: step.rerun,
        });
        let work = Work {
            v: PROTOCOL_VERSION,
            endpoint,
            sequence: id,
            title: sequence.title.clone(),
            stop_on: queued.stop_on,
            issued_at: now,
            not_before: queued.not_before,
            expires_at: queued.expires_at,
            expiry_explicit: queued.expiry_explicit,
            steps: steps.collect(),
        };
        let envelope = Envelope::seal(&work, self.cx.keys, Role::Order);
        store::work_save(self.db, self.id, id, &envelope)?;
        Ok(envelope)
    }

    /// When the work was signed; `None`: it never was here.
    pub(super) fn issued_at(&self, id: SequenceId) -> Result<Option<Timestamp>, Error> {
        let work = store::work_load(self.db, self.id, id)?;
        Ok(work.and_then(|work| work.peek::<Work>().ok()).map(|work| work.issued_at))
    }

    fn sequence_edit(
        &mut self,
        id: SequenceId,
        if_match: u64,
        patch: SequencePatch,
    ) -> Result<Resource, Error> {
        let sequence = self.sequence_named(id)?;
        check_revision(sequence.revision, if_match)?;
        if sequence.standing != Standing::Draft {
            return Err(wrong_state(sequence, "edited", "a draft"));
        }
        let spec = &mut sequence.spec;
        let SequencePatch { title, steps, stop_on, expires_in, expires_at, not_before } = patch;
        spec.title = title.unwrap_or_else(|| spec.title.take());
        if let Some(steps) = steps {
            spec.steps = steps;
        }
        spec.stop_on = stop_on.unwrap_or(spec.stop_on);
        if expires_in.is_some() || expires_at.is_some() {
            (spec.expires_in, spec.expires_at) = (expires_in, expires_at);
        }
        spec.not_before = not_before.unwrap_or(spec.not_before);
        spec.check_bounds().map_err(|error| invalid_sequence(&error))?;
        sequence.title = sequence.spec.title.clone().unwrap_or_else(|| sequence.spec.default_title());
        sequence.steps = vec![StepRecord::default(); sequence.spec.steps.len()];
        self.sequence_resource(id)
    }

    fn sequence_act(
        &mut self,
        by: &Principal,
        id: SequenceId,
        act: SequenceAct,
    ) -> Result<(Resource, bool), Error> {
        match act {
            SequenceAct::Queue => self.queue(by, id)?,
            SequenceAct::Cancel => self.cancel(by, id)?,
            SequenceAct::Release => self.release(by, id)?,
            SequenceAct::Purge => return self.purge(by, id).map(|resource| (resource, false)),
            SequenceAct::Note(text) => self.note(by, id, text)?,
            SequenceAct::Review => self.review(by, id)?,
            SequenceAct::Unreview => self.unreview(by, id)?,
            SequenceAct::Assign(to) => self.assign(by, id, to)?,
            SequenceAct::RunNext => self.run_next(by, id)?,
            SequenceAct::Retry => {
                let retried = self.retry(by, id)?;
                return self.sequence_resource(retried).map(|resource| (resource, true));
            }
        }
        self.sequence_resource(id).map(|resource| (resource, false))
    }

    fn cancel(&mut self, by: &Principal, id: SequenceId) -> Result<(), Error> {
        let now = self.cx.now;
        let sequence = self.sequence_named(id)?;
        match &sequence.standing {
            Standing::Draft => Err(wrong_state(sequence, "cancelled", "queued; give a draft up with purge")),
            Standing::Ended { state: SequenceState::Cancelled, .. } => Ok(()),
            Standing::Ended { .. } => Err(wrong_state(sequence, "cancelled", "not ended")),
            Standing::Queued | Standing::Held { .. } if sequence.doubt.is_none() => {
                self.end_ours(&by.email, id, EndState::Cancelled, "cancelled before it was sent")
            }
            Standing::Queued
            | Standing::Held { .. }
            | Standing::Offered { .. }
            | Standing::Delivered
            | Standing::Running => {
                if sequence.cancel.is_none() {
                    sequence.cancel = Some(CancelRequest { by: by.email.clone(), at: now, log: None });
                    self.record(&by.email, Some(id), &TranscriptBody::CancelRequested)?;
                    self.wake();
                }
                Ok(())
            }
        }
    }

    /// Ends work that the control plane still decides about (R8).
    pub(super) fn end_ours(
        &mut self,
        actor: &str,
        id: SequenceId,
        state: EndState,
        reason: &str,
    ) -> Result<(), Error> {
        let now = self.cx.now;
        let sequence = self.sequence_named(id)?;
        sequence.end_open_steps(state, now);
        sequence.standing = Standing::Ended {
            state: if state == EndState::Expired { SequenceState::Expired } else { SequenceState::Cancelled },
            at: now,
            reason: Some(reason.to_owned()),
            by_journal: false,
        };
        self.record(actor, Some(id), &TranscriptBody::Ended { state, reason: reason.to_owned() })?;
        Ok(())
    }

    fn release(&mut self, by: &Principal, id: SequenceId) -> Result<(), Error> {
        let sequence = self.sequence_named(id)?;
        if !matches!(sequence.standing, Standing::Held { .. }) || sequence.doubt.is_some() {
            return Err(wrong_state(sequence, "released", "held"));
        }
        sequence.standing = Standing::Queued;
        // The person who releases it vouches for it from now on: the one who queued it may be gone.
        if let Some(queued) = &mut sequence.queued {
            queued.by = Some(by.email.clone());
        }
        // Signed again, so that the machine's list of outcomes reaches back to it (R1).
        self.work_sign(id)?;
        self.record(&by.email, Some(id), &TranscriptBody::Released)?;
        self.wake();
        Ok(())
    }

    fn purge(&mut self, by: &Principal, id: SequenceId) -> Result<Resource, Error> {
        let sequence = self.sequence_named(id)?;
        if sequence.standing == Standing::Draft {
            let resource = self.sequence_resource(id)?;
            self.sequence_remove(id)?;
            return Ok(resource);
        }
        if !sequence.is_ours_to_decide() {
            return Err(wrong_state(sequence, "purged", "held, queued or a draft; cancel it instead"));
        }
        self.record(&by.email, Some(id), &TranscriptBody::Purged)?;
        self.end_ours(&by.email, id, EndState::Cancelled, "purged before it was sent")?;
        self.sequence_resource(id)
    }

    fn note(&mut self, by: &Principal, id: SequenceId, text: String) -> Result<(), Error> {
        notes::check_note(&text)?;
        let now = self.cx.now;
        let sequence = self.sequence_named(id)?;
        if sequence.notes.len() >= NOTES_MAX {
            return Err(Error::conflict(format!("a sequence takes at most {NOTES_MAX} notes")));
        }
        sequence.notes.push(Note { by: by.email.clone(), at: now, text: text.clone() });
        self.record(&by.email, Some(id), &TranscriptBody::Noted { text })?;
        Ok(())
    }

    fn retry(&mut self, by: &Principal, id: SequenceId) -> Result<SequenceId, Error> {
        let sequence = self.sequence_named(id)?;
        if !sequence.is_ended() {
            return Err(wrong_state(sequence, "retried", "ended"));
        }
        if sequence.queued.is_none() {
            return Err(Error::conflict(
                "what this sequence asked for is known only to the machine: write it again",
            ));
        }
        let mut spec = sequence.spec.clone();
        // Times of the first run make no sense for the second.
        (spec.expires_at, spec.not_before) = (None, None);
        let in_doubt = sequence.is_in_doubt();
        let retried = self.sequence_make(by, spec, Some(id))?;
        self.sequence_named(retried)?.repeats_in_doubt = in_doubt;
        self.queue(by, retried)?;
        Ok(retried)
    }

    fn revoke(&mut self, by: &Principal) -> Result<Resource, Error> {
        self.record(&by.email, None, &TranscriptBody::Revoked)?;
        self.end_everything(by, "the endpoint was revoked")?;
        self.log_close()?;
        self.row.state = EndpointState::Revoked;
        self.wake();
        self.endpoint_resource()
    }

    fn retire(&mut self, by: &Principal) -> Result<Resource, Error> {
        match self.row.state {
            EndpointState::Active => {}
            EndpointState::Retired => return self.endpoint_resource(),
            EndpointState::Recovered => return Err(Error::conflict("adopt its journal first, or revoke it")),
            EndpointState::Revoked => {
                return Err(Error::conflict("a revoked endpoint is not believed: it cannot be told"));
            }
        }
        self.record(&by.email, None, &TranscriptBody::Retired)?;
        for id in self.live()? {
            if self.sequence_named(id)?.is_ours_to_decide() {
                self.end_ours(&by.email, id, EndState::Cancelled, "the endpoint was retired")?;
            }
        }
        self.row.state = EndpointState::Retired;
        self.wake();
        self.endpoint_resource()
    }

    fn end_everything(&mut self, by: &Principal, reason: &str) -> Result<(), Error> {
        let now = self.cx.now;
        for id in self.live()? {
            if self.sequence_named(id)?.is_ours_to_decide() {
                self.end_ours(&by.email, id, EndState::Cancelled, reason)?;
            } else {
                self.sequence_named(id)?.lose(reason, now);
                let body = TranscriptBody::Lost { reason: reason.to_owned() };
                self.record(ACTOR_CONTROL_PLANE, Some(id), &body)?;
            }
        }
        Ok(())
    }

    fn edit(
        &mut self,
        by: &Principal,
        if_match: u64,
        patch: EndpointPatch,
        site: Option<SiteView>,
    ) -> Result<Resource, Error> {
        check_revision(self.row.revision, if_match)?;
        if let Some(name) = patch.name {
            check_name(&name)?;
            self.row.name = name;
        }
        if let Some(site) = site.filter(|site| patch.site_id == Some(site.id)) {
            (self.row.site, self.row.client, self.row.time_zone) = (site.id, site.client_id, site.time_zone);
        }
        let tags = patch.tags.map(notes::check_tags).transpose()?.filter(|tags| *tags != self.row.tags);
        if let Some(tags) = &tags {
            self.row.tags.clone_from(tags);
        }
        self.row.revision += 1;
        let body = TranscriptBody::Edited { name: self.row.name.clone(), site: self.row.site, tags };
        self.record(&by.email, None, &body)?;
        self.endpoint_resource()
    }

    /// Takes up the time zone of its site, in which people read times; an edit that somebody has begun stays valid.
    fn follow(&mut self, site: SiteView) -> Result<Resource, Error> {
        if self.row.site == site.id {
            self.row.time_zone = site.time_zone;
        }
        self.endpoint_resource()
    }

    /// Whether anything may be queued at all.
    fn check_working(&self) -> Result<(), Error> {
        match self.row.state {
            EndpointState::Active | EndpointState::Recovered => Ok(()),
            EndpointState::Retired => {
                Err(Error::conflict("the endpoint is retired: nothing more runs on it"))
            }
            EndpointState::Revoked => Err(Error::conflict("the endpoint is revoked: enrol it again first")),
        }
    }

    fn sequence_resource(&mut self, id: SequenceId) -> Result<Resource, Error> {
        self.flush()?;
        let shown = view::sequence(self.db, self.cx, self.id, id)?;
        Ok(Resource::Sequence(Box::new(shown)))
    }

    fn endpoint_resource(&mut self) -> Result<Resource, Error> {
        self.flush()?;
        Ok(Resource::Endpoint(Box::new(view::endpoint(self.db, self.cx, self.id)?)))
    }
}

/// Judges a name that people read: 1 to 200 bytes without control characters.
pub(crate) fn check_name(name: &str) -> Result<(), Error> {
    if name.trim().is_empty() || name.len() > 200 || name.contains(char::is_control) {
        return Err(Error::invalid("a name has 1 to 200 bytes and no control characters"));
    }
    Ok(())
}

pub(crate) fn check_revision(revision: u64, if_match: u64) -> Result<(), Error> {
    if revision == if_match {
        return Ok(());
    }
    let detail = format!("you edit revision {if_match} and it is at {revision}: read it again");
    Err(Error::problem(Code::RevisionMismatch, detail))
}

fn invalid_sequence(error: &SpecError) -> Error {
    Error::problem(Code::InvalidSequence, error.to_string())
}

pub(super) fn wrong_state(sequence: &Sequence, act: &str, needed: &str) -> Error {
    let state = serde_json::to_value(sequence.state()).ok();
    let state = state.as_ref().and_then(|state| state.as_str()).unwrap_or("unknown").to_owned();
    Error::conflict(format!("the sequence is {state}: only one that is {needed} can be {act}"))
}
