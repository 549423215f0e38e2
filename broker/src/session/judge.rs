//! The overseer's word on what a session is sent: at each attempt, and with what he changes of it.

use std::sync::Arc;

use super::{Delivery, Session};
use crate::effect::Cause;
use crate::exchange::{Ask, Changes, Exchange, Kind, Outgoing, Verdict, phase};
use crate::message::Message;
use crate::timers::Timer;
use crate::turn::Turn;

/// What becomes of a delivery. Its exchange has ended unless it goes.
pub(crate) enum Judged {
    /// It goes as it is, or in the place of its message this one.
    Proceed(Exchange<phase::Running>, Option<Arc<Message>>),
    /// It waits this many milliseconds.
    Wait(u64),
    /// It does not go.
    Over,
}

impl Session {
    /// Asks the overseer whether a message may be delivered.
    pub(super) fn judge_delivery(
        &self,
        exchange: Exchange<phase::Running>,
        outgoing: Outgoing<'_>,
        turn: &mut Turn,
    ) -> Judged {
        let request = self.request(Ask::Deliver(outgoing), turn.now);
        match turn.judge(&exchange, &request) {
            Verdict::Proceed => Judged::Proceed(exchange, None),
            Verdict::Change(changes) => Judged::Proceed(exchange, Some(changed(&changes, outgoing.message))),
            Verdict::Block(millis) => {
                // It starts afresh when the hold is over; this attempt never left the broker.
                turn.end(exchange.block().cancel());
                Judged::Wait(millis)
            }
            Verdict::Stop(refusal) => {
                turn.end(exchange.stop(refusal));
                Judged::Over
            }
            Verdict::Disconnect(refusal) => {
                turn.end(exchange.stop(refusal));
                turn.ending.push((self.key.slot(), Cause::Policy(refusal)));
                Judged::Over
            }
            Verdict::Cancel => {
                turn.end(exchange.cancel());
                Judged::Over
            }
        }
    }

    /// Asks the overseer about a delivery that is to be sent once more. What it had been changed to was never kept, so
    /// that he changes it again.
    pub(super) fn judge_resend(&self, delivery: &Delivery, turn: &mut Turn) -> Judged {
        let exchange = turn.start(Kind::Deliver);
        let outgoing = Outgoing {
            message: &delivery.message,
            qos: delivery.qos,
            retain: delivery.retain,
        };
        self.judge_delivery(exchange, outgoing, turn)
    }

    /// Lets everything that is to be delivered wait, so that its order is kept.
    pub(super) fn hold_deliveries(&mut self, millis: u64, turn: &mut Turn) {
        let until = turn.now.plus(millis);
        self.held_until = Some(until);
        turn.timers.set(until, self.key, Timer::Deliver);
    }
}

/// Topic, QoS and RETAIN flag of a delivery follow from the subscription, and are not changed.
fn changed(changes: &Changes, message: &Message) -> Arc<Message> {
    Arc::new(Message {
        topic: message.topic.clone(),
        qos: message.qos,
        retain: message.retain,
        ..changes.of_message(message)
    })
}
