//! From what was counted to an outcome.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Crew, PANICKED, Snapshot};
use crate::load::board::Trouble;
use crate::load::clock::{Clock, ratio};
use crate::load::failure::Failure;
use crate::load::outcome::{Counts, Ending, Measured, Outcome, Summary};
use crate::load::plan::{Pace, Qos};

/// A broker rests that uses less than a fiftieth of a core for as long.
const REST: Duration = Duration::from_millis(100);
/// Longest wait for it.
const REST_MAX: Duration = Duration::from_secs(5);

/// A measured part of a run.
#[derive(Clone, Copy, Debug)]
pub(in crate::load) struct Part {
    pub(in crate::load) from: Snapshot,
    pub(in crate::load) upto: Snapshot,
    /// Its number among the parts of the run.
    span: usize,
}

impl Part {
    /// Its length in nanoseconds.
    pub(in crate::load) fn took_ns(&self) -> u64 {
        self.upto.at_ns.saturating_sub(self.from.at_ns)
    }

    /// Deliveries in it.
    pub(in crate::load) fn received(&self) -> u64 {
        self.upto.figures.received.saturating_sub(self.from.figures.received)
    }

    /// Messages acknowledged in it.
    pub(in crate::load) fn acknowledged(&self) -> u64 {
        let (from, upto) = (&self.from.figures, &self.upto.figures);
        upto.acknowledged.saturating_sub(from.acknowledged)
    }

    /// The broker's CPU time in it in microseconds, for each of `count`; `None` if nobody knows.
    pub(in crate::load) fn cpu_us_per(&self, count: u64) -> Option<f64> {
        let (from, upto) = self.from.broker.zip(self.upto.broker)?;
        (count > 0).then(|| ratio(upto.cpu_ns.saturating_sub(from.cpu_ns), count) / 1e3)
    }
}

impl Crew<'_> {
    /// Measures while `during` goes on. Where the clock sets the pace, the part's latencies go on until
    /// [`Crew::end_latency`] or the end of the run: a message that was due in the part belongs to it whenever it
    /// arrives, and those that the broker holds up over its end are the longest.
    pub(in crate::load) fn measure<E>(&mut self, during: impl FnOnce(&mut Self) -> Result<(), E>) -> Result<Part, E> {
        let from = self.snapshot();
        let span = self.timeline.begin_span(from.tick);
        during(self)?;
        let broken_at = self.broken_at.filter(|broken_at| broken_at.at_ns >= from.at_ns);
        let upto = broken_at.unwrap_or_else(|| self.snapshot());
        if matches!(self.plan.pace, Pace::Window(_)) {
            self.timeline.end_span(span, upto.tick);
        }
        Ok(Part { from, upto, span })
    }

    /// Counts what the broker still does for a part that is over, until it rests: a store may be behind what was
    /// delivered. Gives up after [`REST_MAX`]. Returns the nanoseconds that it took, which are not the part's.
    pub(in crate::load) fn await_rest(&mut self, part: &mut Part) -> u64 {
        let began_ns = self.board.clock.nanos();
        while let Some(before) = part.upto.broker.as_ref().map(|broker| broker.cpu_ns) {
            std::thread::sleep(REST);
            part.upto.broker = self.snapshot().broker;
            let used_ns = part
                .upto
                .broker
                .map_or(0, |broker| broker.cpu_ns.saturating_sub(before));
            let waited = Duration::from_nanos(self.board.clock.nanos() - began_ns);
            if Duration::from_nanos(used_ns) < REST / 50 || waited > REST_MAX {
                break;
            }
        }
        self.board.clock.nanos() - began_ns
    }

    /// Ends the latencies of a part.
    pub(in crate::load) fn end_latency(&mut self, part: &Part) {
        let tick = self.turn_page();
        self.timeline.end_span(part.span, tick);
    }

    /// Median and 99th percentile of the latencies of a part that is over; `None` if nothing arrived.
    pub(in crate::load) fn p50_p99_us(&self, part: &Part) -> Option<(f64, f64)> {
        let gauge = self.timeline.span(part.span)?;
        gauge.quantile_us(0.5).zip(gauge.quantile_us(0.99))
    }

    /// Ends the run and says what it showed. `extra` deliveries were expected beside those of messages sent; `counted`
    /// is the moment up to which everything counts.
    pub(in crate::load) fn finish(mut self, part: &Part, counted: &Snapshot, extra: u64) -> Outcome {
        if !self.dismiss() {
            let at = self.board.clock.elapsed().saturating_sub(self.load_began);
            self.broken.get_or_insert((PANICKED.to_owned(), at));
        }
        while let Ok(page) = self.pages.try_recv() {
            self.timeline.insert(page);
        }
        self.timeline.finish();
        let figures = counted.figures;
        let expected = figures.expected + extra;
        let counts = Counts {
            sent: figures.sent,
            acknowledged: figures.acknowledged,
            expected,
            received: figures.received,
            duplicated: figures.duplicated,
            lost: expected.saturating_sub(figures.received),
            out_of_order: figures.out_of_order,
            stray: figures.stray,
            connections_lost: figures.connections_lost,
            refused: figures.refused,
        };
        let (took_ns, delivered) = (part.took_ns(), part.received());
        let per_sec = |count: u64| 1e9 * ratio(count, took_ns.max(1));
        let bytes = part.upto.figures.payload_bytes - part.from.figures.payload_bytes;
        let broker = self.broker.as_ref().zip(part.from.broker.zip(part.upto.broker));
        Outcome {
            target: self.target.name.clone(),
            scenario: self.plan.scenario,
            plan: Summary::of(self.plan),
            ending: ending(self.broken.take(), &counts, self.plan.qos),
            counts,
            measured: Measured {
                took_ms: ratio(took_ns, 1_000_000),
                sent: part.upto.figures.sent - part.from.figures.sent,
                delivered,
                deliveries_per_sec: per_sec(delivered),
                payload_bytes_per_sec: per_sec(bytes),
            },
            latency: self.timeline.span(part.span).and_then(|gauge| gauge.latency()),
            timeline: self.timeline.ticks(
                part.from.tick,
                part.upto.tick,
                part.from.at_ns,
                part.from.figures.received,
            ),
            broker: broker.map(|(broker, (from, upto))| broker.cost(&from, &upto, took_ns, delivered)),
            own: self.own.cost(&part.from.own, &part.upto.own, took_ns, delivered),
            figures: BTreeMap::new(),
        }
    }
}

