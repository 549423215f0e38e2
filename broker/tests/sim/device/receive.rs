//! What the client receives, held against what the standard lets it receive.

use mqtt_codec::{
    DisconnectReason, Packet, PacketId, PubackReason, Publish, PubrecReason, PubrelReason, QoS, Suback, Unsuback,
    Version,
};

use super::{Device, Subscription};
use crate::sim::ledger::Ledger;
use crate::world::packets;

impl Device {
    /// Looks at `count` packets of those that have arrived.
    pub fn read(&mut self, ledger: &mut Ledger, count: usize) {
        for _ in 0..count {
            let Some(packet) = self.inbox.pop_front() else { return };
            self.handle(ledger, packet);
        }
    }

    fn handle(&mut self, ledger: &mut Ledger, packet: Packet) {
        let name = self.id.clone();
        match packet {
            Packet::Publish(publish) => self.published(ledger, publish),
            Packet::Puback(packet) => {
                assert_eq!(
                    self.line.pubacks.pop_front(),
                    Some(packet.packet_id),
                    "{name}: PUBACK out of order"
                );
                let message = self.end(packet.packet_id);
                settle(
                    ledger,
                    message,
                    packet.reason.is_error(),
                    packet.reason == PubackReason::NoMatchingSubscribers,
                );
            }
            Packet::Pubrec(packet) => {
                assert_eq!(
                    self.line.pubrecs.pop_front(),
                    Some(packet.packet_id),
                    "{name}: PUBREC out of order"
                );
                let error = packet.reason.is_error();
                let nobody = packet.reason == PubrecReason::NoMatchingSubscribers;
                let message = if error {
                    self.end(packet.packet_id)
                } else {
                    self.release(packet.packet_id)
                };
                settle(ledger, message, error, nobody);
            }
            Packet::Pubcomp(packet) => {
                assert_eq!(
                    self.line.pubcomps.pop_front(),
                    Some(packet.packet_id),
                    "{name}: PUBCOMP out of order"
                );
                self.end(packet.packet_id);
            }
            Packet::Pubrel(packet) => {
                assert_eq!(packet.reason, PubrelReason::Success, "{name}: {packet:?}");
                let id = packet.packet_id.get();
                assert_eq!(self.life.closed.get(&id), None, "{name}: PUBREL {id} after its end");
                self.life.unreleased.remove(&id);
                self.life.released.insert(id);
                self.line.answers.push_back(packets::pubcomp(packet.packet_id));
            }
            Packet::Suback(packet) => self.subscribed(ledger, &packet),
            Packet::Unsuback(packet) => self.unsubscribed(ledger, &packet),
            Packet::Disconnect(packet) => {
                let fair = [DisconnectReason::SessionTakenOver, DisconnectReason::QuotaExceeded];
                assert!(fair.contains(&packet.reason), "{name}: {packet:?}");
            }
            Packet::Pingresp => {}
            Packet::Connect(_)
            | Packet::Connack(_)
            | Packet::Subscribe(_)
            | Packet::Unsubscribe(_)
            | Packet::Pingreq
            | Packet::Auth(_) => panic!("{name}: {packet:?}"),
        }
    }

    fn subscribed(&mut self, ledger: &Ledger, packet: &Suback) {
        let (filter, qos) = self
            .line
            .requests
            .remove(&packet.packet_id.get())
            .expect("a SUBSCRIBE that waits");
        let qos = qos.expect("a SUBACK for a SUBSCRIBE");
        assert!(!packet.reasons[0].is_error(), "{}: {filter} refused", self.id);
        let state = self.life.subscriptions.get_mut(filter).unwrap();
        if *state == Subscription::Unsure {
            *state = Subscription::On(ledger.now, qos);
        }
    }

    fn unsubscribed(&mut self, ledger: &Ledger, packet: &Unsuback) {
        let (filter, qos) = self
            .line
            .requests
            .remove(&packet.packet_id.get())
            .expect("an UNSUBSCRIBE that waits");
        assert_eq!(qos, None, "{}: UNSUBACK for a SUBSCRIBE", self.id);
        self.life.subscriptions.insert(filter, Subscription::Off(ledger.now));
    }

    /// The conversation of the client's own PUBLISH is over.
    fn end(&mut self, id: PacketId) -> usize {
        let place = self
            .life
            .out
            .iter()
            .position(|open| open.id == id)
            .expect("an acknowledgement of something open");
        self.life.out.remove(place).unwrap().message
    }

    fn release(&mut self, id: PacketId) -> usize {
        let open = self
            .life
            .out
            .iter_mut()
            .find(|open| open.id == id)
            .expect("a PUBREC for something open");
        assert!(!open.released, "{}: a second PUBREC", self.id);
        open.released = true;
        self.line.answers.push_back(packets::pubrel(id));
        open.message
    }

