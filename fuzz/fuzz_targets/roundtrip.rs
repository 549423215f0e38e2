//! What decodes has to encode to a packet that decodes to the same.
#![no_main]

use bytes::{Bytes, BytesMut};
use libfuzzer_sys::fuzz_target;
use mqtt_codec::{Packet, Sender, Version, decode};

const PACKET_SIZE_MAX: u32 = 1 << 20;

fuzz_target!(|data: &[u8]| {
    for version in Version::ALL {
        let mut stream = Bytes::copy_from_slice(data);
        while let Ok(Some(packet)) = decode(&mut stream, version, PACKET_SIZE_MAX) {
            check(&packet, version);
        }
    }
});

fn check(packet: &Packet, version: Version) {
    // A CONNECT carries its own version.
    let version = if let Packet::Connect(connect) = packet {
        connect.version
    } else {
        version
    };
    let _ = packet.check_sender(Sender::Client, version);
    let _ = packet.check_sender(Sender::Server, version);
    let mut wire = BytesMut::new();
    packet.encode(version, &mut wire).expect("it came off the wire");
    assert_eq!(wire.len(), packet.encoded_len(version));
    let mut again = wire.freeze();
    assert_eq!(
        decode(&mut again, version, u32::MAX).as_ref(),
        Ok(&Some(packet.clone()))
    );
    assert!(again.is_empty());
}
