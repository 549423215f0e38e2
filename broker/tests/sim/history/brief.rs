//! Packets in a few words, for the tale of a history.

use mqtt_codec::{Packet, PacketId};

/// What a reader of the tale wants to know of a packet.
pub(super) fn brief(packet: &Packet) -> String {
    match packet {
        Packet::Publish(publish) => {
            let message = String::from_utf8_lossy(&publish.payload)
                .split(':')
                .next()
                .unwrap_or_default()
                .to_owned();
            let id = publish.packet_id.map_or(0, PacketId::get);
            format!(
                "PUBLISH({message}, q{}, id {id}{})",
                publish.qos as u8,
                if publish.dup { ", dup" } else { "" }
            )
        }
        Packet::Puback(packet) => format!("PUBACK({}, {:?})", packet.packet_id.get(), packet.reason),
        Packet::Pubrec(packet) => format!("PUBREC({}, {:?})", packet.packet_id.get(), packet.reason),
        Packet::Pubrel(packet) => format!("PUBREL({})", packet.packet_id.get()),
        Packet::Pubcomp(packet) => format!("PUBCOMP({}, {:?})", packet.packet_id.get(), packet.reason),
        Packet::Connect(_)
        | Packet::Connack(_)
        | Packet::Subscribe(_)
        | Packet::Suback(_)
        | Packet::Unsubscribe(_)
        | Packet::Unsuback(_)
        | Packet::Pingreq
        | Packet::Pingresp
        | Packet::Disconnect(_)
        | Packet::Auth(_) => format!("{:?}", packet.kind()),
    }
}
