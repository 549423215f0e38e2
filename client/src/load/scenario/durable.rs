//! Pairs whose subscribers have sessions that stay: what it costs to acknowledge a message that has to be kept until its
//! subscriber has it, and how long the acknowledgement takes.

use std::sync::Arc;

use super::{note, steady};
use crate::load::clock::ratio;
use crate::load::crew::{Crew, Part};
use crate::load::failure::Failure;
use crate::load::layout::Layout;
use crate::load::outcome::Outcome;
use crate::load::plan::Plan;
use crate::load::target::Target;
use crate::load::watch::Watch;
use crate::load::worker::Who;

/// Warms up, measures, and waits for the rest; in the end no session stays at the broker.
pub(super) fn play(target: &Target, plan: &Plan, watch: &dyn Watch) -> Result<Outcome, Failure> {
    let layout = Arc::new(Layout::of(plan));
    let mut crew = Crew::start(target, plan, &layout, watch)?;
    let played = flow(&mut crew, plan, &layout);
    let counted = crew.snapshot();
    crew.end_sessions(layout.subscribers());
    let (part, unsent) = played?;
    let mut outcome = crew.finish(&part, &counted, 0);
    note(&mut outcome, "unsent_messages", unsent);
    let acknowledged = part.acknowledged();
    note(&mut outcome, "cpu_us_per_message", part.cpu_us_per(acknowledged));
    let per_sec = 1e9 * ratio(acknowledged, part.took_ns().max(1));
    note(&mut outcome, "acknowledged_per_sec", Some(per_sec));
    Ok(outcome)
}

fn flow(crew: &mut Crew<'_>, plan: &Plan, layout: &Layout) -> Result<(Part, Option<f64>), Failure> {
    crew.connect(Who::Subscribers, false, layout.subscribers())?;
    crew.subscribe(layout.subscribers())?;
    crew.connect(Who::Publishers, true, layout.publishers())?;
    steady::flow(crew, plan)
}
