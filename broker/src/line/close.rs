//! The ends of connections and sessions, with all that follows from them.

use mqtt_codec::{DisconnectReason, Packet, QoS, Will};

use super::share::Among;
use super::{ConnectionKey, Line};
use crate::counters::Drop;
use crate::durable::Change;
use crate::effect::{Cause, Closing, ClosingRecord, Effect, Parting};
use crate::exchange::Refusal;
use crate::message::Millis;
use crate::routing::{RouteChange, RouteRequest};
use crate::session::{Delivery, Link, NEVER_SECS, Session};
use crate::timers::Timer;
use crate::turn::Turn;

/// How a connection was lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lost {
    /// The network or the client ended it without DISCONNECT, with the transport's words.
    Network(String),
    /// An error of the broker's own.
    Panic,
}

impl Line {
    /// The connection is gone.
    pub fn lost(&mut self, connection: ConnectionKey, lost: Lost, now: Millis) {
        self.turn.now = now;
        match lost {
            Lost::Network(words) => {
                self.close_as(
                    connection,
                    Cause::ConnectionLost(words),
                    DisconnectReason::UnspecifiedError,
                    false,
                );
            }
            Lost::Panic => {
                self.turn.counters.panics += 1;
                self.close_with(connection, DisconnectReason::UnspecifiedError, Cause::Panic);
            }
        }
        self.settle();
    }

    /// Says goodbye to every client: 0x8B in 5.0.
    pub fn drain_connections(&mut self, now: Millis) {
        self.turn.now = now;
        for slot in 0..self.slots.len() {
            let session = self.slots.get(slot).and_then(|slot| slot.session.as_deref());
            if let Some(connection) = session.and_then(Session::connection) {
                self.close_with(connection, DisconnectReason::ServerShuttingDown, Cause::ServerStopping);
            }
        }
    }

    pub(super) fn close(&mut self, connection: ConnectionKey, cause: Cause) {
        let reason = match cause {
            Cause::TakenOver => DisconnectReason::SessionTakenOver,
            Cause::KeepAliveTimeout => DisconnectReason::KeepAliveTimeout,
            Cause::QueueFull => DisconnectReason::QuotaExceeded,
            Cause::TooFast(_) => DisconnectReason::MessageRateTooHigh,
            Cause::ServerStopping => DisconnectReason::ServerShuttingDown,
            Cause::SentAway => DisconnectReason::UseAnotherServer,
            Cause::Administrative(_) => DisconnectReason::AdministrativeAction,
            Cause::ClientDisconnected => DisconnectReason::NormalDisconnection,
            Cause::Refused(refusal) | Cause::Policy(refusal) => refusal.disconnect(),
            Cause::RightLost | Cause::IdentityExpired | Cause::NotProven(_) => DisconnectReason::NotAuthorized,
            Cause::Expelled(Parting::NotKnown) => DisconnectReason::NotAuthorized,
            Cause::Expelled(Parting::ListenerGone(_) | Parting::Banned) => DisconnectReason::AdministrativeAction,
            Cause::ConnectionLost(_) | Cause::Violation(_) | Cause::Panic => DisconnectReason::UnspecifiedError,
        };
        self.close_with(connection, reason, cause);
    }

    /// Ends a connection from the broker's side, with a DISCONNECT where the version has one.
    pub(super) fn close_with(&mut self, connection: ConnectionKey, reason: DisconnectReason, cause: Cause) {
        self.close_as(connection, cause, reason, true);
    }

    /// Ends the connection that the session in a slot has.
    pub(super) fn end_connection(&mut self, slot: u32, cause: Cause) {
        if let Some(connection) = self.session_at(slot).and_then(|session| session.connection()) {
            self.close(connection, cause);
        }
    }

