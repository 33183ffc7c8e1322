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
use tidegate_core::error::Code;
use tidegate_core::id::EndpointId;
use tidegate_core::time::{Milliseconds, Timestamp};
use tidegate_core::wire::{IdleSync, SignedLine, SyncAnswer, SyncMessage, SyncRequest};

use crate::host::{Host, Watch, Woken};
use crate::problem::Problem;

/// The longest any sync is held: no proxy was seen to let an idle request live longer, and the runtime asks for 265 s
/// at most.
pub const HOLD_MAX: Duration = Duration::from_secs(300);

/// A sync as it arrived.
pub(crate) struct Arrival {
    /// What it says.
    pub(crate) message: SyncMessage,
    /// Where it came from, for people.
    pub(crate) address: Option<String>,
    /// When.
    pub(crate) at: Timestamp,
}

/// Verifies the first line of a signed sync, before the content is read.
pub(crate) async fn verified(host: &dyn Host, first: SignedLine) -> Result<SignedLine, Problem> {
    let (endpoint, first) = (first.line.endpoint, Arc::new(first));
    ask(host, endpoint, EndpointQuestion::SyncLine(Arc::clone(&first))).await?;
    Ok(Arc::unwrap_or_clone(first))
}

/// Answers a sync: a signed one at once, an idle one as late as it allows; `None`: there is nothing to say.
pub(crate) async fn answer(host: &dyn Host, arrival: Arrival) -> Result<Option<SyncAnswer>, Problem> {
    let Arrival { message, address, at } = arrival;
    match message {
        SyncMessage::Signed(request) => signed(host, Arc::new(*request), address, at).await.map(Some),
        SyncMessage::Idle(request) => idle(host, Arc::new(request), at).await,
    }
}

async fn signed(
    host: &dyn Host,
    request: Arc<SyncRequest>,
    address: Option<String>,
    at: Timestamp,
) -> Result<SyncAnswer, Problem> {
    let (endpoint, wall) = (request.line.endpoint, request.line.wall);
    // What does not prove itself is refused by a reader, and never takes the writer's time.
    ask(host, endpoint, EndpointQuestion::Sync(Arc::clone(&request))).await?;
    let (answer, is_news) = handle(host, endpoint, EndpointInput::Sync { request, address }).await?;
    if is_news {
        let skew_ms = wall.milliseconds().saturating_sub(at.milliseconds());
        host.seen(endpoint, Seen { at, skew_ms: Some(skew_ms) });
    }
    Ok(answer)
}

async fn idle(host: &dyn Host, request: Arc<IdleSync>, at: Timestamp) -> Result<Option<SyncAnswer>, Problem> {
    let endpoint = request.endpoint;
    let until = at.plus(hold_span(request.hold_ms, host.hold_max()));
    let mut watch = (until > at).then(|| host.watch(endpoint));
    let mut is_seen = false;
    loop {
        if let Some(watch) = &mut watch {
            watch.mark_unchanged();
        }
        let need = ask(host, endpoint, EndpointQuestion::IdleSync(Arc::clone(&request))).await?;
        if !is_seen {
            if !host.admits_idle(endpoint, &request.ticket, request.count) {
                return Err(Problem::new(
                    Code::TokenExpired,
                    "this idle sync was sent before, or the control plane restarted since: send the sync signed",
                ));
            }
            // Before the wait: the endpoint was heard when it asked, not when it is answered.
            host.seen(endpoint, Seen { at, skew_ms: None });
            is_seen = true;
        }
        match need {
            SyncNeed::Handle => {
                let (answer, _) = handle(host, endpoint, EndpointInput::IdleSync(request)).await?;
                return Ok(Some(answer));
            }
            SyncNeed::Wait if is_over(host, &mut watch, until).await => return Ok(None),
            SyncNeed::Wait => {}
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

async fn ask(host: &dyn Host, endpoint: EndpointId, question: EndpointQuestion) -> Result<SyncNeed, Problem> {
    match host.query(ObjectId::Endpoint(endpoint), Question::Endpoint(question)).await? {
        Answer::Sync(need) => Ok(need),
        _ => Err(Problem::unexpected_answer()),
    }
}

/// Answers also whether the endpoint was heard with it.
async fn handle(
    host: &dyn Host,
    endpoint: EndpointId,
    input: EndpointInput,
) -> Result<(SyncAnswer, bool), Problem> {
    let Reply::Synced(synced) = host.handle(ObjectId::Endpoint(endpoint), Input::Endpoint(input)).await?
    else {
        return Err(Problem::unexpected_answer());
    };
    let is_news = synced.is_news;
    let answer = synced.seal(host.keys());
    if let Some(ticket) = &answer.ticket {
        host.ticket_issued(endpoint, ticket);
    }
    Ok((answer, is_news))
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
