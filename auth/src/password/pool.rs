//! Where hashing is done: on threads of its own, few at a time, with a bounded line before them.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::Hashing;

/// Bounds how much is hashed at a time and how many wait for it.
#[derive(Debug)]
pub(crate) struct HashPool {
    /// One for each that is hashed or waits.
    places: Semaphore,
    /// One for each that is hashed.
    threads: Arc<Semaphore>,
}

/// Why something was not hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotHashed {
    #[error("too many clients wait for it; raise auth's hashing bounds or use cheaper hashes")]
    Full,
    #[error("it was forbidden while it waited")]
    Forbidden,
    #[error("its thread ended")]
    Ended,
}

impl HashPool {
    pub(crate) fn new(bounds: Hashing) -> Self {
        let parallel = bounds.parallel_max.clamp(1, Semaphore::MAX_PERMITS / 2);
        let waiting = bounds.waiting_max.min(Semaphore::MAX_PERMITS / 2);
        Self {
            places: Semaphore::new(parallel + waiting),
            threads: Arc::new(Semaphore::new(parallel)),
        }
    }

    /// Runs `work` when it is its turn, if it `may` still then. Whoever stops waiting gives the place back; what has begun runs to its end and
    /// holds its thread until then, whether anybody waits for it or not.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        may: impl FnOnce() -> bool,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, NotHashed> {
        let _place = self.places.try_acquire().map_err(|_| NotHashed::Full)?;
        let threads = Arc::clone(&self.threads);
        let thread = threads.acquire_owned().await.map_err(|_| NotHashed::Ended)?;
        if !may() {
            return Err(NotHashed::Forbidden);
        }
        // Comes back with the result, so that the next one does not begin before this caller knows it.
        let running = spawn_blocking(move || (work(), thread));
        let (result, _thread) = running.await.map_err(|_| NotHashed::Ended)?;
        Ok(result)
    }
}
