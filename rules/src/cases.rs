//! Cases: events, and what the rules are expected to say of them. `strowger rules test` runs them.

use std::net::IpAddr;

use broker::exchange::Kind;
use bytestring::ByteString;
use mqtt_codec::{PublishProperties, QoS, TopicName};
use serde::Deserialize;
use toml::Spanned;

use crate::event::KINDS;
use crate::source::Source;
use crate::{Event, Outcome, RuleBook, RulesError, Tally, Verdict, reason_named, word_of};

mod compare;
#[cfg(test)]
mod tests;

/// Bytes of a file.
const FILE_BYTES_MAX: usize = 4 << 20;
/// Times that one case is judged.
const TIMES_MAX: u32 = 100_000;

/// The cases of one file.
#[derive(Debug)]
pub struct Cases {
    cases: Vec<Case>,
}

/// One case that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Its name.
    pub name: String,
    /// What the rules said: a verdict and the rule that decided.
    pub said: String,
    /// Where it is not what was expected; empty if all is.
    pub differences: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    case: Vec<Case>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    packet: Spanned<String>,
    #[serde(default)]
    client: Client,
    #[serde(default)]
    user: String,
    #[serde(default)]
    groups: Vec<Box<str>>,
    #[serde(default)]
    listener: String,
    address: Option<IpAddr>,
    #[serde(default)]
    topic: String,
    #[serde(default)]
    qos: u8,
    #[serde(default)]
    retain: bool,
    #[serde(default)]
    payload: String,
    #[serde(default)]
    properties: Properties,
    /// Seconds since 1970.
    #[serde(default)]
    now: u64,
    /// How often it is judged, in a row and at once; the last judgement counts.
    #[serde(default = "once")]
    times: Spanned<u32>,
    expect: Expected,
}

