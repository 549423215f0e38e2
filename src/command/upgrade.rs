//! `strowger upgrade`: has another binary take over in the process of a broker that runs.

use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use clap::Args;

use super::control::{Broker, Status};
use super::print;
use crate::failure::Failure;

/// Between two looks whether the other binary serves.
const POLL: Duration = Duration::from_millis(50);

/// Put another binary in the place of the broker that runs on this machine, with no connection refused.
///
/// The binary is asked first whether it would serve with the settings as they are by now; if not, nothing happens. Then the broker stops
/// accepting, finishes what it has acknowledged, ends the connections (0x8B for 5.0), and starts the binary in its own
/// process: listeners stay open, and whoever connects meanwhile waits in the kernel. Sessions, queues and retained
/// messages are in the store. Wills are not published, unless their clients stay away for daemon.upgrade_grace_secs.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    broker: Broker,
    /// The binary [default: the file that the broker was started from, as it is by now]
    binary: Option<PathBuf>,
    /// Upgrade also a broker without a store, which forgets its sessions and messages
    #[arg(long)]
    lossy: bool,
    /// Wait no longer than this many seconds for the binary to serve
    #[arg(short = 'W', long, value_name = "SECS", default_value_t = 120)]
    wait: u64,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let broker = &options.broker;
    let before = broker.status()?;
    let mut request = "upgrade 1".to_owned();
    if options.lossy {
        request.push_str(" lossy");
    }
    if let Some(binary) = &options.binary {
        let binary = std::path::absolute(binary).map_err(Failure::io(format!("find {}", binary.display())))?;
        let Some(path) = binary.to_str().filter(|path| !path.contains('\n')) else {
            return Err(Failure::Usage(
                "the path of the binary has to be text of one line".to_owned(),
            ));
        };
        request.push_str(&format!(" binary={path}"));
    }
    match broker.ask(&request, "was not upgraded") {
        // It may be on its way before its answer is here; what has become of it shows below.
        Ok(_) | Err(Failure::Lost { .. }) => {}
        Err(failure) => return Err(failure),
    }
    let looks = Duration::from_secs(options.wait).as_millis() / POLL.as_millis();
    for _ in 0..=looks {
        sleep(POLL);
        // The socket is closed for as long as nobody serves.
        if let Ok(status) = broker.status()
            && status.text("state") == "serving"
        {
            return judge(options, &before, &status);
        }
        if !Path::new("/proc").join(before.text("pid")).exists() {
            return Err(Failure::Declined {
                socket: options.broker.socket()?.display().to_string(),
                what: "has ended",
                why: "its process is gone; its log says why".to_owned(),
            });
        }
    }
    Err(Failure::TimedOut { secs: options.wait })
}

fn judge(options: &Options, before: &Status, after: &Status) -> Result<(), Failure> {
    if after.number("upgrades") == before.number("upgrades") {
        return Err(Failure::Declined {
            socket: options.broker.socket()?.display().to_string(),
            what: "went on with the old binary",
            why: after.text("upgrade_failure").to_owned(),
        });
    }
    let (old, new) = (before.text("version"), after.text("version"));
    let pid = after.text("pid");
    print(format!("strowger {old} made way for {new} in process {pid}\n").as_bytes()).map(drop)
}
