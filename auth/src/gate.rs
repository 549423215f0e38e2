//! Lets few through at a time, and few wait.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// Bounds how many do something at a time, and how many wait for their turn.
#[derive(Debug)]
pub(crate) struct Gate {
    /// One for each that is inside or waits.
    places: Semaphore,
    /// One for each that is inside.
    inside: Arc<Semaphore>,
}

/// Too many wait already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

impl Gate {
    pub(crate) fn new(inside_max: usize, waiting_max: usize) -> Self {
        let inside = inside_max.clamp(1, Semaphore::MAX_PERMITS / 2);
        let waiting = waiting_max.min(Semaphore::MAX_PERMITS / 2);
        Self {
            places: Semaphore::new(inside + waiting),
            inside: Arc::new(Semaphore::new(inside)),
        }
    }

    /// Runs `work` with a turn, which lasts until it is dropped. Whoever stops waiting gives the place back.
    pub(crate) async fn pass<T>(&self, work: impl AsyncFnOnce(OwnedSemaphorePermit) -> T) -> Result<T, Full> {
        let _place = self.places.try_acquire().map_err(|_| Full)?;
        let turn = Arc::clone(&self.inside).acquire_owned().await.map_err(|_| Full)?;
        Ok(work(turn).await)
    }
}

/// Keeps a log line that any client can cause from being written more than every ten seconds.
#[derive(Debug, Default)]
pub(crate) struct Complaint {
    last: Mutex<Option<Instant>>,
}

impl Complaint {
    pub(crate) fn is_due(&self) -> bool {
        let now = Instant::now();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = last.is_none_or(|last| now.saturating_duration_since(last) >= Duration::from_secs(10));
        if is_due {
            *last = Some(now);
        }
        is_due
    }
}
