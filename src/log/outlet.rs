//! Standard error as the log writes to it: whoever reads it slowly, or not at all, keeps no line of the broker waiting.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// What a pipe that says it is ready takes at once: PIPE_BUF of Linux.
const PIECE_BYTES: usize = 4096;
/// What may wait; further records are dropped and counted.
const WAITING_BYTES_MAX: usize = 1 << 20;
/// For the last records to be taken, when the process ends.
const FINISH: Duration = Duration::from_secs(1);

/// Records that were not taken yet.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    bytes: VecDeque<u8>,
    dropped: u64,
}

static WAITING: Mutex<Waiting> = Mutex::new(Waiting {
    bytes: VecDeque::new(),
    dropped: 0,
});

/// Where one record goes.
#[derive(Debug, Default)]
pub(super) struct Outlet;

impl Write for Outlet {
    fn write(&mut self, record: &[u8]) -> io::Result<usize> {
        waiting().write(record, &mut io::stderr(), Duration::ZERO);
        Ok(record.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes what still waits, as far as it is taken within a second.
pub(super) fn finish() {
    waiting().write(&[], &mut io::stderr(), FINISH);
}

fn waiting() -> MutexGuard<'static, Waiting> {
    WAITING.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Waiting {
    /// Writes as much as `out` takes within `patience`; zero: without keeping us.
    pub(super) fn write(&mut self, record: &[u8], out: &mut (impl Write + AsFd), patience: Duration) {
        if self.bytes.len() + record.len() > WAITING_BYTES_MAX {
            self.dropped += 1;
            super::count_dropped();
        } else {
            if self.dropped > 0 && !record.is_empty() {
                let told = format!(
                    "{} records of the log were dropped: nobody read them in time\n",
                    self.dropped
                );
                self.bytes.extend(told.as_bytes());
                self.dropped = 0;
            }
            self.bytes.extend(record);
        }
        let begun = (!patience.is_zero()).then(now);
        let left = || begun.map_or(Duration::ZERO, |begun| patience.saturating_sub(now() - begun));
        while !self.bytes.is_empty() && takes(out, left()) {
            let (front, _) = self.bytes.as_slices();
            let piece = front.get(..PIECE_BYTES).unwrap_or(front);
            match out.write(piece) {
                Ok(written) if written > 0 => drop(self.bytes.drain(..written)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Nobody will ever read it.
                Ok(_) | Err(_) => self.bytes.clear(),
            }
        }
    }

    /// Bytes that were not taken yet.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.bytes.len()
    }

    /// Records that were dropped and of which nobody was told.
    #[cfg(test)]
    pub(super) const fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "a bound for whoever reads the log, not a time of the broker's"
)]
fn now() -> Instant {
    Instant::now()
}

/// Whether a piece is taken without waiting longer than this.
fn takes(out: &impl AsFd, patience: Duration) -> bool {
    let mut asked = [PollFd::new(out, PollFlags::OUT)];
    let patience = Timespec::try_from(patience).ok();
    poll(&mut asked, patience.as_ref()).is_ok_and(|ready| ready > 0)
}
