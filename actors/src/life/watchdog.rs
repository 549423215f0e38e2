//! Whether the lines really answer, for a service manager that restarts a broker that does not.

use std::sync::Arc;

use actix::Addr;
use tokio::time::{sleep, timeout};

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

async fn all_answer(lines: &[Addr<SessionActor>]) -> bool {
    for line in lines {
        if line.send(Lingering).await.is_err() {
            return false;
        }
    }
    true
}
