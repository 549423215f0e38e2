//! The sizes that each scenario takes, and how they change its standard plan.

use std::time::Duration;

use clap::Args;
use strowger_client::load::{Pace, PayloadSize, Plan, Qos, Scenario, Until};

use super::{rate, some, span};
use crate::command::connection::at_least_one;

/// The sizes of one scenario.
pub(in crate::command::bench) trait Sizes: Args {
    const SCENARIO: Scenario;

    /// Puts the sizes into the scenario's standard plan.
    fn apply(&self, plan: &mut Plan);
}

/// QoS and payload.
#[derive(Debug, Args)]
#[group(skip)]
pub(in crate::command::bench) struct Messages {
    /// Quality of service, for publishing and subscribing: 0, 1 or 2
    #[arg(short, long, value_name = "QOS", default_value = "0")]
    qos: Qos,
    #[command(flatten)]
    payload: Payload,
}

#[derive(Debug, Args)]
#[group(skip)]
pub(in crate::command::bench) struct Payload {
    /// Bytes of each payload: SIZE, MIN-MAX, or SIZE:WEIGHT,SIZE:WEIGHT,… for a mixture
    #[arg(long, value_name = "SIZE", default_value = "64")]
    payload: PayloadSize,
}

impl Messages {
    fn apply(&self, plan: &mut Plan) {
        plan.qos = self.qos;
        plan.payload = self.payload.payload.clone();
    }
}

/// Speed and length of a run whose publishers wait for arrivals.
#[derive(Debug, Args)]
#[group(skip)]
pub(in crate::command::bench) struct Flow {
    #[command(flatten)]
    messages: Messages,
    /// Topics that each publisher goes through in turn [default: 1; wildcards: 10]
    #[arg(long, value_name = "N", value_parser = some)]
    topics: Option<u32>,
    /// Messages of one publisher that may be on their way
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = some)]
    window: u32,
    /// Instead of a window: messages per second of all publishers together, evenly spaced
    #[arg(long, value_name = "PER_SEC", value_parser = rate, conflicts_with = "window")]
    rate: Option<f64>,
    #[command(flatten)]
    length: Length,
}

impl Flow {
    fn apply(&self, plan: &mut Plan) {
        self.messages.apply(plan);
        plan.topics = self.topics.unwrap_or(plan.topics);
        plan.pace = self.rate.map_or(Pace::Window(self.window), Pace::Rate);
        self.length.apply(plan);
    }
}

/// Length of a run.
#[derive(Debug, Args)]
#[group(skip)]
pub(in crate::command::bench) struct Length {
    /// Length of the measured part
    #[arg(long, value_name = "SECS", default_value = "5", value_parser = span)]
    duration: Duration,
    /// Instead of a duration: messages in the measured part, of all publishers together
    #[arg(long, value_name = "N", value_parser = at_least_one, conflicts_with = "duration")]
    count: Option<u64>,
    #[command(flatten)]
    warm_up: WarmUp,
}

#[derive(Debug, Args)]
#[group(skip)]
pub(in crate::command::bench) struct WarmUp {
    /// Load before the measured part
    #[arg(long, value_name = "SECS", default_value = "1", value_parser = span)]
    warm_up: Duration,
}

impl Length {
    fn apply(&self, plan: &mut Plan) {
        plan.until = self.count.map_or(Until::Time(self.duration), Until::Count);
        plan.warm_up = self.warm_up.warm_up;
    }
}

#[derive(Debug, Args)]
#[group(skip)]
pub(in crate::command::bench) struct Pairs {
    /// Pairs of a publisher and a subscriber
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = some)]
    pairs: u32,
    #[command(flatten)]
    flow: Flow,
}

impl Sizes for Pairs {
    const SCENARIO: Scenario = Scenario::P2p;

    fn apply(&self, plan: &mut Plan) {
        (plan.publishers, plan.subscribers) = (self.pairs, self.pairs);
        self.flow.apply(plan);
    }
}

#[derive(Debug, Args)]
#[group(skip)]
pub(in crate::command::bench) struct Fanin {
    /// Clients that publish
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = some)]
    publishers: u32,
    /// Clients that subscribe
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = some)]
    subscribers: u32,
    #[command(flatten)]
    flow: Flow,
}

impl Sizes for Fanin {
    const SCENARIO: Scenario = Scenario::Fanin;

