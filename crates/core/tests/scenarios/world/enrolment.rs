//! A machine becomes an endpoint: the directory's part is done by hand.

use std::rc::Rc;

use data_encoding::BASE64;
use tidegate_core::call::{Admission, EndpointInput, Reply};
use tidegate_core::envelope::{Envelope, EnvelopeSignature, Payload};
use tidegate_core::id::{ClientId, CodeId, JournalId, SiteId};
use tidegate_core::keys::{KeyPair, PublicKey, Role, Sign};
use tidegate_core::runtime;
use tidegate_core::time::Timestamp;
use tidegate_core::wire::{
    Authority, EnrolAnswer, EnrolRequest, OrderKeyCertificate, PROTOCOL_VERSION, RecoverRequest,
};

use crate::fired::count;

use super::database::Database;
use super::machine::{Machine, MachineClock, MachineIndex, Snapshot};
use super::{FIRST, World};

/// The authority of a root key made from `seed`.
pub(super) fn authority(
    seed: &[u8; 32],
    order_keys: &KeyPair,
    serial: u64,
    now: Timestamp,
    revoked: Vec<u64>,
) -> Authority {
    let root = ed25519_dalek::SigningKey::from_bytes(seed);
    let certificate = OrderKeyCertificate { revoked, ..OrderKeyCertificate::new(serial, order_keys, now) };
    let root_key = PublicKey(root.verifying_key().to_bytes());
    Authority { root: root_key, certificate: sealed_by_root(&certificate, &root) }
}

/// A DSSE envelope signed by a root key, which no host holds.
fn sealed_by_root<P: Payload>(payload: &P, root: &ed25519_dalek::SigningKey) -> Envelope {
    use ed25519_dalek::Signer;
    let bytes = serde_json::to_vec(payload).expect("certificates serialize");
    let mut signed = format!("DSSEv1 {} {} {} ", P::TYPE.len(), P::TYPE, bytes.len()).into_bytes();
    signed.extend_from_slice(&bytes);
    Envelope {
        payload_type: P::TYPE.to_owned(),
        payload: BASE64.encode(&bytes),
        signatures: vec![EnvelopeSignature {
            keyid: PublicKey(root.verifying_key().to_bytes()).key_id(),
            sig: BASE64.encode(&root.sign(&signed).to_bytes()),
        }],
    }
}

impl World {
    /// A new machine with an empty disk, switched off.
    pub(crate) fn machine_add(&mut self) -> MachineIndex {
        let keys = Rc::new(KeyPair::from_seed(Role::Endpoint, &self.entropy()));
        let first_journal = self.fresh(JournalId::fresh);
        self.machine_with(Snapshot { disk: empty_disk(), keys, first_journal })
    }

    /// A second machine from a copied disk, switched off. What the copy holds unfinished is outside G2: both may run
    /// it before either is heard.
    pub(crate) fn clone_of(&mut self, snapshot: Snapshot) -> MachineIndex {
        self.leave_out_what_is_copied(&snapshot.disk);
        self.machine_with(snapshot)
    }

    fn machine_with(&mut self, snapshot: Snapshot) -> MachineIndex {
        let Snapshot { disk, keys, first_journal } = snapshot;
        let clock = MachineClock { offset_ms: 0, machine_boot: String::new(), booted_at: self.now };
        let limits = self.limits;
        self.machines.push(Machine { disk, keys, first_journal, limits, clock, power: None, is_gone: false });
        self.machines.len() - 1
    }

    fn leave_out_what_is_copied(&mut self, disk: &Database) {
        let known = super::machine::known(disk);
        let forgotten = self.truth.queued.keys().filter(|id| !known.contains(id)).copied();
        self.truth.forgotten_by_disk.extend(forgotten);
        self.truth.outside.extend(super::machine::unfinished(disk));
        self.truth.leave_out_what_both_forgot();
    }

    /// Sets the machine's disk back while it is off.
    pub(crate) fn roll_back(&mut self, machine: MachineIndex, snapshot: &Snapshot) {
        self.power_cut(machine);
        self.leave_out_what_is_copied(&snapshot.disk);
        let target = &mut self.machines[machine];
        target.disk = snapshot.disk.copy();
        (target.keys, target.first_journal) = (Rc::clone(&snapshot.keys), snapshot.first_journal);
    }

