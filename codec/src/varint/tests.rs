use super::*;

fn written(value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(value, |byte| bytes.push(byte));
    bytes
}

/// [MQTT-1.5.5-1] in 5.0: a number takes as few bytes as it can; seen at both ends of each size.
#[test]
fn v5_1_5_5_1_each_size_begins_and_ends_where_it_should() {
    let edges = [
        (0, 1),
        (127, 1),
        (128, 2),
        (16_383, 2),
        (16_384, 3),
        (2_097_151, 3),
        (2_097_152, 4),
        (268_435_455, 4),
    ];
    for (value, size) in edges {
        let bytes = written(value);
        assert_eq!((bytes.len(), len(value)), (size, size), "{value}");
        let value = u32::try_from(value).expect("small");
        assert_eq!(
            read(&bytes),
            Ok(Some(Varint {
                value,
                len: size,
                minimal: true
            }))
        );
    }
}

#[test]
fn padding_is_noticed() {
    for bytes in [&[0x80, 0][..], &[0xFF, 0], &[0x80, 0x80, 0], &[0x81, 0x80, 0x80, 0]] {
        assert!(
            matches!(read(bytes), Ok(Some(Varint { minimal: false, .. }))),
            "{bytes:02x?}"
        );
    }
}

#[test]
fn a_number_cut_short_is_waited_for_and_a_fifth_byte_is_not() {
    for bytes in [&[][..], &[0x80], &[0xFF, 0xFF], &[0xFF, 0xFF, 0xFF]] {
        assert_eq!(read(bytes), Ok(None));
    }
    assert_eq!(read(&[0xFF; 4]), Err(&rules::VARINT_TOO_LONG));
    assert_eq!(read(&[0xFF, 0xFF, 0xFF, 0xFF, 1]), Err(&rules::VARINT_TOO_LONG));
}
