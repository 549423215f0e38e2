//! What one line counts. Plain numbers: a line has them for itself, and a reader adds the lines up.

use mqtt_codec::QoS;

pub use law::{Copies, Law};

use crate::acl::Action;
use crate::classes::{self, ClassCount};
use crate::exchange::{Ended, Kind, Refusal, Status};
use crate::histogram::Histogram;
use crate::limits::Limit;

mod law;

/// Why a message did not reach a receiver that had asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drop {
    /// QoS 0 for a session without a connection.
    Away,
    /// QoS 0 for a connection whose outgoing buffer is full.
    Slow,
    /// The receiver's queue was full and the setting says to drop.
    QueueFull,
    /// Larger than the receiver's Maximum Packet Size ([MQTT-3.1.2-25] in 5.0).
    TooLarge,
    /// Its Message Expiry Interval had passed.
    Expired,
    /// The session ended while the message waited in it.
    SessionEnded,
    /// A shared group without a member that could take it.
    NoMember,
    /// The receiver's rights or the overseer forbade the delivery.
    Forbidden,
    /// The process is short of memory.
    Memory,
}

impl Drop {
    /// All reasons, in the order of the counters.
    pub const ALL: [Self; 9] = [
        Self::Away,
        Self::Slow,
        Self::QueueFull,
        Self::TooLarge,
        Self::Expired,
        Self::SessionEnded,
        Self::NoMember,
        Self::Forbidden,
        Self::Memory,
    ];
}

/// Counts of one line since its start, but for those called "now".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Connections now.
    pub connected: u64,
    /// Sessions now, connected or not.
    pub sessions: u64,
    /// Most connections at once.
    pub connected_max: u64,
    /// Sessions that ended because their time was over.
    pub sessions_expired: u64,
    /// Packets received and sent.
    pub packets_in: u64,
    /// See `packets_in`.
    pub packets_out: u64,
    /// Bytes read from and written to connections.
    pub bytes_in: u64,
    /// See `bytes_in`.
    pub bytes_out: u64,
    /// PUBLISH packets received, by QoS.
    pub publish_in: [u64; 3],
    /// PUBLISH packets sent, by QoS.
    pub publish_out: [u64; 3],
    /// Payload bytes of PUBLISH packets received and sent.
    pub payload_in: u64,
    /// See `payload_in`.
    pub payload_out: u64,
    /// Messages waiting in sessions now.
    pub queued: u64,
    /// Messages sent and not acknowledged now.
    pub inflight: u64,
    /// PUBLISH exchanges of clients that await their PUBREL or the end of a hold now.
    pub publish_open: u64,
    /// Where copies came from and went to.
    pub copies: Copies,
    /// From the read of a PUBLISH to the write of its delivery.
    pub delivery: Histogram,
    /// Messages by the filters and by the groups of [`Limits::classes`](crate::limits::Limits::classes).
    pub of_filters: Vec<ClassCount>,
    /// See `of_filters`.
    pub of_groups: Vec<ClassCount>,
    /// Messages dropped, by [`Drop`].
    pub dropped: [u64; Drop::ALL.len()],
    /// Exchanges started, by [`Kind`].
    pub started: [u64; Kind::ALL.len()],
    /// Exchanges finished, by [`Kind`].
    pub finished: [u64; Kind::ALL.len()],
    /// Exchanges canceled, by [`Kind`].
    pub canceled: [u64; Kind::ALL.len()],
    /// Exchanges stopped, by [`Kind`] and [`Refusal`].
    pub stopped: [[u64; Refusal::ALL.len()]; Kind::ALL.len()],
    /// Questions put to the rights, by [`Action`]: refused, allowed.
    pub asked: [[u64; 2]; Action::ALL.len()],
    /// How often clients reached a limit, by [`Limit`].
    pub limited: [u64; Limit::ALL.len()],
    /// Connections closed by a limit before they spoke MQTT.
    pub turned_away: u64,
    /// Connections that broke a rule of the protocol.
    pub violations: u64,
    /// Connections that were silent for too long.
    pub keep_alive_timeouts: u64,
    /// Connections that ended in a panic of the broker's.
    pub panics: u64,
}

impl Counters {
    pub(crate) fn count_drop(&mut self, reason: Drop) {
        if let Some(count) = self.dropped.get_mut(reason as usize) {
            *count += 1;
        }
    }

    pub(crate) fn count_asked(&mut self, action: Action, allowed: bool) {
        let of_action = self.asked.get_mut(action as usize);
        if let Some(count) = of_action.and_then(|counts| counts.get_mut(usize::from(allowed))) {
            *count += 1;
        }
    }

