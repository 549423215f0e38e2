//! `strowger subscriptions`: who has subscribed to what.

use clap::{Args, Subcommand};
use reqwest::Method;

use super::{Manner, Part};
use crate::command::remote::listing::Kind::{Number, Text};
use crate::command::remote::listing::{Column, harmless};
use crate::failure::Failure;

/// List the subscriptions of a broker that runs, or end one.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Options {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// List only those of this client
    #[arg(long, value_name = "ID")]
    client: Option<String>,
    /// List only those that a message on this topic goes to
    #[arg(long, value_name = "TOPIC")]
    topic: Option<String>,
    #[command(flatten)]
    part: Part,
    #[command(flatten)]
    manner: Manner,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// End one subscription of a client
    Delete {
        /// The client id
        client: String,
        /// The topic filter as the client subscribed to it
        filter: String,
        #[command(flatten)]
        manner: Manner,
    },
}

const COLUMNS: [Column; 7] = [
    Column("client", "/client_id", Text),
    Column("filter", "/filter", Text),
    Column("group", "/share", Text),
    Column("qos", "/qos", Number),
    Column("no local", "/no_local", Text),
    Column("as published", "/retain_as_published", Text),
    Column("id", "/subscription_id", Number),
];

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let Some(Verb::Delete { client, filter, manner }) = &options.verb else {
        let mut query = Vec::new();
        query.extend(options.client.clone().map(|client| ("client_id", client)));
        query.extend(options.topic.clone().map(|topic| ("topic", topic)));
        return options.part.list(&options.manner, &["subscriptions"], query, &COLUMNS);
    };
    let path = ["clients", client, "subscriptions"];
    let query = [("filter", filter.clone())];
    let answer = manner.open()?.call(Method::DELETE, &path, &query, None)?;
    let (client, filter) = (harmless(client), harmless(filter));
    manner.print_done(&answer, &format!("{client} is not subscribed to {filter} any more"))
}
