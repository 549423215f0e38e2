//! CONNECT: who may come in, and which session awaits him.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use mqtt_codec::{
    ClientId, Connack, ConnackProperties, ConnackReason, Connect, Packet, PacketKind, Version, Violation, Will,
    announced_version,
};

use super::{ConnectionKey, Line};
use crate::durable::{Durability, Health};
use crate::effect::Cause;
use crate::exchange::{Ask, Ended, Exchange, Kind, Refusal, Request, Verdict, phase};
use crate::identity::{Arriving, Identity};
use crate::limits::Pace;
use crate::message::Millis;
use crate::session::{Authentication, Link, NEVER_SECS, Outbox, Trail};
use crate::timers::Timer;

/// Longest client identifier of MQTT 3.1, in characters.
const V31_CLIENT_ID_CHARS_MAX: usize = 23;

/// What became of a CONNECT.
#[derive(Debug)]
pub enum Admission {
    /// The client is in; its CONNACK is in the outbox.
    Admitted(ConnectionKey),
    /// Write these bytes (there may be none), then close.
    Refused(BytesMut, Refusal),
    /// Ask again after these milliseconds with [`Line::admit_held`].
    Held(Box<HeldConnect>, u64),
}

/// A CONNECT that the overseer lets wait.
#[derive(Debug)]
pub struct HeldConnect {
    exchange: Exchange<phase::Blocked>,
    connect: Connect,
    assigned: bool,
    arriving: Arriving,
}

/// The line that a client's session lives on. A client without an identifier stays where it came in.
#[must_use]
pub fn home_line(client_id: &ClientId, lines: u16, here: u16) -> u16 {
    if client_id.is_empty() {
        return here;
    }
    // FNV-1a with MurmurHash3's finalizer, so that ids that differ in their last letter part ways. The choice must be
    // the same on every line and is no secret: who fills one line fills only that line's share of the limits.
    let hash = client_id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    u16::try_from((hash >> 33) % u64::from(lines.max(1))).unwrap_or(0)
}

impl Line {
    /// Takes a decoded CONNECT. `fresh` is a random number that an assigned client identifier is made of.
    pub fn admit(&mut self, mut connect: Connect, arriving: Arriving, fresh: u128, now: Millis) -> Admission {
        self.turn.now = now;
        self.turn.counters.packets_in += 1;
        let exchange = self.turn.start(Kind::Connect);
        let assigned = connect.client_id.is_empty();
        if let Err(refusal) = self.check_connect(&connect, &arriving) {
            return self.refuse(exchange.stop(refusal).into(), &connect);
        }
        // The session outlives the read buffer.
        let client_id = if assigned {
            self.fresh_client_id(fresh)
        } else {
            Some(connect.client_id.detach())
        };
        let Some(client_id) = client_id else {
            return self.refuse(exchange.stop(Refusal::ServerUnavailable).into(), &connect);
        };
        connect.client_id = client_id;
        if !self.can_be_told(&connect, assigned, arriving.proof.as_ref()) {
            self.turn.end(exchange.stop(Refusal::PacketTooLarge));
            return Admission::Refused(BytesMut::new(), Refusal::PacketTooLarge);
        }
        self.judge_connect(exchange, connect, assigned, arriving)
    }

    /// Takes up a CONNECT that was held.
    pub fn admit_held(&mut self, held: HeldConnect, now: Millis) -> Admission {
        self.turn.now = now;
        let HeldConnect {
            exchange,
            connect,
            assigned,
            arriving,
        } = held;
        self.judge_connect(exchange.resume(), connect, assigned, arriving)
    }

    /// Refuses a CONNECT whose client is nobody that may come in.
    pub fn reject(&mut self, connect: &Connect, refusal: Refusal, now: Millis) -> Admission {
        self.turn.now = now;
        self.turn.counters.packets_in += 1;
        let exchange = self.turn.start(Kind::Connect);
        self.refuse(exchange.stop(refusal).into(), connect)
    }