fn once() -> Spanned<u32> {
    Spanned::new(0..0, 1)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Client {
    id: String,
    version: u8,
}

impl Default for Client {
    fn default() -> Self {
        Self {
            id: "client".to_owned(),
            version: 5,
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Properties {
    payload_format: Option<bool>,
    message_expiry_secs: Option<u32>,
    content_type: Option<String>,
    response_topic: Option<String>,
    correlation_data: Option<String>,
    user: std::collections::BTreeMap<String, String>,
}

/// What is expected. What is not named is not looked at, apart from the verdict.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    verdict: Spanned<String>,
    reason: Option<Spanned<String>>,
    /// The rule that decided; empty: none.
    rule: Option<String>,
    block_ms: Option<u64>,
    topic: Option<String>,
    payload: Option<String>,
    qos: Option<u8>,
    retain: Option<bool>,
    user_properties: Option<std::collections::BTreeMap<String, String>>,
    republished: Option<Vec<Message>>,
    tags: Option<Vec<String>>,
    log: Option<Vec<String>>,
    /// Whether a rule could not be evaluated.
    failed: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    topic: String,
    payload: Option<String>,
    qos: Option<u8>,
    retain: Option<bool>,
}

impl Cases {
    /// Reads cases; `file` is the name in errors.
    ///
    /// # Errors
    ///
    /// The first mistake, with its place and remedy.
    pub fn parse(file: &str, text: &str) -> Result<Self, RulesError> {
        let source = Source { name: file, text };
        if text.len() > FILE_BYTES_MAX {
            let what = format!("the file has {} bytes, and may have {FILE_BYTES_MAX}", text.len());
            return Err(source.error(0, what, "split it"));
        }
        let file: File = toml::from_str(text).map_err(|error| source.broken(&error))?;
        if file.case.is_empty() {
            return Err(source.error(0, "there is no case", "write [[case]] above each"));
        }
        for case in &file.case {
            case.check(source)?;
        }
        Ok(Self { cases: file.case })
    }

    /// Judges each case by the book. Cases share nothing: each begins with full rates.
    #[must_use]
    pub fn run(&self, book: &RuleBook) -> Vec<Checked> {
        self.cases.iter().map(|case| case.run(book)).collect()
    }
}

impl Case {
    fn check(&self, source: Source<'_>) -> Result<(), RulesError> {
        let at = self.packet.span().start;
        if kind_named(self.packet.get_ref()).is_none() {
            let what = format!("\"{}\" is no packet that is judged", self.packet.get_ref());
            let words = KINDS.map(|(word, _)| word).join(", ");
            return Err(source.error(at, what, format!("use one of {words}")));
        }
        if QoS::try_from(self.qos).is_err() {
            let what = format!("case \"{}\": there is no QoS {}", self.name, self.qos);
            return Err(source.error(at, what, "use 0, 1 or 2"));
        }
        let times = self.times.get_ref();
        if !(1..=TIMES_MAX).contains(times) {
            let what = format!("a case cannot be judged {times} times");
            return Err(source.error(self.times.span().start, what, format!("write 1 to {TIMES_MAX}")));
        }
        if let Some(reason) = &self.expect.reason
            && reason_named(reason.get_ref()).is_none()
        {
            let what = format!("\"{}\" is no reason", reason.get_ref());
            let remedy = format!("use one of {}", crate::reason::words());
            return Err(source.error(reason.span().start, what, remedy));
        }
        if !compare::VERDICTS.contains(&self.expect.verdict.get_ref().as_str()) {
            let what = format!("\"{}\" is no verdict", self.expect.verdict.get_ref());
            let remedy = format!("use one of {}", compare::VERDICTS.join(", "));
            return Err(source.error(self.expect.verdict.span().start, what, remedy));
        }
        Ok(())
    }

    fn run(&self, book: &RuleBook) -> Checked {
        let properties = self.properties.as_properties();
        let event = Event {
            kind: kind_named(self.packet.get_ref()).unwrap_or(Kind::Publish),
            client_id: &self.client.id,
            version: self.client.version,
            user: &self.user,
            groups: &self.groups,
            listener: &self.listener,
            address: self.address,
            topic: &self.topic,
            qos: QoS::try_from(self.qos).unwrap_or_default(),
            retain: self.retain,
            payload: self.payload.as_bytes(),
            properties: Some(&properties),
            now_ms: self.now.saturating_mul(1000),
        };
        let (mut tally, mut outcome) = (Tally::of(book), Outcome::default());
        for _ in 0..*self.times.get_ref() {
            book.judge(&event, &mut tally, &mut outcome);
        }
        Checked {
            name: self.name.clone(),
            said: said(book, &outcome),
            differences: self.expect.differences(book, &outcome),
        }
    }
}

impl Properties {
    fn as_properties(&self) -> PublishProperties {
        let text = |text: &String| ByteString::from(text.as_str());
        PublishProperties {
            payload_format: self.payload_format,
            message_expiry_secs: self.message_expiry_secs,
            content_type: self.content_type.as_ref().map(text),
            response_topic: self
                .response_topic
                .as_ref()
                .and_then(|topic| TopicName::new(text(topic)).ok()),
            correlation_data: self.correlation_data.clone().map(bytes::Bytes::from),
            user_properties: self
                .user
                .iter()
                .map(|(name, value)| (text(name), text(value)))
                .collect(),
            ..PublishProperties::default()
        }
    }
}

fn kind_named(word: &str) -> Option<Kind> {
    KINDS.iter().find(|(known, _)| *known == word).map(|(_, kind)| *kind)
}

/// What the rules said, for people: `deny (quota_exceeded) by no-large-payloads`.
fn said(book: &RuleBook, outcome: &Outcome) -> String {
    let verdict = match outcome.verdict() {
        Verdict::Deny(reason) | Verdict::Disconnect(reason) => {
            format!("{} ({})", compare::word(outcome.verdict()), word_of(reason))
        }
        Verdict::Block(ms) => format!("block ({ms} ms)"),
        Verdict::Proceed | Verdict::Cancel => compare::word(outcome.verdict()).to_owned(),
    };
    let by = compare::decider(book, outcome).map_or(String::new(), |rule| format!(" by {rule}"));
    let failure = outcome
        .failure()
        .map_or(String::new(), |(_, failure)| format!(": {failure}"));
    format!("{verdict}{by}{failure}")
}
