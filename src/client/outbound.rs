//! Messages on their way to the broker: which step each waits for.
//!
//! ```text
//! QoS 1:  PUBLISH --> AwaitPuback --PUBACK--> done
//! QoS 2:  PUBLISH --> AwaitPubrec --PUBREC--> PUBREL --> AwaitPubcomp --PUBCOMP--> done
//!                         |
//!                         +--PUBREC with an error--> refused
//! ```

use std::collections::HashMap;

use mqtt_codec::{Packet, PacketId, Pubrel, PubrelReason, QoS};

/// The messages that the broker has not acknowledged.
#[derive(Debug)]
pub(crate) struct Outbound {
    open: HashMap<PacketId, Step>,
    last_id: PacketId,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::enum_variant_names,
    reason = "what a protocol waits for is named Await… everywhere"
)]
enum Step {
    AwaitPuback,
    AwaitPubrec,
    AwaitPubcomp,
}

/// What an acknowledgement leads to.
#[derive(Debug, PartialEq)]
pub(crate) enum Outcome {
    /// The message has arrived.
    Done,
    /// The next packet of its conversation.
    Reply(Packet),
    /// The broker does not take the message.
    Refused {
        /// The standard's name of the reason.
        reason: &'static str,
        code: u8,
    },
}

impl Outbound {
    pub(crate) fn new() -> Self {
        Self {
            open: HashMap::new(),
            last_id: PacketId::MAX,
        }
    }

    /// Messages without their last acknowledgement.
    pub(crate) fn in_flight(&self) -> usize {
        self.open.len()
    }

    /// Opens a conversation; None for QoS 0, which has none.
    ///
    /// The caller keeps [`Outbound::in_flight`] below 65,535, so that an id is free.
    pub(crate) fn start(&mut self, qos: QoS) -> Option<PacketId> {
        let step = match qos {
            QoS::AtMostOnce => return None,
            QoS::AtLeastOnce => Step::AwaitPuback,
            QoS::ExactlyOnce => Step::AwaitPubrec,
        };
        let mut id = self.last_id;
        for _ in 0..u16::MAX {
            id = PacketId::new(id.get().wrapping_add(1)).unwrap_or(PacketId::MIN);
            if !self.open.contains_key(&id) {
                break;
            }
        }
        self.last_id = id;
        self.open.insert(id, step);
        Some(id)
    }

    /// Takes an acknowledgement; None for a packet that acknowledges nothing of ours.
    pub(crate) fn on_packet(&mut self, packet: &Packet) -> Option<Outcome> {
        let (id, awaited, is_error, reason, code) = match packet {
            Packet::Puback(ack) => (
                ack.packet_id,
                Step::AwaitPuback,
                ack.reason.is_error(),
                ack.reason.name(),
                ack.reason.code(),
            ),
            Packet::Pubrec(ack) => (
                ack.packet_id,
                Step::AwaitPubrec,
                ack.reason.is_error(),
                ack.reason.name(),
                ack.reason.code(),
            ),
            Packet::Pubcomp(ack) => (
                ack.packet_id,
                Step::AwaitPubcomp,
                ack.reason.is_error(),
                ack.reason.name(),
                ack.reason.code(),
            ),
            Packet::Connect(_)
            | Packet::Connack(_)
            | Packet::Publish(_)
            | Packet::Pubrel(_)
            | Packet::Subscribe(_)
            | Packet::Suback(_)
            | Packet::Unsubscribe(_)
            | Packet::Unsuback(_)
            | Packet::Pingreq
            | Packet::Pingresp
            | Packet::Disconnect(_)
            | Packet::Auth(_) => return None,
        };
        if self.open.get(&id) != Some(&awaited) {
            return None;
        }
        if is_error {
            self.open.remove(&id);
            return Some(Outcome::Refused { reason, code });
        }
        if awaited == Step::AwaitPubrec {
            self.open.insert(id, Step::AwaitPubcomp);
            let pubrel = Pubrel {
                packet_id: id,
                reason: PubrelReason::Success,
                properties: None,
            };
            return Some(Outcome::Reply(Packet::Pubrel(pubrel)));
        }
        self.open.remove(&id);
        Some(Outcome::Done)
    }
}

#[cfg(test)]
mod tests;
