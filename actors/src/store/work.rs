//! What the store actor does with what it gathered.

use broker::durable::{Batch, Durability, Fetch, Fetched, Found, Health, Place, Progress, Wanted};
use storage::{Room, ScanLimit, Stamp, Store, StoreError, StoreTime};

use super::translate::{carry_out, open_of, place, window_of};
use super::{Errand, REOPEN, SLICE, StoreActor, UNSYNCED_MAX, UNWRITTEN_MAX};
use crate::clock;

/// Commits after which a busy store looks after its journal all the same.
const UPKEEP_EVERY: u32 = 16;
/// Bytes of one window of a queue.
const WINDOW_BYTES_MAX: usize = 4 << 20;

/// A queue that is being counted.
#[derive(Debug)]
pub(super) struct Count {
    fetch: Fetch,
    asked_after: Place,
    after: storage::Place,
    entries: u64,
    bytes: u64,
    expired: u64,
}

impl StoreActor {
    /// Applies a group, commits it, answers its questions, and does a slice of what can wait.
    pub(super) fn work(&mut self, group: Vec<Errand>) -> Result<(), StoreError> {
        let begun = clock::instant();
        match self.apply(&group) {
            Err(StoreError::Full { what }) => {
                self.held = group;
                self.turn(Health::Full, &what);
                self.make_way(&what)?;
                return Ok(());
            }
            // A count stands in the engine, which is opened again.
            Err(StoreError::Failed { .. }) if !self.archive.store().has_failed() => {
                self.held = group;
                self.engine_failed_at.get_or_insert_with(clock::instant);
                return self.maintain();
            }
            applied => applied?,
        }
        self.release(&group);
        let durability = self.account(&group).max(std::mem::take(&mut self.uncommitted));
        if durability != Durability::Memory {
            let late = clock::since(self.synced_at) > UNSYNCED_MAX;
            self.commit(if late { Durability::Disk } else { durability })?;
            self.took = clock::since(begun);
            self.board.lock().commit.observe(micros(self.took), 1);
        } else if self.is_overdue() {
            self.commit(Durability::Disk)?;
        }
        let asked = group
            .iter()
            .filter_map(batch_of)
            .flat_map(|batch| &batch.fetches)
            .copied();
        for fetch in std::mem::take(&mut self.unanswered).into_iter().chain(asked) {
            let fetched = self.fetch(fetch);
            if let Err(error) = fetched {
                self.bear(fetch, error)?;
            }
        }
        for errand in &group {
            if let Errand::Backup(to) = errand {
                self.begin_backup(to);
            }
        }
        self.back_up();
        self.look_for_room();
        self.report();
        self.keep_house(group.is_empty())
    }

    /// Takes all changes of a group or none.
    fn apply(&mut self, group: &[Errand]) -> Result<(), StoreError> {
        let now = StoreTime(self.clock.now().0);
        let mut serial = self.serial;
        self.spent
            .look(group.iter().filter_map(batch_of).flat_map(|batch| &batch.changes));
        for errand in group {
            match errand {
                Errand::Batch(batch, _) => {
                    serial = serial.max(batch.serial);
                    for change in batch.changes.iter().filter(|change| !self.spent.has(change)) {
                        self.sweeps |= matches!(change, broker::durable::Change::EndSession(_));
                        if let Err(error) = carry_out(&mut self.archive, change, &self.tables) {
                            self.archive.discard();
                            return Err(error);
                        }
                    }
                }
                Errand::Expired(topics) => {
                    for topic in topics {
                        if self.tables.retained_message(topic).is_none() {
                            self.archive.clear_retained(topic);
                        }
                    }
                }
                Errand::Backup(_) | Errand::Stop => {}
            }
        }
        self.archive.store_mut().raise_stamp(Stamp {
            time_ms: now.0,
            number: serial,
        });
        self.archive.apply()?;
        self.serial = serial;
        Ok(())
    }

    /// Notes which batches were applied, and the highest durability that anybody waits for.
    fn account(&mut self, group: &[Errand]) -> Durability {
        let mut highest = Durability::Memory;
        for errand in group {
            let durability = match errand {
                Errand::Batch(batch, _) => {
                    if let Some(applied) = self.applied.get_mut(usize::from(batch.line)) {
                        *applied = batch.number;
                    }
                    batch.durability
                }
                Errand::Expired(_) | Errand::Backup(_) => Durability::Memory,
                Errand::Stop => Durability::Disk,
            };
            highest = highest.max(durability);
        }
        if !group.is_empty() {
            self.unwritten_since.get_or_insert_with(clock::instant);
        }
        highest
    }

