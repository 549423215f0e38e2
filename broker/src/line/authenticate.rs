//! Enhanced authentication, section 4.12 of 5.0: AUTH before the CONNACK, and of connected clients that prove themselves
//! again.
//!
//! Who a client is, others know; here is decided which packet may come when, and what a verdict does to a connection.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use mqtt_codec::{Auth, AuthReason, ClientId, ConnackReason, Connect, DisconnectReason, Packet, Version, Violation};

use super::admit::connack_refusal;
use super::{ConnectionKey, Flow, Line, Peer};
use crate::effect::{Cause, Effect};
use crate::exchange::{AuthenticateEvent, AuthenticateStep, Refusal};
use crate::identity::Identity;
use crate::key::SessionKey;
use crate::message::Millis;
use crate::session::{Authentication, Link};
use crate::timers::Timer;
use crate::turn::Turn;

/// A connected client that authenticates again: what whoever knows users is to judge.
#[derive(Debug)]
pub struct Proving {
    /// Which connection.
    pub connection: ConnectionKey,
    /// The client.
    pub client_id: ClientId,
    /// The other end.
    pub peer: Peer,
    /// Who it has been until here.
    pub identity: Arc<Identity>,
    /// Whether it begins; else it answers what it was asked.
    pub begins: bool,
    /// What it says.
    pub data: Bytes,
}

/// The verdict on what a client said by its authentication method.
#[derive(Debug)]
pub enum Proof {
    /// It is asked for more, with this data.
    More(Bytes),
    /// It is this one; the data proves the broker to it.
    Given(Arc<Identity>, Bytes),
    /// It is not, or nobody can say.
    Failed(Refusal),
}

/// What a client says between its CONNECT and its CONNACK.
#[derive(Debug)]
pub enum Heard {
    /// The data of its AUTH.
    Data(Bytes),
    /// It ends the connection.
    Left,
    /// What it may not, named here with its clause. Write these bytes, then close.
    Wrong(String, BytesMut),
}

impl Line {
    /// The AUTH that asks a client for more before its CONNACK: [MQTT-4.12.0-2] in 5.0.
    ///
    /// # Errors
    ///
    /// The client takes no packet of this size ([MQTT-3.1.2-24] in 5.0).
    pub fn challenge(&mut self, connect: &Connect, data: Bytes) -> Result<BytesMut, Refusal> {
        let method = connect.properties.authentication_method.as_deref();
        let packet = auth(AuthReason::ContinueAuthentication, method.unwrap_or_default(), data);
        let max = connect
            .properties
            .packet_size_max
            .map_or(u32::MAX, std::num::NonZeroU32::get);
        let mut bytes = BytesMut::new();
        let is_written = packet.encode(Version::V5, &mut bytes).is_ok() && bytes.len() <= max as usize;
        self.turn.counters.packets_out += u64::from(is_written);
        is_written.then_some(bytes).ok_or(Refusal::PacketTooLarge)
    }

    /// Takes a packet of a client that has no CONNACK yet: AUTH with the method of its CONNECT, or DISCONNECT
    /// ([MQTT-3.1.2-30], [MQTT-4.12.0-5] in 5.0).
    pub fn hear(&mut self, connect: &Connect, packet: &Packet) -> Heard {
        self.turn.counters.packets_in += 1;
        let wrong = if let Packet::Auth(auth) = packet {
            if auth.reason != AuthReason::ContinueAuthentication {
                "AUTH before CONNACK that does not go on (MQTT-4.12.0-3)"
            } else if auth.method != connect.properties.authentication_method {
                "AUTH with another method than CONNECT's (MQTT-4.12.0-5)"
            } else {
                return Heard::Data(auth.data.clone().unwrap_or_default());
            }
        } else if let Packet::Disconnect(_) = packet {
            return Heard::Left;
        } else {
            "neither AUTH nor DISCONNECT before CONNACK (MQTT-3.1.2-30)"
        };
        self.turn.counters.violations += 1;
        Heard::Wrong(
            wrong.to_owned(),
            connack_refusal(ConnackReason::ProtocolError, Version::V5),
        )
    }

