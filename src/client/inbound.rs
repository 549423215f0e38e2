//! Messages from the broker: each is handed out once, and acknowledged.

use std::collections::{HashMap, HashSet};
use std::num::NonZeroU16;

use mqtt_codec::{
    Packet, PacketId, Puback, PubackReason, Pubcomp, PubcompReason, Publish, Pubrec, PubrecReason, QoS, TopicName,
};

/// What is remembered of the messages that came in.
#[derive(Debug, Default)]
pub(crate) struct Inbound {
    /// QoS 2 messages that were handed out and not released by PUBREL.
    unreleased: HashSet<PacketId>,
    aliases: HashMap<NonZeroU16, TopicName>,
}

/// What a packet leads to.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Arrival {
    /// The message, the first time that it comes.
    pub(crate) message: Option<Publish>,
    /// The acknowledgement.
    pub(crate) reply: Option<Packet>,
}

impl Inbound {
    /// QoS 2 conversations whose PUBREL has yet to come.
    pub(crate) fn unreleased(&self) -> usize {
        self.unreleased.len()
    }

    /// Takes a PUBLISH or PUBREL; other packets lead to nothing.
    pub(crate) fn on_packet(&mut self, packet: Packet) -> Arrival {
        match packet {
            Packet::Publish(publish) => self.publish_in(publish),
            Packet::Pubrel(pubrel) => {
                self.unreleased.remove(&pubrel.packet_id);
                let pubcomp = Pubcomp {
                    packet_id: pubrel.packet_id,
                    reason: PubcompReason::Success,
                    properties: None,
                };
                Arrival {
                    message: None,
                    reply: Some(Packet::Pubcomp(pubcomp)),
                }
            }
            Packet::Connect(_)
            | Packet::Connack(_)
            | Packet::Puback(_)
            | Packet::Pubrec(_)
            | Packet::Pubcomp(_)
            | Packet::Subscribe(_)
            | Packet::Suback(_)
            | Packet::Unsubscribe(_)
            | Packet::Unsuback(_)
            | Packet::Pingreq
            | Packet::Pingresp
            | Packet::Disconnect(_)
            | Packet::Auth(_) => Arrival::default(),
        }
    }

    fn publish_in(&mut self, mut publish: Publish) -> Arrival {
        if let Some(alias) = publish.topic_alias() {
            if publish.topic.is_empty() {
                if let Some(topic) = self.aliases.get(&alias) {
                    publish.topic = topic.clone();
                }
            } else {
                self.aliases.insert(alias, publish.topic.detach());
            }
        }
        match (publish.qos, publish.packet_id) {
            (QoS::AtMostOnce, _) | (_, None) => Arrival {
                message: Some(publish),
                reply: None,
            },
            (QoS::AtLeastOnce, Some(packet_id)) => {
                let puback = Puback {
                    packet_id,
                    reason: PubackReason::Success,
                    properties: None,
                };
                Arrival {
                    message: Some(publish),
                    reply: Some(Packet::Puback(puback)),
                }
            }
            (QoS::ExactlyOnce, Some(packet_id)) => {
                let first = self.unreleased.insert(packet_id);
                let pubrec = Pubrec {
                    packet_id,
                    reason: PubrecReason::Success,
                    properties: None,
                };
                Arrival {
                    message: first.then_some(publish),
                    reply: Some(Packet::Pubrec(pubrec)),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