    pub(super) fn close_as(&mut self, connection: ConnectionKey, cause: Cause, reason: DisconnectReason, speak: bool) {
        let Some((session, turn)) = self.connected(connection) else {
            return;
        };
        let Some(mut link) = session.link.take() else { return };
        let key = session.key;
        turn.counters.connected -= 1;
        turn.counters.keep_alive_timeouts += u64::from(cause == Cause::KeepAliveTimeout);
        turn.presence.set_connected(key, false);
        turn.timers.cancel(link.looks_at, key, Timer::KeepAlive(link.epoch));
        // Promises that the store has not made good are not given: the client asks again.
        link.out.cut_gated();
        // [MQTT-3.14.0-1] in 5.0: not before CONNACK, which may just have been cut.
        if speak && (link.is_greeted || link.out.open_len() > 0) {
            link.write_disconnect(connection.slot, reason, words_of(&cause), turn);
        }
        for pending in link.pending.drain(..) {
            turn.end(pending.exchange.cancel());
        }
        if let Some(held) = link.held.take() {
            turn.counters.publish_open -= u64::from(matches!(held.packet, Packet::Publish(_)));
            turn.end(held.exchange.cancel());
        }
        let record = record_of(session, &link, cause, reason.code(), turn.now);
        let last_words = std::mem::take(&mut link.out);
        turn.effects.push(Effect::Close(Box::new(Closing {
            connection,
            last_words,
            record,
        })));
        // What a client that is away gets of retained messages is what the session owes it: QoS 1 and 2.
        session.feeds.retain(|feed| feed.qos != QoS::AtMostOnce);
        session.held_until = None;
        let will = link.will.take();
        if turn.asks_rights || will.is_some() {
            session.last_address = link.peer.address().map(Box::new);
        }
        if let Some(at) = session.identity.expires_at {
            turn.timers.cancel(at, key, Timer::Identity(link.epoch));
        }
        link.forget_authentication(key, turn);
        if session.expiry_secs == 0 {
            session.will = will;
            self.end_session(connection.slot);
        } else {
            self.leave(connection.slot, will);
        }
        if let Some(id) = link.will_id {
            self.turn.keeper.note(Change::NoWill(id));
        }
    }

    /// A session stays without its connection.
    fn leave(&mut self, slot: u32, will: Option<Box<Will>>) {
        let now = self.turn.now;
        let Some(session) = self.session_at(slot) else { return };
        let (key, expiry_secs) = (session.key, session.expiry_secs);
        session.left_at = now;
        let expires_at = session.expires_at();
        if expiry_secs != NEVER_SECS {
            self.turn.timers.set(expires_at, key, Timer::SessionExpiry);
        }
        self.hand_on_shared(slot);
        match will {
            Some(will) if will.delay_secs > 0 => {
                let Some(session) = self.session_at(slot) else { return };
                session.will = Some(will);
                let due_at = session.will_due_at();
                self.turn.timers.set(due_at, key, Timer::Will);
            }
            Some(will) => {
                let Some(session) = self.session_at(slot) else { return };
                let testator = session.testator();
                self.publish_will(&will, &testator);
            }
            None => {}
        }
        self.keep_image(key);
    }

    /// Gives what a shared group chose this session for to members that are connected. What nobody takes stays, under
    /// its packet id, for the client's return.
    ///
    /// This session is not among those that refused: a member on another line may turn out to be gone, and then the
    /// delivery comes back.
    fn hand_on_shared(&mut self, slot: u32) {
        let Some(session) = self.session_at(slot) else { return };
        let sent = session.inflight.shared();
        let waiting = session.queue.take_shared();
        let mut gone = Vec::new();
        for (id, delivery) in sent {
            if self.share_again(&delivery, Among::Connected, Vec::new()) {
                gone.push(id);
            }
        }
        let (given, kept): (Vec<_>, Vec<_>) = waiting
            .into_iter()
            .partition(|delivery| self.share_again(delivery, Among::Connected, Vec::new()));
        let Some(session) = self
            .slots
            .get_mut(slot as usize)
            .and_then(|slot| slot.session.as_deref_mut())
        else {
            return;
        };
        for id in gone {
            session.abandon(id, &mut self.turn);
        }
        given
            .iter()
            .for_each(|delivery| session.forget(delivery, &mut self.turn));
        self.turn.counters.queued = self.turn.counters.queued.saturating_sub(given.len() as u64);
        session.queue.put_back(kept);
        let limits = &self.turn.limits;
        if session.queue.is_full(limits.queue_messages_max, limits.queue_bytes_max) {
            self.turn.presence.set_full(session.key, true);
        }
        session.note_room(&mut self.turn);
        session.plan_purge(&mut self.turn);
    }

