//! One subscriber stops reading: what do the others notice, and what does the broker's memory do?

use std::sync::Arc;

use super::{crowd, note};
use crate::load::crew::{Crew, Part};
use crate::load::failure::Failure;
use crate::load::layout::Layout;
use crate::load::outcome::Outcome;
use crate::load::plan::{Plan, Until};
use crate::load::target::Target;
use crate::load::watch::{Phase, Watch};
use crate::load::worker::Who;

/// Measures an interval in which all read, then one of the same length in which one subscriber does not.
///
/// That subscriber is in neither interval's figures, so that both speak of the same readers.
pub(super) fn play(target: &Target, plan: &Plan, watch: &dyn Watch) -> Result<Outcome, Failure> {
    let Until::Time(duration) = plan.until else {
        return Err(Failure::Unfit {
            problem: "`stalled` with a count of messages".to_owned(),
            remedy: "give it time instead".to_owned(),
        });
    };
    let layout = Arc::new(Layout::of(plan));
    let (clients, subscribing) = crowd(&layout);
    let mut crew = Crew::start(target, plan, &layout, watch)?;
    crew.connect(Who::Everybody, true, clients)?;
    crew.subscribe(subscribing)?;
    crew.open(None, false);
    crew.pass(Phase::WarmingUp, plan.warm_up);
    let interval = |crew: &mut Crew<'_>| {
        crew.measure(|crew| {
            crew.pass(Phase::Measuring, duration);
            Ok::<_, Failure>(())
        })
    };
    let flowing = interval(&mut crew)?;
    // What is late in the one interval must not show in the other.
    crew.close();
    crew.settle(Phase::Draining, 0, None);
    crew.end_latency(&flowing);
    if !crew.is_broken() {
        crew.stall();
        crew.open(None, false);
    }
    let stalled = interval(&mut crew)?;
    crew.close();
    crew.settle(Phase::Draining, 0, None);
    let counted = crew.snapshot();
    let unsent = crew.unsent();
    let flowing_us = crew.p50_p99_us(&flowing);
    let mut outcome = crew.finish(&stalled, &counted, 0);
    let per_delivery = |part: &Part| part.cpu_us_per(part.received());
    note(&mut outcome, "flowing_cpu_us_per_delivery", per_delivery(&flowing));
    note(&mut outcome, "stalled_cpu_us_per_delivery", per_delivery(&stalled));
    note(&mut outcome, "flowing_p50_us", flowing_us.map(|(p50_us, _)| p50_us));
    note(&mut outcome, "flowing_p99_us", flowing_us.map(|(_, p99_us)| p99_us));
    let stalled_p99_us = outcome.latency.as_ref().map(|latency| latency.p99_us);
    note(&mut outcome, "stalled_p99_us", stalled_p99_us);
    note(&mut outcome, "unsent_messages", unsent);
    let ratio = stalled_p99_us
        .zip(flowing_us)
        .map(|(stalled, (_, flowing))| stalled / flowing);
    note(&mut outcome, "p99_ratio", ratio);
    let rss = |part: &Part| {
        part.upto
            .broker
            .map(|reading| crate::load::clock::ratio(reading.rss_kib, 1))
    };
    note(&mut outcome, "flowing_rss_kib", rss(&flowing));
    note(&mut outcome, "stalled_rss_kib", rss(&stalled));
    Ok(outcome)
}
