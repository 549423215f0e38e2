//! What operators do on a line: to a client, to a session, to retained messages, and with messages of their own.

use std::sync::Arc;

use mqtt_codec::{DisconnectReason, PublishProperties, QoS, TopicFilter, TopicName};

use super::Line;
use super::publish::Caution;
use super::routes::Routes;
use crate::durable::{Change, Durability, Gate};
use crate::effect::{Cause, Effect};
use crate::exchange::{Kind, Refusal};
use crate::message::{Message, Millis};
use crate::router::Receiver;
use crate::routing::{RouteChange, RouteRequest};
use crate::session::Parcel;

/// What became of an operator's message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Published {
    /// Sessions that it went to, one for each shared group.
    pub receivers: usize,
    /// Those among them whose client is away, so that it waits for them.
    pub queued: usize,
    /// What has to come to pass before it survives what it is to survive.
    pub gate: Option<Gate>,
}

impl Line {
    /// Ends a client's connection: 0x98 in 5.0. Says whether there was one; `None`: there is no such session.
    pub fn disconnect_client(&mut self, client_id: &str, words: &str, now: Millis) -> Option<bool> {
        self.turn.now = now;
        let connection = self.session_of(client_id)?.connection();
        if let Some(connection) = connection {
            let cause = Cause::Administrative(words.to_owned());
            self.close_with(connection, DisconnectReason::AdministrativeAction, cause);
            self.settle();
        }
        Some(connection.is_some())
    }

    /// Ends a client's session, and its connection before it: its will is published, what waits for it is given up.
    /// Says whether there was such a session.
    pub fn remove_session(&mut self, client_id: &str, words: &str, now: Millis) -> bool {
        self.turn.now = now;
        let Some(slot) = self.directory.find(client_id, &self.slots) else {
            return false;
        };
        let Some(session) = self.session_at(slot) else {
            return false;
        };
        match session.connection() {
            Some(connection) => {
                session.expiry_secs = 0;
                let cause = Cause::Administrative(words.to_owned());
                self.close_with(connection, DisconnectReason::AdministrativeAction, cause);
            }
            None => self.end_session(slot),
        }
        self.settle();
        true
    }

    /// Whether a client has this subscription at this moment.
    #[must_use]
    pub fn has_subscription(&self, client_id: &str, filter: &TopicFilter) -> bool {
        let session = self.session_of(client_id);
        session.is_some_and(|session| self.turn.tables.has_subscription(session.key, filter))
    }

    /// Takes a subscription from a client, which is not told: MQTT has no words for it. Says whether there was one;
    /// `None`: there is no such session. It is gone when the router has heard of it.
    pub fn remove_subscription(&mut self, client_id: &str, filter: &TopicFilter, now: Millis) -> Option<bool> {
        self.turn.now = now;
        let key = self.session_of(client_id)?.key;
        if !self.has_subscription(client_id, filter) {
            return Some(false);
        }
        let session = self.session_at(key.slot())?;
        session.feeds.retain(|feed| feed.filter != *filter);
        // Now, and not only with the router's answer: it is said to be gone as soon as the router has it no more.
        if let Some(id) = session.id {
            let durability = self.turn.keeper.sessions();
            let change = Change::Unsubscribe(id, filter.clone());
            self.turn.keeper.keep_aside(change, durability);
        }
        self.turn.effects.push(Effect::Route(RouteRequest {
            session: key,
            change: RouteChange::Revoke(vec![filter.clone()]),
        }));
        Some(true)
    }

    /// Publishes an operator's message. Rights and rules are not asked: the operator's role is his right. What bounds
    /// a client's message bounds his.
    ///
    /// # Errors
    ///
    /// As a client would be refused, before anything is done.
    pub fn publish_of_operator(&mut self, message: &Arc<Message>, now: Millis) -> Result<Published, Refusal> {
        self.turn.now = now;
        let exchange = self.turn.start(Kind::Publish);
        self.turn.counters.count_publish_in(message.qos, message.payload.len());
        let routes = self.routes(&message.topic);
        let mut published = self.audience(&routes, message.qos);
        let mut parcel = Parcel::of(message);
        // Those who keep it get one of their own: it has the number that several queues share it under.
        parcel.message = None;
        self.turn.keeper.begin();
        let routed = self.route(&mut parcel, Caution::MayRefuse);
        match routed {
            Ok(_) => self.turn.end(exchange.finish()),
            Err(refusal) => self.turn.end(exchange.stop(refusal)),
        }
        published.gate = self.turn.keeper.owed();
        self.settle();
        routed.map(|_| published)
    }

    /// Whether what stands behind a gate has come to pass.
    #[must_use]
    pub fn is_kept(&self, gate: Gate) -> bool {
        self.turn.keeper.progress().opens(gate)
    }

    fn audience(&self, routes: &Routes, qos: QoS) -> Published {
        let remote = routes.remote.iter().flat_map(|(_, receivers)| receivers.iter());
        let presence = &self.turn.presence;
        let is_away = |receiver: &&Receiver| !presence.is_connected(receiver.session);
        let waits = |receiver: &&Receiver| is_away(receiver) && qos.min(receiver.qos) != QoS::AtMostOnce;
        let is_there = |receiver: &&Receiver| !is_away(receiver) || waits(receiver);
        let all = || routes.local.iter().chain(remote.clone());
        let groups = &routes.groups;
        let groups_waiting = groups.iter().filter(|group| {
            group.members.iter().all(|member| is_away(&member)) && group.members.iter().any(|member| waits(&member))
        });
        Published {
            receivers: all().filter(is_there).count()
                + groups
                    .iter()
                    .filter(|group| group.members.iter().any(|member| is_there(&member)))
                    .count(),
            queued: all().filter(waits).count() + groups_waiting.count(),
            gate: None,
        }
    }

    /// Deletes retained messages, about which nobody is told. Says how many of the topics had one.
    pub fn delete_retained(&mut self, topics: &[TopicName], now: Millis) -> usize {
        self.turn.now = now;
        let mut deleted = 0;
        for topic in topics {
            let empty = Arc::new(Message {
                topic: topic.clone(),
                payload: bytes::Bytes::new(),
                qos: QoS::AtMostOnce,
                retain: true,
                properties: None::<Box<PublishProperties>>,
                expires_at: None,
                publisher: None,
                id: 0,
                arrived_micros: 0,
                trace: None,
            });
            // To clear is always possible.
            if self.turn.tables.retain(&empty).is_ok() {
                deleted += 1;
                let durability = self.turn.keeper.durability_of(topic);
                if durability != Durability::Memory {
                    self.turn.keeper.note(Change::Retained(topic.clone()));
                }
            }
        }
        deleted
    }
}
