//! The scenarios: each is a short story told to the crew.

use super::failure::Failure;
use super::layout::Layout;
use super::outcome::Outcome;
use super::plan::{Plan, Scenario};
use super::target::Target;
use super::watch::Watch;

mod connect;
mod durable;
mod idle;
mod offline;
mod retained;
mod stalled;
mod steady;

/// Carries out a plan.
///
/// # Errors
///
/// A [`Failure`] when there is nothing to report.
pub(super) fn play(target: &Target, plan: &Plan, watch: &dyn Watch) -> Result<Outcome, Failure> {
    match plan.scenario {
        Scenario::P2p | Scenario::Fanin | Scenario::Fanout | Scenario::Wildcards | Scenario::Latency => {
            steady::play(target, plan, watch)
        }
        Scenario::Connect => connect::play(target, plan, watch),
        Scenario::Idle => idle::play(target, plan, watch),
        Scenario::Offline => offline::play(target, plan, watch),
        Scenario::Durable => durable::play(target, plan, watch),
        Scenario::Retained => retained::play(target, plan, watch),
        Scenario::Stalled => stalled::play(target, plan, watch),
    }
}

/// How many clients there are in all, and how many of them subscribe to anything.
fn crowd(layout: &Layout) -> (u32, u32) {
    let count = |subscribing: bool| {
        let clients = layout
            .clients()
            .filter(|role| !subscribing || layout.filters(*role) > 0);
        u32::try_from(clients.count()).unwrap_or(u32::MAX)
    };
    (count(false), count(true))
}

/// Adds a figure that is known.
fn note(outcome: &mut Outcome, name: &str, value: Option<f64>) {
    if let Some(value) = value.filter(|value| value.is_finite()) {
        outcome.figures.insert(name.to_owned(), value);
    }
}
