use super::*;

fn page(thread: usize, tick: u32, nanos: u64) -> Page {
    let mut gauge = Gauge::new();
    gauge.record(nanos);
    Page {
        thread,
        tick,
        gauge: Some(gauge),
    }
}

#[test]
fn a_piece_is_complete_when_every_thread_has_handed_it_in_or_a_later_one() {
    let mut timeline = Timeline::new(2);
    timeline.turn(PIECE_NS, 10);
    timeline.turn(2 * PIECE_NS, 30);
    timeline.insert(page(0, 0, 1_000));
    assert!(timeline.done.is_empty());
    // The other thread was busy throughout the first piece.
    timeline.insert(page(1, 1, 9_000));
    assert_eq!(timeline.done.len(), 1);
    timeline.insert(page(0, 1, 9_000));
    assert_eq!(timeline.done.len(), 2);
    assert!((timeline.of_late().0 - 9.0).abs() < 0.1, "{:?}", timeline.of_late());
}

#[test]
fn a_span_gathers_the_latencies_of_its_pieces_and_no_others() {
    let mut timeline = Timeline::new(1);
    let first = timeline.turn(PIECE_NS, 0);
    let span = timeline.begin_span(first);
    timeline.turn(2 * PIECE_NS, 50);
    let after = timeline.turn(3 * PIECE_NS, 150);
    timeline.end_span(span, after);
    timeline.turn(4 * PIECE_NS, 150);
    for tick in 0..4 {
        timeline.insert(page(0, tick, 1_000 * (u64::from(tick) + 1)));
    }
    timeline.finish();
    let latency = timeline.span(span).unwrap().latency().unwrap();
    assert_eq!(latency.count, 2);
    assert!((latency.max_us - 3.0).abs() < 0.1, "{latency:?}");
    let ticks = timeline.ticks(first, after, PIECE_NS, 0);
    let shown: Vec<_> = ticks
        .iter()
        .map(|tick| (tick.at_ms.round(), tick.deliveries_per_sec.round()))
        .collect();
    assert_eq!(shown, [(100.0, 500.0), (200.0, 1_000.0)]);
}

#[test]
fn a_long_run_has_no_more_than_600_pieces() {
    let mut timeline = Timeline::new(1);
    let mut tick = 0;
    for number in 1..=6_000 {
        tick = timeline.turn(number * PIECE_NS, number * 10);
    }
    timeline.finish();
    let ticks = timeline.ticks(0, tick, 0, 0);
    assert_eq!(ticks.len(), PIECES_MAX);
    assert!(ticks.iter().all(|tick| (tick.deliveries_per_sec - 100.0).abs() < 1e-6));
}
