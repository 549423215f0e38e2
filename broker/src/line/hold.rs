//! Requests that the overseer lets wait: the connection is not read meanwhile, so that its order is kept.

use mqtt_codec::Packet;

use super::{ConnectionKey, Flow, Line};
use crate::exchange::{Exchange, phase};
use crate::session::{Held, Said, Session};
use crate::timers::Timer;
use crate::turn::Turn;

impl Line {
    /// The hold is over: the exchange resumes and is judged again.
    pub(super) fn hold_over(&mut self, connection: ConnectionKey) {
        let Some((session, turn)) = self.connected(connection) else {
            return;
        };
        let Some(held) = session.link.as_mut().and_then(|link| link.held.take()) else {
            return;
        };
        let Held { exchange, packet, said } = *held;
        let exchange = exchange.resume();
        turn.counters.publish_open -= u64::from(matches!(packet, Packet::Publish(_)));
        let flow = match packet {
            Packet::Publish(publish) => self.judge_publish(connection, exchange, publish),
            Packet::Subscribe(packet) => self.judge_subscribe(connection, exchange, packet, said),
            Packet::Unsubscribe(packet) => self.judge_unsubscribe(connection, exchange, packet, said),
            Packet::Connect(_)
            | Packet::Connack(_)
            | Packet::Puback(_)
            | Packet::Pubrec(_)
            | Packet::Pubrel(_)
            | Packet::Pubcomp(_)
            | Packet::Suback(_)
            | Packet::Unsuback(_)
            | Packet::Pingreq
            | Packet::Pingresp
            | Packet::Disconnect(_)
            | Packet::Auth(_) => {
                turn.end(exchange.cancel());
                Flow::Continue
            }
        };
        if flow == Flow::Continue
            && let Some((session, turn)) = self.connected(connection)
            && let Some(link) = &mut session.link
        {
            link.resume_if_free(connection.slot, turn);
        }
    }
}

/// Keeps a request with its exchange for `millis` milliseconds.
pub(super) fn hold(
    session: &mut Session,
    turn: &mut Turn,
    connection: ConnectionKey,
    (exchange, packet, said): (Exchange<phase::Running>, Packet, Vec<Said>),
    millis: u64,
) -> Flow {
    if let Some(link) = &mut session.link {
        turn.counters.publish_open += u64::from(matches!(packet, Packet::Publish(_)));
        link.held = Some(Box::new(Held {
            exchange: exchange.block(),
            packet,
            said,
        }));
        link.paused = true;
    }
    turn.timers
        .set(turn.now.plus(millis), session.key, Timer::Hold(connection.epoch));
    Flow::Hold
}
