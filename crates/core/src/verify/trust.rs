//! The first line of an export: whose signatures count, and what was signed.

use std::collections::BTreeMap;

use crate::digest::Digest;
use crate::envelope::{Envelope, EnvelopeError};
use crate::export::{EXPORT_VERSION, ExportHead};
use crate::id::{EndpointId, JournalId};
use crate::keys::PublicKey;
use crate::wire::{EnrolmentCertificate, Head, SyncLine, TranscriptHead};

use super::report::Fault;

/// What the first line establishes. What did not hold is absent, and a fault says so.
#[derive(Debug)]
pub(super) struct Trust {
    pub(super) endpoint: EndpointId,
    /// The fingerprint of the root key.
    pub(super) root: Digest,
    pub(super) order_key: PublicKey,
    /// The keys that the endpoint enrolled with.
    pub(super) keys: Vec<PublicKey>,
    /// What the control plane signed as the last entry.
    pub(super) last: Option<TranscriptHead>,
    /// How far the endpoint signed each of its journals.
    pub(super) signed: BTreeMap<JournalId, Head<JournalId>>,
}

/// Reads the first line and checks every signature in it; `trusted` is the root key's fingerprint.
///
/// # Errors
///
/// The [`Fault`] that leaves nothing to verify the rest against.
pub(super) fn read(line: &str, trusted: Option<Digest>) -> Result<(Trust, Vec<Fault>), Fault> {
    let head: ExportHead = serde_json::from_str(line).map_err(|error| Fault::Head(error.to_string()))?;
    if head.tidegate_export != EXPORT_VERSION {
        return Err(Fault::Version { found: head.tidegate_export, known: EXPORT_VERSION });
    }
    let mut faults = Vec::new();
    let root = head.authority.root.fingerprint();
    if let Some(trusted) = trusted.filter(|trusted| *trusted != root) {
        return Err(Fault::OtherRoot { trusted, found: root });
    }
    let order_key = head.authority.order_key().map_err(Fault::Authority)?;
    let mut trust = Trust {
        endpoint: head.endpoint,
        root,
        order_key,
        keys: Vec::new(),
        last: None,
        signed: BTreeMap::new(),
    };
    trust.enrolments_read(&head.enrolments, &order_key, &mut faults);
    trust.last_read(&head, &order_key, &mut faults);
    trust.journals_read(&head.journals, &mut faults);
    Ok((trust, faults))
}

impl Trust {
    fn enrolments_read(&mut self, enrolments: &[Envelope], order_key: &PublicKey, faults: &mut Vec<Fault>) {
        for (index, envelope) in enrolments.iter().enumerate() {
            let opened = envelope.open::<EnrolmentCertificate>(order_key);
            let opened = opened.map_err(|error| Fault::Enrolment { place: index + 1, error });
            match keep(opened, faults) {
                Some(certificate) if certificate.endpoint == self.endpoint => self.keys.push(certificate.key),
                Some(_) => faults.push(Fault::ElsewhereSigned),
                None => {}
            }
        }
    }

    fn last_read(&mut self, head: &ExportHead, order_key: &PublicKey, faults: &mut Vec<Fault>) {
        let opened = head.head.open::<TranscriptHead>(order_key).map_err(Fault::Statement);
        let Some(last) = keep(opened, faults) else { return };
        if last.endpoint != self.endpoint {
            faults.push(Fault::ElsewhereSigned);
            return;
        }
        if last.at != head.exported_at {
            faults.push(Fault::ExportTime);
        }
        self.last = Some(last);
    }

    fn journals_read(&mut self, journals: &[Envelope], faults: &mut Vec<Fault>) {
        for (index, envelope) in journals.iter().enumerate() {
            let opened = self.keys.iter().find_map(|key| envelope.open::<SyncLine>(key).ok());
            let opened = opened.ok_or(Fault::JournalStatement {
                place: index + 1,
                error: envelope.peek::<SyncLine>().err().unwrap_or(EnvelopeError::Signature),
            });
            let Some(line) = keep(opened, faults) else { continue };
            if line.endpoint != self.endpoint || self.signed.insert(line.journal.id, line.journal).is_some() {
                faults.push(Fault::ElsewhereSigned);
            }
        }
    }
}

fn keep<T>(result: Result<T, Fault>, faults: &mut Vec<Fault>) -> Option<T> {
    result.map_err(|fault| faults.push(fault)).ok()
}
