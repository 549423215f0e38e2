//! The store actor: a thread of its own that writes what the lines gather, so that no line waits for a disk.
//!
//! What comes while a commit is under way goes into the next one: one write and one `fdatasync` for all of it. When the
//! store has come further, the lines' postboxes say so.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use broker::durable::{Batch, Change, Durability, Fetch, Health, Progress};
use mqtt_codec::TopicName;
use storage::{Archive, ScanLimit, Shard, StoreError};

use self::backup::Backup;
pub(crate) use self::backup::Portion;
use self::open::Reopen;
pub(crate) use self::open::{Opened, check, open, restore};
pub(crate) use self::postbox::Postbox;
use self::spent::Spent;
use self::work::Count;
use crate::clock::{self, Clock};
use crate::figures::{StoreBoard, StoreFigures};
use crate::settings::StoreSettings;
use crate::tables::SharedTables;

mod backup;
mod open;
mod postbox;
mod spent;
#[cfg(test)]
mod tests;
mod translate;
mod work;

/// Batches that may wait for the store, whatever their bytes.
const ERRANDS_MAX: usize = 4096;
/// Between two attempts when there was no room.
const RETRY: Duration = Duration::from_millis(100);
/// Between two attempts to open an engine that failed.
const REOPEN: Duration = Duration::from_secs(5);
/// Longest time that what nobody waits for stays in memory alone.
const UNWRITTEN_MAX: Duration = Duration::from_millis(50);
/// Longest time that what is with the kernel waits for the device, where nobody waits for it.
const UNSYNCED_MAX: Duration = Duration::from_secs(1);
/// What is read or removed between two commits, for whoever can wait.
const SLICE: ScanLimit = ScanLimit {
    entries_max: 512,
    bytes_max: 256 << 10,
};

/// What the store actor is asked to do.
#[derive(Debug)]
pub(crate) enum Errand {
    /// From a line: its turn's changes and questions, and what they count for.
    Batch(Box<Batch>, usize),
    /// From the daemon: these topics have no retained message any more.
    Expired(Vec<TopicName>),
    /// From the control socket: everything of one instant, for this receiver.
    Backup(tokio::sync::mpsc::Sender<Portion>),
    /// From the daemon: write everything and end.
    Stop,
}

/// The way to the store actor.
#[derive(Clone, Debug)]
pub(crate) struct StoreAddr {
    errands: SyncSender<Errand>,
    backlog: Arc<AtomicUsize>,
    backlog_max: usize,
    ends: Arc<AtomicBool>,
    waiting: Arc<AtomicUsize>,
    board: StoreBoard,
}

impl StoreAddr {
    pub(crate) fn channel(backlog_max: usize) -> (Self, Receiver<Errand>) {
        let (errands, receiver) = sync_channel(ERRANDS_MAX);
        let backlog = Arc::new(AtomicUsize::new(0));
        let addr = Self {
            errands,
            backlog,
            backlog_max,
            ends: Arc::default(),
            waiting: Arc::default(),
            board: StoreBoard::default(),
        };
        (addr, receiver)
    }

    /// Hands a batch over, or back if too many wait.
    pub(crate) fn send(&self, batch: Box<Batch>) -> Result<(), Box<Batch>> {
        let cost = cost_of(&batch);
        self.backlog.fetch_add(cost, Ordering::Relaxed);
        self.waiting.fetch_add(1, Ordering::Relaxed);
        match self.errands.try_send(Errand::Batch(batch, cost)) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(Errand::Batch(batch, cost))) => {
                self.backlog.fetch_sub(cost, Ordering::Relaxed);
                self.waiting.fetch_sub(1, Ordering::Relaxed);
                Err(batch)
            }
            // Nobody is there to keep anything, and nothing is promised any more.
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.backlog.fetch_sub(cost, Ordering::Relaxed);
                self.waiting.fetch_sub(1, Ordering::Relaxed);
                Ok(())
            }
        }
    }

    /// What the store has counted.
    pub(crate) fn figures(&self) -> StoreFigures {
        let mut figures = self.board.lock().clone();
        figures.batches_waiting = self.waiting.load(Ordering::Relaxed);
        figures.backlog_bytes = self.backlog.load(Ordering::Relaxed);
        figures
    }

    /// Tells of retained messages that have expired; what finds no room is told at the next start.
    pub(crate) fn expire(&self, topics: Vec<TopicName>) {
        if self.errands.try_send(Errand::Expired(topics)).is_err() {
            tracing::debug!("the store is busy: expired retained messages are removed from it at the next start");
        }
    }

    /// Asks for a backup; false if too much waits.
    pub(crate) fn back_up(&self, to: tokio::sync::mpsc::Sender<Portion>) -> bool {
        self.errands.try_send(Errand::Backup(to)).is_ok()
    }

    /// Asks the actor to end.
    pub(crate) fn stop(&self) {
        self.ends.store(true, Ordering::Release);
        if self.errands.try_send(Errand::Stop).is_err() {
            tracing::debug!("the store ends when it has seen to what waits, or has ended before it was asked to");
        }
    }

    /// Whether so much waits that lines read no more.
    pub(crate) fn is_behind(&self) -> bool {
        self.backlog.load(Ordering::Relaxed) > self.backlog_max
    }
}

