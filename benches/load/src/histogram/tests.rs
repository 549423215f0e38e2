use super::*;

#[test]
fn a_slot_holds_what_it_says_within_two_percent() {
    for nanos in (0..200).chain((8..63).flat_map(|power| [(1 << power) - 1, 1 << power, (1 << power) + 1])) {
        let bound = upper_bound(slot_of(nanos));
        assert!(
            bound >= nanos && bound - nanos <= nanos / 64,
            "{nanos} in a slot up to {bound}"
        );
    }
}

#[test]
fn percentiles_of_a_known_row() {
    let mut histogram = Histogram::new();
    assert_eq!(histogram.quantile(0.5), None);
    (1..=100).for_each(|micros| histogram.record(micros * 1_000));
    for (share, micros) in [(0.5, 50), (0.99, 99), (1.0, 100)] {
        let found = histogram.quantile(share).unwrap();
        assert!(
            found.abs_diff(micros * 1_000) <= micros * 1_000 / 50,
            "{share}: {found}"
        );
    }
}

#[test]
fn the_longest_duration_has_a_slot() {
    let mut histogram = Histogram::new();
    histogram.record(u64::MAX);
    assert!(histogram.quantile(1.0).unwrap() >= u64::MAX / 64 * 63);
}
