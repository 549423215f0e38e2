//! Why a run could not be carried out, by culprit. Loss is no failure: it is a result.

use std::io;
use std::net::SocketAddr;

/// What kept a run from giving figures.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The kernel refused a connection, mostly because nothing listens there.
    #[error("cannot connect to {broker}: {source}")]
    Connect {
        /// Where the broker should be.
        broker: SocketAddr,
        /// What the kernel said.
        source: io::Error,
    },
    /// The broker ended a connection that should have stayed open.
    #[error("the broker closed connection {index}: {source}")]
    Closed {
        /// Which connection, in the order of opening.
        index: usize,
        /// What the kernel said.
        source: io::Error,
    },
    /// The broker said no to a CONNECT or a SUBSCRIBE.
    #[error("the broker refused the {packet} of connection {index} with code {code:#04x}")]
    Refused {
        /// Which connection, in the order of opening.
        index: usize,
        /// The name of the refused packet.
        packet: &'static str,
        /// The code in the broker's answer.
        code: u8,
    },
    /// The broker sent something that MQTT 3.1.1 does not allow here.
    #[error("connection {index} received what the generator cannot read: {what}")]
    Garbled {
        /// Which connection, in the order of opening.
        index: usize,
        /// What was wrong with the bytes.
        what: &'static str,
    },
    /// Nothing came back while connections were being opened.
    #[error("the broker answered {ready} of {wanted} connections, then fell silent")]
    Silent {
        /// How many connections are set up.
        ready: usize,
        /// How many were asked for.
        wanted: usize,
    },
    /// The broker's process cannot be read.
    #[error("cannot read {path}: {source}")]
    Process {
        /// The file under `/proc`.
        path: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// The machine refused something else.
    #[error("{0}")]
    Machine(#[from] io::Error),
}
