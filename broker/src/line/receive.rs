//! One packet from a connected client: checked against the state of its connection, then handed to its conversation.

use mqtt_codec::{Disconnect, DisconnectReason, Packet, Sender, Version, Violation};

use super::{ConnectionKey, Flow, Line};
use crate::effect::{Cause, Effect};
use crate::exchange::{Kind, Refusal};
use crate::message::Millis;
use crate::session::Link;
use crate::turn::Turn;

impl Line {
    /// Handles a packet of an open connection. Packets of one that is closed are ignored.
    pub fn receive(&mut self, connection: ConnectionKey, packet: Packet, now: Millis) -> Flow {
        self.turn.now = now;
        self.turn.counters.packets_in += 1;
        let kind = packet.kind();
        let Some((session, _)) = self.connected(connection) else {
            return Flow::Closed;
        };
        let Some(link) = &mut session.link else {
            return Flow::Closed;
        };
        link.heard_at = now;
        link.packets_in += 1;
        link.trail.received(kind);
        if let Err(violation) = packet.check_sender(Sender::Client, link.version) {
            self.violated(connection, &violation, now);
            return Flow::Closed;
        }
        if let Some(excess) = link.pace.excess(&packet, now) {
            return self.receive_beyond(connection, packet, excess);
        }
        self.take_up(connection, packet)
    }

    /// Hands a packet to its conversation.
    pub(super) fn take_up(&mut self, connection: ConnectionKey, packet: Packet) -> Flow {
        let flow = self.dispatch(connection, packet);
        self.settle();
        if flow == Flow::Continue {
            self.pause_if_backlogged(connection)
        } else {
            flow
        }
    }

    /// A client that does not read its answers is not read either.
    fn pause_if_backlogged(&mut self, connection: ConnectionKey) -> Flow {
        let Some((session, turn)) = self.connected(connection) else {
            return Flow::Closed;
        };
        match &mut session.link {
            Some(link) if link.is_backlogged(turn) => {
                link.paused = true;
                Flow::Hold
            }
            Some(_) => Flow::Continue,
            None => Flow::Closed,
        }
    }

    fn dispatch(&mut self, connection: ConnectionKey, packet: Packet) -> Flow {
        match packet {
            Packet::Publish(publish) => self.publish(connection, publish),
            Packet::Puback(packet) => self.puback(connection, &packet),
            Packet::Pubrec(packet) => self.pubrec(connection, &packet),
            Packet::Pubrel(packet) => self.pubrel(connection, &packet),
            Packet::Pubcomp(packet) => self.pubcomp(connection, &packet),
            Packet::Subscribe(packet) => self.subscribe(connection, packet),
            Packet::Unsubscribe(packet) => self.unsubscribe(connection, packet),
            Packet::Pingreq => self.ping(connection),
            Packet::Disconnect(packet) => self.disconnect(connection, &packet),
            Packet::Auth(packet) => self.authenticate(connection, *packet),
            Packet::Connect(_) | Packet::Connack(_) | Packet::Suback(_) | Packet::Unsuback(_) | Packet::Pingresp => {
                self.protocol_error(
                    connection,
                    "a packet that a connected client does not send (MQTT-3.1.0-2)",
                )
            }
        }
    }

    /// A packet that could not be decoded: the connection ends with the reason that the clause asks for.
    pub fn violated(&mut self, connection: ConnectionKey, violation: &Violation, now: Millis) {
        self.turn.now = now;
        self.turn.counters.violations += 1;
        self.close_with(connection, violation.reason(), Cause::Violation(violation.to_string()));
    }

    /// A packet that is well formed and out of place: 0x82.
    pub(super) fn protocol_error(&mut self, connection: ConnectionKey, what: &str) -> Flow {
        self.violation(connection, DisconnectReason::ProtocolError, what)
    }

    /// A packet that breaks a rule which depends on the state of the connection.
    pub(super) fn violation(&mut self, connection: ConnectionKey, reason: DisconnectReason, what: &str) -> Flow {
        self.turn.counters.violations += 1;
        self.close_with(connection, reason, Cause::Violation(what.to_owned()));
        Flow::Closed
    }

