//! The router actor: the single writer of the routing table.

use actix::{Actor, Addr, AsyncContext, Context, Handler, WrapFuture};

use crate::message::{Reroute, Rerouted};
use crate::session::SessionActor;
use crate::tables::SharedTables;

/// Requests of lines that may wait here.
const MAILBOX: usize = 1024;

/// Carries out the lines' changes one batch after the other and answers when a batch is in force for all lines.
pub(crate) struct RouterActor {
    tables: SharedTables,
    lines: Vec<Addr<SessionActor>>,
}

impl RouterActor {
    pub(crate) fn new(tables: SharedTables) -> Self {
        Self {
            tables,
            lines: Vec::new(),
        }
    }
}

impl Actor for RouterActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
    }
}

/// From the daemon at the start: the lines that will ask.
#[derive(actix::Message)]
#[rtype(result = "()")]
pub(crate) struct MeetLines(pub(crate) Vec<Addr<SessionActor>>);

impl Handler<MeetLines> for RouterActor {
    type Result = ();

    fn handle(&mut self, lines: MeetLines, _: &mut Self::Context) {
        self.lines = lines.0;
    }
}

impl Handler<Reroute> for RouterActor {
    type Result = ();

    fn handle(&mut self, request: Reroute, ctx: &mut Self::Context) {
        let replies = self.tables.change(request.requests);
        let Some(line) = self.lines.get(usize::from(request.line)) else {
            return;
        };
        if !replies.is_empty() {
            send_in_order(self, line, Rerouted { replies }, ctx);
        }
    }
}

/// Sends now if there is room, and else waits for room before the next request is taken up.
fn send_in_order(actor: &RouterActor, line: &Addr<SessionActor>, message: Rerouted, ctx: &mut Context<RouterActor>) {
    if let Err(actix::prelude::SendError::Full(message)) = line.try_send(message) {
        let line = line.clone();
        let waiting = async move {
            if line.send(message).await.is_err() {
                tracing::debug!("a line stopped before the router could answer it");
            }
        };
        ctx.wait(waiting.into_actor(actor));
    }
}
