//! `strowger publish`: a message in the broker's own name, and how many got it.

use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::Manner;
use crate::command::remote::listing::harmless;
use crate::failure::Failure;

/// The longest payload, as MQTT has it.
const PAYLOAD_BYTES_MAX: u64 = 268_435_455;

/// Publish a message from within a broker that runs, and say how many got it.
///
/// `strowger pub` publishes as a client does; this asks the broker's API for operators, needs no password of a client, and
/// says how many receivers there were.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The topic
    topic: String,
    /// The payload; - reads it from standard input; without one it is empty
    payload: Option<String>,
    /// The quality of service
    #[arg(short, long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=2))]
    qos: u8,
    /// Retain the message; an empty payload clears what is retained
    #[arg(short, long)]
    retain: bool,
    /// The receivers forget it after so many seconds
    #[arg(long, value_name = "SECS")]
    expiry: Option<u32>,
    /// What kind of content it is, such as application/json
    #[arg(long, value_name = "TEXT")]
    content_type: Option<String>,
    /// Where an answer is expected
    #[arg(long, value_name = "TOPIC")]
    response_topic: Option<String>,
    /// A user property; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    property: Vec<(String, String)>,
    #[command(flatten)]
    manner: Manner,
}

fn pair(text: &str) -> Result<(String, String), &'static str> {
    let (name, value) = text.split_once('=').ok_or("it is NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let body = options.body()?;
    let answer = options
        .manner
        .open()?
        .call(Method::POST, &["publish"], &[], Some(&body))?;
    let receivers = answer.get("receivers").and_then(Value::as_u64).unwrap_or_default();
    let queued = answer.get("queued").and_then(Value::as_u64).unwrap_or_default();
    let topic = harmless(&options.topic);
    let words = match (receivers, queued) {
        (0, 0) => format!("{topic}: nobody has subscribed to it"),
        (_, 0) => format!("{topic}: {receivers} got it"),
        (_, _) => format!("{topic}: {receivers} got it, {queued} of them will when they return"),
    };
    options.manner.print_done(&answer, &words)
}

impl Options {
    fn body(&self) -> Result<Value, Failure> {
        let mut payload = Vec::new();
        match self.payload.as_deref() {
            Some("-") => {
                let read = std::io::stdin()
                    .lock()
                    .take(PAYLOAD_BYTES_MAX)
                    .read_to_end(&mut payload);
                read.map_err(Failure::io("read standard input"))?;
            }
            Some(text) => payload.extend_from_slice(text.as_bytes()),
            None => {}
        }
        let mut properties = Map::new();
        properties.extend(self.expiry.map(|secs| ("message_expiry_secs".to_owned(), json!(secs))));
        properties.extend(
            self.content_type
                .as_ref()
                .map(|text| ("content_type".to_owned(), json!(text))),
        );
        properties.extend(
            self.response_topic
                .as_ref()
                .map(|text| ("response_topic".to_owned(), json!(text))),
        );
        if !self.property.is_empty() {
            properties.insert("user_properties".to_owned(), json!(self.property));
        }
        let mut body = Map::new();
        body.insert("topic".to_owned(), json!(self.topic));
        body.insert("qos".to_owned(), json!(self.qos));
        body.insert("retain".to_owned(), json!(self.retain));
        if !properties.is_empty() {
            body.insert("properties".to_owned(), Value::Object(properties));
        }
        match String::from_utf8(payload) {
            Ok(text) => body.insert("payload".to_owned(), Value::String(text)),
            Err(binary) => body.insert("payload_base64".to_owned(), json!(STANDARD.encode(binary.as_bytes()))),
        };
        Ok(Value::Object(body))
    }
}
