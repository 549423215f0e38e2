//! What a rule does besides its last word.

use std::borrow::Cow;

use bytes::Bytes;
use bytestring::ByteString;
use mqtt_codec::{QoS, TopicName};

use crate::expression::{Evaluation, Failure, Node, Scope, Value};
use crate::outcome::Effects;
use crate::rates::Rates;
use crate::{Level, Line, Republish};

/// Bytes of a line for the log.
const LINE_BYTES_MAX: usize = 1024;

/// One action.
#[derive(Debug)]
pub(super) enum Action {
    Topic(Node),
    Payload(Node),
    Qos(Node),
    Retain(Node),
    UserProperty(ByteString, Node),
    Republish(Box<Template>),
    Tag(u16),
    Log(Level, Node),
}

/// A message to be made. What is `None` is that of the message.
#[derive(Debug)]
pub(super) struct Template {
    pub(super) topic: Node,
    pub(super) payload: Option<Node>,
    pub(super) qos: Option<Node>,
    /// `None`: not retained, as a copy seldom is meant to be.
    pub(super) retain: Option<Node>,
}

impl Action {
    pub(super) fn perform<'a>(
        &'a self,
        scope: &'a Scope<'a>,
        rates: &mut Rates,
        effects: &mut Effects,
    ) -> Result<(), Failure> {
        let mut maker = Maker { scope, rates };
        match self {
            Self::Topic(node) => effects.topic = Some(maker.topic(node)?),
            Self::Payload(node) => effects.payload = Some(maker.payload(node)?),
            Self::Qos(node) => effects.qos = Some(maker.qos(node)?),
            Self::Retain(node) => effects.retain = Some(maker.truth(node)?),
            Self::UserProperty(name, node) => {
                let value = ByteString::from(maker.text(node)?.into_owned());
                effects.user_properties.push((name.clone(), value));
            }
            Self::Tag(tag) => effects.tags.push(*tag),
            Self::Log(level, node) => {
                let text = one_line(&maker.text(node)?);
                // The book knows the number of the rule.
                let (rule, level) = (0, *level);
                effects.lines.push(Line { rule, level, text });
            }
            Self::Republish(template) => effects.republished.push(maker.message(template)?),
        }
        Ok(())
    }
}

/// Makes values of the protocol from expressions.
struct Maker<'a, 'r> {
    scope: &'a Scope<'a>,
    rates: &'r mut Rates,
}

impl<'a> Maker<'a, '_> {
    fn value(&mut self, node: &'a Node) -> Result<Value<'a>, Failure> {
        Evaluation::new(self.scope, self.rates).evaluate(node)
    }

    fn truth(&mut self, node: &'a Node) -> Result<bool, Failure> {
        Evaluation::new(self.scope, self.rates).truth(node)
    }

    fn text(&mut self, node: &'a Node) -> Result<Cow<'a, str>, Failure> {
        let value = self.value(node)?;
        let bytes_max = self.scope.limits().text_bytes_max;
        let Value::Text(text) = value else {
            return Err(Failure::NoSuchOverload("a text of", value.name()));
        };
        if text.len() > bytes_max {
            return Err(Failure::TextTooLong(bytes_max));
        }
        Ok(text)
    }

    fn topic(&mut self, node: &'a Node) -> Result<TopicName, Failure> {
        let text = self.text(node)?;
        // What begins with `$` is the broker's own.
        let name = TopicName::new(text.as_ref()).ok().filter(|name| !name.starts_with('$'));
        name.ok_or_else(|| Failure::NotATopic(one_line(&text).into()))
    }

    fn payload(&mut self, node: &'a Node) -> Result<Bytes, Failure> {
        if Evaluation::is_payload(node) {
            return Ok(Bytes::copy_from_slice(self.scope.event().payload));
        }
        let value = self.value(node)?;
        let bytes_max = self.scope.limits().text_bytes_max;
        let bytes = if let Value::Text(text) = value {
            Bytes::from(text.into_owned())
        } else if let Value::Bytes(bytes) = value {
            Bytes::from(bytes.into_owned())
        } else {
            return Err(Failure::NoSuchOverload("a payload of", value.name()));
        };
        if bytes.len() > bytes_max {
            return Err(Failure::TextTooLong(bytes_max));
        }
        Ok(bytes)
    }

    fn qos(&mut self, node: &'a Node) -> Result<QoS, Failure> {
        let value = self.value(node)?;
        let Value::Int(number) = value else {
            return Err(Failure::NoSuchOverload("a QoS of", value.name()));
        };
        let qos = u8::try_from(number).ok().and_then(|number| QoS::try_from(number).ok());
        qos.ok_or(Failure::NotAQos(number))
    }

    fn message(&mut self, template: &'a Template) -> Result<Republish, Failure> {
        let event = self.scope.event();
        Ok(Republish {
            topic: self.topic(&template.topic)?,
            payload: match &template.payload {
                Some(node) => self.payload(node)?,
                None => Bytes::copy_from_slice(event.payload),
            },
            qos: match &template.qos {
                Some(node) => self.qos(node)?,
                None => event.qos,
            },
            retain: match &template.retain {
                Some(node) => self.truth(node)?,
                None => false,
            },
        })
    }
}

/// A text that a client may have chosen, made fit for a line of the log.
fn one_line(text: &str) -> String {
    let mut line = String::new();
    for letter in text.chars() {
        if line.len() >= LINE_BYTES_MAX {
            line.push('…');
            break;
        }
        if letter.is_control() {
            line.extend(letter.escape_default());
        } else {
            line.push(letter);
        }
    }
    line
}
