//! A machine asks to enrol with a code, and is admitted as an endpoint.
//!
//! The key that signed the request is what a repeat is known by: the same key gets the same endpoint, and uses a
//! code once, also when the code has been used up or has expired since. So an answer that was lost on the way
//! costs nothing.

use subtle::ConstantTimeEq;

use crate::call::{Admission, Reply};
use crate::control::check_name;
use crate::digest::Digest;
use crate::envelope::{Envelope, EnvelopeError};
use crate::error::{Code, Error};
use crate::id::{ClientId, CodeId, EndpointId, SiteId};
use crate::keys::PublicKey;
use crate::sql::ReadSql;
use crate::time::Timestamp;
use crate::transcript::ACTOR_CONTROL_PLANE;
use crate::wire::{EnrolRequest, PROTOCOL_VERSION, secret_digest};
use crate::words::folded_name;

use super::audit::DirectoryBody;
use super::{Directory, namesakes};

/// A code as admission judges it.
struct CodeRow {
    digest: Digest,
    site: SiteId,
    client: ClientId,
    time_zone: String,
    endpoint: Option<EndpointId>,
    uses_left: u64,
    expires_at: Timestamp,
    revoked: bool,
    created_by: String,
}

impl Directory<'_> {
    /// Admits the machine whose request this is.
    pub(super) fn admit(&mut self, envelope: &Envelope) -> Result<Reply, Error> {
        let request = open(envelope)?;
        let code = code_proved(self.db, &request)?;
        if code.revoked {
            return Err(refused("the enrolment code was withdrawn: ask for a new one"));
        }
        let (endpoint, same_name) = match admitted_before(self.db, request.code, request.key)? {
            Some(endpoint) => (endpoint, namesakes::of_arrival(self.db, endpoint, code.site, &request.name)?),
            None => self.code_use(&code, &request)?,
        };
        let admission = Box::new(Admission {
            endpoint,
            site: code.site,
            client: code.client,
            time_zone: code.time_zone,
            code_by: code.created_by,
            request,
        });
        Ok(Reply::Admitted { admission, same_name })
    }

    /// Uses the code for a key that it has not admitted before. Answers as which endpoint, and the others of its name.
    fn code_use(
        &mut self,
        code: &CodeRow,
        request: &EnrolRequest,
    ) -> Result<(EndpointId, Vec<EndpointId>), Error> {
        if code.expires_at <= self.cx.now {
            return Err(refused(format!(
                "the enrolment code expired at {}: ask for a new one",
                code.expires_at
            )));
        }
        if code.uses_left == 0 {
            return Err(refused("the enrolment code is used up: ask for a new one"));
        }
        let endpoint = match (endpoint_of_key(self.db, request.key)?, code.endpoint) {
            (Some(known), Some(named)) if known != named => {
                return Err(Error::conflict(format!(
                    "this machine is enrolled as `{known}` and the code is for `{named}`: enrol it with a fresh state"
                )));
            }
            (Some(known), _) => known,
            (None, Some(named)) => named,
            (None, None) => EndpointId::fresh(&mut self.entropy),
        };
        let (id, key) = (request.code, request.key);
        self.db.execute(
            "UPDATE enrolment_code SET uses_left = uses_left - 1 WHERE code_id = ?1",
            &[id.into()],
        )?;
        self.db.execute(
            "INSERT INTO admission (code_id, public_key, endpoint_id, at, site_id, folded_name)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            &[
                id.into(),
                key.into(),
                endpoint.into(),
                self.cx.now.into(),
                code.site.into(),
                folded_name(&request.name).into(),
            ],
        )?;
        self.db.execute(
            "INSERT INTO endpoint_by_key (public_key, endpoint_id) VALUES (?1, ?2)
             ON CONFLICT (public_key) DO NOTHING",
            &[key.into(), endpoint.into()],
        )?;
        let same_name = namesakes::of_arrival(self.db, endpoint, code.site, &request.name)?;
        let body = DirectoryBody::Admitted { code: id, endpoint, key, same_name: same_name.clone() };
        self.record(ACTOR_CONTROL_PLANE, &body)?;
        Ok((endpoint, same_name))
    }
}

/// Opens a request: signed by the key it names, of a version spoken here.
fn open(envelope: &Envelope) -> Result<EnrolRequest, Error> {
    let claimed: EnrolRequest = envelope.peek().map_err(|error| Error::invalid(error.to_string()))?;
    let request: EnrolRequest = envelope.open(&claimed.key).map_err(|error| match error {
        EnvelopeError::Signature => Error::problem(
            Code::InvalidSignature,
            "the enrolment request is not signed by the key it names: send it again unaltered",
        ),
        EnvelopeError::Type | EnvelopeError::Malformed | EnvelopeError::Payload => {
            Error::invalid(error.to_string())
        }
    })?;
    if request.v != PROTOCOL_VERSION {
        return Err(Error::invalid(format!(
            "the runtime speaks version {} of the protocol and this control plane version {PROTOCOL_VERSION}: \
             use a runtime of the control plane's release",
            request.v
        )));
    }
    check_name(&request.name)?;
    Ok(request)
}

/// The code whose secret the request proves to know.
fn code_proved(db: &dyn ReadSql, request: &EnrolRequest) -> Result<CodeRow, Error> {
    // Unknown, malformed and wrong are told alike and compared alike: who guesses learns nothing, not even which
    // codes there are.
    let code = code_load(db, request.code)?;
    let stored = code.as_ref().map_or(Digest::ZERO, |code| code.digest);
    let shown = secret_digest(&request.secret_bytes().unwrap_or_default());
    let same = bool::from(stored.0.ct_eq(&shown.0)) && request.secret_bytes().is_some();
    code.filter(|_| same)
        .ok_or_else(|| refused("the enrolment code is wrong: copy it whole, or ask for a new one"))
}

fn code_load(db: &dyn ReadSql, id: CodeId) -> Result<Option<CodeRow>, Error> {
    let rows = db.query(
        "SELECT code.digest, code.site_id, site.client_id, code.endpoint_id, code.uses_left, code.expires_at, \
         code.revoked_at, code.created_by, site.time_zone
         FROM enrolment_code AS code JOIN site USING (site_id) WHERE code.code_id = ?1",
        &[id.into()],
    )?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(Some(CodeRow {
        digest: row.parsed(0)?,
        site: row.parsed(1)?,
        client: row.parsed(2)?,
        endpoint: row.optional_parsed(3)?,
        uses_left: row.unsigned(4)?,
        expires_at: Timestamp::from_milliseconds(row.integer(5)?),
        revoked: !row.is_null(6),
        created_by: row.text(7)?.to_owned(),
        time_zone: row.text(8)?.to_owned(),
    }))
}

fn admitted_before(db: &dyn ReadSql, code: CodeId, key: PublicKey) -> Result<Option<EndpointId>, Error> {
    let rows = db.query(
        "SELECT endpoint_id FROM admission WHERE code_id = ?1 AND public_key = ?2",
        &[code.into(), key.into()],
    )?;
    Ok(rows.first().map(|row| row.parsed(0)).transpose()?)
}

fn endpoint_of_key(db: &dyn ReadSql, key: PublicKey) -> Result<Option<EndpointId>, Error> {
    let rows = db.query("SELECT endpoint_id FROM endpoint_by_key WHERE public_key = ?1", &[key.into()])?;
    Ok(rows.first().map(|row| row.parsed(0)).transpose()?)
}

fn refused(detail: impl Into<String>) -> Error {
    Error::problem(Code::InvalidCode, detail)
}
