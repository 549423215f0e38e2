//! QoS flows against a model of the client, under random loss of connection.
//!
//! `STROWGER_TEST_SEED` replays one history and tells it step by step; `STROWGER_TEST_HISTORIES` sets how many there
//! are.

use super::dice::fresh_seed;
use super::history::History;

/// Histories in one run of the tests: half of them the same each time, half of them fresh.
const HISTORIES: u64 = 2000;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|value| value.parse().ok())
}

fn live_through(first_seed: u64) {
    let histories = number("STROWGER_TEST_HISTORIES").unwrap_or(HISTORIES) / 2;
    println!("seeds from {first_seed} on");
    for seed in first_seed..first_seed + histories {
        let told = TellSeed(seed);
        History::new(seed, false).run();
        drop(told);
    }
}

/// Says which history failed, so that it can be replayed.
struct TellSeed(u64);

impl Drop for TellSeed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("replay with STROWGER_TEST_SEED={}", self.0);
        }
    }
}

/// QoS 1 arrives at least once, QoS 2 exactly once, in order for each topic; ids, windows and accounts are kept:
/// [MQTT-4.3.2-4] in 5.0, [MQTT-4.3.2-2] in 3.1.1, [MQTT-4.3.3-10] in 5.0, [MQTT-4.3.3-2] in 3.1.1,
/// [MQTT-4.4.0-1] in 5.0, [MQTT-4.4.0-1] in 3.1.1, [MQTT-4.6.0-5] in 5.0, [MQTT-4.6.0-6] in 5.0,
/// [MQTT-4.6.0-6] in 3.1.1, [MQTT-4.9.0-2] in 5.0.
#[test]
fn qos_flows_keep_their_promises_under_random_loss_of_connection() {
    match number("STROWGER_TEST_SEED") {
        Some(seed) => History::new(seed, true).run(),
        None => live_through(0),
    }
}

/// The same with histories that nobody has seen yet, so that every run of the tests looks further.
#[test]
fn qos_flows_keep_their_promises_in_fresh_histories() {
    if number("STROWGER_TEST_SEED").is_none() {
        live_through(fresh_seed());
    }
}
