//! A session: who it belongs to and how long it lives.

use bytes::BufMut;
use mqtt_codec::{ClientId, Will};

use super::fields::{Fields, flag, put_block};
use super::{StoreTime, will};

const USERNAME: u8 = 1;
const LEFT_AT: u8 = 1 << 1;
const WILL: u8 = 1 << 2;
const UNUSED: u8 = 0b1111_1000;

/// A session that outlives its connection. Owns its bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionRecord {
    /// Whose it is.
    pub client_id: ClientId,
    /// The user name of its last connection.
    pub username: Option<Box<str>>,
    /// Seconds that it outlives its connection; `u32::MAX`: as long as the broker allows.
    pub expiry_secs: u32,
    /// When its last connection ended; `None`: it was connected when this was written.
    pub left_at: Option<StoreTime>,
    /// The will of its connection, or the one that waits for its delay.
    pub will: Option<Box<Will>>,
}

impl SessionRecord {
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.push(
            flag(USERNAME, self.username.is_some())
                | flag(LEFT_AT, self.left_at.is_some())
                | flag(WILL, self.will.is_some()),
        );
        out.put_u32(self.expiry_secs);
        put_block(out, self.client_id.as_bytes());
        if let Some(username) = &self.username {
            put_block(out, username.as_bytes());
        }
        if let Some(at) = self.left_at {
            out.put_u64(at.0);
        }
        if let Some(will) = &self.will {
            will::write(will, out);
        }
    }

    pub(crate) fn read(fields: &mut Fields) -> Result<Self, &'static str> {
        let flags = fields.u8()?;
        if flags & UNUSED != 0 {
            return Err("its flags are not known");
        }
        let has = |bit| flags & bit != 0;
        Ok(Self {
            expiry_secs: fields.u32()?,
            client_id: client_id(fields)?,
            username: has(USERNAME).then(|| username(fields)).transpose()?,
            left_at: has(LEFT_AT).then(|| fields.u64()).transpose()?.map(StoreTime),
            will: has(WILL).then(|| will::read(fields)).transpose()?.map(Box::new),
        })
    }
}

pub(super) fn client_id(fields: &mut Fields) -> Result<ClientId, &'static str> {
    let id = ClientId::new(fields.text()?).map_err(|_| "its client id is not one")?;
    Ok(id.detach())
}

pub(super) fn username(fields: &mut Fields) -> Result<Box<str>, &'static str> {
    fields.text().map(|text| Box::from(&*text))
}
