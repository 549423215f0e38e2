//! The scenarios, and what they all measure.

use std::time::Duration;

use crate::args::{Run, Scenario};
use crate::clock::Clock;
use crate::failure::Failure;
use crate::process::Process;
use crate::report::{Report, ratio};

mod connections;
mod stalled;
mod windowed;

/// How long the last messages may take to show up before they count as lost.
const PATIENCE: Duration = Duration::from_secs(5);

/// Carries out a scenario.
///
/// # Errors
///
/// Any [`Failure`]; a run with loss is a report, not a failure.
pub(crate) fn play(run: &Run, scenario: &Scenario) -> Result<Report, Failure> {
    match *scenario {
        Scenario::P2p { pairs, flow } => windowed::play(run, "p2p", windowed::Shape::pairs(pairs), flow),
        Scenario::Fanout { subscribers, flow } => windowed::play(
            run,
            "fanout",
            windowed::Shape {
                publishers: 1,
                topics: 1,
                subscribers,
            },
            flow,
        ),
        Scenario::Fanin {
            publishers,
            subscribers,
            flow,
        } => windowed::play(
            run,
            "fanin",
            windowed::Shape {
                publishers,
                topics: subscribers,
                subscribers,
            },
            flow,
        ),
        Scenario::Stalled {
            subscribers,
            publishers,
            rate,
            qos,
            idle,
        } => stalled::play(
            run,
            &stalled::Crowd {
                subscribers,
                publishers,
                rate,
                qos,
                idle,
            },
        ),
        Scenario::Connections { count } => connections::play(run, count),
    }
}

/// Reads the two processes whose cost is of interest.
#[derive(Debug)]
struct Meter {
    broker: Option<Process>,
    own: Process,
    clock: Clock,
}

/// What both processes had used at one moment.
#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Duration,
    broker_cpu_ns: Option<u64>,
    own_cpu_ns: u64,
    received: u64,
}

impl Meter {
    fn new(run: &Run) -> Self {
        Self {
            broker: run.pid.map(Process::of),
            own: Process::own(),
            clock: Clock::start(),
        }
    }

    /// Both processes' CPU time at this moment, beside the count of deliveries at this moment.
    fn sample(&self, received: u64) -> Result<Sample, Failure> {
        Ok(Sample {
            at: self.clock.elapsed(),
            broker_cpu_ns: self.broker.as_ref().map(Process::cpu_ns).transpose()?,
            own_cpu_ns: self.own.cpu_ns()?,
            received,
        })
    }

    /// The broker's resident memory, if its process id is known.
    fn broker_rss_kib(&self) -> Result<Option<u64>, Failure> {
        self.broker.as_ref().map(Process::rss_kib).transpose()
    }
}

/// Adds what passed between two samples: deliveries per second, and CPU time per delivery under a prefix.
fn report_cost(report: &mut Report, prefix: &str, from: Sample, upto: Sample) {
    let deliveries = upto.received.saturating_sub(from.received);
    let micros = |ns: u64| ratio(ns, deliveries) / 1_000.0;
    let broker = from
        .broker_cpu_ns
        .zip(upto.broker_cpu_ns)
        .map(|(from, upto)| micros(upto.saturating_sub(from)));
    report.measure(&format!("{prefix}broker_cpu_us"), broker);
    report.measure(
        &format!("{prefix}generator_cpu_us"),
        Some(micros(upto.own_cpu_ns.saturating_sub(from.own_cpu_ns))),
    );
    let seconds = upto.at.saturating_sub(from.at).as_secs_f64();
    report.measure(
        &format!("{prefix}deliveries_per_s"),
        Some(ratio(deliveries, 1) / seconds),
    );
}

/// Adds a memory figure in KiB.
fn report_memory(report: &mut Report, key: &str, kib: Option<u64>) {
    report.measure(key, kib.map(|kib| ratio(kib, 1)));
}
