//! Sessions that stay: what is measured of them, and that none is left behind.

use super::*;

fn durable(version: Version) -> Plan {
    Plan {
        pace: Pace::Window(1),
        scenario: Scenario::Durable,
        ..plan(version)
    }
}

#[test]
fn durable_measures_acknowledgements_and_not_deliveries() {
    const LATE: Duration = Duration::from_millis(3);
    for (pace, until) in [
        (Pace::Window(1), Until::Count(20)),
        (Pace::Rate(100.0), Until::Time(Duration::from_millis(200))),
    ] {
        let target = Forwarder::listen(Version::V5, 0, |_| Fate::AcknowledgeLate(LATE));
        let plan = Plan {
            pace,
            until,
            ..durable(Version::V5)
        };
        let outcome = run(&target, &plan, &Quiet).unwrap();
        assert!(outcome.is_whole(), "{outcome:?}");
        let latency = outcome.latency.clone().unwrap();
        assert!(
            latency.p50_us >= 3_000.0 && latency.count <= outcome.counts.acknowledged,
            "{latency:?}"
        );
        assert!(
            outcome.figures["acknowledged_per_sec"] < 1e6 / 3_000.0,
            "{:?}",
            outcome.figures
        );
        assert_eq!(outcome.headline().0 == "p99_us", matches!(pace, Pace::Rate(_)));
    }
}

#[test]
fn what_is_acknowledged_and_lost_is_counted_in_durable() {
    let target = Forwarder::listen(Version::V311, 0, |number| match number {
        10 => Fate::Lose,
        _ => Fate::Forward,
    });
    let outcome = run(&target, &durable(Version::V311), &Quiet).unwrap();
    assert_eq!((outcome.ending, outcome.counts.lost), (Ending::Lost, 1));
}

#[test]
fn no_session_stays_at_the_broker_however_a_run_ends() {
    for (fate, is_whole) in [
        ((|_| Fate::Forward) as fn(u64) -> Fate, true),
        (|number| if number == 50 { Fate::Leave } else { Fate::Forward }, false),
    ] {
        for version in [Version::V311, Version::V5] {
            let (target, logins) = Forwarder::listen_and_note(version, 0, fate);
            let outcome = run(&target, &durable(version), &Quiet).unwrap();
            assert_eq!(outcome.is_whole(), is_whole, "{outcome:?}");
            let logins = logins.lock().unwrap();
            let (kept, others): (Vec<_>, Vec<_>) = logins.iter().partition(|(_, clean)| !clean);
            let [(subscriber, _)] = kept.as_slice() else {
                panic!("{kept:?}")
            };
            let last = logins.iter().rfind(|(client, _)| client == subscriber);
            assert_eq!(last, Some(&(subscriber.clone(), true)));
            assert_eq!(
                others.len(),
                2,
                "the publisher, and the subscriber that ends its session"
            );
        }
    }
}
