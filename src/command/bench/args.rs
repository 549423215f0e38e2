//! The options of `strowger bench`: what each scenario may be told, and the plans that come of it.

mod sizes;
mod target;

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Subcommand};
use strowger_client::load::{Plan, Scenario, Version};

use super::suite;
use sizes::{Connect, Durable, Fanin, Fanout, Idle, Latency, Offline, Pairs, Retained, Stalled, Wildcards};

pub(super) use sizes::Sizes;
pub(super) use target::Brokers;

/// What to do to the brokers.
#[derive(Debug, Subcommand)]
pub(super) enum Job {
    /// Pairs: each publisher has one subscriber of its own
    P2p(Box<Run<Pairs>>),
    /// Many publishers, few subscribers, each of which hears an equal share
    #[command(alias = "fan-in")]
    Fanin(Box<Run<Fanin>>),
    /// One publisher, many subscribers of the one topic
    #[command(alias = "fan-out")]
    Fanout(Box<Run<Fanout>>),
    /// Topic filters by the hundred thousand, half of them with wildcards
    Wildcards(Box<Run<Wildcards>>),
    /// Clients that connect and disconnect again and again
    Connect(Box<Run<Connect>>),
    /// Connections that wait: what each takes of the broker's memory; then each gets a message
    ///
    /// A broker keeps the memory of connections that it had before, so start it afresh for each run.
    Idle(Box<Run<Idle>>),
    /// A steady rate: how long deliveries take
    Latency(Box<Run<Latency>>),
    /// Sessions that are away while messages arrive for them
    Offline(Box<Run<Offline>>),
    /// Pairs whose subscribers have sessions that stay: what an acknowledgement costs and how long it takes
    ///
    /// Each message has to be kept until its subscriber has it; how surely, the broker's settings say. Latencies are
    /// those of acknowledgements.
    Durable(Box<Run<Durable>>),
    /// Retained messages, and subscribers that get all of them
    Retained(Box<Run<Retained>>),
    /// A steady rate to subscribers of which one stops reading: how the others fare
    Stalled(Box<Run<Stalled>>),
    /// All scenarios, at sizes that fit this machine, in one table
    ///
    /// Start the brokers afresh: the rows on memory come first and are true of the first round only.
    Suite(Box<suite::Options>),
}

/// A scenario with its sizes.
#[derive(Debug, Args)]
#[group(skip)]
#[command(disable_help_flag = true)]
pub(super) struct Run<S: Args> {
    #[command(flatten)]
    pub(super) sizes: S,
    #[command(flatten)]
    pub(super) common: Common,
}

/// What every job may be told.
#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct Common {
    #[command(flatten)]
    pub(super) brokers: Brokers,
    #[command(flatten)]
    pub(super) generator: Generator,
    #[command(flatten)]
    pub(super) output: Output,
    /// Print help
    #[arg(long, action = ArgAction::HelpLong)]
    help: Option<bool>,
}

/// How the load is generated.
#[derive(Debug, Args)]
#[group(skip)]
#[command(next_help_heading = "Generator")]
pub(super) struct Generator {
    /// Protocol version: 311 or 5 [default: 311; durable: 5]
    #[arg(short = 'V', long, alias = "mqtt-version", value_name = "VERSION", value_parser = version)]
    protocol_version: Option<Version>,
    /// Threads of the generator
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = some)]
    threads: u32,
    /// Spread connections to a loopback broker over this many source addresses [default: 1; connect, idle: 20]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=250))]
    sources: Option<u32>,
    /// Connections opened per second, 0 for as many as the broker takes [default: 900; connect, offline: 0]
    #[arg(long, value_name = "RATE")]
    connect_rate: Option<u32>,
    /// Give up after this long without any progress
    #[arg(long, value_name = "SECS", default_value = "10", value_parser = span)]
    patience: Duration,
}

impl Generator {
    /// A scenario's standard plan with these options; `is_local` if all brokers are on loopback.
    pub(super) fn plan(&self, scenario: Scenario, is_local: bool) -> Plan {
        let plan = Plan::of(scenario);
        let sources = self.sources.unwrap_or(if is_local { plan.sources } else { 1 });
        Plan {
            version: self.protocol_version.unwrap_or(plan.version),
            threads: self.threads,
            sources,
            connect_rate: self.connect_rate.unwrap_or(plan.connect_rate),
            patience: self.patience,
            ..plan
        }
    }
}

/// What is printed and written.
#[derive(Debug, Args)]
#[group(skip)]
#[command(next_help_heading = "Output")]
pub(super) struct Output {
    /// Print JSON, as `strowger bench --help` describes it
    #[arg(long)]
    pub(super) json: bool,
    /// Also write a report as one HTML page
    #[arg(long, value_name = "FILE")]
    pub(super) html: Option<PathBuf>,
}

/// A whole number from 1 up.
pub(super) fn some(text: &str) -> Result<u32, String> {
    text.parse()
        .ok()
        .filter(|number| *number > 0)
        .ok_or_else(|| format!("a whole number from 1 to {} is wanted", u32::MAX))
}

fn rate(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|rate: &f64| rate.is_finite() && *rate > 0.0)
        .ok_or_else(|| "messages per second are wanted, such as 5000".to_owned())
}

/// Seconds, with or without a fraction.
pub(super) fn span(text: &str) -> Result<Duration, String> {
    text.parse()
        .ok()
        .and_then(|secs| Duration::try_from_secs_f64(secs).ok())
        .ok_or_else(|| "seconds are wanted, such as 5 or 0.5".to_owned())
}

fn version(text: &str) -> Result<Version, String> {
    match text {
        "311" | "3.1.1" | "mqttv311" => Ok(Version::V311),
        "5" | "5.0" | "50" | "mqttv5" | "mqttv50" => Ok(Version::V5),
        _ => Err("311 or 5 is wanted".to_owned()),
    }
}

#[cfg(test)]
mod tests;
