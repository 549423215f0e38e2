use std::net::{Ipv4Addr, SocketAddr};

use super::*;

fn said(plan: &Plan) -> String {
    let target = Target::at(SocketAddr::from((Ipv4Addr::LOCALHOST, 1_883)));
    plan.check(&target)
        .map_or_else(|failure| failure.to_string(), |()| "fits".to_owned())
}

#[test]
fn every_scenario_fits_at_its_standard_size_and_has_a_name_that_reads_back() {
    for scenario in Scenario::ALL {
        let plan = Plan {
            connections: Plan::of(scenario).connections.min(100),
            ..Plan::of(scenario)
        };
        assert_eq!(said(&plan), "fits", "{scenario}");
        assert_eq!(scenario.name().parse(), Ok(scenario));
    }
}

#[test]
fn a_plan_that_does_not_fit_names_the_culprit_and_the_remedy() {
    let p2p = Plan::of(Scenario::P2p);
    for (plan, expected) in [
        (
            Plan {
                subscribers: 3,
                ..p2p.clone()
            },
            "50 publishers and 3 subscribers are no pairs: use as many of each",
        ),
        (
            Plan {
                pace: Pace::Window(0),
                ..p2p.clone()
            },
            "a window of 0: use 1 at least",
        ),
        (
            Plan {
                pace: Pace::Rate(f64::NAN),
                ..p2p.clone()
            },
            "a rate of NaN",
        ),
        (
            Plan {
                payload: PayloadSize::Fixed(1 << 20),
                publishers: 500,
                subscribers: 500,
                ..p2p.clone()
            },
            "32000 MiB would be on their way at once: use a smaller window",
        ),
        (
            Plan {
                payload: PayloadSize::Fixed(3),
                ..p2p.clone()
            },
            "smaller than the 16 bytes",
        ),
        (
            Plan {
                connections: 2_000_000_000,
                ..Plan::of(Scenario::Idle)
            },
            "file descriptors and",
        ),
        (
            Plan {
                qos: Qos::AtMostOnce,
                ..Plan::of(Scenario::Offline)
            },
            "use QoS 1 or 2",
        ),
    ] {
        let said = said(&plan);
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn durable_wants_pairs_and_acknowledgements() {
    let mut plan = Plan::of(Scenario::Durable);
    plan.qos = Qos::AtMostOnce;
    assert!(said(&plan).contains("never acknowledged: use QoS 1 or 2"));
    plan.qos = Qos::ExactlyOnce;
    assert_eq!(said(&plan), "fits");
    plan.subscribers = 3;
    assert!(said(&plan).contains("64 publishers and 3 subscribers are no pairs"));
}

#[test]
fn what_would_take_too_much_memory_does_not_fit() {
    for (plan, expected) in [
        (
            Plan {
                payload: PayloadSize::Weighted(vec![(16, 1_000), (32 << 20, 1)]),
                ..Plan::of(Scenario::P2p)
            },
            "102400 MiB would be on their way at once",
        ),
        (
            Plan {
                topics: 100_000,
                ..Plan::of(Scenario::Wildcards)
            },
            "500000000 pairs of subscriber and topic",
        ),
        (
            Plan {
                publishers: 1,
                subscribers: 600,
                topics: 100_000,
                ..Plan::of(Scenario::Latency)
            },
            "60000000 pairs of subscriber and topic",
        ),
    ] {
        let said = said(&plan);
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn only_windows_above_one_allow_a_nap_where_no_acknowledgement_is_timed() {
    let mut plan = Plan::of(Scenario::P2p);
    assert_eq!(plan.effective_nap(), Duration::from_millis(1));
    plan.pace = Pace::Window(1);
    assert_eq!(plan.effective_nap(), Duration::ZERO);
    plan.pace = Pace::Rate(10.0);
    assert_eq!(plan.effective_nap(), Duration::ZERO);
    let durable = Plan {
        pace: Pace::Window(8),
        ..Plan::of(Scenario::Durable)
    };
    assert_eq!(durable.effective_nap(), Duration::ZERO);
}
