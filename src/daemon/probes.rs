//! Figures that only the process as a whole knows: its allocator's, and how many records the log has.

use std::sync::atomic::{AtomicU64, Ordering};

use actors::{AllocatorFigures, Probes};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// For the broker's figures.
pub(super) const PROBES: Probes = Probes {
    allocator,
    log_records,
    log_dropped: crate::log::dropped,
};

/// Levels in the order of their counts.
const LEVELS: [(Level, &str); 5] = [
    (Level::ERROR, "error"),
    (Level::WARN, "warn"),
    (Level::INFO, "info"),
    (Level::DEBUG, "debug"),
    (Level::TRACE, "trace"),
];

/// One log in a process, one count of its records.
static RECORDS: [AtomicU64; LEVELS.len()] = [const { AtomicU64::new(0) }; LEVELS.len()];

/// Counts the records that a log is given.
#[derive(Debug)]
pub(crate) struct Records;

impl<S: Subscriber> Layer<S> for Records {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let level = event.metadata().level();
        let mut counts = LEVELS.iter().zip(&RECORDS);
        if let Some((_, count)) = counts.find(|((known, _), _)| known == level) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn log_records() -> Vec<(&'static str, u64)> {
    let counts = LEVELS.iter().zip(&RECORDS);
    counts
        .map(|((_, word), count)| (*word, count.load(Ordering::Relaxed)))
        .collect()
}

#[cfg(not(target_env = "msvc"))]
fn allocator() -> Option<AllocatorFigures> {
    use tikv_jemalloc_ctl::{epoch, stats};
    epoch::advance().ok()?;
    Some(AllocatorFigures {
        allocated: stats::allocated::read().ok()? as u64,
        active: stats::active::read().ok()? as u64,
        metadata: stats::metadata::read().ok()? as u64,
        resident: stats::resident::read().ok()? as u64,
    })
}

#[cfg(target_env = "msvc")]
fn allocator() -> Option<AllocatorFigures> {
    None
}
