//! Sessions that are away: what it costs to keep messages for them, and to deliver these when they are back.

use std::sync::Arc;

use super::note;
use crate::load::clock::ratio;
use crate::load::crew::{Crew, Part};
use crate::load::failure::Failure;
use crate::load::layout::Layout;
use crate::load::outcome::Outcome;
use crate::load::plan::{Plan, Until};
use crate::load::target::Target;
use crate::load::watch::{Phase, Watch};
use crate::load::worker::Who;

/// Subscribes and leaves, publishes until all is acknowledged, comes back and takes delivery; in the end no session
/// stays at the broker.
pub(super) fn play(target: &Target, plan: &Plan, watch: &dyn Watch) -> Result<Outcome, Failure> {
    let Until::Count(count) = plan.until else {
        return Err(Failure::Unfit {
            problem: "`offline` without a count of messages".to_owned(),
            remedy: "say how many to queue".to_owned(),
        });
    };
    let layout = Arc::new(Layout::of(plan));
    let (publishers, subscribers) = (layout.publishers(), layout.subscribers());
    let mut crew = Crew::start(target, plan, &layout, watch)?;
    crew.connect(Who::Subscribers, false, subscribers)?;
    crew.subscribe(subscribers)?;
    crew.hang_up(Who::Subscribers);
    crew.connect(Who::Publishers, true, publishers)?;

    let mut parts = None;
    let whole = crew.measure(|crew| {
        let queueing = crew.measure(|crew| {
            crew.open(Some(count), false);
            crew.settle_acknowledged(count);
            Ok::<_, Failure>(())
        })?;
        let delivering = crew.measure(|crew| {
            if !crew.is_broken() {
                crew.connect(Who::Subscribers, false, subscribers)?;
            }
            crew.settle(Phase::Measuring, 0, Some(count));
            Ok::<_, Failure>(())
        })?;
        parts = Some((queueing, delivering));
        Ok::<_, Failure>(())
    })?;
    let counted = crew.snapshot();
    if !crew.is_broken() {
        crew.hang_up(Who::Subscribers);
        // A session that begins empty ends the one that was kept.
        crew.connect(Who::Subscribers, true, subscribers)?;
    }
    let mut outcome = crew.finish(&whole, &counted, 0);
    // How long a message was away says nothing about the broker.
    outcome.latency = None;
    if let Some((queueing, delivering)) = parts {
        figures(&mut outcome, &queueing, &delivering);
    }
    Ok(outcome)
}

fn figures(outcome: &mut Outcome, queueing: &Part, delivering: &Part) {
    let queued = queueing.upto.figures.expected - queueing.from.figures.expected;
    let delivered = delivering.received();
    note(outcome, "queueing_cpu_us_per_message", queueing.cpu_us_per(queued));
    note(
        outcome,
        "delivering_cpu_us_per_message",
        delivering.cpu_us_per(delivered),
    );
    let grown_kib = queueing
        .from
        .broker
        .zip(queueing.upto.broker)
        .map(|(from, upto)| upto.rss_kib.saturating_sub(from.rss_kib));
    note(
        outcome,
        "bytes_per_queued_message",
        grown_kib.map(|kib| 1_024.0 * ratio(kib, queued)),
    );
    let took_ms = |part: &Part| Some(ratio(part.took_ns(), 1_000_000));
    note(outcome, "queueing_took_ms", took_ms(queueing));
    note(outcome, "delivering_took_ms", took_ms(delivering));
    let per_sec = |count: u64, part: &Part| Some(1e9 * ratio(count, part.took_ns().max(1)));
    note(outcome, "queued_per_sec", per_sec(queued, queueing));
    note(outcome, "delivered_per_sec", per_sec(delivered, delivering));
}
