//! `strowger sub`: prints the messages of its subscriptions.

mod filter;
mod format;

use std::io::{self, Write};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use mqtt_codec::{
    Packet, PacketId, Publish, QoS, RetainHandling, Suback, Subscribe, SubscribeFilter, TopicFilter, Unsubscribe,
    Version,
};

use crate::client::{Client, Event, Inbound, PATIENCE, now, watch_signals};
use crate::command::Reader;
use crate::command::connection::{self, at_least_one, goodbye, qos, topic_filter};
use crate::command::property::Properties;
use crate::failure::Failure;
use format::Format;

pub(crate) const NAME: &str = "strowger sub";

/// Packets whose properties `-D` may set.
const PACKETS: &[&str] = &["connect", "subscribe", "unsubscribe", "will", "disconnect"];

const EXAMPLES: &str = "\
Examples:
  strowger sub -t home/+/temperature -v
  strowger sub -t '$SYS/#' -v -W 1                 everything for one second
  strowger sub -t jobs -q 1 -c -i worker           a session that outlives the connection
  strowger sub -t '$share/workers/jobs' -q 1       one of several that share the messages
  strowger sub -t '#' -F '%t %q %l %p'             own output format

Output format (-F):
  %t topic   %p payload   %x %X payload in hex   %l length   %q QoS
  %r retain flag   %m packet id   %U Unix time of arrival   %% percent sign
  %C content type   %D correlation data   %E message expiry   %F payload format
  %P user properties   %R response topic   %S subscription ids   \\n \\t \\\\

Exit codes: 0 done, 27 the time of -W is over, 64 wrong usage,
  69 no broker or connection lost, 74 output failed; else it is the broker's
  reason code.";

/// Subscribe, and print what arrives
///
/// Prints each message on a line of its own until -C messages have come, -W seconds are over, or Ctrl-C.
#[derive(Debug, Args)]
#[command(disable_help_flag = true, override_usage = "strowger sub -t FILTER [OPTIONS]", after_help = EXAMPLES)]
pub(crate) struct Options {
    /// Topic filter to subscribe to; may be repeated
    #[arg(short, long, value_name = "FILTER", value_parser = topic_filter, required = true)]
    topic: Vec<TopicFilter>,
    /// Highest quality of service to receive with
    #[arg(short, long, value_name = "QOS", value_parser = qos, default_value = "0")]
    qos: QoS,
    /// Exit after this many messages
    #[arg(short = 'C', long, value_name = "N", value_parser = at_least_one)]
    count: Option<u64>,
    /// Exit after this many seconds, with exit code 27
    #[arg(short = 'W', long, value_name = "SECS", value_parser = at_least_one)]
    timeout: Option<u64>,
    /// Exit as soon as the broker has the subscriptions
    #[arg(short = 'E', long)]
    exit_when_subscribed: bool,
    /// Unsubscribe from this filter first, which a kept session may hold; may be repeated
    #[arg(short = 'U', long, value_name = "FILTER", value_parser = topic_filter)]
    unsubscribe: Vec<TopicFilter>,
    /// Leave out messages whose topic matches this filter; may be repeated
    #[arg(short = 'T', long, value_name = "FILTER", value_parser = topic_filter)]
    filter_out: Vec<TopicFilter>,
    /// Leave out retained messages
    #[arg(short = 'R', long)]
    no_retained: bool,
    /// Do not receive own messages, in 5.0
    #[arg(long)]
    no_local: bool,
    /// Keep the retain flag as it was published, in 5.0
    #[arg(long)]
    retain_as_published: bool,
    /// When to receive retained messages, in 5.0
    #[arg(long, value_name = "WHEN", default_value = "always")]
    retain_handling: Retained,
    /// Print the topic before the payload
    #[arg(short, long, conflicts_with = "format")]
    verbose: bool,
    /// Print no end of line after a message
    #[arg(short = 'N', long)]
    no_newline: bool,
    /// Print messages in this format, see below
    #[arg(short = 'F', long, value_name = "FORMAT", value_parser = Format::parse)]
    format: Option<Format>,
    /// Print help
    #[arg(long, action = clap::ArgAction::HelpShort)]
    help: Option<bool>,
    #[command(flatten)]
    connection: connection::Options,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Retained {
    /// At every subscribe
    Always,
    /// Only if the subscription is new
    New,
    /// Not at all
    Never,
}

pub(crate) fn run(options: Options) -> Result<(), Failure> {
    let properties = options.connection.properties(PACKETS)?;
    options.check_version()?;
    let opening = options.connection.opening(NAME, &properties)?;
    let (client, _) = Client::open(opening)?;
    watch_signals(client.sender()).map_err(Failure::io("watch for signals"))?;
    let mut subscriber = Subscriber {
        client,
        inbound: Inbound::default(),
        deadline: options.timeout.map(|secs| now() + Duration::from_secs(secs)),
        suback_due: Some(now() + PATIENCE),
        printed: 0,
        reader: Reader::Listens,
        options,
    };
    subscriber.subscribe(&properties)?;
    let ended = subscriber.receive();
    if matches!(ended, Ok(()) | Err(Failure::TimedOut { .. })) {
        subscriber.client.close(goodbye(&properties))?;
    }
    ended
}

impl Options {
    fn check_version(&self) -> Result<(), Failure> {
        let of_v5 = [
            ("--no-local", self.no_local),
            ("--retain-as-published", self.retain_as_published),
            ("--retain-handling", self.retain_handling != Retained::Always),
        ];
        match of_v5.iter().find(|(_, given)| *given) {
            Some((flag, _)) if self.connection.version() != Version::V5 => {
                Err(Failure::Usage(format!("{flag} exists in MQTT 5.0 only; add -V 5")))
            }
            _ => Ok(()),
        }
    }

