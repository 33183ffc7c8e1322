//! Randomness from outside, stretched as far as one call needs it.

use sha2::{Digest, Sha256};

/// A stream of unpredictable bytes out of 32 that the host drew: SHA-256(seed ‖ counter), block by block.
///
/// One call makes a handful of ids and salts; the seed is never used in another call.
#[derive(Debug)]
pub struct Entropy {
    seed: [u8; 32],
    counter: u64,
}

impl Entropy {
    /// A stream over `seed`, which must be fresh from the system's generator.
    pub fn new(seed: [u8; 32]) -> Self {
        Self { seed, counter: 0 }
    }

    /// The next `N` bytes; `N` is at most 32.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        const { assert!(N <= 32, "one block of SHA-256 is 32 bytes") };
        self.counter += 1;
        let block = Sha256::new().chain_update(self.seed).chain_update(self.counter.to_be_bytes()).finalize();
        let mut bytes = [0; N];
        bytes.copy_from_slice(&block[..N]);
        bytes
    }
}
