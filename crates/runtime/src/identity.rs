//! Who this machine is: keys that never leave, what was pinned at enrolment.

use std::path::Path;

use serde::{Deserialize, Serialize};
use tidegate_core::envelope::Envelope;
use tidegate_core::id::{EndpointId, JournalId};
use tidegate_core::keys::{KeyPair, PublicKey, Role};
use tidegate_core::obstacle::{Obstacle, Obstructed};
use tidegate_core::wire::seal_public_key;

use crate::entropy;

/// The name of the document that holds it.
pub(crate) const DOCUMENT: &str = "identity";

/// What the state directory keeps about this machine. Durable before the enrolment request is sent, so that a
/// repeat asks with the same keys and gets the same endpoint.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Identity {
    /// The control plane's address, without a path.
    pub(crate) server: String,
    /// The private CA that its TLS is verified with, beside the usual ones; PEM.
    pub(crate) ca_pem: Option<String>,
    pub(crate) signing_seed: [u8; 32],
    pub(crate) sealing_seed: [u8; 32],
    /// The first journal.
    pub(crate) journal: JournalId,
    /// What the control plane answered; absent: not enrolled yet.
    pub(crate) enrolled: Option<Enrolled>,
}

/// What enrolment pinned.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Enrolled {
    /// The endpoint's id.
    pub(crate) endpoint: EndpointId,
    /// The certificate about it.
    pub(crate) enrolment: Envelope,
    /// The owner's root key. The newest certificate by it is in the core's state.
    pub(crate) root: PublicKey,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let endpoint = self.enrolled.as_ref().map(|enrolled| enrolled.endpoint);
        formatter.debug_struct("Identity").field("server", &self.server).field("endpoint", &endpoint).finish()
    }
}

impl Identity {
    /// Fresh keys for a machine that is about to enrol.
    pub(crate) fn fresh(server: String, ca_pem: Option<String>) -> Self {
        let journal = JournalId::fresh(&mut entropy::fresh());
        let (signing_seed, sealing_seed) = (entropy::seed(), entropy::seed());
        Self { server, ca_pem, signing_seed, sealing_seed, journal, enrolled: None }
    }

    /// The signing key.
    pub(crate) fn keys(&self) -> KeyPair {
        KeyPair::from_seed(Role::Endpoint, &self.signing_seed)
    }

    /// The public half of the signing key.
    pub(crate) fn key(&self) -> PublicKey {
        PublicKey::of_seed(&self.signing_seed)
    }

    /// The public half of the sealing key (X25519).
    pub(crate) fn seal_key(&self) -> PublicKey {
        seal_public_key(&self.sealing_seed)
    }
}

/// What a person is told whose command needs an enrolment that `state` has not got.
pub(crate) fn not_enrolled(state: &Path) -> Obstructed {
    let state = state.display();
    Obstructed::new(
        Obstacle::NotEnrolled,
        format!("this machine is not enrolled: there is no enrolment in the state directory `{state}`"),
        format!(
            "enrol it with a code that `tidegate enrolment-codes create` makes, or correct --state:\ntidegate-runtime \
             enrol --server URL --code CODE --state {state}"
        ),
    )
}
