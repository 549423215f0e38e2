"""Who may open a console, and what it takes: by hand, since a browser's page asks for nothing else."""

import base64
import hashlib
import os
import secrets
import socket
import struct
import time

import pytest
import wire

CONNACK = 2


def ask(house, role="operator", protocol="mqtt", token=None, **headers):
    """Asks for a WebSocket; answers with the socket and the head of the answer."""
    lines = ["GET /api/v1/console HTTP/1.1", f"Host: 127.0.0.1:{house.port}", "Connection: Upgrade", "Upgrade: websocket"]
    lines += ["Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}"]
    if protocol:
        lines.append(f"Sec-WebSocket-Protocol: {protocol}")
    if role:
        lines.append(f"Authorization: Bearer {token or house.tokens[role]}")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    one = socket.create_connection(("127.0.0.1", house.port), timeout=10)
    one.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
    head = b""
    while b"\r\n\r\n" not in head:
        read = one.recv(4096)
        assert read, head
        head += read
    return one, head.decode(errors="replace")


def opened(house, **options):
    """A console; waits for room while those of an earlier test are still going."""
    for _ in range(100):
        one, head = ask(house, **options)
        if " 429 " not in head.splitlines()[0]:
            break
        one.close()
        time.sleep(0.1)
    assert " 101 " in head.splitlines()[0], head
    return one, head


def frame(opcode, payload):
    """A frame of a browser: whole, and masked with zeros."""
    length = bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xfe" + struct.pack("!H", len(payload))
    return bytes([0x80 | opcode]) + length + b"\0\0\0\0" + payload


def test_a_console_is_a_websocket_of_mqtt_that_goes_on_where_a_frame_ends(house):
    one, head = opened(house)
    assert "sec-websocket-protocol: mqtt" in head.lower()
    connect = wire.connect("by-hand")
    # Frames need not be packets.
    one.sendall(frame(2, connect[:5]) + frame(9, b"there?") + frame(2, connect[5:]))
    got = b""
    while len(got) < 8 + 4:
        got += one.recv(4096)
    assert bytes([0x8A, 6]) + b"there?" in got
    assert any(got[at] == 0x82 and got[at + 2] == CONNACK << 4 for at in range(len(got) - 2))
    one.close()


@pytest.mark.parametrize(
    "status, options",
    [
        (401, {"role": None}),
        (401, {"token": "strowger_wrong"}),
        (403, {"role": "viewer"}),
        (403, {"Origin": "http://evil.example"}),
        (400, {"protocol": None}),
        (400, {"protocol": "chat"}),
    ],
)
def test_who_may_not_have_a_console_is_refused_before_it_opens(house, status, options):
    one, head = ask(house, **options)
    assert f" {status} " in head.splitlines()[0], head
    one.close()


def test_a_console_ends_with_the_token_of_its_operator(house):
    token = f"strowger_{secrets.token_urlsafe(32)}"
    before = house.file.read_text()
    house.file.write_text(f"{before}guest:operator:sha256:{hashlib.sha256(token.encode()).hexdigest()}\n")
    time.sleep(1.5)
    one, _ = opened(house, token=token)
    house.file.write_text(before)
    got = one.recv(4096)
    assert got[0] == 0x88 and struct.unpack("!H", got[2:4]) == (1008,) and b"token" in got
    one.close()


def test_text_is_no_mqtt(house):
    one, _ = opened(house)
    one.sendall(frame(1, b"hello"))
    got = one.recv(4096)
    assert got[0] == 0x88 and struct.unpack("!H", got[2:4]) == (1003,)
    one.close()


def test_consoles_are_bounded_and_one_that_closes_makes_room(house):
    open_ones = [opened(house)[0] for _ in range(32)]
    one, head = ask(house)
    assert " 429 " in head.splitlines()[0] and "32 consoles" in head
    one.close()
    open_ones.pop().close()
    one, _ = opened(house)
    for each in [*open_ones, one]:
        each.close()


def test_a_console_that_breaks_the_rules_is_ended_like_any_client(house):
    one, _ = opened(house)
    one.sendall(frame(2, b"\xff\xff\xff\xff\xff\xff"))
    received = b""
    while read := one.recv(4096):
        received += read
    assert b"\x88" in received
    other = house.client("unharmed")
    other.send(wire.PINGREQ)
    other.expect(wire.Kind.PINGRESP)
