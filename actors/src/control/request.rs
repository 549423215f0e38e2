//! The requests, and how the loop of the broker's life answers them.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::time::timeout;

use super::frame::Frames;
use super::{House, backup, plan};
use crate::operations::life::{Declined, DrainOrder, Status, UpgradeOrder};

/// For settings to arrive.
const PLAN_TIMEOUT: Duration = Duration::from_secs(10);
/// What can be asked for.
const KNOWN: [&str; 8] = [
    "backup", "status", "stop", "reload", "drain", "undrain", "upgrade", "plan",
];

/// What a caller asks for.
#[derive(Debug)]
pub(super) enum Request {
    Backup,
    Status,
    Stop,
    Reload,
    Drain(DrainOrder),
    Undrain,
    Upgrade(UpgradeOrder),
    Plan(plan::Asked),
}

impl Request {
    /// Reads a request from its line, and what comes behind it.
    ///
    /// # Errors
    ///
    /// It is none, in words.
    pub(super) async fn read(line: &str, stream: &mut UnixStream) -> Result<Self, String> {
        match timeout(PLAN_TIMEOUT, plan::read(stream, line)).await {
            Ok(Ok(Some(asked))) => return Ok(Self::Plan(asked)),
            Ok(Ok(None)) => {}
            Ok(Err(_)) | Err(_) => return Err("the settings did not come in time".to_owned()),
        }
        let (verb, rest) = line.split_once(" 1").unwrap_or((line, "?"));
        let unknown = || {
            let known = KNOWN.map(|verb| format!("\"{verb} 1\"")).join(", ");
            format!(
                "the request \"{}\" is not known; known are {known}",
                line.escape_debug()
            )
        };
        match (verb, rest.strip_prefix(' ').unwrap_or(rest)) {
            ("backup", "") => Ok(Self::Backup),
            ("status", "") => Ok(Self::Status),
            ("stop", "") => Ok(Self::Stop),
            ("reload", "") => Ok(Self::Reload),
            ("undrain", "") => Ok(Self::Undrain),
            ("drain", words) => read_drain(words).map(Self::Drain).ok_or_else(unknown),
            ("upgrade", words) => read_upgrade(words).map(Self::Upgrade).ok_or_else(unknown),
            (_, _) => Err(unknown()),
        }
    }

    pub(super) async fn answer(self, frames: &mut Frames, house: &House) -> io::Result<()> {
        let operations = &house.operations;
        let answered = match self {
            Self::Backup => {
                return match &house.store {
                    Some(store) => backup::answer(frames, store).await,
                    None => frames.fail("nothing is stored (storage.engine is \"memory\")").await,
                };
            }
            Self::Status => Ok(described(&operations.status().await)),
            Self::Stop => operations.stop().map(|()| Vec::new()),
            Self::Reload => operations.reload().await,
            Self::Drain(order) => operations.drain(order).await.map(|()| Vec::new()),
            Self::Undrain => operations.undrain().await.map(|()| Vec::new()),
            Self::Upgrade(order) => operations.upgrade(order).await.map(|()| Vec::new()),
            Self::Plan(asked) => return plan::answer(frames, asked, operations).await,
        };
        match answered {
            Ok(lines) => {
                let write = |out: &mut Vec<u8>| lines.iter().for_each(|line| out.extend(format!("{line}\n").bytes()));
                frames.data(write).await?;
                frames.end().await
            }
            Err(Declined(why)) => frames.fail(&why).await,
        }
    }
}

pub(super) fn read_drain(words: &str) -> Option<DrainOrder> {
    let mut order = DrainOrder {
        clients_per_sec: None,
        reference: None,
        for_good: false,
    };
    for word in words.split(' ').filter(|word| !word.is_empty()) {
        match word.split_once('=') {
            Some(("pace", pace)) => order.clients_per_sec = Some(pace.parse().ok()?),
            Some(("to", reference)) => order.reference = Some(reference.to_owned()),
            None if word == "stay" => order.for_good = true,
            Some(_) | None => return None,
        }
    }
    Some(order)
}

/// The binary comes last: its path may have spaces in it.
pub(super) fn read_upgrade(words: &str) -> Option<UpgradeOrder> {
    let (options, binary) = match words.split_once("binary=") {
        Some((options, binary)) => (options, Some(PathBuf::from(binary))),
        None => (words, None),
    };
    let lossy = match options.trim_end() {
        "" => false,
        "lossy" => true,
        _ => return None,
    };
    Some(UpgradeOrder { binary, lossy })
}

/// A line for each thing that is known; a word, a space, and what it is. Of listeners there may be several.
fn described(status: &Status) -> Vec<String> {
    let mut lines = vec![
        format!("pid {}", status.pid),
        format!("version {}", status.version),
        format!("state {}", status.stage.word()),
        format!("uptime_secs {}", status.uptime.as_secs()),
        format!("upgrades {}", status.upgrades),
        format!("lines {}", status.lines),
        format!("connections {}", status.connections),
        format!("sessions {}", status.sessions),
        format!("subscriptions {}", status.subscriptions),
        format!("retained {}", status.retained),
        format!("queued {}", status.queued),
    ];
    let one_line = |text: &str| text.replace('\n', " ");
    let failure = status.upgrade_failure.iter();
    lines.extend(failure.map(|why| format!("upgrade_failure {}", one_line(why))));
    let listeners = status.listeners.iter();
    lines.extend(listeners.map(|(name, place, transport)| format!("listener {name} {place} {transport}")));
    lines
}
