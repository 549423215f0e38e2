//! `strowger pub`: publishes one message, or one per line of standard input.

use std::ffi::OsString;
use std::fs;
use std::io::{self, BufRead, Read};
use std::iter;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use clap::{ArgGroup, Args};
use mqtt_codec::{Connack, Packet, Publish, PublishProperties, QoS, TopicName, Version};

use crate::client::{Client, Event, Feed, Inbound, Outbound, Outcome, PATIENCE, now, watch_signals};
use crate::command::connection::{self, at_least_one, goodbye, payload, qos, topic_name};
use crate::failure::Failure;

pub(crate) const NAME: &str = "strowger pub";

/// Packets whose properties `-D` may set.
const PACKETS: &[&str] = &["connect", "publish", "will", "disconnect"];

/// Messages without their acknowledgement at any time, where the broker allows as many.
const IN_FLIGHT_MAX: usize = 20;

const EXAMPLES: &str = "\
Examples:
  strowger pub -t home/lamp -m on
  strowger pub -t home/lamp -m on -q 1 -r          acknowledged and retained
  strowger pub -t home/lamp -n -r                  clears the retained message
  tail -f app.log | strowger pub -t logs/app -l    a message per line
  strowger pub -t ask -m time -D publish response-topic answers/7

Exit codes: 0 done, 64 wrong usage, 69 no broker or connection lost,
  74 input failed; else it is the broker's reason code.";

/// Publish a message
///
/// Publishes a message and waits until the broker has it, as QoS 1 and 2 allow to know.
#[derive(Debug, Args)]
#[command(
    disable_help_flag = true,
    override_usage = "strowger pub -t TOPIC (-m TEXT | -f FILE | -l | -s | -n) [OPTIONS]",
    after_help = EXAMPLES,
    group(ArgGroup::new("source").required(true).args(["message", "file", "stdin_line", "stdin_file", "null_message"]))
)]
pub(crate) struct Options {
    /// Topic to publish to
    #[arg(short, long, value_name = "TOPIC", value_parser = topic_name)]
    topic: TopicName,
    /// Send this text
    #[arg(short, long, value_name = "TEXT", allow_hyphen_values = true)]
    message: Option<OsString>,
    /// Send the contents of this file
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Send each line of standard input as a message
    #[arg(short = 'l', long)]
    stdin_line: bool,
    /// Send all of standard input as one message
    #[arg(short = 's', long)]
    stdin_file: bool,
    /// Send an empty message
    #[arg(short, long)]
    null_message: bool,
    /// Quality of service: 0 at most once, 1 at least once, 2 exactly once
    #[arg(short, long, value_name = "QOS", value_parser = qos, default_value = "0")]
    qos: QoS,
    /// Have the broker retain the message
    #[arg(short, long)]
    retain: bool,
    /// Send the message this many times
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = at_least_one)]
    repeat: u64,
    /// Wait this long between the repetitions
    #[arg(long, value_name = "SECS", default_value = "0", value_parser = seconds)]
    repeat_delay: Duration,
    /// Print help
    #[arg(long, action = clap::ArgAction::HelpShort)]
    help: Option<bool>,
    #[command(flatten)]
    connection: connection::Options,
}

type Payloads = Box<dyn Iterator<Item = io::Result<Bytes>> + Send>;

pub(crate) fn run(options: Options) -> Result<(), Failure> {
    let properties = options.connection.properties(PACKETS)?;
    let opening = options.connection.opening(NAME, &properties)?;
    let payloads = options.payloads()?;
    let (client, connack) = Client::open(opening)?;
    let message = Message {
        topic: options.topic,
        qos: options.qos,
        retain: options.retain,
        properties: properties.publish.clone().map(Box::new),
    };
    message.check(&connack)?;

    let receive_maximum = connack
        .properties
        .receive_maximum
        .map_or(usize::from(u16::MAX), |max| max.get().into());
    let window = IN_FLIGHT_MAX.min(receive_maximum);
    let feed = Feed::start(payloads, window, client.sender()).map_err(Failure::io("start a thread"))?;
    watch_signals(client.sender()).map_err(Failure::io("watch for signals"))?;
    let packet_size_max = connack.properties.packet_size_max.map_or(u32::MAX, u32::from);
    let mut publisher = Publisher {
        client,
        feed,
        message,
        window,
        packet_size_max,
        outbound: Outbound::new(),
        inbound: Inbound::default(),
        refused: Tally::default(),
    };
    publisher.publish_all()?;
    publisher.client.close(goodbye(&properties))?;
    publisher.refused.verdict()
}

impl Options {
    fn payloads(&self) -> Result<Payloads, Failure> {
        if self.stdin_line {
            return Ok(Box::new(lines()));
        }
        let message = match (&self.message, &self.file) {
            (Some(text), _) => payload(text.clone()),
            (None, Some(file)) => fs::read(file)
                .map(Bytes::from)
                .map_err(Failure::io(format!("read {}", file.display())))?,
            (None, None) if self.stdin_file => {
                let mut all = Vec::new();
                io::stdin()
                    .read_to_end(&mut all)
                    .map_err(Failure::io("read standard input"))?;
                Bytes::from(all)
            }
            (None, None) => Bytes::new(),
        };
        let delay = self.repeat_delay;
        Ok(Box::new((0..self.repeat).map(move |nth| {
            if nth > 0 {
                thread::sleep(delay);
            }
            Ok(message.clone())
        })))
    }
}

