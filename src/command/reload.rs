//! `strowger reload`: has a broker read its files again.

use clap::Args;

use super::control::Broker;
use super::print;
use crate::failure::Failure;

/// Have the broker on this machine read its files again, as SIGHUP does.
///
/// What has changed is printed, a line each.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    broker: Broker,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let changes = options.broker.ask("reload 1", "changed nothing")?;
    print(changes.as_bytes()).map(drop)
}
