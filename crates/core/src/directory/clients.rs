//! Clients and their sites.

use crate::api::{ClientView, NewClient, NewSite, Page, Paging, SitePatch, SiteView};
use crate::call::{Principal, Resource};
use crate::control::check_name;
use crate::error::Error;
use crate::id::{ClientId, SiteId};
use crate::sql::{ReadSql, Row, SqlError, SqlErrorKind};
use crate::time::Timestamp;
use crate::window::{check_windows, read_windows, windows_text};

use super::Directory;
use super::audit::DirectoryBody;
use super::paging;

/// Longest time zone: the longest name of the IANA database has 32 bytes.
const TIME_ZONE_BYTES_MAX: usize = 64;

/// A page of clients, by name.
pub(super) fn clients(db: &dyn ReadSql, wanted: &Paging) -> Result<Page<ClientView>, Error> {
    let (name, id) = after_name::<ClientId>("clients", wanted)?;
    let rows = db.query(
        "SELECT client_id, name, created_at FROM client WHERE (name, client_id) > (?1, ?2)
         ORDER BY name, client_id LIMIT ?3",
        &[name.into(), id.into(), paging::rows_wanted(wanted).into()],
    )?;
    paging::page("clients", wanted, &rows, client_read, |client| (client.name.clone(), client.id))
}

/// A page of sites, by name.
pub(super) fn sites(
    db: &dyn ReadSql,
    client: Option<ClientId>,
    wanted: &Paging,
) -> Result<Page<SiteView>, Error> {
    let (name, id) = after_name::<SiteId>("sites", wanted)?;
    let limit = paging::rows_wanted(wanted);
    let rows = match client {
        None => db.query(
            "SELECT site_id, client_id, name, time_zone, created_at, windows FROM site WHERE (name, site_id) > (?1, ?2)
             ORDER BY name, site_id LIMIT ?3",
            &[name.into(), id.into(), limit.into()],
        )?,
        Some(client) => db.query(
            "SELECT site_id, client_id, name, time_zone, created_at, windows FROM site
             WHERE client_id = ?4 AND (name, site_id) > (?1, ?2) ORDER BY name, site_id LIMIT ?3",
            &[name.into(), id.into(), limit.into(), client.into()],
        )?,
    };
    paging::page("sites", wanted, &rows, site_read, |site| (site.name.clone(), site.id))
}

/// One site.
pub(super) fn site(db: &dyn ReadSql, id: SiteId) -> Result<SiteView, Error> {
    let rows = db.query(
        "SELECT site_id, client_id, name, time_zone, created_at, windows FROM site WHERE site_id = ?1",
        &[id.into()],
    )?;
    let row = rows.first().ok_or_else(|| Error::not_found(format_args!("site `{id}`")))?;
    Ok(site_read(row)?)
}

/// Where a listing by name begins: name and id of the item before. Empty texts come before every item.
pub(super) fn after_name<I: serde::de::DeserializeOwned + ToString>(
    listing: &str,
    wanted: &Paging,
) -> Result<(String, String), Error> {
    let place = paging::place::<(String, I)>(listing, wanted)?;
    Ok(place.map_or_else(Default::default, |(name, id)| (name, id.to_string())))
}

