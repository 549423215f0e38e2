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
    let mut crew = Crew::start(target, plan, &layout, watch)?;
    let absences = absences(&mut crew, plan, &layout, count);
    let counted = crew.snapshot();
    crew.end_sessions(layout.subscribers());
    let (absence, doubled) = absences?;
    let mut outcome = crew.finish(&absence.whole, &counted, 0);
    // How long a message was away says nothing about the broker.
    outcome.latency = None;
    absence.note(&mut outcome);
    if let Some(doubled) = doubled {
        doubled.note_growth(&mut outcome, &absence);
    }
    Ok(outcome)
}

/// The absence that is measured, and the one with twice as many messages if the plan wants it.
fn absences(
    crew: &mut Crew<'_>,
    plan: &Plan,
    layout: &Layout,
    count: u64,
) -> Result<(Absence, Option<Absence>), Failure> {
    let subscribers = layout.subscribers();
    crew.connect(Who::Subscribers, false, subscribers)?;
    crew.subscribe(subscribers)?;
    crew.hang_up(Who::Subscribers);
    crew.connect(Who::Publishers, true, layout.publishers())?;
    let absence = Absence::pass(crew, subscribers, count, count)?;
    if !plan.doubled || crew.is_broken() {
        return Ok((absence, None));
    }
    crew.hang_up(Who::Subscribers);
    let doubled = Absence::pass(crew, subscribers, 2 * count, 3 * count)?;
    Ok((absence, Some(doubled)))
}

/// From the first message for sessions that are away to the last delivery when they are back.
struct Absence {
    whole: Part,
    queueing: Part,
    delivering: Part,
}

impl Absence {
    /// Queues `count` messages, after which `sent` have been sent since the start, and lets the sessions take delivery.
    fn pass(crew: &mut Crew<'_>, subscribers: u32, count: u64, sent: u64) -> Result<Self, Failure> {
        let mut parts = None;
        let mut rested_ns = 0;
        let mut whole = crew.measure(|crew| {
            let mut queueing = crew.measure(|crew| {
                crew.open(Some(count), false);
                crew.settle_acknowledged(sent);
                Ok::<_, Failure>(())
            })?;
            rested_ns += crew.await_rest(&mut queueing);
            let mut delivering = crew.measure(|crew| {
                if !crew.is_broken() {
                    crew.connect(Who::Subscribers, false, subscribers)?;
                }
                crew.settle(Phase::Measuring, 0, Some(sent));
                Ok::<_, Failure>(())
            })?;
            rested_ns += crew.await_rest(&mut delivering);
            parts = Some((queueing, delivering));
            Ok::<_, Failure>(())
        })?;
        let (queueing, delivering) = parts.unwrap_or((whole, whole));
        // What the broker does while nobody waits costs processor time, and no time.
        whole.upto.at_ns = whole.upto.at_ns.saturating_sub(rested_ns);
        Ok(Self {
            whole,
            queueing,
            delivering,
        })
    }

    fn queued(&self) -> u64 {
        self.queueing.upto.figures.expected - self.queueing.from.figures.expected
    }

    fn note(&self, outcome: &mut Outcome) {
        let (queueing, delivering, queued) = (&self.queueing, &self.delivering, self.queued());
        let delivered = delivering.received();
        note(outcome, "queueing_cpu_us_per_message", queueing.cpu_us_per(queued));
        let delivering_cpu_us = delivering.cpu_us_per(delivered);
        note(outcome, "delivering_cpu_us_per_message", delivering_cpu_us);
        let grown_kib = queueing
            .from
            .broker
            .zip(queueing.upto.broker)
            .map(|(from, upto)| upto.rss_kib.saturating_sub(from.rss_kib));
        let queued_bytes = grown_kib.map(|kib| 1_024.0 * ratio(kib, queued));
        note(outcome, "bytes_per_queued_message", queued_bytes);
        note(outcome, "queueing_took_ms", Some(took_ms(queueing)));
        note(outcome, "delivering_took_ms", Some(took_ms(delivering)));
        let per_sec = |count: u64, part: &Part| Some(1e9 * ratio(count, part.took_ns().max(1)));
        note(outcome, "queued_per_sec", per_sec(queued, queueing));
        note(outcome, "delivered_per_sec", per_sec(delivered, delivering));
    }

    /// Notes what twice as many messages took, and how the time grew: 1 where it is twice as long.
    fn note_growth(&self, outcome: &mut Outcome, before: &Self) {
        let (queueing, delivering) = (&self.queueing, &self.delivering);
        let queueing_cpu_us = queueing.cpu_us_per(self.queued());
        note(outcome, "doubled_queueing_cpu_us_per_message", queueing_cpu_us);
        let delivering_cpu_us = delivering.cpu_us_per(delivering.received());
        note(outcome, "doubled_delivering_cpu_us_per_message", delivering_cpu_us);
        note(outcome, "doubled_queueing_took_ms", Some(took_ms(queueing)));
        note(outcome, "doubled_delivering_took_ms", Some(took_ms(delivering)));
        let growth = |then: &Part, before: &Part| Some(took_ms(then) / took_ms(before) / 2.0);
        let (queueing, delivering) = (
            growth(queueing, &before.queueing),
            growth(delivering, &before.delivering),
        );
        note(outcome, "queueing_growth_ratio", queueing);
        note(outcome, "delivering_growth_ratio", delivering);
    }
}

fn took_ms(part: &Part) -> f64 {
    ratio(part.took_ns(), 1_000_000)
}
