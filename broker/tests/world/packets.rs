//! Packets in one line each.

use mqtt_codec::{
    Packet, PacketId, Puback, PubackReason, Pubcomp, PubcompReason, Publish, Pubrec, PubrecReason, Pubrel,
    PubrelReason, QoS, Subscribe, SubscribeFilter, TopicFilter, TopicName, Unsubscribe,
};

pub fn id(id: u16) -> PacketId {
    PacketId::new(id).unwrap()
}

pub fn filter(filter: &str) -> TopicFilter {
    TopicFilter::new(filter.to_owned()).unwrap()
}

pub fn topic(topic: &str) -> TopicName {
    TopicName::new(topic.to_owned()).unwrap()
}

/// Without flags; QoS 1 and 2 take packet id 1.
pub fn publish(name: &str, payload: &str, qos: QoS) -> Publish {
    Publish {
        dup: false,
        qos,
        retain: false,
        topic: topic(name),
        packet_id: (qos != QoS::AtMostOnce).then(|| id(1)),
        properties: None,
        payload: payload.to_owned().into(),
    }
}

pub fn subscribe(packet_id: u16, name: &str, qos: QoS) -> Subscribe {
    Subscribe {
        packet_id: id(packet_id),
        subscription_id: None,
        user_properties: Vec::new(),
        filters: vec![SubscribeFilter::new(filter(name), qos)],
    }
}

pub fn unsubscribe(packet_id: u16, name: &str) -> Packet {
    Packet::Unsubscribe(Unsubscribe {
        packet_id: id(packet_id),
        user_properties: Vec::new(),
        filters: vec![filter(name)],
    })
}

pub fn puback(id: PacketId) -> Packet {
    Packet::Puback(Puback::new(id, PubackReason::Success))
}

pub fn pubrec(id: PacketId) -> Packet {
    Packet::Pubrec(Pubrec::new(id, PubrecReason::Success))
}

pub fn pubrel(id: PacketId) -> Packet {
    Packet::Pubrel(Pubrel::new(id, PubrelReason::Success))
}

pub fn pubcomp(id: PacketId) -> Packet {
    Packet::Pubcomp(Pubcomp::new(id, PubcompReason::Success))
}

/// As [`publish`], with this packet id.
pub fn publish_as(packet_id: u16, name: &str, payload: &str, qos: QoS) -> Publish {
    Publish {
        packet_id: Some(id(packet_id)),
        ..publish(name, payload, qos)
    }
}
