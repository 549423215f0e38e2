//! A message is offered to one session: written at once, queued, or dropped with a reason.

use std::sync::Arc;

use mqtt_codec::{Alias, PacketId, PacketKind, Patch, QoS, TopicName, Version};

use super::judge::Judged;
use super::{Delivery, Link, Parcel, Security, Session};
use crate::acl::Action;
use crate::counters::Drop;
use crate::effect::Cause;
use crate::exchange::{Exchange, Kind, Outgoing, phase};
use crate::limits::{Limit, QueueFull};
use crate::memory::Memory;
use crate::message::Message;
use crate::notes::Decision;
use crate::router::{Receiver, ShareKey, SubscriptionIds};
use crate::timers::Timer;
use crate::turn::Turn;

/// Payloads from this size on are shared with the outbox instead of copied into it.
const SHARE_BYTES_MIN: usize = 16 << 10;

/// Between two looks for expired messages in the part of a full queue that the store alone has.
const PURGE_BEYOND_MILLIS: u64 = 30_000;

/// What one receiver gets of a message.
pub(crate) struct Terms<'a> {
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    pub(crate) ids: &'a SubscriptionIds,
    pub(crate) packet_id: Option<PacketId>,
    pub(crate) dup: bool,
    /// The sender waits for room, so that the bound of the outgoing buffer drops nothing.
    pub(crate) paced: bool,
}

/// What became of an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offered {
    /// Written or queued.
    Taken,
    /// Not for this session, for the counted reason.
    Dropped(Drop),
}

impl Session {
    /// Offers a message that one of this session's subscriptions matched.
    ///
    /// A member of a shared group that cannot take it gives it back uncounted, so that another is asked.
    pub(crate) fn offer(
        &mut self,
        parcel: &mut Parcel<'_>,
        receiver: &Receiver,
        via: Option<&Arc<ShareKey>>,
        turn: &mut Turn,
    ) -> Offered {
        // [MQTT-3.8.4-8] in 5.0: the lower of both, never dropped for being higher.
        let qos = parcel.qos.min(receiver.qos);
        let retain = parcel.retain && receiver.retain_as_published;
        #[cfg(feature = "faults")]
        if turn.lossy.strikes() {
            return Offered::Taken;
        }
        let offered = if !turn.permits(self, Action::Receive, parcel.topic, qos, false) {
            Offered::Dropped(Drop::Forbidden)
        } else if qos == QoS::AtMostOnce {
            self.offer_unacknowledged(parcel, receiver, retain, turn)
        } else {
            let delivery = Delivery {
                message: parcel.message(),
                qos,
                retain,
                ids: receiver.ids.clone(),
                via: via.cloned(),
                place: None,
                shared: parcel.shared,
                told: false,
            };
            self.offer_acknowledged(parcel, delivery, turn)
        };
        if let Offered::Dropped(reason) = offered
            && via.is_none()
        {
            turn.drop_message(reason);
            if reason != Drop::Away {
                turn.note(&self.client_id, Decision::Dropped(reason));
            }
            self.note_limit(reason, turn);
        }
        offered
    }

    /// Has the log told of messages that this session missed for its own bounds.
    fn note_limit(&self, reason: Drop, turn: &mut Turn) {
        if reason == Drop::Slow {
            turn.reached(Limit::OutgoingBuffer, &self.client_id);
        } else if reason == Drop::QueueFull {
            turn.reached(Limit::Queue, &self.client_id);
        } else if reason == Drop::Memory {
            turn.reached(Limit::Memory, &self.client_id);
        }
    }

    fn offer_unacknowledged(
        &mut self,
        parcel: &mut Parcel<'_>,
        receiver: &Receiver,
        retain: bool,
        turn: &mut Turn,
    ) -> Offered {
        let Some(link) = &mut self.link else {
            return Offered::Dropped(Drop::Away);
        };
        let terms = Terms {
            qos: QoS::AtMostOnce,
            retain,
            ids: &receiver.ids,
            packet_id: None,
            dup: false,
            paced: false,
        };
        if turn.judges(Kind::Deliver) {
            let message = parcel.message();
            return self.offer_judged(parcel, &message, &terms, turn);
        }
        let exchange = turn.start(Kind::Deliver);
        let written = link.write_publish(self.key.slot(), parcel, &terms, turn);
        concluded(exchange, written, turn)
    }

