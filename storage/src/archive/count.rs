//! The account of a queue, and what expires in it, in slices.

use super::{Archive, Holding};
use crate::record::{Entry, Place, QUEUE, SessionId, StoreTime, open, place_key, session_key};
use crate::{ScanLimit, Store, StoreError};

/// What a slice of a queue holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Deliveries that wait.
    pub entries: u64,
    /// What they count for in the account of the queue, in bytes.
    pub bytes: u64,
    /// Deliveries that were removed because their time was over.
    pub expired: u64,
    /// Behind which place to go on; `None`: this was the last slice.
    pub next: Option<Place>,
}

impl<S: Store> Archive<S> {
    /// Counts what waits in a queue behind a place, within `limit`; what is under way does not wait.
    ///
    /// With a time, what has expired at it is removed instead: [MQTT-3.3.2-5] in 5.0. That is for the part of a queue
    /// that no line holds in memory: a line that sent such a delivery would have nothing to mark as sent.
    ///
    /// # Errors
    ///
    /// The store failed, has no room, or a record is damaged; nothing is removed then.
    pub fn count(
        &mut self,
        session: SessionId,
        after: Option<Place>,
        expired_at: Option<StoreTime>,
        limit: ScanLimit,
    ) -> Result<Counted, StoreError> {
        self.apply()?;
        let counted = self.count_slice(session, after, expired_at, limit);
        if counted.is_err() {
            self.discard();
        }
        let counted = counted?;
        self.apply()?;
        Ok(counted)
    }

    fn count_slice(
        &mut self,
        session: SessionId,
        after: Option<Place>,
        expired_at: Option<StoreTime>,
        limit: ScanLimit,
    ) -> Result<Counted, StoreError> {
        let after = after.map(|place| place_key(session, place));
        let after = after.as_ref().map(<[u8; _]>::as_slice);
        let found = self.store.scan(QUEUE, &session_key(session), after, limit)?;
        let mut flights = self.flights(session, after)?;
        let mut counted = Counted::default();
        let mut read_bytes = 0;
        for (key, value) in &found {
            read_bytes += key.len() + value.len();
            let place = self.place(QUEUE, key)?;
            let entry = open(QUEUE, key, value, Entry::read).map_err(|fault| self.damaged(&fault))?;
            while flights.next_if(|(flight, _)| *flight < place).is_some() {}
            counted.next = Some(place);
            if entry.packet_id.is_some() || flights.next_if(|(flight, _)| *flight == place).is_some() {
                continue;
            }
            if expired_at.is_some_and(|now| entry.expires_at().is_some_and(|at| at <= now)) {
                self.done(session, place, Holding::queued(entry.shared()))?;
                counted.expired += 1;
            } else {
                counted.entries += 1;
                counted.bytes += u64::from(entry.cost_bytes);
            }
        }
        if !limit.is_reached(found.len(), read_bytes) {
            counted.next = None;
        }
        Ok(counted)
    }
}