impl Directory<'_> {
    pub(super) fn client_create(&mut self, by: &Principal, new: NewClient) -> Result<Resource, Error> {
        let NewClient { name } = new;
        check_name(&name)?;
        client_name_free(self.db, &name)?;
        let (id, created_at) = (ClientId::fresh(&mut self.entropy), self.cx.now);
        self.db.execute(
            "INSERT INTO client (client_id, name, created_at) VALUES (?1, ?2, ?3)",
            &[id.into(), name.as_str().into(), created_at.into()],
        )?;
        self.record(&by.email, &DirectoryBody::ClientCreated { client: id, name: name.clone() })?;
        Ok(Resource::Client(ClientView { id, name, created_at }))
    }

    pub(super) fn site_create(&mut self, by: &Principal, new: NewSite) -> Result<Resource, Error> {
        let NewSite { client_id: client, name, time_zone, windows } = new;
        check_name(&name)?;
        let time_zone = time_zone.unwrap_or_else(|| "UTC".to_owned());
        check_time_zone(&time_zone)?;
        check_windows(&windows)?;
        if self.db.query("SELECT 1 FROM client WHERE client_id = ?1", &[client.into()])?.is_empty() {
            return Err(Error::not_found(format_args!("client `{client}`")));
        }
        site_name_free(self.db, client, &name)?;
        let (id, created_at) = (SiteId::fresh(&mut self.entropy), self.cx.now);
        self.db.execute(
            "INSERT INTO site (site_id, client_id, name, time_zone, created_at, windows)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            &[
                id.into(),
                client.into(),
                name.as_str().into(),
                time_zone.as_str().into(),
                created_at.into(),
                windows_text(&windows).as_str().into(),
            ],
        )?;
        let made = SiteView { id, client_id: client, name, time_zone, windows, created_at };
        let SiteView { name, time_zone, windows, .. } = made.clone();
        self.record(&by.email, &DirectoryBody::SiteCreated { site: id, client, name, time_zone, windows })?;
        Ok(Resource::Site(made))
    }

    /// Renames a client. The name it has already changes nothing.
    pub(super) fn client_rename(
        &mut self,
        by: &Principal,
        id: ClientId,
        name: String,
    ) -> Result<Resource, Error> {
        check_name(&name)?;
        let rows = self
            .db
            .query("SELECT client_id, name, created_at FROM client WHERE client_id = ?1", &[id.into()])?;
        let row = rows.first().ok_or_else(|| Error::not_found(format_args!("client `{id}`")))?;
        let before = client_read(row)?;
        if before.name != name {
            client_name_free(self.db, &name)?;
            self.db.execute(
                "UPDATE client SET name = ?2 WHERE client_id = ?1",
                &[id.into(), name.as_str().into()],
            )?;
            self.record(&by.email, &DirectoryBody::ClientRenamed { client: id, name: name.clone() })?;
        }
        Ok(Resource::Client(ClientView { name, ..before }))
    }

    /// Edits a site. What it has already changes nothing.
    pub(super) fn site_edit(
        &mut self,
        by: &Principal,
        id: SiteId,
        patch: SitePatch,
    ) -> Result<Resource, Error> {
        let before = site(self.db, id)?;
        let mut after = before.clone();
        if let Some(name) = patch.name {
            check_name(&name)?;
            if name != before.name {
                site_name_free(self.db, before.client_id, &name)?;
            }
            after.name = name;
        }
        if let Some(time_zone) = patch.time_zone {
            check_time_zone(&time_zone)?;
            after.time_zone = time_zone;
        }
        if let Some(windows) = patch.windows {
            check_windows(&windows)?;
            after.windows = windows;
        }
        if after != before {
            let SiteView { name, time_zone, windows, .. } = after.clone();
            self.db.execute(
                "UPDATE site SET name = ?2, time_zone = ?3, windows = ?4 WHERE site_id = ?1",
                &[
                    id.into(),
                    name.as_str().into(),
                    time_zone.as_str().into(),
                    windows_text(&windows).as_str().into(),
                ],
            )?;
            self.record(&by.email, &DirectoryBody::SiteEdited { site: id, name, time_zone, windows })?;
        }
        Ok(Resource::Site(after))
    }
}

/// Refuses a name that a client has.
fn client_name_free(db: &dyn ReadSql, name: &str) -> Result<(), Error> {
    // `BINARY`, as the index says: names are unique as they are written.
    let same = db.query("SELECT 1 FROM client WHERE name COLLATE BINARY = ?1", &[name.into()])?;
    if same.is_empty() {
        return Ok(());
    }
    Err(Error::conflict(format!("there is a client `{name}` already: choose another name")))
}

/// Refuses a name that a site of the client has.
fn site_name_free(db: &dyn ReadSql, client: ClientId, name: &str) -> Result<(), Error> {
    let same = db.query(
        "SELECT 1 FROM site WHERE client_id = ?1 AND name COLLATE BINARY = ?2",
        &[client.into(), name.into()],
    )?;
    if same.is_empty() {
        return Ok(());
    }
    Err(Error::conflict(format!("this client has a site `{name}` already: choose another name")))
}

fn client_read(row: &Row) -> Result<ClientView, SqlError> {
    Ok(ClientView {
        id: row.parsed(0)?,
        name: row.text(1)?.to_owned(),
        created_at: Timestamp::from_milliseconds(row.integer(2)?),
    })
}

fn site_read(row: &Row) -> Result<SiteView, SqlError> {
    Ok(SiteView {
        id: row.parsed(0)?,
        client_id: row.parsed(1)?,
        name: row.text(2)?.to_owned(),
        time_zone: row.text(3)?.to_owned(),
        created_at: Timestamp::from_milliseconds(row.integer(4)?),
        windows: read_windows(row.text(5)?)
            .map_err(|_| SqlError::new(SqlErrorKind::Shape, "a site's maintenance windows do not read"))?,
    })
}

/// Judges a time zone by its shape: the core carries no database of zones, and pages fall back to UTC for one they
/// do not know.
fn check_time_zone(zone: &str) -> Result<(), Error> {
    let holds = (1..=TIME_ZONE_BYTES_MAX).contains(&zone.len())
        && zone.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/_+-".contains(&byte));
    if holds { Ok(()) } else { Err(Error::invalid("a time zone is a name such as Europe/Berlin")) }
}
