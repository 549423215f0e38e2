//! `strowger recorder`: what happened to a client, and why it is not connected.

use std::path::PathBuf;

use clap::Args;
use reqwest::Method;
use serde_json::Value;

use super::Manner;
use crate::command::print;
use crate::command::remote::listing::{harmless, print_json};
use crate::failure::Failure;

/// Letters of a payload that are shown.
const PAYLOAD_LETTERS_MAX: usize = 60;

/// Say what happened to a client last, and why it is not connected.
///
/// The broker remembers the last packets of each client and what it decided about them, also of one that is gone or was
/// never let in. An address, with or without its port, stands for all that were not let in from there. Passwords are left
/// out.
///
/// Examples:
///   strowger recorder sensor-7
///   strowger recorder 10.1.2.3
///   strowger recorder sensor-7 --pcapng sensor-7.pcapng && tshark -r sensor-7.pcapng
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Options {
    /// The client id, or an address
    client: String,
    /// Write the packets into this file, for Wireshark; decisions are comments in it
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    pcapng: Option<PathBuf>,
    #[command(flatten)]
    manner: Manner,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let remote = options.manner.open()?;
    let path = ["clients", &options.client, "recorder"];
    if let Some(file) = &options.pcapng {
        let mut answer = remote.send(Method::GET, &path, &[("format", "pcapng".to_owned())], None)?;
        let write = |error| Failure::io(format!("write {}", file.display()))(error);
        let mut out = std::fs::File::create(file).map_err(write)?;
        return std::io::copy(&mut answer, &mut out).map(drop).map_err(write);
    }
    let story = remote.get(&path, &[])?;
    if options.manner.json {
        return print_json(&story);
    }
    print(told(&story).as_bytes()).map(drop)
}

/// The story for people: a line for each thing that happened, and at the end why the client is not connected.
fn told(story: &Value) -> String {
    let items = story.get("items").and_then(Value::as_array);
    let mut text = String::new();
    let mut day = String::new();
    let asked = text_of(story, "client_id");
    for item in items.into_iter().flatten() {
        let (date, line) = line_of(item, asked);
        if date != day {
            text.push_str(&format!("{date} (UTC)\n"));
            day = date;
        }
        text.push_str(&line);
        text.push('\n');
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(&harmless(text_of(story, "verdict")));
    text.push('\n');
    text
}

/// One thing that happened: its date, and a line that begins with its time.
pub(super) fn line_of(item: &Value, asked: &str) -> (String, String) {
    let (date, time) = text_of(item, "at").split_once('T').unwrap_or_default();
    let time = time.trim_end_matches('Z');
    let other = text_of(item, "client_id");
    let other = if other == asked || other.is_empty() {
        String::new()
    } else {
        format!(" ({})", harmless(other))
    };
    let text = harmless(text_of(item, "text"));
    let line = match text_of(item, "direction") {
        "in" => format!("  < {} {text}{}", text_of(item, "packet"), payload(item)),
        "out" => format!("  > {} {text}{}", text_of(item, "packet"), payload(item)),
        _ => {
            let times = item.get("times").and_then(Value::as_u64).unwrap_or(1);
            let kind = text_of(item, "kind");
            let again = if times > 1 && kind != "gap" {
                format!(" ({times} times)")
            } else {
                String::new()
            };
            let from = match (kind, text_of(item, "address")) {
                ("refused", from) if !from.is_empty() => format!(" from {from}"),
                _ => String::new(),
            };
            format!("* {kind}{from}: {text}{again}")
        }
    };
    (date.to_owned(), format!("{time} {}{other}", line.trim_end()))
}

/// The start of what a PUBLISH carries.
fn payload(item: &Value) -> String {
    if let Some(payload) = item
        .get("payload")
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
    {
        let start: String = payload.chars().take(PAYLOAD_LETTERS_MAX).collect();
        let more = if start.len() < payload.len() { "…" } else { "" };
        return format!(" \"{}{more}\"", harmless(&start));
    }
    match item.get("payload_base64").and_then(Value::as_str) {
        Some(payload) => {
            let start: String = payload.chars().take(PAYLOAD_LETTERS_MAX).collect();
            format!(" base64 {start}")
        }
        None => String::new(),
    }
}

pub(super) fn text_of<'a>(item: &'a Value, key: &str) -> &'a str {
    item.get(key).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_story_ends_with_why_the_client_is_not_there() {
        let story = json!({
            "client_id": "a", "connected": false, "verdict": "a is not connected: it disconnected by itself",
            "items": [
                {"at": "2026-11-23T10:00:00.123Z", "kind": "connected", "client_id": "a", "text": "connection from b",
                 "times": 1},
                {"at": "2026-11-23T10:00:00.125Z", "kind": "packet", "client_id": "a", "direction": "in",
                 "packet": "PUBLISH", "text": "q0 t (3 bytes)", "payload": "x\u{1b}[0m"},
                {"at": "2026-11-24T10:00:00.125Z", "kind": "denied", "client_id": "a", "text": "PUBLISH refused",
                 "times": 4},
            ],
        });
        let lines = [
            "2026-11-23 (UTC)",
            "10:00:00.123 * connected: connection from b",
            "10:00:00.125   < PUBLISH q0 t (3 bytes) \"x\\u{1b}[0m\"",
            "2026-11-24 (UTC)",
            "10:00:00.125 * denied: PUBLISH refused (4 times)",
            "",
            "a is not connected: it disconnected by itself",
            "",
        ];
        assert_eq!(told(&story), lines.join("\n"));
    }
}