    /// Refuses a CONNECT that was held, whose client is nobody that may come in any more.
    pub fn reject_held(&mut self, held: HeldConnect, refusal: Refusal, now: Millis) -> Admission {
        self.turn.now = now;
        self.refuse(held.exchange.resume().stop(refusal).into(), &held.connect)
    }

    /// The CONNACK that answers a CONNECT that broke a rule, where the standard has one for it.
    ///
    /// `first` is what the connection has sent: only a client that has shown that it speaks 5.0 understands a CONNACK
    /// with its reason codes. 3.1.1 has one only for an unacceptable protocol level ([MQTT-3.1.2-2] in 3.1.1); else it
    /// asks for silence ([MQTT-3.1.4-1] in 3.1.1).
    pub fn refuse_violation(&mut self, violation: &Violation, first: &[u8]) -> BytesMut {
        self.turn.counters.violations += 1;
        let reason = violation.connack_reason();
        if reason == ConnackReason::UnsupportedProtocolVersion {
            return connack_refusal(reason, violation.clause().version);
        }
        if announced_version(first) == Some(Version::V5) {
            connack_refusal(reason, Version::V5)
        } else {
            BytesMut::new()
        }
    }

    fn judge_connect(
        &mut self,
        exchange: Exchange<phase::Running>,
        connect: Connect,
        assigned: bool,
        arriving: Arriving,
    ) -> Admission {
        if let Err(refusal) = self.check_rights(&connect, &arriving) {
            return self.refuse(exchange.stop(refusal).into(), &connect);
        }
        let request = Request {
            client_id: &connect.client_id,
            identity: &arriving.identity,
            address: arriving.peer.address(),
            version: Some(connect.version),
            now: self.turn.now,
            ask: Ask::Connect(&connect),
        };
        match self.turn.judge(&exchange, &request) {
            Verdict::Proceed | Verdict::Change(_) => {
                let key = self.accept(&connect, assigned, arriving);
                self.turn.end(exchange.finish());
                self.settle();
                Admission::Admitted(key)
            }
            Verdict::Block(millis) => {
                let exchange = exchange.block();
                Admission::Held(
                    Box::new(HeldConnect {
                        exchange,
                        connect,
                        assigned,
                        arriving,
                    }),
                    millis,
                )
            }
            // A client that is not connected yet is told by its CONNACK, and then the connection ends.
            Verdict::Stop(refusal) | Verdict::Disconnect(refusal) => {
                self.refuse(exchange.stop(refusal).into(), &connect)
            }
            Verdict::Cancel => {
                self.turn.end(exchange.cancel());
                Admission::Refused(BytesMut::new(), Refusal::Unspecified)
            }
        }
    }

    fn refuse(&mut self, ended: Ended, connect: &Connect) -> Admission {
        let refusal = ended.refusal.unwrap_or(Refusal::Unspecified);
        self.turn.end(ended);
        Admission::Refused(
            connack_refusal(refusal.connack_in(connect.version), connect.version),
            refusal,
        )
    }

    fn check_connect(&self, connect: &Connect, arriving: &Arriving) -> Result<(), Refusal> {
        let limits = &self.turn.limits;
        let id = &connect.client_id;
        let id_fits = match connect.version {
            // 3.1 wants 1 to 23 characters; its section 3.1 asks for return code 2 otherwise.
            Version::V31 => (1..=V31_CLIENT_ID_CHARS_MAX).contains(&id.chars().count()),
            // [MQTT-3.1.3-8] in 3.1.1, and by choice in 5.0, whose [MQTT-3.1.3-6] leaves it open: without an identifier
            // there is nothing to resume.
            Version::V311 | Version::V5 => !id.is_empty() || connect.clean_start,
        };
        if !id_fits || id.len() > limits.client_id_bytes_max {
            return Err(Refusal::ClientIdInvalid);
        }
        self.check_memory(connect)?;
        self.check_kept_session(connect)?;
        if connect.properties.authentication_method.is_some() && arriving.proof.is_none() {
            return Err(Refusal::BadAuthenticationMethod);
        }
        match &connect.will {
            Some(will) => self.check_topic(&will.topic),
            None => Ok(()),
        }
    }