    fn ping(&mut self, connection: ConnectionKey) -> Flow {
        let exchange = self.turn.start(Kind::Ping);
        if let Some((session, turn)) = self.connected(connection)
            && let Some(link) = &mut session.link
        {
            link.write(connection.slot, &Packet::Pingresp, turn);
        }
        self.turn.end(exchange.finish());
        Flow::Continue
    }

    fn disconnect(&mut self, connection: ConnectionKey, packet: &Disconnect) -> Flow {
        let expiry_max = self.turn.limits.expiry_secs_max;
        let Some((session, _)) = self.connected(connection) else {
            return Flow::Closed;
        };
        let Some(link) = &mut session.link else {
            return Flow::Closed;
        };
        if let Some(secs) = packet.session_expiry_secs {
            if secs > 0 && link.expiry_was_zero {
                return self.protocol_error(
                    connection,
                    "DISCONNECT raises a session expiry of 0 (section 3.14.2.2.2)",
                );
            }
            session.expiry_secs = secs.min(expiry_max);
        }
        // [MQTT-3.14.4-3] in 5.0, [MQTT-3.14.4-3] in 3.1.1. Any other reason is an end that the will is for.
        if packet.reason == DisconnectReason::NormalDisconnection {
            link.will = None;
        }
        self.close_as(connection, Cause::ClientDisconnected, packet.reason, false);
        Flow::Closed
    }

    /// Refuses a request that its packet has no reason code for: in 3.x the connection is the only thing to refuse.
    pub(super) fn refuse_by_closing(&mut self, connection: ConnectionKey, refusal: Refusal) -> Flow {
        self.close_with(connection, refusal.disconnect(), Cause::Refused(refusal));
        Flow::Closed
    }
}

impl Link {
    /// Appends a packet that is not a PUBLISH; without its properties if they would exceed the client's Maximum Packet
    /// Size, which the caller sees to. Returns whether it was written.
    pub(crate) fn write(&mut self, slot: u32, packet: &Packet, turn: &mut Turn) -> bool {
        if packet.encoded_len(self.version) > self.packet_bytes_max as usize {
            return false;
        }
        if !self.out.has_buffer() {
            self.out.lend(turn.buffer());
        }
        let version = self.version;
        let written = self.out.append(|out| packet.encode(version, out)).is_ok();
        turn.counters.packets_out += 1;
        self.sent(slot, packet.kind(), turn);
        written
    }

    /// Appends the DISCONNECT of a client that understands it, with the reason in words if they fit.
    pub(crate) fn write_disconnect(&mut self, slot: u32, reason: DisconnectReason, words: &str, turn: &mut Turn) {
        if self.version != Version::V5 {
            return;
        }
        let mut packet = Disconnect::new(reason);
        packet.reason_string = (!words.is_empty()).then(|| words.into());
        if !self.write(slot, &Packet::Disconnect(packet), turn) {
            // [MQTT-3.14.2-3] in 5.0
            self.write(slot, &Packet::Disconnect(Disconnect::new(reason)), turn);
        }
    }

    /// Whether the client asks and does not read the answers: its requests wait until it does, because answers are
    /// never dropped and the buffer has a bound.
    pub(crate) fn is_backlogged(&self, turn: &Turn) -> bool {
        self.out.len() > turn.limits.out_bytes_max * 2
    }

    /// Lets the shell read again what was paused, if nothing else holds it.
    pub(crate) fn resume_if_free(&mut self, slot: u32, turn: &mut Turn) {
        let held =
            self.held.is_some() || self.pace.until.is_some() || self.pending.len() >= turn.limits.route_requests_max;
        if self.paused && !held && !self.asleep && !self.is_backlogged(turn) {
            self.paused = false;
            turn.effects.push(Effect::Resume(ConnectionKey {
                slot,
                epoch: self.epoch,
            }));
        }
    }
}
