//! The process as its broker sees it: the service manager that is told, the log, the binary that could take over.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actors::{Declined, Moment, Past, Process, Successor, UpgradeOrder};
use sd_notify::NotifyState;

use super::takeover;
use crate::log;

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Surroundings {
    /// The file that this process was started from, as its name was then.
    pub(super) binary: PathBuf,
    pub(super) past: Past,
    /// The sockets that are left to the next binary beside those of listeners, as their keys have them.
    pub(super) places: Vec<String>,
    /// Nobody waits any more for what a binary answers.
    is_ending: Arc<AtomicBool>,
}

impl Surroundings {
    pub(super) fn new() -> Self {
        Self {
            binary: std::env::current_exe().unwrap_or_default(),
            past: takeover::past(),
            places: Vec::new(),
            is_ending: Arc::default(),
        }
    }
}

impl Process for Surroundings {
    fn tell(&self, moment: Moment) {
        if matches!(moment, Moment::Stopping) {
            self.is_ending.store(true, Ordering::Relaxed);
        }
        let states = match moment {
            Moment::Ready => vec![NotifyState::Ready, NotifyState::Status("serving")],
            Moment::Reloaded => vec![NotifyState::Ready, NotifyState::Status("serving; reloaded")],
            Moment::Reloading => reloading("reloading"),
            Moment::Upgrading => reloading("another binary takes over"),
            Moment::Draining => vec![NotifyState::Status("draining: nobody is accepted")],
            Moment::Stopping => vec![NotifyState::Stopping, NotifyState::Status("stopping")],
            Moment::Alive => vec![NotifyState::Watchdog],
            Moment::Busy { within } => {
                let micros = u32::try_from(within.as_micros()).unwrap_or(u32::MAX);
                vec![NotifyState::Watchdog, NotifyState::ExtendTimeoutUsec(micros)]
            }
        };
        // Without a service manager nothing happens.
        if let Err(error) = sd_notify::notify(&states) {
            tracing::warn!(%error, ?moment, "the service manager was not told");
        }
    }

    fn watchdog(&self) -> Option<Duration> {
        sd_notify::watchdog_enabled()
    }

    fn reopen_log(&self) {
        log::file::reopen();
    }

    fn check_upgrade(&self, order: &UpgradeOrder, sockets: &str) -> Result<Successor, Declined> {
        let places = self.places.iter().map(|key| format!("\n0 {key}"));
        let all: String = std::iter::once(sockets.to_owned()).chain(places).collect();
        takeover::check(order, &self.binary, &all, &self.is_ending)
    }

    fn past(&self) -> Past {
        self.past.clone()
    }
}

/// What systemd wants to know of a reload since its version 253.
fn reloading(status: &str) -> Vec<NotifyState<'_>> {
    let mut states = vec![NotifyState::Reloading, NotifyState::Status(status)];
    states.extend(NotifyState::monotonic_usec_now());
    states
}
