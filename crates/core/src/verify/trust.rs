//! The first line of an export: whose signatures count, and what was signed.

use std::collections::BTreeMap;

use crate::digest::Digest;
use crate::envelope::{Envelope, EnvelopeError, Payload};
use crate::export::{EXPORT_VERSION, ExportHead, ExportJournal};
use crate::id::{EndpointId, JournalId};
use crate::keys::PublicKey;
use crate::wire::{Authority, EnrolmentCertificate, Head, OrderKeyCertificate, SyncLine, TranscriptHead};

use super::head_key::{HeadKey, check_revoked};
use super::listed::Listed;
use super::report::Fault;

/// What the first line establishes. What did not hold is absent, and a fault says so.
#[derive(Debug)]
pub(super) struct Trust {
    pub(super) endpoint: EndpointId,
    /// The fingerprint of the root key.
    pub(super) root: Digest,
    /// Every certificate that the root key signed, first the one that the head was signed under.
    pub(super) certificates: Vec<OrderKeyCertificate>,
    /// The keys that the endpoint enrolled with.
    pub(super) keys: Vec<PublicKey>,
    /// What the control plane signed as the last entry.
    pub(super) last: Option<TranscriptHead>,
    /// How far the endpoint signed each of its journals.
    pub(super) signed: BTreeMap<JournalId, Head<JournalId>>,
    /// The list of journals.
    pub(super) listed: Listed,
}

/// The version alone, of a first line whose other fields may have changed.
#[derive(serde::Deserialize)]
struct Version {
    tidegate_export: u32,
}

/// Reads the first line and checks every signature in it; `trusted` is the root key's fingerprint.
///
/// # Errors
///
/// The [`Fault`] that leaves nothing to verify the rest against.
pub(super) fn read(line: &str, trusted: Option<Digest>) -> Result<(Trust, Vec<Fault>), Fault> {
    let head = parse(line)?;
    let mut faults = Vec::new();
    // One value has one writing, so no byte of the line is outside of the signature.
    if serde_json::to_string(&head).ok().as_deref() != Some(line) {
        faults.push(Fault::Writing);
    }
    let root = head.authority.root.fingerprint();
    if let Some(trusted) = trusted.filter(|trusted| *trusted != root) {
        return Err(Fault::OtherRoot { trusted, found: root });
    }
    let current = head.authority.open_alone().map_err(Fault::Authority)?;
    let mut certificates = vec![current];
    for (index, envelope) in head.certificates.iter().enumerate() {
        let authority = Authority { root: head.authority.root, certificate: envelope.clone() };
        let opened = authority.open_alone().map_err(|error| Fault::Certificate { place: index + 1, error });
        certificates.extend(keep(opened, &mut faults));
    }
    faults.extend(check_revoked(&certificates).err());
    let mut trust = Trust {
        endpoint: head.endpoint,
        root,
        certificates,
        keys: Vec::new(),
        last: None,
        signed: BTreeMap::new(),
        listed: Listed::new(&head.journals),
    };
    trust.enrolments_read(&head.enrolments, &mut faults);
    trust.last_read(&head, &mut faults);
    trust.journals_read(&head.journals, &mut faults);
    Ok((trust, faults))
}

fn parse(line: &str) -> Result<ExportHead, Fault> {
    let unreadable = |error: serde_json::Error| Fault::Head(error.to_string());
    let Version { tidegate_export: found } = serde_json::from_str(line).map_err(unreadable)?;
    if found > EXPORT_VERSION {
        return Err(Fault::Version { found, known: EXPORT_VERSION });
    }
    if found < EXPORT_VERSION {
        return Err(Fault::OldExport { found });
    }
    serde_json::from_str(line).map_err(unreadable)
}

impl Trust {
    /// The certificate that the head was signed under; `revoked` are the serials that the caller knows as revoked.
    pub(super) fn head_key(&self, revoked: &[u64]) -> HeadKey {
        HeadKey::new(&self.certificates[0], self.last.as_ref().map(|last| last.at), revoked)
    }

    /// Opens what one of the statement keys signed.
    pub(super) fn stated<P: Payload>(&self, envelope: &Envelope) -> Result<P, EnvelopeError> {
        let keys = self.certificates.iter().map(|certificate| certificate.statement_key);
        envelope.open(&named_key(envelope, keys)?)
    }

    fn enrolments_read(&mut self, enrolments: &[Envelope], faults: &mut Vec<Fault>) {
        for (index, envelope) in enrolments.iter().enumerate() {
            let keys = self.certificates.iter().map(|certificate| certificate.order_key);
            let opened =
                named_key(envelope, keys).and_then(|key| envelope.open_alone::<EnrolmentCertificate>(&key));
            let opened = opened.map_err(|error| Fault::Enrolment { place: index + 1, error });
            match keep(opened, faults) {
                Some(certificate) if certificate.endpoint == self.endpoint => self.keys.push(certificate.key),
                Some(_) => faults.push(Fault::ElsewhereSigned),
                None => {}
            }
        }
    }

    fn last_read(&mut self, head: &ExportHead, faults: &mut Vec<Fault>) {
        let current = self.certificates[0].statement_key;
        let opened = head.head.open_alone::<TranscriptHead>(&current).map_err(Fault::Statement);
        let Some(last) = keep(opened, faults) else { return };
        if last.endpoint != self.endpoint {
            faults.push(Fault::ElsewhereSigned);
            return;
        }
        let Some(front) = last.export else {
            faults.push(Fault::HeadOfSync);
            return;
        };
        if last.at != head.exported_at {
            faults.push(Fault::ExportTime);
        }
        if front != head.front_digest() {
            faults.push(Fault::Front);
        }
        if last.journals != Some(head.journals_digest()) {
            faults.push(Fault::JournalList);
        }
        self.last = Some(last);
    }

    fn journals_read(&mut self, journals: &[ExportJournal], faults: &mut Vec<Fault>) {
        for (index, journal) in journals.iter().enumerate() {
            let place = index + 1;
            if !self.keys.contains(&journal.key) {
                faults.push(Fault::JournalKey { place });
            }
            let Some(line) = &journal.line else { continue };
            let opened = line.open::<SyncLine>(&journal.key);
            let opened = opened.map_err(|error| Fault::JournalStatement { place, error });
            let Some(line) = keep(opened, faults) else { continue };
            if line.endpoint != self.endpoint || line.journal.id != journal.id {
                faults.push(Fault::ElsewhereSigned);
            } else if self.signed.insert(line.journal.id, line.journal).is_some() {
                faults.push(Fault::JournalTwice { place });
            }
        }
    }
}

/// The first of `keys` that the envelope names.
fn named_key(
    envelope: &Envelope,
    mut keys: impl Iterator<Item = PublicKey>,
) -> Result<PublicKey, EnvelopeError> {
    keys.find(|key| envelope.names(key)).ok_or(EnvelopeError::Signature)
}

fn keep<T>(result: Result<T, Fault>, faults: &mut Vec<Fault>) -> Option<T> {
    result.map_err(|fault| faults.push(fault)).ok()
}
