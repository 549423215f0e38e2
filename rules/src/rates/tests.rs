use super::{Rate, Rates};

fn three_per_second(buckets_max: usize) -> Rates {
    let rate = Rate {
        name: "r".into(),
        count: 3,
        per_secs: 1,
    };
    Rates::new(Box::new([rate]), buckets_max)
}

fn taken(rates: &mut Rates, client: &str, now_ms: u64) -> usize {
    (0..10).filter(|_| rates.take(0, client, now_ms)).count()
}

#[test]
fn a_bucket_begins_full_and_fills_again_at_its_rate() {
    let mut rates = three_per_second(16);
    assert_eq!(taken(&mut rates, "a", 5_000), 3);
    assert_eq!(taken(&mut rates, "a", 5_300), 0);
    assert_eq!(taken(&mut rates, "a", 5_400), 1);
    assert_eq!(taken(&mut rates, "a", 60_000), 3, "no more than it holds");
}

#[test]
fn each_client_has_its_own() {
    let mut rates = three_per_second(16);
    assert_eq!(taken(&mut rates, "a", 0), 3);
    assert_eq!(taken(&mut rates, "b", 0), 3);
}

#[test]
fn a_clock_that_runs_backwards_gives_nothing() {
    let mut rates = three_per_second(16);
    assert_eq!(taken(&mut rates, "a", 10_000), 3);
    assert_eq!(taken(&mut rates, "a", 1_000), 0);
    assert_eq!(taken(&mut rates, "a", 10_000), 0);
}

#[test]
fn the_number_of_buckets_is_bounded_and_those_in_use_are_kept() {
    let mut rates = three_per_second(100);
    for number in 0..1000 {
        assert_eq!(taken(&mut rates, "busy", 0), if number == 0 { 3 } else { 0 });
        rates.take(0, &number.to_string(), 0);
        assert!(rates.remembered() <= 101, "{}", rates.remembered());
    }
}
