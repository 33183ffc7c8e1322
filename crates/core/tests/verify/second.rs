//! A machine enrolled a second time, and a sync of which only a part was sent.

use std::sync::Arc;

use tidegate_core::call::{EndpointAct, EndpointInput, Reply};
use tidegate_core::id::{JournalId, RequestId};
use tidegate_core::keys::{KeyPair, Role};
use tidegate_core::wire::SyncRequest;
use tidegate_core::{runtime, schema};
use tidegate_sqlite::{Settings, Store};

use crate::world::World;

impl World {
    /// The machine is set up again, with another key and a fresh journal, and that is adopted.
    pub(crate) fn enrol_again(&mut self) {
        let mut endpoint = Store::in_memory(&Settings::endpoint()).unwrap();
        endpoint.transaction(|db| schema::migrate(db, &runtime::SCHEMA)).unwrap();
        let journal = JournalId::from_bytes([22; 10]);
        (self.endpoint, self.machine) = (endpoint, (14, journal));
        self.endpoint_keys = KeyPair::from_seed(Role::Endpoint, &[14; 32]);
        self.enrol();
        self.input(runtime::Input::Booted { version: "0.1.0".into(), leftovers: 0 });
        self.act(EndpointAct::Adopt { journal });
    }

    /// A sync that brings the first entry of several; its answer gets lost.
    pub(crate) fn sync_partly(&mut self) {
        self.input(runtime::Input::Booted { version: "0.1.1".into(), leftovers: 0 });
        let (_, entropy) = self.tick();
        let clock = self.clock();
        let id = RequestId::from_bytes(entropy[..10].try_into().unwrap());
        let cx = self.endpoint_context(&clock, entropy);
        let request = self.endpoint.read(|db| runtime::request(db, &cx, id, None)).unwrap();
        let whole = SyncRequest::parse(&request.bytes).unwrap();
        assert!(whole.entries.len() > 1);
        let part = SyncRequest::seal(whole.line.clone(), None, &whole.entries[..1], &self.endpoint_keys);
        let request = Arc::new(SyncRequest::parse(&part).unwrap());
        let reply = self.told(EndpointInput::Sync { request, address: None });
        assert!(matches!(reply, Reply::Synced(_)));
    }
}
