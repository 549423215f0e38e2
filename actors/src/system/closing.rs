//! The end of a broker: goodbyes, what was promised, the lines, the store; each within its bound.

use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::{Ending, House};
use crate::clock;
use crate::life::{End, Stop};
use crate::message::{AwaitsStore, Drain, Lingering, MarkStore, Suspend};
use crate::process::Successor;
use crate::quic::QuicHouse;
use crate::reload::OpenDoors;
use crate::settings::EndsWithin;

/// How often a stopping broker looks whether all clients have left.
const LINGER_POLL: Duration = Duration::from_millis(20);
/// How often it looks whether a thread has ended.
const THREAD_POLL: Duration = Duration::from_millis(5);
/// For the store to take what the last goodbyes left, when the broker stops.
const STORE_LIMIT: Duration = Duration::from_secs(5);
/// For the lines to end, when they have nothing left to do.
const LINES_LIMIT: Duration = Duration::from_secs(5);
/// For clients to take their goodbye when another binary takes over: each moment is one in which nobody is served.
const HANDOVER_LINGER: Duration = Duration::from_secs(2);
/// A wait that is longer is told of, and told of again after as long.
const PATIENCE: Duration = Duration::from_secs(5);

impl House {
    /// Ends the broker, as it was asked to.
    pub(super) async fn end(
        self,
        end: End,
        (open_doors, quic): (&OpenDoors, Option<QuicHouse>),
        within: EndsWithin,
        stop: &Stop,
    ) -> Ending {
        match end {
            End::Stop(who) => {
                tracing::info!(who, "stopping: no further connections, saying goodbye to all clients");
                // From here on nobody waits in the kernel for a broker that ends.
                open_doors.let_go();
                self.events
                    .tell("drain", || format!("stopping on {who}: all clients are sent away"));
                self.drain(within.goodbye).await;
                let kept = self.stop(within.store).await;
                quic.into_iter().for_each(QuicHouse::stop);
                open_doors.remove_files();
                kept.map_or_else(Ending::CutShort, |()| Ending::Stopped)
            }
            End::Upgrade(successor) => {
                tracing::info!(
                    binary = %successor.binary.display(),
                    version = successor.version,
                    "making way for another binary: connections wait in the kernel, clients are sent away to return"
                );
                self.suspend(within.goodbye).await;
                let kept = self.stop(within.store).await;
                quic.into_iter().for_each(QuicHouse::stop);
                match kept {
                    Ok(()) => make_way(stop, open_doors, successor),
                    Err(why) => {
                        open_doors.remove_files();
                        Ending::CutShort(why)
                    }
                }
            }
        }
    }

    /// Stops in order: doors, wills while their receivers are there, goodbyes; then waits for what is being written.
    async fn drain(&self, limit: Duration) {
        let deadline = Instant::from_std(clock::deadline(limit));
        let drained = timeout_at(deadline, async {
            for step in [Drain::Close, Drain::Bar, Drain::Wills, Drain::Goodbye] {
                if step == Drain::Goodbye {
                    // What is under way is acknowledged before the connection ends.
                    self.keep_promises(limit / 2).await;
                }
                self.step(step).await;
            }
            while self.lingering().await > 0 {
                sleep(LINGER_POLL).await;
            }
        });
        match drained.await {
            Ok(()) => tracing::info!("all clients have left"),
            Err(_) => tracing::warn!(
                after_ms = limit.as_millis(),
                "some clients did not take their goodbye in time"
            ),
        }
    }

    /// Accepts nobody, waits for what is promised, and ends all connections in such a way that their clients return to
    /// what the store holds.
    async fn suspend(&self, limit: Duration) {
        for step in [Drain::Close, Drain::Bar] {
            self.step(step).await;
        }
        // What is under way is acknowledged before the connection ends.
        self.keep_promises(limit / 2).await;
        let left = timeout(HANDOVER_LINGER.min(limit), async {
            // Those who were on their way in come after the others.
            loop {
                self.suspend_all().await;
                if self.lingering().await == 0 {
                    return;
                }
                sleep(LINGER_POLL).await;
            }
        });
        if left.await.is_err() {
            tracing::info!(
                "some clients did not take their goodbye in time; they find their sessions when they return"
            );
        }
    }

    async fn step(&self, step: Drain) {
        for line in &self.lines {
            if line.send(step).await.is_err() {
                tracing::error!(?step, "a line ended before the broker did");
            }
        }
    }

    async fn suspend_all(&self) {
        for line in &self.lines {
            let mut next = Some(0);
            while let Some(from) = next {
                next = line.send(Suspend(from)).await.ok().and_then(|slice| slice.next);
            }
        }
    }