    fn published(&mut self, ledger: &mut Ledger, mut publish: Publish) {
        self.resolve_alias(&mut publish);
        let payload = std::str::from_utf8(&publish.payload).unwrap();
        let message: usize = payload.split(':').next().unwrap().parse().unwrap();
        let story = format!("{} (session {}) got message {message}", self.id, self.life.number);
        let entry = ledger.entries[message].clone();
        assert_eq!(&*publish.topic, entry.topic, "{story}");
        assert!(publish.qos <= entry.qos && !publish.retain, "{story}: {publish:?}");
        let may_come = self.may_be_subscribed_since(entry.topic, entry.first_sent);
        assert!(may_come || entry.is_shared(), "{story} without a subscription");
        assert!(
            entry.last_sent >= self.life.born || entry.is_shared(),
            "{story}, which another session was owed"
        );
        if let Some(secs) = entry.expiry_secs
            && self.version == Version::V5
        {
            let left = publish
                .properties
                .as_ref()
                .and_then(|properties| properties.message_expiry_secs);
            assert!(
                left.is_some_and(|left| left <= secs),
                "{story}: {left:?} seconds left of {secs}"
            );
        }
        *ledger.seen.entry(message).or_default() += 1;
        let sight = self.life.sights.get(&message).copied().unwrap_or_default();
        match publish.packet_id {
            None => {
                let sights = self.life.sights.entry(message).or_default();
                sights.fresh += 1;
                assert!(
                    sights.fresh <= entry.routings_unkept_max() || entry.is_shared(),
                    "{story} twice at QoS 0"
                );
                sights.any += 1;
                sights.fleeting += 1;
            }
            Some(id) => self.acknowledge(ledger, &publish, id.get(), message),
        }
        let first = sight.any == 0;
        if first
            && publish.qos != QoS::AtMostOnce
            && self.is_subscribed_since(entry.topic, entry.first_sent)
            && ledger.is_ordered(message)
        {
            let latest = self
                .life
                .latest
                .entry((entry.publisher, entry.topic, entry.qos as u8))
                .or_insert(message);
            assert!(*latest <= message, "{story} after message {latest}: order");
            *latest = message;
        }
    }

    /// Takes a PUBLISH of QoS 1 or 2: its id, the window, redelivery.
    fn acknowledge(&mut self, ledger: &Ledger, publish: &Publish, id: u16, message: usize) {
        let story = format!(
            "{} (session {}) got message {message} as {id}",
            self.id, self.life.number
        );
        let entry = &ledger.entries[message];
        self.line.counted.insert(id);
        assert!(
            self.line.counted.len() <= self.line.window,
            "{story}: beyond its Receive Maximum {}",
            self.line.window
        );
        if publish.dup {
            assert!(!self.line.resent, "{story} again after something new");
            assert_ne!(self.life.closed.get(&id), Some(&message), "{story} again after its end");
        } else {
            self.line.resent = true;
            assert_eq!(self.life.open.get(&id), None, "{story}: the id is in use");
        }
        self.life.closed.remove(&id);
        self.life.released.remove(&id);
        let replay = self.life.unreleased.get(&id).copied();
        assert!(
            replay.is_none_or(|known| known == message),
            "{story}: it stands for {replay:?}"
        );
        let known = self.life.open.insert(id, message);
        assert!(
            known.is_none_or(|known| known == message),
            "{story}: it stood for {known:?}"
        );
        let sights = self.life.sights.entry(message).or_default();
        // After the PUBREL the id stands for nothing, so a PUBLISH under it would be taken for another message.
        let redelivered = if publish.qos == QoS::ExactlyOnce {
            replay.is_some()
        } else {
            known.is_some() || publish.dup && sights.any > 0
        };
        sights.any += u32::from(!redelivered);
        sights.fresh += u32::from(!publish.dup);
        sights.exact |= publish.qos == QoS::ExactlyOnce;
        // A QoS 1 message may come once for each time that the publisher sent it, redeliveries apart.
        let fresh = if publish.qos == QoS::ExactlyOnce {
            sights.any - sights.unkept
        } else {
            sights.fresh
        };
        assert!(
            fresh <= entry.routings_max() || entry.is_shared(),
            "{story}: delivered {fresh} times"
        );
        let packet_id = packets::id(id);
        if publish.qos == QoS::AtLeastOnce {
            self.line.answers.push_back(packets::puback(packet_id));
        } else {
            self.life.unreleased.insert(id, message);
            self.line.answers.push_back(packets::pubrec(packet_id));
        }
    }

    fn resolve_alias(&mut self, publish: &mut Publish) {
        let Some(alias) = publish
            .properties
            .as_ref()
            .and_then(|properties| properties.topic_alias)
        else {
            return;
        };
        if publish.topic.is_empty() {
            publish.topic = self
                .line
                .aliases
                .get(&alias.get())
                .expect("an alias that was given a topic")
                .clone();
        } else {
            self.line.aliases.insert(alias.get(), publish.topic.clone());
        }
    }
}

fn settle(ledger: &mut Ledger, message: usize, refused: bool, nobody: bool) {
    if refused {
        ledger.refused(message)
    } else {
        ledger.accepted(message, nobody)
    }
}
