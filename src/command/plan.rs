//! `strowger plan`: what a reload would do to a broker that runs, before it is done.

use std::io::Read;
use std::path::PathBuf;

use clap::Args;

use super::store::Directory;
use crate::command::print;
use crate::failure::{Failure, plain};

/// Say what a reload would change, and for whom, before it is done.
///
/// FILE is a file of settings that is to take the place of the broker's own. The broker that has the data directory reads
/// it as a reload would, with the environment and the flags that it was started with, and with the files of users, rights,
/// rules and certificates as they are at this moment. It says which listeners it would open and close, which settings
/// would change and which need a restart, who would be disconnected and who would lose subscriptions; it changes nothing.
///
/// The exit code is 0 if a reload would be taken, whether or not something changes, and 64 if it would be refused; the
/// reason is what `strowger check` says.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The file of settings; - is the standard input
    file: PathBuf,
    #[command(flatten)]
    directory: Directory,
    /// Print JSON: an object with `steps`, each with kind, subject, text, clients, client_ids and subscriptions_lost
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let name = options.file.display().to_string();
    let mut text = String::new();
    let read = match options.file.to_str() {
        Some("-") => std::io::stdin().read_to_string(&mut text),
        Some(_) | None => std::fs::File::open(&options.file).and_then(|mut file| file.read_to_string(&mut text)),
    };
    read.map_err(Failure::io(format!("read {name}")))?;
    let socket = options.directory.control_socket()?;
    let shown = socket.display();
    let call = actors::Call::open_at(&socket).map_err(Failure::io(format!("call the broker at {shown}")))?;
    let Some(call) = call else {
        return Err(Failure::Nobody {
            socket: format!("{shown}{}", options.directory.by()?),
        });
    };
    let socket = shown.to_string();
    let lost = |error| Failure::Lost {
        address: socket.clone(),
        why: plain(&error),
    };
    let mut answer = call.plan(&actors::NewFile { name, text }).map_err(lost)?;
    let mut json = Vec::new();
    if let Err(error) = answer.read_to_end(&mut json) {
        return Err(match answer.refusal() {
            Some(why) => Failure::Policy(why.to_owned()),
            None => lost(error),
        });
    }
    if options.json {
        json.push(b'\n');
        return print(&json).map(drop);
    }
    let plan: actors::Plan = serde_json::from_slice(&json).map_err(|error| lost(std::io::Error::other(error)))?;
    let mut lines = plan.lines().join("\n");
    lines.push('\n');
    print(lines.as_bytes()).map(drop)
}
