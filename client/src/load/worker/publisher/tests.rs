use super::*;
use crate::load::frame::{self, Packet};
use crate::load::payload::PayloadSize;
use crate::load::plan::Version;

fn plan(pace: Pace, qos: Qos) -> Plan {
    Plan {
        publishers: 1,
        subscribers: 2,
        payload: PayloadSize::Fixed(16),
        qos,
        pace,
        ..Plan::of(Scenario::Fanout)
    }
}

struct World {
    publisher: Publisher,
    airborne: Airborne,
    figures: Figures,
}

impl World {
    fn open(plan: &Plan, limit: Option<u64>) -> Self {
        let mut publisher = Publisher::new(plan, &Layout::of(plan), 0, 0);
        let airborne = Airborne::default();
        let opening = Opening {
            start_ns: 0,
            limit,
            clearing: false,
        };
        publisher.open(&opening, 1, &airborne);
        Self {
            publisher,
            airborne,
            figures: Figures::default(),
        }
    }

    /// The due times of what it sends at this moment.
    fn send(&mut self, now_ns: u64, schedule: Option<&Schedule>) -> Vec<u64> {
        self.publisher.advance(ROUNDS, &self.airborne);
        let mut out = Vec::new();
        self.publisher.send(now_ns, schedule, &mut out, &mut self.figures);
        let (mut bytes, mut dues) = (out.as_slice(), Vec::new());
        while let Some(found) = frame::next(Version::V311, bytes).unwrap() {
            let Packet::Publish(delivery) = found.packet else {
                panic!("{found:?}")
            };
            dues.push(delivery.mark.unwrap().due_ns);
            bytes = &bytes[found.taken..];
        }
        dues
    }
}

#[test]
fn two_rounds_are_under_way_and_a_third_waits_for_the_first() {
    let mut world = World::open(&plan(Pace::Window(8), Qos::AtMostOnce), None);
    assert_eq!(world.send(7, None), [7; 8]);
    assert_eq!((world.figures.sent, world.figures.expected), (8, 16));
    assert!(!world.airborne.arrived(0, 7));
    assert_eq!(world.send(8, None), [0; 0]);
    assert!(world.airborne.arrived(0, 1));
    assert_eq!(world.send(9, None), [9; 4]);
}

#[test]
fn above_qos_0_a_round_also_waits_for_its_acknowledgements() {
    let mut world = World::open(&plan(Pace::Window(8), Qos::AtLeastOnce), None);
    assert_eq!(world.send(0, None).len(), 8);
    assert!(world.airborne.arrived(0, 8));
    for packet_id in 1..=3 {
        world.publisher.acknowledged(packet_id, &mut world.figures);
        assert_eq!(world.send(0, None), [0; 0]);
    }
    world.publisher.refused(4, &world.airborne, &mut world.figures);
    assert_eq!(world.send(0, None).len(), 4);
    assert_eq!((world.figures.acknowledged, world.figures.refused), (3, 1));
    assert_eq!(world.figures.expected, 2 * 12 - 2, "nobody hears what was refused");
}

#[test]
fn an_acknowledgement_that_nobody_waits_for_counts_as_stray_and_as_nothing_else() {
    let mut world = World::open(&plan(Pace::Window(8), Qos::AtLeastOnce), None);
    assert_eq!(world.send(0, None).len(), 8);
    let World {
        publisher,
        airborne,
        figures,
    } = &mut world;
    publisher.acknowledged(1, figures);
    publisher.acknowledged(1, figures);
    publisher.refused(2, airborne, figures);
    publisher.refused(2, airborne, figures);
    publisher.acknowledged(9, figures);
    assert_eq!((figures.acknowledged, figures.refused, figures.stray), (1, 1, 3));
    assert_eq!(figures.expected, 2 * 8 - 2);
    assert_eq!(publisher.finished, 2);
}

#[test]
fn a_packet_id_in_use_is_not_used_again() {
    let schedule = Schedule::new(0, 1e9, 1);
    let mut world = World::open(&plan(Pace::Rate(1e9), Qos::AtLeastOnce), None);
    (0..65_540).for_each(|_| world.publisher.fall_due());
    assert_eq!(world.send(0, Some(&schedule)).len(), 65_535, "the quota");
    for packet_id in 2..=10 {
        world.publisher.acknowledged(packet_id, &mut world.figures);
    }
    assert_eq!(world.send(0, Some(&schedule)).len(), 0, "id 1 is in use");
    world.publisher.acknowledged(1, &mut world.figures);
    assert_eq!(world.send(0, Some(&schedule)).len(), 5);
}