    /// Ends a session: its will goes out, its subscriptions go, what waited in it is counted or given to others.
    pub(super) fn end_session(&mut self, slot: u32) {
        let Some(mut session) = self.free_slot(slot) else {
            return;
        };
        let key = session.key;
        session.forget_timers(&mut self.turn);
        self.turn.presence.clear(key);
        if session.routed {
            self.turn.effects.push(Effect::Route(RouteRequest {
                session: key,
                change: RouteChange::RemoveSession,
            }));
        }
        let (requeued, moved) = session.give_up_shared();
        self.count_given_up(requeued, &moved);
        self.turn.counters.publish_open -= session.unreleased.len() as u64;
        for open in session.unreleased.drain(..) {
            self.turn.end(open.exchange.cancel());
        }
        for exchange in session.inflight.take_all() {
            self.turn.counters.inflight -= 1;
            self.turn.drop_message(Drop::SessionEnded);
            self.turn.end(exchange.cancel());
        }
        self.drop_queue(&mut session);
        if let Some(will) = session.will.take() {
            self.publish_will(&will, &session.testator());
        }
        for (delivery, _) in moved {
            if !self.share_again(&delivery, Among::All, vec![key]) {
                self.turn.drop_message(Drop::NoMember);
            }
            // In one piece with what takes its place: its estate may be read once more.
            session.forget(&delivery, &mut self.turn);
        }
        self.settle_estate(&session);
    }

    /// Drops what waits in the queue of a session that ends, but for what its estate has for others.
    fn drop_queue(&mut self, session: &mut Session) {
        let left = if session.in_groups {
            session.queue.entries_beyond()
        } else {
            0
        };
        let waiting = session.queue.len().saturating_sub(left);
        self.turn.counters.queued = self.turn.counters.queued.saturating_sub(waiting as u64);
        (0..waiting).for_each(|_| self.turn.drop_message(Drop::SessionEnded));
        while session.queue.pop().is_some() {}
    }

    fn count_given_up(&mut self, from_queue: usize, moved: &[Moved]) {
        self.turn.counters.queued = self.turn.counters.queued.saturating_sub(from_queue as u64);
        for (_, ended) in moved {
            if let Some(ended) = ended {
                self.turn.counters.inflight -= 1;
                self.turn.end(*ended);
            }
        }
    }
}

/// A delivery on its way to another member, with the end of its exchange if it had been sent.
type Moved = (Delivery, Option<crate::exchange::Ended>);

impl Session {
    /// Takes back the timers of a client that is away: flapping clients must not pile them up.
    pub(super) fn forget_timers(&self, turn: &mut Turn) {
        turn.timers.cancel(self.expires_at(), self.key, Timer::SessionExpiry);
        turn.timers.cancel(self.will_due_at(), self.key, Timer::Will);
    }

    /// When the session ends if the client stays away.
    pub(super) fn expires_at(&self) -> Millis {
        self.left_at.plus_secs(u64::from(self.expiry_secs))
    }

    /// Takes out what a shared group can give to others. Says how many of them had been waiting in the queue.
    fn give_up_shared(&mut self) -> (usize, Vec<Moved>) {
        let sent = self.inflight.take_shared();
        let waiting = self.queue.take_shared();
        let requeued = waiting.len();
        let sent = sent
            .into_iter()
            .map(|(delivery, exchange)| (delivery, Some(exchange.cancel().into())));
        (
            requeued,
            sent.chain(waiting.into_iter().map(|delivery| (delivery, None)))
                .collect(),
        )
    }
}

/// What a DISCONNECT says in words, where the code alone says too little.
fn words_of(cause: &Cause) -> &str {
    match cause {
        Cause::Violation(words) | Cause::Administrative(words) => words,
        Cause::QueueFull => "the client does not take its messages fast enough and its queue is full",
        Cause::Refused(Refusal::QuotaExceeded) => "a receiver's queue is full",
        Cause::TooFast(_) => "the client sends faster than it may",
        Cause::Policy(_) => "the broker's policy ends this connection",
        Cause::RightLost => "a subscription is not allowed any more",
        Cause::NotProven(why) => why,
        Cause::Expelled(why) => why.says(),
        Cause::IdentityExpired => "the credentials have expired: authenticate again",
        Cause::ClientDisconnected
        | Cause::ConnectionLost(_)
        | Cause::KeepAliveTimeout
        | Cause::TakenOver
        | Cause::Refused(_)
        | Cause::ServerStopping
        | Cause::SentAway
        | Cause::Panic => "",
    }
}

pub(super) fn record_of(session: &Session, link: &Link, cause: Cause, reason_code: u8, now: Millis) -> ClosingRecord {
    ClosingRecord {
        client_id: session.client_id.clone(),
        peer: link.peer.clone(),
        version: link.version,
        cause,
        reason_code,
        lasted_millis: now.since(link.opened_at),
        packets_in: link.packets_in,
        packets_out: link.packets_out,
        trail: link.trail,
    }
}