/// Bytes that a batch counts for while it waits.
fn cost_of(batch: &Batch) -> usize {
    const CHANGE: usize = 64;
    let cost = |change: &Change| {
        let message = if let Change::Queue(_, entry) = change {
            entry.message.cost()
        } else if let Change::Transfer(transfer) = change {
            transfer.message.cost()
        } else {
            0
        };
        CHANGE + message
    };
    batch.changes.iter().map(cost).sum()
}

/// What the actor is told of its work.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CommitSettings {
    /// Longest wait for company when the store is busy.
    pub(crate) wait_max: Duration,
    /// Bytes that one commit takes.
    pub(crate) bytes_max: usize,
    /// Bytes of journal, and of what it holds in memory, from which on it is settled.
    pub(crate) journal_bytes_max: u64,
}

impl CommitSettings {
    pub(crate) fn of(store: &StoreSettings) -> Self {
        Self {
            wait_max: store.commit_wait_max,
            bytes_max: store.commit_bytes_max,
            journal_bytes_max: store.journal_bytes_max,
        }
    }
}

/// See the module.
pub(crate) struct StoreActor {
    archive: Archive<Shard>,
    reopen: Reopen,
    /// When the engine failed last, if it has not worked since.
    engine_failed_at: Option<Instant>,
    errands: Receiver<Errand>,
    backlog: Arc<AtomicUsize>,
    waiting: Arc<AtomicUsize>,
    board: StoreBoard,
    ends: Arc<AtomicBool>,
    postboxes: Vec<Arc<Postbox>>,
    tables: SharedTables,
    clock: Clock,
    settings: CommitSettings,
    /// The last batch of each line that was applied, and how far the line was told that things are.
    applied: Vec<u64>,
    told: Vec<Progress>,
    health: Health,
    /// Why nothing is promised any more.
    failed: Option<String>,
    /// What found no room.
    held: Vec<Errand>,
    /// Questions that the engine could not answer.
    unanswered: Vec<Fetch>,
    counts: VecDeque<Count>,
    /// What was applied asks for this, and there was no room to commit it.
    uncommitted: Durability,
    /// Since when something is applied and not with the kernel, because nobody waits for it.
    unwritten_since: Option<Instant>,
    /// With the kernel and not with the device.
    unsynced: bool,
    synced_at: Instant,
    /// Whether the last look found work in the background.
    more_upkeep: bool,
    commits_since_upkeep: u32,
    /// The highest number that any line has given out.
    serial: u64,
    /// Whether ended sessions may have left records.
    sweeps: bool,
    backup: Option<Backup>,
    spent: Spent,
    /// How long the last commit took, and whether it had company.
    took: Duration,
    busy: bool,
    stopping: bool,
}

impl StoreActor {
    pub(crate) fn new(
        Opened {
            archive,
            serial,
            reopen,
            ..
        }: Opened,
        (addr, errands): (&StoreAddr, Receiver<Errand>),
        postboxes: Vec<Arc<Postbox>>,
        tables: SharedTables,
        clock: Clock,
        settings: CommitSettings,
    ) -> Self {
        Self {
            archive,
            reopen,
            engine_failed_at: None,
            errands,
            backlog: Arc::clone(&addr.backlog),
            waiting: Arc::clone(&addr.waiting),
            board: Arc::clone(&addr.board),
            ends: Arc::clone(&addr.ends),
            applied: vec![0; postboxes.len()],
            told: vec![Progress::default(); postboxes.len()],
            postboxes,
            tables,
            clock,
            settings,
            health: Health::Well,
            failed: None,
            held: Vec::new(),
            unanswered: Vec::new(),
            counts: VecDeque::new(),
            uncommitted: Durability::Memory,
            unwritten_since: None,
            unsynced: false,
            synced_at: clock::instant(),
            more_upkeep: true,
            commits_since_upkeep: 0,
            serial,
            sweeps: true,
            backup: None,
            spent: Spent::default(),
            took: Duration::ZERO,
            busy: false,
            stopping: false,
        }
    }

