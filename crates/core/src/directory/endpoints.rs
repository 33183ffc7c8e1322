//! Endpoints in listings and search, with what the host knows of who was heard lately.

use crate::api::{EndpointView, MachineRow, Page, Paging};
use crate::call::{Context, Seen};
use crate::control::reachability;
use crate::error::Error;
use crate::id::{ClientId, EndpointId, SiteId};
use crate::page_bytes::{PAGE_BYTES_MAX, fitting};
use crate::sql::{ReadSql, Row, Value};

use super::{clients, namesakes, paging};

/// Longest text to search for, and most words of it: each byte is compared with each of every endpoint's.
const TEXT_BYTES_MAX: usize = 200;
const WORDS_MAX: usize = 6;

/// Which endpoints.
pub(super) struct Filter<'a> {
    pub(super) text: Option<&'a str>,
    pub(super) client: Option<ClientId>,
    pub(super) site: Option<SiteId>,
}

/// The listing among the endpoints that `$where` leaves, which decides the index. Words are found with `instr`: it
/// has no wildcards to escape, and Durable Objects refuse patterns of `LIKE` over 50 bytes. A word is also found in the
/// names of client and site: the sites that have it come as a list beside it.
macro_rules! listing {
    ($where:literal) => {
        concat!(
            "SELECT machine.endpoint_id, octet_length(machine.document) FROM endpoint_summary AS machine \
             WHERE (machine.name, machine.endpoint_id) > (?1, ?2) AND ",
            $where,
            listing!(@word "?4", "?5"),
            listing!(@word "?6", "?7"),
            listing!(@word "?8", "?9"),
            listing!(@word "?10", "?11"),
            listing!(@word "?12", "?13"),
            listing!(@word "?14", "?15"),
            " ORDER BY machine.name, machine.endpoint_id LIMIT ?3"
        )
    };
    (@word $word:literal, $sites:literal) => {
        concat!(
            " AND (", $word, " IS NULL OR instr(machine.search, ", $word, ") > 0 \
             OR machine.site_id IN (SELECT value FROM json_each(", $sites, ")))"
        )
    };
}

/// A page of endpoints, by name.
pub(super) fn endpoints(
    db: &dyn ReadSql,
    cx: &Context<'_>,
    filter: &Filter<'_>,
    wanted: &Paging,
) -> Result<Page<EndpointView>, Error> {
    let (rows, has_more) = rows("endpoints", db, filter, wanted)?;
    let mut page = paging::page_of(
        "endpoints",
        &rows,
        has_more,
        |row| row.json(0),
        |view: &EndpointView| (view.name.clone(), view.id),
    )?;
    for view in &mut page.items {
        presence_merge(cx, view);
    }
    namesakes::add(db, cx, page.items.iter_mut())?;
    Ok(page)
}

/// A page of endpoints with the names of where they are, by name.
pub(super) fn machines(
    db: &dyn ReadSql,
    cx: &Context<'_>,
    filter: &Filter<'_>,
    wanted: &Paging,
) -> Result<Page<MachineRow>, Error> {
    let (rows, has_more) = rows("machines", db, filter, wanted)?;
    let read = |row: &Row| {
        let endpoint: EndpointView = row.json(0)?;
        let client_name = row.optional_text(1)?.map_or_else(|| endpoint.client_id.to_string(), str::to_owned);
        let site_name = row.optional_text(2)?.map_or_else(|| endpoint.site_id.to_string(), str::to_owned);
        Ok(MachineRow { endpoint, client_name, site_name })
    };
    let place = |row: &MachineRow| (row.endpoint.name.clone(), row.endpoint.id);
    let mut page = paging::page_of("machines", &rows, has_more, read, place)?;
    for row in &mut page.items {
        presence_merge(cx, &mut row.endpoint);
    }
    namesakes::add(db, cx, page.items.iter_mut().map(|row| &mut row.endpoint))?;
    Ok(page)
}

