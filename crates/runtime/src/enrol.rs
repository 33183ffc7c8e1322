//! Enrolment: the control plane proves that it speaks for the code's owner before it learns the secret.

use std::path::Path;

use anyhow::{Context as _, bail};
use data_encoding::HEXLOWER;
use serde_json::{Map, Value};
use tidegate_core::envelope::Envelope;
use tidegate_core::id::EndpointId;
use tidegate_core::keys::Role;
use tidegate_core::obstacle::{Obstacle, Obstructed};
use tidegate_core::runtime::{self, verify_time};
use tidegate_core::wire::{
    EnrolAnswer, EnrolRequest, EnrolmentCertificate, EnrolmentCode, InvalidCode, PROTOCOL_VERSION, Policy,
    RecoverRequest, TimeAnswer, TimeRequest,
};

use crate::identity::{Enrolled, Identity};
use crate::net::{Intervals, KeepAlive};
use crate::state_directory::StateDirectory;
use crate::transport::{Transport, TransportError};
use crate::{clock, entropy, facts, probes, volatile};

/// Where enrolments and recoveries go.
const PATH: &str = "/runtime/v1/enrol";
/// Where signed time comes from.
pub(crate) const TIME_PATH: &str = "/runtime/v1/time";

/// What enrolment is told.
#[derive(Debug)]
pub(crate) struct EnrolOptions<'a> {
    /// The control plane's address.
    pub(crate) server: &'a str,
    /// The code, as text.
    pub(crate) code: &'a str,
    /// The state directory.
    pub(crate) state: &'a Path,
    /// A private CA, PEM.
    pub(crate) ca_pem: Option<String>,
    /// What to call the machine; `None`: its host name.
    pub(crate) name: Option<String>,
    /// What may run here.
    pub(crate) policy: Policy,
    /// Whether a state directory that forgets is accepted.
    pub(crate) allow_volatile: bool,
}

/// How an enrolment went.
#[derive(Debug)]
pub(crate) struct EnrolmentDone {
    pub(crate) endpoint: EndpointId,
    pub(crate) was_enrolled: bool,
    /// Other machines of the site that have its name.
    pub(crate) same_name: Vec<EndpointId>,
}

impl EnrolmentDone {
    /// The outcome for scripts.
    pub(crate) fn json(&self) -> Value {
        let mut json = serde_json::json!({ "endpoint_id": self.endpoint });
        if !self.same_name.is_empty() {
            json["same_name"] = serde_json::json!(self.same_name);
        }
        json
    }

    /// Says that other machines of the site have this one's name; `None`: there are none.
    pub(crate) fn name_warning(&self) -> Option<String> {
        let ids: Vec<_> = self.same_name.iter().map(ToString::to_string).collect();
        let which = match ids.as_slice() {
            [] => return None,
            [one] => format!("another machine of this name ({one})"),
            several => format!("{} other machines of this name ({})", several.len(), several.join(", ")),
        };
        Some(format!(
            "warning: this site has {which}. Rename one in the console, or retire the machine that is gone."
        ))
    }
}

/// Enrols this machine. Repeating one whose answer was lost gives the same endpoint.
pub(crate) async fn enrol(options: EnrolOptions<'_>) -> anyhow::Result<EnrolmentDone> {
    let code: EnrolmentCode = options.code.parse().map_err(unreadable_code)?;
    let mut directory = StateDirectory::open(options.state)?;
    if !options.allow_volatile {
        volatile::check(options.state)?;
    }
    let server = options.server.trim_end_matches('/').to_owned();
    let identity = match directory.identity()? {
        Some(Identity { enrolled: Some(enrolled), server: known, .. }) if known == server => {
            return Ok(EnrolmentDone {
                endpoint: enrolled.endpoint,
                was_enrolled: true,
                same_name: Vec::new(),
            });
        }
        Some(Identity { enrolled: Some(enrolled), server: known, .. }) => {
            bail!(Obstructed::new(
                Obstacle::AlreadyEnrolled,
                format!(
                    "the state directory `{}` is enrolled already, as `{}` at {known}",
                    options.state.display(),
                    enrolled.endpoint
                ),
                "nothing, if that is where it belongs; to enrol it here as another machine choose another --state; \
                 nothing was changed",
            ));
        }
        // A try before this one may have reached the control plane: ask with the same keys again.
        Some(identity) => Identity { server, ca_pem: options.ca_pem, ..identity },
        None => Identity::fresh(server, options.ca_pem),
    };
    directory.identity_save(&identity)?;
    let ca_pem = identity.ca_pem.as_deref();
    let transport = Transport::new(&identity.server, ca_pem, KeepAlive::Probed, Intervals::default())?;
    let authority = check_authority(&transport, &code).await?;
    let answer: EnrolAnswer = transport.post_json(PATH, &request(&identity, &code, options.name)).await?;
    if answer.authority != authority {
        bail!(wrong("the control plane answered with another authority than it proved"));
    }
    let certificate: EnrolmentCertificate = answer.enrolment.open(&authority.order_key()?)?;
    if certificate.endpoint != answer.endpoint || certificate.key != identity.key() {
        bail!(wrong("the control plane certified another machine"));
    }
    let root = authority.root;
    let enrolled = Enrolled { endpoint: answer.endpoint, enrolment: answer.enrolment, root };
    let (journal, reading) = (identity.journal, clock::read());
    let identity = Identity { enrolled: Some(enrolled), ..identity };
    directory.transaction(|db| {
        runtime::document_save(db, crate::identity::DOCUMENT, &identity)?;
        runtime::create(db, journal, answer.at, &reading, options.policy, &authority)
    })?;
    Ok(EnrolmentDone { endpoint: answer.endpoint, was_enrolled: false, same_name: answer.same_name })
}