    /// Works; if that ends in a panic, the lines are told that nothing is kept any more.
    ///
    /// # Errors
    ///
    /// What was not written and synced at the end, and why.
    pub(crate) fn run_guarded(self) -> Result<(), String> {
        let postboxes = self.postboxes.clone();
        catch_unwind(AssertUnwindSafe(|| self.run())).unwrap_or_else(|_| {
            tracing::error!("the store ended in a panic: nothing more is acknowledged; restart the broker");
            postboxes.iter().for_each(|postbox| postbox.report(Health::Failed));
            Err("the store ended in a panic".to_owned())
        })
    }

    /// Works until it is asked to stop, or nobody is left who could ask.
    fn run(mut self) -> Result<(), String> {
        while !self.stopping {
            let group = self.gather();
            self.stopping |= group.iter().any(|errand| matches!(errand, Errand::Stop));
            if self.health == Health::Failed {
                self.release(&group);
            } else if let Err(error) = self.work(group) {
                self.fail(&error);
            }
        }
        self.give_up_backup("the broker stops");
        if let Some(why) = self.failed {
            return Err(why);
        }
        let Err(error) = self.archive.commit(storage::Durability::Power) else {
            return Ok(());
        };
        tracing::error!(%error, "the store could not be written to the end");
        match error {
            // What finds no room was never acknowledged.
            StoreError::Full { .. } => Ok(()),
            StoreError::Engine { .. }
            | StoreError::Locked { .. }
            | StoreError::Damaged { .. }
            | StoreError::Version { .. }
            | StoreError::Failed { .. } => Err(format!("the store could not be written to the end: {error}")),
        }
    }

    /// Waits for something to do and takes what there is, up to the bound of one commit.
    fn gather(&mut self) -> Vec<Errand> {
        if !self.held.is_empty() || self.uncommitted != Durability::Memory {
            // Nothing more is taken in before there is room for what is here. It was never acknowledged: at the end of
            // the broker it is given up.
            std::thread::sleep(RETRY);
            self.stopping = self.ends.load(Ordering::Acquire);
            return std::mem::take(&mut self.held);
        }
        let Some(first) = self.first() else { return Vec::new() };
        let mut bytes = weight(&first);
        let mut group = vec![first];
        let patience = if self.busy {
            self.took.min(self.settings.wait_max)
        } else {
            Duration::ZERO
        };
        let deadline = clock::deadline(patience);
        while bytes < self.settings.bytes_max {
            let Some(errand) = self.next(deadline) else { break };
            bytes += weight(&errand);
            group.push(errand);
        }
        self.busy = group.len() > 1;
        group
    }

    /// The next errand: at once if there is work in the background, and else when it comes or what is with the kernel
    /// has waited long enough.
    fn first(&self) -> Option<Errand> {
        let idle = self.health == Health::Failed || !(self.more_upkeep || self.sweeps) && self.counts.is_empty();
        let patience = if self.unwritten_since.is_some() {
            UNWRITTEN_MAX
        } else {
            UNSYNCED_MAX
        };
        let patience = self.backup.as_ref().map_or(patience, Backup::patience);
        let wait = match self.health {
            _ if idle => patience,
            Health::Well => Duration::ZERO,
            Health::Full | Health::Failed => RETRY,
        };
        match self.errands.recv_timeout(wait) {
            Ok(errand) => Some(errand),
            Err(RecvTimeoutError::Timeout) => self.ends.load(Ordering::Acquire).then_some(Errand::Stop),
            Err(RecvTimeoutError::Disconnected) => Some(Errand::Stop),
        }
    }

    /// What has come, or comes before the deadline.
    fn next(&self, deadline: Instant) -> Option<Errand> {
        let errand = self.errands.try_recv();
        errand
            .or_else(|_| self.errands.recv_timeout(clock::until(deadline)))
            .ok()
    }

    /// Takes a group off the account of what waits.
    fn release(&self, group: &[Errand]) {
        self.backlog
            .fetch_sub(group.iter().map(weight).sum(), Ordering::Relaxed);
        let batches = group
            .iter()
            .filter(|errand| matches!(errand, Errand::Batch(..)))
            .count();
        self.waiting.fetch_sub(batches, Ordering::Relaxed);
        self.board.lock().batches += batches as u64;
    }
}

/// Bytes that an errand counts for.
fn weight(errand: &Errand) -> usize {
    match errand {
        Errand::Batch(_, cost) => *cost,
        Errand::Expired(_) | Errand::Backup(_) | Errand::Stop => 0,
    }
}
