//! Rights on a line: who may come in with what, and what happens when rights change or a proof expires.

use mqtt_codec::{Connect, QoS, TopicFilter};

use super::Line;
use super::share::Among;
use crate::acl::{Action, Rights, Subject};
use crate::counters::Drop;
use crate::effect::{Cause, Effect};
use crate::exchange::Refusal;
use crate::identity::Arriving;
use crate::message::{Message, Millis};
use crate::router::SubscriptionOptions;
use crate::routing::{RouteChange, RouteRequest};
use crate::session::{Delivery, Session};
use crate::turn::Turn;

impl Line {
    /// Puts other rights in force, from the next packet on.
    ///
    /// Connected clients lose the subscriptions that they may not have, and by the settings their connections; what
    /// waits for anyone is judged when it is to be sent. Sessions whose clients are away lose theirs when they return.
    pub fn set_rights(&mut self, rights: Rights, now: Millis) {
        self.exchange_rights(rights, now);
        if !self.turn.asks_rights {
            return;
        }
        for slot in 0..self.slots.len() {
            let session = self.slots.get_mut(slot).and_then(|slot| slot.session.as_deref_mut());
            let Some((session, connection)) = session.and_then(|session| {
                let connection = session.connection()?;
                Some((session, connection))
            }) else {
                continue;
            };
            let has_lost = session.give_up_lost(&mut self.turn);
            if has_lost && self.turn.limits.access.loss_disconnects {
                self.close(connection, Cause::RightLost);
            }
        }
        self.settle();
    }

    /// Puts other rights in force, from the next packet on; subscriptions stay until [`Line::enforce`] comes to them, and
    /// what they bring is judged by these rights meanwhile.
    pub fn exchange_rights(&mut self, rights: Rights, now: Millis) {
        self.turn.now = now;
        self.turn.asks_rights = !rights.is_open() || self.any_grants();
        self.turn.rights = rights;
        self.turn.lately.clear();
    }

    fn any_grants(&self) -> bool {
        let mut sessions = self.slots.iter().filter_map(|slot| slot.session.as_deref());
        sessions.any(|session| !session.identity.grants.is_empty())
    }

    /// A session belongs to the identity that opened it, and a will that may not be published is refused before it is
    /// accepted.
    pub(super) fn check_rights(&mut self, connect: &Connect, arriving: &Arriving) -> Result<(), Refusal> {
        let identity = &arriving.identity;
        if self.turn.limits.access.owned_sessions {
            let known = self.directory.find(&connect.client_id, &self.slots);
            let session = known.and_then(|slot| self.slots.get(slot as usize)?.session.as_deref());
            if session.is_some_and(|session| !identity.may_take_over(&session.identity)) {
                return Err(Refusal::ClientIdInvalid);
            }
        }
        let subject = Subject {
            identity,
            client_id: &connect.client_id,
            address: arriving.peer.address(),
        };
        let turn = &mut self.turn;
        let Some(will) = &connect.will else { return Ok(()) };
        // Here, too, where nobody asked before: it may be this identity that brings the first grants.
        let decision = turn
            .rights
            .decide(&subject, Action::Will, &will.topic, will.qos, will.retain);
        if turn.asks_rights || !decision.allowed {
            turn.counters.count_asked(Action::Will, decision.allowed);
        }
        decision.allowed.then_some(()).ok_or(Refusal::NotAuthorized)
    }

    pub(super) fn permits_will(&mut self, will: &Message, of: &Subject<'_>) -> bool {
        let turn = &mut self.turn;
        if !turn.asks_rights {
            return true;
        }
        let decision = turn.rights.decide(of, Action::Will, &will.topic, will.qos, will.retain);
        turn.counters.count_asked(Action::Will, decision.allowed);
        decision.allowed
    }

    /// Asks other members of their groups about messages that a member may not be sent.
    pub(super) fn pass_on(&mut self) {
        while let Some((member, delivery)) = self.turn.handed_back.pop() {
            if !self.share_again(&delivery, Among::All, vec![member]) {
                self.turn.drop_message(Drop::NoMember);
            }
        }
    }
}

impl Session {
    /// Whether its client may subscribe with this filter.
    pub(super) fn may_subscribe(&self, filter: &TopicFilter, qos: QoS, turn: &Turn) -> bool {
        let is_wide_granted = turn.limits.access.wide_subscriptions;
        !turn.asks_rights || turn.rights.may_subscribe(&self.subject(), filter, qos, is_wide_granted)
    }

    /// Whether its client may be sent what waited for it.
    pub(crate) fn permits_delivery(&self, delivery: &Delivery, turn: &mut Turn) -> bool {
        turn.permits(self, Action::Receive, &delivery.message.topic, delivery.qos, false)
    }

    /// Gives up a delivery that its client may not be sent any more; a shared group has others for it.
    pub(crate) fn withhold(&mut self, delivery: Delivery, turn: &mut Turn) {
        self.forget(&delivery, turn);
        if delivery.via.is_some() {
            turn.handed_back.push((self.key, delivery));
        } else {
            turn.drop_message(Drop::Forbidden);
        }
    }

    /// Gives up the subscriptions that its client may not have any more. Says whether there were any.
    pub(super) fn give_up_lost(&mut self, turn: &mut Turn) -> bool {
        if !turn.asks_rights || !self.routed {
            return false;
        }
        let held = turn.tables.subscriptions(self.key);
        self.give_up_lost_of(held, turn)
    }

    /// Gives up those of its subscriptions that its client may not have, or not any more since they were asked for.
    pub(super) fn give_up_lost_of(&mut self, held: Vec<(TopicFilter, SubscriptionOptions)>, turn: &mut Turn) -> bool {
        if !turn.asks_rights {
            return false;
        }
        let held = held.into_iter();
        let lost = held.filter(|(filter, options)| !self.may_subscribe(filter, options.qos, turn));
        let lost: Vec<TopicFilter> = lost.map(|(filter, _)| filter).collect();
        if lost.is_empty() {
            return false;
        }
        self.feeds.retain(|feed| !lost.contains(&feed.filter));
        turn.effects.push(Effect::Route(RouteRequest {
            session: self.key,
            change: RouteChange::Revoke(lost),
        }));
        true
    }
}
