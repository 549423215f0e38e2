//! What the store is told of a session, and what it says.

use std::sync::Arc;

use mqtt_codec::{PacketId, QoS, TopicFilter};

use super::inflight::Over;
use super::{Delivery, Link, Security, Session, Unreleased};
use crate::counters::Drop;
use crate::durable::{Change, Durability, Entry, Found, Gate, OpenDelivery, SessionId, SessionImage, WillImage};
use crate::exchange::Kind;
use crate::router::SubscriptionOptions;
use crate::turn::Turn;

impl Session {
    /// The session as the store keeps it.
    pub(crate) fn image(&self) -> Option<SessionImage> {
        let link = self.link.as_ref();
        Some(SessionImage {
            id: self.id?,
            client_id: self.client_id.clone(),
            username: self.identity.username.clone(),
            expiry_secs: self.expiry_secs,
            left_at: link.is_none().then_some(self.left_at),
            will: link.map_or(&self.will, |link| &link.will).clone(),
        })
    }

    /// Has the store keep the session as it is at this moment.
    pub(crate) fn keep_image(&self, turn: &mut Turn) {
        if let Some(image) = self.image() {
            let durability = turn.keeper.sessions();
            turn.keeper.keep(Change::Session(Box::new(image)), durability);
        }
    }

    /// Has the store keep what a client is told with its CONNACK: that it has a session, and that its will is known.
    /// The CONNACK waits for it, and for the end of the session before if that was `replaced`.
    pub(crate) fn keep_connection(&mut self, replaced: bool, turn: &mut Turn) {
        let durability = turn.keeper.sessions();
        if durability == Durability::Memory {
            return;
        }
        turn.keeper.begin();
        if replaced {
            turn.keeper.owe(durability);
        }
        self.keep_image(turn);
        if self.id.is_none()
            && let Some(link) = &mut self.link
            && let Some(will) = &link.will
        {
            let id = turn.keeper.session_id();
            let image = WillImage {
                id,
                client_id: self.client_id.clone(),
                username: self.identity.username.clone(),
                will: will.as_ref().clone(),
            };
            turn.keeper.keep(Change::Will(Box::new(image)), durability);
            link.will_id = Some(id);
        }
        self.wait_for_kept(turn);
    }

    /// Has the store keep subscriptions that were granted. The SUBACK is to wait for it.
    pub(crate) fn keep_subscriptions(&self, granted: &[(TopicFilter, SubscriptionOptions)], turn: &mut Turn) {
        turn.keeper.begin();
        let Some(id) = self.id else { return };
        let durability = turn.keeper.sessions();
        for (filter, options) in granted {
            let change = Change::Subscribe(id, filter.clone(), *options);
            turn.keeper.keep(change, durability);
        }
    }

    /// Has the store forget subscriptions, also those that the router did not have: they may have been taken back a
    /// moment ago by a request whose answer never left. The UNSUBACK is to wait for it.
    pub(crate) fn forget_subscriptions(&self, filters: &[TopicFilter], turn: &mut Turn) {
        turn.keeper.begin();
        let Some(id) = self.id else { return };
        let durability = turn.keeper.sessions();
        for filter in filters {
            turn.keeper.keep(Change::Unsubscribe(id, filter.clone()), durability);
        }
    }

