//! What a run showed. Serialized, this is the JSON that scripts read: snake_case keys with their units last.

use std::collections::BTreeMap;

use serde::Serialize;

use super::plan::{Pace, Plan, Qos, Scenario, Until};

/// All that one run showed.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// The name of the broker.
    pub target: String,
    /// What happened.
    pub scenario: Scenario,
    /// The plan's sizes.
    pub plan: Summary,
    /// Whether every message arrived once and in order.
    pub ending: Ending,
    /// What was sent and what arrived, over the whole run with warm-up and drain.
    pub counts: Counts,
    /// What the measured part brought.
    pub measured: Measured,
    /// Latencies of the measured part, if anything arrived; in `durable` those of acknowledgements. With a rate they are those of all that was due in it,
    /// whenever it arrived; what could not be sent counts with the time for which it had waited by then.
    pub latency: Option<Latency>,
    /// The measured part in pieces of equal length, at most 600.
    pub timeline: Vec<Tick>,
    /// What the broker's processes spent in the measured part, if their ids were given.
    pub broker: Option<Cost>,
    /// What the generator spent in the measured part.
    pub own: Cost,
    /// The scenario's own figures by name, unit last.
    pub figures: BTreeMap<String, f64>,
}

/// The sizes of a plan.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// `3.1.1` or `5.0`.
    pub version: String,
    /// 0, 1 or 2.
    pub qos: Qos,
    /// Payload sizes as on the command line.
    pub payload_bytes: String,
    /// Clients that published.
    pub publishers: u32,
    /// Clients that subscribed.
    pub subscribers: u32,
    /// Connections beside those.
    pub connections: u32,
    /// Topic filters, see [`Plan::subscriptions`].
    pub subscriptions: u32,
    /// Topics, see [`Plan::topics`].
    pub topics: u32,
    /// Whether topic filters had wildcards, see [`Plan::wildcard`].
    pub wildcard: bool,
    /// Whether twice as many messages followed, see [`Plan::doubled`].
    pub doubled: bool,
    /// Messages of one publisher that could be on their way.
    pub window: Option<u32>,
    /// Messages per second that were due.
    pub rate_per_sec: Option<f64>,
    /// How long the measured part was to take.
    pub duration_ms: Option<f64>,
    /// How many messages the measured part was to have.
    pub count: Option<u64>,
    /// How long the load ran before.
    pub warm_up_ms: f64,
    /// Threads of the generator.
    pub threads: u32,
    /// Source addresses.
    pub sources: u32,
    /// New connections per second; 0 without a limit.
    pub connect_rate_per_sec: u32,
    /// How long nothing could happen before the generator gave up.
    pub patience_ms: f64,
    /// The pause between two looks at the connections.
    pub nap_us: f64,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Ending {
    /// Every message arrived once and in order, and was acknowledged.
    Whole,
    /// A delivery is missing, came twice or out of order, a packet came that nobody waited for, or the broker refused
    /// or did not acknowledge a message.
    Lost,
    /// The broker ended a connection or fell silent, or not all that was asked for could be sent.
    Broken {
        /// Which client it was, and what happened.
        reason: String,
        /// When that was, from the start of the load.
        after_ms: f64,
    },
}

/// What was sent and what became of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Messages that publishers handed over; in scenario `connect`, cycles begun.
    pub sent: u64,
    /// Messages of QoS 1 and 2 whose acknowledgement is complete.
    pub acknowledged: u64,
    /// Deliveries that the messages sent should have caused.
    pub expected: u64,
    /// Deliveries that came, each message once for each subscriber.
    pub received: u64,
    /// Deliveries of a message that its subscriber had already, or that was not for it.
    pub duplicated: u64,
    /// Deliveries that never came.
    pub lost: u64,
    /// Deliveries that came after a later message of the same publisher on the same topic.
    pub out_of_order: u64,
    /// Packets that nobody waited for: acknowledgements that no message was without, and deliveries that no message
    /// explains, to a client that subscribes to nothing of the kind or with another QoS or size than was due.
    pub stray: u64,
    /// Connections that ended without our wish.
    pub connections_lost: u64,
    /// Messages that the broker refused aloud: an acknowledgement of 5.0 with a code of 0x80 or above.
    pub refused: u64,
}

impl Counts {
    /// Messages of QoS 1 and 2 that were neither acknowledged nor refused.
    #[must_use]
    pub fn unacknowledged(&self, qos: Qos) -> u64 {
        match qos {
            Qos::AtMostOnce => 0,
            Qos::AtLeastOnce | Qos::ExactlyOnce => self.sent.saturating_sub(self.acknowledged + self.refused),
        }
    }
}

/// What the measured part brought.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Measured {
    /// Its length.
    pub took_ms: f64,
    /// Messages sent in it.
    pub sent: u64,
    /// Deliveries in it; in scenario `connect`, cycles completed.
    pub delivered: u64,
    /// Deliveries for each second of it.
    pub deliveries_per_sec: f64,
    /// Delivered payload for each second of it.
    pub payload_bytes_per_sec: f64,
}

