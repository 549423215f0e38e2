//! The same histories with a broker that ends at random moments, and with a store that has kept what it had promised
//! and perhaps some more.

use super::history::History;
use super::lives::{live_through_fresh, live_through_known};

/// To acknowledge is to promise: nothing that was acknowledged is lost, QoS 2 comes once, order and ids hold, sessions
/// and retained messages are there, and of sessions that ended nothing stays.
#[test]
fn what_was_acknowledged_survives_the_end_of_the_broker() {
    live_through_known(History::keeping);
}

/// The same with histories that nobody has seen yet.
#[test]
fn what_was_acknowledged_survives_the_end_of_the_broker_in_fresh_histories() {
    live_through_fresh(History::keeping);
}