    /// Whether what nobody waits for has waited long enough itself.
    fn is_overdue(&self) -> bool {
        let unwritten = self
            .unwritten_since
            .is_some_and(|since| clock::since(since) >= UNWRITTEN_MAX);
        unwritten || (self.unsynced && clock::since(self.synced_at) >= UNSYNCED_MAX)
    }

    fn commit(&mut self, durability: Durability) -> Result<(), StoreError> {
        let synced = durability == Durability::Disk;
        let asked = if synced {
            storage::Durability::Power
        } else {
            storage::Durability::Process
        };
        let begun = clock::instant();
        match self.archive.commit(asked) {
            Err(StoreError::Full { what }) => {
                self.uncommitted = durability;
                self.turn(Health::Full, &what);
                return Ok(());
            }
            committed => committed?,
        }
        self.count_commit(synced, micros(clock::since(begun)));
        self.unwritten_since = None;
        self.unsynced = !synced;
        if synced {
            self.synced_at = clock::instant();
        }
        for ((postbox, told), written) in self.postboxes.iter().zip(&mut self.told).zip(&self.applied) {
            let progress = Progress {
                written: *written,
                synced: if synced { *written } else { told.synced },
            };
            if progress != *told {
                *told = progress;
                postbox.advance(progress);
            }
        }
        Ok(())
    }

    fn count_commit(&self, synced: bool, took_micros: u64) {
        let mut board = self.board.lock();
        board.commits += 1;
        if synced {
            board.commits_synced += 1;
            board.sync.observe(took_micros, 1);
        }
    }

    /// Writes on the board how the store is.
    fn report(&self) {
        let shard = self.archive.store();
        let mut board = self.board.lock();
        board.health = self.health;
        board.journal_bytes = shard.journal_bytes();
        board.overlay_bytes = shard.overlay_bytes();
        board.overlay_entries = shard.overlay_entries();
        board.engine_failed = self.engine_failed_at.is_some();
    }

    /// Sees whom an error in reading concerns: one session, the engine, or everybody.
    fn bear(&mut self, fetch: Fetch, error: StoreError) -> Result<(), StoreError> {
        if matches!(error, StoreError::Damaged { .. }) {
            tracing::error!(%error, "a session cannot be served");
            self.answer(fetch, Found::Unreadable);
            return Ok(());
        }
        if self.archive.store().has_failed() {
            return Err(error);
        }
        // The journal is well: the engine is opened again, and asked again then.
        self.engine_failed_at.get_or_insert_with(clock::instant);
        self.unanswered.push(fetch);
        Ok(())
    }

    fn fetch(&mut self, fetch: Fetch) -> Result<(), StoreError> {
        if !matches!(fetch.what, Wanted::Count(_)) {
            // From here on a line holds what a count would remove as expired.
            self.counts.retain(|count| count.fetch.id != fetch.id);
        }
        let session = storage::SessionId(fetch.id.0);
        let limit = |entries_max| ScanLimit {
            entries_max,
            bytes_max: WINDOW_BYTES_MAX,
        };
        let found = match fetch.what {
            Wanted::Conversations(max) => {
                let loaded = self.archive.load(session, limit(max))?;
                Found::Conversations {
                    received: loaded.received,
                    open: loaded.flights.iter().map(open_of).collect(),
                    window: window_of(loaded.window),
                }
            }
            Wanted::Window(after, max) => {
                let window = self.archive.window(session, place(after), limit(max))?;
                Found::Window(window_of(window))
            }
            Wanted::Count(after) => {
                self.counts.push_back(Count {
                    fetch,
                    asked_after: after,
                    after: place(after),
                    entries: 0,
                    bytes: 0,
                    expired: 0,
                });
                return Ok(());
            }
        };
        self.answer(fetch, found);
        Ok(())
    }

    fn answer(&self, fetch: Fetch, found: Found) {
        if let Some(postbox) = self.postboxes.get(usize::from(fetch.session.line())) {
            postbox.answer(Fetched {
                session: fetch.session,
                id: fetch.id,
                found,
            });
        }
    }

    /// Tells the lines when room runs out, before it has run out, and when there is room again.
    fn look_for_room(&mut self) {
        let waits = !self.held.is_empty() || self.uncommitted != Durability::Memory;
        match self.archive.store().room() {
            Room::Low => {
                let directory = self.archive.store().directory().map(|path| path.display().to_string());
                let what = format!("little space is left for {}", directory.unwrap_or_default());
                self.turn(Health::Full, &what);
            }
            Room::Plenty if !waits => self.turn(Health::Well, ""),
            Room::Plenty => {}
        }
    }

