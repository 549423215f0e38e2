//! `strowger retained`: what is retained, where, and clearing it.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::{Manner, PAGE_MAX, take_items};
use crate::command::remote::listing::Kind::{Bytes, Instant, Number, Text};
use crate::command::remote::listing::{Column, harmless, print_json, print_table};
use crate::command::say;
use crate::failure::Failure;

/// List the retained messages of a broker that runs, print one, or clear some.
///
/// Examples:
///   strowger retained "plant/+/state"
///   strowger retained get plant/7/state
///   strowger retained delete "old/#" --dry-run
#[derive(Debug, Args)]
#[command(verbatim_doc_comment, args_conflicts_with_subcommands = true)]
pub(crate) struct Options {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// List only those that this topic filter matches
    filter: Option<String>,
    /// List only those with this in their topic
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// At most so many
    #[arg(long, value_name = "COUNT", default_value_t = 50)]
    limit: usize,
    #[command(flatten)]
    manner: Manner,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Write the payload of one to standard output
    Get {
        /// The topic
        topic: String,
        #[command(flatten)]
        manner: Manner,
    },
    /// Clear those that a topic filter matches
    Delete {
        /// The topic filter
        filter: String,
        /// Say how many there are, and clear none
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        manner: Manner,
    },
}

const COLUMNS: [Column; 6] = [
    Column("topic", "/topic", Text),
    Column("qos", "/qos", Number),
    Column("size", "/payload_bytes", Bytes),
    Column("published", "/published_at", Instant),
    Column("expires", "/expires_at", Instant),
    Column("client", "/client_id", Text),
];

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    match &options.verb {
        None => options.list(),
        Some(Verb::Get { topic, manner }) => get(topic, manner),
        Some(Verb::Delete {
            filter,
            dry_run,
            manner,
        }) => delete(filter, *dry_run, manner),
    }
}

impl Options {
    /// Asks on and on until there are as many as wanted.
    fn list(&self) -> Result<(), Failure> {
        let remote = self.manner.open()?;
        let (mut items, mut cursor) = (Vec::new(), None);
        loop {
            let missing = self.limit.saturating_sub(items.len()).min(PAGE_MAX as usize);
            let mut query = vec![("limit", missing.max(1).to_string())];
            query.extend(self.filter.clone().map(|filter| ("filter", filter)));
            query.extend(self.search.clone().map(|search| ("search", search)));
            query.extend(cursor.take().map(|cursor| ("cursor", cursor)));
            let mut answer = remote.get(&["retained"], &query)?;
            items.extend(take_items(&mut answer));
            cursor = answer.get("next").and_then(Value::as_str).map(str::to_owned);
            if cursor.is_none() || items.len() >= self.limit {
                break;
            }
        }
        if self.manner.json {
            return print_json(&Value::Array(items));
        }
        print_table(&COLUMNS, &items)?;
        if cursor.is_some() {
            say(&format!(
                "there are more than {}; ask for more with --limit",
                items.len()
            ));
        }
        Ok(())
    }
}

/// Asks on and on until all are gone.
fn delete(filter: &str, dry_run: bool, manner: &Manner) -> Result<(), Failure> {
    let remote = manner.open()?;
    let query = [("filter", filter.to_owned()), ("dry_run", dry_run.to_string())];
    let (mut matched, mut deleted) = (0, 0);
    let is_complete = loop {
        let answer = remote.call(Method::DELETE, &["retained"], &query, None)?;
        let count = |key| answer.get(key).and_then(Value::as_u64).unwrap_or_default();
        matched += count("matched");
        deleted += count("deleted");
        let is_complete = answer.get("complete").and_then(Value::as_bool).unwrap_or(true);
        if is_complete || dry_run || count("deleted") == 0 {
            break is_complete;
        }
    };
    let filter = harmless(filter);
    let words = match (dry_run, is_complete) {
        (true, true) => format!("{filter} matches {matched}; none is cleared"),
        (true, false) => format!("{filter} matches {matched} and more; none is cleared"),
        (false, true) => format!("{deleted} cleared"),
        (false, false) => format!("{deleted} cleared, and there are more"),
    };
    let answer = json!({ "matched": matched, "deleted": deleted, "complete": is_complete });
    manner.print_done(&answer, &words)
}

fn get(topic: &str, manner: &Manner) -> Result<(), Failure> {
    let answer = manner
        .open()?
        .get(&["retained", "message"], &[("topic", topic.to_owned())])?;
    if manner.json {
        return print_json(&answer);
    }
    let text = |key| answer.get(key).and_then(Value::as_str);
    let payload = match (text("payload"), text("payload_base64")) {
        (Some(payload), _) => payload.as_bytes().to_vec(),
        (None, Some(payload)) => STANDARD.decode(payload).unwrap_or_default(),
        (None, None) => Vec::new(),
    };
    let mut out = std::io::stdout().lock();
    let written = out.write_all(&payload).and_then(|()| out.flush());
    written.map_err(Failure::io("write to standard output"))
}
