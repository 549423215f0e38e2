//! Publishers that wait for their messages' arrival: pairs, fan-out and fan-in.

use super::{Meter, PATIENCE, report_cost, report_memory};
use crate::args::{Flow, Run};
use crate::failure::Failure;
use crate::report::Report;
use crate::traffic::{Layout, Listener, Pace, Traffic};

/// How many of each, spread evenly over the topics.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) publishers: u32,
    pub(super) topics: u32,
    pub(super) subscribers: u32,
}

impl Shape {
    /// A topic for each publisher and its one subscriber.
    pub(super) fn pairs(pairs: u32) -> Self {
        Self {
            publishers: pairs,
            topics: pairs,
            subscribers: pairs,
        }
    }

    /// Publishers stand in blocks of consecutive numbers, one block to a topic.
    fn layout(self, flow: Flow, payload_bytes: usize) -> Layout {
        let topics = self.topics.max(1);
        let block =
            |topic: u32| block_start(topic, self.publishers, topics)..block_start(topic + 1, self.publishers, topics);
        let publishers = (0..topics)
            .flat_map(|topic| block(topic).map(move |_| name(topic)))
            .collect();
        let subscribers = (0..self.subscribers).map(|number| {
            let topic = number % topics;
            Listener {
                topic: name(topic),
                hears: block(topic),
                counts: true,
                receive_buffer: None,
            }
        });
        Layout {
            qos: flow.qos,
            payload_bytes,
            pace: Pace::window(flow.window),
            nap: flow.nap(),
            publishers,
            subscribers: subscribers.collect(),
            idle: 0,
        }
    }
}

/// Runs the load with a warm-up, measures the interval after it, then waits for the rest.
pub(super) fn play(run: &Run, name: &str, shape: Shape, flow: Flow) -> Result<Report, Failure> {
    let meter = Meter::new(run);
    let mut traffic = Traffic::prepare(run.target(), &shape.layout(flow, run.payload))?;
    traffic.run_for(run.warm_up, || Ok(()))?;
    traffic.take_latency();
    let from = meter.sample(traffic.received())?;
    traffic.run_for(run.seconds, || Ok(()))?;
    let upto = meter.sample(traffic.received())?;
    let latency = traffic.take_latency();
    let rss = meter.broker_rss_kib()?;

    let mut report = Report::new(name, traffic.drain(PATIENCE)?);
    traffic.close();
    report.count("qos", flow.qos as u8);
    report.count("publishers", shape.publishers);
    report.count("subscribers", shape.subscribers);
    report.count("window", flow.window);
    report.count("payload_bytes", u64::try_from(run.payload).unwrap_or(u64::MAX));
    report_cost(&mut report, "", from, upto);
    report.latency("", &latency);
    report_memory(&mut report, "broker_rss_kib", rss);
    Ok(report)
}

fn block_start(topic: u32, publishers: u32, topics: u32) -> u32 {
    u32::try_from(u64::from(topic) * u64::from(publishers) / u64::from(topics)).unwrap_or(u32::MAX)
}

fn name(topic: u32) -> String {
    format!("load/{topic}")
}
