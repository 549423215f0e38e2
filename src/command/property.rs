//! `-D PACKET PROPERTY VALUE`: properties of MQTT 5.0, under the names that mosquitto_pub gives them.

use std::num::{NonZeroU16, NonZeroU32};
use std::str::FromStr;

use bytes::Bytes;
use bytestring::ByteString;
use mqtt_codec::{ConnectProperties, PublishProperties, SubscriptionId, TopicName, UserProperties};

/// The properties that were given, by the packet that carries them.
#[derive(Debug, Default)]
pub(crate) struct Properties {
    pub(crate) connect: ConnectProperties,
    pub(crate) will: Option<PublishProperties>,
    pub(crate) will_delay_secs: u32,
    pub(crate) publish: Option<PublishProperties>,
    pub(crate) subscription_id: Option<SubscriptionId>,
    pub(crate) subscribe: UserProperties,
    pub(crate) unsubscribe: UserProperties,
    pub(crate) disconnect_expiry_secs: Option<u32>,
    pub(crate) disconnect: UserProperties,
}

const USER: &str = "user-property";

/// Each packet with its properties.
const NAMES: &[(&str, &[&str])] = &[
    (
        "connect",
        &[
            "authentication-data",
            "authentication-method",
            "maximum-packet-size",
            "receive-maximum",
            "request-problem-information",
            "request-response-information",
            "session-expiry-interval",
            "topic-alias-maximum",
            USER,
        ],
    ),
    (
        "will",
        &[
            "content-type",
            "correlation-data",
            "message-expiry-interval",
            "payload-format-indicator",
            "response-topic",
            USER,
            "will-delay-interval",
        ],
    ),
    (
        "publish",
        &[
            "content-type",
            "correlation-data",
            "message-expiry-interval",
            "payload-format-indicator",
            "response-topic",
            "topic-alias",
            USER,
        ],
    ),
    ("subscribe", &["subscription-identifier", USER]),
    ("unsubscribe", &[USER]),
    ("disconnect", &["session-expiry-interval", USER]),
];

impl Properties {
    /// Reads the words of all `-D`s, one after the other; `packets` are those that the command sends.
    ///
    /// The error is one line for the user.
    pub(crate) fn parse(words: &[String], packets: &[&str]) -> Result<Self, String> {
        let mut properties = Self::default();
        let mut words = words.iter().map(String::as_str);
        while let Some(packet) = words.next() {
            let (packet, name) = (packet.to_lowercase(), words.next().unwrap_or_default().to_lowercase());
            let (packet, name) = (packet.as_str(), name.as_str());
            let names = NAMES
                .iter()
                .find(|(known, _)| *known == packet && packets.contains(known));
            let Some((_, names)) = names else {
                return Err(format!(
                    "-D {packet} {name}: this command sends no {packet}; it sends {}",
                    packets.join(", ")
                ));
            };
            if !names.contains(&name) {
                return Err(format!(
                    "-D {packet} {name}: unknown property; {packet} has {}",
                    names.join(", ")
                ));
            }
            let value = words.next().unwrap_or_default();
            let second = if name == USER { words.next() } else { None };
            properties
                .set(packet, name, value, second)
                .map_err(|why| format!("-D {packet} {name} {value}: {why}"))?;
        }
        Ok(properties)
    }

    fn set(&mut self, packet: &str, name: &str, value: &str, second: Option<&str>) -> Result<(), String> {
        if name == USER {
            let second = second.ok_or("a user property has a name and a value")?;
            self.user_properties(packet).push((value.into(), second.into()));
            return Ok(());
        }
        match packet {
            "connect" => set_connect(&mut self.connect, name, value)?,
            "will" if name == "will-delay-interval" => self.will_delay_secs = number(value)?,
            "will" => set_message(self.will.get_or_insert_default(), name, value)?,
            "publish" => set_message(self.publish.get_or_insert_default(), name, value)?,
            "subscribe" => {
                let id = SubscriptionId::new(number(value)?).ok_or("a number from 1 to 268435455 is wanted")?;
                self.subscription_id = Some(id);
            }
            _ => self.disconnect_expiry_secs = Some(number(value)?),
        }
        Ok(())
    }

    fn user_properties(&mut self, packet: &str) -> &mut UserProperties {
        match packet {
            "connect" => &mut self.connect.user_properties,
            "will" => &mut self.will.get_or_insert_default().user_properties,
            "publish" => &mut self.publish.get_or_insert_default().user_properties,
            "subscribe" => &mut self.subscribe,
            "unsubscribe" => &mut self.unsubscribe,
            _ => &mut self.disconnect,
        }
    }
}

fn set_connect(properties: &mut ConnectProperties, name: &str, value: &str) -> Result<(), String> {
    match name {
        "authentication-data" => properties.authentication_data = Some(bytes(value)),
        "authentication-method" => properties.authentication_method = Some(ByteString::from(value)),
        "maximum-packet-size" => properties.packet_size_max = Some(number::<NonZeroU32>(value)?),
        "receive-maximum" => properties.receive_maximum = Some(number::<NonZeroU16>(value)?),
        "request-problem-information" => properties.request_problem_information = truth(value)?,
        "request-response-information" => properties.request_response_information = truth(value)?,
        "session-expiry-interval" => properties.session_expiry_secs = Some(number(value)?),
        _ => properties.topic_alias_max = number(value)?,
    }
    Ok(())
}

fn set_message(properties: &mut PublishProperties, name: &str, value: &str) -> Result<(), String> {
    match name {
        "content-type" => properties.content_type = Some(ByteString::from(value)),
        "correlation-data" => properties.correlation_data = Some(bytes(value)),
        "message-expiry-interval" => properties.message_expiry_secs = Some(number(value)?),
        "payload-format-indicator" => properties.payload_format = Some(truth(value)?),
        "response-topic" => {
            let topic = TopicName::new(value).map_err(|violation| violation.detail().to_owned())?;
            properties.response_topic = Some(topic);
        }
        _ => properties.topic_alias = Some(number::<NonZeroU16>(value)?),
    }
    Ok(())
}

fn number<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|_| "a number in this property's range is wanted".to_owned())
}

fn truth(text: &str) -> Result<bool, String> {
    match text {
        "0" => Ok(false),
        "1" => Ok(true),
        _ => Err("0 or 1 is wanted".to_owned()),
    }
}

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

#[cfg(test)]
mod tests;
