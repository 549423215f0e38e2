//! The end of a broker: goodbyes, what was promised, the lines, the store; each within its bound.

use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use actix::Addr;
use broker::durable::Health;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::{Ending, House};
use crate::clock;
use crate::life::{End, Stop};
use crate::message::{AwaitsStore, Drain, Lingering, MarkStore, Suspend};
use crate::process::Successor;
use crate::quic::QuicHouse;
use crate::reload::OpenDoors;
use crate::session::SessionActor;
use crate::settings::EndsWithin;
use crate::store::StoreAddr;

/// How often a stopping broker looks whether all clients have left.
const LINGER_POLL: Duration = Duration::from_millis(20);
/// How often it looks whether a thread has ended.
const THREAD_POLL: Duration = Duration::from_millis(5);
/// For each step to be taken by all lines, or a quarter of the time for goodbyes if that is longer.
const STEP_LIMIT: Duration = Duration::from_secs(2);
/// For the store to take what the last goodbyes left, when the broker stops.
const STORE_LIMIT: Duration = Duration::from_secs(5);
/// For the lines to end, when they have nothing left to do.
const LINES_LIMIT: Duration = Duration::from_secs(5);
/// For the thread of QUIC to end, which says goodbye to its clients.
const QUIC_LIMIT: Duration = Duration::from_secs(3);
/// For clients to take their goodbye when another binary takes over: each moment is one in which nobody is served.
const HANDOVER_LINGER: Duration = Duration::from_secs(2);
/// A wait that is longer is told of, and told of again after as long.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the store has not written and synced.
struct Unkept {
    why: String,
    /// Whether it goes on trying.
    is_under_way: bool,
}

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
                end_quic(quic).await;
                open_doors.remove_files();
                kept.map_or_else(|unkept| Ending::CutShort(unkept.why), |()| Ending::Stopped)
            }
            End::Upgrade(successor) => {
                tracing::info!(
                    binary = %successor.binary.display(),
                    version = successor.version,
                    "making way for another binary: connections wait in the kernel, clients are sent away to return"
                );
                self.suspend(within.goodbye).await;
                let kept = self.stop(within.store).await;
                end_quic(quic).await;
                match kept {
                    Err(unkept) if unkept.is_under_way || stop.is_wanted() => {
                        open_doors.remove_files();
                        Ending::CutShort(unkept.why)
                    }
                    // The binary that takes over opens what is on the disk, which may be well again.
                    Ok(()) | Err(_) => make_way(stop, open_doors, successor),
                }
            }
        }
    }

    /// Stops in order: doors, wills while their receivers are there, goodbyes; then waits for what is being written.
    async fn drain(&self, limit: Duration) {
        let deadline = clock::deadline(limit);
        let patience = STEP_LIMIT.max(limit / 4);
        self.step(&[Drain::Close, Drain::Bar], patience).await;
        self.step(&[Drain::Wills], patience).await;
        // What is under way is acknowledged before the connection ends.
        self.keep_promises((limit / 2).min(clock::until(deadline))).await;
        self.step(&[Drain::Goodbye], patience).await;
        let left = timeout_at(Instant::from_std(deadline), async {
            while self.lingering().await > 0 {
                sleep(LINGER_POLL).await;
            }
        });
        match left.await {
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
        let patience = STEP_LIMIT.max(limit / 4);
        self.step(&[Drain::Close, Drain::Bar], patience).await;
        // What is under way is acknowledged before the connection ends.
        self.keep_promises(limit / 2).await;
        if timeout(patience, self.each_line(suspend_all)).await.is_err() {
            tracing::error!(
                after_ms = patience.as_millis(),
                "a line does not answer; the handover goes on without it"
            );
        }
        let left = timeout(HANDOVER_LINGER.min(limit), async {
            while self.lingering().await > 0 {
                sleep(LINGER_POLL).await;
                // Those who were on their way in come after the others.
                self.each_line(suspend_all).await;
            }
        });
        if left.await.is_err() {
            tracing::info!(
                "some clients did not take their goodbye in time; they find their sessions when they return"
            );
        }
    }

    /// Has all lines take steps, and waits until they have; a line that does not answer keeps nobody else from hearing of
    /// them.
    async fn step(&self, steps: &[Drain], patience: Duration) {
        let each = |step: &Drain| self.lines.iter().map(|line| line.send(*step)).collect::<Vec<_>>();
        let sent: Vec<_> = steps.iter().flat_map(each).collect();
        let answered = timeout(patience, async {
            for answer in sent {
                if answer.await.is_err() {
                    tracing::error!(?steps, "a line ended before the broker did");
                }
            }
        });
        if answered.await.is_err() {
            tracing::error!(
                ?steps,
                after_ms = patience.as_millis(),
                "a line does not answer; the end goes on without it"
            );
        }
    }

    /// Does something with all lines at once, until it is done with each.
    async fn each_line<F: Future<Output = ()> + 'static>(&self, what: impl Fn(Addr<SessionActor>) -> F) {
        let mut under_way = JoinSet::new();
        for line in &self.lines {
            under_way.spawn_local(what(line.clone()));
        }
        while let Some(done) = under_way.join_next().await {
            if let Err(error) = done {
                tracing::error!(%error, "what a line was asked for at the end of the broker has failed");
            }
        }
    }

    /// Waits until the store has what the lines have for it at this moment. Clients who go on publishing have no end.
    async fn keep_promises(&self, limit: Duration) {
        self.await_store(limit, |line| async move {
            let mark = line.send(MarkStore).await.unwrap_or(0);
            await_mark(line, mark).await;
        })
        .await;
    }

    /// Waits for the store no longer than `limit`, for it may have no room.
    async fn await_store<F: Future<Output = ()> + 'static>(
        &self,
        limit: Duration,
        until: impl Fn(Addr<SessionActor>) -> F,
    ) {
        if limit.is_zero() {
            return;
        }
        if timeout(limit, self.each_line(until)).await.is_err() {
            tracing::warn!("the store did not take everything in time; what it did not take was not acknowledged");
        }
    }

    async fn lingering(&self) -> usize {
        let asked: Vec<_> = self.lines.iter().map(|line| line.send(Lingering)).collect();
        let mut total = 0;
        for answer in asked {
            total += answer.await.unwrap_or(0);
        }
        total
    }

    /// Ends the lines, then the store, which has `limit` for itself.
    ///
    /// # Errors
    ///
    /// What the store has not written and synced.
    async fn stop(mut self, limit: Duration) -> Result<(), Unkept> {
        drop(self.control.take());
        // Without room it takes nothing more, and nothing that waits for it was acknowledged.
        let takes = |(addr, _): &(StoreAddr, _)| addr.figures().health == Health::Well;
        if self.store.as_ref().is_some_and(takes) {
            self.await_store(STORE_LIMIT, |line| await_mark(line, u64::MAX)).await;
        }
        self.end_lines().await;
        let Some((addr, thread)) = self.store else {
            return Ok(());
        };
        addr.stop();
        if !has_ended(&thread, "the store, which writes and syncs what it has", limit).await {
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
            let is_under_way = true;
            return Err(Unkept { why, is_under_way });
        }
        let ended = thread.join();
        let is_under_way = false;
        ended
            .unwrap_or_else(|_| Err("the store ended in a panic".to_owned()))
            .map_err(|why| Unkept { why, is_under_way })
    }

    async fn end_lines(&mut self) {
        let lines = std::mem::take(&mut self.arbiters);
        for (arbiter, _) in &lines {
            arbiter.stop();
        }
        let join = move || {
            for (arbiter, runtime) in lines {
                if arbiter.join().is_err() {
                    tracing::error!("a line ended in a panic");
                }
                drop(runtime);
            }
        };
        match Builder::new().name("last".to_owned()).spawn(join) {
            Ok(thread) => {
                if !has_ended(&thread, "the lines", LINES_LIMIT).await {
                    tracing::error!("a line does not end, and is left behind");
                }
            }
            Err(error) => tracing::warn!(%error, "the lines are told to end, and nobody waits for them"),
        }
    }
}

/// Ends all connections of a line, slice by slice.
async fn suspend_all(line: Addr<SessionActor>) {
    let mut next = Some(0);
    while let Some(from) = next {
        next = line.send(Suspend(from)).await.ok().and_then(|slice| slice.next);
    }
}

/// Waits until the store has what a line has for it, up to a mark.
async fn await_mark(line: Addr<SessionActor>, mark: u64) {
    while line.send(AwaitsStore(mark)).await.unwrap_or(false) {
        sleep(LINGER_POLL).await;
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

/// Ends the thread of QUIC, when the lines have ended.
async fn end_quic(quic: Option<QuicHouse>) {
    let Some(thread) = quic.map(QuicHouse::stop) else {
        return;
    };
    if !has_ended(&thread, "the thread of QUIC", QUIC_LIMIT).await {
        tracing::error!("the thread of QUIC does not end, and is left behind");
    } else if thread.join().is_err() {
        tracing::error!("the thread of QUIC ended in a panic");
    }
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