    /// What a session would promise cannot be kept once the store has failed, and a session that would have to be kept
    /// does not begin while the store has no room.
    fn check_kept_session(&self, connect: &Connect) -> Result<(), Refusal> {
        let keeper = &self.turn.keeper;
        if keeper.health == Health::Well {
            return Ok(());
        }
        let known = self.directory.find(&connect.client_id, &self.slots);
        let session = known.and_then(|slot| self.slots.get(slot as usize)?.session.as_deref());
        let is_kept = session.is_some_and(|session| session.id.is_some());
        let would_be =
            keeper.sessions() != Durability::Memory && granted_expiry(connect, self.turn.limits.expiry_secs_max) > 0;
        match keeper.health {
            Health::Failed if would_be || (is_kept && !connect.clean_start) => Err(Refusal::ServerUnavailable),
            Health::Full if would_be && !is_kept => Err(Refusal::QuotaExceeded),
            Health::Well | Health::Full | Health::Failed => Ok(()),
        }
    }

    /// Whether the client's Maximum Packet Size has room for its CONNACK: [MQTT-3.1.2-24] in 5.0.
    fn can_be_told(&self, connect: &Connect, assigned: bool, proof: Option<&Bytes>) -> bool {
        let max = connect
            .properties
            .packet_size_max
            .map_or(usize::MAX, |max| max.get() as usize);
        max == usize::MAX || {
            let connack = Packet::Connack(Box::new(self.connack(connect, assigned, false, proof)));
            connack.encoded_len(connect.version) <= max
        }
    }

    /// An identifier that no session has and whose home is this line, so that the client finds its session under it.
    fn fresh_client_id(&self, fresh: u128) -> Option<ClientId> {
        // One in `lines` random numbers is at home here; the bound is there so that this ends whatever happens.
        let attempts = u128::from(self.lines) * 64;
        (0..attempts)
            .filter_map(|attempt| ClientId::new(format!("auto-{:032x}", fresh.wrapping_add(attempt))).ok())
            .find(|id| {
                home_line(id, self.lines, self.index) == self.index && self.directory.find(id, &self.slots).is_none()
            })
    }

