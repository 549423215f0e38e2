//! `strowger-load`: a small MQTT load generator.
//!
//! It answers two questions about any broker: what does a delivered message cost it in CPU time, and did every message
//! arrive once and in order? It is one thread on one epoll, far cheaper per message than a broker, so that on a small
//! machine the broker gets the rest. It is no client library and no conformance test: it speaks the part of
//! MQTT 3.1.1 that a load needs.

mod args;
mod clock;
mod failure;
mod fleet;
mod frame;
mod histogram;
mod link;
mod process;
mod report;
mod scenario;
mod traffic;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

/// A delivery is missing, came twice or out of order.
const FAULTY: u8 = 1;
/// The run could not be carried out.
const FAILED: u8 = 3;

fn main() -> ExitCode {
    let cli = args::Cli::parse();
    let played = process::raise_descriptor_limit()
        .map_err(failure::Failure::from)
        .and_then(|()| scenario::play(&cli.run, &cli.scenario));
    let report = match played {
        Ok(report) => report,
        Err(failure) => {
            // Nobody is left to tell if stderr is gone.
            let _ = writeln!(io::stderr(), "strowger-load: {failure}");
            return ExitCode::from(FAILED);
        }
    };
    let line = if cli.run.json {
        report.to_json()
    } else {
        report.to_line()
    };
    match writeln!(io::stdout(), "{line}") {
        Ok(()) if report.is_faulty() => ExitCode::from(FAULTY),
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(FAILED),
    }
}
