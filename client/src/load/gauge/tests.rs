use super::*;

#[test]
fn quantiles_are_right_to_three_digits() {
    let mut gauge = Gauge::new();
    for micros in 1..=10_000 {
        gauge.record(micros * 1_000);
    }
    let latency = gauge.latency().unwrap();
    assert_eq!(latency.count, 10_000);
    for (found, wanted) in [
        (latency.p50_us, 5_000.0),
        (latency.p90_us, 9_000.0),
        (latency.p99_us, 9_900.0),
        (latency.p999_us, 9_990.0),
        (latency.max_us, 10_000.0),
        (latency.mean_us, 5_000.5),
    ] {
        assert!((found / wanted - 1.0).abs() < 2e-3, "{found} for {wanted}");
    }
}

#[test]
fn equal_latencies_are_counted_each() {
    let mut gauge = Gauge::new();
    for nanos in [5_000, 5_000, 5_000, 9_000, 5_000] {
        gauge.record(nanos);
    }
    assert_eq!(gauge.count(), 5);
    let mut sum = Gauge::new();
    sum.record(1);
    sum.add(gauge);
    assert_eq!(sum.count(), 6);
    assert_eq!(sum.latency().unwrap().count, 6);
}

#[test]
fn a_distribution_ends_where_the_count_does() {
    let mut gauge = Gauge::new();
    assert!(gauge.latency().is_none());
    gauge.record(7_000);
    let points = gauge.latency().unwrap().distribution;
    assert_eq!(
        points.iter().map(|(percent, _)| *percent).collect::<Vec<_>>(),
        [0.0, 100.0]
    );
    assert!(
        points.iter().all(|(_, micros)| (micros / 7.0 - 1.0).abs() < 1e-3),
        "{points:?}"
    );
    for nanos in 0..1_000_000 {
        gauge.record(nanos);
    }
    let points = gauge.latency().unwrap().distribution;
    assert!((60..=100).contains(&points.len()), "{}", points.len());
    assert!(
        points.is_sorted_by(|one, next| one.0 < next.0 && one.1 <= next.1),
        "{points:?}"
    );
}

#[test]
fn an_endless_latency_counts_as_ten_minutes() {
    let mut gauge = Gauge::new();
    gauge.record(u64::MAX);
    assert!((gauge.latency().unwrap().max_us / 6e8 - 1.0).abs() < 2e-3);
}
