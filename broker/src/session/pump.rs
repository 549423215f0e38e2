//! Sends what waits, as far as the receiver's window and its outgoing buffer allow.

use std::sync::Arc;

use mqtt_codec::{PacketId, PacketKind, QoS, encode_short};

use super::feed::Fed;
use super::judge::Judged;
use super::offer::{Offered, Terms};
use super::{Acknowledged, Delivery, Link, Parcel, Resend, Session};
use crate::counters::Drop;
use crate::exchange::{DeliverEvent, Kind};
use crate::notes::Decision;
use crate::turn::Turn;

/// Messages that a session sends from what waits before other sessions have their turn: a long queue does not keep a
/// line from its other clients.
const SPURT_MAX: u16 = 64;

impl Session {
    /// Sends resends first, in their old order, then what is queued and what new subscriptions ask for by turns.
    ///
    /// What goes beyond a spurt waits for the session's turn, which [`Session::take_turn`] gives it.
    pub(crate) fn pump(&mut self, turn: &mut Turn) {
        self.resend(turn);
        while self.link.as_ref().is_some_and(|link| link.spurt < SPURT_MAX) {
            let queued = self.send_queued(turn);
            let fed = !self.feeds.is_empty() && self.send_fed(turn);
            if !queued && !fed {
                break;
            }
            if let Some(link) = &mut self.link {
                link.spurt += u16::from(queued) + u16::from(fed);
            }
        }
        self.look_beyond(turn);
        self.note_room(turn);
        if (!self.queue.is_drained() && self.may_send(turn)) || (!self.feeds.is_empty() && self.may_feed(turn)) {
            self.ask_for_turn(turn);
        }
    }

    /// Has the line call [`Session::take_turn`] after what is ready now.
    pub(crate) fn ask_for_turn(&mut self, turn: &mut Turn) {
        if let Some(link) = &mut self.link
            && !link.awaits_turn
        {
            link.awaits_turn = true;
            turn.feeding.push_back(self.key.slot());
        }
    }

    /// Goes on with what waits. Returns how many messages that took.
    pub(crate) fn take_turn(&mut self, turn: &mut Turn) -> u16 {
        let Some(link) = &mut self.link else { return 0 };
        link.awaits_turn = false;
        link.spurt = 0;
        self.pump(turn);
        self.link.as_ref().map_or(0, |link| link.spurt)
    }

    /// Sends what an acknowledgement made room for, unless this client has had its share.
    fn go_on(&mut self, turn: &mut Turn) {
        if self.link.as_ref().is_some_and(|link| link.spurt < SPURT_MAX) {
            self.pump(turn);
        } else {
            self.ask_for_turn(turn);
        }
    }

    /// Lets publishers know that a full queue has room again.
    pub(crate) fn note_room(&self, turn: &mut Turn) {
        if turn.presence.any_full()
            && turn.presence.is_full(self.key)
            && !self
                .queue
                .is_full(turn.limits.queue_messages_max, turn.limits.queue_bytes_max)
        {
            turn.presence.set_full(self.key, false);
        }
    }

    /// Whether a call of [`Session::pump`] may have something to do once the connection took what it was given.
    pub(crate) fn has_more(&self) -> bool {
        !self.queue.is_empty() || !self.feeds.is_empty() || self.inflight.resends()
    }

    fn resend(&mut self, turn: &mut Turn) {
        if !self.inflight.resends() {
            return;
        }
        let mut given_up = Vec::new();
        while self.inflight.resends()
            && self.held_until.is_none()
            && let Some(link) = &mut self.link
            && link.out.len() < turn.limits.out_bytes_max
        {
            match self.inflight.next_resend(link.window) {
                Some(Resend::Pubrel(id)) => link.write_ack(self.key.slot(), PacketKind::Pubrel, id, turn),
                Some(Resend::Publish(id, delivery)) => match self.resend_publish(id, delivery, turn) {
                    Resent::Gone => {}
                    Resent::GivenUp => given_up.push(id),
                },
                None => break,
            }
        }
        for id in given_up {
            self.abandon(id, turn);
        }
    }

    fn resend_publish(&mut self, id: PacketId, delivery: Delivery, turn: &mut Turn) -> Resent {
        let mut changed = None;
        let mut may_go = self.permits_delivery(&delivery, turn);
        if may_go && turn.judges(Kind::Deliver) {
            match self.judge_resend(&delivery, turn) {
                Judged::Proceed(exchange, other) => {
                    // It stood for the conversation that goes on.
                    turn.end(exchange.cancel());
                    changed = other;
                }
                Judged::Over => may_go = false,
                Judged::Wait(millis) => {
                    self.inflight.put_off(id);
                    self.hold_deliveries(millis, turn);
                    return Resent::Gone;
                }
            }
        }
        if !may_go {
            turn.note(&self.client_id, Decision::Dropped(Drop::Forbidden));
            // A QoS 2 message that was sent belongs to this session: [MQTT-4.8.2-5] in 5.0.
            if delivery.via.is_some() && delivery.qos == QoS::AtLeastOnce {
                turn.handed_back.push((self.key, delivery));
            } else {
                turn.drop_message(Drop::Forbidden);
            }
            return Resent::GivenUp;
        }
        let terms = Terms {
            qos: delivery.qos,
            retain: delivery.retain,
            ids: &delivery.ids,
            packet_id: Some(id),
            dup: true,
            paced: true,
        };
        let message = changed.as_ref().unwrap_or(&delivery.message);
        let Some(link) = &mut self.link else {
            return Resent::Gone;
        };
        if link.write_changed(self.key.slot(), message, &terms, turn).is_err() {
            // The new connection takes smaller packets only: [MQTT-3.1.2-25] in 5.0.
            turn.drop_message(Drop::TooLarge);
            turn.note(&self.client_id, Decision::Dropped(Drop::TooLarge));
            return Resent::GivenUp;
        }
        Resent::Gone
    }