/// Makes the control plane sign a nonce with an order key that the code's root key certified.
async fn check_authority(
    transport: &Transport,
    code: &EnrolmentCode,
) -> anyhow::Result<tidegate_core::wire::Authority> {
    let nonce = nonce();
    let answer: TimeAnswer = transport.post_json(TIME_PATH, &TimeRequest { nonce: nonce.clone() }).await?;
    if answer.root.fingerprint() != code.root_fingerprint {
        bail!(wrong(
            "this is not the control plane that the code is for: its owner's key has another fingerprint"
        ));
    }
    let (time, authority) = verify_time(&answer, &nonce, &answer.root, 0)
        .with_context(|| wrong("the control plane could not prove that it speaks for the code's owner"))?;
    transport.confirm_time(time);
    Ok(authority)
}

fn wrong(what: &str) -> Obstructed {
    let next = "check --server, and that the whole code is of that control plane; else ask for a fresh one. The code's \
                secret was not sent to whom it is not for, and nothing was kept";
    Obstructed::new(Obstacle::WrongControlPlane, what, next)
}

fn unreadable_code(error: InvalidCode) -> Obstructed {
    let next = "copy it whole: it begins with `tg1.` and has four parts with dots between; `tidegate enrolment-codes \
                create` makes another. Nothing was sent";
    Obstructed::new(Obstacle::UnreadableCode, error.to_string(), next)
}

/// A nonce for one request for time.
pub(crate) fn nonce() -> String {
    HEXLOWER.encode(&entropy::seed())
}

fn request(identity: &Identity, code: &EnrolmentCode, name: Option<String>) -> Envelope {
    let facts: Map<String, Value> = facts::collect();
    let request = EnrolRequest {
        v: PROTOCOL_VERSION,
        code: code.id,
        secret: HEXLOWER.encode(&code.secret),
        key: identity.key(),
        seal_key: identity.seal_key(),
        journal: identity.journal,
        name: name.unwrap_or_else(|| facts::name(&facts)),
        facts,
        probes: probes::catalogue(),
    };
    Envelope::seal(&request, &identity.keys(), Role::Endpoint)
}

/// Presents the enrolment certificate to a control plane that does not know this machine (R15).
pub(crate) async fn recover(
    transport: &Transport,
    identity: &Identity,
    enrolled: &Enrolled,
    authority: tidegate_core::wire::Authority,
    journal: tidegate_core::id::JournalId,
) -> Result<EnrolAnswer, TransportError> {
    let request = RecoverRequest {
        v: PROTOCOL_VERSION,
        enrolment: enrolled.enrolment.clone(),
        authority,
        journal,
        facts: facts::collect(),
        probes: probes::catalogue(),
    };
    transport.post_json(PATH, &Envelope::seal(&request, &identity.keys(), Role::Endpoint)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_enrolment_under_a_name_that_is_taken_warns_and_any_other_says_as_much_as_before() {
        let id = |last| EndpointId::from_bytes([last; 10]);
        let done = |same_name| EnrolmentDone { endpoint: id(1), was_enrolled: false, same_name };
        let alone = done(Vec::new());
        assert_eq!(alone.name_warning(), None);
        assert_eq!(alone.json(), serde_json::json!({ "endpoint_id": id(1) }));
        let second = done(vec![id(2)]);
        let warning = second.name_warning().unwrap();
        assert!(warning.contains(&format!("another machine of this name ({})", id(2))), "{warning}");
        assert_eq!(second.json()["same_name"], serde_json::json!([id(2)]));
        let third = done(vec![id(2), id(3)]).name_warning().unwrap();
        assert!(third.contains(&format!("2 other machines of this name ({}, {})", id(2), id(3))), "{third}");
    }
}
