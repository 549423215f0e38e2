//! The figures of one run, a line for each matter.

use strowger_client::load::{Cost, Ending, Outcome, Pace, Plan, Scenario, Until};

use super::figure::{Label, bytes, counted, float, grouped, micros, seconds, short, significant};

/// Column at which the figures start.
const INDENT: usize = 12;

/// The matters of a run: a word, and what is to be said about it.
pub(super) fn matters(plan: &Plan, outcome: &Outcome) -> Vec<(&'static str, String)> {
    let mut matters = vec![("plan", described(plan)), ("accounts", accounts(outcome))];
    let measured = &outcome.measured;
    if measured.took_ms > 0.0 && measured.delivered > 0 {
        let mut rate = format!("{}/s", short(measured.deliveries_per_sec));
        if measured.payload_bytes_per_sec > 0.0 {
            rate += &format!(", {}/s of payload", bytes(measured.payload_bytes_per_sec));
        }
        matters.push(("rate", format!("{rate}, over {}", micros(measured.took_ms * 1e3))));
    }
    if let Some(latency) = &outcome.latency {
        let parts = [
            ("p50", latency.p50_us),
            ("p90", latency.p90_us),
            ("p99", latency.p99_us),
            ("p99.9", latency.p999_us),
            ("longest", latency.max_us),
        ];
        let parts: Vec<_> = parts
            .iter()
            .map(|(name, us)| format!("{name} {}", micros(*us)))
            .collect();
        let word = if outcome.scenario == Scenario::Durable {
            "ack latency"
        } else {
            "latency"
        };
        matters.push((word, parts.join(", ")));
    }
    for (key, value) in &outcome.figures {
        let label = Label::of(key);
        matters.push(("figure", format!("{} {}", label.words, label.value(*value))));
    }
    if let Some(cost) = &outcome.broker {
        matters.push(("broker", spent(cost, outcome.scenario)));
    }
    matters.push(("generator", spent(&outcome.own, outcome.scenario)));
    matters
}

/// The matters as lines.
pub(super) fn to_text(matters: &[(&'static str, String)]) -> String {
    let mut above = "";
    let mut text = String::new();
    for (word, said) in matters {
        let shown = if *word == above { "" } else { word };
        text += &format!("  {shown:<INDENT$}{said}\n");
        above = word;
    }
    text
}

/// A plan in words.
pub(super) fn described(plan: &Plan) -> String {
    let mut words = vec![format!("MQTT {}", plan.version)];
    let (publishers, subscribers) = (plan.publishers.into(), plan.subscribers.into());
    let crowd = |publishers, subscribers| {
        format!(
            "{}, {}",
            counted(publishers, "publisher", "publishers"),
            counted(subscribers, "subscriber", "subscribers")
        )
    };
    words.push(match plan.scenario {
        Scenario::Connect => format!("{} in parallel", counted(plan.connections.into(), "client", "clients")),
        Scenario::Idle => format!(
            "{} with {} each",
            counted(plan.connections.into(), "connection", "connections"),
            counted(plan.subscriptions.into(), "topic filter", "topic filters")
        ),
        Scenario::P2p => counted(publishers, "pair", "pairs"),
        Scenario::Durable => format!("{}, sessions that stay", counted(publishers, "pair", "pairs")),
        Scenario::Latency if publishers == subscribers => counted(publishers, "pair", "pairs"),
        Scenario::Wildcards => format!(
            "{}, {} topic filters{}",
            crowd(publishers, subscribers),
            grouped(plan.subscriptions.into()),
            if plan.wildcard {
                ", half of them with wildcards"
            } else {
                ""
            }
        ),
        Scenario::Retained => format!(
            "{}, {}",
            counted(plan.topics.into(), "retained topic", "retained topics"),
            counted(subscribers, "subscriber", "subscribers")
        ),
        Scenario::Fanin | Scenario::Fanout | Scenario::Latency | Scenario::Offline | Scenario::Stalled => {
            crowd(publishers, subscribers)
        }
    });
    if plan.scenario != Scenario::Connect {
        words.push(format!("QoS {}", plan.qos));
        words.push(format!("payload {} B", plan.payload));
    }
    if plan.topics > 1 && plan.scenario != Scenario::Retained {
        words.push(format!("{} topics each", grouped(plan.topics.into())));
    }
    let is_paced = !matches!(plan.scenario, Scenario::Connect | Scenario::Idle | Scenario::Retained);
    match plan.pace {
        Pace::Window(window) if is_paced => words.push(format!("window {window}")),
        Pace::Rate(rate) if is_paced => words.push(format!("{} messages/s", significant(rate))),
        Pace::Window(_) | Pace::Rate(_) => {}
    }
    match plan.until {
        Until::Count(count) => words.push(format!("count {}", grouped(count))),
        Until::Time(span) if is_paced || plan.scenario == Scenario::Connect => {
            words.push(format!("{} after {} of warm-up", seconds(span), seconds(plan.warm_up)));
        }
        Until::Time(_) => {}
    }
    if plan.doubled {
        words.push("twice as many after that".to_owned());
    }
    if plan.threads > 1 {
        words.push(format!("{} threads", plan.threads));
    }
    words.join(", ")
}

/// Every message's whereabouts.
pub(super) fn accounts(outcome: &Outcome) -> String {
    let counts = &outcome.counts;
    let mut words = vec![format!("{} sent", grouped(counts.sent))];
    if counts.acknowledged > 0 {
        words.push(format!("{} acknowledged", grouped(counts.acknowledged)));
    }
    words.push(format!("{} expected", grouped(counts.expected)));
    words.push(format!("{} received", grouped(counts.received)));
    for (count, what) in [
        (counts.lost, "lost"),
        (counts.duplicated, "duplicated"),
        (counts.out_of_order, "out of order"),
    ] {
        words.push(format!("{} {what}", grouped(count)));
    }
    for (count, what) in [
        (counts.stray, "stray"),
        (counts.refused, "refused"),
        (counts.connections_lost, "connections lost"),
    ] {
        if count > 0 {
            words.push(format!("{} {what}", grouped(count)));
        }
    }
    if let Ending::Broken { after_ms, .. } = &outcome.ending {
        words.push(format!("ended after {}", micros(after_ms * 1e3)));
    }
    words.join(", ")
}

/// What processes spent.
pub(super) fn spent(cost: &Cost, scenario: Scenario) -> String {
    let mut words = Vec::new();
    if let Some(cpu) = cost.cpu_us_per_delivery {
        let each = if scenario == Scenario::Connect {
            "connection"
        } else {
            "delivery"
        };
        words.push(format!("{} of CPU per {each}", micros(cpu)));
    }
    words.push(format!("{} % of a core", significant(cost.cpu_percent)));
    words.push(format!(
        "memory {} → {}, at most {}",
        kib(cost.rss_before_kib),
        kib(cost.rss_after_kib),
        kib(cost.rss_peak_kib)
    ));
    words.push(format!(
        "context switches {} voluntary, {} not",
        grouped(cost.switches_voluntary),
        grouped(cost.switches_involuntary)
    ));
    words.join(", ")
}

fn kib(count: u64) -> String {
    bytes(float(count) * 1024.0)
}
