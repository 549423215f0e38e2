//! Whether the lines really answer, for a service manager that restarts a broker that does not.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use actix::Addr;
use tokio::time::{sleep, timeout};

use crate::clock;
use crate::message::Lingering;
use crate::process::{Moment, Process};
use crate::session::SessionActor;

/// Tells that the broker is alive, three times in the time that the service manager waits, for as long as every line
/// answers within a third of that time. Ends at once if nobody waits for it.
pub(super) async fn watch(process: Arc<dyn Process>, lines: Vec<Addr<SessionActor>>) {
    let Some(patience) = process.watchdog() else { return };
    let beat = patience / 3;
    loop {
        match timeout(beat, all_answer(&lines)).await {
            Ok(true) => {
                process.tell(Moment::Alive);
                sleep(beat).await;
            }
            Ok(false) => {
                tracing::error!(
                    "a line has ended: the service manager's watchdog is not told that the broker is alive"
                );
                return;
            }
            Err(_) => tracing::error!(
                within_ms = beat.as_millis(),
                "a line does not answer: the service manager's watchdog is not told that the broker is alive"
            ),
        }
    }
}

/// Between two words that a start or an end goes on; sooner if the service manager's patience is shorter.
const BEAT: Duration = Duration::from_secs(5);

/// Tells that a start or an end goes on, for as long as it is held, within a bound: the lines need not answer then.
pub(crate) struct Pulse(#[expect(dead_code, reason = "its end is heard")] Sender<()>);

impl Pulse {
    /// What takes longer than `limit` does not go on. Without a thread nobody is told.
    pub(crate) fn begin(process: &Arc<dyn Process>, limit: Duration) -> Option<Self> {
        let (held, end) = channel();
        let process = Arc::clone(process);
        let beat = process.watchdog().map_or(BEAT, |patience| BEAT.min(patience / 3));
        let deadline = clock::deadline(limit);
        let tell = move || {
            while end.recv_timeout(beat) == Err(RecvTimeoutError::Timeout) && !clock::until(deadline).is_zero() {
                process.tell(Moment::Busy { within: beat * 3 });
            }
        };
        let thread = std::thread::Builder::new().name("pulse".to_owned()).spawn(tell);
        match thread {
            Ok(_) => Some(Self(held)),
            Err(error) => {
                tracing::warn!(%error, "the service manager is not told that this goes on");
                None
            }
        }
    }
}

async fn all_answer(lines: &[Addr<SessionActor>]) -> bool {
    for line in lines {
        if line.send(Lingering).await.is_err() {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::operations::life::{Declined, UpgradeOrder};
    use crate::process::{Past, Successor};

    /// A service manager that is told of what goes on alone, and counts how often.
    #[derive(Default)]
    struct Manager(AtomicUsize);

    impl Process for Manager {
        fn tell(&self, moment: Moment) {
            assert!(matches!(moment, Moment::Busy { .. }));
            self.0.fetch_add(1, Ordering::Relaxed);
        }

        fn watchdog(&self) -> Option<Duration> {
            Some(Duration::from_millis(30))
        }

        fn reopen_log(&self) {}

        fn check_upgrade(&self, _: &UpgradeOrder, _: &str) -> Result<Successor, Declined> {
            Err(Declined(String::new()))
        }

        fn past(&self) -> Past {
            Past::default()
        }
    }

    /// Who hangs for ever is not alive.
    #[test]
    fn a_pulse_ends_with_its_limit() {
        let manager = Arc::new(Manager::default());
        let process: Arc<dyn Process> = Arc::clone(&manager) as Arc<dyn Process>;
        let begun = clock::instant();
        let pulse = Pulse::begin(&process, Duration::from_secs(1));
        // The thread has a handle of its own.
        while Arc::strong_count(&process) > 2 {
            assert!(clock::since(begun) < Duration::from_secs(60), "it goes on");
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(clock::since(begun) >= Duration::from_secs(1), "it ends early");
        let words = manager.0.load(Ordering::Relaxed);
        assert!(words >= 2, "{words} words within a limit of a hundred beats");
        drop(pulse);
    }
}
