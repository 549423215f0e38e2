"""The flight recorder: why a client is not there, in one command; and its packets as Wireshark reads them."""

import json
import re
import socket
import time

import exchange
import pytest
from office import Office
from wire import V5, V311, Kind, Wire, connect, publish

pytestmark = pytest.mark.strowger

SECRET = "hunter2-and-more"


def story(broker, client):
    done = exchange.strowger("recorder", client, "--data-dir", Office(broker).directory)
    assert done.returncode == 0, done.stderr
    return done.stdout


def verdict(broker, client):
    return story(broker, client).rstrip("\n").rsplit("\n", 1)[-1]


def kinds(broker, client):
    items = Office(broker).recorder(client)["items"]
    return [item["packet"] if item["kind"] == "packet" else item["kind"] for item in items]


def dissected(file, *fields):
    """What tshark makes of a capture: a row for each packet of MQTT."""
    options = [part for field in fields for part in ("-e", field)]
    done = exchange.run("tshark", "-r", file, "-Y", "mqtt", "-T", "fields", "-E", "separator=|", *options)
    assert done.returncode == 0, done.stderr
    return [line.split("|") for line in done.stdout.splitlines()]


def test_a_client_with_a_wrong_password_is_found_by_name_and_by_address(start, tmp_path):
    passwords = tmp_path / "passwords"
    assert exchange.strowger("passwd", passwords, "ann", input="right\n").returncode == 0
    broker = start("--set", f"auth.password_file={passwords}", "--set", "auth.anonymous=deny")
    with Wire(broker.address, V5) as wire:
        wire.send(connect("meter-1", V5, username="ann", password=SECRET))
        wire.expect(Kind.CONNACK)
        wire.expect_closed()
    assert "wrong user name or password" in verdict(broker, "meter-1")
    assert verdict(broker, "meter-1").startswith("meter-1 is not connected")
    told = story(broker, "127.0.0.1")
    assert "CONNECT meter-1" in told and "user ann with password" in told
    raw = json.dumps(Office(broker).recorder("meter-1"))
    assert SECRET not in raw and "KioqKioq" in raw, "the password is masked"


def test_why_each_client_left(start):
    broker = start()
    with Wire.open(broker.address, "taken", V5):
        with Wire.open(broker.address, "taken", V5) as second:
            assert "another connection came with the same client identifier" in story(broker, "taken")
            assert verdict(broker, "taken") == "taken is connected"
            second.send(b"\x36\x05\0\x01tab")
            second.expect_disconnect(0x81)
    assert re.search(r"not connected: protocol violation: .*MQTT-", verdict(broker, "taken"))

    with Wire.open(broker.address, "gone", V311):
        pass
    deadline = time.monotonic() + 5
    while "connection lost" not in verdict(broker, "gone"):
        assert time.monotonic() < deadline, story(broker, "gone")
        time.sleep(0.05)

    with Wire.open(broker.address, "silent", V311, keep_alive=1) as silent:
        silent.expect_closed(within=5)
    assert "sent nothing for one and a half times its keep alive" in verdict(broker, "silent")
    assert kinds(broker, "silent") == ["connected", "CONNECT", "CONNACK", "disconnected"]


def test_what_is_no_mqtt_is_found_by_its_address(start):
    broker = start()
    with socket.create_connection(broker.address) as stranger:
        host, port = stranger.getsockname()
        stranger.sendall(b"GET / HTTP/1.1\r\nAuthorization: Basic " + SECRET.encode() + b"\r\n\r\n")
        stranger.settimeout(5)
        assert stranger.recv(100) == b""
    told = story(broker, f"{host}:{port}")
    assert "refused" in told and "CONNECT" in told
    assert SECRET not in json.dumps(Office(broker).recorder(host))


