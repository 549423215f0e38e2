use broker::session::Outbox;

use super::record::HEAD_BYTES;
use super::*;

const CLIENT_BYTES: usize = 2048;

fn recorder(bytes_max: usize, gone_clients_max: usize) -> Recorder {
    let settings = RecorderSettings {
        bytes_per_client: CLIENT_BYTES,
        bytes_max,
        packet_bytes_max: 160,
        gone_clients_max,
    };
    Recorder::new(settings, 1)
}

/// A PUBLISH of QoS 0 whose payload is a number.
fn publish(number: usize) -> Vec<u8> {
    let payload = format!("{number:08}");
    let mut packet = vec![0x30, 3 + 2 + 8];
    packet.extend_from_slice(b"\0\x03a/b");
    packet.extend_from_slice(payload.as_bytes());
    packet
}

fn packets(tape: &Tape) -> Vec<Vec<u8>> {
    let records = tape.records().into_iter();
    records
        .filter(|record| record.kind.is_packet())
        .map(|record| record.data)
        .collect()
}

fn peer(port: u16) -> Peer {
    Peer::Address(([127, 0, 0, 1], port).into())
}

#[test]
fn a_tape_has_the_last_packets_in_its_bound() {
    let recorder = recorder(1 << 20, 10);
    let mut tape = recorder.begin("a", Version::V311);
    for number in 0..1000 {
        tape.read(&publish(number), Millis(number as u64), &recorder);
        tape.taken(publish(number).len());
    }
    let kept = packets(&tape);
    assert!(kept.len() * (HEAD_BYTES + publish(0).len()) > CLIENT_BYTES / 2 - 30);
    let expected: Vec<_> = (1000 - kept.len()..1000).map(publish).collect();
    assert_eq!(kept, expected);
    assert!(tape.bytes() <= CLIENT_BYTES);
    assert_eq!(recorder.used.get(), tape.bytes());
    assert_eq!(tape.records().last().unwrap().at, Millis(999));
}

#[test]
fn an_idle_client_takes_what_it_sent_and_little_more() {
    let recorder = recorder(1 << 20, 10);
    let mut tape = recorder.begin("a", Version::V311);
    tape.note(
        (Kind::Connected, 1, "127.0.0.1:50000\tdefault\t3.1.1"),
        Millis(1),
        &recorder,
    );
    tape.aside(false, &[0x10; 30], Millis(1), &recorder);
    tape.aside(true, &[0x20, 2, 0, 0], Millis(1), &recorder);
    assert!(tape.bytes() <= 192, "{}", tape.bytes());
}

#[test]
fn what_waits_for_the_next_read_is_recorded_once() {
    let recorder = recorder(1 << 20, 10);
    let mut tape = recorder.begin("a", Version::V311);
    let read: Vec<u8> = (0..4).flat_map(publish).collect();
    let (one, half) = (publish(0).len(), 5);
    // Two of four packets were handled, then the reader was told to hold.
    tape.read(&read, Millis(1), &recorder);
    tape.taken(2 * one);
    tape.read(&read[2 * one..], Millis(2), &recorder);
    tape.taken(2 * one);
    // A packet in two reads: the shell puts them together before it hands them on.
    let mut next = publish(4);
    next.extend_from_slice(&publish(5)[..half]);
    tape.read(&next, Millis(3), &recorder);
    tape.taken(one);
    tape.read(&publish(5), Millis(4), &recorder);
    tape.taken(one);
    assert_eq!(packets(&tape), (0..6).map(publish).collect::<Vec<_>>());
}

/// Whatever the socket takes at a time, each packet is recorded once and from its start.
#[test]
fn writes_of_any_size_record_each_packet_once() {
    let large = vec![b'x'; 20_000];
    for step in [1, 2, 3, 7, 100, 20_005, 100_000] {
        let recorder = recorder(1 << 20, 10);
        let mut tape = recorder.begin("a", Version::V311);
        let mut out = Outbox::default();
        out.append(|buffer| buffer.extend_from_slice(&publish(1)));
        out.append(|buffer| buffer.extend_from_slice(&[0x30, 0xa5, 0x9c, 0x01, 0, 3, b'a', b'/', b'b']));
        out.share(large.clone().into());
        out.append(|buffer| buffer.extend_from_slice(&publish(2)));
        while !out.is_empty() {
            let written = step.min(out.len());
            tape.wrote(&out, written, Millis(1), &recorder);
            out.advance(written);
        }
        let records = tape.records();
        let sizes: Vec<_> = records.iter().map(|record| record.number).collect();
        assert_eq!(sizes, [15, 20_009, 15], "in steps of {step}");
        assert_eq!(records[1].data.len(), 160);
        assert_eq!(&records[1].data[9..], &large[..151]);
        assert_eq!(records[2].data, publish(2));
    }
}

