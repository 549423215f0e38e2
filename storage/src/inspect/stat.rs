//! How much a store holds, and which queues are the longest.

use std::path::PathBuf;

use mqtt_codec::ClientId;

use super::Inspection;
use super::entries::Entries;
use super::items::{EntryState, Item};
use crate::{Format, SessionId, Shard, Stamp, Store, StoreError, Table};

/// Queues that are named.
const LONGEST_MAX: usize = 10;

/// What a store holds.
#[derive(Clone, Debug)]
pub struct Stat {
    /// The data directory.
    pub directory: PathBuf,
    /// What it says of itself.
    pub format: Format,
    /// The last time and number.
    pub stamp: Stamp,
    /// Bytes of the journal's files, those that wait to be used included.
    pub journal_bytes: u64,
    /// Bytes of the engine's files.
    pub engine_bytes: u64,
    /// Sessions that are kept.
    pub sessions: u64,
    /// Subscriptions.
    pub subscriptions: u64,
    /// Deliveries that wait.
    pub queued: u64,
    /// What these count for in the accounts of their queues, in bytes.
    pub queued_bytes: u64,
    /// Messages on their way between lines.
    pub in_transit: u64,
    /// What these count for in the accounts of the queues to which they go, in bytes.
    pub in_transit_bytes: u64,
    /// Deliveries that were sent and not acknowledged.
    pub in_flight: u64,
    /// Deliveries whose PUBREC came and whose PUBCOMP is awaited.
    pub released: u64,
    /// QoS 2 messages from clients that await their PUBREL.
    pub received: u64,
    /// Messages that several deliveries share.
    pub shared: u64,
    /// Retained messages.
    pub retained: u64,
    /// Bytes of their topics and payloads.
    pub retained_bytes: u64,
    /// Wills, those of sessions included.
    pub wills: u64,
    /// Sessions that ended and have records left.
    pub graves: u64,
    /// The longest queues, the longest first.
    pub longest: Vec<QueueStat>,
}

/// How much one queue holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueStat {
    /// Its session.
    pub session: SessionId,
    /// Whose it is.
    pub client_id: ClientId,
    /// Deliveries, those that were sent included.
    pub messages: u64,
    /// What they count for, in bytes.
    pub bytes: u64,
}

impl Inspection {
    /// Counts everything.
    ///
    /// # Errors
    ///
    /// The engine failed, or a record is damaged.
    pub fn stat(&self) -> Result<Stat, StoreError> {
        let mut stat = Stat {
            directory: self.directory.path().to_owned(),
            format: self.format.clone(),
            stamp: self.recovery.stamp,
            journal_bytes: self.shard.journal_bytes(),
            engine_bytes: self.shard.disk_bytes()?.saturating_sub(self.shard.journal_bytes()),
            sessions: 0,
            subscriptions: 0,
            queued: 0,
            queued_bytes: 0,
            in_transit: 0,
            in_transit_bytes: 0,
            in_flight: 0,
            released: 0,
            received: 0,
            shared: count(&self.shard, crate::record::MESSAGE)?,
            retained: 0,
            retained_bytes: 0,
            wills: 0,
            graves: 0,
            longest: Vec::new(),
        };
        let mut queue = (SessionId(0), 0, 0);
        self.visit(&mut |item| {
            if let Item::Damaged(fault) = &item {
                return Err(fault.at(&stat.directory));
            }
            if let Item::Entry { session, entry, .. } = &item {
                if queue.0 != *session {
                    self.enter(&mut stat.longest, queue)?;
                    queue = (*session, 0, 0);
                }
                queue.1 += 1;
                queue.2 += u64::from(entry.cost_bytes);
            }
            stat.add(&item);
            Ok(())
        })?;
        self.enter(&mut stat.longest, queue)?;
        Ok(stat)
    }

    /// Enters a queue in the list of the longest, if it is one.
    fn enter(&self, longest: &mut Vec<QueueStat>, queue: (SessionId, u64, u64)) -> Result<(), StoreError> {
        let (session, messages, bytes) = queue;
        let shortest = longest.get(LONGEST_MAX - 1).map_or(0, |queue| queue.messages);
        if messages <= shortest {
            return Ok(());
        }
        if let Some(record) = self.session(session)? {
            longest.push(QueueStat {
                session,
                client_id: record.client_id,
                messages,
                bytes,
            });
            longest.sort_by_key(|queue| std::cmp::Reverse(queue.messages));
            longest.truncate(LONGEST_MAX);
        }
        Ok(())
    }
}

impl Stat {
    fn add(&mut self, item: &Item) {
        match item {
            Item::Session { record, .. } => {
                self.sessions += 1;
                self.wills += u64::from(record.will.is_some());
            }
            Item::Subscription { .. } => self.subscriptions += 1,
            Item::Entry { entry, state, .. } => match state {
                EntryState::Waits => {
                    self.queued += 1;
                    self.queued_bytes += u64::from(entry.cost_bytes);
                }
                EntryState::Sent(_) => self.in_flight += 1,
            },
            Item::Transfer { entry, .. } => {
                self.in_transit += 1;
                self.in_transit_bytes += u64::from(entry.cost_bytes);
            }
            Item::Released { .. } => self.released += 1,
            Item::Received { .. } => self.received += 1,
            Item::Retained(message) => {
                self.retained += 1;
                self.retained_bytes += (message.topic.len() + message.payload.len()) as u64;
            }
            Item::Will { .. } => self.wills += 1,
            Item::Ended { .. } => self.graves += 1,
            Item::Damaged(_) => {}
        }
    }
}

fn count(shard: &Shard, table: Table) -> Result<u64, StoreError> {
    let mut count = 0;
    for entry in Entries::new(shard, table) {
        entry?;
        count += 1;
    }
    Ok(count)
}
