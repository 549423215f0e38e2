use super::*;

const VERSIONS: [Version; 2] = [Version::V311, Version::V5];

fn template(version: Version, qos: Qos) -> Template {
    let topics = ["bench/a", "bench/longer", "c"].map(str::to_owned);
    Template::new(version, qos, 3, topics.into_iter())
}

fn found(version: Version, bytes: &[u8]) -> Found {
    next(version, bytes).unwrap().unwrap()
}

#[test]
fn a_message_comes_back_with_its_mark() {
    for version in VERSIONS {
        for (qos, wants) in [
            (Qos::AtMostOnce, None),
            (Qos::AtLeastOnce, Some((Qos::AtLeastOnce, 8))),
            (Qos::ExactlyOnce, Some((Qos::ExactlyOnce, 8))),
        ] {
            let mut bytes = Vec::new();
            template(version, qos).append(7, 1, 200, 99, &mut bytes);
            let found = found(version, &bytes);
            let delivery = Delivery {
                wants,
                mark: Some(Mark {
                    publisher: 3,
                    sequence: 7,
                    due_ns: 99,
                }),
                payload_bytes: 200,
            };
            assert_eq!(found.packet, Packet::Publish(delivery));
            assert_eq!((found.taken, found.missing), (bytes.len(), 0));
        }
    }
}

#[test]
fn publish_is_framed_as_the_standard_says() {
    let mut bytes = Vec::new();
    template(Version::V5, Qos::AtLeastOnce)
        .retained()
        .append(1, 2, 16, 4, &mut bytes);
    let mut wanted = vec![0x33, 22, 0, 1, b'c', 0, 2, 0];
    wanted.extend_from_slice(&[0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 4]);
    assert_eq!(bytes, wanted);

    bytes.clear();
    template(Version::V311, Qos::AtMostOnce).append_empty(0, 2, &mut bytes);
    assert_eq!(bytes, [0x30, 3, 0, 1, b'c']);
}

#[test]
fn connect_and_subscribe_are_framed_as_the_standard_says() {
    let login = |clean, user, password| Login {
        client_id: "me",
        clean,
        user,
        password,
    };
    for (version, login, wanted) in [
        (
            Version::V311,
            login(true, None, None),
            b"\x10\x0e\0\x04MQTT\x04\x02\x0e\x10\0\x02me".as_slice(),
        ),
        (
            Version::V5,
            login(false, Some("u"), Some("pw")),
            b"\x10\x1b\0\x04MQTT\x05\xc0\x0e\x10\x05\x11\0\0\x0e\x10\0\x02me\0\x01u\0\x02pw",
        ),
    ] {
        let mut bytes = Vec::new();
        connect(version, &login, &mut bytes);
        assert_eq!(bytes, wanted, "{version}");
    }
    let mut bytes = Vec::new();
    let filters = ["a/+", "b"].map(str::to_owned);
    subscribe(Version::V5, 258, Qos::ExactlyOnce, filters.into_iter(), &mut bytes);
    assert_eq!(bytes, b"\x82\x0d\x01\x02\0\0\x03a/+\x02\0\x01b\x02");
}

#[test]
fn packet_ids_run_from_1_to_65535_and_start_over() {
    let template = template(Version::V311, Qos::AtLeastOnce);
    for (sequence, wanted) in [(0, 1), (65_534, 65_535), (65_535, 1)] {
        let mut bytes = Vec::new();
        template.append(sequence, 0, 16, 0, &mut bytes);
        let Packet::Publish(delivery) = found(Version::V311, &bytes).packet else {
            panic!("{bytes:?}")
        };
        assert_eq!(delivery.wants, Some((Qos::AtLeastOnce, wanted)));
    }
}

#[test]
fn a_message_is_found_as_soon_as_its_mark_is_there() {
    for version in VERSIONS {
        let mut bytes = Vec::new();
        template(version, Qos::ExactlyOnce).append(7, 0, 300, 99, &mut bytes);
        let marked = bytes.len() - (300 - Mark::BYTES);
        for end in 0..marked {
            assert_eq!(next(version, &bytes[..end]), Ok(None), "prefix of {end} bytes");
        }
        let whole = found(version, &bytes);
        for end in marked..bytes.len() {
            let part = found(version, &bytes[..end]);
            assert_eq!((part.packet, part.taken), (whole.packet, end));
            assert_eq!(part.missing, bytes.len() - end);
        }
    }
}

