//! The list whose members are found by key, across the length at which it gets an index.

use super::super::roll::{Member, Roll};
use super::random::{Random, seed};
use super::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry(u32, u32);

impl Member for Entry {
    type Key = u32;

    fn key(&self) -> u32 {
        self.0
    }
}

#[test]
fn a_roll_agrees_with_a_map_on_the_way_up_and_down() {
    let mut random = Random::new(seed());
    let mut roll = Roll::new();
    let mut map = BTreeMap::new();
    // Mostly in until some thousand are there, then mostly out.
    for step in 0..20_000_u32 {
        let key = random.below(4_000) as u32;
        let inserts = if step < 10_000 {
            random.below(4) != 0
        } else {
            random.one_in(8)
        };
        if inserts {
            assert_eq!(
                roll.insert(Entry(key, step)),
                map.insert(key, step).map(|old| Entry(key, old))
            );
        } else {
            assert_eq!(roll.remove(key), map.remove(&key).map(|old| Entry(key, old)));
        }
        assert_eq!(roll.len(), map.len());
        let key = random.below(4_000) as u32;
        assert_eq!(roll.get(key).map(|entry| entry.1), map.get(&key).copied());
    }
    let mut left = roll.as_slice().to_vec();
    left.sort_unstable();
    assert_eq!(
        left,
        map.into_iter()
            .map(|(key, value)| Entry(key, value))
            .collect::<Vec<_>>()
    );
}

/// A topic that everybody wants: leaving is as quick for the last as for the first.
#[test]
fn twenty_thousand_sessions_come_to_one_filter_and_leave() {
    let mut router = router();
    let everybody = filter("news");
    for number in 0..20_000 {
        assert_eq!(
            router.subscribe(session(number), &everybody, options(QoS::AtMostOnce)),
            Ok(false)
        );
    }
    assert_eq!(find(&router, "news").receivers.len(), 20_000);
    for number in 0..19_999 {
        assert!(router.unsubscribe(session(number), &everybody));
    }
    assert_eq!(slots(&router, "news"), [19_999]);
}