    fn turn(&mut self, health: Health, what: &str) {
        if self.health == health {
            return;
        }
        self.health = health;
        self.board.lock().health = health;
        match health {
            Health::Full => tracing::error!(
                what,
                "the store has no room: messages that would have to be stored are refused until space is freed"
            ),
            Health::Well => tracing::info!("the store has room again: messages are taken as before"),
            Health::Failed => {}
        }
        for postbox in &self.postboxes {
            postbox.report(health);
        }
    }

    /// The store failed: nothing is promised from here on.
    pub(super) fn fail(&mut self, error: &StoreError) {
        tracing::error!(
            %error,
            "the store failed: nothing more is acknowledged; mend the medium and restart the broker, what was acknowledged is kept"
        );
        self.give_up_backup("the store has failed");
        self.failed = Some(format!(
            "the store failed, and nothing was promised from then on: {error}"
        ));
        self.turn(Health::Failed, "");
    }

    /// A slice of what nobody waits for: counts of queues, records of ended sessions, the journal's older part.
    fn keep_house(&mut self, idle: bool) -> Result<(), StoreError> {
        if let Some(count) = self.counts.pop_front() {
            self.go_on_counting(count)?;
        }
        if self.sweeps && idle {
            let swept = bear_with_full(self.archive.sweep(SLICE))?;
            self.sweeps = swept.is_none_or(|swept| swept.more);
        }
        self.commits_since_upkeep += 1;
        if idle || self.commits_since_upkeep >= UPKEEP_EVERY || self.is_pressed() {
            self.commits_since_upkeep = 0;
            self.maintain()?;
        }
        Ok(())
    }

    pub(super) fn maintain(&mut self) -> Result<(), StoreError> {
        if self.engine_failed_at.is_some_and(|at| clock::since(at) < REOPEN) {
            self.more_upkeep = false;
            return Ok(());
        }
        let reopened = match self.engine_failed_at.take() {
            Some(_) => self.archive.store_mut().replace_engine(&self.reopen),
            None => Ok(()),
        };
        match reopened.and_then(|()| self.archive.store_mut().maintain()) {
            Ok(more) => self.more_upkeep = more,
            Err(error) if self.archive.store().has_failed() => return Err(error),
            // The journal has what the engine could not take, and keeps it until it can.
            Err(error) => {
                self.more_upkeep = false;
                self.engine_failed_at = Some(clock::instant());
                tracing::error!(
                    %error,
                    retry_secs = REOPEN.as_secs(),
                    "the engine of the store failed; the journal keeps what was acknowledged, and the engine is opened again"
                );
            }
        }
        Ok(())
    }

    /// Whether the journal is due to be settled: then it cannot wait for a quiet moment.
    fn is_pressed(&self) -> bool {
        let shard = self.archive.store();
        let max = self.settings.journal_bytes_max;
        shard.journal_bytes() > max || shard.overlay_bytes() as u64 > max / 4 * 3
    }

    fn go_on_counting(&mut self, mut count: Count) -> Result<(), StoreError> {
        let session = storage::SessionId(count.fetch.id.0);
        let now = StoreTime(self.clock.now().0);
        let slice = self.archive.count(session, Some(count.after), Some(now), SLICE);
        let slice = match slice {
            Ok(slice) => slice,
            Err(StoreError::Full { .. }) => {
                self.counts.push_back(count);
                return Ok(());
            }
            Err(error) => return self.bear(count.fetch, error),
        };
        count.entries += slice.entries;
        count.bytes += slice.bytes;
        count.expired += slice.expired;
        match slice.next {
            Some(next) => {
                count.after = next;
                self.counts.push_front(count);
            }
            None => {
                let found = Found::Count {
                    after: count.asked_after,
                    entries: usize::try_from(count.entries).unwrap_or(usize::MAX),
                    bytes: usize::try_from(count.bytes).unwrap_or(usize::MAX),
                    expired: usize::try_from(count.expired).unwrap_or(usize::MAX),
                };
                self.answer(count.fetch, found);
            }
        }
        Ok(())
    }
}

fn micros(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn batch_of(errand: &Errand) -> Option<&Batch> {
    match errand {
        Errand::Batch(batch, _) => Some(batch),
        Errand::Expired(_) | Errand::Backup(_) | Errand::Stop => None,
    }
}

/// Work that can wait waits when there is no room.
fn bear_with_full<T>(result: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(StoreError::Full { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