    /// Has the store keep a delivery that is queued, or sent under `packet_id`. Of QoS 2, nothing leaves before it is
    /// known under which id: the client would take a second attempt for another message.
    pub(super) fn keep(
        &mut self,
        delivery: &mut Delivery,
        security: Security,
        packet_id: Option<PacketId>,
        turn: &mut Turn,
    ) {
        let Some(id) = self.id else { return };
        let durability = match (delivery.place, packet_id) {
            // The client remembers the id until PUBREL: whatever the class of the message, no other may have it.
            (None, Some(packet_id))
                if delivery.qos == QoS::ExactlyOnce && security.durability < turn.keeper.sessions() =>
            {
                keep_lifted(id, delivery, security, packet_id, turn)
            }
            (None, _) if security.durability == Durability::Memory => return,
            (None, packet_id) => {
                let entry = entry_of(delivery, packet_id, turn);
                // Of QoS 2 the packet id is awaited in any case.
                let is_sent_once = packet_id.is_some() && delivery.qos == QoS::ExactlyOnce;
                if security.is_awaited {
                    turn.keeper.keep(Change::Queue(id, entry), security.durability);
                } else if is_sent_once {
                    turn.keeper.keep_aside(Change::Queue(id, entry), security.durability);
                } else {
                    turn.keeper.note(Change::Queue(id, entry));
                }
                security.durability
            }
            (Some(place), Some(packet_id)) => {
                delivery.told = true;
                let change = Change::Sent(id, place, packet_id);
                if delivery.qos != QoS::ExactlyOnce {
                    return turn.keeper.note(change);
                }
                let durability = turn.keeper.sessions();
                turn.keeper.keep_aside(change, durability);
                durability
            }
            (Some(_), None) => return,
        };
        if packet_id.is_some() && delivery.qos == QoS::ExactlyOnce {
            let gate = turn.keeper.gate(durability);
            self.wait_for(gate, turn);
        }
    }

    /// Lets what is written from here on wait for the store.
    pub(crate) fn wait_for(&mut self, gate: Gate, turn: &mut Turn) {
        let slot = self.key.slot();
        if let Some(link) = &mut self.link {
            link.wait_for(gate, slot, turn);
        }
    }

    /// Lets what is written from here on wait for what the request at hand had the store keep.
    pub(crate) fn wait_for_kept(&mut self, turn: &mut Turn) {
        if let Some(gate) = turn.keeper.owed() {
            self.wait_for(gate, turn);
        }
    }

    /// Has the store forget a delivery that is over before it was sent.
    pub(crate) fn forget(&self, delivery: &Delivery, turn: &mut Turn) {
        if let (Some(id), Some(holding)) = (self.id, delivery.holding()) {
            turn.keeper.note(Change::Done(id, holding));
        }
    }

    pub(super) fn forget_over(&self, over: &Over, turn: &mut Turn) {
        if let (Some(id), Some(holding)) = (self.id, over.holding) {
            turn.keeper.note(Change::Done(id, holding));
        }
    }

    /// Gives a conversation up.
    pub(crate) fn abandon(&mut self, packet_id: PacketId, turn: &mut Turn) {
        if let Some(over) = self.inflight.abandon(packet_id) {
            turn.counters.inflight -= 1;
            self.forget_over(&over, turn);
            turn.end(over.exchange.cancel());
        }
    }

    /// PUBREC has come. The PUBREL waits until the store knows, or the message could be sent once more.
    pub(super) fn keep_released(&mut self, delivery: &Delivery, packet_id: PacketId, turn: &mut Turn) {
        if let (Some(id), Some(holding)) = (self.id, delivery.holding()) {
            self.keep_step(Change::Released(id, holding, packet_id), turn);
        }
    }

    /// Has the store keep a step of a conversation. What answers it waits for it.
    pub(crate) fn keep_step(&mut self, step: Change, turn: &mut Turn) {
        let durability = turn.keeper.sessions();
        turn.keeper.keep(step, durability);
        let gate = turn.keeper.gate(durability);
        self.wait_for(gate, turn);
    }

    /// Asks the store for what it alone has of this session, as far as it is wanted.
    pub(crate) fn look_beyond(&mut self, turn: &mut Turn) {
        let (Some(id), true) = (self.id, self.queue.is_beyond()) else {
            return;
        };
        let memory_max = turn.limits.queue_memory_messages;
        let wanted = match (self.link.is_some(), self.queue.is_asleep()) {
            (true, true) => self.queue.wake(memory_max),
            (true, false) => self.queue.wants(memory_max),
            (false, _) => self.queue.count(false),
        };
        if let Some(wanted) = wanted {
            turn.keeper.fetch(self.key, id, wanted);
        }
    }

