//! Traces of sampled messages: what a message went through on its way, as spans for an observer outside.
//!
//! A publisher of 5.0 that sends a W3C trace context in the user property `traceparent`, with the flag that says sampled,
//! has its message traced as a part of its own trace; of the others each so many is, if the operator wants it so. The
//! property itself is passed on as it came, like any other.

use std::hash::BuildHasher;
use std::sync::Arc;

use mqtt_codec::{ClientId, PublishProperties, QoS, TopicName};

use crate::durable::{Gate, Progress};

/// The user property that holds a trace context.
const TRACEPARENT: &str = "traceparent";
/// Traced messages of one line that wait for the store; one more is not traced there.
const WAITING_MAX: usize = 1024;
/// Traced deliveries in one outbox.
pub(crate) const UNWRITTEN_MAX: usize = 64;

/// Which messages are traced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TraceLimits {
    /// Those whose publisher asks for it, at least.
    pub on: bool,
    /// Of the others each so many; 0: none.
    pub every: u64,
}

/// A trace that a message belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace.
    pub trace_id: u128,
    /// The publisher's span; 0: the trace begins here.
    pub parent: u64,
    /// The span of the message's receipt, which is the parent of all others.
    pub receipt: u64,
}

/// A step of a message's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// From the read of its PUBLISH until the line has done with it.
    Receive,
    /// Its receivers were found and got it.
    Route,
    /// The acknowledgement waited for the store.
    Store,
    /// From a receiver's outbox to its socket.
    Deliver,
}

impl Step {
    /// Its name in a trace.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Receive => "receive",
            Self::Route => "route",
            Self::Store => "store",
            Self::Deliver => "deliver",
        }
    }
}

/// One step, done.
#[derive(Clone, Debug)]
pub struct Span {
    /// Which trace.
    pub context: TraceContext,
    /// Its own number; a receipt has that of the context.
    pub id: u64,
    /// What was done.
    pub step: Step,
    /// Microseconds of the clock behind [`Millis`](crate::message::Millis).
    pub begun_micros: u64,
    /// As above; `None`: at this moment, which only the surroundings know.
    pub ended_micros: Option<u64>,
    /// Of the message.
    pub topic: TopicName,
    /// QoS of the packet at hand.
    pub qos: QoS,
    /// Bytes of its payload.
    pub payload_bytes: usize,
    /// The publisher, or the receiver of a delivery.
    pub client_id: ClientId,
    /// For [`Step::Route`]: how many copies were made.
    pub copies: Option<u64>,
}

/// A traced message whose acknowledgement waits for the store.
#[derive(Debug)]
struct Waiting {
    gate: Gate,
    span: Span,
}

/// A traced delivery that has not been written.
#[derive(Debug)]
pub(crate) struct Unwritten {
    pub(crate) context: Arc<TraceContext>,
    pub(crate) begun_micros: u64,
    pub(crate) topic: TopicName,
    pub(crate) qos: QoS,
    pub(crate) payload_bytes: usize,
}

/// The traced deliveries of one outbox, apart so that the many connections without any hold one null pointer.
#[derive(Debug, Default)]
pub(crate) struct TracedWrites(pub(crate) Vec<Unwritten>);

/// What a line knows of the traces that go through it.
#[derive(Debug)]
pub(crate) struct Traces {
    hasher: foldhash::fast::FixedState,
    given: u64,
    seen: u64,
    waiting: Vec<Waiting>,
}

impl Traces {
    pub(crate) fn new(hasher: foldhash::fast::FixedState) -> Self {
        Self {
            hasher,
            given: 0,
            seen: 0,
            waiting: Vec::new(),
        }
    }

    /// A number that no other span has, as far as chance goes; never 0.
    pub(crate) fn id(&mut self, line: u16) -> u64 {
        self.given += 1;
        self.hasher.hash_one((line, self.given)).max(1)
    }

    /// The trace of a message, if it is to have one.
    #[inline(never)]
    pub(crate) fn context_of(
        &mut self,
        properties: Option<&PublishProperties>,
        every: u64,
        line: u16,
    ) -> Option<Arc<TraceContext>> {
        let named = properties.and_then(|properties| {
            let mut pairs = properties.user_properties.iter();
            pairs.find(|(name, _)| **name == *TRACEPARENT).map(|(_, value)| value)
        });
        if let Some((trace_id, parent, is_sampled)) = named.and_then(|text| parse(text)) {
            return is_sampled.then(|| {
                Arc::new(TraceContext {
                    trace_id,
                    parent,
                    receipt: self.id(line),
                })
            });
        }
        self.seen += 1;
        (every > 0 && self.seen.is_multiple_of(every)).then(|| {
            let trace_id = u128::from(self.id(line)) << 64 | u128::from(self.id(line));
            Arc::new(TraceContext {
                trace_id,
                parent: 0,
                receipt: self.id(line),
            })
        })
    }

    /// The span ends when the store has come as far as the gate.
    pub(crate) fn wait(&mut self, gate: Gate, span: Span) {
        if self.waiting.len() < WAITING_MAX {
            self.waiting.push(Waiting { gate, span });
        }
    }

    /// The spans that end with this progress of the store.
    pub(crate) fn kept(&mut self, progress: Progress) -> Vec<Span> {
        if self.waiting.is_empty() {
            return Vec::new();
        }
        let (over, waiting) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|waiting: &Waiting| progress.opens(waiting.gate));
        self.waiting = waiting;
        let over: Vec<Waiting> = over;
        over.into_iter().map(|waiting| waiting.span).collect()
    }
}

/// A `traceparent` of version 00: trace, parent, and whether the sender has it sampled. `None`: it is none.
fn parse(text: &str) -> Option<(u128, u64, bool)> {
    let mut parts = text.split('-');
    let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_hex = |text: &str, digits| text.len() == digits && text.bytes().all(|b| b"0123456789abcdef".contains(&b));
    // Later versions may have more parts behind these.
    let is_good = is_hex(version, 2)
        && version != "ff"
        && (version != "00" || parts.next().is_none())
        && is_hex(trace, 32)
        && is_hex(parent, 16)
        && is_hex(flags, 2);
    if !is_good {
        return None;
    }
    let trace_id = u128::from_str_radix(trace, 16).ok().filter(|id| *id != 0)?;
    let parent = u64::from_str_radix(parent, 16).ok().filter(|id| *id != 0)?;
    let flags = u8::from_str_radix(flags, 16).ok()?;
    Some((trace_id, parent, flags & 1 == 1))
}

#[cfg(test)]
mod tests {
    use super::parse;

    /// The examples of W3C Trace Context, section 3.2, and what is none.
    #[test]
    fn a_trace_context_is_read_as_w3c_writes_it() {
        let (trace, parent) = (0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736, 0x00f0_67aa_0ba9_02b7);
        let head = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7";
        assert_eq!(parse(&format!("00-{head}-01")), Some((trace, parent, true)));
        assert_eq!(parse(&format!("00-{head}-00")), Some((trace, parent, false)));
        assert_eq!(parse(&format!("cc-{head}-01-more")), Some((trace, parent, true)));
        for none in [
            String::new(),
            format!("ff-{head}-01"),
            format!("00-{head}-01-more"),
            format!("00-{head}-0"),
            format!("00-{}-01", head.to_uppercase()),
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01".to_owned(),
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01".to_owned(),
        ] {
            assert_eq!(parse(&none), None, "{none}");
        }
    }
}
