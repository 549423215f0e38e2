//! The command line.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::fleet::Target;
use crate::frame::{Mark, Qos};

/// Loads an MQTT broker and says what a delivered message costs it.
///
/// Exit status: 0 when every message arrived once and in order, 1 when not, 2 for a wrong command line,
/// 3 when the run could not be carried out.
#[derive(Debug, Parser)]
#[command(name = "strowger-load", version)]
pub(crate) struct Cli {
    /// Where the broker is and how to measure it.
    #[command(flatten)]
    pub(crate) run: Run,
    /// What to do to it.
    #[command(subcommand)]
    pub(crate) scenario: Scenario,
}

/// What all scenarios have in common.
#[derive(Args, Debug)]
pub(crate) struct Run {
    /// Address of the broker
    #[arg(long, global = true, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// Port of the broker
    #[arg(long, short, global = true, default_value_t = 1883)]
    port: u16,
    /// Process id of the broker; without it CPU and memory are unknown
    #[arg(long, global = true)]
    pub(crate) pid: Option<u32>,
    /// Print one JSON object
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Length of the measured interval, of each of the two in `stalled`
    #[arg(long, global = true, default_value = "5", value_name = "SECONDS", value_parser = seconds)]
    pub(crate) seconds: Duration,
    /// Load before the measured interval
    #[arg(long, global = true, default_value = "1", value_name = "SECONDS", value_parser = seconds)]
    pub(crate) warm_up: Duration,
    /// Payload of each message
    #[arg(long, global = true, default_value_t = 64, value_name = "BYTES", value_parser = payload)]
    pub(crate) payload: usize,
    /// New connections per second
    #[arg(long, global = true, default_value_t = 900, value_name = "RATE", value_parser = clap::value_parser!(u32).range(1..))]
    connect_rate: u32,
}

impl Run {
    /// Where to connect.
    pub(crate) fn target(&self) -> Target {
        Target {
            broker: SocketAddr::new(self.host, self.port),
            connect_rate: self.connect_rate,
        }
    }
}

/// QoS and window, for the scenarios whose publishers wait for their messages' arrival.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Flow {
    /// 0, 1 or 2, for publishing and subscribing
    #[arg(long, short, default_value = "0", value_parser = qos)]
    pub(crate) qos: Qos,
    /// Messages of one publisher that may be on their way; 1 for one at a time
    #[arg(long, short, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub(crate) window: u32,
    /// Pause between two looks at the connections, so that arrivals gather and one read takes many; none for a window
    /// of 1
    #[arg(long, default_value_t = 1_000, value_name = "MICROSECONDS")]
    nap_us: u64,
}

impl Flow {
    /// How long the generator looks away; one who waits for each message does not.
    pub(crate) fn nap(&self) -> Duration {
        if self.window > 1 {
            Duration::from_micros(self.nap_us)
        } else {
            Duration::ZERO
        }
    }
}

/// What the generator can do to a broker.
#[derive(Debug, Subcommand)]
pub(crate) enum Scenario {
    /// Pairs: each publisher has a topic and one subscriber of its own
    P2p {
        /// Number of pairs
        #[arg(long, default_value_t = 50)]
        pairs: u32,
        /// QoS and window.
        #[command(flatten)]
        flow: Flow,
    },
    /// One publisher, many subscribers of the one topic
    Fanout {
        /// Number of subscribers
        #[arg(long, default_value_t = 500)]
        subscribers: u32,
        /// QoS and window.
        #[command(flatten)]
        flow: Flow,
    },
    /// Many publishers, few subscribers: each subscriber hears an equal part of the publishers on one topic
    Fanin {
        /// Number of publishers
        #[arg(long, default_value_t = 100)]
        publishers: u32,
        /// Number of subscribers
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
        subscribers: u32,
        /// QoS and window.
        #[command(flatten)]
        flow: Flow,
    },
    /// A steady rate to subscribers of one topic, one of which stops reading for the second interval
    Stalled {
        /// Number of subscribers, with the one that stops
        #[arg(long, default_value_t = 10)]
        subscribers: u32,
        /// Number of publishers that share the rate
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
        publishers: u32,
        /// Messages per second of all publishers together
        #[arg(long, default_value_t = 5_000)]
        rate: u32,
        /// 0, 1 or 2, for publishing and subscribing
        #[arg(long, short, default_value = "0", value_parser = qos)]
        qos: Qos,
        /// Further connections, each subscribed to a topic of its own, that hear nothing
        #[arg(long, default_value_t = 0)]
        idle: u32,
    },
    /// Many connections, each subscribed to a topic of its own; then one message to each
    Connections {
        /// Number of connections
        #[arg(long, default_value_t = 10_000)]
        count: u32,
    },
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(number).map_err(|error| error.to_string())
}

fn payload(text: &str) -> Result<usize, String> {
    let bytes = text.parse().map_err(|_| "not a number of bytes".to_owned())?;
    let allowed = Mark::BYTES..=65_536;
    if allowed.contains(&bytes) {
        Ok(bytes)
    } else {
        Err(format!("not within {allowed:?} bytes"))
    }
}

fn qos(text: &str) -> Result<Qos, String> {
    match text {
        "0" => Ok(Qos::AtMostOnce),
        "1" => Ok(Qos::AtLeastOnce),
        "2" => Ok(Qos::ExactlyOnce),
        _ => Err("a QoS is 0, 1 or 2".to_owned()),
    }
}