    fn send_queued(&mut self, turn: &mut Turn) -> bool {
        if !self.may_send(turn) {
            return false;
        }
        let Some(delivery) = self.queue.pop() else { return false };
        turn.counters.queued = turn.counters.queued.saturating_sub(1);
        if !self.permits_delivery(&delivery, turn) {
            self.withhold(delivery, turn);
            return true;
        }
        let arrived_micros = delivery.message.arrived_micros;
        self.send_waiting(delivery, arrived_micros, turn);
        true
    }

    fn send_waiting(&mut self, delivery: Delivery, arrived_micros: u64, turn: &mut Turn) {
        turn.templates.next_parcel();
        let message = Arc::clone(&delivery.message);
        let mut parcel = Parcel::of(&message);
        parcel.arrived_micros = arrived_micros;
        parcel.waited = true;
        if self.id.is_some() && delivery.place.is_none() {
            parcel.durability = turn.keeper.durability_of(&message.topic);
        }
        if let Offered::Dropped(reason) = self.send(&parcel, delivery, turn) {
            turn.drop_message(reason);
            turn.note(&self.client_id, Decision::Dropped(reason));
        }
    }

    fn may_feed(&self, turn: &Turn) -> bool {
        match (self.feeds.front(), &self.link) {
            // A feed leaves half of the buffer to live messages.
            (Some(feed), Some(link)) if feed.qos == QoS::AtMostOnce => link.out.len() < turn.limits.out_bytes_max / 2,
            // What is in flight precedes what waits in a queue that is kept: that is how it is told apart when it is read
            // back.
            (Some(_), Some(_)) => self.may_send(turn) && (self.id.is_none() || self.queue.is_empty()),
            (None, _) | (_, None) => false,
        }
    }

    fn send_fed(&mut self, turn: &mut Turn) -> bool {
        if !self.may_feed(turn) {
            return false;
        }
        let Some(feed) = self.feeds.front_mut() else {
            return false;
        };
        let fed = feed.next(turn.tables.as_ref(), turn.now);
        turn.counters.copies.made += u64::from(matches!(fed, Fed::Next(_)));
        match fed {
            Fed::Next(delivery) if !self.permits_delivery(&delivery, turn) => {
                turn.drop_message(Drop::Forbidden);
                true
            }
            Fed::Next(delivery) if delivery.qos == QoS::AtMostOnce => {
                self.send_retained(&delivery, turn);
                true
            }
            Fed::Next(delivery) => {
                // It was published long before somebody asked for it.
                self.send_waiting(delivery, 0, turn);
                true
            }
            Fed::Later => false,
            Fed::End => {
                self.feeds.pop_front();
                true
            }
        }
    }

    fn send_retained(&mut self, delivery: &Delivery, turn: &mut Turn) {
        turn.templates.next_parcel();
        let mut parcel = Parcel::of(&delivery.message);
        parcel.arrived_micros = 0;
        let terms = Terms {
            qos: delivery.qos,
            retain: delivery.retain,
            ids: &delivery.ids,
            packet_id: None,
            dup: false,
            paced: true,
        };
        if turn.judges(Kind::Deliver) {
            if let Offered::Dropped(reason) = self.offer_judged(&parcel, &delivery.message, &terms, turn) {
                turn.drop_message(reason);
            }
            return;
        }
        let Some(link) = &mut self.link else {
            return turn.drop_message(Drop::Away);
        };
        let exchange = turn.start(Kind::Deliver);
        match link.write_publish(self.key.slot(), &parcel, &terms, turn) {
            Ok(()) => turn.end(exchange.finish()),
            Err(reason) => {
                turn.end(exchange.cancel());
                turn.drop_message(reason);
            }
        }
    }

    /// Takes an acknowledgement of one of the broker's own PUBLISH packets and goes on with what waits.
    pub(crate) fn acknowledged(&mut self, id: PacketId, event: DeliverEvent, turn: &mut Turn) -> Acknowledged {
        let (done, over) = self.inflight.acknowledge(id, event);
        if let Some(over) = over {
            turn.counters.inflight -= 1;
            self.forget_over(&over, turn);
            turn.end(over.exchange.finish());
        }
        if let Acknowledged::Release(Some(delivery)) = &done {
            self.keep_released(delivery, id, turn);
        }
        if matches!(done, Acknowledged::Done) && self.has_more() {
            self.go_on(turn);
        }
        done
    }
}

/// What became of a delivery that was to be sent once more.
enum Resent {
    /// It was written, or waits.
    Gone,
    /// Its conversation is to end.
    GivenUp,
}

impl Link {
    /// Appends an acknowledgement without reason or properties: the same four bytes in every version.
    pub(crate) fn write_ack(&mut self, slot: u32, kind: PacketKind, id: PacketId, turn: &mut Turn) {
        if !self.out.has_buffer() {
            self.out.lend(turn.buffer());
        }
        self.out.append(|out| encode_short(kind, id, out));
        turn.counters.packets_out += 1;
        self.sent(slot, kind, turn);
    }
}