/// The rows of a page, as many as fit [`PAGE_BYTES_MAX`], and whether others follow.
fn rows(
    listing: &str,
    db: &dyn ReadSql,
    filter: &Filter<'_>,
    wanted: &Paging,
) -> Result<(Vec<Row>, bool), Error> {
    let found = sizes(listing, db, filter, wanted)?;
    let limit = paging::limit(wanted).min(found.len());
    let bytes: Vec<u64> = found[..limit].iter().map(|row| row.unsigned(1)).collect::<Result<_, _>>()?;
    let count = fitting(bytes, PAGE_BYTES_MAX);
    let ids: Vec<&str> = found[..count].iter().map(|row| row.text(0)).collect::<Result<_, _>>()?;
    let rows = db.query(
        "SELECT machine.document, client.name, site.name FROM json_each(?1) AS wanted
         JOIN endpoint_summary AS machine ON machine.endpoint_id = wanted.value
         LEFT JOIN client ON client.client_id = machine.client_id
         LEFT JOIN site ON site.site_id = machine.site_id
         ORDER BY wanted.key",
        &[super::json(&ids)],
    )?;
    Ok((rows, found.len() > count))
}

/// The ids of the endpoints of a page, one more than it has, and the bytes of each.
fn sizes(listing: &str, db: &dyn ReadSql, filter: &Filter<'_>, wanted: &Paging) -> Result<Vec<Row>, Error> {
    let (name, id) = clients::after_name::<EndpointId>(listing, wanted)?;
    let mut parameters: Vec<Value> = vec![name.into(), id.into(), paging::rows_wanted(wanted).into()];
    parameters.extend(searched(db, filter.text)?);
    let rows = match (filter.client, filter.site) {
        (None, None) => db.query(listing!("TRUE"), &parameters)?,
        (Some(client), None) => {
            parameters.push(client.into());
            db.query(listing!("machine.client_id = ?16"), &parameters)?
        }
        (None, Some(site)) => {
            parameters.push(site.into());
            db.query(listing!("machine.site_id = ?16"), &parameters)?
        }
        (Some(client), Some(site)) => {
            parameters.extend([site.into(), client.into()]);
            // `+`: the site's index is the narrower one.
            db.query(listing!("machine.site_id = ?16 AND +machine.client_id = ?17"), &parameters)?
        }
    };
    Ok(rows)
}

/// One endpoint as it last told of itself; `None`: it is not known here, or has not told yet.
pub(super) fn endpoint_load(db: &dyn ReadSql, id: EndpointId) -> Result<Option<EndpointView>, Error> {
    let rows = db.query("SELECT document FROM endpoint_summary WHERE endpoint_id = ?1", &[id.into()])?;
    Ok(rows.first().map(|row| row.json(0)).transpose()?)
}

/// The words to search for, each with the sites that have it in their name or their client's.
fn searched(db: &dyn ReadSql, text: Option<&str>) -> Result<Vec<Value>, Error> {
    let text = text.unwrap_or_default();
    if text.len() > TEXT_BYTES_MAX {
        return Err(Error::invalid(format!("the text to search for has at most {TEXT_BYTES_MAX} bytes")));
    }
    let mut words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
    // The longest is the rarest: where it is not found, the others are not looked for.
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    if words.len() > WORDS_MAX {
        return Err(Error::invalid(format!("the text to search for has at most {WORDS_MAX} words")));
    }
    let mut values = Vec::with_capacity(2 * WORDS_MAX);
    if !words.is_empty() {
        let names = site_names(db)?;
        for word in words {
            let sites = names.iter().filter(|(_, name)| name.contains(&word)).map(|(site, _)| site);
            let sites = super::json(&sites.collect::<Vec<_>>());
            values.extend([Value::Text(word), sites]);
        }
    }
    values.resize(2 * WORDS_MAX, Value::Null);
    Ok(values)
}

/// Every site with its name and its client's in lower case, a line each: plants are a few thousand, machines are many.
fn site_names(db: &dyn ReadSql) -> Result<Vec<(String, String)>, Error> {
    let rows =
        db.query("SELECT site.site_id, site.name, client.name FROM site JOIN client USING (client_id)", &[])?;
    let named = |row: &Row| {
        let names = format!("{}\n{}", row.text(1)?.to_lowercase(), row.text(2)?.to_lowercase());
        Ok((row.text(0)?.to_owned(), names))
    };
    rows.iter().map(named).collect()
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
