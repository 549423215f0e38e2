//! Limits that a client can run into while it is connected, by name: for counters, the log and `$SYS`.

use crate::message::Millis;

/// One limit of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limit {
    /// PUBLISH packets a second.
    MessageRate,
    /// Bytes a second.
    ByteRate,
    /// Topic filters a second.
    FilterRate,
    /// Subscriptions of a session.
    Subscriptions,
    /// Length or levels of a topic name or topic filter.
    TopicSize,
    /// The queue of a receiver.
    Queue,
    /// The outgoing buffer of a connection, for QoS 0.
    OutgoingBuffer,
    /// Number or size of retained messages.
    Retained,
    /// The memory of the process.
    Memory,
}

impl Limit {
    /// All limits, in the order of the counters.
    pub const ALL: [Self; 9] = [
        Self::MessageRate,
        Self::ByteRate,
        Self::FilterRate,
        Self::Subscriptions,
        Self::TopicSize,
        Self::Queue,
        Self::OutgoingBuffer,
        Self::Retained,
        Self::Memory,
    ];

    /// Its name in `$SYS/broker/limits/`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MessageRate => "message_rate",
            Self::ByteRate => "byte_rate",
            Self::FilterRate => "filter_rate",
            Self::Subscriptions => "subscriptions",
            Self::TopicSize => "topic_size",
            Self::Queue => "queue",
            Self::OutgoingBuffer => "outgoing_buffer",
            Self::Retained => "retained",
            Self::Memory => "memory",
        }
    }

    /// What an operator reads in the log: what happened, and the setting that says where the limit is.
    #[must_use]
    pub const fn says(self) -> &'static str {
        match self {
            Self::MessageRate => "client sends messages too fast (listener.client_messages_per_sec)",
            Self::ByteRate => "client sends bytes too fast (listener.client_bytes_per_sec)",
            Self::FilterRate => "client subscribes and unsubscribes too fast (listener.client_filters_per_sec)",
            Self::Subscriptions => "subscription refused: client has as many as it may (session.subscriptions_max)",
            Self::TopicSize => {
                "topic refused: too long, too deep, or the broker's own (packet.topic_bytes_max, packet.topic_levels_max)"
            }
            Self::Queue => {
                "message refused or dropped: a receiver's queue is full (session.queue_messages_max, \
                 session.queue_bytes_max)"
            }
            Self::OutgoingBuffer => {
                "QoS 0 messages dropped: client does not read fast enough (session.out_buffer_bytes_max)"
            }
            Self::Retained => {
                "message refused: it cannot be retained (retained.messages_max, retained.payload_bytes_max)"
            }
            Self::Memory => {
                "message refused or dropped: memory is short (overload.memory_growth_percent, \
                 overload.memory_connect_percent)"
            }
        }
    }
}

/// A limit that was reached by a client, for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitReached {
    /// Which.
    pub limit: Limit,
    /// The client that reached it last.
    pub client_id: mqtt_codec::ClientId,
    /// How often clients of this line reached it since the log was told last.
    pub times: u64,
}

/// When the log was told of each limit: once a second and line is enough, whatever clients do.
#[derive(Debug, Default)]
pub(crate) struct Noticed([(Option<Millis>, u64); Limit::ALL.len()]);

const NOTICE_MILLIS: u64 = 1000;

impl Noticed {
    /// Notes one more time; returns how many there were since the log was told, if it is to be told.
    pub(crate) fn note(&mut self, limit: Limit, now: Millis) -> Option<u64> {
        let (told_at, times) = self.0.get_mut(limit as usize)?;
        *times += 1;
        if told_at.is_some_and(|at| now.since(at) < NOTICE_MILLIS) {
            return None;
        }
        *told_at = Some(now);
        Some(std::mem::take(times))
    }
}
