//! The properties of 5.0 that belong to a message, not to one of its hops.

use mqtt_codec::{PublishProperties, UserProperties};

use super::fields::{Fields, flag, put_block, put_varint};

const FORMAT: u8 = 1;
const FORMAT_UTF8: u8 = 1 << 1;
const CONTENT_TYPE: u8 = 1 << 2;
const RESPONSE_TOPIC: u8 = 1 << 3;
const CORRELATION_DATA: u8 = 1 << 4;
const USER_PROPERTIES: u8 = 1 << 5;
const UNUSED: u8 = 0b1100_0000;

/// Whether there is one that is kept.
pub(super) fn any(properties: &PublishProperties) -> bool {
    flags(properties) != 0
}

pub(super) fn write(properties: &PublishProperties, out: &mut Vec<u8>) {
    out.push(flags(properties));
    if let Some(content_type) = &properties.content_type {
        put_block(out, content_type.as_bytes());
    }
    if let Some(topic) = &properties.response_topic {
        put_block(out, topic.as_bytes());
    }
    if let Some(data) = &properties.correlation_data {
        put_block(out, data);
    }
    if !properties.user_properties.is_empty() {
        put_varint(out, properties.user_properties.len() as u32);
        for (name, value) in &properties.user_properties {
            put_block(out, name.as_bytes());
            put_block(out, value.as_bytes());
        }
    }
}

pub(super) fn read(fields: &mut Fields) -> Result<PublishProperties, &'static str> {
    let flags = fields.u8()?;
    if flags & UNUSED != 0 {
        return Err("the flags of its properties are not known");
    }
    let has = |bit| flags & bit != 0;
    Ok(PublishProperties {
        payload_format: has(FORMAT).then_some(has(FORMAT_UTF8)),
        content_type: has(CONTENT_TYPE).then(|| fields.text()).transpose()?,
        response_topic: has(RESPONSE_TOPIC).then(|| fields.topic()).transpose()?,
        correlation_data: has(CORRELATION_DATA).then(|| fields.block()).transpose()?,
        user_properties: if has(USER_PROPERTIES) {
            user_properties(fields)?
        } else {
            UserProperties::new()
        },
        ..PublishProperties::default()
    })
}

fn user_properties(fields: &mut Fields) -> Result<UserProperties, &'static str> {
    let count = fields.varint()?;
    (0..count).map(|_| Ok((fields.text()?, fields.text()?))).collect()
}

fn flags(properties: &PublishProperties) -> u8 {
    flag(FORMAT, properties.payload_format.is_some())
        | flag(FORMAT_UTF8, properties.payload_format == Some(true))
        | flag(CONTENT_TYPE, properties.content_type.is_some())
        | flag(RESPONSE_TOPIC, properties.response_topic.is_some())
        | flag(CORRELATION_DATA, properties.correlation_data.is_some())
        | flag(USER_PROPERTIES, !properties.user_properties.is_empty())
}
