//! Endpoints in listings and search, with what the host knows of who was heard lately.

use crate::api::{EndpointView, Page, Paging};
use crate::call::{Context, Seen};
use crate::control::reachability;
use crate::error::Error;
use crate::id::{ClientId, EndpointId, SiteId};
use crate::sql::{ReadSql, Value};

use super::{clients, paging};

/// Longest text to search for: each byte of it is compared with each of every endpoint's.
const TEXT_BYTES_MAX: usize = 200;

/// The listing among the endpoints that `$where` leaves, which decides the index. Text is found with `instr`: it
/// has no wildcards to escape, and Durable Objects refuse patterns of `LIKE` over 50 bytes.
macro_rules! listing {
    ($where:literal) => {
        concat!(
            "SELECT document FROM endpoint_summary WHERE (name, endpoint_id) > (?1, ?2) AND ",
            $where,
            " AND (?4 IS NULL OR instr(search, ?4) > 0) ORDER BY name, endpoint_id LIMIT ?3"
        )
    };
}

/// A page of endpoints, by name.
pub(super) fn endpoints(
    db: &dyn ReadSql,
    cx: &Context<'_>,
    text: Option<&str>,
    client: Option<ClientId>,
    site: Option<SiteId>,
    wanted: &Paging,
) -> Result<Page<EndpointView>, Error> {
    let (name, id) = clients::after_name::<EndpointId>("endpoints", wanted)?;
    let limit = paging::rows_wanted(wanted);
    let (common, text) = ([name.into(), id.into(), limit.into()], search_value(text)?);
    let [name, id, limit]: [Value; 3] = common;
    let rows = match (client, site) {
        (None, None) => db.query(listing!("TRUE"), &[name, id, limit, text])?,
        (Some(client), None) => {
            db.query(listing!("client_id = ?5"), &[name, id, limit, text, client.into()])?
        }
        (None, Some(site)) => db.query(listing!("site_id = ?5"), &[name, id, limit, text, site.into()])?,
        (Some(client), Some(site)) => db.query(
            // `+`: the site's index is the narrower one.
            listing!("site_id = ?5 AND +client_id = ?6"),
            &[name, id, limit, text, site.into(), client.into()],
        )?,
    };
    let mut page = paging::page(
        "endpoints",
        wanted,
        &rows,
        |row| row.json(0),
        |view: &EndpointView| (view.name.clone(), view.id),
    )?;
    for view in &mut page.items {
        presence_merge(cx, view);
    }
    Ok(page)
}

/// One endpoint as it last told of itself; `None`: it is not known here, or has not told yet.
pub(super) fn endpoint_load(db: &dyn ReadSql, id: EndpointId) -> Result<Option<EndpointView>, Error> {
    let rows = db.query("SELECT document FROM endpoint_summary WHERE endpoint_id = ?1", &[id.into()])?;
    Ok(rows.first().map(|row| row.json(0)).transpose()?)
}

fn search_value(text: Option<&str>) -> Result<Value, Error> {
    let text = text.map(str::trim).filter(|text| !text.is_empty());
    if text.is_some_and(|text| text.len() > TEXT_BYTES_MAX) {
        return Err(Error::invalid(format!("the text to search for has at most {TEXT_BYTES_MAX} bytes")));
    }
    Ok(text.map(str::to_lowercase).into())
}

/// An idle sync stores nothing, so what was stored may be older than what the host heard.
pub(super) fn presence_merge(cx: &Context<'_>, view: &mut EndpointView) {
    let stored = view.last_seen_at.map(|at| Seen { at, skew_ms: view.clock_skew_ms });
    let heard = cx.presence.last_seen(view.id);
    if let Some(heard) = heard.filter(|heard| stored.is_none_or(|stored| stored.at < heard.at)) {
        view.last_seen_at = Some(heard.at);
        view.clock_skew_ms = heard.skew_ms.or(view.clock_skew_ms);
    }
    view.reachability = reachability(cx, view.id, heard.into_iter().chain(stored).max_by_key(|seen| seen.at));
}
