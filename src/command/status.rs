//! `strowger status`: how a broker fares.

use std::fmt::Write;

use clap::Args;
use serde_json::{Map, Value, json};

use super::control::{Broker, Status};
use super::print;
use crate::failure::Failure;

/// What is told in numbers, in this order.
const NUMBERS: [(&str, &str); 6] = [
    ("lines", "lines"),
    ("connections", "connections"),
    ("sessions", "sessions"),
    ("subscriptions", "subscriptions"),
    ("retained", "retained messages"),
    ("queued", "queued messages"),
];

/// Say how the broker on this machine fares.
///
/// The exit code is 0 when it answers, whatever its state, and 69 when none does.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    broker: Broker,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let status = options.broker.status()?;
    let text = if options.json {
        for_machines(&status)
    } else {
        for_people(&status)
    };
    print(text.as_bytes()).map(drop)
}

fn for_people(status: &Status) -> String {
    let mut text = format!(
        "strowger {}, process {}: {} since {}\n",
        status.text("version"),
        status.text("pid"),
        status.text("state"),
        duration(status.number("uptime_secs"))
    );
    let upgrades = status.number("upgrades");
    // Writing to a String does not fail.
    if upgrades > 0 {
        let _ = writeln!(text, "  {:<18} {upgrades}", "upgrades in place");
    }
    if !status.text("upgrade_failure").is_empty() {
        let _ = writeln!(text, "  {:<18} {}", "upgrade failed", status.text("upgrade_failure"));
    }
    for (word, name) in NUMBERS {
        let _ = writeln!(text, "  {name:<18} {}", status.text(word));
    }
    for [name, place, transport] in &status.listeners {
        let _ = writeln!(text, "  {:<18} {name} on {place} over {transport}", "listener");
    }
    text
}

/// Seconds for people: `3 days 4 h`.
fn duration(secs: u64) -> String {
    match (secs / 86_400, secs / 3600 % 24, secs / 60 % 60, secs % 60) {
        (0, 0, 0, secs) => format!("{secs} s"),
        (0, 0, minutes, secs) => format!("{minutes} min {secs} s"),
        (0, hours, minutes, _) => format!("{hours} h {minutes} min"),
        (days, hours, _, _) => format!("{days} days {hours} h"),
    }
}

fn for_machines(status: &Status) -> String {
    let mut object = Map::new();
    for word in ["version", "state"] {
        object.insert(word.to_owned(), json!(status.text(word)));
    }
    for word in ["pid", "uptime_secs", "upgrades"] {
        object.insert(word.to_owned(), json!(status.number(word)));
    }
    for (word, _) in NUMBERS {
        object.insert(word.to_owned(), json!(status.number(word)));
    }
    let failure = status.text("upgrade_failure");
    let failure = if failure.is_empty() {
        Value::Null
    } else {
        json!(failure)
    };
    object.insert("upgrade_failure".to_owned(), failure);
    let listeners = status.listeners.iter();
    let listeners = listeners.map(|[name, place, over]| json!({"name": name, "address": place, "transport": over}));
    object.insert("listeners".to_owned(), listeners.collect());
    format!("{}\n", Value::Object(object))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_for_people() {
        let said = [5, 65, 3661, 90_061].map(duration);
        assert_eq!(said, ["5 s", "1 min 5 s", "1 h 1 min", "1 days 1 h"]);
    }
}
