//! What is encoded decodes to the same.

use bytes::{Bytes, BytesMut};
use proptest::collection::vec;
use proptest::prelude::*;

use super::arbitrary::{connect, packet, packet_of_any_version, version};
use super::support::ANY_SIZE;
use crate::{Frame, decode, decode_connect, frame};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_packet_of_every_version_survives((version, packet) in packet_of_any_version()) {
        let mut wire = BytesMut::new();
        packet.encode(version, &mut wire).expect("it fits");
        prop_assert_eq!(wire.len(), packet.encoded_len(version));
        prop_assert_eq!(frame(&wire, ANY_SIZE), Ok(Frame::Whole { len: wire.len() }));

        let mut stream = wire.freeze();
        let decoded = decode(&mut stream, version, ANY_SIZE).expect("it is good").expect("it is whole");
        prop_assert!(stream.is_empty());
        prop_assert_eq!(decoded.kind(), packet.kind());
        prop_assert_eq!(decoded, packet);
    }

    #[test]
    fn packets_in_a_row_come_out_one_by_one(
        (version, packets) in version().prop_flat_map(|version| (Just(version), vec(packet(version), 0..6)))
    ) {
        let mut wire = BytesMut::new();
        for packet in &packets {
            packet.encode(version, &mut wire).expect("it fits");
        }
        let mut stream = wire.freeze();
        for packet in packets {
            prop_assert_eq!(decode(&mut stream, version, ANY_SIZE), Ok(Some(packet)));
        }
        prop_assert_eq!(decode(&mut stream, version, ANY_SIZE), Ok(None));
    }

    #[test]
    fn the_first_connect_tells_its_version(connect in version().prop_flat_map(connect)) {
        let mut wire = BytesMut::new();
        connect.encode(&mut wire).expect("it fits");
        prop_assert_eq!(wire.len(), connect.encoded_len());
        wire.extend_from_slice(b"what follows");

        let mut stream = wire.freeze();
        prop_assert_eq!(decode_connect(&mut stream, ANY_SIZE), Ok(Some(connect)));
        prop_assert_eq!(stream, Bytes::from_static(b"what follows"));
    }
}
