//! `strowger trace`: a client's packets and what is decided about it, while it happens.

use std::io::{BufRead, BufReader};

use clap::Args;
use serde_json::Value;

use super::Manner;
use super::recorder::{line_of, text_of};
use crate::command::{Reader, print};
use crate::failure::Failure;

/// Show each packet of a client and each decision about it, while it happens, until you interrupt it.
///
/// The client need not be connected yet. Passwords are left out.
///
/// Examples:
///   strowger trace sensor-7
///   strowger trace sensor-7 --json | jq .text
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Options {
    /// The client id
    client: String,
    #[command(flatten)]
    manner: Manner,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let remote = options.manner.open()?;
    let answer = remote.follow(&["clients", &options.client, "trace"])?;
    for line in BufReader::new(answer).lines() {
        let line = line.map_err(Failure::io("read the broker's answer"))?;
        let Some(data) = line.strip_prefix("data: ") else {
            continue;
        };
        let item: Value = serde_json::from_str(data).unwrap_or_default();
        let shown = match (options.manner.json, item.get("missed").and_then(Value::as_u64)) {
            (true, _) => format!("{data}\n"),
            (false, Some(missed)) => format!("... {missed} records were missed\n"),
            (false, None) if text_of(&item, "at").is_empty() => continue,
            (false, None) => format!("{}\n", line_of(&item, &options.client).1),
        };
        if print(shown.as_bytes())? == Reader::Gone {
            return Ok(());
        }
    }
    Ok(())
}