/// How long messages were on their way, from the moment they were due to the return of the read that brought them; in
/// `durable`, that brought their acknowledgement.
#[derive(Clone, Debug, Serialize)]
pub struct Latency {
    /// Deliveries counted.
    pub count: u64,
    /// The median.
    pub p50_us: f64,
    /// The 90th percentile.
    pub p90_us: f64,
    /// The 99th percentile.
    pub p99_us: f64,
    /// The 99.9th percentile.
    pub p999_us: f64,
    /// The longest.
    pub max_us: f64,
    /// The mean.
    pub mean_us: f64,
    /// Percentiles from 0 to 100 and their latencies in microseconds, denser towards the end, for a chart.
    pub distribution: Vec<(f64, f64)>,
}

/// One piece of the measured part.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Tick {
    /// Its end, from the start of the measured part.
    pub at_ms: f64,
    /// Deliveries for each second of it.
    pub deliveries_per_sec: f64,
    /// Median latency in it; 0 if nothing arrived.
    pub p50_us: f64,
    /// 99th percentile of latency in it; 0 if nothing arrived.
    pub p99_us: f64,
}

/// What processes spent.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Cost {
    /// CPU time for each delivery, user and kernel together; for `connect`, for each cycle.
    pub cpu_us_per_delivery: Option<f64>,
    /// CPU time.
    pub cpu_ms: f64,
    /// CPU time in percent of one core.
    pub cpu_percent: f64,
    /// Resident memory before the first connection.
    pub rss_before_kib: u64,
    /// Resident memory at the end of the measured part.
    pub rss_after_kib: u64,
    /// The most resident memory that the processes ever had.
    pub rss_peak_kib: u64,
    /// Times that a thread gave up its core to wait.
    pub switches_voluntary: u64,
    /// Times that a thread was made to give up its core.
    pub switches_involuntary: u64,
}

impl Outcome {
    /// Whether every message arrived once and in order, and was acknowledged.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.ending == Ending::Whole
    }

    /// The figure that tables compare, by name and value; lower is better.
    ///
    /// It is the broker's CPU time or memory where that is known, and what a client sees otherwise.
    #[must_use]
    pub fn headline(&self) -> (&'static str, f64) {
        let p99_us = self.latency.as_ref().map_or(f64::NAN, |latency| latency.p99_us);
        let figure = |name: &'static str| self.figures.get(name).map(|value| (name, *value));
        let known = match self.scenario {
            Scenario::Latency | Scenario::Stalled => Some(("p99_us", p99_us)),
            Scenario::Durable if self.plan.rate_per_sec.is_some() => Some(("p99_us", p99_us)),
            Scenario::Durable => figure("cpu_us_per_message"),
            Scenario::Connect => figure("cpu_us_per_connect"),
            Scenario::Idle if self.plan.subscriptions > 1 => figure("bytes_per_subscription"),
            Scenario::Idle => figure("bytes_per_connection"),
            Scenario::P2p
            | Scenario::Fanin
            | Scenario::Fanout
            | Scenario::Wildcards
            | Scenario::Offline
            | Scenario::Retained => {
                let cpu = self.broker.and_then(|broker| broker.cpu_us_per_delivery);
                cpu.map(|cpu| ("cpu_us_per_delivery", cpu))
            }
        };
        known.unwrap_or_else(|| match self.scenario {
            Scenario::Connect => ("took_us_per_connect", 1e6 / self.measured.deliveries_per_sec),
            Scenario::Idle | Scenario::Latency | Scenario::Stalled => ("p99_us", p99_us),
            Scenario::P2p
            | Scenario::Fanin
            | Scenario::Fanout
            | Scenario::Wildcards
            | Scenario::Offline
            | Scenario::Durable
            | Scenario::Retained => ("took_us_per_delivery", 1e6 / self.measured.deliveries_per_sec),
        })
    }
}

impl Summary {
    pub(crate) fn of(plan: &Plan) -> Self {
        let (window, rate_per_sec) = match plan.pace {
            Pace::Window(window) => (Some(window), None),
            Pace::Rate(rate) => (None, Some(rate)),
        };
        let (duration_ms, count) = match plan.until {
            Until::Time(duration) => (Some(duration.as_secs_f64() * 1e3), None),
            Until::Count(count) => (None, Some(count)),
        };
        Self {
            version: plan.version.to_string(),
            qos: plan.qos,
            payload_bytes: plan.payload.to_string(),
            publishers: plan.publishers,
            subscribers: plan.subscribers,
            connections: plan.connections,
            subscriptions: plan.subscriptions,
            topics: plan.topics,
            wildcard: plan.wildcard,
            doubled: plan.doubled,
            window,
            rate_per_sec,
            duration_ms,
            count,
            warm_up_ms: plan.warm_up.as_secs_f64() * 1e3,
            threads: plan.threads,
            sources: plan.sources,
            connect_rate_per_sec: plan.connect_rate,
            patience_ms: plan.patience.as_secs_f64() * 1e3,
            nap_us: plan.effective_nap().as_secs_f64() * 1e6,
        }
    }
}
