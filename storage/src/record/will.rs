//! A will: the message that is published when its client is lost.

use bytes::{BufMut, Bytes};
use mqtt_codec::{ClientId, PublishProperties, Will};

use super::fields::{Fields, flag, put_block, qos};
use super::properties;
use super::session::{client_id, username};

const RETAIN: u8 = 1 << 2;
const DELAY: u8 = 1 << 3;
const EXPIRY: u8 = 1 << 4;
const PROPERTIES: u8 = 1 << 5;
const UNUSED: u8 = 0b1100_0000;

const USERNAME: u8 = 1;

/// The will of a client whose session is not kept, with what it takes to judge its publication. Owns its bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct WillRecord {
    /// Whose it is.
    pub client_id: ClientId,
    /// The user name of the connection.
    pub username: Option<Box<str>>,
    /// Its message. The expiry counts from the publication.
    pub will: Will,
}

impl WillRecord {
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.push(flag(USERNAME, self.username.is_some()));
        put_block(out, self.client_id.as_bytes());
        if let Some(username) = &self.username {
            put_block(out, username.as_bytes());
        }
        write(&self.will, out);
    }

    pub(crate) fn read(fields: &mut Fields) -> Result<Self, &'static str> {
        let flags = fields.u8()?;
        if flags & !USERNAME != 0 {
            return Err("its flags are not known");
        }
        Ok(Self {
            client_id: client_id(fields)?,
            username: (flags & USERNAME != 0).then(|| username(fields)).transpose()?,
            will: read(fields)?,
        })
    }
}

/// Writes a will up to the end of the value.
pub(super) fn write(will: &Will, out: &mut Vec<u8>) {
    let properties = will.properties.as_deref();
    let expiry_secs = properties.and_then(|properties| properties.message_expiry_secs);
    let kept = properties.filter(|properties| properties::any(properties));
    out.push(
        u8::from(will.qos)
            | flag(RETAIN, will.retain)
            | flag(DELAY, will.delay_secs > 0)
            | flag(EXPIRY, expiry_secs.is_some())
            | flag(PROPERTIES, kept.is_some()),
    );
    if will.delay_secs > 0 {
        out.put_u32(will.delay_secs);
    }
    if let Some(secs) = expiry_secs {
        out.put_u32(secs);
    }
    put_block(out, will.topic.as_bytes());
    if let Some(kept) = kept {
        properties::write(kept, out);
    }
    out.put_slice(&will.payload);
}

/// Reads a will from the rest of the value, detached from it.
pub(super) fn read(fields: &mut Fields) -> Result<Will, &'static str> {
    let flags = fields.u8()?;
    if flags & UNUSED != 0 {
        return Err("the flags of its will are not known");
    }
    let has = |bit| flags & bit != 0;
    let delay_secs = if has(DELAY) { fields.u32()? } else { 0 };
    let expiry_secs = has(EXPIRY).then(|| fields.u32()).transpose()?;
    let topic = fields.topic()?.detach();
    let kept = has(PROPERTIES).then(|| properties::read(fields)).transpose()?;
    let properties = (kept.is_some() || expiry_secs.is_some()).then(|| {
        Box::new(PublishProperties {
            message_expiry_secs: expiry_secs,
            ..kept.map(|properties| properties.detach()).unwrap_or_default()
        })
    });
    Ok(Will {
        topic,
        payload: Bytes::copy_from_slice(&fields.rest()),
        qos: qos(flags)?,
        retain: has(RETAIN),
        delay_secs,
        properties,
    })
}
