//! Playbooks: made, saved in versions, put away and taken out again, listed and filled.
//!
//! Nothing of a playbook is ever deleted: what a sequence was made from can be read as it was. Putting one away only
//! takes it out of the listings.

use crate::api::{
    Page, Paging, PlaybookPatch, PlaybookSummary, PlaybookValues, PlaybookVersionView, PlaybookView,
};
use crate::call::{Principal, Resource};
use crate::control::check_revision;
use crate::digest::Digest;
use crate::error::{Code, Error};
use crate::id::PlaybookId;
use crate::playbook::{self, FillError, PlaybookError, PlaybookOrigin, PlaybookSpec};
use crate::sequence::SequenceSpec;
use crate::sql::{INTEGER_MAX, ReadSql, Row, SqlError, Value};
use crate::time::Timestamp;
use crate::transcript::ACTOR_CONTROL_PLANE;

use super::Directory;
use super::audit::DirectoryBody;
use super::{clients, paging};

/// A page of playbooks, by name. What was put away is in it only where `archived` asks for it.
pub(super) fn playbooks(
    db: &dyn ReadSql,
    archived: bool,
    wanted: &Paging,
) -> Result<Page<PlaybookSummary>, Error> {
    let (name, id) = clients::after_name::<PlaybookId>("playbooks", wanted)?;
    let rows = db.query(
        "SELECT playbook_id, name, about, version, parameters, steps, created_at, created_by, changed_at,
                changed_by, archived_at
         FROM playbook WHERE (name, playbook_id) > (?1, ?2) AND (?4 = 1 OR archived_at IS NULL)
         ORDER BY name, playbook_id LIMIT ?3",
        &[name.into(), id.into(), paging::rows_wanted(wanted).into(), u64::from(archived).into()],
    )?;
    let place = |summary: &PlaybookSummary| (summary.name.clone(), summary.id);
    paging::page("playbooks", wanted, &rows, summary_read, place)
}

/// One playbook in one version; `None`: the current one.
pub(super) fn playbook(
    db: &dyn ReadSql,
    id: PlaybookId,
    version: Option<u64>,
) -> Result<PlaybookView, Error> {
    let wanted = match version {
        // A number that storage cannot hold is no version.
        Some(version) if i64::try_from(version).is_ok_and(|version| version <= INTEGER_MAX) => version.into(),
        Some(_) => Value::Integer(0),
        None => Value::Null,
    };
    let rows = db.query(
        "SELECT playbook.playbook_id, saved.version, playbook.version, saved.spec, saved.saved_at, saved.saved_by,
                playbook.created_at, playbook.created_by, playbook.archived_at
         FROM playbook JOIN playbook_version AS saved USING (playbook_id)
         WHERE playbook.playbook_id = ?1 AND saved.version = COALESCE(?2, playbook.version)",
        &[id.into(), wanted],
    )?;
    match (rows.first(), version) {
        (Some(row), _) => Ok(playbook_read(row)?),
        (None, None) => Err(Error::not_found(format_args!("playbook `{id}`"))),
        (None, Some(version)) => Err(Error::not_found(format_args!("version {version} of playbook `{id}`"))),
    }
}

/// A page of a playbook's versions, newest first.
pub(super) fn versions(
    db: &dyn ReadSql,
    id: PlaybookId,
    wanted: &Paging,
) -> Result<Page<PlaybookVersionView>, Error> {
    if db.query("SELECT 1 FROM playbook WHERE playbook_id = ?1", &[id.into()])?.is_empty() {
        return Err(Error::not_found(format_args!("playbook `{id}`")));
    }
    let before = match paging::place::<u64>("versions", wanted)? {
        Some(version) if version <= INTEGER_MAX.unsigned_abs() => version.into(),
        Some(_) | None => Value::Integer(INTEGER_MAX),
    };
    let rows = db.query(
        "SELECT version, name, saved_at, saved_by FROM playbook_version
         WHERE playbook_id = ?1 AND version < ?2 ORDER BY version DESC LIMIT ?3",
        &[id.into(), before, paging::rows_wanted(wanted).into()],
    )?;
    paging::page("versions", wanted, &rows, version_read, |version| version.version)
}

