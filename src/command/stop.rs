//! `strowger stop`: ends a broker and waits until it has ended.

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use clap::Args;

use super::control::Broker;
use crate::failure::Failure;

/// Between two looks whether the process has ended.
const POLL: Duration = Duration::from_millis(50);

/// Stop the broker on this machine, as SIGTERM does, and wait until it has ended.
///
/// Clients are told goodbye, wills are published, and what was acknowledged is in the store before the command ends.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    broker: Broker,
    /// Wait no longer than this many seconds for the end
    #[arg(short = 'W', long, value_name = "SECS", default_value_t = 90)]
    wait: u64,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let pid = options.broker.status()?.number("pid");
    match options.broker.ask("stop 1", "does not stop") {
        // It may have gone before its answer is here.
        Ok(_) | Err(Failure::Lost { .. }) => {}
        Err(failure) => return Err(failure),
    }
    let process = format!("/proc/{pid}");
    let looks = Duration::from_secs(options.wait).as_millis() / POLL.as_millis();
    for _ in 0..=looks {
        if has_ended(Path::new(&process)) {
            return Ok(());
        }
        sleep(POLL);
    }
    Err(Failure::TimedOut { secs: options.wait })
}

/// A process whose parent has not asked for its exit code has ended all the same.
fn has_ended(process: &Path) -> bool {
    let Ok(stat) = std::fs::read_to_string(process.join("stat")) else {
        return true;
    };
    let state = stat.rsplit_once(") ").map(|(_, rest)| rest.starts_with(['Z', 'X']));
    state.unwrap_or(true)
}
