//! An endpoint comes to be, comes again with a new key, or comes back after a restore from before its enrolment.

use serde_json::{Map, Value as Json};

use crate::api::{EndpointState, JournalState};
use crate::call::{Admission, Context, Effect, Reply};
use crate::digest::Digest;
use crate::envelope::Envelope;
use crate::error::{Code, Error};
use crate::id::{ClientId, EndpointId, JournalId, SiteId};
use crate::keys::{PublicKey, Role};
use crate::probe::Catalogue;
use crate::rhythm::Rhythm;
use crate::sql::Sql;
use crate::transcript::{ACTOR_CONTROL_PLANE, ACTOR_ENDPOINT, TranscriptBody};
use crate::wire::{EnrolAnswer, EnrolmentCertificate, Head, PROTOCOL_VERSION, RecoverRequest};

use super::budget::Budget;
use super::object::{EndpointRow, Object, endpoint_row};
use super::store::{self, JournalRow};
use super::sync::check_admitted;

/// Largest facts of a machine as JSON, in bytes.
const FACTS_BYTES_MAX: usize = 64 * 1024;

/// Enrols what the directory admitted. Repeating a request whose answer was lost gives the same answer.
pub(super) fn enrol(
    db: &dyn Sql,
    cx: &Context<'_>,
    admission: Admission,
) -> Result<(Reply, Vec<Effect>), Error> {
    let Admission { endpoint, site, client, time_zone, code_by, request } = admission;
    check_told(&request.facts, &request.probes)?;
    let certificate = EnrolmentCertificate {
        v: PROTOCOL_VERSION,
        endpoint,
        key: request.key,
        seal_key: request.seal_key,
        site,
        name: request.name.clone(),
        enrolled_at: cx.now,
    };
    let known = endpoint_row(db, endpoint)?;
    if let Some(again) = enrolled_already(db, cx, endpoint, request.key)? {
        return Ok((again, Vec::new()));
    }
    let is_new = known.is_none();
    let mut object = match known {
        Some(_) => Object::open(db, cx, endpoint)?,
        None => Object::create(db, cx, endpoint, fresh_row(cx, (client, site, time_zone), &request.name)),
    };
    let enrolment = Envelope::seal(&certificate, cx.keys, Role::Order);
    store::key_add(db, endpoint, request.key, &enrolment, cx.now)?;
    store::catalogue_save(db, endpoint, &request.probes)?;
    let body = TranscriptBody::Enrolled { name: request.name, key: request.key, code_by };
    object.record(ACTOR_CONTROL_PLANE, None, &body)?;
    object.row.state = EndpointState::Active;
    let journal = journal_row(&object, request.journal, request.key, request.facts)?;
    object.candidate_add(journal)?;
    if is_new {
        // The code was the decision: a fresh endpoint's first journal needs no other (R6).
        object.adopt(ACTOR_CONTROL_PLANE, request.journal)?;
    }
    let answer = answer(cx, endpoint, enrolment);
    Ok((answer, object.close()?))
}

/// Takes in an endpoint that this record does not know and that holds a certificate of ours (R15). Nothing runs
/// until a person confirms by adopting its journal.
pub(super) fn recover(
    db: &dyn Sql,
    cx: &Context<'_>,
    endpoint: EndpointId,
    envelope: &Envelope,
) -> Result<(Reply, Vec<Effect>), Error> {
    let (request, certificate, is_revoked) = open_recover(cx, envelope)?;
    if certificate.endpoint != endpoint {
        return Err(Error::invalid("the certificate is of another endpoint"));
    }
    if let Some(again) = enrolled_already(db, cx, endpoint, certificate.key)? {
        return Ok((again, Vec::new()));
    }
    check_told(&request.facts, &request.probes)?;
    let mut object = match endpoint_row(db, endpoint)? {
        Some(row) => {
            // Enrolled again after the backup that was restored: the record is there and this key is not.
            check_admitted(row.state)?;
            Object::open(db, cx, endpoint)?
        }
        None => {
            // The site may be gone with the lost part; the record names it all the same, and people can move it.
            let client = ClientId::from_bytes([0; 10]);
            let place = (client, certificate.site, "UTC".to_owned());
            let row = fresh_row(cx, place, &certificate.name);
            let mut object = Object::create(db, cx, endpoint, row);
            object.row.state = EndpointState::Recovered;
            object
        }
    };
    store::key_add(db, endpoint, certificate.key, &request.enrolment, cx.now)?;
    store::catalogue_save(db, endpoint, &request.probes)?;
    let body = TranscriptBody::Recovered { name: certificate.name, key: certificate.key };
    object.record(ACTOR_ENDPOINT, None, &body)?;
    let journal = journal_row(&object, request.journal, certificate.key, request.facts)?;
    object.candidate_add(journal)?;
    let reason = match is_revoked {
        false => "this machine was enrolled after the backup that was restored".to_owned(),
        true => "this machine shows an enrolment by an order key that was revoked since: it may be forged"
            .to_owned(),
    };
    object.attention_set("recovered", reason, "adopt its journal to confirm that it is yours");
    let answer = answer(cx, endpoint, request.enrolment);
    Ok((answer, object.close()?))
}

