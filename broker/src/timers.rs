//! One sorted table of deadlines for a whole line.

use std::collections::BTreeSet;

use crate::key::SessionKey;
use crate::message::Millis;

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// Look whether the connection with this number has been heard of.
    KeepAlive(u32),
    /// The session's time without a connection is over.
    SessionExpiry,
    /// The will's delay is over.
    Will,
    /// The overseer's hold on a request of the connection with this number is over.
    Hold(u32),
    /// The connection with this number has kept its rate again.
    Pace(u32),
    /// The overseer's hold on deliveries is over.
    Deliver,
    /// The identity of the connection with this number has expired.
    Identity(u32),
    /// The time for the connection with this number to prove itself again is over.
    Authentication(u32),
    /// A message in a full queue has expired.
    Purge,
}

/// Deadlines in order. An entry that has become pointless is found out when it fires, which is cheaper than to look
/// for it with every packet.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    entries: BTreeSet<(Millis, SessionKey, Timer)>,
}

impl Timers {
    pub(crate) fn set(&mut self, at: Millis, key: SessionKey, timer: Timer) {
        self.entries.insert((at, key, timer));
    }

    pub(crate) fn cancel(&mut self, at: Millis, key: SessionKey, timer: Timer) {
        self.entries.remove(&(at, key, timer));
    }

    pub(crate) fn next(&self) -> Option<Millis> {
        self.entries.first().map(|(at, _, _)| *at)
    }

    pub(crate) fn pop_due(&mut self, now: Millis) -> Option<(SessionKey, Timer)> {
        let (at, _, _) = self.entries.first()?;
        if *at > now {
            return None;
        }
        self.entries.pop_first().map(|(_, key, timer)| (key, timer))
    }
}
