use super::*;
use crate::DisconnectReason;
use crate::PacketKind;
use crate::Version::{V5, V311};
use crate::tests::support::{accepted, packet, section, text};

#[track_caller]
fn refused(sender: Sender, version: Version, bytes: &[u8]) -> Violation {
    accepted(version, bytes)
        .check_sender(sender, version)
        .expect_err("not theirs to send")
}

#[track_caller]
fn fine(sender: Sender, version: Version, bytes: &[u8]) {
    assert_eq!(accepted(version, bytes).check_sender(sender, version), Ok(()));
}

/// [MQTT-3.1.0-2] in 3.1.1, [MQTT-3.1.0-2] in 5.0: CONNECT comes once.
#[test]
fn v5_3_1_0_2_a_second_connect_is_a_protocol_error() {
    for (version, level) in [(V311, 4), (V5, 5)] {
        let connect = packet(
            0x10,
            &[
                b"\0\x04MQTT",
                &[level, 2, 0, 0],
                &[0, 0],
                &[0; 1][..usize::from(level == 5)],
            ],
        );
        let violation = refused(Sender::Client, version, &connect);
        assert_eq!(
            (violation.clause().id, violation.clause().version),
            ("MQTT-3.1.0-2", version)
        );
        assert_eq!(violation.reason(), DisconnectReason::ProtocolError);
    }
}

/// [MQTT-3.3.4-6] in 5.0: Subscription Identifiers come from servers.
#[test]
fn v5_3_3_4_6_a_subscription_id_from_a_client_is_a_protocol_error() {
    let publish = packet(0x30, &[&text("t"), &section(&[&[0x0B, 1]])]);
    let violation = refused(Sender::Client, V5, &publish);
    assert_eq!(violation.clause().to_string(), "[MQTT-3.3.4-6] in 5.0");
    assert_eq!(violation.packet(), Some(PacketKind::Publish));
    fine(Sender::Server, V5, &publish);
    fine(
        Sender::Client,
        V5,
        &packet(0x30, &[&text("t"), &section(&[&[0x01, 1]])]),
    );
}

/// [MQTT-3.14.2-2] in 5.0: a server does not set the client's expiry when it disconnects.
#[test]
fn v5_3_14_2_2_a_session_expiry_from_a_server_is_a_protocol_error() {
    let disconnect = packet(0xE0, &[&[0], &section(&[&[0x11, 0, 0, 0, 1]])]);
    assert_eq!(refused(Sender::Server, V5, &disconnect).clause().id, "MQTT-3.14.2-2");
    fine(Sender::Client, V5, &disconnect);
}

#[test]
fn some_reasons_are_a_servers_alone() {
    for &reason in DisconnectReason::ALL {
        let disconnect = accepted(V5, &[0xE0, 1, reason.code()]);
        assert_eq!(
            disconnect.check_sender(Sender::Client, V5).is_ok(),
            reason.allowed_from_client()
        );
        assert_eq!(disconnect.check_sender(Sender::Server, V5), Ok(()));
    }
    let allowed = DisconnectReason::ALL
        .iter()
        .filter(|reason| reason.allowed_from_client())
        .count();
    assert_eq!(allowed, 14);
}

#[test]
fn each_side_has_its_packets() {
    let puback: &[u8] = &[0x40, 2, 0, 1];
    let from_server: [&[u8]; 4] = [&[0x20, 2, 0, 0], &[0x90, 3, 0, 1, 0], &[0xB0, 2, 0, 1], &[0xD0, 0]];
    let from_client: [&[u8]; 4] = [
        b"\x82\x06\0\x01\0\x01a\0",
        b"\xA2\x05\0\x01\0\x01a",
        &[0xC0, 0],
        &[0xE0, 0],
    ];
    for bytes in from_server {
        fine(Sender::Server, V311, bytes);
        refused(Sender::Client, V311, bytes);
    }
    for bytes in from_client {
        fine(Sender::Client, V311, bytes);
        refused(Sender::Server, V311, bytes);
    }
    fine(Sender::Client, V311, puback);
    fine(Sender::Server, V311, puback);
}

#[test]
fn each_side_has_its_steps_of_authentication() {
    let auth = |code: u8| packet(0xF0, &[&[code], &section(&[&[0x15, 0, 1, b'm']])]);
    refused(Sender::Client, V5, &auth(0));
    refused(Sender::Server, V5, &auth(0x19));
    for sender in [Sender::Client, Sender::Server] {
        fine(sender, V5, &auth(0x18));
    }
}
