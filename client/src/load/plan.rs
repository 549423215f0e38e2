//! What a run is to do.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::failure::Failure;
use super::payload::PayloadSize;
use super::process::Processes;
use super::target::Target;

mod check;
mod words;

pub use words::{Qos, Scenario, Unreadable, Version};

/// No run may keep more than this on its way.
pub(super) const UNDER_WAY_BYTES_MAX: u32 = 1 << 30;

/// What sets the publishers' speed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// The arrival of earlier messages: so many of one publisher may be on their way. In `durable` and `offline` their
    /// acknowledgement is enough.
    Window(u32),
    /// The clock: so many messages per second of all publishers together, evenly spaced. Latency counts from the
    /// moment at which a message was due, so that a broker that holds the generator up does not look fast.
    Rate(f64),
}

/// How long a run goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// The measured part takes this long.
    Time(Duration),
    /// The measured part is this many messages of all publishers together, and their arrival.
    Count(u64),
}

/// What a run is to do, in full. [`Plan::of`] gives each scenario its standard size.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// What happens.
    pub scenario: Scenario,
    /// The protocol of every connection.
    pub version: Version,
    /// For publishing and subscribing alike.
    pub qos: Qos,
    /// The sizes of payloads.
    pub payload: PayloadSize,
    /// Clients that publish; as many as subscribers in `p2p`, `durable` and `latency` with pairs.
    pub publishers: u32,
    /// Clients that subscribe.
    pub subscribers: u32,
    /// `idle`: connections that wait. `connect`: clients that connect in parallel. Elsewhere: further connections
    /// beside the load, each subscribed to a topic that nobody uses.
    pub connections: u32,
    /// `wildcards`: topic filters of all subscribers together. `idle`: topic filters of each connection.
    pub subscriptions: u32,
    /// Topics that each publisher goes through in turn. `retained`: retained topics in all.
    pub topics: u32,
    /// `wildcards`: whether half of the topic filters have wildcards, or none.
    pub wildcard: bool,
    /// `offline`: whether twice as many messages are queued and delivered after that, which shows how the time grows.
    pub doubled: bool,
    /// What sets the publishers' speed.
    pub pace: Pace,
    /// How long the run goes on.
    pub until: Until,
    /// Load before the measured part.
    pub warm_up: Duration,
    /// Threads of the generator, each with its own connections.
    pub threads: u32,
    /// Source addresses from 127.0.0.1 on, 1 to 250, over which connections to a loopback target are spread; other
    /// targets see the one address that the kernel chooses.
    pub sources: u32,
    /// New connections per second; 0 for as many as the broker takes, as in `offline`, where the return of all clients
    /// is part of what is measured.
    pub connect_rate: u32,
    /// How long nothing may happen before the generator stops waiting. Every wait ends.
    pub patience: Duration,
    /// With a window above 1, but in `durable`: the pause between two looks at the connections, so that arrivals gather.
    pub nap: Duration,
}

impl Plan {
    /// The standard size of a scenario.
    #[must_use]
    pub fn of(scenario: Scenario) -> Self {
        let plan = Self {
            scenario,
            version: Version::V311,
            qos: Qos::AtMostOnce,
            payload: PayloadSize::Fixed(64),
            publishers: 50,
            subscribers: 50,
            connections: 0,
            subscriptions: 1,
            topics: 1,
            wildcard: false,
            doubled: false,
            pace: Pace::Window(64),
            until: Until::Time(Duration::from_secs(5)),
            warm_up: Duration::from_secs(1),
            threads: 1,
            sources: 1,
            connect_rate: 900,
            patience: Duration::from_secs(10),
            nap: Duration::from_millis(1),
        };
        plan.sized(scenario)
    }

    /// Whether this can be carried out here.
    ///
    /// # Errors
    ///
    /// [`Failure::Unfit`] names the first thing that does not fit, and what to change; [`Failure::Process`] a process
    /// of the target that cannot be read.
    pub fn check(&self, target: &Target) -> Result<(), Failure> {
        check::check(self)?;
        Processes::of(&target.pids).map(drop)
    }

    /// How long the generator looks away between two looks: never when each message counts, or the time that an
    /// acknowledgement takes.
    pub(crate) fn effective_nap(&self) -> Duration {
        match self.pace {
            Pace::Window(2..) if self.scenario != Scenario::Durable => self.nap,
            Pace::Window(_) | Pace::Rate(_) => Duration::ZERO,
        }
    }

    fn between(self, publishers: u32, subscribers: u32) -> Self {
        Self {
            publishers,
            subscribers,
            ..self
        }
    }

    fn sized(self, scenario: Scenario) -> Self {
        match scenario {
            Scenario::P2p => self,
            Scenario::Fanin => self.between(100, 5),
            Scenario::Fanout => self.between(1, 500),
            Scenario::Wildcards => Self {
                subscribers: 100,
                subscriptions: 100_000,
                topics: 10,
                wildcard: true,
                ..self
            },
            Scenario::Connect => Self {
                publishers: 0,
                subscribers: 0,
                connections: 50,
                sources: 20,
                connect_rate: 0,
                ..self
            },
            Scenario::Idle => Self {
                publishers: 1,
                subscribers: 0,
                connections: 10_000,
                sources: 20,
                warm_up: Duration::ZERO,
                ..self
            },
            Scenario::Latency => Self {
                pace: Pace::Rate(10_000.0),
                ..self
            },
            Scenario::Offline => Self {
                qos: Qos::AtLeastOnce,
                publishers: 100,
                subscribers: 100,
                until: Until::Count(90_000),
                warm_up: Duration::ZERO,
                connect_rate: 0,
                ..self
            },
            Scenario::Durable => Self {
                version: Version::V5,
                qos: Qos::AtLeastOnce,
                pace: Pace::Window(1),
                ..self.between(64, 64)
            },
            Scenario::Retained => Self {
                qos: Qos::AtLeastOnce,
                publishers: 1,
                subscribers: 10,
                topics: 10_000,
                warm_up: Duration::ZERO,
                ..self
            },
            Scenario::Stalled => Self {
                publishers: 5,
                subscribers: 10,
                pace: Pace::Rate(5_000.0),
                ..self
            },
        }
    }
}

impl fmt::Display for Pace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Window(messages) => write!(formatter, "window {messages}"),
            Self::Rate(per_sec) => write!(formatter, "{per_sec} messages/s"),
        }
    }
}

impl FromStr for Scenario {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        let all = Self::ALL;
        all.into_iter()
            .find(|scenario| scenario.name() == text)
            .ok_or_else(|| Unreadable::new("scenario", text, &all.map(Self::name).join(", ")))
    }
}

#[cfg(test)]
mod tests;