    fn subscribe_filter(&self, filter: &TopicFilter) -> SubscribeFilter {
        SubscribeFilter {
            filter: filter.clone(),
            qos: self.qos,
            no_local: self.no_local,
            retain_as_published: self.retain_as_published,
            retain_handling: match self.retain_handling {
                Retained::Always => RetainHandling::Send,
                Retained::New => RetainHandling::SendIfNew,
                Retained::Never => RetainHandling::DoNotSend,
            },
        }
    }

    fn wants(&self, message: &Publish) -> bool {
        let stale = self.no_retained && message.retain;
        !stale && !self.filter_out.iter().any(|out| filter::matches(out, &message.topic))
    }
}

struct Subscriber {
    client: Client,
    options: Options,
    inbound: Inbound,
    /// When `-W` is over.
    deadline: Option<Instant>,
    /// When the SUBACK has to be here; None when it is.
    suback_due: Option<Instant>,
    printed: u64,
    reader: Reader,
}

impl Subscriber {
    fn subscribe(&mut self, properties: &Properties) -> Result<(), Failure> {
        let mut packet_id = PacketId::MIN;
        if !self.options.unsubscribe.is_empty() {
            self.client.send(&Packet::Unsubscribe(Unsubscribe {
                packet_id,
                user_properties: properties.unsubscribe.clone(),
                filters: self.options.unsubscribe.clone(),
            }))?;
            packet_id = PacketId::new(packet_id.get() + 1).unwrap_or(packet_id);
        }
        let filters = self
            .options
            .topic
            .iter()
            .map(|filter| self.options.subscribe_filter(filter))
            .collect();
        self.client.send(&Packet::Subscribe(Subscribe {
            packet_id,
            subscription_id: properties.subscription_id,
            user_properties: properties.subscribe.clone(),
            filters,
        }))
    }

    /// Takes messages until the work is done.
    fn receive(&mut self) -> Result<(), Failure> {
        while !self.is_done() {
            let until = [self.deadline, self.suback_due].into_iter().flatten().min();
            match self.client.next(until)? {
                None if self.deadline.is_some_and(|deadline| deadline <= now()) => {
                    return Err(Failure::TimedOut {
                        secs: self.options.timeout.unwrap_or_default(),
                    });
                }
                None => return Err(self.client.lost(format!("no SUBACK within {} s", PATIENCE.as_secs()))),
                Some(Event::Received(Packet::Suback(suback))) => self.on_suback(&suback)?,
                Some(Event::Received(packet)) => self.on_packet(packet)?,
                Some(Event::Interrupted | Event::Closed(_) | Event::Fed(_)) => return Ok(()),
            }
        }
        self.release()
    }

    fn is_done(&self) -> bool {
        let subscribed = self.options.exit_when_subscribed && self.suback_due.is_none();
        let gone = self.reader == Reader::Gone;
        gone || subscribed || self.options.count.is_some_and(|count| self.printed >= count)
    }

    /// Ends the QoS 2 conversations of what was printed, so that a kept session does not hold them open.
    fn release(&mut self) -> Result<(), Failure> {
        let until = now() + PATIENCE;
        while self.inbound.unreleased() > 0 {
            match self.client.next(Some(until))? {
                Some(Event::Received(packet @ Packet::Pubrel(_))) => self.on_packet(packet)?,
                // Not acknowledged, so that a kept session delivers it the next time.
                Some(Event::Received(_)) => {}
                None | Some(Event::Interrupted | Event::Closed(_) | Event::Fed(_)) => break,
            }
        }
        Ok(())
    }

    fn on_suback(&mut self, suback: &Suback) -> Result<(), Failure> {
        self.suback_due = None;
        let mut refusals = suback
            .reasons
            .iter()
            .zip(&self.options.topic)
            .filter(|(reason, _)| reason.is_error());
        let Some((first, filter)) = refusals.next() else {
            return Ok(());
        };
        let refused = |filter: &TopicFilter| format!("the broker refused the subscription to \"{filter}\"");
        let others: Vec<_> = refusals.collect();
        if others.len() + 1 == suback.reasons.len() {
            return Err(Failure::Refused {
                what: refused(filter),
                reason: first.name(),
                code: first.code(),
            });
        }
        for (reason, filter) in std::iter::once((first, filter)).chain(others) {
            let _ = writeln!(
                io::stderr(),
                "{NAME}: {}: {reason} ({:#04x})",
                refused(filter),
                reason.code()
            );
        }
        Ok(())
    }

    fn on_packet(&mut self, packet: Packet) -> Result<(), Failure> {
        let arrival = self.inbound.on_packet(packet);
        if let Some(message) = arrival.message.filter(|message| self.options.wants(message)) {
            self.reader = self.print(&message)?;
            if self.reader == Reader::Gone {
                // Not acknowledged, because nobody has seen it.
                return Ok(());
            }
            self.printed += 1;
        }
        arrival.reply.map_or(Ok(()), |reply| self.client.send(&reply))
    }

    fn print(&self, message: &Publish) -> Result<Reader, Failure> {
        let mut line = Vec::with_capacity(message.topic.len() + message.payload.len() + 2);
        let empty = message.payload.is_empty();
        match (&self.options.format, self.options.verbose) {
            (Some(format), _) => format.write(message, &mut line),
            (None, true) if empty => line.extend_from_slice(format!("{} (null)", message.topic).as_bytes()),
            (None, true) => {
                line.extend_from_slice(message.topic.as_bytes());
                line.push(b' ');
                line.extend_from_slice(&message.payload);
            }
            (None, false) if empty => return Ok(self.reader),
            (None, false) => line.extend_from_slice(&message.payload),
        }
        if !self.options.no_newline {
            line.push(b'\n');
        }
        super::print(&line)
    }
}
