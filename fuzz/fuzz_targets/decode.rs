//! Any bytes, read as a stream in each version: never a panic, never more taken than was there, and the fixed header
//! and the decoder agree on where a packet ends.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use mqtt_codec::{Frame, Version, decode, frame};

const PACKET_SIZE_MAX: u32 = 1 << 20;

fuzz_target!(|data: &[u8]| {
    for version in Version::ALL {
        let mut stream = Bytes::copy_from_slice(data);
        loop {
            let before = stream.clone();
            let announced = frame(&before, PACKET_SIZE_MAX);
            match decode(&mut stream, version, PACKET_SIZE_MAX) {
                Ok(Some(_)) => assert_eq!(
                    announced,
                    Ok(Frame::Whole {
                        len: before.len() - stream.len()
                    })
                ),
                Ok(None) => {
                    assert!(matches!(announced, Ok(Frame::Partial { .. })));
                    assert_eq!(stream, before);
                    break;
                }
                Err(violation) => {
                    assert!(violation.reason().is_error() && violation.connack_reason().is_error());
                    assert!(!violation.to_string().is_empty());
                    break;
                }
            }
        }
    }
});
