//! Clients that connect and disconnect again and again: what one cycle costs.

use std::sync::Arc;

use super::note;
use crate::load::crew::Crew;
use crate::load::failure::Failure;
use crate::load::layout::Layout;
use crate::load::outcome::Outcome;
use crate::load::plan::{Plan, Qos, Until};
use crate::load::target::Target;
use crate::load::watch::{Phase, Watch};
use crate::load::worker::Who;

/// Lets every client connect once to see that it may, then measures cycles of CONNECT, CONNACK and DISCONNECT.
pub(super) fn play(target: &Target, plan: &Plan, watch: &dyn Watch) -> Result<Outcome, Failure> {
    let plan = &Plan {
        publishers: 0,
        subscribers: 0,
        qos: Qos::AtMostOnce,
        ..plan.clone()
    };
    let layout = Arc::new(Layout::of(plan));
    let mut crew = Crew::start(target, plan, &layout, watch)?;
    crew.connect(Who::Everybody, true, plan.connections)?;
    crew.hang_up(Who::Everybody);
    let part = match plan.until {
        Until::Time(duration) => {
            crew.cycle(None);
            crew.pass(Phase::WarmingUp, plan.warm_up);
            crew.measure(|crew| {
                crew.pass(Phase::Measuring, duration);
                Ok::<_, Failure>(())
            })?
        }
        Until::Count(count) => crew.measure(|crew| {
            crew.cycle(Some(count));
            crew.settle(Phase::Measuring, 0, Some(count));
            Ok::<_, Failure>(())
        })?,
    };
    crew.close();
    crew.settle(Phase::Draining, 0, None);
    let counted = crew.snapshot();
    let mut outcome = crew.finish(&part, &counted, 0);
    let per_sec = outcome.measured.deliveries_per_sec;
    note(&mut outcome, "connects_per_sec", Some(per_sec));
    note(&mut outcome, "cpu_us_per_connect", part.cpu_us_per(part.received()));
    let connack_us = outcome.latency.as_ref().map(|latency| (latency.p50_us, latency.p99_us));
    note(&mut outcome, "connack_p50_us", connack_us.map(|(p50_us, _)| p50_us));
    note(&mut outcome, "connack_p99_us", connack_us.map(|(_, p99_us)| p99_us));
    Ok(outcome)
}
