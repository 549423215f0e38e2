//! The broker's brain: sessions, exchanges, routing and rules, with no I/O.
//!
//! Nothing in this crate opens a socket, reads a clock or spawns a task. Bytes are decoded before they reach it,
//! time arrives as an argument, and everything it wants done leaves as a value. That is why a whole fleet of
//! clients fits in one unit test, and why a failing seed replays exactly.

pub mod acl;
pub mod classes;
pub mod counters;
pub mod durable;
pub mod effect;
pub mod exchange;
#[cfg(feature = "faults")]
mod faults;
pub mod histogram;
pub mod identity;
pub mod key;
pub mod limits;
pub mod line;
pub mod memory;
pub mod message;
pub mod notes;
pub mod presence;
pub mod router;
pub mod routing;
pub mod session;
pub mod state;
pub mod tables;
mod timers;
pub mod traces;
mod turn;
