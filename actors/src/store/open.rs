//! The start: the data directory is opened, and what it holds is given to the lines and the tables.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::Addr;
use broker::durable::SessionImage;
use broker::line::home_line;
use broker::message::Millis;
use broker::router::SubscriptionOptions;
use broker::tables::Tables;
use mqtt_codec::{ClientId, TopicFilter};
use storage::{
    Archive, DataDirectory, Format, MessageId, Place, Recovery, ScanLimit, Shard, ShardOptions, Stamp, Store,
    StoreError, open_engine,
};

use super::translate::{message_of, session_of, will_of};
use crate::clock;
use crate::message::{CatchUp, Execute, Restore};
use crate::session::SessionActor;
use crate::settings::{StoreEngine, StoreSettings};
use crate::tables::SharedTables;

/// Records that are read and handed over at a time.
const PAGE: ScanLimit = ScanLimit {
    entries_max: 1024,
    bytes_max: 1 << 20,
};
/// Numbers for what a start itself writes.
const NUMBERS_RESERVED: u64 = 1 << 32;
/// Between two reports on how far the start has come.
const REPORT: Duration = Duration::from_secs(1);

/// An open store that no actor owns yet.
pub(crate) struct Opened {
    pub(crate) archive: Archive<Shard>,
    /// The last time that it has seen.
    pub(crate) time: Millis,
    /// The highest number that any line has given out.
    pub(crate) serial: u64,
    /// Opens the engine once more after it failed.
    pub(crate) reopen: Reopen,
}

/// Opens an engine on its directory.
pub(crate) type Reopen = Box<dyn Fn() -> Result<Box<dyn Store>, StoreError> + Send>;

fn name_of(engine: StoreEngine) -> &'static str {
    match engine {
        StoreEngine::Fjall => "fjall",
        StoreEngine::Sled => "sled",
    }
}

/// Whether [`open`] would know the directory. Of one that this user may not look into, nothing is said.
///
/// # Errors
///
/// It holds what another engine or a later broker wrote.
pub(crate) fn check(settings: &StoreSettings) -> Result<(), StoreError> {
    match Format::of_engine(&settings.directory, name_of(settings.engine)) {
        Err(StoreError::Failed { error, .. }) if error.kind() == ErrorKind::PermissionDenied => Ok(()),
        format => format.map(drop),
    }
}

/// Opens the data directory and its journal.
///
/// # Errors
///
/// Says whose the directory is, what is damaged, or what the system refuses.
pub(crate) fn open(settings: &StoreSettings) -> Result<Opened, StoreError> {
    let begun = clock::instant();
    let name = name_of(settings.engine);
    let directory = DataDirectory::open(&settings.directory, name)?;
    let path = directory.path().to_owned();
    let (shelf, cache_bytes) = (directory.find_shelf()?, settings.cache_bytes);
    let reopen: Reopen = Box::new(move || open_engine(name, &shelf, Some(cache_bytes)));
    let mut options = ShardOptions::new(reopen()?);
    options.segment_bytes = settings.segment_bytes;
    options.journal_bytes_max = settings.journal_bytes_max;
    options.overlay_bytes_max = usize::try_from(settings.journal_bytes_max).unwrap_or(usize::MAX);
    options.free_bytes_min = settings.free_bytes_min;
    let (shard, recovery) = Shard::open(directory, options)?;
    report(&path, &recovery, begun);
    let stamp = shard.stamp();
    warn_of_clock(Millis(stamp.time_ms));
    let mut archive = Archive::new(shard, path, MessageId(stamp.number + 1));
    let serial = finish_transfers(&mut archive, stamp)?;
    Ok(Opened {
        archive,
        time: Millis(stamp.time_ms),
        serial,
        reopen,
    })
}

/// Puts what was under way between lines into the queues that it was for. Returns the highest number that is given out.
fn finish_transfers(archive: &mut Archive<Shard>, stamp: Stamp) -> Result<u64, StoreError> {
    let mut number = stamp.number;
    // Whatever of this reaches the disk, no number of it is given out again.
    let reserved = stamp.number + NUMBERS_RESERVED;
    archive.store_mut().raise_stamp(Stamp {
        number: reserved,
        ..stamp
    });
    let finished = archive.finish_transfers(|| {
        number += 1;
        Place(number)
    })?;
    archive.commit(storage::Durability::Power)?;
    if finished > 0 {
        tracing::info!(
            messages = finished,
            "messages that were on their way between lines are in their queues"
        );
    }
    Ok(reserved)
}

fn report(path: &Path, recovery: &Recovery, begun: Instant) {
    if let Some(torn) = &recovery.torn {
        tracing::warn!(
            file = %torn.file.display(),
            offset = torn.offset,
            bytes = torn.bytes,
            "the last write before the broker ended was not finished: it is cut off; if the medium is sound, nothing in it had been acknowledged"
        );
    }
    tracing::info!(
        directory = %path.display(),
        blocks = recovery.blocks,
        records = recovery.records,
        bytes = recovery.bytes,
        took_ms = clock::since(begun).as_millis(),
        "store opened"
    );
}