#[test]
fn of_a_large_batch_the_last_are_kept_and_the_others_counted() {
    for count in [1, 7, 8, 9, 500] {
        let batch: Vec<Vec<u8>> = (0..count).map(publish).collect();
        let recorder = recorder(1 << 20, 10);
        let (mut read, mut wrote) = (recorder.begin("a", Version::V311), recorder.begin("b", Version::V311));
        read.read(&batch.concat(), Millis(1), &recorder);
        let mut out = Outbox::default();
        for packet in &batch {
            // Each in two pieces.
            out.append(|buffer| buffer.extend_from_slice(&packet[..7]));
            out.share(packet[7..].to_vec().into());
        }
        wrote.wrote(&out, out.len(), Millis(1), &recorder);
        for tape in [read, wrote] {
            let gaps: Vec<_> = tape
                .records()
                .iter()
                .filter(|record| record.kind == Kind::Gap)
                .map(|record| record.number)
                .collect();
            let expected = (count as u32).checked_sub(8).filter(|skipped| *skipped > 0);
            assert_eq!(gaps, expected.into_iter().collect::<Vec<_>>(), "{count}");
            assert_eq!(packets(&tape), batch[count.saturating_sub(8)..], "{count}");
        }
    }
}

#[test]
fn a_packet_that_broke_a_rule_is_there_though_it_is_not_whole() {
    let recorder = recorder(1 << 20, 10);
    let mut tape = recorder.begin("a", Version::V5);
    let endless = [0x30, 0xff, 0xff, 0xff, 0xff, 0x01];
    tape.read(&endless, Millis(1), &recorder);
    tape.broken(0, &endless, Millis(1), &recorder);
    assert_eq!(packets(&tape), [endless.to_vec()]);
}

#[test]
fn all_tapes_together_keep_to_the_bound() {
    let recorder = recorder(100_000, 1000);
    let mut tapes: Vec<Tape> = (0..500)
        .map(|n| recorder.begin(&n.to_string(), Version::V311))
        .collect();
    for round in 0..100 {
        for tape in &mut tapes {
            tape.read(&publish(round), Millis(1), &recorder);
            tape.taken(publish(round).len());
        }
        assert!(recorder.used.get() <= 100_000);
    }
    assert!(tapes.iter().all(|tape| packets(tape).last() == Some(&publish(99))));
    let bytes: usize = tapes.iter().map(Tape::bytes).sum();
    assert_eq!(recorder.used.get(), bytes);
    for (number, tape) in tapes.into_iter().enumerate() {
        recorder.leave(&number.to_string(), &peer(1), tape);
        assert!(recorder.used.get() <= 100_000);
    }
    assert!(!recorder.recall("499").is_empty());
    assert!(recorder.recall("0").is_empty());
}

#[test]
fn one_who_comes_back_goes_on_with_his_tape() {
    let recorder = recorder(1 << 20, 10);
    let mut tape = recorder.begin("a", Version::V311);
    tape.read(&publish(1), Millis(1), &recorder);
    recorder.leave("a", &peer(1), tape);
    let mut fresh = recorder.begin("a", Version::V311);
    fresh.aside(false, &publish(2), Millis(2), &recorder);
    let tape = recorder.resume("a", fresh);
    assert_eq!(packets(&tape), [publish(1), publish(2)]);
    assert!(recorder.recall("a").is_empty());
    assert_eq!((recorder.used.get(), recorder.tapes.get()), (tape.bytes(), 1));
}

#[test]
fn strangers_drive_nobody_out_and_are_found_by_their_address() {
    let recorder = recorder(1 << 20, 8);
    recorder.leave("a", &peer(1), recorder.begin("a", Version::V311));
    for number in 0..100 {
        let mut tape = recorder.begin("a", Version::V311);
        tape.note((Kind::Refused, 1, "no"), Millis(number), &recorder);
        recorder.refuse(&format!("stranger-{number}"), &peer(2), tape);
    }
    assert_eq!(recorder.recall("a").len(), 1);
    assert_eq!(recorder.recall("127.0.0.1").len(), 1 + 2);
    assert_eq!(recorder.recall("127.0.0.1:2").len(), 2);
    assert_eq!(recorder.tapes.get(), 3);
}

