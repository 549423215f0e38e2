//! Outcomes as tests need them, without a broker.

use std::collections::BTreeMap;

use strowger_client::load::{
    Cost, Counts, Ending, Latency, Measured, Outcome, Pace, Plan, Qos, Scenario, Summary, Tick, Until,
};

use super::Results;
use super::contest::{Contest, Entrant};
use super::machine::Machine;
use super::verdict;

/// A whole run of p2p QoS 0 whose broker spent `cpu_us` for each delivery.
pub(super) fn outcome(target: &str, cpu_us: f64) -> Outcome {
    Outcome {
        target: target.to_owned(),
        scenario: Scenario::P2p,
        plan: summary(&Plan::of(Scenario::P2p)),
        ending: Ending::Whole,
        counts: Counts {
            sent: 5_000,
            expected: 5_000,
            received: 5_000,
            ..Counts::default()
        },
        measured: Measured {
            took_ms: 5_000.0,
            sent: 4_000,
            delivered: 4_000,
            deliveries_per_sec: 800.0,
            payload_bytes_per_sec: 51_200.0,
        },
        latency: Some(Latency {
            count: 4_000,
            p50_us: 100.0,
            p90_us: 200.0,
            p99_us: 900.0,
            p999_us: 1_500.0,
            max_us: 3_000.0,
            mean_us: 120.0,
            distribution: vec![
                (0.0, 50.0),
                (50.0, 100.0),
                (90.0, 200.0),
                (99.0, 900.0),
                (100.0, 3_000.0),
            ],
        }),
        timeline: (1..=50)
            .map(|tick| Tick {
                at_ms: f64::from(tick) * 100.0,
                deliveries_per_sec: 800.0 + f64::from(tick % 7),
                p50_us: 100.0 + f64::from(tick % 5),
                p99_us: 900.0 + f64::from(tick % 3) * 100.0,
            })
            .collect(),
        broker: Some(Cost {
            cpu_us_per_delivery: Some(cpu_us),
            cpu_ms: 40.0,
            cpu_percent: 80.0,
            rss_before_kib: 5_000,
            rss_after_kib: 6_000,
            rss_peak_kib: 6_100,
            switches_voluntary: 1_234,
            switches_involuntary: 5,
        }),
        own: Cost {
            cpu_us_per_delivery: Some(0.2),
            ..Cost::default()
        },
        figures: BTreeMap::from([("connect_p99_us".to_owned(), 150.0)]),
    }
}

/// A run that lost 12 deliveries and got 3 twice.
pub(super) fn lossy(target: &str) -> Outcome {
    let mut outcome = outcome(target, 2.0);
    outcome.ending = Ending::Lost;
    outcome.counts.lost = 12;
    outcome.counts.duplicated = 3;
    outcome.counts.received -= 12;
    outcome
}

/// A run whose broker went away.
pub(super) fn broken(target: &str) -> Outcome {
    let mut outcome = outcome(target, 0.1);
    outcome.ending = Ending::Broken {
        reason: "the broker closed the connection of client bench-3".to_owned(),
        after_ms: 1_200.0,
    };
    outcome.counts.lost = 40;
    outcome
}

/// A contest with the given rounds of each broker.
pub(super) fn contest(entrants: Vec<Vec<Outcome>>) -> Contest {
    let plan = Plan::of(Scenario::P2p);
    let entrants = entrants.into_iter().map(|outcomes| Entrant {
        name: outcomes
            .first()
            .map(|outcome| outcome.target.clone())
            .unwrap_or_default(),
        runs: (1..).zip(outcomes).collect(),
        failures: Vec::new(),
    });
    Contest {
        title: verdict::title(&plan),
        plan,
        entrants: entrants.collect(),
    }
}

/// Results as they are told.
pub(super) fn results(contests: Vec<Contest>) -> Results {
    Results {
        verdict: verdict::of(&contests),
        machine: Machine::look(),
        comparisons: contests.iter().map(Contest::comparison).collect(),
        contests,
    }
}

fn summary(plan: &Plan) -> Summary {
    Summary {
        version: plan.version.to_string(),
        qos: Qos::AtMostOnce,
        payload_bytes: plan.payload.to_string(),
        publishers: plan.publishers,
        subscribers: plan.subscribers,
        connections: plan.connections,
        subscriptions: plan.subscriptions,
        topics: plan.topics,
        wildcard: plan.wildcard,
        doubled: plan.doubled,
        window: match plan.pace {
            Pace::Window(window) => Some(window),
            Pace::Rate(_) => None,
        },
        rate_per_sec: None,
        duration_ms: match plan.until {
            Until::Time(span) => Some(span.as_secs_f64() * 1e3),
            Until::Count(_) => None,
        },
        count: None,
        warm_up_ms: 1_000.0,
        threads: plan.threads,
        sources: plan.sources,
        connect_rate_per_sec: plan.connect_rate,
        patience_ms: 10_000.0,
        nap_us: 1_000.0,
    }
}
