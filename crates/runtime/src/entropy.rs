//! Randomness from the operating system.

use tidegate_core::entropy::Entropy;

/// 32 fresh bytes.
///
/// # Panics
///
/// When the system's generator fails: without it nothing here is safe to do.
pub(crate) fn seed() -> [u8; 32] {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).expect("the system's random generator works");
    seed
}

/// A fresh stream.
pub(crate) fn fresh() -> Entropy {
    Entropy::new(seed())
}

/// A fraction from 0 up to, not including, 1.
pub(crate) fn fraction() -> f64 {
    let bytes: [u8; 4] = fresh().bytes();
    f64::from(u32::from_be_bytes(bytes)) / (f64::from(u32::MAX) + 1.0)
}