    fn apply(&self, plan: &mut Plan) {
        (plan.publishers, plan.subscribers) = (self.publishers, self.subscribers);
        self.flow.apply(plan);
    }
}

#[derive(Debug, Args)]
#[group(skip)]
pub(in crate::command::bench) struct Fanout {
    /// Clients that publish
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = some)]
    publishers: u32,
    /// Clients that subscribe
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = some)]
    subscribers: u32,
    #[command(flatten)]
    flow: Flow,
}

impl Sizes for Fanout {
    const SCENARIO: Scenario = Scenario::Fanout;

    fn apply(&self, plan: &mut Plan) {
        (plan.publishers, plan.subscribers) = (self.publishers, self.subscribers);
        self.flow.apply(plan);
    }
}

#[derive(Debug, Args)]
#[group(skip)]
pub(in crate::command::bench) struct Wildcards {
    /// Topic filters of all subscribers together
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = some)]
    subscriptions: u32,
    /// No wildcards: every filter is a topic
    #[arg(long)]
    exact: bool,
    /// Clients that publish
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = some)]
    publishers: u32,
    /// Clients that subscribe
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = some)]
    subscribers: u32,
    #[command(flatten)]
    flow: Flow,
}

impl Sizes for Wildcards {
    const SCENARIO: Scenario = Scenario::Wildcards;

    fn apply(&self, plan: &mut Plan) {
        (plan.publishers, plan.subscribers) = (self.publishers, self.subscribers);
        plan.subscriptions = self.subscriptions;
        plan.wildcard = !self.exact;
        self.flow.apply(plan);
    }
}

#[derive(Debug, Args)]
#[group(skip)]
pub(in crate::command::bench) struct Connect {
    /// Clients that connect in parallel
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = some)]
    connections: u32,
    /// Length of the measured part
    #[arg(long, value_name = "SECS", default_value = "5", value_parser = span)]
    duration: Duration,
    /// Instead of a duration: connections made and ended in the measured part
    #[arg(long, value_name = "N", value_parser = at_least_one, conflicts_with = "duration")]
    count: Option<u64>,
    #[command(flatten)]
    warm_up: WarmUp,
}

impl Sizes for Connect {
    const SCENARIO: Scenario = Scenario::Connect;

    fn apply(&self, plan: &mut Plan) {
        plan.connections = self.connections;
        plan.until = self.count.map_or(Until::Time(self.duration), Until::Count);
        plan.warm_up = self.warm_up.warm_up;
    }
}

#[derive(Debug, Args)]
#[group(skip)]
pub(in crate::command::bench) struct Idle {
    /// Connections that wait
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = some)]
    connections: u32,
    /// Topic filters of each connection
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = some)]
    subscriptions: u32,
    #[command(flatten)]
    messages: Messages,
}

impl Sizes for Idle {
    const SCENARIO: Scenario = Scenario::Idle;

    fn apply(&self, plan: &mut Plan) {
        plan.connections = self.connections;
        plan.subscriptions = self.subscriptions;
        self.messages.apply(plan);
    }
}

#[derive(Debug, Args)]
#[group(skip)]
pub(in crate::command::bench) struct Latency {
    /// Pairs of a publisher and a subscriber
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = some)]
    pairs: u32,
    /// Instead of pairs: this many subscribers of one topic
    #[arg(long, value_name = "N", value_parser = some, conflicts_with = "pairs")]
    subscribers: Option<u32>,
    /// With --subscribers: clients that publish
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = some, requires = "subscribers")]
    publishers: u32,
    /// Messages per second of all publishers together, evenly spaced
    #[arg(long, value_name = "PER_SEC", default_value = "10000", value_parser = rate)]
    rate: f64,
    #[command(flatten)]
    messages: Messages,
    #[command(flatten)]
    length: Length,
}

impl Sizes for Latency {
    const SCENARIO: Scenario = Scenario::Latency;

    fn apply(&self, plan: &mut Plan) {
        (plan.publishers, plan.subscribers) = match self.subscribers {
            Some(subscribers) => (self.publishers, subscribers),
            None => (self.pairs, self.pairs),
        };
        plan.pace = Pace::Rate(self.rate);
        self.messages.apply(plan);
        self.length.apply(plan);
    }
}

