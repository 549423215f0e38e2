//! Commands about a broker that runs, through its API for operators.

mod ban;
mod clients;
mod publish;
mod recorder;
mod retained;
mod subscriptions;
mod top;
mod trace;

use clap::Subcommand;
use serde_json::Value;

use super::remote::listing::{Column, print_json, print_table, say_of_rest};
use super::remote::{self, Remote};
use crate::failure::Failure;

/// The most that one answer lists.
const PAGE_MAX: u32 = 500;
/// The deepest item that a broker lists.
const DEPTH_MAX: u32 = 100_000;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    Clients(Box<clients::Options>),
    Sessions(Box<clients::SessionsOptions>),
    Subscriptions(Box<subscriptions::Options>),
    Retained(Box<retained::Options>),
    Publish(Box<publish::Options>),
    Ban(Box<ban::Options>),
    Top(Box<top::Options>),
    Recorder(Box<recorder::Options>),
    Trace(Box<trace::Options>),
}

impl Verb {
    /// What it is called, for messages.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Clients(_) => "strowger clients",
            Self::Sessions(_) => "strowger sessions",
            Self::Subscriptions(_) => "strowger subscriptions",
            Self::Retained(_) => "strowger retained",
            Self::Publish(_) => "strowger publish",
            Self::Ban(_) => "strowger ban",
            Self::Top(_) => "strowger top",
            Self::Recorder(_) => "strowger recorder",
            Self::Trace(_) => "strowger trace",
        }
    }

    /// Does it.
    ///
    /// # Errors
    ///
    /// No broker answers, or it refuses.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        match self {
            Self::Clients(options) => clients::run(options),
            Self::Sessions(options) => clients::run_sessions(options),
            Self::Subscriptions(options) => subscriptions::run(options),
            Self::Retained(options) => retained::run(options),
            Self::Publish(options) => publish::run(options),
            Self::Ban(options) => ban::run(options),
            Self::Top(options) => top::run(options),
            Self::Recorder(options) => recorder::run(options),
            Self::Trace(options) => trace::run(options),
        }
    }
}

/// Which broker, and how the answer is printed.
#[derive(Debug, clap::Args)]
struct Manner {
    /// Print JSON, as the API answers
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten)]
    remote: remote::Options,
}

impl Manner {
    fn open(&self) -> Result<Remote, Failure> {
        self.remote.open()
    }

    /// Prints one answer about which there is little to say.
    fn print_done(&self, answer: &Value, words: &str) -> Result<(), Failure> {
        match self.json {
            true => print_json(answer),
            false => crate::command::print(format!("{words}\n").as_bytes()).map(drop),
        }
    }
}

/// Which part of a list, in which order.
#[derive(Debug, clap::Args)]
struct Part {
    /// List only what contains this
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Sort by this; with - in front, the largest first
    #[arg(long, value_name = "KEY", allow_hyphen_values = true)]
    sort: Option<String>,
    #[command(flatten)]
    pages: Pages,
}

/// Which pages of a list.
#[derive(Debug, clap::Args)]
struct Pages {
    /// At most so many at a time, up to 500
    #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=i64::from(PAGE_MAX)))]
    limit: u32,
    /// Which page, from 1
    #[arg(long, value_name = "NUMBER", default_value_t = 1, conflicts_with = "all")]
    page: u32,
    /// All pages, to the 100,000th item
    #[arg(long)]
    all: bool,
}

impl Part {
    fn query(&self) -> Vec<(&'static str, String)> {
        let mut query = Vec::new();
        query.extend(self.search.clone().map(|search| ("search", search)));
        query.extend(self.sort.clone().map(|sort| ("sort", sort)));
        query
    }

    /// As [`Pages::list`].
    fn list(
        &self,
        manner: &Manner,
        path: &[&str],
        mut query: Vec<(&'static str, String)>,
        columns: &[Column],
    ) -> Result<(), Failure> {
        query.extend(self.query());
        self.pages.list(manner, path, query, columns)
    }
}

impl Pages {
    /// Asks for one page, or for all, and prints what came.
    fn list(
        &self,
        manner: &Manner,
        path: &[&str],
        query: Vec<(&'static str, String)>,
        columns: &[Column],
    ) -> Result<(), Failure> {
        let remote = manner.open()?;
        let limit = if self.all { PAGE_MAX } else { self.limit };
        let ask = |page: u32| {
            let mut query = query.clone();
            query.extend([("limit", limit.to_string()), ("page", page.to_string())]);
            remote.get(path, &query)
        };
        let mut answer = ask(self.page)?;
        let mut items = take_items(&mut answer);
        if self.all {
            for page in 2..=DEPTH_MAX / PAGE_MAX {
                if items.len() >= usize::try_from(total(&answer)).unwrap_or(usize::MAX) {
                    break;
                }
                let mut next = ask(page)?;
                let more = take_items(&mut next);
                if more.is_empty() {
                    break;
                }
                items.extend(more);
            }
        }
        let (shown, what) = (items.len(), path.last().unwrap_or(&"items"));
        match manner.json {
            true => print_json(&Value::Array(items))?,
            false => print_table(columns, &items)?,
        }
        if self.all && shown >= DEPTH_MAX as usize && total(&answer) > shown as u64 {
            let all = total(&answer);
            let why =
                format!("these are the first {shown} of {all} {what}; list the others apart, by --search and the like");
            return Err(Failure::Denied(why));
        }
        if !manner.json {
            say_of_rest(&answer, shown, what);
        }
        Ok(())
    }
}

fn total(answer: &Value) -> u64 {
    answer.get("total").and_then(Value::as_u64).unwrap_or_default()
}

fn take_items(answer: &mut Value) -> Vec<Value> {
    match answer.get_mut("items").map(Value::take) {
        Some(Value::Array(items)) => items,
        Some(_) | None => Vec::new(),
    }
}
