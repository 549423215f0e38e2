//! Work on a thread of its own, which ends with it.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ::fjall::Error;

/// One piece of work. Dropping it waits for its end.
#[derive(Debug)]
pub(super) struct Background {
    outcome: Receiver<Result<(), Error>>,
    thread: Option<JoinHandle<()>>,
}

impl Background {
    pub(super) fn start(name: &str, work: impl FnOnce() -> Result<(), Error> + Send + 'static) -> io::Result<Self> {
        let (sender, outcome) = sync_channel(1);
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
            // Nobody listens if the store was dropped in between.
            let _ = sender.send(work());
        })?;
        Ok(Self {
            outcome,
            thread: Some(thread),
        })
    }

    /// How it ended; `None` if it did not within `wait`. Without `wait` its end is awaited.
    ///
    /// Work that panicked is [`Error::Poisoned`]: what it had in hand may be half changed.
    pub(super) fn outcome(&mut self, wait: Option<Duration>) -> Option<Result<(), Error>> {
        let outcome = match wait {
            Some(wait) => self.outcome.recv_timeout(wait),
            None => self.outcome.recv().map_err(RecvTimeoutError::from),
        };
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(RecvTimeoutError::Timeout) => return None,
            Err(RecvTimeoutError::Disconnected) => Err(Error::Poisoned),
        };
        self.join();
        Some(outcome)
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.join();
    }
}
