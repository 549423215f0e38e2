//! When messages were due whose acknowledgement is awaited, so that it can be said how long that took.

use crate::load::plan::{Pace, Plan, Scenario};

/// The due times of one publisher's messages, in nanoseconds of the run's clock.
#[derive(Debug)]
pub(super) struct Dues {
    /// By packet id, in turn: as many as can be in use at once, and one more for the id that is skipped.
    places: Vec<u64>,
}

impl Dues {
    /// Room for as many messages as can be without their acknowledgement at once; none where nobody asks for the time.
    pub(super) fn of(plan: &Plan) -> Option<Self> {
        let in_flight_max = match plan.pace {
            Pace::Window(window) => window.min(u32::from(u16::MAX)),
            Pace::Rate(_) => u32::from(u16::MAX),
        };
        let places = usize::try_from(in_flight_max + 1).ok()?.next_power_of_two();
        (plan.scenario == Scenario::Durable).then(|| Self {
            places: vec![0; places],
        })
    }

    /// Notes when the message with this id was due.
    pub(super) fn note(&mut self, packet_id: u16, due_ns: u64) {
        let place = self.place(packet_id);
        if let Some(due) = self.places.get_mut(place) {
            *due = due_ns;
        }
    }

    /// When the message with this id was due.
    pub(super) fn due_ns(&self, packet_id: u16) -> Option<u64> {
        self.places.get(self.place(packet_id)).copied()
    }

    fn place(&self, packet_id: u16) -> usize {
        usize::from(packet_id) % self.places.len().max(1)
    }
}

#[cfg(test)]
mod tests;
