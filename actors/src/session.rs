//! The session actor of a line: the home of its clients' sessions, and the line's ear for what others have to say.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr, AsyncContext, Context, Handler, MessageResult, WrapFuture};
use broker::counters::Counters;
use broker::line::Line;
use broker::message::Millis;

use crate::acceptor::{AcceptorActor, Close};
use crate::desk::Desk;
use crate::doors::Share;
use crate::exchange::ExchangeActor;
use crate::figures::Measure;
use crate::lag::Change;
use crate::listener::Listener;
use crate::message::{
    Adopt, AwaitReturn, AwaitsStore, CatchUp, Count, Deliver, Drain, Entitle, Execute, Lingering, MarkStore,
    PublishState, Rerouted, Restore, SendAway, Suspend,
};

pub(crate) mod reload;

/// Messages of other actors that may wait here.
const MAILBOX: usize = 4096;
/// How late a deadline may be noticed.
const TICK: Duration = Duration::from_millis(50);
/// Sessions whose memory is looked at with each of those: a round through 100,000 takes 10 s and 0.1 % of a core.
const WEIGHED_AT_ONCE: usize = 500;

/// See the module.
pub(crate) struct SessionActor {
    pub(crate) desk: Rc<Desk>,
    acceptors: Vec<(Arc<Listener>, Addr<AcceptorActor>)>,
}

impl SessionActor {
    /// What the line works with.
    pub(crate) fn desk(&self) -> &Desk {
        &self.desk
    }

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
        self.desk.watch_memory();
        self.desk.line.borrow_mut().weigh(WEIGHED_AT_ONCE);
        self.desk.lag.set_max(self.desk.overload.line_lag_max());
        let line = self.desk.index;
        let turned = self.desk.lag.turned(TICK, now);
        self.desk.gauges.note_lag(self.desk.lag.late_millis());
        match turned {
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

/// From the daemon at the start: the other lines.
#[derive(actix::Message)]
#[rtype(result = "()")]
pub(crate) struct Meet(pub(crate) Vec<Addr<SessionActor>>);

/// From the daemon to a line that accepts nobody: accept those who come to these.
#[derive(actix::Message)]
#[rtype(result = "()")]
pub(crate) struct Open(pub(crate) Vec<Share>);

impl Handler<Meet> for SessionActor {
    type Result = ();

    fn handle(&mut self, meet: Meet, _: &mut Self::Context) {
        self.desk.meet(meet.0);
    }
}

impl Handler<Open> for SessionActor {
    type Result = ();

    fn handle(&mut self, open: Open, _: &mut Self::Context) {
        for (socket, listener) in open.0 {
            let acceptor = AcceptorActor::new(socket, Rc::clone(&self.desk), Arc::clone(&listener));
            self.acceptors.push((listener, acceptor.start()));
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

    fn handle(&mut self, awaits: AwaitsStore, _: &mut Self::Context) -> Self::Result {
        self.desk.flush();
        self.desk.line.borrow().awaits_store(awaits.0)
    }
}

impl Handler<MarkStore> for SessionActor {
    type Result = MessageResult<MarkStore>;

    fn handle(&mut self, _: MarkStore, _: &mut Self::Context) -> Self::Result {
        self.desk.flush();
        MessageResult(self.desk.line.borrow().store_mark())
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

impl Handler<Measure> for SessionActor {
    type Result = MessageResult<Measure>;

    fn handle(&mut self, _: Measure, _: &mut Self::Context) -> Self::Result {
        MessageResult(Box::new(self.desk.figures()))
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
                for (_, acceptor) in self.acceptors.drain(..) {
                    if acceptor.try_send(Close).is_err() {
                        tracing::debug!(
                            line = self.desk.index,
                            "an acceptor was gone before it was asked to close"
                        );
                    }
                }
            }
            Drain::Bar => self.desk.bar(),
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

impl Handler<SendAway> for SessionActor {
    type Result = MessageResult<SendAway>;

    fn handle(&mut self, order: SendAway, _: &mut Self::Context) -> Self::Result {
        let now = self.desk.clock.now();
        let slice = |line: &mut Line| line.send_away(&order.to, order.from, order.max, now);
        MessageResult(self.desk.with_line(slice))
    }
}

impl Handler<Suspend> for SessionActor {
    type Result = MessageResult<Suspend>;

    fn handle(&mut self, suspend: Suspend, _: &mut Self::Context) -> Self::Result {
        let now = self.desk.clock.now();
        self.desk.flush();
        MessageResult(self.desk.with_line(|line| line.suspend(suspend.0, now)))
    }
}

impl Handler<AwaitReturn> for SessionActor {
    type Result = ();

    fn handle(&mut self, until: AwaitReturn, _: &mut Self::Context) {
        self.desk.with_line(|line| line.await_return(until.0));
    }
}

impl Handler<Lingering> for SessionActor {
    type Result = usize;

    fn handle(&mut self, _: Lingering, _: &mut Self::Context) -> Self::Result {
        self.desk.conversations.get()
    }
}
