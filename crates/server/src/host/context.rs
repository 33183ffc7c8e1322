//! What a call to the core is given besides its object: the keys, and who was heard.

use std::sync::Arc;

use tidegate_core::call::{Context, Presence, Seen};
use tidegate_core::id::EndpointId;
use tidegate_core::rhythm::Rhythm;
use tokio::sync::Notify;

use super::contacts::Contacts;
use super::listeners::Hints;
use super::storage::{Level, Storage};
use super::waiters::Waiters;
use crate::clock;
use crate::identity::Identity;

/// What calls on every thread share.
#[derive(Debug)]
pub(crate) struct World {
    /// The keys.
    pub(crate) identity: Identity,
    /// When endpoints were last heard.
    pub(crate) contacts: Contacts,
    /// Held syncs.
    pub(crate) waiters: Arc<Waiters>,
    /// Streams of events.
    pub(crate) hints: Hints,
    /// Wakes the projection task.
    pub(crate) projections: Notify,
    /// There is something to tell endpoints.
    pub(crate) deliveries: Notify,
    /// The disk of the database.
    pub(crate) storage: Arc<Storage>,
    /// A random number of this start.
    start: u64,
}

impl World {
    pub(super) fn new(identity: Identity, storage: Arc<Storage>) -> Self {
        Self {
            identity,
            contacts: Contacts::default(),
            waiters: Arc::default(),
            hints: Hints::default(),
            projections: Notify::new(),
            deliveries: Notify::new(),
            storage,
            start: clock::entropy().first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes)),
        }
    }

    /// The context of one call that happens now.
    pub(crate) fn context(&self) -> Context<'_> {
        Context {
            now: clock::now(),
            entropy: clock::entropy(),
            keys: &self.identity.keys,
            authority: &self.identity.authority,
            presence: self,
            earlier: &self.identity.earlier,
        }
    }

    /// The context of a question, which needs no randomness.
    pub(super) fn question_context(&self) -> Context<'_> {
        Context {
            now: clock::now(),
            entropy: [0; 32],
            keys: &self.identity.keys,
            authority: &self.identity.authority,
            presence: self,
            earlier: &self.identity.earlier,
        }
    }
}

impl Presence for World {
    fn last_seen(&self, endpoint: EndpointId) -> Option<Seen> {
        self.contacts.last(endpoint)
    }

    fn is_connected(&self, endpoint: EndpointId) -> bool {
        self.waiters.is_held(endpoint)
    }

    fn start(&self) -> u64 {
        self.start
    }

    fn rhythm(&self, endpoint: EndpointId) -> Rhythm {
        self.contacts.rhythm(endpoint)
    }

    fn is_storage_full(&self) -> bool {
        self.storage.level() == Level::Full
    }

    fn room_bytes(&self) -> Option<u64> {
        self.storage.free_bytes().map(|free| free.saturating_sub(self.storage.reserve_bytes()))
    }
}

/// Who was heard by a program that serves nobody: the operator's commands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NobodyHeard;

impl Presence for NobodyHeard {
    fn last_seen(&self, _: EndpointId) -> Option<Seen> {
        None
    }

    fn is_connected(&self, _: EndpointId) -> bool {
        false
    }

    fn start(&self) -> u64 {
        0
    }
}
