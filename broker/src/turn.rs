//! What a session may touch of its line while a packet is handled.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use mqtt_codec::{ClientId, QoS};

use crate::acl::{Action, Asked, Lately, Rights};
use crate::counters::{Counters, Drop};
use crate::durable::Keeper;
use crate::effect::{Cause, Effect};
use crate::exchange::{Ended, Exchange, Kind, Overseer, Request, Verdict, phase};
use crate::key::SessionKey;
use crate::limits::{Limit, LimitReached, Limits, Noticed};
use crate::memory::Memory;
use crate::message::{Message, Millis};
use crate::notes::{Decision, Note, Notes};
use crate::presence::Presence;
use crate::session::{Buffer, Delivery, Session, Templates};
use crate::tables::Tables;
use crate::timers::Timers;
use crate::traces::{Span, Traces};

/// The line's own things, apart from its sessions.
pub(crate) struct Turn {
    pub(crate) now: Millis,
    /// The same as far as the shell told it, in microseconds; 0: it did not.
    pub(crate) micros: u64,
    #[cfg(feature = "faults")]
    pub(crate) lossy: crate::faults::Lossy,
    pub(crate) limits: Limits,
    /// The traces of sampled messages.
    pub(crate) traces: Traces,
    pub(crate) counters: Counters,
    pub(crate) keeper: Keeper,
    pub(crate) templates: Templates,
    pub(crate) timers: Timers,
    pub(crate) overseer: Box<dyn Overseer>,
    /// The kinds of exchanges that the overseer is asked about.
    pub(crate) judged: Judged,
    /// Messages that the overseer has set off, as the broker's own.
    pub(crate) set_off: Vec<Arc<Message>>,
    /// Those from here on belong to the last judgement.
    pub(crate) set_off_from: usize,
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
    /// Slots whose connections end with this turn, because of what happened while others were served.
    pub(crate) ending: Vec<(u32, Cause)>,
    /// Which limits the log was told of, and when.
    pub(crate) noticed: Noticed,
    /// Which decisions were noted, and when.
    pub(crate) notes: Notes,
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

    /// Whether nothing is left to be done for others than those who were served.
    #[inline]
    pub(crate) const fn is_settled(&self) -> bool {
        self.handed_back.is_empty() && self.ending.is_empty() && self.set_off.is_empty()
    }

    /// Whether the overseer is to be asked about an exchange of this kind.
    #[inline]
    pub(crate) const fn judges(&self, kind: Kind) -> bool {
        self.judged.0 & (1 << kind as u8) != 0
    }

    /// Asks the overseer, if it has something to say about this kind. What a PUBLISH or a will sets off is published
    /// when the turn ends.
    #[inline(never)]
    pub(crate) fn judge(&mut self, exchange: &Exchange<phase::Running>, request: &Request<'_>) -> Verdict {
        let kind = request.ask.kind();
        if !self.judges(kind) {
            return Verdict::Proceed;
        }
        let verdict = self.overseer.on_running(exchange, request);
        if matches!(kind, Kind::Publish | Kind::Will) {
            self.set_off_from = self.set_off.len();
            self.overseer.take_messages(&mut self.set_off);
        }
        verdict
    }

    /// Forgets what the last judgement set off: what was judged was refused for another reason.
    pub(crate) fn forget_set_off(&mut self) {
        self.set_off.truncate(self.set_off_from);
    }

    /// Puts another overseer in the place of this one.
    pub(crate) fn set_overseer(&mut self, overseer: Box<dyn Overseer>) {
        self.judged = Judged::by(overseer.as_ref());
        self.overseer = overseer;
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
        let allowed = self.lately.or_decide(asked, topic, decide);
        self.counters.count_asked(action, allowed);
        allowed
    }

    pub(crate) fn drop_message(&mut self, reason: Drop) {
        self.counters.count_drop(reason);
    }

    /// Tells who watches of a step of a traced message.
    pub(crate) fn traced(&mut self, span: Span) {
        self.effects.push(Effect::Traced(Box::new(span)));
    }

    /// Drops a message before it was matched with anyone.
    pub(crate) fn drop_unmatched(&mut self, reason: Drop) {
        self.counters.copies.made += 1;
        self.drop_message(reason);
    }

    /// Counts the delivery of a message that has waited.
    #[inline(never)]
    pub(crate) fn count_waited(&mut self, arrived_micros: u64) {
        let now = self.micros.max(self.now.0.saturating_mul(1000));
        self.counters.delivery.observe(now.saturating_sub(arrived_micros), 1);
    }

    /// Notes a decision about a client, unless the same was noted a moment ago.
    pub(crate) fn note(&mut self, client_id: &ClientId, decision: Decision) {
        if let Some(times) = self.notes.take(client_id, &decision, self.now) {
            self.effects.push(Effect::Noted(Box::new(Note {
                client_id: client_id.clone(),
                times,
                decision,
            })));
        }
    }

    /// Counts that a client has reached a limit, and has the log told now and then.
    pub(crate) fn reached(&mut self, limit: Limit, client_id: &ClientId) {
        self.note(client_id, Decision::Limited(limit));
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

/// One bit for each kind of exchange that an overseer judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Judged(u8);

impl Judged {
    pub(crate) fn by(overseer: &dyn Overseer) -> Self {
        let bit = |kind: &Kind| u8::from(overseer.judges(*kind)) << *kind as u8;
        Self(Kind::ALL.iter().map(bit).fold(0, |all, bit| all | bit))
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
