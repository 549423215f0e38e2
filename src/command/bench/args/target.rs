//! The brokers of a run: the one that `-h` and `-p` give, then those that it is compared with.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use strowger_client::load::Target;

use super::super::machine;
use super::some;
use crate::client::tls;
use crate::failure::Failure;

/// How long a broker may take to accept the connection that shows that it is there.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);
/// Rounds of a comparison.
const ROUNDS_COMPARED: u32 = 3;

#[derive(Debug, Args)]
#[group(skip)]
#[command(next_help_heading = "Brokers")]
pub(in crate::command::bench) struct Brokers {
    /// The broker's host
    #[arg(short = 'h', long, value_name = "HOST", default_value = "localhost")]
    host: String,
    /// The broker's port [default: 1883; with TLS: 8883]
    #[arg(short, long, value_name = "PORT")]
    port: Option<u16>,
    /// User name, at all brokers
    #[arg(short, long, value_name = "NAME")]
    username: Option<String>,
    /// Password, at all brokers
    #[arg(short = 'P', long, value_name = "PASSWORD", allow_hyphen_values = true)]
    pw: Option<String>,
    /// The broker's processes, to measure its CPU time and memory
    #[arg(long, value_name = "PID,…", value_delimiter = ',')]
    pid: Vec<u32>,
    /// What tables call the broker [default: its program, or its address]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Compare with this broker: `HOST:PORT[,pid=PID][,name=NAME]`; may be repeated
    #[arg(long, value_name = "BROKER")]
    vs: Vec<Other>,
    /// Runs at each broker, in turn; figures are medians [default: 1; with --vs: 3]
    #[arg(long, value_name = "N", value_parser = some)]
    rounds: Option<u32>,
    #[command(flatten)]
    tls: tls::Options,
}

/// A broker to compare with.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Other {
    address: String,
    pids: Vec<u32>,
    name: Option<String>,
}

impl Brokers {
    /// Runs at each broker.
    pub(in crate::command::bench) fn rounds(&self) -> u32 {
        self.rounds
            .unwrap_or(if self.vs.is_empty() { 1 } else { ROUNDS_COMPARED })
    }

    /// Finds the brokers, the reference first, each under a name of its own.
    ///
    /// # Errors
    ///
    /// [`Failure::Unreachable`] if one does not answer.
    pub(in crate::command::bench) fn targets(&self) -> Result<Vec<Target>, Failure> {
        let host = match self.host.as_str() {
            bare if bare.contains(':') && !bare.starts_with('[') => format!("[{bare}]"),
            host => host.to_owned(),
        };
        let first = Other {
            address: format!("{host}:{}", self.port.unwrap_or(self.tls.port())),
            pids: self.pid.clone(),
            name: self.name.clone(),
        };
        let security = self.tls.security(&self.host)?;
        let mut targets: Vec<Target> = Vec::new();
        for other in std::iter::once(&first).chain(&self.vs) {
            let mut name = other.called();
            if targets.iter().any(|target| target.name == name) {
                name = format!("{name} {}", other.address);
            }
            targets.push(Target {
                name,
                address: answering(&other.address)?,
                pids: other.pids.clone(),
                user: self.username.clone(),
                password: self.pw.clone(),
                security: security.clone(),
            });
        }
        Ok(targets)
    }
}

impl Other {
    fn called(&self) -> String {
        let program = || machine::program(*self.pids.first()?);
        self.name
            .clone()
            .or_else(program)
            .unwrap_or_else(|| self.address.clone())
    }
}

impl FromStr for Other {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.split(',');
        let address = parts.next().unwrap_or_default();
        if !address
            .rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
        {
            return Err(format!("\"{address}\" is no HOST:PORT, such as 127.0.0.1:1884"));
        }
        let mut other = Self {
            address: address.to_owned(),
            pids: Vec::new(),
            name: None,
        };
        for part in parts {
            match part.split_once('=') {
                Some(("pid", pid)) => {
                    let pid = pid.parse().map_err(|_| format!("\"{pid}\" is no process id"))?;
                    other.pids.push(pid);
                }
                Some(("name", name)) if !name.is_empty() => other.name = Some(name.to_owned()),
                _ => return Err(format!("\"{part}\" means nothing here; write pid=PID or name=NAME")),
            }
        }
        Ok(other)
    }
}

/// The first of the host's addresses that takes a connection.
fn answering(host_and_port: &str) -> Result<SocketAddr, Failure> {
    let unreachable = |source| Failure::Unreachable {
        address: host_and_port.to_owned(),
        source,
    };
    let mut refusal = std::io::Error::new(std::io::ErrorKind::NotFound, "the host has no address");
    for address in host_and_port.to_socket_addrs().map_err(unreachable)? {
        match TcpStream::connect_timeout(&address, ANSWER_WITHIN) {
            Ok(_) => return Ok(address),
            Err(error) => refusal = error,
        }
    }
    Err(unreachable(refusal))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_to_compare_with_is_read_part_by_part() {
        let other: Other = "127.0.0.1:1884,pid=12,pid=13,name=mosquitto 2".parse().unwrap();
        assert_eq!(other.address, "127.0.0.1:1884");
        assert_eq!(other.pids, [12, 13]);
        assert_eq!(other.called(), "mosquitto 2");
        let bare: Other = "[::1]:1884".parse().unwrap();
        assert_eq!(bare.called(), "[::1]:1884");
    }

    #[test]
    fn what_is_wrong_with_it_is_named() {
        for (text, culprit) in [
            ("localhost", "\"localhost\" is no HOST:PORT"),
            (":1883", "\":1883\" is no HOST:PORT"),
            ("a:70000", "\"a:70000\" is no HOST:PORT"),
            ("a:1,pid=x", "\"x\" is no process id"),
            ("a:1,pod=3", "\"pod=3\" means nothing here"),
            ("a:1,name=", "\"name=\" means nothing here"),
        ] {
            let error = text.parse::<Other>().unwrap_err();
            assert!(error.starts_with(culprit), "{error}");
        }
    }
}
