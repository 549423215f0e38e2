//! A medium and an engine that fail on demand, for tests.
//!
//! [`Faults`] counts what is done to both and says which of it fails. A power cut is the fault that ends all: after it
//! every operation fails, and [`FaultyMedium::after_power_cut`] and [`FaultyStore::after_power_cut`] give what a
//! machine would find: everything that was synced, and of the rest any part.

mod medium;
mod store;

pub use medium::FaultyMedium;
pub use store::FaultyStore;

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

/// What can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// A write into a file.
    Write,
    /// The sync of a file.
    Sync,
    /// The sync of the directory.
    SyncDirectory,
    /// Making, opening, allocating, cutting or removing a file.
    Arrange,
    /// A batch for the engine.
    Apply,
    /// A commit of the engine.
    Commit,
}

/// How it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is done, and the system says this number.
    Error(i32),
    /// The first half of a write is done and nothing is said: it is short.
    Short,
    /// The first half of a write is done, and the rest fails with this number.
    Partial(i32),
    /// The power goes before anything of it is done.
    PowerCut,
}

#[derive(Debug, Default)]
struct State {
    operations: u64,
    counts: HashMap<Operation, u64>,
    planned: Vec<(Operation, u64, Fault)>,
    power_cut_at: Option<u64>,
    is_off: bool,
    bytes_max: Option<u64>,
}

/// What fails when. Clones are one.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    state: Arc<Mutex<State>>,
}

impl Faults {
    /// Nothing fails.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Lets the `nth` operation of a kind from here on fail, counted from 1.
    pub fn plan(&self, operation: Operation, nth: u64, fault: Fault) {
        self.with(|state| {
            let done = state.counts.get(&operation).copied().unwrap_or_default();
            state.planned.push((operation, done + nth, fault));
        });
    }

    /// Forgets all plans: nothing fails from here on, if the power is still there.
    pub fn clear(&self) {
        self.with(|state| {
            state.planned.clear();
            state.power_cut_at = None;
        });
    }

    /// Lets the power go at the operation of that number, counted over all kinds from 1.
    pub fn cut_power_at(&self, operation: u64) {
        self.with(|state| state.power_cut_at = Some(operation));
    }

    /// Lets files take no more than so many bytes together.
    pub fn limit_space(&self, bytes_max: Option<u64>) {
        self.with(|state| state.bytes_max = bytes_max);
    }

    /// Operations so far.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.with(|state| state.operations)
    }

    /// Whether the power is gone.
    #[must_use]
    pub fn is_power_off(&self) -> bool {
        self.with(|state| state.is_off)
    }

    fn space(&self) -> Option<u64> {
        self.with(|state| state.bytes_max)
    }

    /// Counts an operation and says how it fails, if it does.
    fn next(&self, operation: Operation) -> Option<Fault> {
        self.with(|state| {
            if state.is_off {
                return Some(Fault::PowerCut);
            }
            state.operations += 1;
            let count = state.counts.entry(operation).or_default();
            *count += 1;
            let count = *count;
            let hit = |(planned, nth, _): &(Operation, u64, Fault)| *planned == operation && *nth == count;
            let fault = match state.power_cut_at {
                Some(at) if at <= state.operations => Some(Fault::PowerCut),
                Some(_) | None => state.planned.iter().find(|plan| hit(plan)).map(|(_, _, fault)| *fault),
            };
            state.is_off = fault == Some(Fault::PowerCut);
            fault
        })
    }

    /// The same for an operation that is done or not done.
    fn check(&self, operation: Operation) -> io::Result<()> {
        match self.next(operation) {
            None | Some(Fault::Short) => Ok(()),
            Some(Fault::Error(number) | Fault::Partial(number)) => Err(io::Error::from_raw_os_error(number)),
            Some(Fault::PowerCut) => Err(power_is_off()),
        }
    }
}

fn power_is_off() -> io::Error {
    io::Error::other("the power is off")
}

/// Numbers that look random and follow from a seed.
#[derive(Clone, Debug)]
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed ^ 0x9e37_79b9_7f4a_7c15)
    }

    fn next(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    fn flip(&mut self) -> bool {
        self.next() & 1 == 1
    }
}
