//! Acknowledgements and the client's Maximum Packet Size.

use std::num::NonZeroU32;

use mqtt_codec::{
    Packet, PubackReason, PubcompReason, PubrecReason, PubrelReason, QoS, SubackReason, UnsubackReason, Version,
};

use crate::world::packets::{filter, id, publish_as, pubrec, pubrel, subscribe, unsubscribe};
use crate::world::{Config, World};

/// The smallest Maximum Packet Size that has room for the CONNACK: there is none for a reason in words.
fn smallest_size() -> u32 {
    let mut world = World::new();
    let (_, connack) = world.client("client").packet_size_max(100).connect_with_connack();
    Packet::Connack(Box::new(connack)).encoded_len(Version::V5) as u32
}

/// [MQTT-3.4.2-2] in 5.0, [MQTT-3.4.2-3] in 5.0, [MQTT-3.5.2-2] in 5.0, [MQTT-3.5.2-3] in 5.0, [MQTT-3.6.2-2] in 5.0,
/// [MQTT-3.6.2-3] in 5.0, [MQTT-3.7.2-2] in 5.0, [MQTT-3.7.2-3] in 5.0, [MQTT-3.9.2-1] in 5.0, [MQTT-3.9.2-2] in 5.0,
/// [MQTT-3.11.2-1] in 5.0, [MQTT-3.11.2-2] in 5.0: each acknowledgement with a reason to explain reaches a client that
/// takes hardly more than that, within its limit and without properties.
#[test]
fn v5_3_4_2_2_an_acknowledgement_fits_the_smallest_packet_size() {
    let mut config = Config::default();
    config.limits.topic_levels_max = 2;
    config.router.topic_levels_max = 2;
    let mut world = World::with(config);
    let size = smallest_size();
    let client = world
        .client("client")
        .change(|connect| {
            connect.properties.packet_size_max = NonZeroU32::new(size);
            connect.properties.request_problem_information = true;
        })
        .connect();
    let mut refused = subscribe(5, "a/b/c", QoS::AtMostOnce);
    refused
        .filters
        .push(mqtt_codec::SubscribeFilter::new(filter("d"), QoS::AtMostOnce));
    for packet in [
        Packet::Publish(publish_as(1, "a/b/c", "", QoS::AtLeastOnce)),
        Packet::Publish(publish_as(2, "a/b/c", "", QoS::ExactlyOnce)),
        pubrec(id(3)),
        pubrel(id(4)),
        Packet::Subscribe(refused),
        unsubscribe(6, "never"),
    ] {
        world.send(client, packet);
    }
    // The world has checked the length of each.
    let got = world.received(client);
    let [
        Packet::Puback(puback),
        Packet::Pubrec(pubrec),
        Packet::Pubrel(pubrel),
        Packet::Pubcomp(pubcomp),
        Packet::Suback(suback),
        Packet::Unsuback(unsuback),
    ] = &got[..]
    else {
        panic!("{got:?}")
    };
    assert_eq!(
        (puback.reason, &puback.properties),
        (PubackReason::TopicNameInvalid, &None)
    );
    assert_eq!(
        (pubrec.reason, &pubrec.properties),
        (PubrecReason::TopicNameInvalid, &None)
    );
    assert_eq!(
        (pubrel.reason, &pubrel.properties),
        (PubrelReason::PacketIdentifierNotFound, &None)
    );
    assert_eq!(
        (pubcomp.reason, &pubcomp.properties),
        (PubcompReason::PacketIdentifierNotFound, &None)
    );
    assert_eq!(
        suback.reasons,
        [SubackReason::TopicFilterInvalid, SubackReason::GrantedQoS0]
    );
    assert_eq!(suback.properties, mqtt_codec::AckProperties::default());
    assert_eq!(unsuback.reasons, [UnsubackReason::NoSubscriptionExisted]);
    assert_eq!(unsuback.properties, mqtt_codec::AckProperties::default());
}
