//! Tells an open page that something it may show has changed. The page then asks for itself again.

use core::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use tidegate_core::digest::Digest;

use super::viewer::Viewer;
use crate::Shared;
use crate::auth::authenticate;
use crate::host::{Change, Changes};

/// How often a silent stream says something: a page that hears nothing for twice as long asks by itself, since some
/// proxies keep what they carry until much has gathered.
const BEAT_EVERY: Duration = Duration::from_secs(10);

/// Streams which machines changed, for as long as the session lasts.
pub(super) async fn stream(State(host): State<Shared>, viewer: Viewer) -> Response {
    let listener = Listener { changes: host.changes(), host, session: viewer.session };
    let opening = stream::iter([Ok::<_, core::convert::Infallible>(Bytes::from_static(
        b"retry: 3000\nevent: beat\ndata:\n\n",
    ))]);
    let events = stream::unfold(listener, |listener| async { listener.next_event().await });
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store, no-transform")),
    ];
    (headers, [("x-accel-buffering", "no")], Body::from_stream(stream::StreamExt::chain(opening, events)))
        .into_response()
}

struct Listener {
    host: Shared,
    changes: Box<dyn Changes>,
    session: Digest,
}

impl Listener {
    async fn next_event(mut self) -> Option<(Result<Bytes, core::convert::Infallible>, Self)> {
        let change = self.changes.next(BEAT_EVERY).await;
        // A session that was ended meanwhile hears nothing more.
        if authenticate(self.host.as_ref(), self.session).await.is_err() {
            return None;
        }
        let event: Bytes = match change {
            Change::Endpoint(endpoint) => format!("event: changed\ndata: {endpoint}\n\n").into(),
            Change::Missed => Bytes::from_static(b"event: changed\ndata: *\n\n"),
            Change::Elapsed => Bytes::from_static(b"event: beat\ndata:\n\n"),
            Change::ShuttingDown => return None,
        };
        Some((Ok(event), self))
    }
}
