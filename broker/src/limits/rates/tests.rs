use super::*;

const FIVE: Rate = Rate { per_sec: 10, burst: 5 };

#[test]
fn a_burst_passes_and_then_the_rate() {
    let mut bucket = Bucket::full(FIVE, Millis(0));
    assert_eq!([1; 5].map(|count| bucket.take(FIVE, count, Millis(0))), [0; 5]);
    assert_eq!(bucket.take(FIVE, 1, Millis(0)), 100);
    assert_eq!(bucket.take(FIVE, 1, Millis(100)), 100);
    assert_eq!(bucket.take(FIVE, 1, Millis(1000)), 0);
    assert_eq!(bucket.take(FIVE, 6, Millis(100_000)), 100);
}

#[test]
fn a_debt_of_any_size_is_paid_by_time() {
    let mut bucket = Bucket::full(FIVE, Millis(0));
    assert_eq!(bucket.take(FIVE, 1005, Millis(0)), 100_000);
    assert_eq!(bucket.take(FIVE, 0, Millis(99_999)), 1);
    assert_eq!(bucket.take(FIVE, 0, Millis(100_000)), 0);
    assert!(bucket.take(FIVE, usize::MAX, Millis(u64::MAX)) > 0);
}

#[test]
fn what_has_no_bound_is_not_counted() {
    let mut pace = Pace::new(&Arc::default());
    assert_eq!(pace.excess_of_bytes(usize::MAX, Millis(0)), None);
    assert!(pace.buckets.is_none());
}

#[test]
fn a_listener_may_have_rates_of_its_own() {
    let own = Arc::new(Rates {
        messages: FIVE,
        ..Rates::default()
    });
    let book = RateBook {
        listeners: vec![("outside".into(), Arc::clone(&own))],
        ..RateBook::default()
    };
    assert_eq!(*book.of("outside"), own);
    assert_eq!(**book.of("inside"), Rates::default());
}
