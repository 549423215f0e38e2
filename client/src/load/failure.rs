//! Why a run could not be carried out, by culprit. Loss is no failure: it is an outcome.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// What kept a run from giving figures.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The plan contradicts itself, the target or this machine.
    #[error("{problem}: {remedy}")]
    Unfit {
        /// What does not fit.
        problem: String,
        /// What to change.
        remedy: String,
    },
    /// The kernel refused a connection, mostly because nothing listens there.
    #[error("cannot connect to {address}: {source}: is a broker listening there?")]
    Connect {
        /// Where the broker should be.
        address: SocketAddr,
        /// What the kernel said.
        source: io::Error,
    },
    /// The broker said no to a CONNECT or a SUBSCRIBE.
    #[error("the broker refused the {packet} of client {client} with code {code:#04x}: {remedy}")]
    Refused {
        /// The client's id.
        client: String,
        /// The name of the refused packet.
        packet: &'static str,
        /// The code in the broker's answer.
        code: u8,
        /// What the code mostly means for a load.
        remedy: &'static str,
    },
    /// The broker ended a connection before the load began.
    #[error("{reason}, while {ready} of {wanted} connections were ready: see the broker's log and limits")]
    Closed {
        /// Which client it was, and how it ended.
        reason: String,
        /// How many connections were ready.
        ready: u32,
        /// How many were asked for.
        wanted: u32,
    },
    /// Nothing came back while connections were being set up.
    #[error(
        "the broker had answered {ready} of {wanted} connections when it fell silent for {} s: \
         lower the connect rate, or allow more patience",
        patience.as_secs_f64()
    )]
    Silent {
        /// How many connections were ready.
        ready: u32,
        /// How many were asked for.
        wanted: u32,
        /// How long nothing came.
        patience: Duration,
    },
    /// The broker's process cannot be read.
    #[error("cannot read {path}: {source}: is it the broker's process id, and may you read it?")]
    Process {
        /// The file under `/proc`.
        path: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// The machine refused something else.
    #[error("this machine refused {what}: {source}")]
    Machine {
        /// What the generator asked for.
        what: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
}
