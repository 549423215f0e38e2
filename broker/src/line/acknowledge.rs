//! The client's answers to the broker's PUBLISH packets, and its PUBREL.

use mqtt_codec::{
    DisconnectReason, Packet, PacketId, PacketKind, Puback, PubackReason, Pubcomp, PubcompReason, Pubrec, PubrecReason,
    Pubrel, PubrelReason, Version,
};

use super::{ConnectionKey, Flow, Line};
use crate::durable::Change;
use crate::exchange::DeliverEvent;
use crate::session::{Acknowledged, Unreleased};

impl Line {
    pub(super) fn puback(&mut self, connection: ConnectionKey, packet: &Puback) -> Flow {
        match self.acknowledge(connection, packet.packet_id, DeliverEvent::Puback) {
            Acknowledged::Unfitting => self.protocol_error(connection, "PUBACK for a QoS 2 message (MQTT-4.3.3-4)"),
            // Unknown: an answer to a message of a session that is gone. Nothing waits for it.
            Acknowledged::Done | Acknowledged::Release(_) | Acknowledged::Unknown => Flow::Continue,
        }
    }

    pub(super) fn pubrec(&mut self, connection: ConnectionKey, packet: &Pubrec) -> Flow {
        let id = packet.packet_id;
        // [MQTT-4.4.0-2] in 5.0: an error ends the conversation and is not an invitation to try again.
        let event = if packet.reason.is_error() {
            DeliverEvent::PubrecError
        } else {
            DeliverEvent::Pubrec
        };
        match self.acknowledge(connection, id, event) {
            Acknowledged::Done => Flow::Continue,
            Acknowledged::Unfitting => self.protocol_error(connection, "PUBREC for a QoS 1 message (MQTT-4.3.2-4)"),
            // Also where it comes a second time: the PUBREL may have been lost.
            Acknowledged::Release(_) => self.answer_pubrel(connection, id, PubrelReason::Success),
            Acknowledged::Unknown if packet.reason.is_error() => Flow::Continue,
            Acknowledged::Unknown => self.answer_pubrel(connection, id, PubrelReason::PacketIdentifierNotFound),
        }
    }

    pub(super) fn pubcomp(&mut self, connection: ConnectionKey, packet: &Pubcomp) -> Flow {
        match self.acknowledge(connection, packet.packet_id, DeliverEvent::Pubcomp) {
            Acknowledged::Unfitting => self.violation(
                connection,
                DisconnectReason::ProtocolError,
                "PUBCOMP for a message that was not released (MQTT-4.3.3-4)",
            ),
            Acknowledged::Done | Acknowledged::Release(_) | Acknowledged::Unknown => Flow::Continue,
        }
    }

    pub(super) fn pubrel(&mut self, connection: ConnectionKey, packet: &Pubrel) -> Flow {
        let id = packet.packet_id;
        let Some((session, turn)) = self.connected(connection) else {
            return Flow::Closed;
        };
        let known = session.find_unreleased(id).ok();
        if let Some(place) = known {
            let Unreleased { exchange, kept, .. } = session.unreleased.remove(place);
            if let Some(session_id) = session.id.filter(|_| kept) {
                // The client uses the id for another message once it has the PUBCOMP.
                session.keep_step(Change::Forgotten(session_id, id), turn);
            }
            turn.counters.publish_open -= 1;
            turn.end(exchange.finish());
        }
        let Some(link) = &mut session.link else {
            return Flow::Closed;
        };
        // Unknown on a resumed session: its PUBCOMP was lost with the connection before, and the client asks again.
        if known.is_some() || link.resumed || link.version != Version::V5 {
            link.write_ack(connection.slot, PacketKind::Pubcomp, id, turn);
        } else {
            let reason = PubcompReason::PacketIdentifierNotFound;
            let packet = Packet::Pubcomp(Pubcomp {
                packet_id: id,
                reason,
                properties: None,
            });
            link.write(connection.slot, &packet, turn);
        }
        Flow::Continue
    }

    fn acknowledge(&mut self, connection: ConnectionKey, id: PacketId, event: DeliverEvent) -> Acknowledged {
        match self.connected(connection) {
            Some((session, turn)) => session.acknowledged(id, event, turn),
            None => Acknowledged::Unknown,
        }
    }

    pub(super) fn answer_puback(&mut self, connection: ConnectionKey, id: PacketId, reason: PubackReason) -> Flow {
        let Some((session, turn)) = self.connected(connection) else {
            return Flow::Closed;
        };
        let Some(link) = &mut session.link else {
            return Flow::Closed;
        };
        if reason == PubackReason::Success || link.version != Version::V5 {
            link.write_ack(connection.slot, PacketKind::Puback, id, turn);
        } else {
            let packet = Packet::Puback(Puback {
                packet_id: id,
                reason,
                properties: None,
            });
            link.write(connection.slot, &packet, turn);
        }
        Flow::Continue
    }

    pub(super) fn answer_pubrec(&mut self, connection: ConnectionKey, id: PacketId, reason: PubrecReason) -> Flow {
        let Some((session, turn)) = self.connected(connection) else {
            return Flow::Closed;
        };
        let Some(link) = &mut session.link else {
            return Flow::Closed;
        };
        if reason == PubrecReason::Success || link.version != Version::V5 {
            link.write_ack(connection.slot, PacketKind::Pubrec, id, turn);
        } else {
            let packet = Packet::Pubrec(Pubrec {
                packet_id: id,
                reason,
                properties: None,
            });
            link.write(connection.slot, &packet, turn);
        }
        Flow::Continue
    }

    fn answer_pubrel(&mut self, connection: ConnectionKey, id: PacketId, reason: PubrelReason) -> Flow {
        let Some((session, turn)) = self.connected(connection) else {
            return Flow::Closed;
        };
        let Some(link) = &mut session.link else {
            return Flow::Closed;
        };
        if reason == PubrelReason::Success || link.version != Version::V5 {
            link.write_ack(connection.slot, PacketKind::Pubrel, id, turn);
        } else {
            let packet = Packet::Pubrel(Pubrel {
                packet_id: id,
                reason,
                properties: None,
            });
            link.write(connection.slot, &packet, turn);
        }
        Flow::Continue
    }
}
