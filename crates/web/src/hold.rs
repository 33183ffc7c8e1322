//! Syncs that wait for something to say.
//!
//! An idle sync asks on a reader and writes nothing. It is held until the endpoint object changes or the time it
//! allows is over, whichever is first. The order matters: forget earlier changes, ask, then wait, so that a change
//! between asking and waiting ends the wait.

use core::time::Duration;

use tidegate_core::call::{
    Answer, EndpointInput, EndpointQuestion, Input, ObjectId, Question, Reply, Seen, SyncNeed,
};
use tidegate_core::time::{Milliseconds, Timestamp};
use tidegate_core::wire::{SyncAnswer, SyncProof, SyncRequest};

use crate::host::{Host, HostError, Watch, Woken};
use crate::problem::Problem;

/// The longest any sync is held: no proxy was seen to let an idle request live longer, and the runtime asks for 240 s
/// at most.
pub const HOLD_MAX: Duration = Duration::from_secs(300);

/// Answers a sync: a signed one at once, an idle one as late as it allows.
pub(crate) async fn answer(
    host: &dyn Host,
    request: SyncRequest,
    address: Option<String>,
    received_at: Timestamp,
) -> Result<SyncAnswer, Problem> {
    match &request.proof {
        SyncProof::Signed(_) => handle(host, request, address, received_at).await,
        SyncProof::Token(_) => idle(host, request, address, received_at).await,
    }
}

async fn idle(
    host: &dyn Host,
    request: SyncRequest,
    address: Option<String>,
    received_at: Timestamp,
) -> Result<SyncAnswer, Problem> {
    let until = received_at.plus(hold_span(request.line.hold_ms, host.hold_max()));
    let mut watch = (until > received_at).then(|| host.watch(request.line.endpoint));
    let mut is_seen = false;
    loop {
        if let Some(watch) = &mut watch {
            watch.mark_unchanged();
        }
        let mut answer = match ask(host, &request).await {
            Ok(SyncNeed::Handle) => return handle(host, request, address, received_at).await,
            Ok(SyncNeed::Wait(answer)) => *answer,
            Err(problem) => return Err(problem),
        };
        if !is_seen {
            // Before the wait: the endpoint was heard when it asked, not when it is answered.
            host.seen(request.line.endpoint, seen(&request, received_at));
            is_seen = true;
        }
        if is_over(host, &mut watch, until).await {
            // The endpoint sets its clock by the answer, so it carries the time it leaves, not the time it was made.
            answer.at = host.now();
            return Ok(answer);
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

async fn ask(host: &dyn Host, request: &SyncRequest) -> Result<SyncNeed, Problem> {
    let question = Question::Endpoint(EndpointQuestion::Sync(Box::new(request.clone())));
    match host.query(ObjectId::Endpoint(request.line.endpoint), question).await? {
        Answer::Sync(need) => Ok(need),
        _ => Err(Problem::unexpected_answer()),
    }
}

async fn handle(
    host: &dyn Host,
    request: SyncRequest,
    address: Option<String>,
    received_at: Timestamp,
) -> Result<SyncAnswer, Problem> {
    let endpoint = request.line.endpoint;
    let contact = seen(&request, received_at);
    let input = Input::Endpoint(EndpointInput::Sync { request: Box::new(request), address });
    let reply: Result<Reply, HostError> = host.handle(ObjectId::Endpoint(endpoint), input).await;
    let Reply::Synced(answer) = reply? else { return Err(Problem::unexpected_answer()) };
    host.seen(endpoint, contact);
    Ok(*answer)
}

fn seen(request: &SyncRequest, received_at: Timestamp) -> Seen {
    let skew_ms = request.line.wall.milliseconds().saturating_sub(received_at.milliseconds());
    Seen { at: received_at, skew_ms }
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
