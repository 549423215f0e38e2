//! `strowger drain`: has a broker accept nobody and send its clients to another server.

use std::thread::sleep;
use std::time::Duration;

use clap::Args;

use super::control::Broker;
use super::print;
use crate::failure::Failure;

/// Between two looks whether clients are left.
const POLL: Duration = Duration::from_millis(200);

/// Move the clients of the broker on this machine to another server.
///
/// Nobody is accepted any more (/readyz says so), and clients are sent away: of 5.0 with 0x9C "use another server", or 0x9D
/// "server moved" with --stay, and the server reference of --to; of 3.x by the end of their connection. Sessions stay.
/// Wills are published, since no client has asked for the end; a client with a Will Delay Interval has that long to be
/// back. The broker runs on until it is stopped.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    broker: Broker,
    /// Send so many clients away per second [default: all at once]
    #[arg(long, value_name = "CLIENTS", value_parser = read_pace)]
    pace: Option<u32>,
    /// Where clients of 5.0 are to go
    #[arg(long, value_name = "HOST:PORT", value_parser = read_reference)]
    to: Option<String>,
    /// They are to stay there, and not only go there this time
    #[arg(long)]
    stay: bool,
    /// Wait until nobody is left
    #[arg(long)]
    wait: bool,
    /// Accept clients again
    #[arg(long, conflicts_with_all = ["pace", "to", "stay", "wait"])]
    undo: bool,
}

fn read_pace(text: &str) -> Result<u32, String> {
    let number = text.strip_suffix("/s").unwrap_or(text).parse();
    match number {
        Ok(number) if number > 0 => Ok(number),
        Ok(_) | Err(_) => Err("a number of clients per second, from 1 on".to_owned()),
    }
}

fn read_reference(text: &str) -> Result<String, String> {
    let is_one = !text.is_empty() && text.len() <= 1024 && !text.contains(|letter: char| letter.is_whitespace());
    is_one.then(|| text.to_owned()).ok_or("host:port".to_owned())
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let broker = &options.broker;
    if options.undo {
        return broker.ask("undrain 1", "does not accept clients again").map(drop);
    }
    let mut request = "drain 1".to_owned();
    if let Some(pace) = options.pace {
        request.push_str(&format!(" pace={pace}"));
    }
    if let Some(to) = &options.to {
        request.push_str(&format!(" to={to}"));
    }
    if options.stay {
        request.push_str(" stay");
    }
    broker.ask(&request, "is not drained")?;
    if !options.wait {
        return Ok(());
    }
    loop {
        let status = broker.status()?;
        if status.text("state") != "draining" {
            let state = status.text("state").to_owned();
            return print(format!("the drain has ended: the broker is {state}\n").as_bytes()).map(drop);
        }
        if status.number("connections") == 0 {
            return Ok(());
        }
        sleep(POLL);
    }
}