    /// Counts the part of the queue that the store alone has once more, without what has expired.
    pub(crate) fn recount(&mut self, turn: &mut Turn) {
        if let Some(id) = self.id
            && let Some(wanted) = self.queue.count(true)
        {
            turn.keeper.fetch(self.key, id, wanted);
        }
    }

    /// Takes the store's answer.
    pub(crate) fn take_found(&mut self, found: Found, turn: &mut Turn) {
        let mut dropped = 0;
        let (before, after) = match found {
            Found::Conversations { received, open, window } => {
                if !self.queue.is_asleep() {
                    return;
                }
                self.wake(received, open, turn);
                self.queue.take_window(window)
            }
            Found::Window(window) => self.queue.take_window(window),
            Found::Count {
                after,
                entries,
                bytes,
                expired,
            } => {
                (0..expired).for_each(|_| turn.drop_message(Drop::Expired));
                dropped = expired;
                self.queue.take_count(after, (entries, bytes))
            }
            // The line has sent the client away; what is damaged is never served.
            Found::Unreadable => return self.queue.give_up_asking(),
        };
        turn.counters.copies.corrected(before as u64, (after + dropped) as u64);
        turn.counters.queued = (turn.counters.queued + after as u64).saturating_sub(before as u64);
        let limits = &turn.limits;
        if self.link.is_none() && self.queue.is_full(limits.queue_messages_max, limits.queue_bytes_max) {
            turn.presence.set_full(self.key, true);
        }
        self.note_room(turn);
        self.plan_purge(turn);
        if let Some(link) = &mut self.link {
            link.asleep = self.queue.is_asleep();
            link.resume_if_free(self.key.slot(), turn);
            self.pump(turn);
        }
    }

    fn wake(&mut self, received: Vec<PacketId>, open: Vec<OpenDelivery>, turn: &mut Turn) {
        let unreleased = received.into_iter().map(|packet_id| Unreleased {
            packet_id,
            exchange: turn.start(Kind::Publish),
            kept: true,
        });
        let known = self.unreleased.len();
        self.unreleased.extend(unreleased);
        turn.counters.publish_open += (self.unreleased.len() - known) as u64;
        self.unreleased.sort_unstable_by_key(|open| open.packet_id);
        let open: Vec<_> = open.into_iter().map(|open| (open, turn.start(Kind::Deliver))).collect();
        turn.counters.inflight += open.len() as u64;
        turn.counters.copies.restored += open.len() as u64;
        self.inflight.restore(open);
    }
}

/// Has the store keep as much of a delivery as the session's class asks for, and its publisher wait as long as the
/// message's own class does.
fn keep_lifted(
    id: SessionId,
    delivery: &mut Delivery,
    security: Security,
    packet_id: PacketId,
    turn: &mut Turn,
) -> Durability {
    let lifted = turn.keeper.sessions();
    // Told apart that it was sent: what waits in the queue may stand before it.
    let entry = entry_of(delivery, None, turn);
    delivery.told = true;
    let sent = Change::Sent(id, entry.place, packet_id);
    turn.keeper.keep(Change::Queue(id, entry), security.durability);
    turn.keeper.keep_aside(sent, lifted);
    lifted
}

/// What the store is to have of a delivery that gets its place with this.
fn entry_of(delivery: &mut Delivery, packet_id: Option<PacketId>, turn: &mut Turn) -> Entry {
    let place = turn.keeper.place();
    delivery.place = Some(place);
    Entry {
        place,
        message: Arc::clone(&delivery.message),
        qos: delivery.qos,
        retain: delivery.retain,
        ids: delivery.ids.clone(),
        via: delivery.via.clone(),
        shared: delivery.shared,
        packet_id,
    }
}

impl Link {
    /// Lets what is written from here on wait for the store.
    pub(crate) fn wait_for(&mut self, gate: Gate, slot: u32, turn: &mut Turn) {
        if !self.out.has_buffer() {
            self.out.lend(turn.buffer());
        }
        if self.out.gate(gate) {
            turn.keeper.wait(gate, slot);
        }
    }
}
