//! The audit log: who did what in the directory, and which sign-ins were refused.

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use serde::Deserialize;
use tidegate_core::api::{AuditEntryView, Page};
use tidegate_core::call::{Answer, DirectoryQuestion, Principal};
use tidegate_core::export::AuditHead;

use super::export::{Cut, entry_lines};
use crate::Shared;
use crate::auth::Caller;
use crate::call::ask_directory;
use crate::extract::{NoQuery, Query, paging, present, present_number};
use crate::problem::Problem;

/// From which end the log is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Order {
    /// The oldest entries first.
    #[default]
    Oldest,
    /// The newest entries first.
    Newest,
}

/// Which entries.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuditFilter {
    /// `oldest` (the default) or `newest` first.
    #[serde(default, deserialize_with = "present")]
    #[param(inline)]
    order: Option<Order>,
    /// The `next` of the page before; absent: the first page.
    #[serde(default, deserialize_with = "present")]
    cursor: Option<String>,
    /// Most items, 1 to 500; absent: 100. A page also ends at 256 KiB.
    #[serde(default, deserialize_with = "present_number")]
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

/// Reads the audit log: sign-ins, those refused too, and every act of a person in the directory.
///
/// For owners. What people do with machines is in the machines' transcripts.
#[utoipa::path(
    get, path = "/api/v1/audit", tag = "people", operation_id = "readAudit",
    params(AuditFilter),
    responses((status = 200, description = "A page of entries", body = Page<AuditEntryView>)),
    security(("token" = [])),
)]
pub(crate) async fn read(
    State(host): State<Shared>,
    caller: Caller,
    Query(filter): Query<AuditFilter>,
) -> Result<Json<Page<AuditEntryView>>, Problem> {
    let question = DirectoryQuestion::Audit {
        by: caller.principal,
        is_newest_first: filter.order == Some(Order::Newest),
        paging: paging(filter.cursor, filter.limit)?,
    };
    match ask_directory(host.as_ref(), question).await? {
        Answer::Audit(page) => Ok(Json(page)),
        _ => Err(Problem::unexpected_answer()),
    }
}

/// Downloads the whole audit log with the keys to verify it.
///
/// For owners. Lines of JSON: the head, then two lines an entry, header and body, byte for byte as they are hashed.
/// `tidegate verify` checks the file without this server.
#[utoipa::path(
    get, path = "/api/v1/audit/export", tag = "people", operation_id = "exportAudit",
    responses((status = 200, description = "The file", body = String, content_type = "application/x-ndjson")),
    security(("token" = [])),
)]
pub(crate) async fn download(
    State(host): State<Shared>,
    caller: Caller,
    _: NoQuery,
) -> Result<Response, Problem> {
    whole(host, caller.principal).await
}

/// The file, if this person may have it.
pub(crate) async fn whole(host: Shared, by: Principal) -> Result<Response, Problem> {
    let question = DirectoryQuestion::AuditHead { by: by.clone() };
    let Answer::AuditHead(head) = ask_directory(host.as_ref(), question).await? else {
        return Err(Problem::unexpected_answer());
    };
    let through = head.head.peek::<AuditHead>().map_err(|error| Problem::internal(&error))?.number;
    let name = format!("attachment; filename=\"tidegate-audit-{through}.ndjson\"");
    let file = HeaderValue::from_str(&name).map_err(|error| Problem::internal(&error))?;
    let mut first = serde_json::to_vec(head.as_ref()).map_err(|error| Problem::internal(&error))?;
    first.push(b'\n');
    let export = Export { host, by, after: 0, through };
    let pages = stream::unfold(export, |export| async { export.next_page().await });
    let lines = stream::StreamExt::chain(stream::iter([Ok(Bytes::from(first))]), pages);
    let headers =
        [(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson")), (CONTENT_DISPOSITION, file)];
    Ok((headers, Body::from_stream(lines)).into_response())
}

/// How far an export was sent.
struct Export {
    host: Shared,
    by: Principal,
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
        let by = self.by.clone();
        let question = DirectoryQuestion::AuditEntries { by, after: self.after, through: self.through };
        let entries = match ask_directory(self.host.as_ref(), question).await {
            Ok(Answer::ExportEntries(entries)) => entries,
            Ok(_) | Err(_) => Vec::new(),
        };
        match entries.last() {
            Some((number, _)) if *number > self.after => self.after = *number,
            Some(_) | None => {
                tracing::error!(after = self.after, "an export of the audit log ended before its head");
                self.after = self.through;
                return Some((Err(Cut), self));
            }
        }
        Some((Ok(entry_lines(&entries)), self))
    }
}
