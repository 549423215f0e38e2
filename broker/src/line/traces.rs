//! The steps of traced messages, as they go through a line.

use std::sync::Arc;

use mqtt_codec::{ClientId, Publish};

use super::{ConnectionKey, Line};
use crate::traces::{Span, Step, TraceContext, Unwritten};
use crate::turn::Turn;

impl Line {
    /// The trace of a client's message, if it is to have one.
    pub(super) fn trace_of(&mut self, publish: &Publish) -> Option<Arc<TraceContext>> {
        let every = self.turn.limits.traces.every;
        let properties = publish.properties.as_deref();
        self.turn.traces.context_of(properties, every, self.index)
    }

    /// A traced message was received and routed; if it is to be kept, its acknowledgement waits for the store.
    pub(super) fn trace_publish(&mut self, connection: ConnectionKey, context: &Arc<TraceContext>, publish: &Publish) {
        let Some(client_id) = self.connected(connection).map(|(session, _)| session.client_id.clone()) else {
            return;
        };
        let copies = self.routes(&publish.topic).copies;
        let step = |step, id| Span {
            context: **context,
            id,
            step,
            begun_micros: self.turn.micros,
            ended_micros: None,
            topic: publish.topic.detach(),
            qos: publish.qos,
            payload_bytes: publish.payload.len(),
            client_id: client_id.clone(),
            copies: (step == Step::Route).then_some(copies),
        };
        let (receive, route, store) = (
            step(Step::Receive, context.receipt),
            step(Step::Route, 0),
            step(Step::Store, 0),
        );
        let turn = &mut self.turn;
        let route = Span {
            id: turn.traces.id(self.index),
            ..route
        };
        if let Some(gate) = turn.keeper.owed() {
            let id = turn.traces.id(self.index);
            turn.traces.wait(gate, Span { id, ..store });
        }
        turn.traced(receive);
        turn.traced(route);
    }
}

/// Traced messages were written to their receiver's socket.
#[inline(never)]
pub(super) fn trace_delivered(traced: Vec<Unwritten>, client_id: &ClientId, line: u16, turn: &mut Turn) {
    for unwritten in traced {
        let id = turn.traces.id(line);
        turn.traced(Span {
            context: *unwritten.context,
            id,
            step: Step::Deliver,
            begun_micros: unwritten.begun_micros,
            ended_micros: Some(turn.micros.max(unwritten.begun_micros)),
            topic: unwritten.topic,
            qos: unwritten.qos,
            payload_bytes: unwritten.payload_bytes,
            client_id: client_id.clone(),
            copies: None,
        });
    }
}
