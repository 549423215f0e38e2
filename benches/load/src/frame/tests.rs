use super::*;

#[test]
fn a_message_comes_back_with_its_mark() {
    for (qos, wants) in [
        (Qos::AtMostOnce, None),
        (Qos::AtLeastOnce, Some((Qos::AtLeastOnce, 8))),
        (Qos::ExactlyOnce, Some((Qos::ExactlyOnce, 8))),
    ] {
        let mut bytes = Vec::new();
        Template::new("load/3", qos, 200, 3).append(7, 99, &mut bytes);
        let (packet, rest) = next(&bytes).unwrap().unwrap();
        let Packet::Publish { wants: found, payload } = packet else {
            panic!("{packet:?}")
        };
        assert_eq!((found, payload.len(), rest.len()), (wants, 200, 0));
        assert_eq!(
            Mark::read(payload),
            Some(Mark {
                publisher: 3,
                sequence: 7,
                stamp_ns: 99
            })
        );
    }
}

#[test]
fn packet_ids_run_from_1_to_65535_and_start_over() {
    let template = Template::new("t", Qos::AtLeastOnce, 16, 0);
    for (sequence, wanted) in [(0, 1), (65_534, 65_535), (65_535, 1)] {
        let mut bytes = Vec::new();
        template.append(sequence, 0, &mut bytes);
        let (packet, _) = next(&bytes).unwrap().unwrap();
        let Packet::Publish {
            wants: Some((_, id)), ..
        } = packet
        else {
            panic!("{packet:?}")
        };
        assert_eq!(id, wanted);
    }
}

#[test]
fn every_prefix_of_a_packet_asks_for_more() {
    let mut bytes = Vec::new();
    Template::new("load/3", Qos::ExactlyOnce, 300, 3).append(7, 99, &mut bytes);
    for end in 0..bytes.len() {
        assert_eq!(next(&bytes[..end]), Ok(None), "prefix of {end} bytes");
    }
}

#[test]
fn each_packet_gets_the_answer_that_the_standard_asks_for() {
    let answer = |packet: Packet<'_>| {
        let mut out = Vec::new();
        packet.answer(&mut out);
        out
    };
    assert_eq!(
        answer(Packet::Publish {
            wants: Some((Qos::AtLeastOnce, 258)),
            payload: &[]
        }),
        [0x40, 2, 1, 2]
    );
    assert_eq!(
        answer(Packet::Publish {
            wants: Some((Qos::ExactlyOnce, 258)),
            payload: &[]
        }),
        [0x50, 2, 1, 2]
    );
    assert_eq!(answer(Packet::Pubrec(258)), [0x62, 2, 1, 2]);
    assert_eq!(answer(Packet::Pubrel(258)), [0x70, 2, 1, 2]);
    for silent in [
        Packet::Publish {
            wants: None,
            payload: &[],
        },
        Packet::Puback,
        Packet::Pubcomp,
        Packet::Connack(0),
    ] {
        assert!(answer(silent).is_empty());
    }
}

#[test]
fn what_no_broker_may_send_is_refused() {
    assert!(next(&[0x36, 5, 0, 1, b't', 0, 1]).is_err(), "QoS 3");
    assert!(
        next(&[0x30, 0x80, 0x80, 0x80, 0x80, 1]).is_err(),
        "length of five bytes"
    );
    assert!(next(&[0x10, 0]).is_err(), "CONNECT");
    assert!(next(&[0x20, 1, 0]).is_err(), "CONNACK without code");
}
