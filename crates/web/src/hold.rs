//! Syncs that wait for something to say.
//!
//! An idle sync asks on a reader and writes nothing. It is held until the endpoint object changes or the time it
//! allows is over, whichever is first. The order matters: forget earlier changes, ask, then wait, so that a change
//! between asking and waiting ends the wait.

use core::time::Duration;
use std::sync::Arc;

use tidegate_core::call::{
    Answer, EndpointInput, EndpointQuestion, Input, ObjectId, Question, Reply, Seen, SyncNeed,
};
use tidegate_core::time::{Milliseconds, Timestamp};
use tidegate_core::wire::{SyncAnswer, SyncProof, SyncRequest};

use crate::host::{Host, Watch, Woken};
use crate::problem::Problem;

/// The longest any sync is held: no proxy was seen to let an idle request live longer, and the runtime asks for 240 s
/// at most.
pub const HOLD_MAX: Duration = Duration::from_secs(300);

/// A sync as it arrived.
pub(crate) struct Arrival {
    /// What it says.
    pub(crate) request: Arc<SyncRequest>,
    /// Where it came from, for people.
    pub(crate) address: Option<String>,
    /// When.
    pub(crate) at: Timestamp,
}

/// Answers a sync: a signed one at once, an idle one as late as it allows.
pub(crate) async fn answer(host: &dyn Host, arrival: Arrival) -> Result<SyncAnswer, Problem> {
    let endpoint = arrival.request.line.endpoint;
    let seen = arrival.seen();
    match &arrival.request.proof {
        SyncProof::Signed(_) => {
            // What does not prove itself is refused by a reader, and never takes the writer's time.
            ask(host, &arrival.request).await?;
            let answer = handle(host, arrival).await?;
            host.seen(endpoint, seen);
            Ok(answer)
        }
        SyncProof::Token(_) => idle(host, arrival, seen).await,
    }
}

async fn idle(host: &dyn Host, arrival: Arrival, seen: Seen) -> Result<SyncAnswer, Problem> {
    let line = &arrival.request.line;
    let endpoint = line.endpoint;
    let until = arrival.at.plus(hold_span(line.hold_ms, host.hold_max()));
    let mut watch = (until > arrival.at).then(|| host.watch(endpoint));
    let mut is_seen = false;
    loop {
        if let Some(watch) = &mut watch {
            watch.mark_unchanged();
        }
        let need = ask(host, &arrival.request).await?;
        if !is_seen {
            // Before the wait: the endpoint was heard when it asked, not when it is answered.
            host.seen(endpoint, seen);
            is_seen = true;
        }
        let mut answer = match need {
            SyncNeed::Handle => return handle(host, arrival.carried_to(host.now())).await,
            SyncNeed::Wait(answer) => answer,
        };
        if is_over(host, &mut watch, until).await {
            // The endpoint sets its clock by the answer, so it carries the time it leaves, not the time it was made.
            answer.at = host.now();
            return Ok(*answer);
        }
    }
}

/// Waits; whether the answer leaves, or the question is asked again.
async fn is_over(host: &dyn Host, watch: &mut Option<Box<dyn Watch>>, until: Timestamp) -> bool {
    let left = until.since(host.now());
    match watch {
        Some(watch) if left > Milliseconds(0) => match watch.changed(Duration::from_millis(left.0)).await {
            Woken::Changed => false,
            Woken::Elapsed | Woken::ShuttingDown => true,
        },
        Some(_) | None => true,
    }
}

async fn ask(host: &dyn Host, request: &Arc<SyncRequest>) -> Result<SyncNeed, Problem> {
    let question = Question::Endpoint(EndpointQuestion::Sync(Arc::clone(request)));
    match host.query(ObjectId::Endpoint(request.line.endpoint), question).await? {
        Answer::Sync(need) => Ok(need),
        _ => Err(Problem::unexpected_answer()),
    }
}

async fn handle(host: &dyn Host, arrival: Arrival) -> Result<SyncAnswer, Problem> {
    let Arrival { request, address, at: _ } = arrival;
    let object = ObjectId::Endpoint(request.line.endpoint);
    let input = Input::Endpoint(EndpointInput::Sync { request, address });
    match host.handle(object, input).await? {
        Reply::Synced(synced) => Ok(synced.seal(host.keys())),
        _ => Err(Problem::unexpected_answer()),
    }
}

impl Arrival {
    /// The contact that this request is, once it has proved itself.
    fn seen(&self) -> Seen {
        let wall_ms = self.request.line.wall.milliseconds();
        Seen { at: self.at, skew_ms: wall_ms.saturating_sub(self.at.milliseconds()) }
    }

    /// The same as it would read had it arrived at `now`.
    fn carried_to(mut self, now: Timestamp) -> Self {
        let held_ms = i64::try_from(now.since(self.at).0).unwrap_or(i64::MAX);
        Arc::make_mut(&mut self.request).carry(held_ms);
        self.at = now;
        self
    }
}

fn hold_span(asked_ms: u64, host_max: Duration) -> Milliseconds {
    let max_ms = u64::try_from(host_max.min(HOLD_MAX).as_millis()).unwrap_or(0);
    Milliseconds(asked_ms.min(max_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_is_bounded_by_who_wants_it_shortest() {
        assert_eq!(hold_span(0, HOLD_MAX), Milliseconds(0));
        assert_eq!(hold_span(25_000, HOLD_MAX), Milliseconds(25_000));
        assert_eq!(hold_span(u64::MAX, Duration::from_secs(60)), Milliseconds(60_000));
        assert_eq!(hold_span(u64::MAX, Duration::MAX), Milliseconds(300_000));
    }
}