    /// Empties the machine's disk and enrols it again for the same endpoint.
    pub(crate) fn reimage(&mut self, machine: MachineIndex) {
        self.power_cut(machine);
        let (keys, journal) =
            (KeyPair::from_seed(Role::Endpoint, &self.entropy()), self.fresh(JournalId::fresh));
        let target = &mut self.machines[machine];
        target.disk = empty_disk();
        (target.keys, target.first_journal) = (Rc::new(keys), journal);
        self.enrol(machine);
    }

    /// Enrols the machine, as often as it takes until it has its answer, and switches it on.
    pub(crate) fn enrol(&mut self, machine: MachineIndex) {
        for _ in 0..3 {
            if let Some(answer) = self.enrol_ask(machine) {
                self.enrol_take(machine, &answer);
            }
        }
        assert!(
            self.machines[machine].is_enrolled(),
            "an enrolment is answered at the third time at the latest"
        );
        if self.machines[machine].power.is_none() {
            self.power_on(machine);
        }
    }

    /// Asks to enrol; `None`: the answer was lost.
    pub(crate) fn enrol_ask(&mut self, machine: MachineIndex) -> Option<EnrolAnswer> {
        let Machine { keys, first_journal, .. } = &self.machines[machine];
        let key = keys.public_key(Role::Endpoint);
        let request = EnrolRequest {
            v: PROTOCOL_VERSION,
            code: CodeId::from_bytes([1; 10]),
            secret: "0".repeat(32),
            key,
            seal_key: key,
            journal: *first_journal,
            name: "HMI 7".to_owned(),
            facts: serde_json::Map::new(),
            probes: self.catalogue.clone(),
        };
        let admission = Admission {
            endpoint: self.endpoint,
            site: SiteId::from_bytes([2; 10]),
            client: ClientId::from_bytes([3; 10]),
            time_zone: "UTC".to_owned(),
            code_by: "owner@example.org".to_owned(),
            request,
        };
        match self.control_handle(EndpointInput::Enrol(Box::new(admission)))? {
            Ok(Reply::Enrolled(answer)) => Some(*answer),
            other => panic!("an admitted machine is enrolled: {other:?}"),
        }
    }

    /// Takes the answer in; a repeat changes nothing.
    pub(crate) fn enrol_take(&mut self, machine: MachineIndex, answer: &EnrolAnswer) {
        let target = &self.machines[machine];
        if target.is_enrolled() {
            return;
        }
        let (reading, journal) = (target.clock.read(self.now), target.first_journal);
        let created = target.disk.transaction(|db| {
            let policy = tidegate_core::wire::Policy::default();
            runtime::create(db, journal, answer.at, &reading, policy, &answer.authority)?;
            runtime::document_save(db, "enrolment", &answer.enrolment)
        });
        created.expect("a state directory can be made");
        if self.commit() {
            self.power_cut(machine);
        }
    }

    /// Presents the machine's certificate to a control plane that does not know it (R15).
    pub(crate) fn recover(&mut self, machine: MachineIndex) {
        let target = &self.machines[machine];
        let enrolment = runtime::document_load(&target.disk, "enrolment").expect("documents read");
        let request = RecoverRequest {
            v: PROTOCOL_VERSION,
            enrolment: enrolment.expect("an enrolled machine holds its certificate"),
            authority: runtime::authority(&target.disk).expect("an enrolled machine has pinned one"),
            journal: self.journal(machine).expect("an enrolled machine has a journal"),
            facts: serde_json::Map::new(),
            probes: self.catalogue.clone(),
        };
        let envelope = Envelope::seal(&request, &*target.keys, Role::Endpoint);
        count("a machine enrols again after a restore");
        if let Some(answer) = self.control_handle(EndpointInput::Recover(Box::new(envelope))) {
            assert!(matches!(answer, Ok(Reply::Enrolled(_))), "{answer:?}");
        }
    }

    /// The disk of the first machine now.
    pub(crate) fn snapshot(&self) -> Snapshot {
        self.machines[FIRST].snapshot()
    }
}

fn empty_disk() -> Database {
    thread_local!(static DISK: Database = Database::new(&runtime::SCHEMA));
    DISK.with(Database::copy)
}
