//! Keys: what stands where, and what a key says.

use mqtt_codec::PacketId;
use sha2::{Digest, Sha256};

use super::{MessageId, Place, SessionId};

const NUMBER_BYTES: usize = 8;
const HASH_BYTES: usize = 16;

pub(crate) fn session_key(session: SessionId) -> [u8; NUMBER_BYTES] {
    session.0.to_be_bytes()
}

#[inline]
pub(crate) fn place_key(session: SessionId, place: Place) -> [u8; 2 * NUMBER_BYTES] {
    (u128::from(session.0) << 64 | u128::from(place.0)).to_be_bytes()
}

#[inline]
pub(crate) fn message_key(message: MessageId) -> [u8; NUMBER_BYTES] {
    message.0.to_be_bytes()
}

pub(crate) fn received_key(session: SessionId, packet_id: PacketId) -> [u8; NUMBER_BYTES + 2] {
    joined(&session.0.to_be_bytes(), &packet_id.get().to_be_bytes())
}

pub(crate) fn subscription_key(session: SessionId, filter: &str) -> [u8; NUMBER_BYTES + HASH_BYTES] {
    joined(&session.0.to_be_bytes(), &hash(filter))
}

pub(crate) fn topic_key(topic: &str) -> [u8; HASH_BYTES] {
    hash(topic)
}

/// The session in front of a key.
pub(crate) fn session_of(key: &[u8]) -> Option<SessionId> {
    key.first_chunk().map(|number| SessionId(u64::from_be_bytes(*number)))
}

/// The place behind the session in a key of the tables queue and flight.
pub(crate) fn place_of(key: &[u8]) -> Option<Place> {
    let key: [u8; 2 * NUMBER_BYTES] = key.try_into().ok()?;
    Some(Place(u128::from_be_bytes(key) as u64))
}

/// The packet id behind the session in a key of the table received.
pub(crate) fn packet_id_of(key: &[u8]) -> Option<PacketId> {
    let number = key.get(NUMBER_BYTES..)?.try_into().ok()?;
    PacketId::new(u16::from_be_bytes(number))
}

/// Half of a SHA-256: nobody finds two names with the same one, so that no client can aim at the record of another.
fn hash(name: &str) -> [u8; HASH_BYTES] {
    let full: [u8; 2 * HASH_BYTES] = Sha256::digest(name).into();
    full.first_chunk().copied().unwrap_or_default()
}

fn joined<const N: usize>(front: &[u8], back: &[u8]) -> [u8; N] {
    let mut key = [0; N];
    for (to, from) in key.iter_mut().zip(front.iter().chain(back)) {
        *to = *from;
    }
    key
}
