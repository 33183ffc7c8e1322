//! Enrolment codes: made, listed and withdrawn. Of a code's secret only the digest is stored.

use crate::api::{CodeView, EndpointView, NewCode, Page, Paging};
use crate::call::{Principal, Resource};
use crate::error::Error;
use crate::id::{CodeId, EndpointId, SiteId};
use crate::sql::{INTEGER_MAX, ReadSql, Row, SqlError, Value};
use crate::time::{Milliseconds, Timestamp};
use crate::wire::{EnrolmentCode, secret_digest};

use super::Directory;
use super::audit::DirectoryBody;
use super::{clients, endpoints, paging};

/// Most machines that one code admits: a plant's worth, so that a leaked code is no open door.
const USES_MAX: u32 = 1_000;
/// Shortest and longest validity, and the one where the request names none.
const EXPIRES_IN_MIN: Milliseconds = Milliseconds::from_seconds(60);
const EXPIRES_IN_MAX: Milliseconds = Milliseconds::from_days(90);
const EXPIRES_IN_DEFAULT: Milliseconds = Milliseconds::from_days(7);

/// A page of codes, newest first.
pub(super) fn codes(db: &dyn ReadSql, wanted: &Paging) -> Result<Page<CodeView>, Error> {
    let (created_at, id) = before_time::<CodeId>("codes", wanted)?;
    let rows = db.query(
        "SELECT code_id, site_id, endpoint_id, uses_left, expires_at, created_at, created_by, revoked_at
         FROM enrolment_code WHERE (created_at, code_id) < (?1, ?2)
         ORDER BY created_at DESC, code_id DESC LIMIT ?3",
        &[created_at, id, paging::rows_wanted(wanted).into()],
    )?;
    paging::page("codes", wanted, &rows, code_read, |code| (code.created_at, code.id))
}

/// Where a listing newest first begins: time and id of the item before. The largest integer comes before every
/// item.
pub(super) fn before_time<I: serde::de::DeserializeOwned + ToString>(
    listing: &str,
    wanted: &Paging,
) -> Result<(Value, Value), Error> {
    let place = paging::place::<(Timestamp, I)>(listing, wanted)?;
    Ok(match place {
        None => (Value::Integer(INTEGER_MAX), Value::from("")),
        Some((at, id)) => (at.into(), id.to_string().into()),
    })
}

impl Directory<'_> {
    pub(super) fn code_create(&mut self, by: &Principal, new: &NewCode) -> Result<Resource, Error> {
        let uses = new.uses.unwrap_or(1);
        let expires_in = new.expires_in.unwrap_or(EXPIRES_IN_DEFAULT);
        if !(1..=USES_MAX).contains(&uses) {
            return Err(Error::invalid(format!("`uses` is 1 to {USES_MAX}")));
        }
        if !(EXPIRES_IN_MIN..=EXPIRES_IN_MAX).contains(&expires_in) {
            return Err(Error::invalid(format!("`expires_in` is {EXPIRES_IN_MIN} to {EXPIRES_IN_MAX}")));
        }
        let site = clients::site(self.db, new.site_id)?.id;
        if let Some(endpoint) = new.endpoint_id {
            check_endpoint(self.db, endpoint, site, uses)?;
        }
        let code = EnrolmentCode {
            id: CodeId::fresh(&mut self.entropy),
            root_fingerprint: self.cx.authority.root.fingerprint(),
            secret: self.entropy.bytes(),
        };
        let view = CodeView {
            id: code.id,
            code: Some(code.to_string()),
            site_id: site,
            endpoint_id: new.endpoint_id,
            uses_left: uses,
            expires_at: self.cx.now.plus(expires_in),
            created_at: self.cx.now,
            created_by: by.email.clone(),
        };
        self.db.execute(
            "INSERT INTO enrolment_code (code_id, digest, site_id, endpoint_id, uses_left, expires_at, created_at, \
             created_by) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            &[
                code.id.into(),
                secret_digest(&code.secret).into(),
                site.into(),
                new.endpoint_id.into(),
                uses.into(),
                view.expires_at.into(),
                view.created_at.into(),
                view.created_by.as_str().into(),
            ],
        )?;
        let body = DirectoryBody::CodeCreated {
            code: code.id,
            site,
            endpoint: new.endpoint_id,
            uses,
            expires_at: view.expires_at,
        };
        self.record(&by.email, &body)?;
        Ok(Resource::Code(view))
    }

    /// Withdraws a code. Repeating it changes nothing.
    pub(super) fn code_revoke(&mut self, by: &Principal, id: CodeId) -> Result<Resource, Error> {
        let revoked = self.db.execute(
            "UPDATE enrolment_code SET revoked_at = ?2 WHERE code_id = ?1 AND revoked_at IS NULL",
            &[id.into(), self.cx.now.into()],
        )?;
        let rows = self.db.query(
            "SELECT code_id, site_id, endpoint_id, uses_left, expires_at, created_at, created_by, revoked_at
             FROM enrolment_code WHERE code_id = ?1",
            &[id.into()],
        )?;
        let row = rows.first().ok_or_else(|| Error::not_found(format_args!("enrolment code `{id}`")))?;
        let view = code_read(row)?;
        if revoked > 0 {
            self.record(&by.email, &DirectoryBody::CodeRevoked { code: id })?;
        }
        Ok(Resource::Code(view))
    }
}

/// Judges a code for one existing machine.
fn check_endpoint(db: &dyn ReadSql, endpoint: EndpointId, site: SiteId, uses: u32) -> Result<(), Error> {
    let known: EndpointView = endpoints::endpoint_load(db, endpoint)?
        .ok_or_else(|| Error::not_found(format_args!("endpoint `{endpoint}`")))?;
    if known.site_id != site {
        return Err(Error::invalid(format!("endpoint `{endpoint}` belongs to site `{}`", known.site_id)));
    }
    if uses != 1 {
        return Err(Error::invalid("a code for one existing machine is used once: leave `uses` out"));
    }
    Ok(())
}

fn code_read(row: &Row) -> Result<CodeView, SqlError> {
    let uses_left = u32::try_from(row.unsigned(3)?).map_err(|_| SqlError::shape("a number of uses"))?;
    Ok(CodeView {
        id: row.parsed(0)?,
        code: None,
        site_id: row.parsed(1)?,
        endpoint_id: row.optional_parsed(2)?,
        // A code that was withdrawn admits nobody, whatever was left of it.
        uses_left: if row.is_null(7) { uses_left } else { 0 },
        expires_at: Timestamp::from_milliseconds(row.integer(4)?),
        created_at: Timestamp::from_milliseconds(row.integer(5)?),
        created_by: row.text(6)?.to_owned(),
    })
}
