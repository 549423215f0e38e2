//! QoS flows against a model of the client, under random loss of connection.

use super::history::History;
use super::lives::{live_through_fresh, live_through_known};

/// QoS 1 arrives at least once, QoS 2 exactly once, in order for each topic; ids, windows and accounts are kept:
/// [MQTT-4.3.2-4] in 5.0, [MQTT-4.3.2-2] in 3.1.1, [MQTT-4.3.3-10] in 5.0, [MQTT-4.3.3-2] in 3.1.1,
/// [MQTT-4.4.0-1] in 5.0, [MQTT-4.4.0-1] in 3.1.1, [MQTT-4.6.0-5] in 5.0, [MQTT-4.6.0-6] in 5.0,
/// [MQTT-4.6.0-6] in 3.1.1, [MQTT-4.9.0-2] in 5.0.
#[test]
fn qos_flows_keep_their_promises_under_random_loss_of_connection() {
    live_through_known(History::new);
}

/// The same with histories that nobody has seen yet.
#[test]
fn qos_flows_keep_their_promises_in_fresh_histories() {
    live_through_fresh(History::new);
}
