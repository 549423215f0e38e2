//! The session actor of a line: the home of its clients' sessions, and the line's ear for what others have to say.

use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr, AsyncContext, Context, Handler, MessageResult, WrapFuture};
use broker::counters::Counters;
use broker::message::Millis;

use crate::acceptor::{AcceptorActor, Close};
use crate::desk::Desk;
use crate::exchange::ExchangeActor;
use crate::lag::Change;
use crate::listener::Listener;
use crate::message::{
    Adopt, AwaitsStore, CatchUp, Count, Deliver, Drain, Entitle, Execute, Lingering, Oversee, PublishState, Rerouted,
    Restore,
};

/// Messages of other actors that may wait here.
const MAILBOX: usize = 4096;
/// How late a deadline may be noticed.
const TICK: Duration = Duration::from_millis(50);

/// See the module.
pub(crate) struct SessionActor {
    desk: Rc<Desk>,
    acceptors: Vec<Addr<AcceptorActor>>,
}

impl SessionActor {
    pub(crate) fn new(desk: Rc<Desk>) -> Self {
        Self {
            desk,
            acceptors: Vec::new(),
        }
    }
}

impl SessionActor {
    /// Notes how the process and the line fare.
    fn look_around(&self, now: Millis) {
        self.desk.line.borrow_mut().memory_is(self.desk.overload.memory());
        let line = self.desk.index;
        match self.desk.lag.turned(TICK, now) {
            Some(Change::Late(late_ms)) => tracing::warn!(
                line,
                late_ms,
                "a line does not keep up: connections wait until it does (overload.line_lag_ms_max); give the broker more \
                 cores or fewer messages"
            ),
            Some(Change::Recovered) => tracing::info!(line, "the line keeps up again: connections are taken"),
            None => {}
        }
    }
}

impl Actor for SessionActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        ctx.spawn(Rc::clone(&self.desk).flush_forever().into_actor(self));
        ctx.spawn(Rc::clone(&self.desk).attend_store().into_actor(self));
        ctx.run_interval(TICK, |actor, _| {
            let now = actor.desk.clock.now();
            actor.look_around(now);
            // Until all lines have met, the tables may not be whole; what came due before is done by then.
            let due = actor.desk.has_met()
                && actor
                    .desk
                    .line
                    .borrow()
                    .next_deadline()
                    .is_some_and(|deadline| deadline <= now);
            if due {
                actor.desk.with_line(|line| line.tick(now));
            }
        });
    }
}

/// From the daemon at the start: the other lines, and this line's listeners.
#[derive(actix::Message)]
#[rtype(result = "()")]
pub(crate) struct Open {
    pub(crate) lines: Vec<Addr<SessionActor>>,
    pub(crate) listeners: Vec<(OwnedFd, Arc<Listener>)>,
}

impl Handler<Open> for SessionActor {
    type Result = ();

    fn handle(&mut self, open: Open, _: &mut Self::Context) {
        self.desk.meet(open.lines);
        for (socket, listener) in open.listeners {
            self.acceptors
                .push(AcceptorActor::new(socket, Rc::clone(&self.desk), listener).start());
        }
    }
}

impl Handler<Deliver> for SessionActor {
    type Result = ();

    fn handle(&mut self, deliver: Deliver, _: &mut Self::Context) {
        let now = self.desk.clock.now();
        self.desk.with_line(|line| line.deliver(&deliver.forwards, now));
        self.desk.inboxes.subtract(self.desk.index, deliver.cost);
    }
}

impl Handler<Rerouted> for SessionActor {
    type Result = ();

    fn handle(&mut self, rerouted: Rerouted, _: &mut Self::Context) {
        let now = self.desk.clock.now();
        self.desk
            .with_line(|line| rerouted.replies.into_iter().for_each(|reply| line.routed(reply, now)));
    }
}

impl Handler<Restore> for SessionActor {
    type Result = MessageResult<Restore>;

    fn handle(&mut self, restore: Restore, _: &mut Self::Context) -> Self::Result {
        let now = self.desk.clock.now();
        self.desk.with_line(|line| {
            for (image, subscriptions) in restore.sessions {
                line.restore(image, subscriptions, now);
            }
        });
        MessageResult(self.desk.take_requests())
    }
}

impl Handler<Entitle> for SessionActor {
    type Result = ();

    fn handle(&mut self, entitle: Entitle, _: &mut Self::Context) {
        let now = self.desk.clock.now();
        self.desk.with_line(|line| line.set_rights(entitle.0, now));
    }
}

impl Handler<Oversee> for SessionActor {
    type Result = ();

    fn handle(&mut self, oversee: Oversee, _: &mut Self::Context) {
        let now = self.desk.clock.now();
        self.desk.with_line(|line| line.set_overseer(oversee.0.overseer(), now));
    }
}

impl Handler<Execute> for SessionActor {
    type Result = ();

    fn handle(&mut self, execute: Execute, _: &mut Self::Context) {
        let now = self.desk.clock.now();
        self.desk.with_line(|line| line.execute_will(*execute.0, now));
    }
}

impl Handler<CatchUp> for SessionActor {
    type Result = ();

    fn handle(&mut self, _: CatchUp, _: &mut Self::Context) {
        let now = self.desk.clock.now();
        self.desk.with_line(|line| line.tick(now));
    }
}

impl Handler<AwaitsStore> for SessionActor {
    type Result = bool;

    fn handle(&mut self, _: AwaitsStore, _: &mut Self::Context) -> Self::Result {
        self.desk.flush();
        self.desk.line.borrow().awaits_store()
    }
}

impl Handler<Adopt> for SessionActor {
    type Result = ();

    fn handle(&mut self, adopt: Adopt, _: &mut Self::Context) {
        for arrival in adopt.arrivals {
            ExchangeActor::start_with(&self.desk, arrival);
        }
    }
}

impl Handler<Count> for SessionActor {
    type Result = MessageResult<Count>;

    fn handle(&mut self, _: Count, _: &mut Self::Context) -> Self::Result {
        let counters: Counters = self.desk.line.borrow().counters().clone();
        MessageResult(counters)
    }
}

impl Handler<PublishState> for SessionActor {
    type Result = ();

    fn handle(&mut self, publish: PublishState, _: &mut Self::Context) {
        let now = self.desk.clock.now();
        self.desk.with_line(|line| {
            for (topic, payload) in publish.states {
                line.publish_state(topic, payload, now);
            }
        });
    }
}

impl Handler<Drain> for SessionActor {
    type Result = ();

    fn handle(&mut self, step: Drain, _: &mut Self::Context) {
        let now = self.desk.clock.now();
        match step {
            Drain::Close => {
                for acceptor in self.acceptors.drain(..) {
                    if acceptor.try_send(Close).is_err() {
                        tracing::debug!(
                            line = self.desk.index,
                            "an acceptor was gone before it was asked to close"
                        );
                    }
                }
            }
            Drain::Wills => {
                self.desk.with_line(|line| line.drain_wills(now));
                self.desk.flush();
            }
            Drain::Goodbye => {
                self.desk.flush();
                self.desk.with_line(|line| line.drain_connections(now));
            }
        }
    }
}

impl Handler<Lingering> for SessionActor {
    type Result = usize;

    fn handle(&mut self, _: Lingering, _: &mut Self::Context) -> Self::Result {
        self.desk.conversations.get()
    }
}