    pub(crate) fn count_limit(&mut self, limit: Limit) {
        if let Some(count) = self.limited.get_mut(limit as usize) {
            *count += 1;
        }
    }

    pub(crate) fn count_start(&mut self, kind: Kind) {
        if let Some(count) = self.started.get_mut(kind as usize) {
            *count += 1;
        }
    }

    pub(crate) fn count_end(&mut self, ended: &Ended) {
        let kind = ended.kind as usize;
        let count = match (ended.status, ended.refusal) {
            (Status::Finished, _) => self.finished.get_mut(kind),
            (Status::Stopped, refusal) => {
                let refusal = refusal.unwrap_or(Refusal::Unspecified) as usize;
                self.stopped.get_mut(kind).and_then(|reasons| reasons.get_mut(refusal))
            }
            (Status::Canceled | Status::Created | Status::Running | Status::Blocked, _) => self.canceled.get_mut(kind),
        };
        if let Some(count) = count {
            *count += 1;
        }
    }

    pub(crate) fn count_publish_in(&mut self, qos: QoS, payload: usize) {
        if let Some(count) = self.publish_in.get_mut(qos as usize) {
            *count += 1;
        }
        self.payload_in += payload as u64;
    }

    pub(crate) fn count_publish_out(&mut self, qos: QoS, payload: usize) {
        if let Some(count) = self.publish_out.get_mut(qos as usize) {
            *count += 1;
        }
        self.payload_out += payload as u64;
        self.packets_out += 1;
    }

    /// Exchanges that have started and not ended.
    #[must_use]
    pub fn open_exchanges(&self) -> u64 {
        let started: u64 = self.started.iter().sum();
        let ended: u64 = self
            .finished
            .iter()
            .chain(&self.canceled)
            .chain(self.stopped.iter().flatten())
            .sum();
        started.saturating_sub(ended)
    }

    /// Questions put to the rights: the action, how often it was refused and allowed. [`Action::Retain`] is part of the
    /// question on publishing.
    pub fn rights(&self) -> impl Iterator<Item = (&'static str, [u64; 2])> + '_ {
        Action::ALL
            .iter()
            .zip(self.asked)
            .filter(|(action, _)| **action != Action::Retain)
            .map(|(action, counts)| (action.name(), counts))
    }

    /// Messages dropped, whatever the reason.
    #[must_use]
    pub fn dropped_total(&self) -> u64 {
        self.dropped.iter().sum()
    }

    /// Adds another line's counts to these.
    pub fn add(&mut self, other: &Self) {
        let pairs = [
            (&mut self.connected, other.connected),
            (&mut self.sessions, other.sessions),
            (&mut self.connected_max, other.connected_max),
            (&mut self.sessions_expired, other.sessions_expired),
            (&mut self.packets_in, other.packets_in),
            (&mut self.packets_out, other.packets_out),
            (&mut self.bytes_in, other.bytes_in),
            (&mut self.bytes_out, other.bytes_out),
            (&mut self.payload_in, other.payload_in),
            (&mut self.payload_out, other.payload_out),
            (&mut self.queued, other.queued),
            (&mut self.inflight, other.inflight),
            (&mut self.turned_away, other.turned_away),
            (&mut self.violations, other.violations),
            (&mut self.keep_alive_timeouts, other.keep_alive_timeouts),
            (&mut self.panics, other.panics),
        ];
        for (mine, theirs) in pairs {
            *mine += theirs;
        }
        self.publish_open += other.publish_open;
        self.copies.add(other.copies);
        self.delivery.add(&other.delivery);
        classes::add(&mut self.of_filters, &other.of_filters);
        classes::add(&mut self.of_groups, &other.of_groups);
        add_all(&mut self.publish_in, &other.publish_in);
        add_all(&mut self.publish_out, &other.publish_out);
        add_all(&mut self.dropped, &other.dropped);
        add_all(&mut self.limited, &other.limited);
        add_all(&mut self.started, &other.started);
        add_all(&mut self.finished, &other.finished);
        add_all(&mut self.canceled, &other.canceled);
        for (mine, theirs) in self.asked.iter_mut().zip(&other.asked) {
            add_all(mine, theirs);
        }
        for (mine, theirs) in self.stopped.iter_mut().zip(&other.stopped) {
            add_all(mine, theirs);
        }
    }
}

fn add_all(mine: &mut [u64], theirs: &[u64]) {
    for (mine, theirs) in mine.iter_mut().zip(theirs) {
        *mine += theirs;
    }
}
