//! What happened while nobody looked.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use tidegate_core::api::{OvernightView, Paging};
use tidegate_core::call::{Answer, DirectoryQuestion};
use tidegate_core::time::{Milliseconds, Timestamp};

use crate::Shared;
use crate::auth::Caller;
use crate::call::ask_directory;
use crate::extract::{Query, paging, present, present_number};
use crate::problem::Problem;

/// How far back what ended well is told where the request names no time: one day and the night before it.
const SINCE_DEFAULT: Milliseconds = Milliseconds::from_days(1);
/// Items of a group where the request names no limit.
const LIMIT_DEFAULT: u32 = 200;

/// How much of it.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct OvernightFilter {
    /// Since when what ended without a fault is told; absent: 24 hours ago. What needs a person is told whenever it
    /// ended.
    #[serde(default, deserialize_with = "present")]
    since: Option<Timestamp>,
    /// Most items of a group, 1 to 500; absent: 200. The rest is counted.
    #[serde(default, deserialize_with = "present_number")]
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

/// Shows what happened while nobody looked, by what it asks of a person.
#[utoipa::path(
    get, path = "/api/v1/overnight", tag = "sequences", operation_id = "getOvernight",
    params(OvernightFilter),
    responses((status = 200, description = "Sequences and machines in groups", body = OvernightView)),
    security(("token" = [])),
)]
pub(crate) async fn get(
    State(host): State<Shared>,
    _: Caller,
    Query(filter): Query<OvernightFilter>,
) -> Result<Json<OvernightView>, Problem> {
    let Paging { limit, .. } = paging(None, filter.limit.or(Some(LIMIT_DEFAULT)))?;
    let since = filter.since.unwrap_or_else(|| {
        let span_ms = i64::try_from(SINCE_DEFAULT.0).unwrap_or(i64::MAX);
        host.now().shifted_by_ms(-span_ms)
    });
    match ask_directory(host.as_ref(), DirectoryQuestion::Overnight { since, limit }).await? {
        Answer::Overnight(view) => Ok(Json(*view)),
        _ => Err(Problem::unexpected_answer()),
    }
}
