//! What a session may touch of its line while a packet is handled.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use mqtt_codec::{ClientId, QoS};

use crate::acl::{Action, Asked, Lately, Rights};
use crate::counters::{Counters, Drop};
use crate::durable::Keeper;
use crate::effect::Effect;
use crate::exchange::{Ended, Exchange, Kind, Overseer, Request, Verdict, phase};
use crate::key::SessionKey;
use crate::limits::{Limit, LimitReached, Limits, Noticed};
use crate::memory::Memory;
use crate::message::Millis;
use crate::presence::Presence;
use crate::session::{Buffer, Delivery, Session, Templates};
use crate::tables::Tables;
use crate::timers::Timers;

/// The line's own things, apart from its sessions.
pub(crate) struct Turn {
    pub(crate) now: Millis,
    pub(crate) limits: Limits,
    pub(crate) counters: Counters,
    pub(crate) keeper: Keeper,
    pub(crate) templates: Templates,
    pub(crate) timers: Timers,
    pub(crate) overseer: Box<dyn Overseer>,
    /// Whether the overseer is asked about deliveries.
    pub(crate) judges_deliveries: bool,
    pub(crate) rights: Rights,
    /// Whether the rights are asked at all: there is a book, or somebody brought rights along.
    pub(crate) asks_rights: bool,
    /// What they said lately.
    pub(crate) lately: Lately,
    /// How much of it the process has for more.
    pub(crate) memory: Memory,
    pub(crate) presence: Arc<Presence>,
    pub(crate) tables: Box<dyn Tables>,
    /// Slots whose connections have bytes to write.
    pub(crate) dirty: Vec<u32>,
    /// Slots whose sessions have more to send, in the order of their turns.
    pub(crate) feeding: VecDeque<u32>,
    /// What members of shared groups may not be sent, with the member: others are asked.
    pub(crate) handed_back: Vec<(SessionKey, Delivery)>,
    /// Slots whose queues overflowed while connected.
    pub(crate) overflowed: Vec<u32>,
    /// Which limits the log was told of, and when.
    pub(crate) noticed: Noticed,
    pub(crate) effects: Vec<Effect>,
    /// Buffers that outboxes take turns with.
    #[expect(clippy::vec_box, reason = "an outbox takes one as it is, by pointer")]
    pub(crate) buffers: Vec<Box<Buffer>>,
}

impl Turn {
    /// Most buffers kept, and the size above which one is not kept.
    const BUFFERS_MAX: usize = 64;
    const BUFFER_BYTES_MAX: usize = 256 << 10;

    pub(crate) fn start(&mut self, kind: Kind) -> Exchange<phase::Running> {
        self.counters.count_start(kind);
        Exchange::open(kind).start()
    }

    pub(crate) fn end(&mut self, ended: impl Into<Ended>) {
        let ended = ended.into();
        self.counters.count_end(&ended);
        self.overseer.on_ended(&ended);
    }

    pub(crate) fn judge(&mut self, exchange: &Exchange<phase::Running>, request: &Request<'_>) -> Verdict {
        self.overseer.on_running(exchange, request)
    }

    /// Whether this session's client may do this on the topic.
    #[inline]
    pub(crate) fn permits(&mut self, session: &Session, action: Action, topic: &str, qos: QoS, retain: bool) -> bool {
        !self.asks_rights || self.ask_rights(session, (action, retain), topic, qos)
    }

    /// Apart, so that those who have no rights to ask do not carry it along.
    #[inline(never)]
    fn ask_rights(&mut self, session: &Session, (action, retain): (Action, bool), topic: &str, qos: QoS) -> bool {
        let asked = Asked {
            session: session.key,
            bearer: session.bearer,
            action,
            qos,
            retain,
        };
        let rights = &self.rights;
        let decide = || rights.decide(&session.subject(), action, topic, qos, retain).allowed;
        self.lately.or_decide(asked, topic, decide)
    }

    pub(crate) fn drop_message(&mut self, reason: Drop) {
        self.counters.count_drop(reason);
    }

    /// Counts that a client has reached a limit, and has the log told now and then.
    pub(crate) fn reached(&mut self, limit: Limit, client_id: &ClientId) {
        self.counters.count_limit(limit);
        if let Some(times) = self.noticed.note(limit, self.now) {
            self.effects.push(Effect::Limited(Box::new(LimitReached {
                limit,
                client_id: client_id.clone(),
                times,
            })));
        }
    }

    pub(crate) fn buffer(&mut self) -> Box<Buffer> {
        self.buffers.pop().unwrap_or_default()
    }

    pub(crate) fn give_back(&mut self, buffer: Box<Buffer>) {
        if self.buffers.len() < Self::BUFFERS_MAX && buffer.capacity() <= Self::BUFFER_BYTES_MAX {
            self.buffers.push(buffer);
        }
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn")
            .field("now", &self.now)
            .field("counters", &self.counters)
            .finish_non_exhaustive()
    }
}
