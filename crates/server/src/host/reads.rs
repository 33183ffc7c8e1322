//! Calls that only read.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use tidegate_core::call::{
    Answer, Context, DirectoryQuestion, EndpointQuestion, ObjectId, Question, SyncNeed,
};
use tidegate_core::directory::session_addresses;
use tidegate_core::error::{Code, Error};
use tidegate_core::sql::ReadSql;
use tidegate_sqlite::{Fatal, ReadError, Readers, Settings};
use tidegate_web::HostError;
use tokio::sync::Semaphore;

use super::LocalHost;
use super::bulk::SMALL_BYTES_MAX;
use crate::identity::{Identity, are_keys_missing, identity_load, without_keys};

/// Listings that run at once. More would wait for the same disk; those beyond wait their turn.
const LISTINGS_MAX: usize = 4;

/// Page cache of each reader, in bytes. Every request may meet every endpoint's row: what is hot is the upper levels
/// of a few trees, and the rest comes from the system's own cache. Readers with the writer's 16 MiB each would fill
/// a hundred MiB in the course of days.
const READER_CACHE_BYTES: u64 = 1 << 20;

/// The readers, by how long their reads take.
pub(super) struct Reads {
    /// For reads of microseconds, on the threads that serve requests: one for each.
    short: Readers,
    /// For the others, on blocking threads: one for each listing, and one for large syncs.
    long: Arc<Readers>,
    long_permits: Arc<Semaphore>,
}

impl Reads {
    /// Opens the readers of an existing database.
    pub(super) fn open(database: &Path, settings: &Settings, fatal: &Fatal) -> anyhow::Result<Self> {
        let threads = tokio::runtime::Handle::current().metrics().num_workers();
        let settings = &Settings { cache_bytes: READER_CACHE_BYTES, ..settings.clone() };
        Ok(Self {
            short: Readers::open(database, threads, settings, fatal.clone())?,
            long: Arc::new(Readers::open(database, LISTINGS_MAX + 1, settings, fatal.clone())?),
            long_permits: Arc::new(Semaphore::new(LISTINGS_MAX)),
        })
    }

    /// The stored identity; `None`: there is none.
    pub(super) fn identity(&self) -> anyhow::Result<Option<Identity>> {
        let failed = "failed to read the control plane's keys";
        if self.short.with(are_keys_missing).context(failed)? {
            bail!(without_keys());
        }
        self.short.with(identity_load).context(failed)
    }

    /// The addresses from which people signed in lately.
    pub(super) fn sign_in_addresses(&self) -> anyhow::Result<Vec<IpAddr>> {
        let addresses = self.short.with(session_addresses);
        let addresses = addresses.map_err(host_error).context("failed to read the sessions")?;
        Ok(addresses.iter().filter_map(|address| address.parse().ok()).collect())
    }
}

impl LocalHost {
    /// Answers a question.
    pub(super) async fn read(&self, object: ObjectId, question: Question) -> Result<Answer, HostError> {
        if !is_short(&question) {
            if let Question::Endpoint(EndpointQuestion::Sync(_)) = &question {
                return self.read_bulk(object, question).await;
            }
            return self.read_long(move |db, cx| tidegate_core::query(db, cx, object, question)).await;
        }
        let cx = self.world.question_context();
        let answer = self.reads.short.with(|db| tidegate_core::query(db, &cx, object, question));
        let answer = answer.map_err(host_error)?;
        if matches!(answer, Answer::Sync(SyncNeed::Wait)) {
            self.metrics.syncs_idle.inc();
        }
        Ok(answer)
    }

    /// Checks a large sync on the thread for these.
    async fn read_bulk(&self, object: ObjectId, question: Question) -> Result<Answer, HostError> {
        let (readers, world) = (Arc::clone(&self.reads.long), Arc::clone(&self.world));
        let read =
            move || readers.with(|db| tidegate_core::query(db, &world.question_context(), object, question));
        self.bulk.run(read).await?.map_err(host_error)
    }

    /// Runs `read` on a blocking thread.
    ///
    /// # Errors
    ///
    /// [`HostError`].
    pub(crate) async fn read_long<T: Send + 'static>(
        &self,
        read: impl FnOnce(&dyn ReadSql, &Context<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, HostError> {
        let permit = Arc::clone(&self.reads.long_permits).acquire_owned().await;
        let permit = permit.map_err(|_| HostError::ShuttingDown)?;
        let (readers, world) = (Arc::clone(&self.reads.long), Arc::clone(&self.world));
        let reading = tokio::task::spawn_blocking(move || {
            let answer = readers.with(|db| read(db, &world.question_context()));
            drop(permit);
            answer
        });
        match reading.await {
            Ok(answer) => answer.map_err(host_error),
            Err(error) if error.is_panic() => {
                Err(HostError::Core(Error::problem(Code::Internal, "a read panicked")))
            }
            Err(_) => Err(HostError::ShuttingDown),
        }
    }
}

/// Whether a question reads a row or two by their key.
fn is_short(question: &Question) -> bool {
    match question {
        Question::Directory(question) => matches!(
            question,
            DirectoryQuestion::Authenticate(_)
                | DirectoryQuestion::Session(_)
                | DirectoryQuestion::IsDeactivated(_)
        ),
        Question::Endpoint(EndpointQuestion::Sync(request)) => request.content_bytes() <= SMALL_BYTES_MAX,
        Question::Endpoint(question) => {
            matches!(question, EndpointQuestion::SyncLine(_) | EndpointQuestion::IdleSync(_))
        }
    }
}

fn host_error(error: ReadError<Error>) -> HostError {
    match error {
        ReadError::Job(error) => HostError::Core(error),
        ReadError::Storage(error) => HostError::Core(Error::Sql(error)),
    }
}
