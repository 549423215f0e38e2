//! Strowger: an MQTT broker made of actors, and the commands around it.
//!
//! `command` has the command line, `daemon` the broker's life from start to stop, `policy` its rules, `client` what `pub`
//! and `sub` talk MQTT with. Every way to fail is a [`failure::Failure`], which knows its message and its exit code.

mod client;
mod command;
mod daemon;
mod failure;
mod log;
mod policy;
mod telemetry;

use std::process::ExitCode;

#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    match command::parse() {
        Ok(command) => command::run(command),
        Err(exit_code) => exit_code,
    }
}