    /// What such a client has sent cannot be read.
    pub fn mishear(&mut self, violation: &Violation) -> Heard {
        self.turn.counters.violations += 1;
        let answer = connack_refusal(violation.connack_reason(), Version::V5);
        Heard::Wrong(violation.to_string(), answer)
    }

    /// Takes the AUTH of a connected client: [MQTT-4.12.1-1] in 5.0. The verdict is [`Line::judged`]; other packets go on
    /// meanwhile as the one that the client has been.
    pub(super) fn authenticate(&mut self, connection: ConnectionKey, packet: Auth) -> Flow {
        let Some((session, turn)) = self.connected(connection) else {
            return Flow::Closed;
        };
        let Some(link) = &mut session.link else {
            return Flow::Closed;
        };
        let begins = packet.reason == AuthReason::ReAuthenticate;
        let event = match begins {
            true => AuthenticateEvent::Begin,
            false => AuthenticateEvent::Continue,
        };
        let wrong = match &mut link.authentication {
            None => "AUTH without an authentication method in CONNECT (MQTT-4.12.0-7)",
            Some(known) if packet.method.as_deref() != Some(&*known.method) => {
                "AUTH with another method than CONNECT's (MQTT-4.12.1-1)"
            }
            Some(known) => match known.step.next(event) {
                None => "AUTH out of turn (section 4.12.1)",
                Some(step) => {
                    known.step = step;
                    if begins {
                        known.due_at = turn.now.plus_secs(u64::from(turn.limits.authentication_secs_max));
                        let timer = Timer::Authentication(connection.epoch);
                        turn.timers.set(known.due_at, session.key, timer);
                    }
                    turn.effects.push(Effect::Prove(Box::new(Proving {
                        connection,
                        client_id: session.client_id.clone(),
                        peer: link.peer.clone(),
                        identity: Arc::clone(&session.identity),
                        begins,
                        data: packet.data.unwrap_or_default(),
                    })));
                    return Flow::Continue;
                }
            },
        };
        self.protocol_error(connection, wrong)
    }

    /// The verdict on what [`Effect::Prove`] asked.
    ///
    /// A client that has proven itself is the new identity from the next packet on, and loses what that one may not
    /// have. Whoever fails is disconnected ([MQTT-4.12.1-2] in 5.0), and so is who proves to be another user where sessions
    /// have owners.
    pub fn judged(&mut self, connection: ConnectionKey, proof: Proof, now: Millis) {
        self.turn.now = now;
        if !self.awaits_verdict(connection) {
            return;
        }
        let failed = match proof {
            Proof::More(data) => self.ask_for_more(connection, data),
            Proof::Given(identity, data) => self.take_proof(connection, identity, data),
            Proof::Failed(refusal) => Err((refusal, words_of(refusal))),
        };
        if let Err((refusal, why)) = failed {
            self.close_with(connection, refusal.disconnect(), Cause::NotProven(why));
        }
        self.settle();
    }

    fn awaits_verdict(&mut self, connection: ConnectionKey) -> bool {
        let link = self
            .connected(connection)
            .and_then(|(session, _)| session.link.as_deref());
        let known = link.and_then(|link| link.authentication.as_deref());
        known.is_some_and(|known| known.step == AuthenticateStep::AwaitVerdict)
    }

    fn ask_for_more(&mut self, connection: ConnectionKey, data: Bytes) -> Result<(), NotProven> {
        let Some((session, turn)) = self.connected(connection) else {
            return Ok(());
        };
        let link = session.link.as_mut();
        link.map_or(Ok(()), |link| {
            let reason = AuthReason::ContinueAuthentication;
            link.answer_auth(connection.slot, (AuthenticateEvent::More, reason), data, turn)
        })
    }

