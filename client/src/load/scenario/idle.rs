//! Many connections that mostly wait: what one of them costs in CPU to set up and in memory to keep.

use std::sync::Arc;
use std::time::Duration;

use super::{crowd, note};
use crate::load::clock::ratio;
use crate::load::crew::{Crew, Part};
use crate::load::failure::Failure;
use crate::load::layout::Layout;
use crate::load::outcome::Outcome;
use crate::load::plan::Plan;
use crate::load::target::Target;
use crate::load::watch::{Phase, Watch};
use crate::load::worker::Who;

/// The broker may tidy up for this long before its memory is read.
const SETTLE: Duration = Duration::from_secs(1);

/// Opens connections, subscribes each to topics of its own, lets the broker settle, then sends each one message.
pub(super) fn play(target: &Target, plan: &Plan, watch: &dyn Watch) -> Result<Outcome, Failure> {
    let layout = Arc::new(Layout::of(plan));
    let (clients, subscribing) = crowd(&layout);
    let subscriptions = u64::from(plan.connections) * u64::from(plan.subscriptions);
    let mut crew = Crew::start(target, plan, &layout, watch)?;
    let rss_before_kib = crew.broker_rss_kib(Duration::ZERO);
    let connecting = crew.measure(|crew| crew.connect(Who::Everybody, true, clients))?;
    // With one subscription each, connection and subscription count as one.
    let settle = if plan.subscriptions > 1 { SETTLE } else { Duration::ZERO };
    let rss_connected_kib = crew.broker_rss_kib(settle);
    let subscribing = crew.measure(|crew| crew.subscribe(subscribing))?;
    let rss_subscribed_kib = crew.broker_rss_kib(SETTLE);

    let count = u64::from(plan.connections);
    let part = crew.measure(|crew| {
        crew.open(Some(count), false);
        crew.settle(Phase::Measuring, 0, Some(count));
        Ok::<_, Failure>(())
    })?;
    let counted = crew.snapshot();
    let mut outcome = crew.finish(&part, &counted, 0);

    let grown = |from: Option<u64>, upto: Option<u64>, count: u64| {
        let grown_kib = from.zip(upto).map(|(from, upto)| upto.saturating_sub(from));
        grown_kib.map(|kib| 1_024.0 * ratio(kib, count))
    };
    let connected_kib = if plan.subscriptions > 1 {
        let subscription_bytes = grown(rss_connected_kib, rss_subscribed_kib, subscriptions);
        note(&mut outcome, "bytes_per_subscription", subscription_bytes);
        rss_connected_kib
    } else {
        rss_subscribed_kib
    };
    note(
        &mut outcome,
        "bytes_per_connection",
        grown(rss_before_kib, connected_kib, count),
    );
    note(&mut outcome, "cpu_us_per_connection", connecting.cpu_us_per(count));
    note(
        &mut outcome,
        "cpu_us_per_subscription",
        subscribing.cpu_us_per(subscriptions),
    );
    let took_ms = |part: &Part| Some(ratio(part.took_ns(), 1_000_000));
    note(&mut outcome, "connecting_took_ms", took_ms(&connecting));
    note(&mut outcome, "subscribing_took_ms", took_ms(&subscribing));
    Ok(outcome)
}