    /// Writes a message of QoS 0 if the overseer lets it go. Nothing of QoS 0 is kept, so that a hold is a drop.
    pub(super) fn offer_judged(
        &mut self,
        parcel: &Parcel<'_>,
        message: &Message,
        terms: &Terms<'_>,
        turn: &mut Turn,
    ) -> Offered {
        let exchange = turn.start(Kind::Deliver);
        let (qos, retain) = (terms.qos, terms.retain);
        let outgoing = Outgoing { message, qos, retain };
        let Judged::Proceed(exchange, changed) = self.judge_delivery(exchange, outgoing, turn) else {
            return Offered::Dropped(Drop::Forbidden);
        };
        let written = match (&mut self.link, &changed) {
            (Some(link), None) => link.write_publish(self.key.slot(), parcel, terms, turn),
            (Some(link), Some(changed)) => link.write_changed(self.key.slot(), changed, terms, turn),
            (None, _) => Err(Drop::Away),
        };
        concluded(exchange, written, turn)
    }

    fn offer_acknowledged(&mut self, parcel: &Parcel<'_>, delivery: Delivery, turn: &mut Turn) -> Offered {
        if delivery.via.is_some() && self.link.as_ref().is_some_and(|link| !link.could_take(parcel, turn)) {
            return Offered::Dropped(Drop::TooLarge);
        }
        if self.queue.is_empty() && self.may_send(turn) {
            return self.send(parcel, delivery, turn);
        }
        self.enqueue(delivery, parcel.security(), turn)
    }

    /// Whether a PUBLISH of QoS 1 or 2 may go out at this moment.
    pub(crate) fn may_send(&self, turn: &Turn) -> bool {
        self.link.as_ref().is_some_and(|link| {
            self.held_until.is_none()
                && !self.queue.is_asleep()
                && !self.inflight.resends()
                && self.inflight.has_room(link.window)
                && link.out.len() < turn.limits.out_bytes_max
        })
    }

    /// Sends a delivery for the first time. The caller has checked [`Session::may_send`] and counts a drop.
    ///
    /// One that the overseer lets wait goes to the front of the queue.
    pub(crate) fn send(&mut self, parcel: &Parcel<'_>, delivery: Delivery, turn: &mut Turn) -> Offered {
        if self.link.is_none() {
            return Offered::Dropped(Drop::Away);
        }
        let exchange = turn.start(Kind::Deliver);
        if turn.judges(Kind::Deliver) {
            return self.send_judged(parcel, delivery, exchange, turn);
        }
        self.send_as(parcel, parcel, delivery, exchange, turn)
    }

    /// Sends a delivery as the overseer says. Apart, so that those who have none do not carry it along.
    #[inline(never)]
    fn send_judged(
        &mut self,
        parcel: &Parcel<'_>,
        mut delivery: Delivery,
        exchange: Exchange<phase::Running>,
        turn: &mut Turn,
    ) -> Offered {
        let outgoing = Outgoing {
            message: &delivery.message,
            qos: delivery.qos,
            retain: delivery.retain,
        };
        let (exchange, changed) = match self.judge_delivery(exchange, outgoing, turn) {
            Judged::Proceed(exchange, changed) => (exchange, changed),
            Judged::Over => {
                self.forget(&delivery, turn);
                return Offered::Dropped(Drop::Forbidden);
            }
            Judged::Wait(millis) => {
                self.keep(&mut delivery, parcel.security(), None, turn);
                self.hold_deliveries(millis, turn);
                turn.counters.queued += 1;
                self.queue.push_front(delivery);
                return Offered::Taken;
            }
        };
        let own = changed.as_ref().map(Parcel::of);
        if own.is_some() {
            turn.templates.next_parcel();
        }
        let offered = self.send_as(parcel, own.as_ref().unwrap_or(parcel), delivery, exchange, turn);
        if own.is_some() {
            turn.templates.next_parcel();
        }
        offered
    }

