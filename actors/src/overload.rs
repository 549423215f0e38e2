//! How the process as a whole fares: its memory and its connections, for all lines to look at.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use broker::memory::{Marks, Memory};
use tokio::time::sleep;

use crate::settings::OverloadSettings;

/// Between two looks at the memory.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);
const MIB: u64 = 1 << 20;

/// See the module.
#[derive(Debug)]
pub(crate) struct Overload {
    settings: ArcSwap<OverloadSettings>,
    memory: AtomicU8,
    memory_bytes: AtomicU64,
    /// Connections open, of all listeners.
    connections: AtomicUsize,
}

impl Overload {
    pub(crate) fn new(settings: OverloadSettings) -> Arc<Self> {
        Arc::new(Self {
            settings: ArcSwap::from_pointee(settings),
            memory: AtomicU8::new(0),
            memory_bytes: AtomicU64::new(0),
            connections: AtomicUsize::new(0),
        })
    }

    /// Other marks from here on.
    pub(crate) fn set(&self, settings: OverloadSettings) {
        self.settings.store(Arc::new(settings));
    }

    /// How much memory there is.
    pub(crate) fn memory(&self) -> Memory {
        let memory = Memory::ALL.get(usize::from(self.memory.load(Ordering::Relaxed)));
        memory.copied().unwrap_or_default()
    }

    /// Bytes in use at the last look, and how many there are.
    pub(crate) fn memory_bytes(&self) -> (u64, u64) {
        let used = self.memory_bytes.load(Ordering::Relaxed);
        (used, self.settings.load().memory_bytes_max)
    }

    /// How late a line may be before nobody new is taken up on it; zero: as late as it likes.
    pub(crate) fn line_lag_max(&self) -> Duration {
        self.settings.load().line_lag_max
    }

    /// Whether the descriptors that are for connections are used up; the others are for files.
    pub(crate) fn has_no_descriptors(&self) -> bool {
        self.connections.load(Ordering::Relaxed) >= self.settings.load().connections_max
    }

    pub(crate) fn connections_max(&self) -> usize {
        self.settings.load().connections_max
    }

    pub(crate) fn connection_opened(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn connection_closed(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }

    /// Looks at the memory for as long as the broker runs.
    pub(crate) async fn watch_forever(self: Arc<Self>) {
        loop {
            match (self.settings.load().memory_used)() {
                Some(used) => self.note_memory(used),
                None => {
                    tracing::warn!(
                        "the system does not tell how much memory this process has: the section overload does not protect it"
                    );
                    return;
                }
            }
            sleep(LOOK_INTERVAL).await;
        }
    }

    fn note_memory(&self, used: u64) {
        self.memory_bytes.store(used, Ordering::Relaxed);
        let settings = self.settings.load();
        let (before, max) = (self.memory(), settings.memory_bytes_max);
        let percent = |percent: u8| max / 100 * u64::from(percent);
        let marks = Marks {
            tight_bytes: percent(settings.memory_growth_percent),
            scarce_bytes: percent(settings.memory_connect_percent),
        };
        let memory = marks.judge(before, used);
        if memory == before {
            return;
        }
        self.memory.store(memory as u8, Ordering::Relaxed);
        let (used_mib, max_mib) = (used / MIB, max / MIB);
        match memory {
            Memory::Ample => tracing::info!(used_mib, max_mib, "memory is ample again: everything is taken"),
            Memory::Tight => tracing::warn!(
                used_mib,
                max_mib,
                "memory is tight: QoS 1 and 2 for absent clients and further retained messages are refused (0x97); raise \
                 overload.memory_bytes_max, or lower session.queue_bytes_max and retained.messages_max"
            ),
            Memory::Scarce => tracing::error!(
                used_mib,
                max_mib,
                "memory is scarce: clients without a session are refused (0x97) and QoS 0 is dropped; raise \
                 overload.memory_bytes_max, or lower listener.connections_max and session.queue_bytes_max"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overload() -> Arc<Overload> {
        Overload::new(OverloadSettings {
            memory_bytes_max: 1000 * MIB,
            memory_growth_percent: 70,
            memory_connect_percent: 85,
            memory_used: || None,
            line_lag_max: Duration::ZERO,
            connections_max: 2,
        })
    }

    #[test]
    fn marks_are_percent_of_the_memory() {
        let overload = overload();
        for (used, memory) in [
            (700, Memory::Ample),
            (701, Memory::Tight),
            (851, Memory::Scarce),
            (1, Memory::Ample),
        ] {
            overload.note_memory(used * MIB);
            assert_eq!(overload.memory(), memory, "{used} MiB");
        }
    }

    #[test]
    fn descriptors_for_connections_are_counted() {
        let overload = overload();
        overload.connection_opened();
        assert!(!overload.has_no_descriptors());
        overload.connection_opened();
        assert!(overload.has_no_descriptors());
        overload.connection_closed();
        assert!(!overload.has_no_descriptors());
    }
}
