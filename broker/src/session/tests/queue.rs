//! A queue whose end the store alone has.

use super::delivery;
use crate::durable::{Place, Wanted, Window};
use crate::session::{Delivery, Queue};
use mqtt_codec::QoS;

fn kept(place: u64) -> Delivery {
    Delivery {
        place: Some(Place(place)),
        ..delivery(QoS::AtLeastOnce, "m", None)
    }
}

fn window(places: std::ops::Range<u64>, more: bool) -> Window {
    Window {
        deliveries: places.map(kept).collect(),
        more,
    }
}

fn places(queue: &mut Queue) -> Vec<u64> {
    std::iter::from_fn(|| queue.pop())
        .map(|delivery| delivery.place.unwrap().0)
        .collect()
}

#[test]
fn what_is_behind_memorys_share_is_counted_and_comes_back_in_windows() {
    let mut queue = Queue::default();
    (1..=10).for_each(|place| queue.push(kept(place), 4));
    let each = kept(1).message.cost();
    assert_eq!(
        (queue.len(), queue.bytes(), queue.beyond()),
        (10, 10 * each, Some(Place(4)))
    );
    assert_eq!(queue.wants(4), None, "there is no room");
    assert_eq!(places(&mut queue), [1, 2, 3, 4]);
    assert!(queue.is_drained() && !queue.is_empty());

    assert_eq!(queue.wants(4), Some(Wanted::Window(Place(4), 4)));
    assert_eq!(queue.wants(4), None, "it is asked already");
    queue.push(kept(11), 4);
    assert_eq!(queue.take_window(window(5..9, true)), (7, 7));
    assert_eq!(places(&mut queue), [5, 6, 7, 8]);
    assert_eq!(queue.wants(4), Some(Wanted::Window(Place(8), 4)));
    assert_eq!(queue.take_window(window(9..12, false)), (3, 3));
    assert_eq!(places(&mut queue), [9, 10, 11]);
    assert!(queue.is_empty() && queue.beyond().is_none());
    assert_eq!(queue.bytes(), 0);
}

/// The store reads before the message that comes meanwhile: its answer ends in front of it.
#[test]
fn what_comes_while_the_last_window_is_read_is_still_asked_for() {
    let mut queue = Queue::default();
    (1..=3).for_each(|place| queue.push(kept(place), 2));
    assert_eq!(places(&mut queue), [1, 2]);
    assert_eq!(queue.wants(2), Some(Wanted::Window(Place(2), 2)));
    queue.push(kept(4), 2);
    assert_eq!(queue.take_window(window(3..4, false)), (2, 2));
    assert_eq!(queue.beyond(), Some(Place(3)));
    assert_eq!(places(&mut queue), [3]);
    assert_eq!(queue.wants(2), Some(Wanted::Window(Place(3), 2)));
    queue.take_window(window(4..5, false));
    assert_eq!(places(&mut queue), [4]);
    assert!(queue.is_empty());
}

/// What memory alone has goes past what the store alone has: it cannot come back in a window.
#[test]
fn a_delivery_that_is_not_kept_stays_in_memory() {
    let mut queue = Queue::default();
    (1..=3).for_each(|place| queue.push(kept(place), 2));
    queue.push(delivery(QoS::AtLeastOnce, "light", None), 2);
    assert_eq!((queue.len(), queue.beyond()), (4, Some(Place(2))));
    let popped = std::iter::from_fn(|| queue.pop()).count();
    assert_eq!(popped, 3);
}

#[test]
fn the_queue_of_a_session_from_the_store_is_counted_once_and_again_when_asked() {
    let mut queue = Queue::kept();
    assert!(queue.is_beyond() && queue.is_drained());
    assert_eq!(queue.count(false), Some(Wanted::Count(Place(0))));
    queue.push(kept(9), 4);
    assert_eq!(queue.take_count(Place(0), (5, 500)), (1, 6));
    assert_eq!(queue.count(false), None);
    assert_eq!(queue.count(true), Some(Wanted::Count(Place(0))));
    assert_eq!(queue.take_count(Place(0), (0, 0)), (6, 0));
    // The session's conversations are still to be read, and what comes goes behind them.
    assert!(queue.is_beyond());
    queue.push(kept(10), 4);
    assert!(queue.is_drained());
    assert_eq!(queue.wake(4), Some(Wanted::Conversations(4)));
    queue.take_window(window(10..11, false));
    assert_eq!(places(&mut queue), [10]);
    assert!(queue.is_empty());
}

/// A client that comes while its queue is being counted: what it needs goes first, and the count that comes late is of no
/// use.
#[test]
fn to_wake_a_session_does_not_wait_for_its_count() {
    let mut queue = Queue::kept();
    assert_eq!(queue.count(false), Some(Wanted::Count(Place(0))));
    assert_eq!(queue.wake(3), Some(Wanted::Conversations(3)));
    assert_eq!(queue.wake(3), None);
    assert_eq!(queue.take_count(Place(0), (7, 700)), (0, 0));
    assert_eq!(queue.take_window(window(1..4, true)), (0, 3));
    assert_eq!(queue.beyond(), Some(Place(3)));
}
