//! The records of sessions, queues and messages, over a store.
//!
//! [`Archive`] turns what happens to a session into changes of records, gathers them, and applies them as one. The
//! journey of a delivery:
//!
//! ```text
//! enqueue (waits) ----- sent -----> FLIGHT: sent ---+--- done (PUBACK)
//!                                                   |
//! enqueue (with a packet id: sent at once) ---------+--- released (PUBREC) --> FLIGHT: released --- done (PUBCOMP)
//! ```
//!
//! Nothing is read on that way: the line that owns a session remembers in a [`Holding`] what the store has of each of
//! its deliveries, and how many entries share a message is remembered here. Every change says what is to stand where, so
//! that doing it once more changes nothing.

mod bodies;
mod count;
mod list;
mod load;
mod queue;
mod references;
mod sweep;
mod transfer;
mod walk;

pub use count::Counted;
pub use list::{Cursor, Page, StoredSession};
pub use load::{Loaded, LoadedFlight, QueuedRecord, Window};
pub use queue::Holding;
pub use sweep::Swept;

use std::path::PathBuf;

use bytes::Bytes;
use mqtt_codec::PacketId;

use self::bodies::Bodies;
use self::references::References;
use self::sweep::Broom;
use crate::record::{
    Fault, Fields, GRAVE, META, MessageId, MessageRef, RECEIVED, RETAINED, SESSION, SUBSCRIPTION, SessionId,
    SessionRecord, SubscriptionRecord, WILL, WillRecord, open, received_key, seal, session_key, subscription_key,
    topic_key,
};
use crate::{Batch, Durability, Store, StoreError, Table};

/// What the broker keeps, as records in a store. One thread owns it.
///
/// Verbs that write add to the changes that wait; [`Archive::apply`] takes all of them or none. Verbs that read or
/// tidy up apply first what waits, so that they see it.
#[derive(Debug)]
pub struct Archive<S> {
    store: S,
    /// Where the store is, for errors.
    directory: PathBuf,
    /// The changes that wait.
    batch: Batch,
    references: References,
    bodies: Bodies,
    broom: Option<Broom>,
}

impl<S: Store> Archive<S> {
    /// The records of a store. `directory` is named in errors; `ids_from` is the first message id that will be given in
    /// this process: lower ones may be in the store.
    #[must_use]
    pub fn new(store: S, directory: impl Into<PathBuf>, ids_from: MessageId) -> Self {
        Self {
            store,
            directory: directory.into(),
            batch: Batch::default(),
            references: References::new(ids_from),
            bodies: Bodies::default(),
            broom: None,
        }
    }

    /// The store, to read what the archive does not.
    #[must_use]
    pub fn store(&self) -> &S {
        &self.store
    }

    /// The store, for its upkeep. Records are changed through the archive only.
    pub fn store_mut(&mut self) -> &mut S {
        &mut self.store
    }

    /// Bytes of the changes that wait.
    #[must_use]
    pub fn waiting_bytes(&self) -> usize {
        self.batch.bytes()
    }

    /// Applies the changes that wait, as one batch.
    ///
    /// # Errors
    ///
    /// As [`Store::apply`]. None of them was taken then, and they are forgotten: the caller refuses what they were for.
    pub fn apply(&mut self) -> Result<(), StoreError> {
        self.references.write(&mut self.batch);
        if self.batch.is_empty() {
            self.references.settle(true);
            return Ok(());
        }
        let applied = self.store.apply(&self.batch);
        self.references.settle(applied.is_ok());
        self.batch.clear();
        applied
    }

    /// Forgets the changes that wait.
    pub fn discard(&mut self) {
        self.references.settle(false);
        self.batch.clear();
    }

    /// Applies the changes that wait and makes all that was applied durable.
    ///
    /// # Errors
    ///
    /// As [`Archive::apply`] and [`Store::commit`].
    pub fn commit(&mut self, durability: Durability) -> Result<(), StoreError> {
        self.apply()?;
        self.store.commit(durability)
    }