    /// Sends a delivery that may go. What goes out is `shown`; what is kept is what the delivery has.
    // In line, because all that a line does without an overseer goes this way.
    #[inline(always)]
    fn send_as(
        &mut self,
        parcel: &Parcel<'_>,
        shown: &Parcel<'_>,
        mut delivery: Delivery,
        exchange: Exchange<phase::Running>,
        turn: &mut Turn,
    ) -> Offered {
        if delivery.message.is_expired(turn.now) {
            turn.end(exchange.cancel());
            self.forget(&delivery, turn);
            return Offered::Dropped(Drop::Expired);
        }
        // [MQTT-3.1.2-25] in 5.0: as if it had been sent, so no id is taken for it.
        if self.link.as_ref().is_none_or(|link| !link.could_take(shown, turn)) {
            turn.end(exchange.cancel());
            self.forget(&delivery, turn);
            return Offered::Dropped(Drop::TooLarge);
        }
        let (qos, retain, ids) = (delivery.qos, delivery.retain, delivery.ids.clone());
        if self.id.is_some() {
            let id = self.inflight.next_id();
            self.keep(&mut delivery, parcel.security(), Some(id), turn);
        }
        let id = self.inflight.begin(delivery, exchange);
        turn.counters.inflight += 1;
        let terms = Terms {
            qos,
            retain,
            ids: &ids,
            packet_id: Some(id),
            dup: false,
            paced: true,
        };
        let slot = self.key.slot();
        let written = match &mut self.link {
            Some(link) => link.write_publish(slot, shown, &terms, turn),
            None => Err(Drop::Away),
        };
        if let Err(reason) = written {
            // The head with this receiver's ids made it too large after all: the conversation ends as if completed.
            self.abandon(id, turn);
            return Offered::Dropped(reason);
        }
        Offered::Taken
    }

    /// Puts a delivery into the queue. What the bound of the queue means is a setting.
    pub(crate) fn enqueue(&mut self, mut delivery: Delivery, security: Security, turn: &mut Turn) -> Offered {
        let (messages_max, bytes_max) = (turn.limits.queue_messages_max, turn.limits.queue_bytes_max);
        if self.queue.is_full(messages_max, bytes_max) {
            self.drop_expired(turn);
            if turn.limits.queue_full == QueueFull::Drop && self.queue.is_full(messages_max, bytes_max) {
                return Offered::Dropped(Drop::QueueFull);
            }
        }
        if turn.memory != Memory::Ample && self.link.is_none() && turn.limits.queue_full == QueueFull::Drop {
            return Offered::Dropped(Drop::Memory);
        }
        // A group has other members for its next message; one that is not the client's own fault does not end it.
        let by_group = delivery.via.is_some();
        self.keep(&mut delivery, security, None, turn);
        self.queue.push(delivery, turn.limits.queue_memory_messages);
        turn.counters.queued += 1;
        self.look_beyond(turn);
        if self.queue.is_full(messages_max, bytes_max) {
            if self.link.is_some() && turn.limits.queue_full == QueueFull::Refuse && !by_group {
                // Its connection ends before this turn does. Were it called full meanwhile, other lines would refuse
                // publishers for it.
                turn.ending.push((self.key.slot(), Cause::QueueFull));
            } else {
                turn.presence.set_full(self.key, true);
            }
            self.plan_purge(turn);
        }
        Offered::Taken
    }

    /// Drops what has expired in the queue.
    pub(crate) fn drop_expired(&mut self, turn: &mut Turn) {
        for delivery in self.queue.take_expired(turn.now) {
            self.forget(&delivery, turn);
            turn.counters.queued = turn.counters.queued.saturating_sub(1);
            turn.drop_message(Drop::Expired);
            turn.note(&self.client_id, Decision::Dropped(Drop::Expired));
        }
    }

    /// Has the queue looked at when room may come into it. Only a session that is away needs it: publishers are refused
    /// for it and so do not look themselves, and nothing else empties its queue.
    pub(crate) fn plan_purge(&self, turn: &mut Turn) {
        if self.link.is_none() && turn.presence.is_full(self.key) {
            let beyond = self.queue.is_beyond().then(|| turn.now.plus(PURGE_BEYOND_MILLIS));
            if let Some(at) = self.queue.next_expiry().into_iter().chain(beyond).min() {
                turn.timers.set(at, self.key, Timer::Purge);
            }
        }
    }
}

impl Link {
    /// Whether the message without its per-receiver properties fits the client's Maximum Packet Size.
    pub(crate) fn could_take(&self, parcel: &Parcel<'_>, turn: &mut Turn) -> bool {
        if self.packet_bytes_max >= turn.limits.packet_bytes_max.saturating_mul(2) {
            return true;
        }
        let patch = Patch {
            packet_id: Some(PacketId::MIN),
            ..Patch::default()
        };
        turn.templates
            .form(parcel, self.version, QoS::AtLeastOnce, parcel.retain)
            .is_some_and(|form| form.len(&patch) <= self.packet_bytes_max as usize)
    }

