//! Machines of one site that have the same name. A re-imaged machine enrols again under the name of its old record, so
//! nothing is refused; people are warned until one of the two is renamed, retired or revoked.
//!
//! Nothing is stored about it but folded names: what is shown is looked up when somebody looks, so it cannot be out
//! of date.

use std::collections::BTreeMap;

use crate::api::{Attention, EndpointState, EndpointView, Namesake};
use crate::call::Context;
use crate::error::Error;
use crate::id::{EndpointId, SiteId};
use crate::sql::{ReadSql, Row, SqlError, Value};
use crate::words::folded_name;

/// Most others that are listed with a machine: a code may admit thousands under one name.
const LISTED_MAX: u64 = 5;

/// The machines that share their name with another, as a table of ids. One walk along the index of names.
macro_rules! sharing_a_name {
    () => {
        "SELECT endpoint_id FROM endpoint_summary JOIN \
         (SELECT site_id, folded_name FROM endpoint_summary WHERE folded_name IS NOT NULL \
          GROUP BY site_id, folded_name HAVING COUNT(*) > 1) USING (site_id, folded_name) \
         WHERE folded_name IS NOT NULL"
    };
}
pub(super) use sharing_a_name;

/// The column of a machine; `None`: it is out of service, and its name is free.
pub(super) fn column(endpoint: &EndpointView) -> Option<String> {
    match endpoint.state {
        EndpointState::Active | EndpointState::Recovered => Some(folded_name(&endpoint.name)),
        EndpointState::Retired | EndpointState::Revoked => None,
    }
}

/// Adds to each machine which others have its name, and the warning. One query for all of them.
pub(super) fn add<'a>(
    db: &dyn ReadSql,
    cx: &Context<'_>,
    machines: impl Iterator<Item = &'a mut EndpointView>,
) -> Result<(), Error> {
    let machines: Vec<_> = machines.collect();
    let ids: Vec<_> = machines.iter().map(|machine| machine.id).collect();
    let mut found = of_each(db, cx, &ids)?;
    for machine in machines {
        if let Some(others) = found.remove(&machine.id) {
            machine.add_namesakes(others);
        }
    }
    Ok(())
}

/// The others that have the name of each of these machines; one without has no entry.
pub(super) fn of_each(
    db: &dyn ReadSql,
    cx: &Context<'_>,
    machines: &[EndpointId],
) -> Result<BTreeMap<EndpointId, Vec<Namesake>>, Error> {
    let rows = db.query(
        "SELECT machine.endpoint_id, (SELECT json_group_array(json_object('id', endpoint_id, 'name', name, \
             'enrolled_at', json_extract(document, '$.enrolled_at'), \
             'last_seen_at', json_extract(document, '$.last_seen_at'))) \
             FROM (SELECT other.endpoint_id, other.name, other.document FROM endpoint_summary AS other \
                   WHERE other.site_id = machine.site_id AND other.folded_name = machine.folded_name \
                   AND other.folded_name IS NOT NULL AND other.endpoint_id <> machine.endpoint_id \
                   ORDER BY other.endpoint_id LIMIT ?2))
         FROM json_each(?1) AS wanted JOIN endpoint_summary AS machine ON machine.endpoint_id = wanted.value
         WHERE machine.folded_name IS NOT NULL",
        &[super::json(&machines), LISTED_MAX.into()],
    )?;
    let read = |row: &Row| {
        let mut others: Vec<Namesake> = row.json(1)?;
        for other in &mut others {
            let heard = cx.presence.last_seen(other.id).map(|seen| seen.at);
            other.last_seen_at = other.last_seen_at.max(heard);
        }
        Ok((row.parsed(0)?, others))
    };
    let found = rows.iter().map(read).collect::<Result<BTreeMap<_, _>, SqlError>>()?;
    Ok(found.into_iter().filter(|(_, others)| !others.is_empty()).collect())
}

/// The others that have the name of a machine that enrols: the record's own place and name where there is one, else those
/// of the request.
pub(super) fn of_arrival(
    db: &dyn ReadSql,
    endpoint: EndpointId,
    site: SiteId,
    name: &str,
) -> Result<Vec<EndpointId>, Error> {
    let known =
        db.query("SELECT site_id, name FROM endpoint_summary WHERE endpoint_id = ?1", &[endpoint.into()])?;
    let (site, name): (Value, String) = match known.first() {
        Some(row) => (row.text(0)?.into(), folded_name(row.text(1)?)),
        None => (site.into(), folded_name(name)),
    };
    let rows = db.query(
        "SELECT endpoint_id FROM endpoint_summary WHERE site_id = ?1 AND folded_name = ?2
         AND folded_name IS NOT NULL AND endpoint_id <> ?3
         UNION SELECT endpoint_id FROM admission WHERE site_id = ?1 AND folded_name = ?2
         AND folded_name IS NOT NULL AND endpoint_id <> ?3
         AND NOT EXISTS (SELECT 1 FROM endpoint_summary AS told WHERE told.endpoint_id = admission.endpoint_id)
         ORDER BY endpoint_id LIMIT ?4",
        &[site, name.into(), endpoint.into(), LISTED_MAX.into()],
    )?;
    Ok(rows.iter().map(|row| row.parsed(0)).collect::<Result<_, SqlError>>()?)
}

impl EndpointView {
    /// Adds the others that have its name, and the warning that says so.
    pub fn add_namesakes(&mut self, others: Vec<Namesake>) {
        if let Some(attention) = Attention::same_name(&others) {
            self.attention.push(attention);
        }
        self.same_name = others;
    }
}

impl Attention {
    /// The warning that other machines of the site have the name; `None`: there are none.
    pub(super) fn same_name(others: &[Namesake]) -> Option<Self> {
        let reason = match others.len() as u64 {
            0 => return None,
            1 => "another machine at this site has the same name".to_owned(),
            LISTED_MAX.. => format!("{LISTED_MAX} or more other machines at this site have the same name"),
            several => format!("{several} other machines at this site have the same name"),
        };
        let clears = "rename one, or retire the machine that is gone".to_owned();
        Some(Self { code: "same_name".to_owned(), reason, clears })
    }
}
