//! The export: a stream that never holds more than one page in memory.
//!
//! The head is signed for the last entry at the time of the request and the pages stop there, so the file is
//! consistent although the transcript grows meanwhile. A failure after the first line cuts the connection; the file
//! is then short of its own head, which `verify` reports.

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use tidegate_core::call::{Answer, EndpointQuestion};
use tidegate_core::chain::Entry;
use tidegate_core::export::ExportHead;
use tidegate_core::id::EndpointId;
use tidegate_core::wire::TranscriptHead;

use crate::Shared;
use crate::auth::Caller;
use crate::call::ask_endpoint;
use crate::extract::{Id, NoQuery};
use crate::problem::Problem;

/// The export could not be read to its end.
#[derive(Debug, thiserror::Error)]
#[error("the export ended before its head")]
pub(crate) struct Cut;

/// Downloads the whole transcript with the keys to verify it.
///
/// Lines of JSON: the head, then two lines an entry, header and body, byte for byte as they are hashed; an erased
/// body is an empty line. `tidegate verify` checks the file without this server.
#[utoipa::path(
    get, path = "/api/v1/endpoints/{id}/export", tag = "transcript", operation_id = "exportTranscript",
    params(("id" = EndpointId, Path, description = "The endpoint's id")),
    responses((status = 200, description = "The file", body = String, content_type = "application/x-ndjson")),
    security(("token" = [])),
)]
pub(crate) async fn download(
    State(host): State<Shared>,
    _: Caller,
    Id(endpoint): Id<EndpointId>,
    _: NoQuery,
) -> Result<Response, Problem> {
    whole(host, endpoint).await
}

/// The file of one endpoint, for whoever may have it.
pub(crate) async fn whole(host: Shared, endpoint: EndpointId) -> Result<Response, Problem> {
    let head = match ask_endpoint(host.as_ref(), endpoint, EndpointQuestion::ExportHead).await? {
        Answer::ExportHead(head) => head,
        _ => return Err(Problem::unexpected_answer()),
    };
    let through = head.head.peek::<TranscriptHead>().map_err(|error| Problem::internal(&error))?.number;
    let file =
        HeaderValue::from_str(&format!("attachment; filename=\"tidegate-{endpoint}-{through}.ndjson\""))
            .map_err(|error| Problem::internal(&error))?;
    let export = Export { host, endpoint, after: 0, through };
    let first = first_line(&head)?;
    let pages = stream::unfold(export, |export| async { export.next_page().await });
    let lines = stream::StreamExt::chain(stream::iter([Ok(first)]), pages);
    let headers =
        [(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson")), (CONTENT_DISPOSITION, file)];
    Ok((headers, Body::from_stream(lines)).into_response())
}

/// How far an export was sent.
struct Export {
    host: Shared,
    endpoint: EndpointId,
    /// The last number sent.
    after: u64,
    /// The number of the head.
    through: u64,
}

impl Export {
    /// The next lines and what remains; `None` at the end.
    async fn next_page(mut self) -> Option<(Result<Bytes, Cut>, Self)> {
        if self.after >= self.through {
            return None;
        }
        let question = EndpointQuestion::ExportEntries { after: self.after, through: self.through };
        let entries = match ask_endpoint(self.host.as_ref(), self.endpoint, question).await {
            Ok(Answer::ExportEntries(entries)) => entries,
            Ok(_) | Err(_) => Vec::new(),
        };
        match entries.last() {
            Some((number, _)) if *number > self.after => self.after = *number,
            Some(_) | None => {
                tracing::error!(endpoint = %self.endpoint, after = self.after, "an export ended before its head");
                self.after = self.through;
                return Some((Err(Cut), self));
            }
        }
        Some((Ok(entry_lines(&entries)), self))
    }
}

fn first_line(head: &ExportHead) -> Result<Bytes, Problem> {
    let mut line = serde_json::to_vec(head).map_err(|error| Problem::internal(&error))?;
    line.push(b'\n');
    Ok(line.into())
}

pub(super) fn entry_lines(entries: &[(u64, Entry)]) -> Bytes {
    let mut lines = String::new();
    for (_, entry) in entries {
        lines.push_str(&entry.header);
        lines.push('\n');
        lines.push_str(entry.body.as_deref().unwrap_or_default());
        lines.push('\n');
    }
    lines.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_two_lines_and_an_erased_body_an_empty_one() {
        let entry = |body: Option<&str>| Entry { header: "{}".into(), body: body.map(Into::into) };
        let lines = entry_lines(&[(1, entry(Some("{\"a\":1}"))), (2, entry(None))]);
        assert_eq!(lines, "{}\n{\"a\":1}\n{}\n\n");
    }
}
