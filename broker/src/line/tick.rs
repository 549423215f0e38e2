//! Time passes, and word comes from other lines.

use std::sync::Arc;

use mqtt_codec::{QoS, TopicName};

use super::share::Among;
use super::{ConnectionKey, Line};
use crate::counters::Drop;
use crate::durable::Change;
use crate::effect::{Cause, Forward};
use crate::key::SessionKey;
use crate::message::{Message, Millis};
use crate::router::{Receiver, ShareKey};
use crate::session::{Delivery, Offered, Parcel};
use crate::timers::Timer;

/// Messages after which [`Line::work`] leaves the rest for its next call.
const WORK_MAX: u16 = 64;

impl Line {
    /// When [`Line::tick`] has something to do next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Millis> {
        let timer = self.turn.timers.next();
        timer.into_iter().chain(self.awaited_until()).min()
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Millis) {
        self.turn.now = now;
        while let Some((key, timer)) = self.turn.timers.pop_due(now) {
            let slot = key.slot();
            if self.session_at(slot).is_none_or(|session| session.key != key) {
                continue;
            }
            match timer {
                Timer::KeepAlive(epoch) => self.check_keep_alive(key, epoch),
                Timer::SessionExpiry => self.check_expiry(key),
                Timer::Will => self.check_will(key),
                Timer::Hold(epoch) => self.hold_over(ConnectionKey { slot, epoch }),
                Timer::Pace(epoch) => self.pace_kept(ConnectionKey { slot, epoch }),
                Timer::Deliver => self.deliver_held(slot),
                Timer::Identity(epoch) => self.close(ConnectionKey { slot, epoch }, Cause::IdentityExpired),
                Timer::Authentication(epoch) => self.check_authentication(ConnectionKey { slot, epoch }),
                Timer::Purge => self.purge(slot),
            }
        }
        self.give_up_awaited();
        self.settle();
    }

    /// Whether [`Line::work`] has something to do.
    #[must_use]
    pub fn has_work(&self) -> bool {
        !self.turn.feeding.is_empty()
    }

    /// Goes on with long queues and with the retained messages of new subscriptions: with a bounded number of messages,
    /// session by session.
    pub fn work(&mut self, now: Millis) {
        self.turn.now = now;
        let mut sent = 0;
        // Those that ask again come after the others.
        for _ in 0..self.turn.feeding.len() {
            let Some(slot) = self.turn.feeding.pop_front() else {
                break;
            };
            if let Some(session) = self
                .slots
                .get_mut(slot as usize)
                .and_then(|slot| slot.session.as_deref_mut())
            {
                sent += session.take_turn(&mut self.turn);
            }
            if sent >= WORK_MAX {
                break;
            }
        }
        self.settle();
    }

    /// Takes messages from another line.
    pub fn deliver(&mut self, forwards: &[Forward], now: Millis) {
        self.turn.now = now;
        for forward in forwards {
            self.turn.counters.copies.forwarded_in += forward.receivers.len() as u64;
            let mut parcel = Parcel::of(&forward.message);
            parcel.durability = forward.durability;
            parcel.shared = forward.shared;
            parcel.secured = forward.transfer.is_some();
            self.turn.templates.next_parcel();
            match &forward.via {
                None => forward
                    .receivers
                    .iter()
                    .for_each(|receiver| self.hand_over(&mut parcel, receiver)),
                Some(key) => {
                    let refused = &forward.refused;
                    forward
                        .receivers
                        .iter()
                        .for_each(|member| self.deliver_shared(&mut parcel, member, key, refused));
                }
            }
            if let Some(place) = forward.transfer {
                let body = forward.message.body(forward.shared);
                self.turn.keeper.note(Change::Transferred(place, body));
            }
        }
        self.settle();
    }

    /// The other line chose this member; if it cannot take the message after all, another is chosen here.
    fn deliver_shared(
        &mut self,
        parcel: &mut Parcel<'_>,
        member: &Receiver,
        key: &Arc<ShareKey>,
        refused: &[SessionKey],
    ) {
        let session = self
            .slots
            .get_mut(member.session.slot() as usize)
            .and_then(|slot| slot.session.as_deref_mut());
        if let Some(session) = session
            && session.key == member.session
            && session.offer(parcel, member, Some(key), &mut self.turn) == Offered::Taken
        {
            return;
        }
        let delivery = Delivery {
            message: parcel.message(),
            qos: parcel.qos.min(member.qos),
            retain: false,
            ids: member.ids.clone(),
            via: Some(Arc::clone(key)),
            place: None,
            shared: parcel.shared,
            told: false,
        };
        let refused = [refused, &[member.session]].concat();
        if !self.share_again(&delivery, Among::All, refused) {
            self.turn.drop_message(Drop::NoMember);
        }
    }

    /// Publishes a retained message about the broker itself.
    pub fn publish_state(&mut self, topic: TopicName, payload: String, now: Millis) {
        self.turn.now = now;
        let message = Message {
            topic,
            payload: payload.into(),
            qos: QoS::AtMostOnce,
            retain: true,
            properties: None,
            expires_at: None,
            publisher: None,
            id: 0,
            arrived_micros: 0,
            trace: None,
        };
        self.publish_own(&Arc::new(message));
        self.settle();
    }

    /// [MQTT-3.1.2-22] in 5.0, [MQTT-3.1.2-24] in 3.1.1. The timer looks once per period instead of being moved with
    /// every packet.
    fn check_keep_alive(&mut self, key: SessionKey, epoch: u32) {
        let connection = ConnectionKey {
            slot: key.slot(),
            epoch,
        };
        let Some((session, turn)) = self.connected(connection) else {
            return;
        };
        let Some(link) = &mut session.link else { return };
        let deadline = link.heard_at.plus(u64::from(link.silence_millis_max));
        // A connection that the broker itself keeps from speaking is not silent.
        if deadline > turn.now || link.paused {
            link.looks_at = if link.paused {
                turn.now.plus(u64::from(link.silence_millis_max))
            } else {
                deadline
            };
            turn.timers.set(link.looks_at, key, Timer::KeepAlive(epoch));
            return;
        }
        self.close(connection, Cause::KeepAliveTimeout);
    }

    /// [MQTT-4.1.0-2] in 5.0
    fn check_expiry(&mut self, key: SessionKey) {
        let now = self.turn.now;
        let Some(session) = self.session_at(key.slot()) else {
            return;
        };
        if session.link.is_none() && session.expires_at() <= now {
            self.turn.counters.sessions_expired += 1;
            self.end_session(key.slot());
        }
    }

    /// [MQTT-3.3.2-5] in 5.0. What expires in a full queue makes room that publishers wait for.
    fn purge(&mut self, slot: u32) {
        if let Some(session) = self
            .slots
            .get_mut(slot as usize)
            .and_then(|slot| slot.session.as_deref_mut())
        {
            session.drop_expired(&mut self.turn);
            session.recount(&mut self.turn);
            session.note_room(&mut self.turn);
            session.plan_purge(&mut self.turn);
        }
    }

    fn deliver_held(&mut self, slot: u32) {
        if let Some(session) = self
            .slots
            .get_mut(slot as usize)
            .and_then(|slot| slot.session.as_deref_mut())
        {
            session.held_until = None;
            session.pump(&mut self.turn);
        }
    }
}
