//! What makes a plan impossible, said before the first connection.

use std::time::Duration;

use rustix::process::{Resource, getrlimit};

use super::{Pace, Plan, Qos, Scenario, UNDER_WAY_BYTES_MAX, Until};
use crate::load::failure::Failure;

/// Descriptors that the generator needs besides one for each connection.
const DESCRIPTORS_SPARE: u64 = 64;
/// Pairs of a subscriber and a topic that it is to hear, for each of which the generator keeps an account.
const STREAMS_MAX: u64 = 50_000_000;

pub(super) fn check(plan: &Plan) -> Result<(), Failure> {
    plan.payload
        .check()
        .or_else(|problem| unfit(problem, "choose sizes within these bounds"))?;
    crowd(plan)?;
    scenario(plan)?;
    pace(plan)?;
    machine(plan)
}

fn crowd(plan: &Plan) -> Result<(), Failure> {
    if plan.topics == 0 || plan.subscriptions == 0 || plan.threads == 0 {
        return unfit("topics, subscriptions or threads are 0", "use 1 at least");
    }
    if !(1..=250).contains(&plan.sources) {
        return unfit(format!("{} source addresses", plan.sources), "use 1 to 250");
    }
    if plan.patience < Duration::from_millis(100) {
        return unfit("a patience below 100 ms", "give the broker time to answer");
    }
    Ok(())
}

fn scenario(plan: &Plan) -> Result<(), Failure> {
    let (publishers, subscribers) = (plan.publishers, plan.subscribers);
    match plan.scenario {
        Scenario::Connect | Scenario::Idle if plan.connections == 0 => {
            return unfit(format!("`{}` without connections", plan.scenario), "use 1 at least");
        }
        Scenario::Connect | Scenario::Idle => return Ok(()),
        Scenario::P2p | Scenario::Durable if publishers != subscribers => {
            return unfit(
                format!("{publishers} publishers and {subscribers} subscribers are no pairs"),
                "use as many of each, or `fanin` or `fanout`",
            );
        }
        Scenario::Fanin if publishers < subscribers => {
            return unfit(
                format!("{subscribers} subscribers cannot share {publishers} publishers"),
                "use as many publishers as subscribers at least, or `fanout`",
            );
        }
        Scenario::Offline if plan.qos == Qos::AtMostOnce => {
            return unfit("`offline` at QoS 0, which brokers need not keep", "use QoS 1 or 2");
        }
        Scenario::Durable if plan.qos == Qos::AtMostOnce => {
            return unfit("`durable` at QoS 0, which is never acknowledged", "use QoS 1 or 2");
        }
        Scenario::Stalled if subscribers < 2 => {
            return unfit(
                "`stalled` with fewer than 2 subscribers",
                "one stops reading, others are measured",
            );
        }
        Scenario::Wildcards if plan.subscriptions < subscribers => {
            return unfit(
                format!("{} subscriptions for {subscribers} subscribers", plan.subscriptions),
                "use as many subscriptions as subscribers at least",
            );
        }
        Scenario::P2p
        | Scenario::Fanin
        | Scenario::Fanout
        | Scenario::Wildcards
        | Scenario::Latency
        | Scenario::Offline
        | Scenario::Durable
        | Scenario::Retained
        | Scenario::Stalled => {}
    }
    if publishers == 0 || subscribers == 0 {
        return unfit(
            format!("{publishers} publishers and {subscribers} subscribers"),
            "use 1 of each at least",
        );
    }
    Ok(())
}

fn pace(plan: &Plan) -> Result<(), Failure> {
    if plan.until == Until::Count(0) || plan.until == Until::Time(Duration::ZERO) {
        return unfit("a run without any length", "give it time or a count of messages");
    }
    match plan.pace {
        Pace::Window(0) => unfit("a window of 0", "use 1 at least"),
        Pace::Window(window) => {
            let bytes = f64::from(window) * f64::from(plan.publishers) * f64::from(plan.payload.max_bytes());
            if window > 60_000 {
                return unfit(format!("a window of {window}"), "packet ids suffice for 60000");
            }
            if bytes > f64::from(UNDER_WAY_BYTES_MAX) {
                let mib = bytes / 1024.0 / 1024.0;
                return unfit(
                    format!("{mib:.0} MiB would be on their way at once"),
                    "use a smaller window, payload or number of publishers",
                );
            }
            Ok(())
        }
        Pace::Rate(rate) if !rate.is_finite() || rate <= 0.0 => {
            unfit(format!("a rate of {rate} messages/s"), "use more than 0")
        }
        Pace::Rate(_) => Ok(()),
    }
}

fn machine(plan: &Plan) -> Result<(), Failure> {
    let clients = u64::from(plan.publishers) + u64::from(plan.subscribers) + u64::from(plan.connections);
    let wanted = clients + DESCRIPTORS_SPARE + u64::from(plan.threads) * 4;
    let limit = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
    if wanted > limit {
        return unfit(
            format!("{clients} connections need {wanted} file descriptors and {limit} are allowed"),
            "use fewer connections, or raise the limit with `ulimit -n`",
        );
    }
    let (publishers, subscribers) = (u64::from(plan.publishers), u64::from(plan.subscribers));
    let topics = u64::from(plan.topics).saturating_mul(publishers);
    let streams = match plan.scenario {
        Scenario::Idle => u64::from(plan.connections).saturating_mul(plan.subscriptions.into()),
        Scenario::Retained => u64::from(plan.topics).saturating_mul(subscribers),
        Scenario::P2p | Scenario::Fanin | Scenario::Connect | Scenario::Durable => topics,
        Scenario::Latency | Scenario::Offline => {
            topics.saturating_mul(subscribers.div_ceil(publishers.min(subscribers).max(1)))
        }
        Scenario::Wildcards | Scenario::Fanout | Scenario::Stalled => topics.saturating_mul(subscribers),
    };
    if streams > STREAMS_MAX {
        return unfit(
            format!("{streams} pairs of subscriber and topic to account for"),
            "use fewer topics, subscriptions or subscribers",
        );
    }
    Ok(())
}

fn unfit(problem: impl Into<String>, remedy: impl Into<String>) -> Result<(), Failure> {
    Err(Failure::Unfit {
        problem: problem.into(),
        remedy: remedy.into(),
    })
}