    /// Writes what is kept under a name.
    pub fn put_meta(&mut self, name: &str, value: &[u8]) {
        self.put(META, name.as_bytes(), |out| out.extend_from_slice(value));
    }

    /// What is kept under a name.
    ///
    /// # Errors
    ///
    /// The store failed or the value is damaged.
    pub fn meta(&mut self, name: &str) -> Result<Option<Bytes>, StoreError> {
        self.apply()?;
        self.read(META, name.as_bytes(), |fields| Ok(fields.rest()))
    }

    /// Writes a session, in the place of what was known of it.
    pub fn put_session(&mut self, session: SessionId, record: &SessionRecord) {
        self.put(SESSION, &session_key(session), |out| record.write(out));
    }

    /// Ends a session. Its other records go in slices, by [`Archive::sweep`]; nothing may be added to them.
    pub fn end_session(&mut self, session: SessionId) {
        let key = session_key(session);
        self.batch.remove(SESSION, &key);
        self.put_new(GRAVE, &key, |_| ());
    }

    /// Writes a subscription, in the place of one with the same filter.
    pub fn put_subscription(&mut self, session: SessionId, record: &SubscriptionRecord) {
        let key = subscription_key(session, &record.filter);
        self.put(SUBSCRIPTION, &key, |out| record.write(out));
    }

    /// Removes a subscription, if it is there.
    pub fn remove_subscription(&mut self, session: SessionId, filter: &str) {
        self.batch.remove(SUBSCRIPTION, &subscription_key(session, filter));
    }

    /// A QoS 2 message came from the client of a session, with an id that is not awaiting its PUBREL yet.
    pub fn received(&mut self, session: SessionId, packet_id: PacketId) {
        self.put_new(RECEIVED, &received_key(session, packet_id), |_| ());
    }

    /// Its PUBREL came.
    pub fn forgotten(&mut self, session: SessionId, packet_id: PacketId) {
        self.batch.remove(RECEIVED, &received_key(session, packet_id));
    }

    /// Retains a message in the place of the one that its topic had.
    pub fn retain(&mut self, message: MessageRef<'_>) {
        self.put(RETAINED, &topic_key(message.topic), |out| message.write(out));
    }

    /// Removes the message that a topic has, if any.
    pub fn clear_retained(&mut self, topic: &str) {
        self.batch.remove(RETAINED, &topic_key(topic));
    }

    /// Keeps the will of a connection whose session is not kept. Once for each `session`, which is given to no other.
    pub fn put_will(&mut self, session: SessionId, record: &WillRecord) {
        self.put_new(WILL, &session_key(session), |out| record.write(out));
    }

    /// Removes a will that was published or is not wanted any more.
    pub fn remove_will(&mut self, session: SessionId) {
        self.batch.remove(WILL, &session_key(session));
    }

    fn put(&mut self, table: Table, key: &[u8], content: impl FnOnce(&mut Vec<u8>)) {
        self.batch.put_with(table, key, |out| seal(table, key, out, content));
    }

    /// For a key that the store does not hold.
    fn put_new(&mut self, table: Table, key: &[u8], content: impl FnOnce(&mut Vec<u8>)) {
        self.batch
            .put_new_with(table, key, |out| seal(table, key, out, content));
    }

    /// The record under a key, if there is one.
    fn read<T>(
        &self,
        table: Table,
        key: &[u8],
        read: impl FnOnce(&mut Fields) -> Result<T, &'static str>,
    ) -> Result<Option<T>, StoreError> {
        let Some(value) = self.store.get(table, key)? else {
            return Ok(None);
        };
        open(table, key, &value, read)
            .map(Some)
            .map_err(|fault| fault.at(&self.directory))
    }

    fn damaged(&self, fault: &Fault) -> StoreError {
        fault.at(&self.directory)
    }
}

#[cfg(test)]
mod tests;
