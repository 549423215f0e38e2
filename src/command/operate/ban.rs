//! `strowger ban`: who is kept out, by an operator's word or for misbehaviour.

use clap::{ArgGroup, Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::{Manner, Pages};
use crate::command::remote::listing::Kind::{Instant, Text};
use crate::command::remote::listing::{Column, harmless};
use crate::failure::Failure;

/// List the bans of a broker that runs, add one, or lift one.
///
/// Who is banned is disconnected, and refused when it returns.
///
/// Examples:
///   strowger ban
///   strowger ban add --client sensor-7 --for 3600 --reason "sends nonsense"
///   strowger ban add --address 10.1.0.0/16
#[derive(Debug, Args)]
#[command(verbatim_doc_comment, args_conflicts_with_subcommands = true)]
pub(crate) struct Options {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// List only those with this in whom they keep out, who made them or why
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    #[command(flatten)]
    pages: Pages,
    #[command(flatten)]
    manner: Manner,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Add(Ban),
    /// Lift a ban
    Remove {
        /// The ban, as the list names it
        id: String,
        #[command(flatten)]
        manner: Manner,
    },
}

/// Keep a client, a user or an address out
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("whom").required(true))]
struct Ban {
    /// By its client id
    #[arg(long, value_name = "ID", group = "whom")]
    client: Option<String>,
    /// By its user name
    #[arg(long, value_name = "NAME", group = "whom")]
    username: Option<String>,
    /// By its address, or a network such as 10.1.0.0/16
    #[arg(long, value_name = "ADDRESS", group = "whom")]
    address: Option<String>,
    /// For so many seconds; without it until it is lifted
    #[arg(long = "for", value_name = "SECS")]
    secs: Option<u64>,
    /// Why, for whoever reads the list
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    manner: Manner,
}

const COLUMNS: [Column; 7] = [
    Column("id", "/id", Text),
    Column("kind", "/kind", Text),
    Column("whom", "/value", Text),
    Column("since", "/since_at", Instant),
    Column("until", "/until_at", Instant),
    Column("by", "/by", Text),
    Column("reason", "/reason", Text),
];

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    match &options.verb {
        None => {
            let query = options.search.clone().map(|search| ("search", search));
            let query = query.into_iter().collect();
            options.pages.list(&options.manner, &["bans"], query, &COLUMNS)
        }
        Some(Verb::Add(ban)) => ban.add(),
        Some(Verb::Remove { id, manner }) => {
            let answer = manner.open()?.call(Method::DELETE, &["bans", id], &[], None)?;
            manner.print_done(&answer, &format!("ban {} is lifted", harmless(id)))
        }
    }
}

impl Ban {
    fn add(&self) -> Result<(), Failure> {
        let kinds = [
            ("client_id", &self.client),
            ("username", &self.username),
            ("address", &self.address),
        ];
        let whom = kinds.iter().find_map(|(kind, value)| Some((kind, value.as_ref()?)));
        let Some((kind, value)) = whom else {
            return Err(Failure::Usage(
                "name a --client, a --username or an --address".to_owned(),
            ));
        };
        let body = json!({ "kind": kind, "value": value, "secs": self.secs, "reason": self.reason });
        let answer = self.manner.open()?.call(Method::POST, &["bans"], &[], Some(&body))?;
        let id = answer.get("id").and_then(Value::as_str).unwrap_or_default();
        let words = format!(
            "{} is banned; lift it with `strowger ban remove {}`",
            harmless(value),
            harmless(id)
        );
        let words = match answer.get("complete").and_then(Value::as_bool) {
            Some(false) => format!("{words}; clients of it that are connected are still being disconnected"),
            Some(true) | None => words,
        };
        self.manner.print_done(&answer, &words)
    }
}
