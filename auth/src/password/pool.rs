//! Where hashing is done: on threads of its own, few at a time, with a bounded line before them.

use tokio::task::spawn_blocking;

use crate::Hashing;
use crate::gate::{Complaint, Full, Gate};

/// Bounds how much is hashed at a time and how many wait for it.
#[derive(Debug)]
pub(crate) struct HashPool {
    gate: Gate,
    complaint: Complaint,
}

/// Why something was not hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotHashed {
    #[error("too many clients wait for their passwords to be hashed; raise the bounds of hashing")]
    Full,
    #[error("it was forbidden while it waited")]
    Forbidden,
    #[error("the thread that hashed a password ended")]
    Ended,
}

impl HashPool {
    pub(crate) fn new(bounds: Hashing) -> Self {
        Self {
            gate: Gate::new(bounds.parallel_max, bounds.waiting_max),
            complaint: Complaint::default(),
        }
    }

    /// Runs `work` when it is its turn, if it `may` still then. What has begun runs to its end and counts until then,
    /// whether anybody waits for it or not.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        may: impl FnOnce() -> bool,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, NotHashed> {
        let passed = self.gate.pass(async move |turn| {
            if !may() {
                return Err(NotHashed::Forbidden);
            }
            // The turn comes back with the result, so that the next one does not begin before this caller knows it.
            let running = spawn_blocking(move || (work(), turn));
            let (result, _turn) = running.await.map_err(|_| NotHashed::Ended)?;
            Ok(result)
        });
        passed.await.unwrap_or_else(|Full| Err(NotHashed::Full))
    }

    /// Logs why nothing was hashed, now and then.
    pub(crate) fn complain(&self, why: NotHashed) {
        if self.complaint.is_due() {
            tracing::warn!("clients are turned away: {why}");
        }
    }
}