/// The sequence that a playbook becomes with `asked`; it says where it came from.
pub(super) fn fill(db: &dyn ReadSql, id: PlaybookId, asked: &PlaybookValues) -> Result<SequenceSpec, Error> {
    let view = playbook(db, id, asked.version)?;
    check_in_use(view.archived_at, &view.spec.name)?;
    let filled = playbook::fill(&view.spec, &asked.values).map_err(|error| does_not_fit(&error))?;
    let origin = PlaybookOrigin { id, name: view.spec.name, version: view.version };
    Ok(SequenceSpec { playbook: Some(Box::new(origin)), ..filled })
}

impl Directory<'_> {
    pub(super) fn playbook_create(&mut self, by: &Principal, spec: &PlaybookSpec) -> Result<Resource, Error> {
        let id = self.playbook_insert(&by.email, spec)?;
        Ok(Resource::Playbook(Box::new(playbook(self.db, id, None)?)))
    }

    /// Makes the playbooks that a control plane begins with, where it has none at all.
    pub(super) fn playbooks_begin(&mut self) -> Result<(), Error> {
        if !self.db.query("SELECT 1 FROM playbook LIMIT 1", &[])?.is_empty() {
            return Ok(());
        }
        for starter in playbook::starters() {
            self.playbook_insert(ACTOR_CONTROL_PLANE, &starter)?;
        }
        Ok(())
    }

    /// Saves a new version of what the editor saw as version `if_match`. One that changes nothing is not saved.
    pub(super) fn playbook_save(
        &mut self,
        by: &Principal,
        id: PlaybookId,
        if_match: u64,
        patch: PlaybookPatch,
    ) -> Result<Resource, Error> {
        let current = playbook(self.db, id, None)?;
        check_revision(current.version, if_match)?;
        check_in_use(current.archived_at, &current.spec.name)?;
        let spec = patch.applied_to(current.spec.clone());
        if spec == current.spec {
            return Ok(Resource::Playbook(Box::new(current)));
        }
        spec.check().map_err(|error| does_not_hold(&error))?;
        self.check_name_free(&spec.name, Some(id))?;
        let version = current.version + 1;
        self.db.execute(
            "UPDATE playbook SET name = ?2, about = ?3, version = ?4, parameters = ?5, steps = ?6, changed_at = ?7,
                    changed_by = ?8
             WHERE playbook_id = ?1",
            &[
                id.into(),
                spec.name.as_str().into(),
                spec.about.as_str().into(),
                version.into(),
                count(spec.parameters.len()),
                count(spec.steps.len()),
                self.cx.now.into(),
                by.email.as_str().into(),
            ],
        )?;
        let digest = self.version_insert(id, version, &by.email, &spec)?;
        let body = DirectoryBody::PlaybookSaved { playbook: id, version, name: spec.name, spec: digest };
        self.record(&by.email, &body)?;
        Ok(Resource::Playbook(Box::new(playbook(self.db, id, None)?)))
    }

    /// Puts a playbook away, or takes it out again. Repeating it changes nothing.
    pub(super) fn playbook_archive(
        &mut self,
        by: &Principal,
        id: PlaybookId,
        archived: bool,
    ) -> Result<Resource, Error> {
        let view = playbook(self.db, id, None)?;
        if view.archived_at.is_some() == archived {
            return Ok(Resource::Playbook(Box::new(view)));
        }
        let archived_at = archived.then_some(self.cx.now);
        self.db.execute(
            "UPDATE playbook SET archived_at = ?2 WHERE playbook_id = ?1",
            &[id.into(), archived_at.into()],
        )?;
        let body = match archived {
            true => DirectoryBody::PlaybookArchived { playbook: id },
            false => DirectoryBody::PlaybookUnarchived { playbook: id },
        };
        self.record(&by.email, &body)?;
        Ok(Resource::Playbook(Box::new(PlaybookView { archived_at, ..view })))
    }

    fn playbook_insert(&mut self, actor: &str, spec: &PlaybookSpec) -> Result<PlaybookId, Error> {
        spec.check().map_err(|error| does_not_hold(&error))?;
        self.check_name_free(&spec.name, None)?;
        let id = PlaybookId::fresh(&mut self.entropy);
        self.db.execute(
            "INSERT INTO playbook (playbook_id, name, about, version, parameters, steps, created_at, created_by,
                                   changed_at, changed_by)
             VALUES (?1, ?2, ?3, 1, ?4, ?5, ?6, ?7, ?6, ?7)",
            &[
                id.into(),
                spec.name.as_str().into(),
                spec.about.as_str().into(),
                count(spec.parameters.len()),
                count(spec.steps.len()),
                self.cx.now.into(),
                actor.into(),
            ],
        )?;
        let digest = self.version_insert(id, 1, actor, spec)?;
        let body = DirectoryBody::PlaybookCreated { playbook: id, name: spec.name.clone(), spec: digest };
        self.record(actor, &body)?;
        Ok(id)
    }

    /// Stores what a version says; answers the digest of the stored bytes.
    fn version_insert(
        &self,
        id: PlaybookId,
        version: u64,
        actor: &str,
        spec: &PlaybookSpec,
    ) -> Result<Digest, Error> {
        let text = serde_json::to_string(spec).expect("playbooks serialize");
        let digest = Digest::of(&text);
        self.db.execute(
            "INSERT INTO playbook_version (playbook_id, version, name, spec, saved_at, saved_by)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            &[
                id.into(),
                version.into(),
                spec.name.as_str().into(),
                Value::Text(text),
                self.cx.now.into(),
                actor.into(),
            ],
        )?;
        Ok(digest)
    }

    fn check_name_free(&self, name: &str, own: Option<PlaybookId>) -> Result<(), Error> {
        let rows =
            self.db.query("SELECT playbook_id, archived_at FROM playbook WHERE name = ?1", &[name.into()])?;
        let Some(row) = rows.first() else { return Ok(()) };
        if own == Some(row.parsed(0)?) {
            return Ok(());
        }
        let advice = match row.is_null(1) {
            true => "choose another name, or edit that one",
            false => "it is archived: unarchive it, or choose another name",
        };
        Err(Error::conflict(format!("there is a playbook `{name}` already: {advice}")))
    }
}

