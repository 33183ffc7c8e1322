//! A world of one control plane, machines, a clock that the test moves, and a wire that does what it likes.
//!
//! Every call is one transaction, as on the hosts. A crash is planned by counting commits: right after the chosen
//! one the side that made it loses power, so its reply and effects never leave.

mod altered;
mod database;
mod enrolment;
mod machine;
mod people;
mod plane;
mod runtime_side;
mod truth;
mod wire;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::rc::Rc;

use tidegate_core::control::{self, TicketUses};
use tidegate_core::digest::Digest;
use tidegate_core::entropy::Entropy;
use tidegate_core::envelope::Envelope;
use tidegate_core::id::{EndpointId, JournalId, RequestId};
use tidegate_core::keys::{KeyPair, Role};
use tidegate_core::probe::{ArgumentKind, ArgumentSpec, Catalogue, ProbeSpec, Risk};
use tidegate_core::runtime::Limits;
use tidegate_core::time::Timestamp;
use tidegate_core::wire::Authority;

use crate::observed::Observed;

pub(crate) use altered::Altered;
pub(crate) use database::Database;
pub(crate) use machine::{Machine, MachineIndex, Snapshot};
pub(crate) use people::{look, steps};
pub(crate) use plane::{Backup, Known};
pub(crate) use truth::Truth;
pub(crate) use wire::{Delivered, Message};

/// The machine that a scenario begins with.
pub(crate) const FIRST: MachineIndex = 0;

pub(crate) struct World {
    pub(crate) now: Timestamp,
    pub(crate) endpoint: EndpointId,
    pub(crate) control: Database,
    pub(crate) machines: Vec<Machine>,
    pub(crate) truth: Truth,
    pub(crate) observed: Observed,
    pub(crate) catalogue: Catalogue,
    pub(crate) limits: Limits,
    pub(crate) host: Known,
    /// What the control plane's program remembers of idle syncs.
    pub(crate) tickets: TicketUses,
    /// The signed requests that the control plane took last, newest last; none from before a restore.
    pub(crate) delivered: Vec<RequestId>,
    /// Every idle request that it took.
    pub(crate) delivered_idle: BTreeSet<Vec<u8>>,
    /// The power went when only the first part of the last request was taken.
    is_part_lost: bool,
    order_keys: Rc<KeyPair>,
    root_seed: [u8; 32],
    earlier: Vec<Envelope>,
    authority: Rc<Authority>,
    seed: u64,
    drawn: Cell<u64>,
    crash: Crash,
}

/// Keys of a control plane.
pub(crate) struct PlaneKeys(Rc<KeyPair>, Rc<Authority>);

/// When the power goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Crash {
    /// Commits of either half so far.
    pub(crate) commits: u64,
    /// The commit after which the side that made it loses power; `None`: never.
    pub(crate) after: Option<u64>,
}

impl World {
    /// A control plane and one machine, enrolled and switched on.
    pub(crate) fn new(seed: u64, crash_after: Option<u64>) -> Self {
        let mut world = Self::empty(seed, crash_after);
        let machine = world.machine_add();
        world.enrol(machine);
        world
    }

    /// A control plane and no machine.
    pub(crate) fn empty(seed: u64, crash_after: Option<u64>) -> Self {
        let mut entropy = Entropy::new(Digest::of(seed.to_be_bytes()).0);
        let now = Timestamp::from_milliseconds(1_800_000_000_000);
        let order_keys = Rc::new(KeyPair::from_seed(Role::Order, &entropy.bytes()));
        let root_seed = entropy.bytes();
        let authority = Rc::new(enrolment::authority(&root_seed, &order_keys, 1, now, Vec::new()));
        let probe = |name: &str, risk| ProbeSpec {
            name: name.to_owned(),
            about: "A probe of the tests.".to_owned(),
            risk,
            arguments: vec![ArgumentSpec {
                name: "host".to_owned(),
                about: "Whom.".to_owned(),
                kind: ArgumentKind::Text { bytes_max: 100 },
                required: false,
                default: None,
            }],
            example: serde_json::Map::new(),
        };
        Self {
            now,
            endpoint: EndpointId::fresh(&mut entropy),
            control: empty_control(),
            machines: Vec::new(),
            truth: Truth::default(),
            observed: Observed::default(),
            catalogue: Catalogue(vec![probe("look", Risk::Observe), probe("act", Risk::Change)]),
            limits: Limits::default(),
            host: Known::default(),
            tickets: TicketUses::default(),
            delivered: Vec::new(),
            delivered_idle: BTreeSet::new(),
            is_part_lost: false,
            order_keys,
            root_seed,
            earlier: Vec::new(),
            authority,
            seed,
            drawn: Cell::new(0),
            crash: Crash { commits: 0, after: crash_after },
        }
    }

