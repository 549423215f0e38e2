//! A line takes other settings: the messages of a reload and what becomes of them.

use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;

use actix::{Actor, Handler, Message, MessageResult};
use broker::acl::Rights;
use broker::limits::Limits;
use broker::line::{Findings, Review};

use super::SessionActor;
use crate::acceptor::{AcceptorActor, Close};
use crate::listener::Listener;
use crate::policy::Policy;

/// Sessions that a line looks at before it serves its clients again.
const SLICE: u32 = 200;

/// From the reloader to a line: whom would these settings hit? Answered with what was found among some sessions, and where
/// to go on.
#[derive(Debug, Message)]
#[rtype(result = "(Findings, Option<u32>)")]
pub(crate) struct Look {
    pub(crate) review: Arc<Review>,
    pub(crate) from: u32,
}

impl Handler<Look> for SessionActor {
    type Result = MessageResult<Look>;

    fn handle(&mut self, look: Look, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.desk.line.borrow().review(&look.review, look.from, SLICE))
    }
}

/// From the reloader to a line: these bounds, rights, rules and listeners from here on; `None`: the rules stay.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Govern {
    pub(crate) limits: Limits,
    pub(crate) rights: Rights,
    pub(crate) policy: Option<Arc<dyn Policy>>,
    pub(crate) rehang: Rehang,
}

impl Handler<Govern> for SessionActor {
    type Result = ();

    fn handle(&mut self, govern: Govern, _: &mut Self::Context) {
        let now = self.desk.clock.now();
        self.desk.with_line(|line| {
            line.set_limits(govern.limits, now);
            line.exchange_rights(govern.rights, now);
            if let Some(policy) = &govern.policy {
                line.set_overseer(policy.overseer(), now);
            }
        });
        self.rehang(govern.rehang);
    }
}

/// From the reloader to a line, behind [`Govern`]: have some sessions follow. Answered with where to go on.
#[derive(Debug, Message)]
#[rtype(result = "Option<u32>")]
pub(crate) struct Enforce {
    pub(crate) review: Arc<Review>,
    pub(crate) from: u32,
}

impl Handler<Enforce> for SessionActor {
    type Result = Option<u32>;

    fn handle(&mut self, enforce: Enforce, _: &mut Self::Context) -> Self::Result {
        let now = self.desk.clock.now();
        self.desk
            .with_line(|line| line.enforce(&enforce.review, enforce.from, SLICE, now))
    }
}

/// Accept no more on these listeners, and from here on these. A socket may be among both: what waits in it is accepted by
/// the other listener.
#[derive(Debug)]
pub(crate) struct Rehang {
    pub(crate) closing: Vec<Arc<Listener>>,
    pub(crate) opening: Vec<(OwnedFd, Arc<Listener>)>,
}

impl SessionActor {
    fn rehang(&mut self, rehang: Rehang) {
        let is_closing = |listener: &Arc<Listener>| rehang.closing.iter().any(|closing| Arc::ptr_eq(closing, listener));
        let (closing, staying) = std::mem::take(&mut self.acceptors)
            .into_iter()
            .partition(|(listener, _)| is_closing(listener));
        self.acceptors = staying;
        let closing: Vec<(Arc<Listener>, actix::Addr<AcceptorActor>)> = closing;
        for (listener, acceptor) in closing {
            if acceptor.try_send(Close).is_err() {
                tracing::debug!(
                    listener = listener.settings.name,
                    "an acceptor was gone before it was asked to close"
                );
            }
        }
        for (socket, listener) in rehang.opening {
            let acceptor = AcceptorActor::new(socket, Rc::clone(&self.desk), Arc::clone(&listener));
            self.acceptors.push((listener, acceptor.start()));
        }
    }
}
