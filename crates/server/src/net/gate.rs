//! How many connections there may be, in all and from one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::network::network;

/// Connections in all. With a held sync each takes some 10 KiB, so they fit a small server; past it new ones wait
/// in the kernel's queue until others end.
pub(crate) const CONNECTIONS_MAX: usize = 20_000;

/// Connections from one address that is not this machine: a large plant behind one address fits, and it takes ten
/// addresses to fill the server. More are closed at once.
const PER_ADDRESS_MAX: u32 = 2_000;

/// Counts connections of every listener.
#[derive(Debug)]
pub(crate) struct Gate {
    permits: Arc<Semaphore>,
    addresses: Mutex<HashMap<IpAddr, u32>>,
    open: AtomicUsize,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            permits: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
            addresses: Mutex::default(),
            open: AtomicUsize::new(0),
        }
    }
}

impl Gate {
    /// Waits for room for one more connection.
    pub(super) async fn room(&self) -> OwnedSemaphorePermit {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        permit.expect("the semaphore of connections is never closed")
    }

    /// Lets a connection in that is not counted for an address yet.
    pub(super) fn enter(self: &Arc<Self>, room: OwnedSemaphorePermit) -> Pass {
        self.open.fetch_add(1, Ordering::Relaxed);
        Pass { gate: Arc::clone(self), counted: None, _room: room }
    }

    /// Connections that are open.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }
}

/// The right to one connection; dropping it gives it back.
#[derive(Debug)]
pub(super) struct Pass {
    gate: Arc<Gate>,
    counted: Option<IpAddr>,
    _room: OwnedSemaphorePermit,
}

impl Pass {
    /// Counts the connection for `address`, once; false: that address has too many already.
    pub(super) fn count(&mut self, address: IpAddr) -> bool {
        if address.is_loopback() {
            return true;
        }
        let network = network(address);
        let mut addresses = self.gate.addresses();
        let count = addresses.entry(network).or_default();
        if *count >= PER_ADDRESS_MAX {
            return false;
        }
        *count += 1;
        self.counted = Some(network);
        true
    }
}

impl Gate {
    fn addresses(&self) -> std::sync::MutexGuard<'_, HashMap<IpAddr, u32>> {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.gate.open.fetch_sub(1, Ordering::Relaxed);
        let Some(network) = self.counted else { return };
        let mut addresses = self.gate.addresses();
        if let Some(count) = addresses.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                addresses.remove(&network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_address_cannot_take_every_connection() {
        let gate = Arc::new(Gate::default());
        let address = IpAddr::from([192, 0, 2, 1]);
        let mut passes = Vec::new();
        for _ in 0..PER_ADDRESS_MAX {
            let mut pass = gate.enter(gate.room().await);
            assert!(pass.count(address));
            passes.push(pass);
        }
        let mut beyond = gate.enter(gate.room().await);
        assert!(!beyond.count(address));
        assert!(beyond.count(IpAddr::from([127, 0, 0, 1])));
        drop(beyond);
        assert_eq!(gate.open(), passes.len());
        drop(passes);
        assert!(gate.addresses.lock().unwrap().is_empty());
        assert_eq!(gate.open(), 0);
    }
}
