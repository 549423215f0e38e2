//! Packets cut short and packets with a wrong byte.

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use super::arbitrary::packet_of_any_version;
use super::support::ANY_SIZE;
use crate::{Frame, Packet, Version, decode, decode_connect, frame};

fn encoded(packet: &Packet, version: Version) -> Vec<u8> {
    let mut wire = BytesMut::new();
    packet.encode(version, &mut wire).expect("it fits");
    wire.to_vec()
}

/// Whatever decodes has to be something that can be sent again and means the same.
fn check_what_decodes(bytes: &[u8], version: Version) -> Result<(), TestCaseError> {
    let mut stream = Bytes::copy_from_slice(bytes);
    let Ok(Some(packet)) = decode(&mut stream, version, ANY_SIZE) else {
        return Ok(());
    };
    // A CONNECT may have turned into one of another version.
    let version = if let Packet::Connect(connect) = &packet {
        connect.version
    } else {
        version
    };
    let mut wire = BytesMut::new();
    packet.encode(version, &mut wire).expect("it came off the wire");
    prop_assert_eq!(wire.len(), packet.encoded_len(version));
    prop_assert_eq!(decode(&mut wire.freeze(), version, ANY_SIZE), Ok(Some(packet)));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_prefix_passes_for_a_packet((version, packet) in packet_of_any_version()) {
        let wire = encoded(&packet, version);
        for len in 0..wire.len() {
            let prefix = &wire[..len];
            let mut stream = Bytes::copy_from_slice(prefix);
            prop_assert_eq!(decode(&mut stream, version, ANY_SIZE), Ok(None));
            prop_assert_eq!(&stream[..], prefix, "a partial packet has to stay");
            if matches!(packet, Packet::Connect(_)) {
                prop_assert_eq!(decode_connect(&mut stream, ANY_SIZE), Ok(None));
            }
            match frame(prefix, ANY_SIZE) {
                Ok(Frame::Partial { need: Some(need) }) => prop_assert_eq!(need, wire.len()),
                Ok(Frame::Partial { need: None }) => prop_assert!(len < 5),
                other => return Err(TestCaseError::fail(format!("{other:?}"))),
            }
        }
    }

    /// The length in the fixed header made to fit a shorter body: the fields have to notice that they are cut.
    #[test]
    fn a_body_cut_short_never_reads_beyond_its_end((version, packet) in packet_of_any_version()) {
        let wire = encoded(&packet, version);
        let header = if wire[1] < 0x80 { 2 } else { 3 };
        for len in 0..wire.len() - header {
            let cut = super::support::packet(wire[0], &[&wire[header..header + len]]);
            check_what_decodes(&cut, version)?;
        }
    }

    #[test]
    fn one_wrong_byte_is_found_or_harmless((version, packet) in packet_of_any_version(), wrong in any::<u8>()) {
        let wire = encoded(&packet, version);
        for at in 0..wire.len() {
            for value in [wrong, 0, 0xFF, wire[at].wrapping_add(1), wire[at].wrapping_sub(1), wire[at] ^ 0x80] {
                let mut damaged = wire.clone();
                damaged[at] = value;
                check_what_decodes(&damaged, version)?;
            }
        }
    }

    #[test]
    fn any_bytes_at_all_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        for version in Version::ALL {
            check_what_decodes(&bytes, version)?;
        }
        let _ = decode_connect(&mut Bytes::from(bytes), ANY_SIZE);
    }
}