/// Opens a recovery request: signed by the key that a certificate of our root's order key names. The flag says whether
/// that order key was revoked since.
fn open_recover(
    cx: &Context<'_>,
    envelope: &Envelope,
) -> Result<(RecoverRequest, EnrolmentCertificate, bool), Error> {
    let refused = |what: &str| Error::problem(Code::InvalidSignature, format!("the {what} does not hold"));
    let claimed: RecoverRequest = envelope.peek().map_err(|error| Error::invalid(error.to_string()))?;
    if claimed.authority.root != cx.authority.root {
        return Err(refused("certificate of another owner"));
    }
    let theirs = claimed.authority.open().map_err(|_| refused("order key's certificate"))?;
    let ours = cx.authority.open().map_err(|_| refused("order key's certificate here"))?;
    // Whoever has a revoked key can forge this certificate, so the person who confirms it must know.
    let is_revoked = ours.revoked.contains(&theirs.serial);
    let certificate: EnrolmentCertificate =
        claimed.enrolment.open(&theirs.order_key).map_err(|_| refused("enrolment certificate"))?;
    let request: RecoverRequest =
        envelope.open(&certificate.key).map_err(|_| refused("request's signature"))?;
    Ok((request, certificate, is_revoked))
}

fn enrolled_already(
    db: &dyn Sql,
    cx: &Context<'_>,
    endpoint: EndpointId,
    key: PublicKey,
) -> Result<Option<Reply>, Error> {
    let keys = store::keys_load(db, endpoint)?;
    let found = keys.into_iter().find(|(known, _)| *known == key);
    Ok(found.map(|(_, enrolment)| answer(cx, endpoint, enrolment)))
}

fn answer(cx: &Context<'_>, endpoint: EndpointId, enrolment: Envelope) -> Reply {
    Reply::Enrolled(Box::new(EnrolAnswer {
        endpoint,
        enrolment,
        authority: cx.authority.clone(),
        at: cx.now,
        same_name: Vec::new(),
    }))
}

fn check_told(facts: &Map<String, Json>, probes: &Catalogue) -> Result<(), Error> {
    let facts_bytes = serde_json::to_string(facts).map_or(usize::MAX, |text| text.len());
    if facts_bytes > FACTS_BYTES_MAX || !probes.is_bounded() {
        return Err(Error::problem(
            Code::TooLarge,
            "the facts or probes of the machine are larger than allowed",
        ));
    }
    Ok(())
}

fn fresh_row(cx: &Context<'_>, place: (ClientId, SiteId, String), name: &str) -> EndpointRow {
    let (client, site, time_zone) = place;
    EndpointRow {
        client,
        site,
        time_zone,
        name: name.to_owned(),
        state: EndpointState::Active,
        revision: 0,
        enrolled_at: cx.now,
        seen: None,
        rhythm: Rhythm::default(),
        facts: Map::new(),
        journal: None,
        log: None,
        pending: false,
        transcript_number: 0,
        transcript_hash: Digest::ZERO,
        told_number: 0,
        endorsed_number: 0,
        attention: Vec::new(),
        tags: Vec::new(),
        address: None,
        requests: Vec::new(),
        serial_held: 0,
        serial_log: 0,
        journals_digest: Some(Digest::ZERO),
        budget: Budget::full(),
    }
}

fn journal_row(
    object: &Object<'_>,
    id: JournalId,
    key: PublicKey,
    facts: Map<String, Json>,
) -> Result<JournalRow, Error> {
    if store::journal_load(object.db, object.id, id)?.is_some() {
        return Err(Error::invalid("this journal exists already: enrol with a fresh one"));
    }
    Ok(JournalRow {
        head: Head { id, number: 0, hash: Digest::ZERO },
        ordinal: store::journals_load(object.db, object.id)?.len() as u64 + 1,
        key,
        state: JournalState::Candidate,
        first_seen_at: object.cx.now,
        address: None,
        facts,
        signed: None,
    })
}