fn ending(broken: Option<(String, Duration)>, counts: &Counts, qos: Qos) -> Ending {
    if let Some((reason, at)) = broken {
        return Ending::Broken {
            reason,
            after_ms: at.as_secs_f64() * 1e3,
        };
    }
    let deliveries = counts.lost + counts.duplicated + counts.out_of_order + counts.stray;
    let messages = counts.refused + counts.unacknowledged(qos);
    if deliveries + messages + counts.connections_lost == 0 {
        Ending::Whole
    } else {
        Ending::Lost
    }
}

/// What trouble means before there is a load.
pub(super) fn failure(trouble: Trouble, ready: u32, wanted: u32) -> Failure {
    match trouble {
        Trouble::Connect { address, source } => Failure::Connect { address, source },
        Trouble::Refused { client, packet, code } => Failure::Refused {
            client,
            packet,
            code,
            remedy: remedy(packet, code),
        },
        Trouble::Ended { reason, .. } => Failure::Closed { reason, ready, wanted },
        Trouble::Machine { what, source } => Failure::Machine { what, source },
    }
}

/// What trouble means under load, and when it came.
pub(super) fn reason(trouble: &Trouble, clock: Clock) -> (String, Duration) {
    match trouble {
        Trouble::Connect { address, source } => (format!("cannot connect to {address}: {source}"), clock.elapsed()),
        Trouble::Refused { client, packet, code } => (
            format!("the broker refused the {packet} of client {client} with code {code:#04x}"),
            clock.elapsed(),
        ),
        Trouble::Ended { reason, at } => (reason.clone(), *at),
        Trouble::Machine { what, source } => (format!("this machine refused {what}: {source}"), clock.elapsed()),
    }
}

fn remedy(packet: &str, code: u8) -> &'static str {
    match (packet, code) {
        ("SUBSCRIBE", 0x80 | 0x97) => "raise its limit on subscriptions, let the client subscribe, or see its log",
        ("SUBSCRIBE", ..0x80) => "it grants a lower QoS only, so ask for that",
        ("CONNECT", 0x01 | 0x84) => "it does not speak this version of MQTT, so try the other one",
        (_, 0x04 | 0x05 | 0x86 | 0x87) => "give a user name and password that it accepts, and may do this",
        (_, 0x97 | 0x9f) => "raise its quota or its connect rate, or lower yours",
        _ => "see the broker's log",
    }
}
