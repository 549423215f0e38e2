//! `strowger store stat`: how much a store holds.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use storage::Inspection;

use super::{Directory, as_date, in_units};
use crate::command::print;
use crate::failure::Failure;

/// Say how much a store holds.
///
/// Sessions, subscriptions, messages that wait, are under way or travel between lines, retained messages and wills; the longest queues; what
/// journal and engine take on the disk. All of it is read for that. The broker has to be stopped; nothing is changed,
/// except that opening the engine lets the engine put its own files in order.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    directory: Directory,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Stat {
    directory: PathBuf,
    format_version: u32,
    engine: String,
    last_time_ms: u64,
    journal_bytes: u64,
    engine_bytes: u64,
    sessions: u64,
    subscriptions: u64,
    queued_messages: u64,
    queued_bytes: u64,
    in_transit_messages: u64,
    in_transit_bytes: u64,
    in_flight: u64,
    awaiting_pubcomp: u64,
    awaiting_pubrel: u64,
    shared_messages: u64,
    retained_messages: u64,
    retained_bytes: u64,
    wills: u64,
    graves: u64,
    longest_queues: Vec<Queue>,
}

#[derive(Serialize)]
struct Queue {
    client_id: String,
    session: u64,
    messages: u64,
    bytes: u64,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let stat = Inspection::open(&options.directory.path()?)?.stat()?;
    let queue = |queue: &storage::QueueStat| Queue {
        client_id: queue.client_id.to_string(),
        session: queue.session.0,
        messages: queue.messages,
        bytes: queue.bytes,
    };
    let stat = Stat {
        directory: stat.directory,
        format_version: stat.format.version,
        engine: stat.format.engine,
        last_time_ms: stat.stamp.time_ms,
        journal_bytes: stat.journal_bytes,
        engine_bytes: stat.engine_bytes,
        sessions: stat.sessions,
        subscriptions: stat.subscriptions,
        queued_messages: stat.queued,
        queued_bytes: stat.queued_bytes,
        in_transit_messages: stat.in_transit,
        in_transit_bytes: stat.in_transit_bytes,
        in_flight: stat.in_flight,
        awaiting_pubcomp: stat.released,
        awaiting_pubrel: stat.received,
        shared_messages: stat.shared,
        retained_messages: stat.retained,
        retained_bytes: stat.retained_bytes,
        wills: stat.wills,
        graves: stat.graves,
        longest_queues: stat.longest.iter().map(queue).collect(),
    };
    let text = match options.json {
        true => to_json(&stat)?,
        false => in_words(&stat),
    };
    print(text.as_bytes()).map(drop)
}

/// One JSON object and the end of the line.
pub(super) fn to_json(value: &impl Serialize) -> Result<String, Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Failure::Io {
        doing: "write JSON".to_owned(),
        source: error.into(),
    })?;
    Ok(text + "\n")
}

fn in_words(stat: &Stat) -> String {
    let mut text = format!(
        "{}: format {}, engine {}\n",
        stat.directory.display(),
        stat.format_version,
        stat.engine
    );
    let lines = [
        ("last time", as_date(stat.last_time_ms)),
        ("journal", in_units(stat.journal_bytes)),
        ("engine", in_units(stat.engine_bytes)),
        ("sessions", stat.sessions.to_string()),
        ("subscriptions", stat.subscriptions.to_string()),
        (
            "queued",
            format!("{} messages, {}", stat.queued_messages, in_units(stat.queued_bytes)),
        ),
        (
            "between lines",
            format!(
                "{} messages on their way, {}",
                stat.in_transit_messages,
                in_units(stat.in_transit_bytes)
            ),
        ),
        (
            "in flight",
            format!("{}, awaiting PUBCOMP {}", stat.in_flight, stat.awaiting_pubcomp),
        ),
        ("from clients", format!("{} awaiting PUBREL", stat.awaiting_pubrel)),
        ("shared bodies", stat.shared_messages.to_string()),
        (
            "retained",
            format!("{} messages, {}", stat.retained_messages, in_units(stat.retained_bytes)),
        ),
        ("wills", stat.wills.to_string()),
        (
            "graves",
            format!("{} sessions that ended and have records left", stat.graves),
        ),
    ];
    for (name, value) in lines {
        let _ = writeln!(text, "{name:<14} {value}");
    }
    if !stat.longest_queues.is_empty() {
        text += "longest queues:\n";
    }
    for queue in &stat.longest_queues {
        let size = in_units(queue.bytes);
        let _ = writeln!(
            text,
            "  {:>10} messages {size:>12}  {:?}",
            queue.messages, queue.client_id
        );
    }
    text
}
