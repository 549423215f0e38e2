use std::num::NonZeroU16;

use bytes::Bytes;
use mqtt_codec::{Packet, PacketId, PacketKind, Publish, PublishProperties, Pubrel, PubrelReason, QoS, TopicName};

use super::Inbound;

fn publish(qos: QoS, topic: &str) -> Publish {
    Publish {
        dup: false,
        qos,
        retain: false,
        topic: if topic.is_empty() {
            TopicName::empty()
        } else {
            TopicName::new(topic).unwrap()
        },
        packet_id: (qos != QoS::AtMostOnce).then_some(PacketId::MIN),
        properties: None,
        payload: Bytes::from_static(b"x"),
    }
}

fn reply_to(inbound: &mut Inbound, packet: Packet) -> (bool, Option<PacketKind>) {
    let arrival = inbound.on_packet(packet);
    (arrival.message.is_some(), arrival.reply.map(|packet| packet.kind()))
}

#[test]
fn each_qos_is_acknowledged_in_its_way() {
    let mut inbound = Inbound::default();
    for (qos, reply) in [
        (QoS::AtMostOnce, None),
        (QoS::AtLeastOnce, Some(PacketKind::Puback)),
        (QoS::ExactlyOnce, Some(PacketKind::Pubrec)),
    ] {
        assert_eq!(
            reply_to(&mut inbound, Packet::Publish(publish(qos, "t"))),
            (true, reply)
        );
    }
}

#[test]
fn a_repeated_qos_2_message_is_handed_out_once_until_it_is_released() {
    let mut inbound = Inbound::default();
    let message = || Packet::Publish(publish(QoS::ExactlyOnce, "t"));
    assert_eq!(reply_to(&mut inbound, message()), (true, Some(PacketKind::Pubrec)));
    assert_eq!(reply_to(&mut inbound, message()), (false, Some(PacketKind::Pubrec)));
    assert_eq!(inbound.unreleased(), 1);
    let pubrel = Pubrel {
        packet_id: PacketId::MIN,
        reason: PubrelReason::Success,
        properties: None,
    };
    assert_eq!(
        reply_to(&mut inbound, Packet::Pubrel(pubrel)),
        (false, Some(PacketKind::Pubcomp))
    );
    assert_eq!(inbound.unreleased(), 0);
    assert_eq!(reply_to(&mut inbound, message()), (true, Some(PacketKind::Pubrec)));
}

#[test]
fn an_alias_stands_for_the_topic_that_it_was_set_to() {
    let mut inbound = Inbound::default();
    let aliased = |topic: &str| {
        let topic_alias = NonZeroU16::new(3);
        let properties = Some(Box::new(PublishProperties {
            topic_alias,
            ..PublishProperties::default()
        }));
        Packet::Publish(Publish {
            properties,
            ..publish(QoS::AtMostOnce, topic)
        })
    };
    inbound.on_packet(aliased("home/lamp"));
    assert_eq!(
        inbound.on_packet(aliased("")).message.unwrap().topic.as_str(),
        "home/lamp"
    );
}
