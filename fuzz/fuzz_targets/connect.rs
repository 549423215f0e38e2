//! Any bytes as the first packet of a connection: what passes is a CONNECT that can be sent again and means the same.
#![no_main]

use bytes::{Bytes, BytesMut};
use libfuzzer_sys::fuzz_target;
use mqtt_codec::{Version, decode_connect};

const PACKET_SIZE_MAX: u32 = 1 << 20;

fuzz_target!(|data: &[u8]| {
    let mut stream = Bytes::copy_from_slice(data);
    let Ok(Some(connect)) = decode_connect(&mut stream, PACKET_SIZE_MAX) else {
        return;
    };
    assert!(connect.version == Version::V5 || connect.password.is_none() || connect.username.is_some());
    let mut wire = BytesMut::new();
    connect.encode(&mut wire).expect("it came off the wire");
    assert_eq!(wire.len(), connect.encoded_len());
    assert_eq!(decode_connect(&mut wire.freeze(), PACKET_SIZE_MAX), Ok(Some(connect)));
});
