//! PINGREQ and PINGRESP: a fixed header and nothing else.

use bytes::{BufMut, BytesMut};

use crate::PacketKind;

/// Size in bytes of either.
pub(crate) const ENCODED_LEN: usize = 2;

pub(crate) fn encode_request(out: &mut BytesMut) {
    out.put_slice(&[PacketKind::Pingreq.first_byte(0), 0]);
}

pub(crate) fn encode_response(out: &mut BytesMut) {
    out.put_slice(&[PacketKind::Pingresp.first_byte(0), 0]);
}
