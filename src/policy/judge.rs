//! One line's overseer by a rule book.

use std::sync::Arc;

use broker::exchange::{Ask, Changes, Ended, Exchange, Kind, Overseer, Request, Verdict, phase};
use broker::message::Message;
use mqtt_codec::{PublishProperties, QoS};
use rules::{Event, Level, Outcome, RuleBook, Tally};

/// Asks the book, and does what it says.
#[derive(Debug)]
pub(super) struct Judge {
    book: Arc<RuleBook>,
    tally: Tally,
    outcome: Outcome,
    log: Log,
}

impl Judge {
    pub(super) fn new(book: Arc<RuleBook>, tally: Tally, log: Log) -> Self {
        Self {
            book,
            tally,
            outcome: Outcome::default(),
            log,
        }
    }

    fn changes(&self) -> Option<Box<Changes>> {
        let outcome = &self.outcome;
        let changes = Changes {
            topic: outcome.topic().cloned(),
            payload: outcome.payload().cloned(),
            qos: outcome.qos(),
            retain: outcome.retain(),
            user_properties: outcome.user_properties().to_vec(),
        };
        (changes != Changes::default()).then(|| Box::new(changes))
    }

    fn write_log(&mut self, request: &Request<'_>) {
        let name = |number: u16| self.book.names().get(usize::from(number)).map_or("", AsRef::as_ref);
        let secs = request.now.0 / 1000;
        for line in self.outcome.lines() {
            self.log.write(secs, line.level, name(line.rule), request, &line.text);
        }
        if let Some((number, failure)) = self.outcome.failure() {
            let text = format!("the rule could not be evaluated: {failure}");
            self.log.write(secs, Level::Warn, name(*number), request, &text);
        }
    }
}

impl Overseer for Judge {
    fn on_running(&mut self, _: &Exchange<phase::Running>, request: &Request<'_>) -> Verdict {
        self.book.judge(&event_of(request), &mut self.tally, &mut self.outcome);
        if !self.outcome.has_effects() {
            return Verdict::Proceed;
        }
        self.write_log(request);
        match self.outcome.verdict() {
            rules::Verdict::Proceed => self.changes().map_or(Verdict::Proceed, Verdict::Change),
            rules::Verdict::Block(millis) => Verdict::Block(millis),
            rules::Verdict::Deny(refusal) => Verdict::Stop(refusal),
            rules::Verdict::Disconnect(refusal) => Verdict::Disconnect(refusal),
            rules::Verdict::Cancel => Verdict::Cancel,
        }
    }

    fn on_ended(&mut self, _: &Ended) {}

    fn judges(&self, kind: Kind) -> bool {
        self.book.judges(kind)
    }

    fn take_messages(&mut self, into: &mut Vec<Arc<Message>>) {
        if !self.outcome.has_effects() {
            return;
        }
        let message = |republished: &rules::Republish| {
            Arc::new(Message {
                topic: republished.topic.clone(),
                payload: republished.payload.clone(),
                qos: republished.qos,
                retain: republished.retain,
                properties: None,
                expires_at: None,
                publisher: None,
                id: 0,
                arrived_micros: 0,
                trace: None,
            })
        };
        into.extend(self.outcome.republished().iter().map(message));
    }
}

/// A request as the rules see it.
fn event_of<'a>(request: &Request<'a>) -> Event<'a> {
    let Asked {
        topic,
        qos,
        retain,
        payload,
        properties,
    } = asked(&request.ask);
    let identity = request.identity;
    Event {
        kind: request.ask.kind(),
        client_id: request.client_id,
        version: request.version.map_or(0, mqtt_codec::Version::level),
        user: request.username().unwrap_or_default(),
        groups: &identity.groups,
        listener: &identity.listener,
        address: request.address,
        topic,
        qos,
        retain,
        payload,
        properties,
        now_ms: request.now.0,
    }
}

/// What an event has of the packet.
struct Asked<'a> {
    topic: &'a str,
    qos: QoS,
    retain: bool,
    payload: &'a [u8],
    properties: Option<&'a PublishProperties>,
}

fn asked<'a>(ask: &Ask<'a>) -> Asked<'a> {
    match *ask {
        Ask::Publish(publish) => Asked {
            topic: &publish.topic,
            qos: publish.qos,
            retain: publish.retain,
            payload: &publish.payload,
            properties: publish.properties.as_deref(),
        },
        Ask::Deliver(outgoing) => Asked {
            qos: outgoing.qos,
            retain: outgoing.retain,
            ..of_message(outgoing.message)
        },
        Ask::Will(message) => of_message(message),
        Ask::Subscribe(wanted) => Asked {
            qos: wanted.qos,
            ..of_topic(&wanted.filter)
        },
        Ask::Unsubscribe(filter) => of_topic(filter),
        Ask::Connect(_) => of_topic(""),
    }
}

fn of_message(message: &Message) -> Asked<'_> {
    Asked {
        topic: &message.topic,
        qos: message.qos,
        retain: message.retain,
        payload: &message.payload,
        properties: message.properties.as_deref(),
    }
}

const fn of_topic(topic: &str) -> Asked<'_> {
    Asked {
        topic,
        qos: QoS::AtMostOnce,
        retain: false,
        payload: &[],
        properties: None,
    }
}

/// What the rules of one line write into the log: so many lines a second, because clients may bring about any number.
#[derive(Debug)]
pub(super) struct Log {
    lines_max: u32,
    /// The second at hand, and what was written in it.
    secs: u64,
    written: u32,
    /// Lines that were left out and not told of.
    left_out: u64,
}

impl Log {
    pub(super) const fn new(lines_max: u32) -> Self {
        Self {
            lines_max,
            secs: 0,
            written: 0,
            left_out: 0,
        }
    }

    fn write(&mut self, secs: u64, level: Level, rule: &str, request: &Request<'_>, text: &str) {
        if !self.has_room(secs) {
            return;
        }
        let client = &**request.client_id;
        let topic = event_of(request).topic;
        match level {
            Level::Debug => tracing::debug!(rule, client, topic, "{text}"),
            Level::Info => tracing::info!(rule, client, topic, "{text}"),
            Level::Warn => tracing::warn!(rule, client, topic, "{text}"),
            Level::Error => tracing::error!(rule, client, topic, "{text}"),
        }
    }

    /// Whether another line may be written in this second. Those that were not are told of with the first in another.
    fn has_room(&mut self, secs: u64) -> bool {
        if secs != self.secs {
            self.secs = secs;
            self.written = 0;
            if self.left_out > 0 {
                let lines = std::mem::take(&mut self.left_out);
                tracing::warn!(
                    lines,
                    "lines of rules were left out of the log (rules.log_lines_per_sec_max)"
                );
            }
        }
        let has_room = self.written < self.lines_max;
        self.written += u32::from(has_room);
        self.left_out += u64::from(!has_room);
        has_room
    }
}

#[cfg(test)]
mod tests {
    use super::Log;

    #[test]
    fn a_second_has_so_many_lines_and_the_others_are_counted() {
        let mut log = Log::new(2);
        let room: Vec<bool> = (0..4).map(|_| log.has_room(7)).collect();
        assert_eq!(room, [true, true, false, false]);
        assert_eq!(log.left_out, 2);
        assert!(log.has_room(8));
        assert_eq!(log.left_out, 0);
    }
}