#[test]
fn each_packet_gets_the_answer_that_the_standard_asks_for() {
    let answer = |packet: Packet| {
        let mut out = Vec::new();
        packet.answer(&mut out);
        out
    };
    let delivery = |wants| {
        Packet::Publish(Delivery {
            wants,
            mark: None,
            payload_bytes: 0,
        })
    };
    assert_eq!(answer(delivery(Some((Qos::AtLeastOnce, 258)))), [0x40, 2, 1, 2]);
    assert_eq!(answer(delivery(Some((Qos::ExactlyOnce, 258)))), [0x50, 2, 1, 2]);
    assert_eq!(answer(Packet::Pubrec { id: 258, code: 0x10 }), [0x62, 2, 1, 2]);
    assert_eq!(answer(Packet::Pubrel { id: 258 }), [0x70, 2, 1, 2]);
    for silent in [
        delivery(None),
        Packet::Puback { id: 1, code: 0 },
        Packet::Pubrec { id: 1, code: 0x97 },
        Packet::Pubcomp { id: 1, code: 0 },
        Packet::Pingresp,
    ] {
        assert_eq!(answer(silent), [0_u8; 0]);
    }
}

#[test]
fn answers_of_both_versions_are_understood() {
    for (version, bytes, wanted) in [
        (
            Version::V311,
            b"\x20\x02\0\x05".as_slice(),
            Packet::Connack {
                code: 5,
                allows: Allowance::FULL,
            },
        ),
        (
            Version::V5,
            b"\x20\x17\0\0\x14\x22\0\x0a\x26\0\x01k\0\x01v\x12\0\x01i\x21\0\x14\x13\0\x3c",
            Packet::Connack {
                code: 0,
                allows: Allowance {
                    receive_maximum: 20,
                    keep_alive_secs: Some(60),
                },
            },
        ),
        (
            Version::V5,
            b"\x20\x03\0\x86\0",
            Packet::Connack {
                code: 0x86,
                allows: Allowance::FULL,
            },
        ),
        (Version::V311, b"\x90\x04\0\x01\x02\x01", Packet::Suback { granted: 1 }),
        (
            Version::V5,
            b"\x90\x05\0\x01\0\x01\x87",
            Packet::Suback { granted: 0x87 },
        ),
        (Version::V311, b"\x40\x02\0\x07", Packet::Puback { id: 7, code: 0 }),
        (Version::V5, b"\x40\x03\0\x07\x97", Packet::Puback { id: 7, code: 0x97 }),
        (
            Version::V5,
            b"\x50\x04\0\x07\x10\0",
            Packet::Pubrec { id: 7, code: 0x10 },
        ),
        (Version::V5, b"\x70\x02\0\x07", Packet::Pubcomp { id: 7, code: 0 }),
        (
            Version::V5,
            b"\x70\x03\0\x07\x92",
            Packet::Pubcomp { id: 7, code: 0x92 },
        ),
        (Version::V5, b"\xe0\x02\x8b\0", Packet::Disconnect { code: 0x8b }),
        (Version::V311, b"\xd0\0", Packet::Pingresp),
    ] {
        let found = found(version, bytes);
        assert_eq!((found.packet, found.taken), (wanted, bytes.len()), "{bytes:?}");
    }
}

#[test]
fn what_no_broker_may_send_is_refused() {
    for bytes in [
        [0x36, 5, 0, 1, b't', 0, 1].as_slice(),
        &[0x30, 0x80, 0x80, 0x80, 0x80, 1],
        &[0x10, 0],
        &[0x20, 1, 0],
        &[0xe0, 0],
        &[0x30, 2, 0, 9],
    ] {
        assert!(next(Version::V311, bytes).is_err(), "{bytes:?}");
    }
}
