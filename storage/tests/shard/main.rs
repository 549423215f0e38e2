//! The shard under crashes, faults and damage. Histories are random and follow from a seed, which failures print.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails should stop at once"
)]

mod crashes;
mod damage;
mod directory;
mod faults;
mod fixture;
mod freeze;
mod slack;
mod world;
