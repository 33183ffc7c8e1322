//! Hints that something changed, as server-sent events (WHATWG HTML, section 9.2).
//!
//! A hint names an endpoint and nothing else; whoever hears it reads again what they show. So a lost hint costs
//! freshness, never truth.

use core::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use tidegate_core::digest::Digest;

use crate::Shared;
use crate::auth::{Caller, authenticate};
use crate::extract::NoQuery;
use crate::host::{Change, Changes};

/// How often a silent stream says that it lives: below the 60 s after which common proxies cut an idle answer.
const COMMENT_EVERY: Duration = Duration::from_secs(15);

/// Streams hints of which endpoints changed.
///
/// Events: `endpoint` with `{"endpoint_id": "…"}`, and `missed` when some were dropped: read everything again then.
#[utoipa::path(
    get, path = "/api/v1/events", tag = "events", operation_id = "streamEvents",
    responses((status = 200, description = "The stream", body = String, content_type = "text/event-stream")),
    security(("token" = [])),
)]
pub(crate) async fn stream(State(host): State<Shared>, caller: Caller, _: NoQuery) -> Response {
    let listener = Listener { changes: host.changes(), host, token: caller.token };
    let opening = stream::iter([Ok::<_, core::convert::Infallible>(Bytes::from_static(b"retry: 2000\n\n"))]);
    let events = stream::unfold(listener, |listener| async { listener.next_event().await });
    let headers = [(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"))];
    (headers, Body::from_stream(stream::StreamExt::chain(opening, events))).into_response()
}

struct Listener {
    host: Shared,
    changes: Box<dyn Changes>,
    token: Digest,
}

impl Listener {
    async fn next_event(mut self) -> Option<(Result<Bytes, core::convert::Infallible>, Self)> {
        let change = self.changes.next(COMMENT_EVERY).await;
        // A token that was withdrawn meanwhile hears nothing more.
        if authenticate(self.host.as_ref(), self.token).await.is_err() {
            return None;
        }
        event(change).map(|event| (Ok(event), self))
    }
}

fn event(change: Change) -> Option<Bytes> {
    match change {
        Change::Endpoint(endpoint) => {
            Some(format!("event: endpoint\ndata: {{\"endpoint_id\":\"{endpoint}\"}}\n\n").into())
        }
        Change::Missed => Some(Bytes::from_static(b"event: missed\ndata: {}\n\n")),
        Change::Elapsed => Some(Bytes::from_static(b":\n\n")),
        Change::ShuttingDown => None,
    }
}

#[cfg(test)]
mod tests {
    use tidegate_core::id::EndpointId;

    use super::*;

    #[test]
    fn a_hint_is_an_event_and_silence_a_comment() {
        let hint = event(Change::Endpoint(EndpointId::from_bytes([0; 10]))).unwrap();
        assert_eq!(hint, "event: endpoint\ndata: {\"endpoint_id\":\"0000000000000000\"}\n\n");
        assert_eq!(event(Change::Elapsed).unwrap(), ":\n\n");
        assert_eq!(event(Change::ShuttingDown), None);
    }
}