    /// Connects the client to its session, old or new, and writes CONNACK and what waits.
    fn accept(&mut self, connect: &Connect, assigned: bool, arriving: Arriving) -> ConnectionKey {
        let Arriving { peer, identity, proof } = arriving;
        self.turn.asks_rights |= !identity.grants.is_empty();
        self.welcome_back(&connect.client_id);
        let found = self.directory.find(&connect.client_id, &self.slots);
        let was_kept = found.and_then(|slot| self.session_at(slot)?.id).is_some();
        if let Some(slot) = found {
            // [MQTT-3.1.4-3] in 5.0, [MQTT-3.1.4-2] in 3.1.1: one connection for each client.
            self.take_over(slot, connect.clean_start);
        }
        // The old connection may have been the end of its session.
        let kept = self.directory.find(&connect.client_id, &self.slots);
        if let (Some(slot), true) = (kept, connect.clean_start) {
            self.end_session(slot);
        }
        let resumed = kept.filter(|_| !connect.clean_start);
        let slot = resumed.unwrap_or_else(|| self.create_session(connect.client_id.detach(), Arc::clone(&identity)));
        self.epochs = self.epochs.wrapping_add(1);
        let key = ConnectionKey {
            slot,
            epoch: self.epochs,
        };
        let link = self.new_link(connect, peer, &identity, key.epoch);
        let connack = self.connack(connect, assigned, resumed.is_some(), proof.as_ref());
        let turn = &mut self.turn;
        let Some(session) = self
            .slots
            .get_mut(slot as usize)
            .and_then(|slot| slot.session.as_deref_mut())
        else {
            return key;
        };
        session.forget_timers(turn);
        session.identity = identity;
        session.bearer = key.epoch;
        session.version = Some(connect.version);
        session.last_address = None;
        session.expiry_secs = granted_expiry(connect, turn.limits.expiry_secs_max);
        if resumed.is_none() && session.expiry_secs > 0 && turn.keeper.sessions() != Durability::Memory {
            session.id = Some(turn.keeper.session_id());
            turn.presence.set_kept(session.key, session.id);
        }
        // [MQTT-3.1.3-9] in 5.0: back before the delay is over, so nobody needs to know.
        session.will = None;
        session.held_until = None;
        session.inflight.restart();
        let silence = link.silence_millis_max;
        session.link = Some(Box::new(link));
        session.keep_connection(was_kept && resumed.is_none(), turn);
        let Some(link) = &mut session.link else { return key };
        turn.presence.set_connected(session.key, true);
        turn.counters.connected += 1;
        turn.counters.connected_max = turn.counters.connected_max.max(turn.counters.connected);
        if silence > 0 {
            turn.timers.set(link.looks_at, session.key, Timer::KeepAlive(key.epoch));
        }
        if let Some(at) = session.identity.expires_at {
            turn.timers.set(at, session.key, Timer::Identity(key.epoch));
        }
        link.trail.received(PacketKind::Connect);
        link.packets_in = 1;
        link.resumed = resumed.is_some();
        link.asleep = session.queue.is_asleep();
        link.paused = link.asleep;
        link.write(slot, &Packet::Connack(Box::new(connack)), turn);
        if resumed.is_some() {
            session.give_up_lost(turn);
        }
        session.pump(turn);
        key
    }

    fn take_over(&mut self, slot: u32, ends: bool) {
        let Some(session) = self.session_at(slot) else { return };
        let Some(connection) = session.connection() else { return };
        if ends {
            session.expiry_secs = 0;
        }
        self.close(connection, Cause::TakenOver);
    }

    fn new_link(&self, connect: &Connect, peer: super::Peer, identity: &Identity, epoch: u32) -> Link {
        let limits = &self.turn.limits;
        let wide = connect.version == Version::V5;
        let properties = &connect.properties;
        let client_window = properties.receive_maximum.map_or(u16::MAX, std::num::NonZeroU16::get);
        let keep_alive_secs = granted_keep_alive(connect, limits.keep_alive_secs_max);
        Link {
            epoch,
            version: connect.version,
            peer,
            out: Outbox::default(),
            dirty: false,
            awaits_turn: false,
            spurt: 0,
            window: if wide {
                client_window.min(limits.inflight_max)
            } else {
                limits.inflight_max_v3
            },
            packet_bytes_max: properties.packet_size_max.map_or(u32::MAX, std::num::NonZeroU32::get),
            aliases: None,
            alias_out_max: properties.topic_alias_max.min(limits.alias_out_max),
            alias_max: limits.alias_max,
            receive_max: limits.receive_window(),
            silence_millis_max: u32::from(keep_alive_secs) * 1500,
            heard_at: self.turn.now,
            looks_at: self.turn.now.plus(u64::from(keep_alive_secs) * 1500),
            resumed: false,
            expiry_was_zero: properties.session_expiry_secs.unwrap_or(0) == 0,
            will: connect.will.as_ref().map(|will| Box::new(detach_will(will))),
            will_id: None,
            is_greeted: false,
            asleep: false,
            pending: Vec::new(),
            held: None,
            pace: Pace::new(limits.rates.of(&identity.listener)),
            authentication: connect
                .properties
                .authentication_method
                .as_deref()
                .map(Authentication::by),
            paused: false,
            traced: None,
            classes: limits.classes.of_client(&connect.client_id, identity),
            unwritten: 0,
            unwritten_since_micros: 0,
            opened_at: self.turn.now,
            trail: Trail::default(),
            packets_in: 0,
            packets_out: 0,
        }
    }

