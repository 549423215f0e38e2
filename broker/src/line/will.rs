//! Wills: published when their client is lost, after their delay or with the end of the session.

use std::net::IpAddr;
use std::sync::Arc;

use mqtt_codec::{ClientId, PublishProperties, Version, Will};

use super::Line;
use crate::acl::Subject;
use crate::counters::Drop;
use crate::durable::{Change, WillImage};
use crate::exchange::{Ask, Kind, Refusal, Request, Verdict};
use crate::identity::Identity;
use crate::key::SessionKey;
use crate::message::{Message, Millis};
use crate::session::Session;

/// Who left a will: what it takes to judge and publish it when the session may be gone.
pub(super) struct Testator {
    key: SessionKey,
    client_id: ClientId,
    identity: Arc<Identity>,
    address: Option<IpAddr>,
    version: Option<Version>,
}

impl Testator {
    /// The testator of a will that the store has kept. `nobody` is a session that does not exist.
    pub(super) fn of_image(image: &WillImage, nobody: SessionKey) -> Self {
        Self {
            key: nobody,
            client_id: image.client_id.clone(),
            identity: Arc::new(Identity::shadow(image.username.clone())),
            address: None,
            version: None,
        }
    }

    fn subject(&self) -> Subject<'_> {
        Subject {
            identity: &self.identity,
            client_id: &self.client_id,
            address: self.address,
        }
    }
}

impl Session {
    pub(super) fn testator(&self) -> Testator {
        Testator {
            key: self.key,
            client_id: self.client_id.clone(),
            identity: Arc::clone(&self.identity),
            address: self.address(),
            version: self.version,
        }
    }

    /// When the waiting will is due: after its delay or with the session, whichever comes first.
    pub(super) fn will_due_at(&self) -> Millis {
        let delay_secs = self.will.as_ref().map_or(0, |will| will.delay_secs);
        self.left_at.plus_secs(u64::from(delay_secs.min(self.expiry_secs)))
    }
}

impl Line {
    /// Publishes the wills of all clients that do not outlive it, because the broker stops: first of all, so that those who are still connected
    /// get them.
    pub fn drain_wills(&mut self, now: Millis) {
        self.turn.now = now;
        for slot in 0..self.slots.len() {
            let Some(session) = self.slots.get_mut(slot).and_then(|slot| slot.session.as_deref_mut()) else {
                continue;
            };
            let testator = session.testator();
            // The store keeps a delay, and with it the chance to be back in time.
            let (is_kept, ends) = (session.id.is_some(), session.expiry_secs == 0);
            let is_due = |will: &mut Box<Will>| !is_kept || ends || will.delay_secs == 0;
            let will_id = session.link.as_mut().and_then(|link| link.will_id.take());
            let of_link = session.link.as_mut().and_then(|link| link.will.take_if(is_due));
            if let Some(will) = of_link.or_else(|| session.will.take_if(is_due)) {
                self.publish_will(&will, &testator);
                self.keep_image(testator.key);
            }
            if let Some(id) = will_id {
                self.turn.keeper.note(Change::NoWill(id));
            }
        }
        self.settle();
    }

    /// A delay is over.
    pub(super) fn check_will(&mut self, key: SessionKey) {
        let now = self.turn.now;
        let Some(session) = self.session_at(key.slot()) else {
            return;
        };
        if session.link.is_none()
            && session.will_due_at() <= now
            && let Some(will) = session.will.take()
        {
            let testator = session.testator();
            self.publish_will(&will, &testator);
            self.keep_image(key);
        }
    }

    /// [MQTT-3.1.2-8] in both: published as any message, retained if asked for, and judged as any message at the moment
    /// when it is published, by its client's rights and by the overseer. A will has no connection that could wait or be
    /// told, so all verdicts but Proceed drop it.
    pub(super) fn publish_will(&mut self, will: &Will, of: &Testator) {
        let properties = will.properties.as_deref();
        let expiry_secs = properties.and_then(|properties| properties.message_expiry_secs);
        let message = Arc::new(Message {
            topic: will.topic.clone(),
            payload: will.payload.clone(),
            qos: will.qos,
            retain: will.retain,
            properties: properties.map(|properties| Box::new(forwarded(properties))),
            expires_at: expiry_secs.map(|secs| self.turn.now.plus_secs(u64::from(secs))),
            publisher: Some(of.key),
            id: 0,
            arrived_micros: 0,
            trace: None,
        });
        let exchange = self.turn.start(Kind::Will);
        if !self.permits_will(&message, &of.subject()) {
            self.turn.end(exchange.stop(Refusal::NotAuthorized));
            return self.turn.drop_unmatched(Drop::Forbidden);
        }
        let request = Request {
            client_id: &of.client_id,
            identity: &of.identity,
            address: of.address,
            version: of.version,
            now: self.turn.now,
            ask: Ask::Will(&message),
        };
        let refusal = match self.turn.judge(&exchange, &request) {
            Verdict::Proceed => {
                self.publish_own(&message);
                return self.turn.end(exchange.finish());
            }
            Verdict::Change(changes) => {
                let changed = Arc::new(changes.of_message(&message));
                if self.permits_will(&changed, &of.subject()) && self.check_topic(&changed.topic).is_ok() {
                    self.publish_own(&changed);
                    return self.turn.end(exchange.finish());
                }
                self.turn.forget_set_off();
                Refusal::NotAuthorized
            }
            Verdict::Stop(refusal) | Verdict::Disconnect(refusal) => refusal,
            Verdict::Block(_) | Verdict::Cancel => Refusal::NotAuthorized,
        };
        self.turn.end(exchange.stop(refusal));
        self.turn.drop_unmatched(Drop::Forbidden);
    }
}

fn forwarded(properties: &PublishProperties) -> PublishProperties {
    PublishProperties {
        topic_alias: None,
        message_expiry_secs: None,
        subscription_ids: Vec::new(),
        ..properties.clone()
    }
}
