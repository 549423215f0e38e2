//! A load generator for any MQTT broker: every message is accounted for, and the generator costs far less than the
//! broker that it measures.
//!
//! [`run`] carries out one [`Plan`] against one [`Target`] and gives an [`Outcome`]; a [`Watch`] sees it happen.
//! Packets are framed by hand and travel in gathered reads and writes, since every nanosecond spent here is one that
//! the broker does not get. Each thread has its own epoll and its own connections; the calling thread only counts.
//!
//! This is no conformance test and no client library: it speaks the part of MQTT 3.1.1 and 5.0 that a load needs.

mod account;
mod board;
mod clock;
mod crew;
mod failure;
mod frame;
mod gauge;
mod layout;
mod link;
mod outcome;
mod payload;
mod plan;
mod process;
mod rounds;
mod scenario;
mod schedule;
mod target;
mod watch;
mod worker;

pub use failure::Failure;
pub use outcome::{Cost, Counts, Ending, Latency, Measured, Outcome, Summary, Tick};
pub use payload::PayloadSize;
pub use plan::{Pace, Plan, Qos, Scenario, Unreadable, Until, Version};
pub use target::{Security, Target};
pub use watch::{Moment, Phase, Quiet, Watch};

/// Carries out a plan. A run that lost messages, or whose broker went away under load, is an outcome.
///
/// # Errors
///
/// A [`Failure`] when there is nothing to report: the plan does not fit, or the broker could not be reached or refused
/// the connections or subscriptions.
pub fn run(target: &Target, plan: &Plan, watch: &dyn Watch) -> Result<Outcome, Failure> {
    plan.check(target)?;
    scenario::play(target, plan, watch)
}

#[cfg(test)]
mod tests;
