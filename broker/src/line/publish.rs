//! A client's PUBLISH: judged, stored if retained, handed to all that want it, acknowledged.

use std::rc::Rc;
use std::sync::Arc;

use mqtt_codec::{DisconnectReason, PacketId, PubackReason, Publish, PubrecReason, QoS, TopicName, Version};

use super::routes::Routes;
use super::{ConnectionKey, Flow, Line};
use crate::acl::Action;
use crate::classes::{self, Direction};
use crate::counters::Drop;
use crate::durable::{Addressee, Change, Durability, Health, Place, Transfer};
use crate::effect::Forward;
use crate::exchange::{Exchange, Kind, Refusal, phase};
use crate::key::SessionKey;
use crate::limits::{Limit, QueueFull};
use crate::memory::Memory;
use crate::message::Message;
use crate::router::{NoLocal, Receiver, ShareKey};
use crate::session::{Parcel, Unreleased};
use crate::state::SYSTEM_PREFIX;

impl Line {
    pub(super) fn publish(&mut self, connection: ConnectionKey, mut publish: Publish) -> Flow {
        self.turn.counters.count_publish_in(publish.qos, publish.payload.len());
        if let Some(alias) = publish
            .properties
            .as_ref()
            .and_then(|properties| properties.topic_alias)
            && let Err(flow) = self.resolve_alias(connection, &mut publish, alias.get())
        {
            return flow;
        }
        if publish.qos == QoS::ExactlyOnce
            && let Some(id) = publish.packet_id
        {
            match self.expect_pubrel(connection, id) {
                Replay::First => {}
                // [MQTT-4.3.3-10] in 5.0: acknowledged again, passed on once.
                Replay::Again => return self.answer_pubrec(connection, id, PubrecReason::Success),
                Replay::TooMany => {
                    let what = "more QoS 2 messages than Receive Maximum await their PUBREL (MQTT-3.3.4-7)";
                    return self.violation(connection, DisconnectReason::ReceiveMaximumExceeded, what);
                }
            }
        }
        let exchange = self.turn.start(Kind::Publish);
        self.judge_publish(connection, exchange, publish)
    }

    /// Asks the rights and the overseer, then publishes. Also where a held PUBLISH goes on.
    pub(super) fn judge_publish(
        &mut self,
        connection: ConnectionKey,
        exchange: Exchange<phase::Running>,
        publish: Publish,
    ) -> Flow {
        let Some((session, turn)) = self.connected(connection) else {
            self.turn.end(exchange.cancel());
            return Flow::Closed;
        };
        let (key, owed) = (session.key, Owed::to(&publish));
        if let Some(link) = session.link.as_ref().filter(|link| link.classes != 0) {
            let counts = &mut turn.counters.of_groups;
            classes::count(counts, link.classes, Direction::Received, publish.payload.len());
        }
        if !turn.permits(session, Action::Publish, &publish.topic, publish.qos, publish.retain) {
            return self.refuse_publish(connection, exchange, owed, Refusal::NotAuthorized);
        }
        if turn.judges(Kind::Publish) {
            return self.oversee_publish(connection, exchange, publish);
        }
        self.proceed(connection, key, exchange, &publish, owed)
    }

    // In line, because all that a line does without an overseer goes this way.
    #[inline(always)]
    pub(super) fn proceed(
        &mut self,
        connection: ConnectionKey,
        key: SessionKey,
        exchange: Exchange<phase::Running>,
        publish: &Publish,
        owed: Owed,
    ) -> Flow {
        let mut parcel = Parcel {
            topic: &publish.topic,
            kept_topic: None,
            payload: &publish.payload,
            qos: publish.qos,
            retain: publish.retain,
            properties: publish.properties.as_deref(),
            expires_at: publish
                .properties
                .as_ref()
                .and_then(|properties| properties.message_expiry_secs)
                .map(|secs| self.turn.now.plus_secs(u64::from(secs))),
            publisher: Some(key),
            message: None,
            durability: Durability::Memory,
            shared: false,
            secured: false,
            id: 0,
            arrived_micros: self.turn.micros,
            classes: None,
            trace: None,
            waited: false,
        };
        if self.turn.limits.traces.on {
            parcel.trace = self.trace_of(publish);
        }
        self.turn.keeper.begin();
        let matched = match self.route(&mut parcel, Caution::MayRefuse) {
            Ok(matched) => matched,
            Err(refusal) => {
                // The publisher tries again, and then it is set off.
                self.turn.forget_set_off();
                return self.refuse_publish(connection, exchange, owed, refusal);
            }
        };
        if let Some(context) = parcel.trace.take() {
            self.trace_publish(connection, &context, publish);
        }
        if !self.turn.set_off.is_empty() {
            self.publish_set_off();
        }
        let Some(id) = owed.packet_id else {
            self.turn.end(exchange.finish());
            return Flow::Continue;
        };
        match owed.qos {
            QoS::AtMostOnce => Flow::Continue,
            QoS::AtLeastOnce => {
                self.promise(connection);
                self.turn.end(exchange.finish());
                let reason = if matched {
                    PubackReason::Success
                } else {
                    PubackReason::NoMatchingSubscribers
                };
                self.answer_puback(connection, id, reason)
            }
            QoS::ExactlyOnce => {
                // The exchange ends with PUBCOMP; its packet id stands for it until then.
                self.note_unreleased(connection, id, exchange);
                self.promise(connection);
                let reason = if matched {
                    PubrecReason::Success
                } else {
                    PubrecReason::NoMatchingSubscribers
                };
                self.answer_pubrec(connection, id, reason)
            }
        }
    }

