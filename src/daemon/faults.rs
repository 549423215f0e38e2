//! Faults on purpose, by the environment: the cargo feature `faults`.

use std::env;

/// Each so many deliveries of a line is lost.
const LOSE_EVERY: &str = "STROWGER_FAULT_LOSE_EVERY";

/// What the environment asks for; 0: no fault.
pub(super) fn lose_every() -> u64 {
    let every = env::var(LOSE_EVERY)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    if every > 0 {
        tracing::warn!(every, "deliveries are lost on purpose ({LOSE_EVERY})");
    }
    every
}
