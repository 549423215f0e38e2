use super::*;
use crate::load::frame::packet_id;

fn plan(pace: Pace) -> Plan {
    Plan {
        pace,
        ..Plan::of(Scenario::Durable)
    }
}

#[test]
fn only_durable_asks_for_the_time_of_acknowledgements() {
    for scenario in Scenario::ALL {
        let is_durable = scenario == Scenario::Durable;
        assert_eq!(Dues::of(&Plan::of(scenario)).is_some(), is_durable, "{scenario}");
    }
}

/// Packet ids go from 65,535 to 1, so that one place is skipped there.
#[test]
fn messages_in_flight_together_have_places_of_their_own() {
    for (pace, in_flight) in [
        (Pace::Window(1), 1),
        (Pace::Window(7), 7),
        (Pace::Window(8), 8),
        (Pace::Rate(1.0), 65_535),
    ] {
        let mut dues = Dues::of(&plan(pace)).unwrap();
        for first in [0, 65_535 - in_flight / 2, 131_070 - 1] {
            let sequences = first..first + in_flight;
            for sequence in sequences.clone() {
                dues.note(packet_id(sequence), u64::from(sequence));
            }
            for sequence in sequences {
                let due_ns = dues.due_ns(packet_id(sequence));
                assert_eq!(due_ns, Some(u64::from(sequence)), "{pace}: {sequence}");
            }
        }
    }
}