    /// Lets the answer wait until the store has what the request at hand gave it to keep.
    fn promise(&mut self, connection: ConnectionKey) {
        if let Some((session, turn)) = self.connected(connection) {
            session.wait_for_kept(turn);
        }
    }

    /// Checks a topic against the bounds and against what is the broker's own.
    pub(super) fn check_topic(&self, topic: &TopicName) -> Result<(), Refusal> {
        let limits = &self.turn.limits;
        let too_long = topic.len() > limits.topic_bytes_max;
        // A topic has at most one level more than it has bytes, so that short ones need no counting.
        let too_deep = topic.len() >= limits.topic_levels_max && topic.levels().count() > limits.topic_levels_max;
        if too_long || too_deep || topic.starts_with(SYSTEM_PREFIX) {
            Err(Refusal::TopicNameInvalid)
        } else {
            Ok(())
        }
    }

    /// Hands a message to all who want it. Says whether anyone did.
    ///
    /// # Errors
    ///
    /// Refuses before anything is done, so that the publisher can try again without a duplicate.
    pub(super) fn route(&mut self, parcel: &mut Parcel<'_>, caution: Caution) -> Result<bool, Refusal> {
        let routes = self.routes(parcel.topic);
        if caution == Caution::MayRefuse {
            self.check_topic(parcel.topic)
                .inspect_err(|_| self.reached_by(Limit::TopicSize, parcel.publisher))?;
            if parcel.qos != QoS::AtMostOnce && self.turn.presence.any_full() {
                self.check_room(parcel, &routes)
                    .inspect_err(|_| self.reached_by(Limit::Queue, parcel.publisher))?;
            }
            if self.turn.memory != Memory::Ample && !self.spare(parcel, &routes)? {
                return Ok(routes.any());
            }
            if self.turn.keeper.health != Health::Well {
                self.check_kept(parcel, &routes)?;
            }
        }
        parcel.durability = routes.durability;
        parcel.classes = Some(routes.classes);
        if routes.classes != 0 && caution == Caution::MayRefuse {
            let counts = &mut self.turn.counters.of_filters;
            classes::count(counts, routes.classes, Direction::Received, parcel.payload.len());
        }
        if routes.durability != Durability::Memory && parcel.qos != QoS::AtMostOnce && routes.are_several {
            parcel.shared = true;
            parcel.id = self.turn.keeper.message_id().0;
        }
        if parcel.qos != QoS::AtMostOnce || !routes.remote.is_empty() {
            parcel.kept_topic = Some(routes.topic.clone());
        }
        if parcel.retain {
            let message = parcel.message();
            let stored = self.turn.tables.retain(&message).map_err(|_| Refusal::QuotaExceeded);
            // Nobody is there to be told that a will found no room; those who listen get it all the same.
            if caution == Caution::MayRefuse {
                stored.inspect_err(|_| self.reached_by(Limit::Retained, parcel.publisher))?;
            }
            if routes.durability != Durability::Memory {
                let change = Change::Retained(routes.topic.clone());
                self.turn.keeper.keep(change, routes.durability);
            }
        }
        self.turn.templates.next_parcel();
        self.turn.counters.copies.made += routes.copies;
        for receiver in &routes.local {
            self.hand_over(parcel, receiver);
        }
        for (line, receivers) in &routes.remote {
            self.turn.counters.copies.forwarded_out += receivers.len() as u64;
            let message = parcel.message();
            let transfer = self.transfer(parcel, receivers, None);
            if let Some(forwards) = self.forwards.get_mut(usize::from(*line)) {
                forwards.push(Forward {
                    message,
                    receivers: Arc::clone(receivers),
                    via: None,
                    refused: Vec::new(),
                    durability: parcel.durability,
                    shared: parcel.shared,
                    transfer,
                });
            }
        }
        for group in &routes.groups {
            self.share(parcel, group);
        }
        Ok(routes.any())
    }

