//! Many retained messages: what it costs to set them, and to hand all of them to a subscriber.

use std::sync::Arc;

use super::note;
use crate::load::clock::ratio;
use crate::load::crew::{Crew, Part};
use crate::load::failure::Failure;
use crate::load::layout::Layout;
use crate::load::outcome::Outcome;
use crate::load::plan::{Plan, Qos};
use crate::load::target::Target;
use crate::load::watch::{Phase, Watch};
use crate::load::worker::Who;

/// Sets retained messages, lets subscribers ask for all of them, and makes the broker forget them.
pub(super) fn play(target: &Target, plan: &Plan, watch: &dyn Watch) -> Result<Outcome, Failure> {
    // Only an acknowledgement says that a retained message is in its place.
    let plan = &Plan {
        qos: plan.qos.max(Qos::AtLeastOnce),
        publishers: 1,
        ..plan.clone()
    };
    let layout = Arc::new(Layout::of(plan));
    let (topics, subscribers) = (u64::from(plan.topics), layout.subscribers());
    let expected = topics * u64::from(subscribers);
    let mut crew = Crew::start(target, plan, &layout, watch)?;
    crew.connect(Who::Everybody, true, subscribers + 1)?;
    let setting = crew.measure(|crew| {
        crew.open(Some(topics), false);
        crew.settle(Phase::WarmingUp, 0, Some(topics));
        Ok::<_, Failure>(())
    })?;
    let part = crew.measure(|crew| {
        if !crew.is_broken() {
            crew.subscribe(subscribers)?;
        }
        crew.settle(Phase::Measuring, expected, None);
        Ok::<_, Failure>(())
    })?;
    let counted = crew.snapshot();
    if !crew.is_broken() {
        crew.hang_up(Who::Subscribers);
        crew.open(Some(topics), true);
        crew.settle_acknowledged(2 * topics);
    }
    let mut outcome = crew.finish(&part, &counted, expected);
    // The marks tell when a message was set, not when it was asked for.
    outcome.latency = None;
    note(&mut outcome, "setting_cpu_us_per_message", setting.cpu_us_per(topics));
    let grown_kib = setting
        .from
        .broker
        .zip(setting.upto.broker)
        .map(|(from, upto)| upto.rss_kib.saturating_sub(from.rss_kib));
    note(
        &mut outcome,
        "bytes_per_retained_message",
        grown_kib.map(|kib| 1_024.0 * ratio(kib, topics)),
    );
    let took_ms = |part: &Part| Some(ratio(part.took_ns(), 1_000_000));
    note(&mut outcome, "setting_took_ms", took_ms(&setting));
    note(&mut outcome, "last_delivery_after_ms", took_ms(&part));
    Ok(outcome)
}