fn check_in_use(archived_at: Option<Timestamp>, name: &str) -> Result<(), Error> {
    match archived_at {
        None => Ok(()),
        Some(at) => Err(Error::conflict(format!(
            "playbook `{name}` is archived since {at}: unarchive it first, or use another"
        ))),
    }
}

fn does_not_hold(error: &PlaybookError) -> Error {
    Error::problem(Code::InvalidPlaybook, error.to_string())
}

fn does_not_fit(error: &FillError) -> Error {
    Error::problem(Code::InvalidPlaybook, error.to_string())
}

/// A count as a column; all that are stored are bounded far below.
fn count(length: usize) -> Value {
    Value::from(length as u64)
}

fn count_read(row: &Row, column: usize) -> Result<u32, SqlError> {
    u32::try_from(row.unsigned(column)?).map_err(|_| SqlError::shape("a count"))
}

fn time(row: &Row, column: usize) -> Result<Timestamp, SqlError> {
    row.integer(column).map(Timestamp::from_milliseconds)
}

fn optional_time(row: &Row, column: usize) -> Result<Option<Timestamp>, SqlError> {
    Ok(row.optional_integer(column)?.map(Timestamp::from_milliseconds))
}

fn summary_read(row: &Row) -> Result<PlaybookSummary, SqlError> {
    Ok(PlaybookSummary {
        id: row.parsed(0)?,
        name: row.text(1)?.to_owned(),
        about: row.text(2)?.to_owned(),
        version: row.unsigned(3)?,
        parameters: count_read(row, 4)?,
        steps: count_read(row, 5)?,
        created_at: time(row, 6)?,
        created_by: row.text(7)?.to_owned(),
        changed_at: time(row, 8)?,
        changed_by: row.text(9)?.to_owned(),
        archived_at: optional_time(row, 10)?,
    })
}

fn playbook_read(row: &Row) -> Result<PlaybookView, SqlError> {
    Ok(PlaybookView {
        id: row.parsed(0)?,
        version: row.unsigned(1)?,
        current_version: row.unsigned(2)?,
        spec: row.json(3)?,
        saved_at: time(row, 4)?,
        saved_by: row.text(5)?.to_owned(),
        created_at: time(row, 6)?,
        created_by: row.text(7)?.to_owned(),
        archived_at: optional_time(row, 8)?,
    })
}

fn version_read(row: &Row) -> Result<PlaybookVersionView, SqlError> {
    Ok(PlaybookVersionView {
        version: row.unsigned(0)?,
        name: row.text(1)?.to_owned(),
        saved_at: time(row, 2)?,
        saved_by: row.text(3)?.to_owned(),
    })
}
