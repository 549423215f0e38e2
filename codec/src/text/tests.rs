use super::*;

fn check(bytes: &[u8]) -> Result<ByteString, &'static Rule> {
    checked(Bytes::copy_from_slice(bytes))
}

/// [MQTT-1.5.3-1] in 3.1.1, [MQTT-1.5.4-1] in 5.0: surrogates, overlong forms and cut characters are not UTF-8.
#[test]
fn v5_1_5_4_1_ill_formed_utf8_is_found() {
    for bytes in [
        &b"\xED\xA0\x80"[..],
        b"\xED\xBF\xBF",
        b"\xC1\xBF",
        b"\xF4\x90\x80\x80",
        b"a\xE2\x82",
        b"\x80",
    ] {
        assert_eq!(check(bytes), Err(&rules::ILL_FORMED_UTF8), "{bytes:02x?}");
    }
}

/// [MQTT-1.5.3-2] in 3.1.1, [MQTT-1.5.4-2] in 5.0: U+0000 is found wherever it stands.
#[test]
fn v5_1_5_4_2_the_null_character_is_found() {
    for at in [0, 1, 15, 16, 17, 63, 99] {
        let mut bytes = vec![b'x'; 100];
        bytes[at] = 0;
        assert_eq!(check(&bytes), Err(&rules::NULL_CHARACTER), "at {at}");
    }
}

/// [MQTT-1.5.3-3] in 3.1.1, [MQTT-1.5.4-3] in 5.0: U+FEFF is a character like any other and stays.
#[test]
fn v5_1_5_4_3_a_byte_order_mark_stays() {
    assert_eq!(check(b"\xEF\xBB\xBFa\xEF\xBB\xBF").as_deref(), Ok("\u{FEFF}a\u{FEFF}"));
}