    /// Appends a PUBLISH to the outbox.
    ///
    /// # Errors
    ///
    /// Says why it was not written: expired, too large for the client, or no room for a QoS 0 message.
    pub(crate) fn write_publish(
        &mut self,
        slot: u32,
        parcel: &Parcel<'_>,
        terms: &Terms<'_>,
        turn: &mut Turn,
    ) -> Result<(), Drop> {
        let message_expiry_secs = match parcel.expires_at {
            Some(at) if at <= turn.now && !terms.dup => return Err(Drop::Expired),
            Some(at) => Some(u32::try_from(at.since(turn.now).div_ceil(1000)).unwrap_or(u32::MAX)),
            None => None,
        };
        let (alias, fresh) = if self.alias_out_max > 0 {
            self.alias_for(parcel.topic)
        } else {
            (None, false)
        };
        let wide = self.version == Version::V5;
        let Some(form) = turn.templates.form(parcel, self.version, terms.qos, terms.retain) else {
            return Err(Drop::TooLarge);
        };
        let patch = Patch {
            packet_id: terms.packet_id,
            dup: terms.dup,
            subscription_ids: if wide { terms.ids.as_slice() } else { &[] },
            alias,
            message_expiry_secs: message_expiry_secs.filter(|_| wide),
        };
        let len = form.len(&patch);
        if len > self.packet_bytes_max as usize {
            return Err(Drop::TooLarge);
        }
        // An empty buffer takes any packet, or one larger than the bound would never arrive.
        if !terms.paced && !self.out.is_empty() && self.out.len() + len > turn.limits.out_bytes_max {
            return Err(Drop::Slow);
        }
        if !self.out.has_buffer() {
            self.out.lend(turn.buffers.pop().unwrap_or_default());
        }
        if parcel.payload.len() >= SHARE_BYTES_MIN {
            self.out.append(|out| form.write_head(&patch, out));
            self.out.share(parcel.payload.clone());
        } else {
            self.out.append(|out| form.write(&patch, out));
        }
        if fresh {
            self.aliases.get_or_insert_default().outward.push(parcel.topic.detach());
        }
        turn.counters.count_publish_out(terms.qos, parcel.payload.len());
        self.time(parcel, terms.dup, turn);
        if parcel.trace.is_some() {
            self.trace(parcel, terms.qos, turn);
        }
        if !turn.limits.classes.is_empty() {
            self.count_classes(parcel, turn);
        }
        self.sent(slot, PacketKind::Publish, turn);
        Ok(())
    }

    /// Appends a PUBLISH of a message that this receiver alone gets, while another is handed to all.
    ///
    /// # Errors
    ///
    /// As [`Link::write_publish`].
    pub(crate) fn write_changed(
        &mut self,
        slot: u32,
        message: &Arc<Message>,
        terms: &Terms<'_>,
        turn: &mut Turn,
    ) -> Result<(), Drop> {
        turn.templates.next_parcel();
        let written = self.write_publish(slot, &Parcel::of(message), terms, turn);
        turn.templates.next_parcel();
        written
    }

    /// The number that stands for the topic on this connection, and whether it is given out with this packet.
    fn alias_for(&self, topic: &TopicName) -> (Option<Alias>, bool) {
        let given = self.aliases.as_ref().map_or(&[][..], |aliases| &aliases.outward);
        let known = given.iter().position(|known| known == topic);
        let place = known.unwrap_or(given.len());
        if place >= usize::from(self.alias_out_max) {
            return (None, false);
        }
        let number = u16::try_from(place + 1).ok().and_then(std::num::NonZeroU16::new);
        (
            number.map(|number| Alias {
                number,
                known: known.is_some(),
            }),
            known.is_none(),
        )
    }

    /// Notes that a packet was appended to the outbox.
    pub(crate) fn sent(&mut self, slot: u32, kind: PacketKind, turn: &mut Turn) {
        self.trail.sent(kind);
        self.packets_out += 1;
        if !self.dirty {
            self.dirty = true;
            turn.dirty.push(slot);
        }
    }
}

/// Ends the exchange of a message of QoS 0 as the outbox took it.
#[inline]
fn concluded(exchange: Exchange<phase::Running>, written: Result<(), Drop>, turn: &mut Turn) -> Offered {
    match written {
        Ok(()) => {
            turn.end(exchange.finish());
            Offered::Taken
        }
        Err(reason) => {
            turn.end(exchange.cancel());
            Offered::Dropped(reason)
        }
    }
}
