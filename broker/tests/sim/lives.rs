//! Many histories, one after the other.
//!
//! `STROWGER_TEST_SEED` replays one history and tells it step by step; `STROWGER_TEST_HISTORIES` sets how many there
//! are.

use super::dice::fresh_seed;
use super::history::History;

/// Histories in one run of a test: half of them the same each time, half of them fresh.
const HISTORIES: u64 = 2000;

/// Makes a history of a seed, told step by step or not.
pub type Make = fn(u64, bool) -> History;

/// The histories that are the same each time, or the one that is asked for.
pub fn live_through_known(make: Make) {
    match number("STROWGER_TEST_SEED") {
        Some(seed) => make(seed, true).run(),
        None => live_through(make, 0),
    }
}

/// Histories that nobody has seen yet, so that every run of the tests looks further.
pub fn live_through_fresh(make: Make) {
    if number("STROWGER_TEST_SEED").is_none() {
        live_through(make, fresh_seed());
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|value| value.parse().ok())
}

fn live_through(make: Make, first_seed: u64) {
    let histories = number("STROWGER_TEST_HISTORIES").unwrap_or(HISTORIES) / 2;
    println!("seeds from {first_seed} on");
    for seed in first_seed..first_seed + histories {
        let told = TellSeed(seed);
        make(seed, false).run();
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
