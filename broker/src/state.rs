//! What the broker says of itself under `$SYS/broker/`, by the names that Mosquitto gave these topics, so that existing
//! dashboards work.

use mqtt_codec::TopicName;

use crate::counters::Counters;
use crate::limits::Limit;
use crate::memory::Memory;
use crate::message::Millis;

/// Topics that only the broker itself publishes to.
pub(crate) const SYSTEM_PREFIX: &str = "$SYS/";

/// Sizes of the shared tables.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sizes {
    /// Subscriptions of all sessions.
    pub subscriptions: usize,
    /// Retained messages.
    pub retained: usize,
    /// What they count for, in bytes.
    pub retained_bytes: usize,
    /// How much memory there is for more.
    pub memory: Memory,
    /// Memory that the process uses, in bytes.
    pub memory_bytes: u64,
    /// Memory that it may use.
    pub memory_bytes_max: u64,
}

/// What a load is computed of, with its name in the topic.
type Measured = (&'static str, fn(&Counters) -> u64);

const MEASURED: [Measured; 8] = [
    ("messages/received", |counters| counters.packets_in),
    ("messages/sent", |counters| counters.packets_out),
    ("publish/received", |counters| counters.publish_in.iter().sum()),
    ("publish/sent", |counters| counters.publish_out.iter().sum()),
    ("publish/dropped", Counters::dropped_total),
    ("bytes/received", |counters| counters.bytes_in),
    ("bytes/sent", |counters| counters.bytes_out),
    ("connections", |counters| {
        counters.finished.first().copied().unwrap_or(0)
    }),
];

const PERIODS: [(&str, f64); 3] = [("1min", 60.0), ("5min", 300.0), ("15min", 900.0)];

/// Moving averages per minute, weighted exponentially as a system's load is.
#[derive(Clone, Debug, Default)]
pub struct Load {
    before: Option<(Millis, [u64; MEASURED.len()])>,
    averages: [[f64; PERIODS.len()]; MEASURED.len()],
}

impl Load {
    /// Notes the counts of this moment.
    pub fn note(&mut self, counters: &Counters, now: Millis) {
        let counts = MEASURED.map(|(_, count)| count(counters));
        if let Some((then, before)) = self.before {
            let secs = now.since(then) as f64 / 1000.0;
            if secs <= 0.0 {
                return;
            }
            for ((averages, count), before) in self.averages.iter_mut().zip(counts).zip(before) {
                let per_minute = count.saturating_sub(before) as f64 * 60.0 / secs;
                for (average, (_, period)) in averages.iter_mut().zip(PERIODS) {
                    let weight = (-secs / period).exp();
                    *average = *average * weight + per_minute * (1.0 - weight);
                }
            }
        }
        self.before = Some((now, counts));
    }
}

/// The topics and values of this moment.
#[must_use]
pub fn report(
    version: &str,
    uptime_secs: u64,
    counters: &Counters,
    sizes: &Sizes,
    load: &Load,
) -> Vec<(TopicName, String)> {
    let away = counters.sessions.saturating_sub(counters.connected);
    let publish_in: u64 = counters.publish_in.iter().sum();
    let publish_out: u64 = counters.publish_out.iter().sum();
    let stored = counters.queued + counters.inflight + sizes.retained as u64;
    let mut states = vec![
        ("version".to_owned(), format!("strowger version {version}")),
        ("uptime".to_owned(), format!("{uptime_secs} seconds")),
        ("memory/state".to_owned(), sizes.memory.name().to_owned()),
    ];
    let numbers = [
        ("clients/total", counters.sessions),
        ("clients/connected", counters.connected),
        ("clients/active", counters.connected),
        ("clients/disconnected", away),
        ("clients/inactive", away),
        ("clients/maximum", counters.connected_max),
        ("clients/expired", counters.sessions_expired),
        ("messages/received", counters.packets_in),
        ("messages/sent", counters.packets_out),
        ("messages/inflight", counters.inflight),
        ("messages/stored", stored),
        ("store/messages/count", stored),
        ("store/messages/bytes", sizes.retained_bytes as u64),
        ("publish/messages/received", publish_in),
        ("publish/messages/sent", publish_out),
        ("publish/messages/dropped", counters.dropped_total()),
        ("publish/bytes/received", counters.payload_in),
        ("publish/bytes/sent", counters.payload_out),
        ("bytes/received", counters.bytes_in),
        ("bytes/sent", counters.bytes_out),
        ("subscriptions/count", sizes.subscriptions as u64),
        ("retained messages/count", sizes.retained as u64),
        ("memory/used", sizes.memory_bytes),
        ("memory/maximum", sizes.memory_bytes_max),
        ("exchanges/open", counters.open_exchanges()),
        ("violations/count", counters.violations),
        ("limits/turned_away/count", counters.turned_away),
    ];
    states.extend(numbers.map(|(name, number)| (name.to_owned(), number.to_string())));
    for (limit, count) in Limit::ALL.iter().zip(counters.limited) {
        states.push((format!("limits/{}/count", limit.name()), count.to_string()));
    }
    for ((name, _), averages) in MEASURED.iter().zip(load.averages) {
        for ((period, _), average) in PERIODS.iter().zip(averages) {
            states.push((format!("load/{name}/{period}"), format!("{average:.2}")));
        }
    }
    let topic = |name: String| TopicName::new(format!("{SYSTEM_PREFIX}broker/{name}")).ok();
    states
        .into_iter()
        .filter_map(|(name, value)| topic(name).map(|topic| (topic, value)))
        .collect()
}