    /// Has the store keep a message for those of another line's receivers whose sessions it keeps, in one piece with
    /// what this line has to do with it. The other line takes it over in one piece, too: so it comes to each once,
    /// whenever the broker ends.
    pub(super) fn transfer(
        &mut self,
        parcel: &mut Parcel<'_>,
        receivers: &[Receiver],
        via: Option<&Arc<ShareKey>>,
    ) -> Option<Place> {
        if parcel.durability == Durability::Memory || parcel.qos == QoS::AtMostOnce || !self.turn.presence.any_kept() {
            return None;
        }
        let addressee = |receiver: &Receiver| {
            let qos = parcel.qos.min(receiver.qos);
            let session = self.turn.presence.kept(receiver.session);
            session.filter(|_| qos != QoS::AtMostOnce).map(|session| Addressee {
                session,
                qos,
                retain: parcel.retain && receiver.retain_as_published,
                ids: receiver.ids.clone(),
            })
        };
        let receivers: Vec<Addressee> = receivers.iter().filter_map(addressee).collect();
        if receivers.is_empty() {
            return None;
        }
        let place = self.turn.keeper.place();
        let transfer = Transfer {
            place,
            message: parcel.message(),
            shared: parcel.shared,
            via: via.cloned(),
            receivers,
        };
        self.turn
            .keeper
            .keep(Change::Transfer(Box::new(transfer)), parcel.durability);
        Some(place)
    }

    /// Refuses a message that a store without room would have to keep, and any promise once it has failed.
    fn check_kept(&self, parcel: &Parcel<'_>, routes: &Rc<Routes>) -> Result<(), Refusal> {
        let is_promise = parcel.qos != QoS::AtMostOnce;
        if self.turn.keeper.health == Health::Failed {
            return if is_promise {
                Err(Refusal::ServerUnavailable)
            } else {
                Ok(())
            };
        }
        let presence = &self.turn.presence;
        let kept = |receiver: &Receiver| receiver.qos != QoS::AtMostOnce && presence.kept(receiver.session).is_some();
        let remote = routes.remote.iter().flat_map(|(_, receivers)| receivers.iter());
        let members = routes.groups.iter().flat_map(|group| &group.members);
        let any = || routes.local.iter().chain(remote).chain(members).any(kept);
        let needs_room = routes.durability != Durability::Memory && (parcel.retain || (is_promise && any()));
        if needs_room {
            Err(Refusal::QuotaExceeded)
        } else {
            Ok(())
        }
    }

    /// Whether every receiver has room for an acknowledged message: nothing is acknowledged and then dropped.
    fn check_room(&self, parcel: &Parcel<'_>, routes: &Rc<Routes>) -> Result<(), Refusal> {
        if self.turn.limits.queue_full == QueueFull::Drop {
            return Ok(());
        }
        let full =
            |receiver: &Receiver| receiver.qos != QoS::AtMostOnce && self.turn.presence.is_full(receiver.session);
        let remote = routes.remote.iter().flat_map(|(_, receivers)| receivers.iter());
        let no_room = routes.local.iter().chain(remote).any(full)
            || routes.groups.iter().any(|group| self.is_group_full(parcel, group));
        if no_room { Err(Refusal::QuotaExceeded) } else { Ok(()) }
    }