    /// Whether nothing crashes in this run: only then a scenario knows what comes next.
    pub(crate) fn is_undisturbed(&self) -> bool {
        self.crash.after.is_none()
    }

    /// How many commits there were.
    pub(crate) fn commits(&self) -> u64 {
        self.crash.commits
    }

    /// The power goes right after the commit that is so many from now.
    pub(crate) fn crash_in(&mut self, commits: u64) {
        self.crash.after = Some(self.crash.commits + commits);
    }

    /// No more power cuts.
    pub(crate) fn crash_never(&mut self) {
        self.crash.after = Some(0);
    }

    /// Lets time pass.
    pub(crate) fn pass_seconds(&mut self, seconds: i64) {
        self.now = self.now.shifted_by_ms(seconds * 1_000);
    }

    /// The owner gives the control plane new keys, and says whether somebody else may have the ones before.
    pub(crate) fn rotate(&mut self, revokes: bool) {
        let serial = self.authority.serial();
        let keys = KeyPair::from_seed(Role::Order, &self.entropy());
        let mut revoked = self.authority.open().expect("the authority holds").revoked;
        if revokes && revoked.len() < tidegate_core::wire::REVOKED_MAX {
            revoked.push(serial);
        }
        let authority = enrolment::authority(&self.root_seed, &keys, serial + 1, self.now, revoked);
        self.earlier.push(self.authority.certificate.clone());
        (self.order_keys, self.authority) = (Rc::new(keys), Rc::new(authority));
        self.control_restart();
    }

    /// The keys that the control plane speaks with, to put them in use again later.
    pub(crate) fn keys(&self) -> PlaneKeys {
        PlaneKeys(Rc::clone(&self.order_keys), Rc::clone(&self.authority))
    }

    /// Puts keys in use, as somebody does who stole them.
    pub(crate) fn use_keys(&mut self, keys: &PlaneKeys) {
        (self.order_keys, self.authority) = (Rc::clone(&keys.0), Rc::clone(&keys.1));
        self.control_restart();
    }

    /// 32 bytes that no other call was given.
    fn entropy(&self) -> [u8; 32] {
        self.drawn.set(self.drawn.get() + 1);
        Digest::of_parts(&[&self.seed.to_be_bytes(), &self.drawn.get().to_be_bytes()]).0
    }

    fn fresh<T>(&self, make: impl FnOnce(&mut Entropy) -> T) -> T {
        make(&mut Entropy::new(self.entropy()))
    }

    /// Counts a commit and answers whether the power goes right after it.
    fn commit(&mut self) -> bool {
        self.crash.commits += 1;
        self.crash.after == Some(self.crash.commits)
    }

    /// The journal that the machine writes.
    pub(crate) fn journal(&self, machine: MachineIndex) -> Option<JournalId> {
        self.machines[machine].status_at(self.now).map(|status| status.journal.id)
    }

    /// The machine that people mean: the last one made of those that still exist.
    pub(crate) fn primary(&self) -> MachineIndex {
        self.machines.iter().rposition(|machine| !machine.is_gone).expect("some machine exists")
    }
}

/// A control plane's database without rows; migrations run once per thread.
fn empty_control() -> Database {
    thread_local!(static CONTROL: Database = Database::new(&control::SCHEMA));
    CONTROL.with(Database::copy)
}
