//! What is noted of a message that was written to a connection's outbox: when, by which classes, in which trace.

use std::sync::Arc;

use mqtt_codec::QoS;

use super::{Link, Parcel};
use crate::classes::{self, Direction};
use crate::traces::{TracedWrites, UNWRITTEN_MAX, Unwritten};
use crate::turn::Turn;

impl Link {
    /// Counts a message that was sent by the classes that the operator asks for.
    #[inline(never)]
    pub(super) fn count_classes(&self, parcel: &Parcel<'_>, turn: &mut Turn) {
        let (limits, counters) = (&turn.limits, &mut turn.counters);
        let of_topic = parcel.classes.unwrap_or_else(|| limits.classes.of_topic(parcel.topic));
        let payload = parcel.payload.len();
        classes::count(&mut counters.of_filters, of_topic, Direction::Sent, payload);
        classes::count(&mut counters.of_groups, self.classes, Direction::Sent, payload);
    }

    /// Notes that a traced message was appended to the outbox.
    #[inline(never)]
    pub(super) fn trace(&mut self, parcel: &Parcel<'_>, qos: QoS, turn: &Turn) {
        let Some(context) = &parcel.trace else { return };
        let traced = &mut self.traced.get_or_insert_default().0;
        if traced.len() < UNWRITTEN_MAX {
            traced.push(Unwritten {
                context: Arc::clone(context),
                // A line that the message came to from another has not looked at the clock since.
                begun_micros: turn
                    .micros
                    .max(turn.now.0.saturating_mul(1000))
                    .max(parcel.arrived_micros),
                topic: parcel.topic.detach(),
                qos,
                payload_bytes: parcel.payload.len(),
            });
        }
    }

    /// Notes when a message arrived that was appended to the outbox: its delivery is timed when the outbox has been
    /// written, by one look at the clock for all. One that has waited is timed by itself.
    #[inline]
    pub(super) fn time(&mut self, parcel: &Parcel<'_>, is_repeat: bool, turn: &mut Turn) {
        if parcel.arrived_micros == 0 {
        } else if parcel.waited || is_repeat {
            turn.count_waited(parcel.arrived_micros);
        } else {
            if self.unwritten == 0 {
                self.unwritten_since_micros = parcel.arrived_micros;
            }
            self.unwritten += 1;
        }
    }

    /// Counts the deliveries of an outbox that has been written to the end, each by the oldest of them. Returns those that
    /// are traced.
    #[inline]
    pub(crate) fn count_delivered(&mut self, turn: &mut Turn) -> Option<Box<TracedWrites>> {
        if !self.out.is_empty() {
            return None;
        }
        if self.unwritten > 0 {
            let micros = turn.micros.saturating_sub(self.unwritten_since_micros);
            turn.counters.delivery.observe(micros, u64::from(self.unwritten));
            self.unwritten = 0;
        }
        self.traced.take()
    }
}
