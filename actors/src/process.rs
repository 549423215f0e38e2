//! The process around a broker: who runs it, where its log goes, which binary could take over.

use std::path::PathBuf;
use std::time::Duration;

use crate::operations::life::{Declined, UpgradeOrder};

/// A turn in the life of a broker, for those who run the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Clients can connect.
    Ready,
    /// Files are being read again.
    Reloading,
    /// They have been; what is wrong with them changed nothing.
    Reloaded,
    /// Nobody is accepted, and clients are sent away.
    Draining,
    /// It ends.
    Stopping,
    /// It makes way for another binary in this process.
    Upgrading,
    /// All lines have answered.
    Alive,
    /// It still starts or ends, and will say so again in time.
    Busy {
        /// From this moment on.
        within: Duration,
    },
}

/// What a process does around its broker.
pub trait Process: Send + Sync {
    /// Tells who runs the process.
    fn tell(&self, moment: Moment);

    /// How soon after each other [`Moment::Alive`] has to be told; `None`: nobody waits for it.
    fn watchdog(&self) -> Option<Duration>;

    /// Opens the file of the log anew, since the one before may have been moved away.
    fn reopen_log(&self);

    /// Finds out whether a binary would take over. It may take seconds, and is called beside the loop of the broker's
    /// life. `sockets` says which listeners are there, for the binary.
    ///
    /// # Errors
    ///
    /// Why it would not.
    fn check_upgrade(&self, order: &UpgradeOrder, sockets: &str) -> Result<Successor, Declined>;

    /// How it came to this binary.
    fn past(&self) -> Past;
}

/// A binary that would take over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Successor {
    /// Its file.
    pub binary: PathBuf,
    /// Its version, as it says itself.
    pub version: String,
}

/// How a process came to the binary that runs.
#[derive(Debug, Clone, Default)]
pub struct Past {
    /// How often one has taken over from another.
    pub upgrades: u32,
    /// Why the last one did not, after the broker had made way for it.
    pub upgrade_failure: Option<String>,
    /// Whether clients were sent away for this start and are to return.
    pub awaits_clients: bool,
}