    fn take_proof(&mut self, connection: ConnectionKey, identity: Arc<Identity>, data: Bytes) -> Result<(), NotProven> {
        self.epochs = self.epochs.wrapping_add(1);
        let bearer = self.epochs;
        let Some((session, turn)) = self.connected(connection) else {
            return Ok(());
        };
        let key = session.key;
        let is_another = identity.username != session.identity.username;
        if turn.limits.access.owned_sessions && !identity.may_take_over(&session.identity) {
            return Err((Refusal::NotAuthorized, "the session belongs to another user"));
        }
        let Some(link) = &mut session.link else { return Ok(()) };
        link.forget_authentication(key, turn);
        let event = (AuthenticateEvent::Proven, AuthReason::Success);
        link.answer_auth(connection.slot, event, data, turn)?;
        if let Some(at) = session.identity.expires_at {
            turn.timers.cancel(at, key, Timer::Identity(connection.epoch));
        }
        if let Some(at) = identity.expires_at {
            turn.timers.set(at, key, Timer::Identity(connection.epoch));
        }
        turn.asks_rights |= !identity.grants.is_empty();
        session.identity = identity.claiming(session.identity.claimed.as_deref());
        session.bearer = bearer;
        if is_another {
            session.keep_image(turn);
        }
        let has_lost = session.give_up_lost(turn);
        if has_lost && turn.limits.access.loss_disconnects {
            self.close(connection, Cause::RightLost);
        }
        Ok(())
    }

    /// The time of an authentication may be over. A client that the broker itself does not read gets more of it.
    pub(super) fn check_authentication(&mut self, connection: ConnectionKey) {
        let Some((session, turn)) = self.connected(connection) else {
            return;
        };
        let Some(link) = &mut session.link else { return };
        let is_paused = link.paused;
        let Some(known) = &mut link.authentication else { return };
        if known.step == AuthenticateStep::Settled || known.due_at > turn.now {
            return;
        }
        if is_paused {
            known.due_at = turn
                .now
                .plus_secs(u64::from(turn.limits.authentication_secs_max).max(1));
            let timer = Timer::Authentication(connection.epoch);
            return turn.timers.set(known.due_at, session.key, timer);
        }
        let cause = Cause::NotProven("it was not completed in time");
        self.close_with(connection, DisconnectReason::NotAuthorized, cause);
    }
}

/// Why nothing was proven, for the client and for the log.
type NotProven = (Refusal, &'static str);

const fn words_of(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::BadCredentials => "the proof is wrong",
        Refusal::Banned => "the client, its user or its address is banned",
        Refusal::ServerUnavailable => "nobody could check it",
        Refusal::NotAuthorized
        | Refusal::BadAuthenticationMethod
        | Refusal::ClientIdInvalid
        | Refusal::TopicNameInvalid
        | Refusal::TopicFilterInvalid
        | Refusal::QuotaExceeded
        | Refusal::ConnectionRateExceeded
        | Refusal::PacketTooLarge
        | Refusal::Unspecified => "it is refused",
    }
}

fn auth(reason: AuthReason, method: &str, data: Bytes) -> Packet {
    Packet::Auth(Box::new(Auth {
        reason,
        method: Some(method.into()),
        data: Some(data),
        reason_string: None,
        user_properties: Vec::new(),
    }))
}

impl Authentication {
    /// Of a client that was known by this method.
    pub(crate) fn by(method: &str) -> Box<Self> {
        Box::new(Self {
            method: method.into(),
            step: AuthenticateStep::Settled,
            due_at: Millis::default(),
        })
    }
}

impl Link {
    /// Takes the step of `event` and writes the AUTH that tells of it, with the method of CONNECT ([MQTT-4.12.0-5] in 5.0).
    fn answer_auth(
        &mut self,
        slot: u32,
        (event, reason): (AuthenticateEvent, AuthReason),
        data: Bytes,
        turn: &mut Turn,
    ) -> Result<(), NotProven> {
        let Some(known) = &mut self.authentication else {
            return Ok(());
        };
        let Some(step) = known.step.next(event) else {
            return Ok(());
        };
        known.step = step;
        let packet = auth(reason, &known.method, data);
        match self.write(slot, &packet, turn) {
            true => Ok(()),
            false => Err((Refusal::PacketTooLarge, "the client takes no packet of this size")),
        }
    }

    /// Takes back the timer of an authentication that is under way.
    pub(super) fn forget_authentication(&self, key: SessionKey, turn: &mut Turn) {
        if let Some(known) = &self.authentication
            && known.step != AuthenticateStep::Settled
        {
            turn.timers.cancel(known.due_at, key, Timer::Authentication(self.epoch));
        }
    }
}
