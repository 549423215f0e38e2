//! What judges the exchanges of all lines: an overseer for each, from one source.

use broker::exchange::{Open, Overseer};
use std::fmt;

/// A policy, shared by all lines.
pub trait Policy: fmt::Debug + Send + Sync {
    /// The overseer of one line, by what is in force at this moment. It is called on that line's thread, at the start and
    /// when a reload says that the rules are other ones.
    fn overseer(&self) -> Box<dyn Overseer>;

    /// What it says of itself, by topics beneath `$SYS/broker/`.
    fn states(&self) -> Vec<(String, String)>;

    /// Each rule's name, and how often it was asked, matched and failed.
    fn counts(&self) -> Vec<(String, [u64; 3])> {
        Vec::new()
    }
}

/// Everything proceeds.
#[derive(Debug)]
pub struct OpenHouse;

impl Policy for OpenHouse {
    fn overseer(&self) -> Box<dyn Overseer> {
        Box::new(Open)
    }

    fn states(&self) -> Vec<(String, String)> {
        Vec::new()
    }
}
