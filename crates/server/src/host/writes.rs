//! Calls that write: through the one writer, answered once they are on the disk.

use tidegate_core::call::{Context, Effect};
use tidegate_core::error::{Code, Error};
use tidegate_core::sql::Sql;
use tidegate_sqlite::WriteError;
use tidegate_web::HostError;
use tokio::sync::oneshot;

use super::{LocalHost, World};

impl LocalHost {
    /// Runs `job` in a transaction and answers when it is durable. It may run more than once and takes effect at
    /// most once; each run has a context of its own.
    ///
    /// Effects are performed on the writer's thread right after the commit, so that they happen also when whoever
    /// waited for the answer is gone.
    ///
    /// # Errors
    ///
    /// [`HostError`]; nothing of the job is stored.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        mut job: impl FnMut(&dyn Sql, &Context<'_>) -> Result<(T, Vec<Effect>), Error> + Send + 'static,
    ) -> Result<T, HostError> {
        let (answer, answered) = oneshot::channel();
        let (world, metrics) = (self.world.clone(), self.metrics.clone());
        let performing = self.world.clone();
        let submitted = std::time::Instant::now();
        self.writer.submit(
            move |db| job(db, &world.context()),
            move |result| {
                metrics.write_seconds.observe(submitted.elapsed().as_secs_f64());
                let result = result.map(|(value, effects)| {
                    performing.perform(&effects);
                    value
                });
                // An error says that the caller went away; what was done stays done.
                let _ = answer.send(result);
            },
        );
        let result = answered.await.map_err(|_| HostError::ShuttingDown)?.map_err(host_error);
        self.storage.wrote(&result);
        result
    }
}

impl World {
    fn perform(&self, effects: &[Effect]) {
        for effect in effects {
            match effect {
                Effect::Wake(endpoint) => self.waiters.wake(*endpoint),
                Effect::Tell => self.deliveries.notify_one(),
                Effect::Project(_) => self.projections.notify_one(),
            }
        }
    }
}

fn host_error(error: WriteError<Error>) -> HostError {
    match error {
        WriteError::Job(error) => HostError::Core(error),
        WriteError::Storage(error) => HostError::Core(Error::Sql(error)),
        WriteError::Busy => HostError::Busy,
        WriteError::Panicked(message) => {
            tracing::error!(message, "a call panicked and was rolled back");
            HostError::Core(Error::problem(Code::Internal, "a call panicked"))
        }
        WriteError::Closed => HostError::ShuttingDown,
    }
}
