//! One subscriber stops reading: what do the others notice, and what does the broker's memory do?

use std::time::Duration;

use super::{Meter, PATIENCE, report_cost, report_memory};
use crate::args::Run;
use crate::failure::Failure;
use crate::frame::Qos;
use crate::report::{Report, ratio};
use crate::traffic::{Layout, Listener, Pace, Traffic};

/// The reader who will stop gets a small kernel buffer, so that the broker feels it soon.
const STALLED_BUFFER_BYTES: usize = 16 * 1024;

/// Who takes part, and the messages per second of all publishers together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Crowd {
    pub(super) subscribers: u32,
    pub(super) publishers: u32,
    pub(super) rate: u32,
    pub(super) qos: Qos,
    pub(super) idle: u32,
}

/// Measures an interval in which all read, then one of the same length in which subscriber 0 does not.
///
/// Subscriber 0 is in neither interval's figures, so that both speak of the same readers.
pub(super) fn play(run: &Run, crowd: &Crowd) -> Result<Report, Failure> {
    let meter = Meter::new(run);
    let rss_empty = meter.broker_rss_kib()?;
    let mut traffic = Traffic::prepare(run.target(), &layout(run, crowd))?;
    traffic.run_for(run.warm_up, || Ok(()))?;
    traffic.take_latency();

    let start = meter.sample(traffic.received())?;
    traffic.run_for(run.seconds, || Ok(()))?;
    let middle = meter.sample(traffic.received())?;
    let flowing = traffic.take_latency();
    let rss_flowing = meter.broker_rss_kib()?;

    traffic.mute(0);
    let mut rss_stalled = rss_flowing;
    traffic.run_for(run.seconds, || {
        rss_stalled = rss_stalled.max(meter.broker_rss_kib()?);
        Ok(())
    })?;
    let end = meter.sample(traffic.received())?;
    let stalled = traffic.take_latency();

    let mut report = Report::new("stalled", traffic.drain(PATIENCE)?);
    traffic.close();
    report.count("qos", crowd.qos as u8);
    report.count("publishers", crowd.publishers);
    report.count("subscribers", crowd.subscribers);
    report.count("idle", crowd.idle);
    report.count("rate_per_s", crowd.rate);
    report.count("payload_bytes", u64::try_from(run.payload).unwrap_or(u64::MAX));
    report_cost(&mut report, "flowing_", start, middle);
    report_cost(&mut report, "stalled_", middle, end);
    report.latency("flowing_", &flowing);
    report.latency("stalled_", &stalled);
    report.measure(
        "p99_ratio",
        flowing
            .quantile(0.99)
            .zip(stalled.quantile(0.99))
            .map(|(from, upto)| ratio(upto, from)),
    );
    report_memory(&mut report, "broker_rss_empty_kib", rss_empty);
    report_memory(&mut report, "broker_rss_flowing_kib", rss_flowing);
    report_memory(&mut report, "broker_rss_stalled_max_kib", rss_stalled);
    Ok(report)
}

fn layout(run: &Run, crowd: &Crowd) -> Layout {
    let topic = "load/stalled".to_owned();
    let subscribers = (0..crowd.subscribers.max(2)).map(|number| Listener {
        topic: topic.clone(),
        hears: 0..crowd.publishers,
        counts: number != 0,
        receive_buffer: (number == 0).then_some(STALLED_BUFFER_BYTES),
    });
    Layout {
        qos: crowd.qos,
        payload_bytes: run.payload,
        pace: Pace::Rate { per_second: crowd.rate },
        nap: Duration::ZERO,
        publishers: (0..crowd.publishers).map(|_| topic.clone()).collect(),
        subscribers: subscribers.collect(),
        idle: crowd.idle,
    }
}