#[test]
fn one_who_is_refused_again_and_again_has_one_tape() {
    let recorder = recorder(1 << 20, 100);
    for number in 0..5 {
        let mut tape = recorder.begin("a", Version::V311);
        tape.note((Kind::Refused, 1, "no"), Millis(number), &recorder);
        recorder.refuse("a", &peer(number as u16), tape);
    }
    let found = recorder.recall("a");
    assert_eq!((found.len(), found[0].2.len()), (1, 5));
}

#[test]
fn who_watches_sees_all_and_is_told_what_was_missed() {
    let recorder = recorder(0, 0);
    let (mut receiver, _sender) = recorder.watch("a").unwrap();
    let mut tape = recorder.begin("a", Version::V311);
    let read: Vec<u8> = (0..1100).flat_map(|_| [0xc0, 0]).collect();
    tape.read(&read, Millis(1), &recorder);
    let mut seen = 0;
    while let Ok(record) = receiver.try_recv() {
        assert_eq!(record.missed, 0);
        seen += 1;
    }
    assert_eq!(seen, WATCH_RECORDS);
    tape.taken(read.len());
    tape.read(&[0xc0, 0], Millis(1), &recorder);
    assert_eq!(receiver.try_recv().unwrap().missed, 1100 - WATCH_RECORDS as u64);
    assert_eq!(tape.bytes(), 0);
}

/// Wherever a packet is cut, and whatever is wrong with it: what is secret is not on a tape.
#[test]
fn no_part_of_a_secret_is_recorded() {
    let v311 = b"\x10\x27\0\x04MQTT\x04\xc6\0\x3c\0\x02id\0\x01t\0\x02wp\0\x04user\0\x07hunter2xyz".to_vec();
    let v5 = [
        b"\x10\x41\0\x04MQTT\x05\xc2\0\x3c\x16\x11\0\0\0\x0a\x15\0\x05PLAIN\x16\0\x07hunter2".as_slice(),
        b"\0\x02id\0\x04user\0\x07hunter2",
    ]
    .concat();
    let auth = b"\xf0\x13\x18\x11\x15\0\x05PLAIN\x16\0\x07hunter2".to_vec();
    let connack = b"\x20\x0d\0\0\x0a\x16\0\x07hunter2".to_vec();
    let token = b"\x10\x1c\0\x04MQTT\x04\x82\0\x3c\0\x02id\0\x0beyJhunter2A".to_vec();
    for packet in [v311, v5, auth, connack, token] {
        let shown = |bytes: &[u8]| String::from_utf8_lossy(&blank::without_secrets(bytes)).into_owned();
        let text = shown(&packet);
        assert!(!text.contains("hunter"), "{text:?}");
        assert_eq!(text.contains("id"), packet[0] == 0x10, "{text:?}");
        for cut in 0..packet.len() {
            assert!(!shown(&packet[..cut]).contains("hun"), "cut at {cut}");
        }
        for at in 0..packet.len() {
            for value in [0, 1, 0x16, 0x40, 0xff] {
                let mut broken = packet.clone();
                broken[at] = value;
                assert!(blank::without_secrets(&broken).len() == packet.len());
            }
        }
    }
}

#[test]
fn packets_are_told_in_words() {
    let told = |bytes: &[u8], v5| {
        let words = words::describe(bytes, bytes.len(), v5);
        format!("{} {}", words.packet, words.text)
    };
    assert_eq!(told(&publish(7), false), "PUBLISH q0 a/b (8 bytes)");
    assert_eq!(told(b"\x32\x08\0\x01t\0\x05\0hi", true), "PUBLISH q1 id 5 t (2 bytes)");
    assert_eq!(told(b"\x40\x02\0\x05", false), "PUBACK id 5");
    assert_eq!(told(b"\x40\x03\0\x05\x87", true), "PUBACK id 5 0x87 Not authorized");
    assert_eq!(told(b"\x20\x02\0\x05", false), "CONNACK 0x05 not authorized");
    assert_eq!(told(b"\x82\x08\0\x01\0\x03a/#\x01", false), "SUBSCRIBE id 1 a/# q1");
    assert_eq!(
        told(b"\x10\x14\0\x04MQTT\x04\x82\0\x3c\0\x02id\0\x02me", false),
        "CONNECT id MQTT 3.1.1 keep alive 60 clean user me"
    );
    assert_eq!(told(b"\xe0\x01\x8e", true), "DISCONNECT 0x8e Session taken over");
    let cut = words::describe(&publish(7)[..9], 20_000, false);
    assert_eq!(cut.text, "q0 a/b (19993 bytes)");
}
