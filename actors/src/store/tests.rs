use std::sync::Arc;

use broker::durable::{Entry, Place};
use broker::message::Message;
use broker::router::SubscriptionIds;
use mqtt_codec::{QoS, TopicName};

/// A message of QoS 1 that waits at a place.
pub(super) fn entry(place: u64) -> Entry {
    let message = Message {
        topic: TopicName::new("t").unwrap(),
        payload: "payload".into(),
        qos: QoS::AtLeastOnce,
        retain: false,
        properties: None,
        expires_at: None,
        publisher: None,
        id: 0,
        arrived_micros: 0,
        trace: None,
    };
    Entry {
        place: Place(place),
        message: Arc::new(message),
        qos: QoS::AtLeastOnce,
        retain: false,
        ids: SubscriptionIds::None,
        via: None,
        shared: false,
        packet_id: None,
    }
}
