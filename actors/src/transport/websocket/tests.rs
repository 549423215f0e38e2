use bytes::BytesMut;

use super::{Fault, WebSocket};

const MASK: [u8; 4] = [1, 2, 3, 4];

/// A client's frame. `first` is FIN, RSV and opcode.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..126 => bytes.push(0x80 | length as u8),
        length => {
            bytes.push(0x80 | 126);
            bytes.extend_from_slice(&(length as u16).to_be_bytes());
        }
    }
    bytes.extend_from_slice(&MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, key)| byte ^ key));
    bytes
}

/// What comes out when the bytes come in pieces of `piece`.
fn take(bytes: &[u8], piece: usize) -> (Result<Vec<u8>, Fault>, WebSocket) {
    let mut socket = WebSocket::new(1000);
    let mut out = BytesMut::new();
    for piece in bytes.chunks(piece) {
        let from = out.len();
        out.extend_from_slice(piece);
        if let Err(fault) = socket.take(&mut out, from) {
            return (Err(fault), socket);
        }
    }
    (Ok(out.to_vec()), socket)
}

#[test]
fn the_payload_of_frames_comes_out_whatever_the_pieces_they_come_in() {
    let long: Vec<u8> = (0..700_u32).map(|number| number as u8).collect();
    let mut bytes = frame(0x82, b"ab");
    bytes.extend(frame(0x02, b"cde"));
    bytes.extend(frame(0x89, b"ping in between"));
    bytes.extend(frame(0x00, b""));
    bytes.extend(frame(0x80, &long));
    bytes.extend(frame(0x82, b"z"));
    let expected = [b"abcde".as_slice(), &long, b"z"].concat();
    for piece in [1, 2, 3, 5, 7, 64, 10_000] {
        let (out, mut socket) = take(&bytes, piece);
        assert_eq!(out.as_deref(), Ok(&*expected), "pieces of {piece}");
        socket.begin_sending(0);
        assert_eq!(socket.head, [&[0x8a, 15], b"ping in between".as_slice()].concat());
    }
}

#[test]
fn each_broken_rule_has_its_close_code() {
    let too_long = [&[0x82, 0xff], &u64::MAX.to_be_bytes()[..], &MASK].concat();
    for (bytes, fault, code) in [
        (vec![0x82, 1, b'a'], Fault::Unmasked, 1002),
        (frame(0x81, b"text"), Fault::Text, 1003),
        (frame(0xc2, b"compressed"), Fault::Frame, 1002),
        (frame(0x80, b"continues nothing"), Fault::Frame, 1002),
        ([frame(0x02, b"a"), frame(0x82, b"b")].concat(), Fault::Frame, 1002),
        (frame(0x09, b"a ping in pieces"), Fault::Frame, 1002),
        (frame(0x89, &[0; 126]), Fault::Frame, 1002),
        (frame(0x83, b"no such opcode"), Fault::Frame, 1002),
        (frame(0x82, &[0; 1001]), Fault::TooLong, 1009),
        (too_long, Fault::TooLong, 1009),
    ] {
        for piece in [1, 10_000] {
            let (out, mut socket) = take(&bytes, piece);
            assert_eq!(out, Err(fault), "{bytes:?}");
            socket.begin_sending(0);
            assert_eq!(socket.head, [&[0x88, 2], &u16::to_be_bytes(code)[..]].concat());
        }
    }
}

#[test]
fn a_close_is_answered_once_and_nothing_is_read_behind_it() {
    let (out, mut socket) = take(
        &[frame(0x82, b"a"), frame(0x88, &[3, 233]), frame(0x82, b"b")].concat(),
        100,
    );
    assert_eq!(out.as_deref(), Ok(b"a".as_slice()));
    assert!(socket.is_over());
    socket.close(1000);
    socket.begin_sending(10);
    assert_eq!(socket.head, [0x88, 2, 3, 233]);
}

#[test]
fn a_control_frame_waits_for_the_end_of_the_frame_that_is_being_sent() {
    let mut socket = WebSocket::new(1000);
    socket.begin_sending(300);
    assert_eq!(socket.head, [0x82, 126, 1, 44]);
    assert_eq!(socket.sent(3), 0);
    assert_eq!(socket.sent(101), 100);
    let mut ping = BytesMut::from(&*frame(0x89, b"p"));
    socket.take(&mut ping, 0).expect("a ping");
    assert!(!socket.has_unsent());
    socket.begin_sending(200);
    assert!(socket.head.is_empty());
    assert_eq!(socket.sent(200), 200);
    assert!(socket.has_unsent());
    socket.begin_sending(50);
    assert_eq!(socket.head, [0x8a, 1, b'p']);
    assert_eq!(socket.sent(3), 0);
    socket.begin_sending(50);
    assert_eq!((socket.head.as_slice(), socket.frame_left), (&[0x82, 50][..], 50));
}
