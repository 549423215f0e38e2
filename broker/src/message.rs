//! An application message that the broker has taken over, and the instant type of this crate.

use std::sync::Arc;

use bytes::Bytes;
use mqtt_codec::{PublishProperties, QoS, TopicName};

use crate::durable::MessageId;
use crate::key::SessionKey;
use crate::traces::TraceContext;

/// Milliseconds on the caller's clock, which never goes back: not while the broker runs, and with a store that outlives
/// it not from one start to the next. The brain never reads a clock: time is an argument.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub u64);

impl Millis {
    /// The instant `secs` seconds after this one.
    #[must_use]
    pub const fn plus_secs(self, secs: u64) -> Self {
        Self(self.0.saturating_add(secs.saturating_mul(1000)))
    }

    /// The instant `millis` milliseconds after this one.
    #[must_use]
    pub const fn plus(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` to this instant; 0 if it lies ahead.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// One application message, shared by all who will get it.
///
/// Topic and payload own their bytes: nothing here keeps a read buffer alive.
#[derive(Debug, PartialEq)]
pub struct Message {
    /// Where it was published.
    pub topic: TopicName,
    /// What was published.
    pub payload: Bytes,
    /// QoS of the publisher's packet; receivers get at most this.
    pub qos: QoS,
    /// Whether the publisher asked for it to be retained.
    pub retain: bool,
    /// The properties passed on as they came (5.0). Alias, subscription ids and expiry are not among them.
    pub properties: Option<Box<PublishProperties>>,
    /// From this instant on it is not delivered any more (5.0 Message Expiry Interval).
    pub expires_at: Option<Millis>,
    /// Who published it, for No Local. `None`: the broker itself.
    pub publisher: Option<SessionKey>,
    /// Names its body in the store where several queues share it; 0: none has asked for a name.
    pub id: u64,
    /// When its PUBLISH was read, in microseconds of the clock of [`Millis`]; 0: it is not known, or does not count.
    pub arrived_micros: u64,
    /// The trace that it belongs to, if it is sampled.
    pub trace: Option<Arc<TraceContext>>,
}

impl Message {
    /// Bytes that this message counts for in a queue's account: topic, payload, properties and a fixed share for the
    /// structure.
    #[must_use]
    pub fn cost(&self) -> usize {
        const STRUCTURE: usize = 128;
        self.topic.len() + self.payload.len() + self.properties.as_deref().map_or(0, cost_of_properties) + STRUCTURE
    }

    /// The number of its body in the store, if several queues share it.
    pub(crate) fn body(&self, shared: bool) -> Option<MessageId> {
        shared.then_some(MessageId(self.id))
    }

    /// Whether its time is over at `now`.
    #[must_use]
    pub fn is_expired(&self, now: Millis) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }

    /// Seconds left at `now`, rounded up so that a message that may be sent never carries 0: [MQTT-3.3.2-6] in 5.0.
    #[must_use]
    pub fn expiry_secs_left(&self, now: Millis) -> Option<u32> {
        let left = self.expires_at?.since(now).div_ceil(1000);
        Some(u32::try_from(left).unwrap_or(u32::MAX))
    }
}

fn cost_of_properties(properties: &PublishProperties) -> usize {
    const STRUCTURE: usize = 128;
    const STRUCTURE_OF_PAIR: usize = 64;
    let pairs = properties
        .user_properties
        .iter()
        .map(|(name, value)| name.len() + value.len() + STRUCTURE_OF_PAIR);
    STRUCTURE
        + properties.response_topic.as_ref().map_or(0, |topic| topic.len())
        + properties.correlation_data.as_ref().map_or(0, bytes::Bytes::len)
        + properties.content_type.as_ref().map_or(0, |text| text.len())
        + pairs.sum::<usize>()
}
