//! Gives memory back to the system after a burst. The C library keeps what was freed in each thread's arena: after three
//! waves of large requests a control plane that needs 25 MiB kept 318.

use std::time::Duration;

use tokio::sync::watch;

use super::passes;
use crate::system::{give_memory_back, resident_bytes};

/// How often the process looks at its own size.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How much it must have grown since memory was last given back. To give back takes a few milliseconds, and what is
/// given back has to be asked for again.
const GROWTH_BYTES: u64 = 4 << 20;

/// Looks until the server stops.
pub(crate) async fn memory_task(mut stopping: watch::Receiver<bool>) {
    let mut least = resident_bytes().unwrap_or(0);
    while passes(LOOK_EVERY, &mut stopping).await {
        let Some(resident) = resident_bytes() else { return };
        least = least.min(resident);
        if resident < least + GROWTH_BYTES {
            continue;
        }
        // Arenas are locked while they are looked through, so this is no work for a thread that serves requests.
        if tokio::task::spawn_blocking(give_memory_back).await.is_err() {
            return;
        }
        least = resident_bytes().unwrap_or(resident);
    }
}
