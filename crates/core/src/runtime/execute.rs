//! The executor's rules: one sequence at a time, journal before action, what a crash leaves behind.

use crate::error::Error;
use crate::id::SequenceId;
use crate::journal::{BODY_BYTES_MAX, JournalBody, SequenceEnd, WaitReason};
use crate::sequence::{EndState, Finding, Output, StepResult, StopOn};

use super::Effect;
use super::state::Object;
use super::work::{self, LiveWork, RunningStep};

/// Room that must be left before a step starts: its result, its end, and the sequence's end (G7).
const RESERVE_BYTES: u64 = BODY_BYTES_MAX as u64 + 64 * 1024;

/// What a step that was cut off says of itself.
const INTERRUPTED: &str = "cut off by a crash, power loss or restart: it may have had its effect";

impl Object<'_> {
    /// Starts what can start: the sequence under way first, then the oldest that nothing holds back (R14).
    pub(super) fn advance(&mut self) -> Result<(), Error> {
        if !self.state.is_adopted || self.state.is_retired {
            return Ok(());
        }
        let mut queue = work::live(self.db)?;
        if queue.iter().any(|live| live.progress.running.is_some()) {
            return Ok(());
        }
        queue.sort_by_key(|live| !live.is_begun());
        for live in queue {
            if self.sequence_advance(live)? {
                break;
            }
        }
        Ok(())
    }

    /// Brings one sequence to its next start, its end, or its reason to wait. Answers whether a step started.
    fn sequence_advance(&mut self, mut live: LiveWork) -> Result<bool, Error> {
        loop {
            if live.progress.is_cancelled {
                self.work_end(live, SequenceEnd::Cancelled, EndState::Cancelled, None)?;
                return Ok(false);
            }
            let Some(step) = live.next_step() else {
                self.work_end(live, SequenceEnd::Completed, EndState::Lost, None)?;
                return Ok(false);
            };
            if self.now.is_known && self.now.at >= live.work.expires_at {
                self.work_end(live, SequenceEnd::Expired, EndState::Expired, Some("its time ran out"))?;
                return Ok(false);
            }
            if let Some(reason) = self.reason_to_wait(&live) {
                self.wait(live, reason)?;
                return Ok(false);
            }
            let Some(refusal) = self.refusal(&live, step) else {
                self.step_start(live, step)?;
                return Ok(true);
            };
            let result = plain_result(&refusal);
            match self.step_end(live, RunningStep { step, attempt: 1 }, EndState::Refused, result)? {
                Some(rest) => live = rest,
                None => return Ok(false),
            }
        }
    }

    fn reason_to_wait(&self, live: &LiveWork) -> Option<WaitReason> {
        let work = &live.work;
        let has_time_condition = work.not_before.is_some() || work.expiry_explicit;
        if !self.now.is_known && has_time_condition {
            return Some(WaitReason::ClockUnknown);
        }
        if let Some(at) = work.not_before.filter(|at| self.now.at < *at) {
            return Some(WaitReason::NotBefore { at });
        }
        let limits = &self.cx.limits;
        let has_room = limits.has_room && self.state.kept_bytes + RESERVE_BYTES <= limits.journal_bytes_max;
        if has_room { None } else { Some(WaitReason::JournalFull) }
    }

    fn wait(&mut self, mut live: LiveWork, reason: WaitReason) -> Result<(), Error> {
        if live.progress.waiting == Some(reason) {
            return Ok(());
        }
        live.progress.waiting = Some(reason);
        work::live_save(self.db, &live)?;
        self.record(&JournalBody::Waiting { sequence: live.work.sequence, reason })
    }

    /// Why policy or catalogue forbid a step, judged when it starts.
    fn refusal(&self, live: &LiveWork, step: u32) -> Option<String> {
        let step = live.work.steps.get(step as usize - 1)?;
        if let Err(error) = self.cx.probes.check(&step.probe, &step.with) {
            return Some(error.to_string());
        }
        self.state.policy.forbids(&step.probe, &step.with)
    }

    fn step_start(&mut self, mut live: LiveWork, step: u32) -> Result<(), Error> {
        let outcome = &mut live.progress.steps[step as usize - 1];
        outcome.attempts += 1;
        let running = RunningStep { step, attempt: outcome.attempts };
        live.progress.running = Some(running);
        live.progress.waiting = None;
        work::live_save(self.db, &live)?;
        let sequence = live.work.sequence;
        self.record(&JournalBody::StepStarted { sequence, step, attempt: running.attempt })?;
        let asked = &live.work.steps[step as usize - 1];
        self.effects.push(Effect::StartStep {
            sequence,
            step,
            attempt: running.attempt,
            probe: asked.probe.clone(),
            with: asked.with.clone(),
            timeout: asked.timeout,
            policy: Box::new(self.state.policy.clone()),
        });
        Ok(())
    }

    /// Takes in that an attempt ended. One that is not under way is an echo of before a restart.
    pub(super) fn step_exited(
        &mut self,
        sequence: SequenceId,
        ended: RunningStep,
        state: EndState,
        result: StepResult,
    ) -> Result<(), Error> {
        let Some(live) = work::live_load(self.db, sequence)? else { return Ok(()) };
        if live.progress.running == Some(ended) {
            self.step_end(live, ended, state, result)?;
        }
        Ok(())
    }

    /// Ends one attempt, and the sequence where `stop_on` says so. Answers what is left of the sequence.
    fn step_end(
        &mut self,
        mut live: LiveWork,
        ended: RunningStep,
        state: EndState,
        result: StepResult,
    ) -> Result<Option<LiveWork>, Error> {
        let RunningStep { step, attempt } = ended;
        let sequence = live.work.sequence;
        let stops = match live.work.stop_on {
            StopOn::Never => false,
            StopOn::Failed => state != EndState::Succeeded,
            StopOn::Attention => state != EndState::Succeeded || result.finding == Finding::Attention,
        };
        let runs_again = state == EndState::Interrupted
            && attempt == 1
            && !live.progress.is_cancelled
            && live.work.steps.get(step as usize - 1).is_some_and(|step| step.rerun);
        self.record(&JournalBody::StepFinished { sequence, step, attempt, state, result })?;
        live.progress.running = None;
        let outcome = &mut live.progress.steps[step as usize - 1];
        if !runs_again {
            outcome.state = Some(state);
        }
        if stops && !runs_again && live.next_step().is_some() && !live.progress.is_cancelled {
            self.work_end(
                live,
                SequenceEnd::Stopped,
                EndState::Skipped,
                Some("stopped as asked by stop_on"),
            )?;
            return Ok(None);
        }
        work::live_save(self.db, &live)?;
        Ok(Some(live))
    }

    /// Ends the attempt that was under way when the program or the machine went down (G2).
    pub(super) fn interrupt_running(&mut self) -> Result<(), Error> {
        for live in work::live(self.db)? {
            if let Some(running) = live.progress.running {
                self.step_end(live, running, EndState::Interrupted, plain_result(INTERRUPTED))?;
            }
        }
        Ok(())
    }
}

fn plain_result(summary: &str) -> StepResult {
    StepResult {
        summary: summary.chars().take(crate::sequence::SUMMARY_BYTES_MAX / 4).collect(),
        finding: Finding::None,
        data: serde_json::Map::new(),
        output: Output::default(),
        error_output: None,
    }
}
