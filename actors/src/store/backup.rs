//! A backup while the store serves: one instant is frozen and read in slices between commits.

use std::time::{Duration, Instant};

use storage::{BackupHead, FrozenWalk, Room, Shard, StoreError, StoredRecord};
use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;

use super::{SLICE, StoreActor};
use crate::clock;

/// Longest time in which the receiver takes nothing.
const STALL_MAX: Duration = Duration::from_secs(60);
/// Between two looks whether the receiver has room.
const LOOK: Duration = Duration::from_millis(2);
/// Upkeep of a full store before anything else is tried.
const UPKEEP_MAX: Duration = Duration::from_millis(50);

/// What the receiver of a backup gets: head, records, end.
#[derive(Debug)]
pub(crate) enum Portion {
    /// What the backup says of itself.
    Head(BackupHead),
    /// Records, in order.
    Records(Vec<StoredRecord>),
    /// That was all.
    End,
    /// There is none, or no more of it, and why.
    Refused(String),
}

/// A backup that is under way.
#[derive(Debug)]
pub(super) struct Backup {
    to: Sender<Portion>,
    walk: FrozenWalk,
    is_frozen: bool,
    /// For this the receiver had no room.
    waiting: Option<Portion>,
    begun: Instant,
    progressed: Instant,
    records: u64,
    bytes: u64,
}

/// How a step ended.
enum Step {
    More,
    Done,
    GiveUp(String),
}

impl Backup {
    fn new(to: Sender<Portion>) -> Self {
        Self {
            to,
            walk: FrozenWalk::default(),
            is_frozen: false,
            waiting: None,
            begun: clock::instant(),
            progressed: clock::instant(),
            records: 0,
            bytes: 0,
        }
    }

    /// How long to wait for something else to do before the next step.
    pub(super) fn patience(&self) -> Duration {
        if self.waiting.is_some() { LOOK } else { Duration::ZERO }
    }

    /// Why the shard can hold the instant no longer. It refuses changes from twice the memory on; one commit has room
    /// before that.
    fn burden(&self, shard: &Shard, journal_bytes_max: u64) -> Option<String> {
        let held = shard.overlay_bytes() as u64;
        if !self.is_frozen {
            None
        } else if held / 3 > journal_bytes_max / 2 {
            let what = format!("what changed meanwhile takes {held} bytes of memory");
            Some(format!(
                "{what}; raise storage.journal_bytes_max, or try again when less is going on"
            ))
        } else if shard.room() == Room::Low && shard.journal_bytes() > journal_bytes_max {
            Some("its journal grows and there is little space left on the medium; free some".to_owned())
        } else {
            None
        }
    }

    /// Reads a slice and hands it over, or hands over the last one.
    fn step(&mut self, shard: &mut Shard) -> Step {
        let portion = match self.waiting.take() {
            Some(portion) => portion,
            None => match self.next(shard) {
                Ok(Some(portion)) => portion,
                Ok(None) => return self.check_stall("the last backup is still being tidied up"),
                Err(error) => return Step::GiveUp(error.to_string()),
            },
        };
        let is_last = matches!(portion, Portion::End);
        match self.to.try_send(portion) {
            Ok(()) if is_last => Step::Done,
            Ok(()) => {
                self.progressed = clock::instant();
                Step::More
            }
            Err(TrySendError::Full(portion)) => {
                self.waiting = Some(portion);
                self.check_stall("its receiver took nothing")
            }
            Err(TrySendError::Closed(_)) => Step::GiveUp("its receiver has gone".to_owned()),
        }
    }

    /// What comes next; none while there is nothing that can be frozen.
    fn next(&mut self, shard: &mut Shard) -> Result<Option<Portion>, StoreError> {
        if !self.is_frozen {
            self.is_frozen = shard.freeze();
            return Ok(self.is_frozen.then(|| {
                Portion::Head(BackupHead {
                    made_at_ms: clock::wall().0,
                    stamp: shard.stamp(),
                })
            }));
        }
        let Some(records) = self.walk.page(shard, SLICE)? else {
            return Ok(Some(Portion::End));
        };
        self.records += records.len() as u64;
        let bytes = records.iter().map(|record| record.key.len() + record.value.len());
        self.bytes += bytes.sum::<usize>() as u64;
        Ok(Some(Portion::Records(records)))
    }

    fn check_stall(&self, what: &str) -> Step {
        match clock::since(self.progressed) < STALL_MAX {
            true => Step::More,
            false => Step::GiveUp(format!("{what} for {} s", STALL_MAX.as_secs())),
        }
    }
}

impl StoreActor {
    /// Begins a backup, unless one is under way.
    pub(super) fn begin_backup(&mut self, to: &Sender<Portion>) {
        if self.backup.is_some() {
            // A receiver that has no room for this has gone.
            let _ = to.try_send(Portion::Refused(
                "another backup is under way; wait for its end".to_owned(),
            ));
            return;
        }
        tracing::info!("backup started");
        self.backup = Some(Backup::new(to.clone()));
    }

    /// A slice of the backup that is under way.
    pub(super) fn back_up(&mut self) {
        let Some(backup) = &mut self.backup else { return };
        let shard = self.archive.store_mut();
        let step = match backup.burden(shard, self.settings.journal_bytes_max) {
            Some(why) => Step::GiveUp(why),
            None => backup.step(shard),
        };
        match step {
            Step::More => {}
            Step::Done => {
                tracing::info!(
                    records = backup.records,
                    bytes = backup.bytes,
                    took_ms = clock::since(backup.begun).as_millis(),
                    "backup finished"
                );
                self.thaw();
            }
            Step::GiveUp(why) => self.give_up_backup(&why),
        }
    }

    /// Ends the backup that is under way before its end.
    pub(super) fn give_up_backup(&mut self, why: &str) {
        let Some(backup) = &self.backup else { return };
        tracing::warn!(why, records = backup.records, "backup given up");
        // A receiver without room for the reason sees that the end is missing.
        let _ = backup
            .to
            .try_send(Portion::Refused(format!("the broker gave the backup up: {why}")));
        self.thaw();
    }

    /// The store is full: what a backup holds back is let go, and what may settle settles.
    pub(super) fn make_way(&mut self, what: &str) -> Result<(), StoreError> {
        self.give_up_backup(what);
        let deadline = clock::deadline(UPKEEP_MAX);
        loop {
            self.maintain()?;
            if !self.more_upkeep || clock::until(deadline).is_zero() {
                return Ok(());
            }
        }
    }

    fn thaw(&mut self) {
        if self.backup.take().is_some_and(|backup| backup.is_frozen) {
            self.archive.store_mut().thaw();
            self.more_upkeep = true;
        }
    }
}

#[cfg(test)]
mod tests;
