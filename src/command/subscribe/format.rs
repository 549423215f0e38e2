//! The output format of `-F`, with the letters of mosquitto_sub.

use std::io::Write;
use std::time::SystemTime;

use mqtt_codec::{Publish, PublishProperties};

/// A format that was read.
#[derive(Debug, Clone)]
pub(crate) struct Format(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(Vec<u8>),
    /// One of [`LETTERS`].
    Field(char),
}

/// Letters that may follow a percent sign.
const LETTERS: &str = "tpxXlqrmUCDEFPRS";

impl Format {
    /// Reads a format; the error says which part is wrong.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut letters = text.chars();
        while let Some(letter) = letters.next() {
            match (letter, letters.clone().next()) {
                ('%', Some('%')) => plain.push('%'),
                ('\\', Some('\\')) => plain.push('\\'),
                ('\\', Some('n')) => plain.push('\n'),
                ('\\', Some('r')) => plain.push('\r'),
                ('\\', Some('t')) => plain.push('\t'),
                ('\\', Some('0')) => plain.push('\0'),
                ('%', Some(field)) if LETTERS.contains(field) => {
                    pieces.push(Piece::Text(std::mem::take(&mut plain).into_bytes()));
                    pieces.push(Piece::Field(field));
                }
                ('%' | '\\', Some(other)) => return Err(format!("`{letter}{other}` is no part of a format")),
                ('%' | '\\', None) => return Err(format!("`{letter}` stands at the end")),
                (letter, _) => {
                    plain.push(letter);
                    continue;
                }
            }
            letters.next();
        }
        pieces.push(Piece::Text(plain.into_bytes()));
        Ok(Self(pieces))
    }

    /// Appends `message` in this format. What a message does not have is left empty.
    pub(crate) fn write(&self, message: &Publish, out: &mut Vec<u8>) {
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => out.extend_from_slice(text),
                Piece::Field('t') => out.extend_from_slice(message.topic.as_bytes()),
                Piece::Field('p') => out.extend_from_slice(&message.payload),
                Piece::Field(letter) => out.extend_from_slice(&field(*letter, message)),
            }
        }
    }
}

fn field(letter: char, message: &Publish) -> Vec<u8> {
    match letter {
        'x' => hex(&message.payload, |byte| format!("{byte:02x}")),
        'X' => hex(&message.payload, |byte| format!("{byte:02X}")),
        'l' => message.payload.len().to_string().into_bytes(),
        'q' => (message.qos as u8).to_string().into_bytes(),
        'r' => u8::from(message.retain).to_string().into_bytes(),
        'm' => message.packet_id.map_or(0, |id| id.get()).to_string().into_bytes(),
        'U' => {
            let since = SystemTime::now()
                .duration_since(SystemTime::UNIX_EPOCH)
                .unwrap_or_default();
            format!("{}.{:09}", since.as_secs(), since.subsec_nanos()).into_bytes()
        }
        _ => message
            .properties
            .as_ref()
            .map(|properties| property(letter, properties))
            .unwrap_or_default(),
    }
}

fn property(letter: char, properties: &PublishProperties) -> Vec<u8> {
    let text = |text: Option<&str>| text.unwrap_or_default().as_bytes().to_vec();
    match letter {
        'C' => text(properties.content_type.as_deref()),
        'D' => properties.correlation_data.as_deref().unwrap_or_default().to_vec(),
        'E' => properties
            .message_expiry_secs
            .map(|secs| secs.to_string().into_bytes())
            .unwrap_or_default(),
        'F' => properties
            .payload_format
            .map(|utf8| u8::from(utf8).to_string().into_bytes())
            .unwrap_or_default(),
        'R' => text(properties.response_topic.as_deref()),
        'S' => {
            let ids: Vec<_> = properties.subscription_ids.iter().map(ToString::to_string).collect();
            ids.join(",").into_bytes()
        }
        _ => {
            let mut all = Vec::new();
            for (name, value) in &properties.user_properties {
                let between = if all.is_empty() { "" } else { " " };
                let _ = write!(all, "{between}{name}:{value}");
            }
            all
        }
    }
}

fn hex(bytes: &[u8], digits: impl Fn(u8) -> String) -> Vec<u8> {
    bytes.iter().map(|&byte| digits(byte)).collect::<String>().into_bytes()
}

#[cfg(test)]
mod tests;
