//! Clients that send faster than they may: not read for a while, or sent away.

use mqtt_codec::Packet;

use super::{ConnectionKey, Flow, Line};
use crate::effect::Cause;
use crate::limits::{Excess, TooFast};
use crate::message::Millis;
use crate::timers::Timer;

impl Line {
    /// A packet beyond its client's rate. It is taken all the same where the client is slowed down: what was read is not
    /// lost, and the debt is paid by silence.
    #[inline(never)]
    pub(super) fn receive_beyond(&mut self, connection: ConnectionKey, packet: Packet, excess: Excess) -> Flow {
        if self.exceed(connection, excess) == Flow::Closed {
            return Flow::Closed;
        }
        self.take_up(connection, packet).and(Flow::Hold)
    }

    /// Whether [`Line::count_bytes_of`] is to be called for a connection.
    #[must_use]
    pub fn counts_bytes_of(&self, connection: ConnectionKey) -> bool {
        let slot = self.slots.get(connection.slot as usize);
        let link = slot.and_then(|slot| slot.session.as_deref()?.link.as_deref());
        link.is_some_and(|link| link.epoch == connection.epoch && link.pace.counts_bytes())
    }

    /// Counts bytes of a connection's packets against its rate; once for each read, behind its packets.
    pub fn count_bytes_of(&mut self, connection: ConnectionKey, bytes: usize, now: Millis) -> Flow {
        self.turn.now = now;
        let Some((session, _)) = self.connected(connection) else {
            return Flow::Closed;
        };
        let excess = session
            .link
            .as_mut()
            .and_then(|link| link.pace.excess_of_bytes(bytes, now));
        match excess {
            Some(excess) => self.exceed(connection, excess),
            None => Flow::Continue,
        }
    }

    fn exceed(&mut self, connection: ConnectionKey, excess: Excess) -> Flow {
        let Some((session, turn)) = self.connected(connection) else {
            return Flow::Closed;
        };
        turn.reached(excess.limit, &session.client_id);
        match (excess.too_fast, &mut session.link) {
            (TooFast::Slow, Some(link)) => {
                let until = turn.now.plus(excess.millis);
                // One timer for each connection; it looks again if there is more to wait for by then.
                if link.pace.until.is_none() {
                    turn.timers.set(until, session.key, Timer::Pace(connection.epoch));
                }
                link.pace.until = link.pace.until.max(Some(until));
                link.paused = true;
                Flow::Hold
            }
            (TooFast::Slow | TooFast::Disconnect, _) => {
                self.close(connection, Cause::TooFast(excess.limit));
                self.settle();
                Flow::Closed
            }
        }
    }

    /// Time has passed: reads the connection again, unless something else holds it.
    pub(super) fn pace_kept(&mut self, connection: ConnectionKey) {
        let Some((session, turn)) = self.connected(connection) else {
            return;
        };
        let Some(link) = &mut session.link else { return };
        match link.pace.until {
            Some(until) if until > turn.now => {
                turn.timers.set(until, session.key, Timer::Pace(connection.epoch));
            }
            Some(_) | None => {
                link.pace.until = None;
                link.resume_if_free(connection.slot, turn);
            }
        }
    }
}
