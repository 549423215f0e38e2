//! QoS flows against a model of the client, under random loss of connection.

use super::dice::fresh_seed;
use super::history::History;

/// Histories in one run of the tests: half of them the same each time, half of them fresh.
const HISTORIES: u64 = 2000;

/// QoS 1 arrives at least once, QoS 2 exactly once, in order for each topic; ids, windows and accounts are kept.
///
/// `STROWGER_TEST_SEED` replays one history, `STROWGER_TEST_HISTORIES` sets their number.
/// [MQTT-4.3.2-4] in 5.0, [MQTT-4.3.2-2] in 3.1.1, [MQTT-4.3.3-10] in 5.0, [MQTT-4.3.3-2] in 3.1.1,
/// [MQTT-4.4.0-1] in 5.0, [MQTT-4.4.0-1] in 3.1.1, [MQTT-4.6.0-6] in 5.0, [MQTT-4.6.0-6] in 3.1.1,
/// [MQTT-4.9.0-2] in 5.0.
#[test]
fn qos_flows_keep_their_promises_under_random_loss_of_connection() {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    if let Some(seed) = number("STROWGER_TEST_SEED") {
        return History::new(seed).run();
    }
    let histories = number("STROWGER_TEST_HISTORIES").unwrap_or(HISTORIES);
    let fresh = fresh_seed();
    println!("seeds 0 to {} and from {fresh} on", histories / 2);
    for index in 0..histories {
        let seed = if index < histories / 2 { index } else { fresh + index };
        History::new(seed).run();
    }
}