    fn connack(&self, connect: &Connect, assigned: bool, session_present: bool, proof: Option<&Bytes>) -> Connack {
        let mut connack = Connack {
            session_present,
            reason: ConnackReason::Success,
            properties: ConnackProperties::default(),
        };
        if connect.version != Version::V5 {
            // 3.1 has no Session Present: its byte stays reserved.
            connack.session_present &= connect.version == Version::V311;
            return connack;
        }
        let limits = &self.turn.limits;
        let asked = connect.properties.session_expiry_secs.unwrap_or(0);
        let granted = granted_expiry(connect, limits.expiry_secs_max);
        let keep_alive_secs = granted_keep_alive(connect, limits.keep_alive_secs_max);
        let properties = &mut connack.properties;
        if let Some(data) = proof {
            // [MQTT-4.12.0-5] in 5.0
            properties.authentication_method = connect.properties.authentication_method.clone();
            properties.authentication_data = Some(data.clone());
        }
        properties.session_expiry_secs = (granted != asked).then_some(granted);
        properties.receive_maximum = std::num::NonZeroU16::new(limits.receive_window());
        properties.packet_size_max = std::num::NonZeroU32::new(limits.packet_bytes_max);
        properties.assigned_client_id = assigned.then(|| connect.client_id.clone());
        properties.topic_alias_max = Some(limits.alias_max);
        properties.server_keep_alive_secs = (keep_alive_secs != connect.keep_alive_secs).then_some(keep_alive_secs);
        if connect.properties.request_response_information && !limits.response_prefix.is_empty() {
            let information = format!("{}{}", limits.response_prefix, &*connect.client_id);
            properties.response_information = Some(information.into());
        }
        connack
    }
}

/// Seconds that the session outlives its connection.
fn granted_expiry(connect: &Connect, max: u32) -> u32 {
    let asked = match connect.version {
        // [MQTT-3.1.2-6] in 3.1.1: a clean session lasts as long as its connection; others for as long as can be.
        Version::V31 | Version::V311 if connect.clean_start => 0,
        Version::V31 | Version::V311 => NEVER_SECS,
        Version::V5 => connect.properties.session_expiry_secs.unwrap_or(0),
    };
    asked.min(max)
}

/// Seconds of keep alive in force. Only 5.0 can be told of a lower one ([MQTT-3.1.2-21] in 5.0).
fn granted_keep_alive(connect: &Connect, max: u16) -> u16 {
    match connect.version {
        Version::V5 if connect.keep_alive_secs == 0 => max,
        Version::V5 => connect.keep_alive_secs.min(max),
        Version::V31 | Version::V311 => connect.keep_alive_secs,
    }
}

fn detach_will(will: &Will) -> Will {
    Will {
        topic: will.topic.detach(),
        payload: Bytes::copy_from_slice(&will.payload),
        qos: will.qos,
        retain: will.retain,
        delay_secs: will.delay_secs,
        properties: will.properties.as_ref().map(|properties| Box::new(properties.detach())),
    }
}

pub(super) fn connack_refusal(reason: ConnackReason, version: Version) -> BytesMut {
    let mut bytes = BytesMut::new();
    // [MQTT-3.2.2-6] in 3.1.1: where none of its return codes fits, close without a CONNACK.
    if version == Version::V5 || reason.v3_code().is_some() {
        let connack = Connack {
            session_present: false,
            reason,
            properties: ConnackProperties::default(),
        };
        let encoded = Packet::Connack(Box::new(connack)).encode(version, &mut bytes);
        debug_assert!(encoded.is_ok(), "a CONNACK without properties has a fixed size");
    }
    bytes
}
