use mqtt_codec::{
    Packet, PacketId, Puback, PubackReason, Pubcomp, PubcompReason, Pubrec, PubrecReason, Pubrel, PubrelReason, QoS,
};

use super::{Outbound, Outcome};

fn puback(packet_id: PacketId, reason: PubackReason) -> Packet {
    Packet::Puback(Puback {
        packet_id,
        reason,
        properties: None,
    })
}

fn pubrec(packet_id: PacketId, reason: PubrecReason) -> Packet {
    Packet::Pubrec(Pubrec {
        packet_id,
        reason,
        properties: None,
    })
}

fn pubcomp(packet_id: PacketId) -> Packet {
    Packet::Pubcomp(Pubcomp {
        packet_id,
        reason: PubcompReason::Success,
        properties: None,
    })
}

#[test]
fn qos_0_opens_no_conversation() {
    let mut outbound = Outbound::new();
    assert_eq!(outbound.start(QoS::AtMostOnce), None);
    assert_eq!(outbound.in_flight(), 0);
}

#[test]
fn qos_1_ends_with_its_puback() {
    let mut outbound = Outbound::new();
    let id = outbound.start(QoS::AtLeastOnce).unwrap();
    assert_eq!(outbound.on_packet(&pubcomp(id)), None);
    assert_eq!(
        outbound.on_packet(&puback(id, PubackReason::Success)),
        Some(Outcome::Done)
    );
    assert_eq!(outbound.in_flight(), 0);
    assert_eq!(outbound.on_packet(&puback(id, PubackReason::Success)), None);
}

#[test]
fn qos_2_goes_through_pubrel_to_pubcomp() {
    let mut outbound = Outbound::new();
    let id = outbound.start(QoS::ExactlyOnce).unwrap();
    let pubrel = Pubrel {
        packet_id: id,
        reason: PubrelReason::Success,
        properties: None,
    };
    let reply = outbound.on_packet(&pubrec(id, PubrecReason::Success));
    assert_eq!(reply, Some(Outcome::Reply(Packet::Pubrel(pubrel))));
    assert_eq!(outbound.in_flight(), 1);
    assert_eq!(outbound.on_packet(&pubcomp(id)), Some(Outcome::Done));
    assert_eq!(outbound.in_flight(), 0);
}

#[test]
fn a_refusal_ends_the_conversation_with_its_code() {
    let mut outbound = Outbound::new();
    let refused = Some(Outcome::Refused {
        reason: "Not authorized",
        code: 0x87,
    });
    let id = outbound.start(QoS::AtLeastOnce).unwrap();
    assert_eq!(outbound.on_packet(&puback(id, PubackReason::NotAuthorized)), refused);
    let id = outbound.start(QoS::ExactlyOnce).unwrap();
    assert_eq!(outbound.on_packet(&pubrec(id, PubrecReason::NotAuthorized)), refused);
    assert_eq!(outbound.in_flight(), 0);
}

#[test]
fn ids_go_round_and_leave_out_those_in_use() {
    let mut outbound = Outbound::new();
    let first = outbound.start(QoS::AtLeastOnce).unwrap();
    for _ in 1..u16::MAX {
        let id = outbound.start(QoS::AtLeastOnce).unwrap();
        assert_ne!(id, first);
        outbound.on_packet(&puback(id, PubackReason::Success));
    }
    assert_eq!((first.get(), outbound.start(QoS::AtLeastOnce).unwrap().get()), (1, 2));
}