    /// Offers a message to one receiver on this line.
    pub(super) fn hand_over(&mut self, parcel: &mut Parcel<'_>, receiver: &Receiver) {
        let own;
        let mut receiver = receiver;
        if parcel.publisher == Some(receiver.session) && receiver.no_local != NoLocal::None {
            // [MQTT-3.8.3-3] in 5.0
            let Some(rest) = self.without_no_local(parcel, receiver) else {
                // It is not meant for this one after all.
                self.turn.counters.copies.made -= 1;
                return;
            };
            own = rest;
            receiver = &own;
        }
        let Some(session) = self
            .slots
            .get_mut(receiver.session.slot() as usize)
            .and_then(|slot| slot.session.as_deref_mut())
        else {
            self.turn.drop_message(Drop::SessionEnded);
            return;
        };
        if session.key != receiver.session {
            self.turn.drop_message(Drop::SessionEnded);
            return;
        }
        session.offer(parcel, receiver, None, &mut self.turn);
    }

    /// What the publisher itself gets, if it subscribes both with and without No Local.
    fn without_no_local(&self, parcel: &Parcel<'_>, receiver: &Receiver) -> Option<Receiver> {
        if receiver.no_local == NoLocal::All {
            return None;
        }
        let mut found = crate::router::Matches::default();
        self.turn
            .tables
            .find_for_publisher(parcel.topic, receiver.session, &mut found);
        found.receivers.into_iter().find(|own| own.session == receiver.session)
    }

    /// Publishes a message of the broker's own making: wills and its state.
    pub fn publish_own(&mut self, message: &Arc<Message>) {
        let mut parcel = Parcel::of(message);
        // Those who keep it get one of their own: it has the number that several queues share it under.
        parcel.message = None;
        let routed = self.route(&mut parcel, Caution::Always);
        debug_assert!(routed.is_ok(), "what may not be refused is not refused");
    }

    pub(super) fn refuse_publish(
        &mut self,
        connection: ConnectionKey,
        exchange: Exchange<phase::Running>,
        owed: Owed,
        refusal: Refusal,
    ) -> Flow {
        self.turn.end(exchange.stop(refusal));
        self.note_refused(connection, Kind::Publish, refusal);
        let Some(id) = owed.packet_id else {
            // QoS 0 has no answer to give; the refusal is counted.
            return Flow::Continue;
        };
        let Some((session, _)) = self.connected(connection) else {
            return Flow::Closed;
        };
        if session.link.as_ref().is_none_or(|link| link.version != Version::V5) {
            // [MQTT-3.3.5-2] in 3.1.1 leaves a positive acknowledgement or the end of the connection. An
            // acknowledgement would be a promise that is not kept.
            return self.refuse_by_closing(connection, refusal);
        }
        match owed.qos {
            QoS::ExactlyOnce => self.answer_pubrec(connection, id, refusal.pubrec()),
            QoS::AtMostOnce | QoS::AtLeastOnce => self.answer_puback(connection, id, refusal.puback()),
        }
    }

    fn expect_pubrel(&mut self, connection: ConnectionKey, id: PacketId) -> Replay {
        let Some((session, _)) = self.connected(connection) else {
            return Replay::TooMany;
        };
        let granted = session.link.as_ref().map_or(0, |link| usize::from(link.receive_max));
        if session.find_unreleased(id).is_ok() {
            Replay::Again
        } else if session.unreleased.len() >= granted {
            Replay::TooMany
        } else {
            Replay::First
        }
    }

    fn note_unreleased(&mut self, connection: ConnectionKey, id: PacketId, exchange: Exchange<phase::Running>) {
        match self.connected(connection) {
            Some((session, turn)) => {
                // What the message itself does not wait for, its id need not wait for either.
                let owed = turn.keeper.owed();
                if let (Some(session), Some(gate)) = (session.id, owed) {
                    turn.keeper.keep(Change::Received(session, id), gate.durability);
                }
                let open = Unreleased {
                    packet_id: id,
                    exchange,
                    kept: session.id.is_some() && owed.is_some(),
                };
                // The caller has found that it is not there.
                let place = session.find_unreleased(id).unwrap_or_else(|place| place);
                session.unreleased.insert(place, open);
                turn.counters.publish_open += 1;
            }
            None => self.turn.end(exchange.cancel()),
        }
    }
}

/// The answer that a publisher is owed, whatever becomes of its message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owed {
    qos: QoS,
    packet_id: Option<PacketId>,
}

impl Owed {
    pub(super) const fn to(publish: &Publish) -> Self {
        Self {
            qos: publish.qos,
            packet_id: publish.packet_id,
        }
    }
}

/// Whether a message may be refused for lack of room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caution {
    /// It is a client's: refuse it before it is acknowledged.
    MayRefuse,
    /// It is the broker's own: nobody is there to be told.
    Always,
}

enum Replay {
    First,
    Again,
    TooMany,
}