/// The lines of standard input without their ends.
fn lines() -> impl Iterator<Item = io::Result<Bytes>> + Send {
    let mut input = io::BufReader::new(io::stdin());
    iter::from_fn(move || {
        let mut line = Vec::new();
        match input.read_until(b'\n', &mut line) {
            Ok(0) => None,
            Ok(_) => {
                let text = line.strip_suffix(b"\n").unwrap_or(&line);
                let text = text.strip_suffix(b"\r").unwrap_or(text);
                Some(Ok(Bytes::copy_from_slice(text)))
            }
            Err(error) => Some(Err(error)),
        }
    })
}

/// What all messages of this run have in common.
struct Message {
    topic: TopicName,
    qos: QoS,
    retain: bool,
    properties: Option<Box<PublishProperties>>,
}

impl Message {
    /// Checks it against what the broker said it can do: [MQTT-3.2.2-11] and [MQTT-3.2.2-14] in 5.0.
    fn check(&self, connack: &Connack) -> Result<(), Failure> {
        let properties = &connack.properties;
        if let Some(max) = properties.qos_max.filter(|max| *max < self.qos) {
            let what = format!("the broker takes messages up to QoS {}", max as u8);
            return Err(Failure::Refused {
                what,
                reason: "QoS not supported",
                code: 0x9b,
            });
        }
        if self.retain && properties.retain_available == Some(false) {
            let what = "the broker retains no messages".to_owned();
            return Err(Failure::Refused {
                what,
                reason: "Retain not supported",
                code: 0x9a,
            });
        }
        Ok(())
    }
}

/// Publishes what the feed gives, with at most `window` messages in flight.
struct Publisher {
    client: Client,
    feed: Feed,
    message: Message,
    window: usize,
    packet_size_max: u32,
    outbound: Outbound,
    inbound: Inbound,
    refused: Tally,
}

impl Publisher {
    fn publish_all(&mut self) -> Result<(), Failure> {
        let mut progress = now();
        loop {
            self.feed.ask(self.window.saturating_sub(self.outbound.in_flight()));
            if self.feed.ended && self.outbound.in_flight() == 0 {
                return Ok(());
            }
            let until = (self.outbound.in_flight() > 0).then(|| progress + PATIENCE);
            match self.client.next(until)? {
                None => {
                    return Err(self
                        .client
                        .lost(format!("no acknowledgement within {} s", PATIENCE.as_secs())));
                }
                Some(Event::Fed(Some(payload))) => {
                    self.feed.note(false);
                    self.publish(payload.map_err(Failure::io("read standard input"))?)?;
                    if self.outbound.in_flight() == 1 {
                        progress = now();
                    }
                }
                Some(Event::Fed(None)) => self.feed.note(true),
                Some(Event::Received(packet)) => {
                    progress = now();
                    self.on_packet(packet)?;
                }
                Some(Event::Interrupted | Event::Closed(_)) => return Ok(()),
            }
        }
    }

    fn publish(&mut self, payload: Bytes) -> Result<(), Failure> {
        self.refused.sent += 1;
        let packet = Packet::Publish(Publish {
            dup: false,
            qos: self.message.qos,
            retain: self.message.retain,
            topic: self.message.topic.clone(),
            packet_id: self.outbound.start(self.message.qos),
            properties: self.message.properties.clone(),
            payload,
        });
        let len = packet.encoded_len(self.client.version());
        if self.client.version() == Version::V5 && len > self.packet_size_max as usize {
            let what = format!(
                "the message makes a packet of {len} bytes, and the broker takes {}",
                self.packet_size_max
            );
            return Err(Failure::Refused {
                what,
                reason: "Packet too large",
                code: 0x95,
            });
        }
        self.client.send(&packet)
    }

    fn on_packet(&mut self, packet: Packet) -> Result<(), Failure> {
        match self.outbound.on_packet(&packet) {
            Some(Outcome::Done) => Ok(()),
            Some(Outcome::Reply(reply)) => self.client.send(&reply),
            Some(Outcome::Refused { reason, code }) => {
                self.refused.note(reason, code);
                Ok(())
            }
            // A kept session may have subscriptions: their messages are taken and dropped, as nobody asked for them.
            None => match self.inbound.on_packet(packet).reply {
                Some(reply) => self.client.send(&reply),
                None => Ok(()),
            },
        }
    }
}

/// How many messages went out, and how many the broker refused.
#[derive(Debug, Default)]
struct Tally {
    sent: u64,
    refused: u64,
    first: Option<(&'static str, u8)>,
}

impl Tally {
    fn note(&mut self, reason: &'static str, code: u8) {
        self.refused += 1;
        self.first.get_or_insert((reason, code));
    }

    fn verdict(self) -> Result<(), Failure> {
        let Some((reason, code)) = self.first else {
            return Ok(());
        };
        let what = match self.sent {
            1 => "the broker refused the message".to_owned(),
            sent => format!("the broker refused {} of {sent} messages", self.refused),
        };
        Err(Failure::Refused { what, reason, code })
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let secs: f64 = text.parse().map_err(|_| "seconds, such as 0.5".to_owned())?;
    Duration::try_from_secs_f64(secs).map_err(|_| "seconds, such as 0.5".to_owned())
}