#[derive(Debug, Args)]
#[group(skip)]
pub(in crate::command::bench) struct Offline {
    /// Sessions that are away
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = some)]
    subscribers: u32,
    /// Clients that publish meanwhile
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = some)]
    publishers: u32,
    /// Messages of all publishers together; 100000 without a number
    #[arg(
        long,
        visible_alias = "messages",
        value_name = "N",
        num_args = 0..=1,
        default_value_t = 90_000,
        default_missing_value = "100000",
        value_parser = at_least_one
    )]
    count: u64,
    /// Then twice as many once more, to see how the time grows with the queue
    #[arg(long)]
    doubled: bool,
    /// Quality of service, for publishing and subscribing: 1 or 2
    #[arg(short, long, value_name = "QOS", default_value = "1")]
    qos: Qos,
    #[command(flatten)]
    payload: Payload,
    /// Messages of one publisher without their acknowledgement
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = some)]
    window: u32,
}

impl Sizes for Offline {
    const SCENARIO: Scenario = Scenario::Offline;

    fn apply(&self, plan: &mut Plan) {
        (plan.publishers, plan.subscribers) = (self.publishers, self.subscribers);
        plan.until = Until::Count(self.count);
        plan.doubled = self.doubled;
        plan.qos = self.qos;
        plan.payload = self.payload.payload.clone();
        plan.pace = Pace::Window(self.window);
    }
}

#[derive(Debug, Args)]
#[group(skip)]
pub(in crate::command::bench) struct Durable {
    /// Clients that publish, each with one subscriber of its own
    #[arg(long, alias = "pairs", value_name = "N", default_value_t = 64, value_parser = some)]
    publishers: u32,
    /// Quality of service, for publishing and subscribing: 1 or 2
    #[arg(short, long, value_name = "QOS", default_value = "1")]
    qos: Qos,
    #[command(flatten)]
    payload: Payload,
    /// Messages of one publisher without their acknowledgement
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = some)]
    window: u32,
    /// Instead of a window: messages per second of all publishers together, evenly spaced
    #[arg(long, value_name = "PER_SEC", value_parser = rate, conflicts_with = "window")]
    rate: Option<f64>,
    #[command(flatten)]
    length: Length,
}

impl Sizes for Durable {
    const SCENARIO: Scenario = Scenario::Durable;

    fn apply(&self, plan: &mut Plan) {
        (plan.publishers, plan.subscribers) = (self.publishers, self.publishers);
        plan.qos = self.qos;
        plan.payload = self.payload.payload.clone();
        plan.pace = self.rate.map_or(Pace::Window(self.window), Pace::Rate);
        self.length.apply(plan);
    }
}

#[derive(Debug, Args)]
#[group(skip)]
pub(in crate::command::bench) struct Retained {
    /// Topics with a retained message
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = some)]
    topics: u32,
    /// Clients that subscribe to all of them
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = some)]
    subscribers: u32,
    /// Quality of service, for publishing and subscribing: 0, 1 or 2
    #[arg(short, long, value_name = "QOS", default_value = "1")]
    qos: Qos,
    #[command(flatten)]
    payload: Payload,
}

impl Sizes for Retained {
    const SCENARIO: Scenario = Scenario::Retained;

    fn apply(&self, plan: &mut Plan) {
        (plan.topics, plan.subscribers) = (self.topics, self.subscribers);
        plan.qos = self.qos;
        plan.payload = self.payload.payload.clone();
    }
}

#[derive(Debug, Args)]
#[group(skip)]
pub(in crate::command::bench) struct Stalled {
    /// Clients that publish
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = some)]
    publishers: u32,
    /// Clients that subscribe, one of which stops reading
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = some)]
    subscribers: u32,
    /// Messages per second of all publishers together, evenly spaced
    #[arg(long, value_name = "PER_SEC", default_value = "5000", value_parser = rate)]
    rate: f64,
    #[command(flatten)]
    messages: Messages,
    #[command(flatten)]
    length: Length,
}

impl Sizes for Stalled {
    const SCENARIO: Scenario = Scenario::Stalled;

    fn apply(&self, plan: &mut Plan) {
        (plan.publishers, plan.subscribers) = (self.publishers, self.subscribers);
        plan.pace = Pace::Rate(self.rate);
        self.messages.apply(plan);
        self.length.apply(plan);
    }
}
