//! What the client sends: messages, answers, requests; whole, in pieces, or cut off.

use bytes::BytesMut;
use mqtt_codec::{Packet, PacketId, Publish, PublishProperties, QoS, Version};

use super::{Device, Outgoing, Subscription};
use crate::sim::ledger::Ledger;
use crate::world::{World, packets};

/// How many of the bytes go out, in percent, and in how many pieces.
#[derive(Clone, Copy, Debug)]
pub enum Way {
    Whole,
    /// In two pieces, parted at this percentage.
    Pieces(usize),
    /// Only this percentage; then the connection has to be lost.
    Cut(usize),
}

impl Device {
    /// Sends packets and says how many went out whole.
    pub fn transmit(&mut self, world: &mut World, packets: &[Packet], way: Way) -> usize {
        let Some(client) = self.client else { return 0 };
        let mut bytes = BytesMut::new();
        let mut ends = Vec::new();
        for packet in packets {
            packet.encode(self.version, &mut bytes).unwrap();
            ends.push(bytes.len());
        }
        let sent = match way {
            Way::Whole => {
                world.send_bytes(client, &bytes);
                bytes.len()
            }
            Way::Pieces(percent) => {
                let (first, second) = bytes.split_at(bytes.len() * percent / 100);
                world.send_bytes(client, first);
                world.send_bytes(client, second);
                bytes.len()
            }
            Way::Cut(percent) => {
                let len = bytes.len() * percent / 100;
                world.send_bytes(client, &bytes[..len]);
                len
            }
        };
        if !self.stalled {
            self.take_in(world);
        }
        ends.iter().filter(|end| **end <= sent).count()
    }

    /// Publishes messages that have been entered in the ledger.
    pub fn publish(&mut self, world: &mut World, ledger: &Ledger, messages: &[usize], way: Way) {
        let mut packets = Vec::new();
        for message in messages {
            let qos = ledger.entries[*message].qos;
            let id = (qos != QoS::AtMostOnce).then(|| self.fresh_id());
            if let Some(id) = id {
                self.life.out.push_back(Outgoing {
                    id,
                    message: *message,
                    released: false,
                });
                self.expect_answer(qos, id);
            }
            packets.push(self.publish_packet(ledger, *message, id, false));
        }
        self.line.unread.extend(messages);
        self.transmit(world, &packets, way);
    }

    fn expect_answer(&mut self, qos: QoS, id: PacketId) {
        match qos {
            QoS::AtMostOnce => {}
            QoS::AtLeastOnce => self.line.pubacks.push_back(id),
            QoS::ExactlyOnce => self.line.pubrecs.push_back(id),
        }
    }

    fn publish_packet(&self, ledger: &Ledger, message: usize, id: Option<PacketId>, dup: bool) -> Packet {
        let entry = &ledger.entries[message];
        // Some payloads are large enough to be shared with the outbox instead of copied.
        let padding = if message % 23 == 22 { 20_000 } else { message % 40 };
        let expiry_secs = entry.expiry_secs.filter(|_| self.version == Version::V5);
        Packet::Publish(Publish {
            dup,
            qos: entry.qos,
            retain: entry.is_retained(),
            topic: packets::topic(entry.topic),
            packet_id: id,
            properties: expiry_secs.map(|secs| {
                Box::new(PublishProperties {
                    message_expiry_secs: Some(secs),
                    ..Default::default()
                })
            }),
            payload: format!("{message}:{}", "-".repeat(padding)).into(),
        })
    }

    /// [MQTT-4.4.0-1] in 5.0 binds the client as well: what is open is sent again under its id, in order.
    pub fn resend(&mut self, world: &mut World, ledger: &mut Ledger) {
        let mut packets = Vec::new();
        for open in self.life.out.clone() {
            if open.released {
                self.line.pubcomps.push_back(open.id);
                packets.push(packets::pubrel(open.id));
            } else {
                ledger.again(open.message);
                self.expect_answer(ledger.entries[open.message].qos, open.id);
                self.line.unread.push(open.message);
                packets.push(self.publish_packet(ledger, open.message, Some(open.id), true));
            }
        }
        self.transmit(world, &packets, Way::Whole);
    }

    /// Sends answers that are due, at most `count`.
    pub fn answer(&mut self, world: &mut World, ledger: &mut Ledger, count: usize, way: Way) {
        let count = count.min(self.line.answers.len());
        let packets: Vec<Packet> = self.line.answers.drain(..count).collect();
        let sent = self.transmit(world, &packets, way);
        let ended: Vec<_> = packets[..sent]
            .iter()
            .filter_map(|packet| self.note_answer(ledger, packet))
            .collect();
        if self
            .client
            .is_some_and(|client| world.is_read(client) && world.is_connected(client))
        {
            self.life.closed.extend(ended);
        }
    }

    fn note_answer(&mut self, ledger: &mut Ledger, packet: &Packet) -> Option<(u16, usize)> {
        let id = match packet {
            Packet::Puback(packet) => packet.packet_id.get(),
            Packet::Pubcomp(packet) => packet.packet_id.get(),
            Packet::Pubrel(packet) => {
                self.line.pubcomps.push_back(packet.packet_id);
                return None;
            }
            Packet::Connect(_)
            | Packet::Connack(_)
            | Packet::Publish(_)
            | Packet::Pubrec(_)
            | Packet::Subscribe(_)
            | Packet::Suback(_)
            | Packet::Unsubscribe(_)
            | Packet::Unsuback(_)
            | Packet::Pingreq
            | Packet::Pingresp
            | Packet::Disconnect(_)
            | Packet::Auth(_) => return None,
        };
        self.line.counted.remove(&id);
        let message = self.life.open.remove(&id)?;
        if ledger.entries[message].is_shared() {
            ledger.group_done.insert(message);
        }
        Some((id, message))
    }

    /// Subscribes, or takes a subscription back.
    pub fn request(&mut self, world: &mut World, filter: &'static str, qos: Option<QoS>) {
        if self.line.requests.values().any(|(open, _)| *open == filter) {
            return;
        }
        let id = self.fresh_id();
        self.line.requests.insert(id.get(), (filter, qos));
        self.life.subscriptions.insert(
            filter,
            match (self.life.subscriptions.get(filter), qos) {
                // Replaced by its like: [MQTT-3.8.4-3] in 5.0 leaves no gap.
                (Some(Subscription::On(since, granted)), Some(qos)) if qos == *granted => Subscription::On(*since, qos),
                _ => Subscription::Unsure,
            },
        );
        let packet = match qos {
            Some(qos) => Packet::Subscribe(packets::subscribe(id.get(), filter, qos)),
            None => packets::unsubscribe(id.get(), filter),
        };
        self.transmit(world, &[packet], Way::Whole);
    }

    fn fresh_id(&mut self) -> PacketId {
        loop {
            let id = self.life.next_id;
            // A small space, so that ids come round within one history.
            self.life.next_id = id % 64 + 1;
            let taken = self.life.out.iter().any(|open| open.id.get() == id) || self.line.requests.contains_key(&id);
            if !taken {
                return packets::id(id);
            }
        }
    }
}