    /// Waits until the store has what the lines have for it at this moment. Clients who go on publishing have no end.
    async fn keep_promises(&self, limit: Duration) {
        let mut marks = Vec::new();
        for line in &self.lines {
            marks.push(line.send(MarkStore).await.unwrap_or(0));
        }
        self.await_store(&marks, limit).await;
    }

    /// Waits until the store has what the lines have for it, up to a mark for each; no longer than `limit`, for it may
    /// have no room.
    async fn await_store(&self, marks: &[u64], limit: Duration) {
        let kept = timeout(limit, async {
            for (line, mark) in self.lines.iter().zip(marks) {
                while line.send(AwaitsStore(*mark)).await.unwrap_or(false) {
                    sleep(LINGER_POLL).await;
                }
            }
        });
        if kept.await.is_err() {
            tracing::warn!("the store did not take everything in time; what it did not take was not acknowledged");
        }
    }

    async fn lingering(&self) -> usize {
        let mut total = 0;
        for line in &self.lines {
            total += line.send(Lingering).await.unwrap_or(0);
        }
        total
    }

    /// Ends the lines, then the store, all within `limit`.
    ///
    /// # Errors
    ///
    /// What the store has not written and synced, and why.
    async fn stop(mut self, limit: Duration) -> Result<(), String> {
        let deadline = clock::deadline(limit);
        drop(self.control.take());
        let everything = vec![u64::MAX; self.lines.len()];
        self.await_store(&everything, STORE_LIMIT.min(limit)).await;
        self.end_lines(limit).await;
        let Some((addr, thread)) = self.store else {
            return Ok(());
        };
        addr.stop();
        if !has_ended(
            &thread,
            "the store, which writes and syncs what it has",
            clock::until(deadline),
        )
        .await
        {
            let figures = addr.figures();
            let why = format!(
                "the store did not write and sync what it has within {} s (storage.close_timeout_secs): {} batches of {} \
                 bytes were not taken and not acknowledged, and what was acknowledged for less than the disk \
                 (storage.durability, storage.override) may be lost with the power; look after the medium",
                limit.as_secs(),
                figures.batches_waiting,
                figures.backlog_bytes
            );
            tracing::error!("{why}");
            return Err(why);
        }
        thread
            .join()
            .unwrap_or_else(|_| Err("the store ended in a panic".to_owned()))
    }

    async fn end_lines(&mut self, limit: Duration) {
        let lines = std::mem::take(&mut self.arbiters);
        for (arbiter, _) in &lines {
            arbiter.stop();
        }
        let join = move || {
            for (arbiter, runtime) in lines {
                if arbiter.join().is_err() {
                    tracing::error!("a line ended in a panic");
                }
                // A question to a server of names, as one task of those that block, has no use any more.
                if let Some(runtime) = std::sync::Arc::into_inner(runtime) {
                    runtime.shutdown_background();
                }
            }
        };
        match Builder::new().name("last".to_owned()).spawn(join) {
            Ok(thread) => {
                if !has_ended(&thread, "the lines", LINES_LIMIT.min(limit)).await {
                    tracing::error!("a line does not end, and is left behind");
                }
            }
            Err(error) => tracing::warn!(%error, "the lines are told to end, and nobody waits for them"),
        }
    }
}

/// Whether a thread ends within a time. Meanwhile the log is told what is waited for.
async fn has_ended<T>(thread: &JoinHandle<T>, what: &str, limit: Duration) -> bool {
    let (begun, deadline) = (clock::instant(), clock::deadline(limit));
    let mut told_after = PATIENCE;
    while !thread.is_finished() {
        if clock::until(deadline).is_zero() {
            return false;
        }
        let waited = clock::since(begun);
        if waited >= told_after {
            tracing::warn!(
                waited_secs = waited.as_secs(),
                limit_secs = limit.as_secs(),
                "the end of the broker waits for {what}"
            );
            told_after += PATIENCE;
        }
        sleep(THREAD_POLL).await;
    }
    true
}

/// Leaves the sockets to another binary, unless the broker was told to stop while it closed.
fn make_way(stop: &Stop, open_doors: &OpenDoors, successor: Successor) -> Ending {
    if stop.is_wanted() {
        tracing::info!("told to stop while it made way: no other binary takes over");
        open_doors.remove_files();
        return Ending::Stopped;
    }
    Ending::HandedOver(open_doors.hand_over(), successor)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[actix_rt::test]
    async fn a_thread_that_does_not_end_is_waited_for_within_a_bound() {
        let (go, gone) = mpsc::channel::<()>();
        let thread = std::thread::spawn(move || gone.recv());
        assert!(!has_ended(&thread, "a test", Duration::from_millis(20)).await);
        drop(go);
        assert!(has_ended(&thread, "a test", Duration::from_secs(60)).await);
    }
}
