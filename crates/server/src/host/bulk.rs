//! Large syncs: one at a time, on a thread that gives way, and in the writer's turns a piece at a time.
//!
//! A sync of 8 MiB takes a tenth of a second to check and as long to store. Twenty machines that send such syncs at
//! once would hold up every check-in and every person for a second; so they wait for one another instead.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tidegate_core::call::{EndpointInput, Input, ObjectId};
use tidegate_core::error::{Code, Error};
use tidegate_core::wire::SyncRequest;
use tidegate_web::HostError;
use tokio::sync::{Semaphore, SemaphorePermit, oneshot};

use super::LocalHost;
use crate::system::give_way;

/// Largest content of a sync, in bytes, that is checked where it is asked and stored in one transaction: a few
/// milliseconds.
pub(super) const SMALL_BYTES_MAX: usize = 256 * 1024;

/// For how many times as long as a piece took the writer is the others' afterwards.
const PAUSE_TIMES: u32 = 3;
/// Longest pause between two pieces: a disk that is slow for others too must not make a large sync endless. A journal of
/// 64 MiB is stored within ten seconds all the same.
const PAUSE_MAX: Duration = Duration::from_millis(30);

type Job = Box<dyn FnOnce() + Send>;

/// The thread that checks large syncs, and the turn of the one whose entries are stored.
pub(super) struct Bulk {
    jobs: Mutex<mpsc::Sender<Job>>,
    turn: Semaphore,
}

impl Bulk {
    /// Starts the thread; it ends with this value.
    pub(super) fn start() -> anyhow::Result<Self> {
        let (jobs, arriving) = mpsc::channel::<Job>();
        let work = move || {
            give_way();
            for job in arriving {
                // The waiting caller gets an error, because the job's channel is dropped.
                if catch_unwind(AssertUnwindSafe(job)).is_err() {
                    tracing::error!("the check of a large sync panicked");
                }
            }
        };
        std::thread::Builder::new()
            .name("bulk".to_owned())
            .spawn(work)
            .context("failed to start the thread for large syncs")?;
        Ok(Self { jobs: Mutex::new(jobs), turn: Semaphore::new(1) })
    }

    /// Runs `job` on the thread, after those that came before.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, HostError> {
        let (answer, answered) = oneshot::channel();
        let job = move || {
            // An error says that the caller went away.
            let _ = answer.send(job());
        };
        let jobs = self.jobs.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        jobs.send(Box::new(job)).map_err(|_| HostError::ShuttingDown)?;
        answered.await.map_err(|_| {
            HostError::Core(Error::problem(Code::Internal, "the check of a large sync panicked"))
        })
    }

    async fn turn(&self) -> Result<SemaphorePermit<'_>, HostError> {
        self.turn.acquire().await.map_err(|_| HostError::ShuttingDown)
    }
}

impl LocalHost {
    /// Stores all but the last entries of a large sync, a piece in each transaction, and answers the turn that it has
    /// for the rest; `None`: the sync is small.
    pub(super) async fn store_parts(
        &self,
        object: ObjectId,
        input: &Input,
    ) -> Result<Option<SemaphorePermit<'_>>, HostError> {
        let Input::Endpoint(EndpointInput::Sync { request, .. }) = input else { return Ok(None) };
        if request.content_bytes() <= SMALL_BYTES_MAX {
            return Ok(None);
        }
        if request.gap.is_some() {
            // The core takes it whole.
            return self.bulk.turn().await.map(Some);
        }
        let turn = self.bulk.turn().await?;
        for entries in parts(sizes(request)) {
            let request = Arc::clone(request);
            let part = Input::Endpoint(EndpointInput::SyncPart { request, entries });
            let began = Instant::now();
            self.write(move |db, cx| tidegate_core::handle(db, cx, object, part.clone())).await?;
            tokio::time::sleep((began.elapsed() * PAUSE_TIMES).min(PAUSE_MAX)).await;
        }
        Ok(Some(turn))
    }
}

/// The bytes of each entry.
fn sizes(request: &SyncRequest) -> impl Iterator<Item = usize> {
    request.entries.iter().map(|entry| entry.header.len() + entry.body.as_deref().map_or(0, str::len))
}

/// Entries of these sizes in pieces of at most [`SMALL_BYTES_MAX`], or of one entry that is larger; without the last
/// piece.
fn parts(sizes: impl Iterator<Item = usize>) -> Vec<Range<usize>> {
    let (mut parts, mut from, mut bytes) = (Vec::new(), 0, 0);
    for (place, entry_bytes) in sizes.enumerate() {
        if place > from && bytes + entry_bytes > SMALL_BYTES_MAX {
            parts.push(from..place);
            (from, bytes) = (place, 0);
        }
        bytes += entry_bytes;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_sync_is_cut_into_small_pieces_and_the_last_is_left_for_the_whole() {
        const HALF: usize = SMALL_BYTES_MAX / 2;
        let parts = |sizes: &[usize]| {
            let parts = parts(sizes.iter().copied());
            parts.into_iter().map(|part| (part.start, part.end)).collect::<Vec<_>>()
        };
        assert_eq!(parts(&[]), []);
        assert_eq!(parts(&[HALF, HALF]), []);
        assert_eq!(parts(&[HALF, HALF, 1]), [(0, 2)]);
        assert_eq!(parts(&[3 * HALF, 1, HALF, HALF, HALF]), [(0, 1), (1, 3)]);
        assert_eq!(parts(&[3 * HALF, 3 * HALF]), [(0, 1)]);
    }
}
