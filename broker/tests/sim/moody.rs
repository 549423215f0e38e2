//! An overseer that lets requests wait, as rules and quotas do.

use broker::exchange::{Ask, Ended, Exchange, Overseer, Request, Verdict, phase};
use mqtt_codec::QoS;

/// Lets every fifth request wait for some milliseconds, refuses none, and sees that no exchange ends that never began.
#[derive(Debug, Default)]
pub struct Moody {
    asked: u64,
}

impl Overseer for Moody {
    fn on_running(&mut self, _: &Exchange<phase::Running>, request: &Request<'_>) -> Verdict {
        self.asked += 1;
        let may_wait = match request.ask {
            // The world has no other work while a CONNECT waits.
            Ask::Connect(_) | Ask::Will(_) => false,
            // A QoS 0 delivery does not wait: it is dropped.
            Ask::Deliver(outgoing) => outgoing.qos != QoS::AtMostOnce,
            Ask::Publish(_) | Ask::Subscribe(_) | Ask::Unsubscribe(_) => true,
        };
        if may_wait && self.asked.is_multiple_of(5) {
            Verdict::Block(1 + self.asked % 40)
        } else {
            Verdict::Proceed
        }
    }

    fn on_ended(&mut self, _: &Ended) {}
}