def test_a_refused_message_of_qos_0_leaves_its_reason(start, tmp_path):
    rights = tmp_path / "rights"
    rights.write_text("topic read #\n")
    broker = start("--set", f"acl.file={rights}")
    with Wire.open(broker.address, "meter-2", V311) as wire:
        wire.send(publish("a/b", b"x", V311), publish("a/b", b"y", V311))
        wire.send(b"\xc0\x00")
        wire.expect(Kind.PINGRESP)
        assert "denied: PUBLISH refused: its rights do not allow it" in story(broker, "meter-2")
    # The ping may come with a read of its own, behind the decision.
    seen = [kind for kind in kinds(broker, "meter-2") if kind != "denied"]
    assert seen[3:6] == ["PUBLISH", "PUBLISH", "PINGREQ"]


def test_a_capture_has_the_right_packets_for_tshark(start, tmp_path):
    broker = start()
    file = tmp_path / "meter.pcapng"
    large = b"x" * 200_000
    with Wire.open(broker.address, "meter-3", V5) as wire:
        wire.subscribe("a/#", qos=1)
        wire.send(publish("a/b", b"hello", V5, qos=1, packet_id=7), publish("a/c", large, V5))
        wire.receive(), wire.receive(), wire.receive()
        wire.send(publish("a/d", "grüße".encode(), V5))
        wire.receive()
    done = exchange.strowger("recorder", "meter-3", "--pcapng", file, "--data-dir", Office(broker).directory)
    assert done.returncode == 0, done.stderr
    rows = dissected(file, "mqtt.msgtype", "mqtt.topic", "tcp.srcport", "frame.len", "frame.cap_len")
    types = [int(row[0]) for row in rows]
    assert types[:5] == [Kind.CONNECT, Kind.CONNACK, Kind.SUBSCRIBE, Kind.SUBACK, Kind.PUBLISH]
    assert sorted(types[5:]) == sorted([Kind.PUBACK] + [Kind.PUBLISH] * 5)
    assert [row[1] for row in rows if int(row[0]) == Kind.PUBLISH].count("a/c") == 2
    for row in rows:
        is_cut = row[1] == "a/c"
        assert (int(row[3]) > int(row[4])) == is_cut, row
        assert not is_cut or int(row[3]) > len(large), row
    assert {row[2] == "1883" for row in rows} == {True, False}
    everything = exchange.run("tshark", "-r", file, "-V").stdout
    assert "Malformed" not in everything and "previous segment" not in everything.lower()
    assert "disconnected: " in everything or "Closed" in everything or "comment" in everything.lower()


def test_a_capture_of_an_ipv6_client_is_read_as_well(start, tmp_path):
    port = exchange.free_port()
    broker = start("--bind", f"[::1]:{port}")
    file = tmp_path / "six.pcapng"
    with Wire.open(("::1", port), "six", V311) as wire:
        wire.send(publish("a/b", b"hello", V311))
        wire.send(b"\xc0\x00")
        wire.expect(Kind.PINGRESP)
    done = exchange.strowger("recorder", "six", "--pcapng", file, "--data-dir", Office(broker).directory)
    assert done.returncode == 0, done.stderr
    rows = dissected(file, "mqtt.msgtype", "ipv6.src")
    assert [int(row[0]) for row in rows] == [Kind.CONNECT, Kind.CONNACK, Kind.PUBLISH, Kind.PINGREQ, Kind.PINGRESP]
    assert rows[0][1] == "::1"


def test_it_may_be_off_and_is_bounded(start):
    off = start("--set", "recorder.bytes_max=0")
    with Wire.open(off.address, "a", V311):
        pass
    status, body = Office(off).ask("GET", "/clients/a/recorder")
    assert status == 404 and "nothing is known of a" in body["error"]["message"]

    few = start("--set", "recorder.gone_clients_max=8")
    for number in range(60):
        with Wire.open(few.address, f"c{number}", V311) as wire:
            wire.send(b"\xe0\x00")
            wire.expect_closed()
    remembered = [n for n in range(60) if Office(few).ask("GET", f"/clients/c{n}/recorder")[0] == 200]
    assert 0 < len(remembered) <= 8
    assert remembered[-1] == 59