/// Time goes on from where the store has come to, so that a clock that was set back keeps nothing alive.
fn warn_of_clock(seen: Millis) {
    const TOLERATED_MS: u64 = 1000;
    let now = clock::wall();
    if seen.since(now) > TOLERATED_MS {
        tracing::warn!(
            behind_secs = seen.since(now) / 1000,
            "the system's clock stands before the store's last time: expiry goes on from the store's time"
        );
    }
}

/// Gives the lines their sessions and wills, and the tables subscriptions and retained messages.
///
/// # Errors
///
/// Something is damaged, or a line has ended.
pub(crate) async fn restore(
    archive: &mut Archive<Shard>,
    lines: &[Addr<SessionActor>],
    tables: &SharedTables,
    now: Millis,
) -> Result<(), StoreError> {
    let mut progress = Restored::default();
    restore_sessions(archive, lines, tables, &mut progress).await?;
    restore_retained(archive, tables, now, &mut progress)?;
    restore_wills(archive, lines).await?;
    for line in lines {
        // Wills without a delay and sessions whose time is over do not wait for the first client.
        if line.send(CatchUp).await.is_err() {
            tracing::error!("a line ended while the broker started");
        }
    }
    tracing::info!(
        sessions = progress.sessions,
        subscriptions = progress.subscriptions,
        retained = progress.retained,
        took_ms = clock::since(progress.begun).as_millis(),
        "what the store holds is in force; queues are read when they are needed"
    );
    Ok(())
}

/// How far the start has come.
struct Restored {
    begun: Instant,
    reported: Instant,
    sessions: usize,
    subscriptions: usize,
    retained: usize,
}

impl Default for Restored {
    fn default() -> Self {
        let begun = clock::instant();
        Self {
            begun,
            reported: begun,
            sessions: 0,
            subscriptions: 0,
            retained: 0,
        }
    }
}

impl Restored {
    fn report(&mut self) {
        if clock::since(self.reported) >= REPORT {
            self.reported = clock::instant();
            tracing::info!(
                sessions = self.sessions,
                subscriptions = self.subscriptions,
                retained = self.retained,
                "reading what the store holds"
            );
        }
    }
}

type Kept = (SessionImage, Vec<(TopicFilter, SubscriptionOptions)>);

async fn restore_sessions(
    archive: &mut Archive<Shard>,
    lines: &[Addr<SessionActor>],
    tables: &SharedTables,
    progress: &mut Restored,
) -> Result<(), StoreError> {
    let mut cursor = None;
    loop {
        let page = archive.sessions(cursor.as_ref(), PAGE)?;
        let mut shares: HashMap<usize, Vec<Kept>> = HashMap::new();
        for stored in page.items {
            let kept = session_of(stored);
            progress.sessions += 1;
            progress.subscriptions += kept.1.len();
            shares.entry(home(&kept.0.client_id, lines)).or_default().push(kept);
        }
        for (home, sessions) in shares {
            let Some(line) = lines.get(home) else { continue };
            let requests = line.send(Restore { sessions }).await.unwrap_or_default();
            tables.change(requests);
        }
        progress.report();
        cursor = page.next;
        if cursor.is_none() {
            return Ok(());
        }
    }
}

fn restore_retained(
    archive: &mut Archive<Shard>,
    tables: &SharedTables,
    now: Millis,
    progress: &mut Restored,
) -> Result<(), StoreError> {
    let mut cursor = None;
    loop {
        let page = archive.retained(cursor.as_ref(), PAGE)?;
        for record in page.items {
            let message = Arc::new(message_of(&record, None));
            if message.is_expired(now) {
                archive.clear_retained(&message.topic);
            } else if let Err(refusal) = tables.retain(&message) {
                // It stays in the store, for a start with a higher bound.
                tracing::warn!(topic = %&*message.topic, %refusal, "a retained message of the store is not in force");
            } else {
                progress.retained += 1;
            }
        }
        progress.report();
        cursor = page.next;
        if cursor.is_none() {
            return archive.apply();
        }
    }
}

async fn restore_wills(archive: &mut Archive<Shard>, lines: &[Addr<SessionActor>]) -> Result<(), StoreError> {
    let mut cursor = None;
    loop {
        let page = archive.wills(cursor.as_ref(), PAGE)?;
        for (session, record) in page.items {
            let image = will_of(session, record);
            let Some(line) = lines.get(home(&image.client_id, lines)) else {
                continue;
            };
            if line.send(Execute(Box::new(image))).await.is_err() {
                tracing::error!("a line ended while the broker started");
            }
        }
        cursor = page.next;
        if cursor.is_none() {
            return Ok(());
        }
    }
}

fn home(client_id: &ClientId, lines: &[Addr<SessionActor>]) -> usize {
    usize::from(home_line(client_id, u16::try_from(lines.len()).unwrap_or(u16::MAX), 0))
}
