//! `strowger clients` and `strowger sessions`: who is connected, who is away, what is known of one; and ending either.

use clap::{Args, Subcommand, ValueEnum};
use reqwest::Method;
use serde_json::json;

use super::{Manner, Part};
use crate::command::remote::listing::Kind::{Bytes, Instant, Number, Seconds, Text};
use crate::command::remote::listing::{Column, harmless, print_facts, print_json};
use crate::failure::Failure;

/// List the clients of a broker that runs, show one, or disconnect it.
///
/// Examples:
///   strowger clients --sort -queued
///   strowger clients show sensor-7
///   strowger clients disconnect sensor-7 --reason "replaced"
#[derive(Debug, Args)]
#[command(verbatim_doc_comment, args_conflicts_with_subcommands = true)]
pub(crate) struct Options {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    part: Part,
    #[command(flatten)]
    manner: Manner,
}

/// List the sessions of a broker that runs, those of absent clients among them, or end one.
///
/// Ending a session drops its subscriptions and what waits in it, and disconnects its client.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct SessionsOptions {
    #[command(subcommand)]
    verb: Option<SessionsVerb>,
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    part: Part,
    #[command(flatten)]
    manner: Manner,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show all that is known of one client
    Show(One),
    /// End a client's connection; its session stays
    Disconnect {
        #[command(flatten)]
        one: One,
        /// Tell the client why (5.0)
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
enum SessionsVerb {
    /// Show one session
    Show(One),
    /// End a session with all that waits in it
    Delete(One),
}

/// One client.
#[derive(Debug, Args)]
struct One {
    /// The client id
    client: String,
    #[command(flatten)]
    manner: Manner,
}

/// Which of them.
#[derive(Debug, Args)]
struct Filter {
    /// List only those that are connected or away
    #[arg(long, value_name = "STATE")]
    state: Option<State>,
    /// List only those of this user
    #[arg(long, value_name = "NAME")]
    username: Option<String>,
    /// List only those that came in by this listener
    #[arg(long, value_name = "NAME")]
    listener: Option<String>,
    /// List only those that speak this version: 3.1, 3.1.1 or 5.0
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum State {
    Connected,
    Away,
    All,
}

const COLUMNS: [Column; 11] = [
    Column("client", "/client_id", Text),
    Column("user", "/username", Text),
    Column("state", "/state", Text),
    Column("address", "/address", Text),
    Column("listener", "/listener", Text),
    Column("mqtt", "/version", Text),
    Column("connected", "/connected_at", Instant),
    Column("left", "/left_at", Instant),
    Column("subscriptions", "/subscriptions", Number),
    Column("queued", "/queued", Number),
    Column("in flight", "/inflight", Number),
];

const FACTS: [Column; 27] = [
    Column("client", "/client_id", Text),
    Column("user", "/username", Text),
    Column("groups", "/groups", Text),
    Column("state", "/state", Text),
    Column("address", "/address", Text),
    Column("listener", "/listener", Text),
    Column("MQTT", "/version", Text),
    Column("line", "/line", Number),
    Column("connected at", "/connected_at", Instant),
    Column("left at", "/left_at", Instant),
    Column("expires at", "/expires_at", Instant),
    Column("session expiry", "/expiry_secs", Seconds),
    Column("keep alive", "/keep_alive_secs", Seconds),
    Column("clean start", "/clean_start", Text),
    Column("persisted", "/persisted", Text),
    Column("subscriptions", "/subscriptions", Number),
    Column("messages queued", "/queue/messages", Number),
    Column("bytes queued", "/queue/bytes", Bytes),
    Column("oldest queued", "/queue/oldest_age_secs", Seconds),
    Column("in flight", "/inflight", Number),
    Column("awaiting PUBREL", "/awaiting_pubrel", Number),
    Column("held until", "/held_until", Instant),
    Column("packets in", "/packets_in", Number),
    Column("packets out", "/packets_out", Number),
    Column("will topic", "/will/topic", Text),
    Column("will QoS", "/will/qos", Number),
    Column("will delay", "/will/delay_secs", Seconds),
];

impl Filter {
    fn query(&self, otherwise: State) -> Vec<(&'static str, String)> {
        let state = match self.state.unwrap_or(otherwise) {
            State::Connected => "connected",
            State::Away => "away",
            State::All => "all",
        };
        let mut query = vec![("state", state.to_owned())];
        for (key, value) in [
            ("username", &self.username),
            ("listener", &self.listener),
            ("version", &self.version),
        ] {
            query.extend(value.clone().map(|value| (key, value)));
        }
        query
    }
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    match &options.verb {
        None => {
            let query = options.filter.query(State::Connected);
            options.part.list(&options.manner, &["clients"], query, &COLUMNS)
        }
        Some(Verb::Show(one)) => one.show(),
        Some(Verb::Disconnect { one, reason }) => {
            let body = json!({ "reason": reason });
            let path = ["clients", &one.client, "connection"];
            let answer = one.manner.open()?.call(Method::DELETE, &path, &[], Some(&body))?;
            one.manner
                .print_done(&answer, &format!("{} is disconnected", harmless(&one.client)))
        }
    }
}

pub(super) fn run_sessions(options: &SessionsOptions) -> Result<(), Failure> {
    match &options.verb {
        None => {
            let query = options.filter.query(State::All);
            options.part.list(&options.manner, &["sessions"], query, &COLUMNS)
        }
        Some(SessionsVerb::Show(one)) => one.show(),
        Some(SessionsVerb::Delete(one)) => {
            let answer = one
                .manner
                .open()?
                .call(Method::DELETE, &["clients", &one.client], &[], None)?;
            one.manner
                .print_done(&answer, &format!("the session of {} has ended", harmless(&one.client)))
        }
    }
}

impl One {
    fn show(&self) -> Result<(), Failure> {
        let answer = self.manner.open()?.get(&["clients", &self.client], &[])?;
        match self.manner.json {
            true => print_json(&answer),
            false => print_facts(&FACTS, &answer),
        }
    }
}
