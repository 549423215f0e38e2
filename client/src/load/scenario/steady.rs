//! Publishers that send all the time: pairs, fan-in, fan-out, wildcards, and any of them at a steady rate.

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

/// Warms up, measures, and waits for the rest.
pub(super) fn play(target: &Target, plan: &Plan, watch: &dyn Watch) -> Result<Outcome, Failure> {
    let layout = Arc::new(Layout::of(plan));
    let (clients, subscribing) = crowd(&layout);
    let mut crew = Crew::start(target, plan, &layout, watch)?;
    crew.connect(Who::Everybody, true, clients)?;
    crew.subscribe(subscribing)?;
    let (part, unsent) = flow(&mut crew, plan)?;
    let counted = crew.snapshot();
    let mut outcome = crew.finish(&part, &counted, 0);
    // A broker that reads too slowly keeps messages from being sent at all: their latencies are those up to the end.
    note(&mut outcome, "unsent_messages", unsent);
    Ok(outcome)
}

/// Warms up, measures, and waits for the rest. Gives the measured part, and how many messages were due in it and could
/// not be sent if the clock sets the pace.
pub(super) fn flow(crew: &mut Crew<'_>, plan: &Plan) -> Result<(Part, Option<f64>), Failure> {
    if !plan.warm_up.is_zero() || matches!(plan.until, Until::Time(_)) {
        crew.open(None, false);
        crew.pass(Phase::WarmingUp, plan.warm_up);
    }
    let part = match plan.until {
        Until::Time(duration) => crew.measure(|crew| {
            crew.pass(Phase::Measuring, duration);
            Ok::<_, Failure>(())
        })?,
        Until::Count(count) => {
            crew.close();
            crew.settle(Phase::WarmingUp, 0, None);
            crew.measure(|crew| {
                let sent = crew.snapshot().figures.sent;
                crew.open(Some(count), false);
                crew.settle(Phase::Measuring, 0, Some(sent + count));
                Ok::<_, Failure>(())
            })?
        }
    };
    crew.close();
    crew.settle(Phase::Draining, 0, None);
    let unsent = crew.unsent().filter(|_| matches!(plan.until, Until::Time(_)));
    Ok((part, unsent))
}
