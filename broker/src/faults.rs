//! Faults on purpose, for tests of what watches over the broker: the cargo feature `faults`, which no package has.

/// Loses deliveries without a trace.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lossy {
    every: u64,
    offered: u64,
}

impl Lossy {
    /// Each so many deliveries is lost; 0: none is.
    pub(crate) const fn every(every: u64) -> Self {
        Self { every, offered: 0 }
    }

    /// Whether the delivery at hand is to be lost.
    pub(crate) const fn strikes(&mut self) -> bool {
        if self.every == 0 {
            return false;
        }
        self.offered += 1;
        self.offered.is_multiple_of(self.every)
    }
}