#[test]
fn what_was_due_and_could_not_be_sent_is_known_with_its_due_time_and_audience() {
    let schedule = Schedule::new(0, 1_000.0, 1);
    let mut world = World::open(&plan(Pace::Rate(1_000.0), Qos::AtLeastOnce), None);
    world.publisher.allow(1);
    (0..3).for_each(|_| world.publisher.fall_due());
    assert_eq!(world.send(2_500_000, Some(&schedule)), [0]);
    let unsent: Vec<_> = world.publisher.unsent(&schedule, 2_500_000).collect();
    assert_eq!(unsent, [(1_000_000, 2), (2_000_000, 2)]);
}

#[test]
fn the_broker_s_receive_maximum_is_kept() {
    let mut world = World::open(&plan(Pace::Window(64), Qos::ExactlyOnce), None);
    world.publisher.allow(20);
    assert_eq!(world.send(0, None).len(), 20);
    assert_eq!(world.send(0, None).len(), 0);
    world.publisher.acknowledged(1, &mut world.figures);
    assert_eq!(world.send(0, None).len(), 1);
}

#[test]
fn a_limit_is_kept_and_a_last_round_may_be_short() {
    let mut world = World::open(&plan(Pace::Window(8), Qos::AtMostOnce), Some(10));
    assert_eq!(world.send(0, None).len(), 8);
    assert!(world.airborne.arrived(0, 8));
    assert_eq!(world.send(0, None).len(), 2);
    assert!(world.airborne.arrived(1, 8) && world.airborne.arrived(2, 4));
    assert_eq!(world.send(0, None).len(), 0);
    assert_eq!(world.figures.expected, 20);
}

#[test]
fn a_publisher_that_was_held_up_sends_what_it_owes_with_the_times_at_which_it_was_due() {
    let schedule = Schedule::new(0, 1_000.0, 1);
    let mut world = World::open(&plan(Pace::Rate(1_000.0), Qos::AtMostOnce), None);
    world.publisher.fall_due();
    assert_eq!(world.send(0, Some(&schedule)), [0]);
    for _ in 0..5 {
        world.publisher.fall_due();
    }
    let stalled_until_ns = 5_400_000;
    assert_eq!(
        world.send(stalled_until_ns, Some(&schedule)),
        [1_000_000, 2_000_000, 3_000_000, 4_000_000, 5_000_000]
    );
}

#[test]
fn nothing_leaves_after_the_end_of_the_load() {
    let schedule = Schedule::new(0, 1_000.0, 1);
    let mut world = World::open(&plan(Pace::Rate(1_000.0), Qos::AtLeastOnce), None);
    world.publisher.allow(1);
    (0..3).for_each(|_| world.publisher.fall_due());
    assert_eq!(world.send(0, Some(&schedule)), [0]);
    world.publisher.close();
    world.publisher.acknowledged(1, &mut world.figures);
    world.publisher.fall_due();
    assert_eq!(world.send(9_000_000, Some(&schedule)), [0; 0]);
}

#[test]
fn a_round_whose_end_is_lost_is_given_up_in_time() {
    let mut world = World::open(&plan(Pace::Window(2), Qos::AtMostOnce), None);
    assert_eq!(world.send(0, None).len(), 2);
    assert!(!world.airborne.arrived(0, 1));
    assert!(!world.publisher.give_up(1_000, &world.airborne), "first look");
    assert!(!world.publisher.give_up(GIVE_UP_NS, &world.airborne), "too early");
    assert!(world.publisher.give_up(GIVE_UP_NS + 1_000, &world.airborne));
    assert_eq!(world.send(0, None).len(), 1);
}

#[test]
fn packet_ids_lead_back_to_the_latest_message_that_had_them() {
    let mut world = World::open(&plan(Pace::Window(60_000), Qos::AtLeastOnce), None);
    for (sent, packet_id, sequence) in [(10, 1, 0), (10, 10, 9), (65_536, 1, 65_535), (65_540, 65_535, 65_534)] {
        world.publisher.sent = sent;
        assert_eq!(world.publisher.sequence_of(packet_id), sequence);
    }
}
