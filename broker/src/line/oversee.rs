//! The overseer on a line: put in its place, and what its verdicts mean where more than one packet has them.

use mqtt_codec::{Packet, Publish};

use super::hold::hold;
use super::publish::Owed;
use super::{ConnectionKey, Flow, Line};
use crate::acl::Action;
use crate::counters::Drop;
use crate::effect::Cause;
use crate::exchange::{Ask, Exchange, Overseer, Refusal, Verdict, phase};
use crate::message::Millis;

impl Line {
    /// Puts another overseer in force, from the next question on. What the one before holds goes on when its time is
    /// over, and is judged by this one then.
    pub fn set_overseer(&mut self, overseer: Box<dyn Overseer>, now: Millis) {
        self.turn.now = now;
        self.turn.set_overseer(overseer);
    }

    /// Has a PUBLISH judged by the overseer and does what he says. Apart, so that those who have none do not carry it
    /// along.
    #[inline(never)]
    pub(super) fn oversee_publish(
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
        let request = session.request(Ask::Publish(&publish), turn.now);
        let changed = match turn.judge(&exchange, &request) {
            Verdict::Proceed => None,
            Verdict::Change(changes) => Some(changes.of_publish(&publish)),
            Verdict::Block(millis) => {
                let held = (exchange, Packet::Publish(publish), Vec::new());
                return hold(session, turn, connection, held, millis);
            }
            Verdict::Stop(refusal) => return self.refuse_publish(connection, exchange, owed, refusal),
            Verdict::Disconnect(refusal) => return self.disconnect_for(connection, exchange, refusal),
            Verdict::Cancel => {
                self.turn.end(exchange.cancel());
                return Flow::Continue;
            }
        };
        if let Some(changed) = &changed
            && !turn.permits(session, Action::Publish, &changed.topic, changed.qos, changed.retain)
        {
            turn.forget_set_off();
            return self.refuse_publish(connection, exchange, owed, Refusal::NotAuthorized);
        }
        self.proceed(connection, key, exchange, changed.as_ref().unwrap_or(&publish), owed)
    }

    /// Publishes what the overseer set off.
    pub(super) fn publish_set_off(&mut self) {
        for message in std::mem::take(&mut self.turn.set_off) {
            // An overseer knows no bounds of topics.
            if self.check_topic(&message.topic).is_ok() {
                self.publish_own(&message);
            } else {
                self.turn.drop_unmatched(Drop::Forbidden);
            }
        }
    }

    /// Ends an exchange and the connection that it was of.
    pub(super) fn disconnect_for(
        &mut self,
        connection: ConnectionKey,
        exchange: Exchange<phase::Running>,
        refusal: Refusal,
    ) -> Flow {
        self.turn.end(exchange.stop(refusal));
        self.close(connection, Cause::Policy(refusal));
        Flow::Closed
    }
}
