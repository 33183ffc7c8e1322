//! What endpoints tell of themselves is taken in.
//!
//! Each row remembers the version that told it, so projections may come twice or out of order: a newer one is
//! never overwritten, and what only an older one tells of is still taken in.

use serde_json::{Map, Value as Json};

use crate::api::{EndpointView, SequenceSummary};
use crate::call::{Projection, Reply};
use crate::error::Error;
use crate::sql::{Sql, Value};

use super::{namesakes, overnight};

/// Most bytes of an endpoint that search looks through; facts past it are not found by search. Names, addresses and
/// models are a few hundred.
const SEARCH_BYTES_MAX: usize = 4_096;

/// Largest document of an endpoint that is listed whole, in bytes.
const DOCUMENT_BYTES_MAX: usize = 128 * 1024;

/// Takes in projections. Repeating one changes nothing.
pub(super) fn project(db: &dyn Sql, projections: Vec<Projection>) -> Result<Reply, Error> {
    for projection in projections {
        let version = projection.version;
        endpoint_save(db, version, &projection.endpoint)?;
        for key in &projection.keys {
            db.execute(
                "INSERT INTO endpoint_by_key (public_key, endpoint_id) VALUES (?1, ?2)
                 ON CONFLICT (public_key) DO NOTHING",
                &[(*key).into(), projection.endpoint.id.into()],
            )?;
        }
        for sequence in &projection.sequences {
            sequence_save(db, version, sequence)?;
        }
        for removed in projection.removed {
            db.execute(
                "DELETE FROM sequence_summary WHERE sequence_id = ?1 AND version <= ?2",
                &[removed.into(), version.into()],
            )?;
        }
    }
    Ok(Reply::Done)
}

fn endpoint_save(db: &dyn Sql, version: u64, endpoint: &EndpointView) -> Result<(), Error> {
    let parameters = [
        endpoint.id.into(),
        version.into(),
        endpoint.name.as_str().into(),
        endpoint.client_id.into(),
        endpoint.site_id.into(),
        search_text(endpoint).into(),
        document(endpoint),
        overnight::needs_person(endpoint).into(),
        namesakes::column(endpoint).into(),
    ];
    // A column that is set is written in each of its indexes, also to the value it had. Name, place and need seldom
    // change.
    let known = db.execute(
        "UPDATE endpoint_summary SET version = MAX(version, ?2),
             search = CASE WHEN ?2 >= version THEN ?6 ELSE search END,
             document = CASE WHEN ?2 >= version THEN ?7 ELSE document END
         WHERE endpoint_id = ?1 AND name = ?3 COLLATE BINARY AND client_id = ?4 AND site_id = ?5
             AND needs_person = ?8 AND folded_name IS ?9",
        &parameters,
    )?;
    if known == 0 {
        db.execute(
            "INSERT INTO endpoint_summary (endpoint_id, version, name, client_id, site_id, search, document, \
             needs_person, folded_name) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
             ON CONFLICT (endpoint_id) DO UPDATE SET version = excluded.version, name = excluded.name, \
             client_id = excluded.client_id, site_id = excluded.site_id, search = excluded.search, \
             document = excluded.document, needs_person = excluded.needs_person, \
             folded_name = excluded.folded_name
             WHERE excluded.version >= endpoint_summary.version",
            &parameters,
        )?;
    }
    Ok(())
}

/// What listings show of an endpoint. One that takes more than [`DOCUMENT_BYTES_MAX`] is listed without its notes and
/// without the facts of single journals; its own page has them.
fn document(endpoint: &EndpointView) -> Value {
    let whole = super::json(endpoint);
    if matches!(&whole, Value::Text(text) if text.len() <= DOCUMENT_BYTES_MAX) {
        return whole;
    }
    let mut listed = endpoint.clone();
    listed.notes.clear();
    listed.journals.iter_mut().for_each(|journal| journal.facts.clear());
    super::json(&listed)
}

fn sequence_save(db: &dyn Sql, version: u64, sequence: &SequenceSummary) -> Result<(), Error> {
    let night = overnight::night(sequence);
    db.execute(
        "INSERT INTO sequence_summary (sequence_id, version, state, created_at, changed_at, document, endpoint_id, \
         night, night_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (sequence_id) DO UPDATE SET version = excluded.version, state = excluded.state, \
         changed_at = excluded.changed_at, document = excluded.document, night = excluded.night, \
         night_at = excluded.night_at
         WHERE excluded.version >= sequence_summary.version",
        &[
            sequence.id.into(),
            version.into(),
            super::sequences::state_value(sequence.state),
            sequence.created_at.into(),
            sequence.changed_at.into(),
            super::json(sequence),
            sequence.endpoint_id.into(),
            night.map(|(night, _)| night.as_str()).into(),
            night.map_or(sequence.changed_at, |(_, at)| at).into(),
        ],
    )?;
    Ok(())
}

/// What search looks through: name, id, tags, last address and every text among the facts, a line each, in lower case.
/// The names of client and site are looked up when somebody searches, since they may change.
fn search_text(endpoint: &EndpointView) -> String {
    let mut text = format!("{}\n{}", endpoint.name.to_lowercase(), endpoint.id);
    for more in endpoint.tags.iter().chain(&endpoint.address) {
        text.push('\n');
        text.push_str(&more.to_lowercase());
    }
    add_object(&mut text, &endpoint.facts);
    text.truncate(text.floor_char_boundary(SEARCH_BYTES_MAX));
    text
}

fn add_object(text: &mut String, object: &Map<String, Json>) {
    for fact in object.values() {
        add(text, fact);
    }
}

fn add(text: &mut String, fact: &Json) {
    if text.len() > SEARCH_BYTES_MAX {
        return;
    }
    match fact {
        Json::String(fact) => {
            text.push('\n');
            text.push_str(&fact.to_lowercase());
        }
        Json::Array(facts) => {
            for fact in facts {
                add(text, fact);
            }
        }
        Json::Object(facts) => add_object(text, facts),
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}
