"""Limits that hold for one client, and what the broker does when the process as a whole has too much to bear."""

import os
import signal
import time

import exchange
import pytest
from authority import Authority
from wire import PINGREQ, V5, V311, Kind, Wire, connect, publish

pytestmark = pytest.mark.strowger

MEMORY_MIB = 160


def flood(wire, topic, count):
    wire.send(*[publish(topic, str(number), wire.version, qos=1, packet_id=number) for number in range(1, count + 1)])


@pytest.mark.parametrize("version", [V311, V5], ids=["v311", "v5"])
def test_a_client_that_sends_too_fast_is_read_more_slowly(start, version):
    broker = start("--set", "listener.client_messages_per_sec=20", "--set", "listener.client_messages_burst=10")
    with Wire.open(broker.address, "reader") as reader, Wire.open(broker.address, "sender", version) as sender:
        reader.subscribe("rate", qos=0)
        began = time.monotonic()
        flood(sender, "rate", 40)
        answers = [sender.expect(Kind.PUBACK).packet_id for _ in range(40)]
        assert answers == list(range(1, 41))
        assert 1.2 < time.monotonic() - began < 5
        assert [reader.take().payload for _ in range(40)] == [str(number).encode() for number in range(1, 41)]
        with Wire.open(broker.address, "other") as other:
            began = time.monotonic()
            other.publish("else", b"x", qos=1)
            assert time.monotonic() - began < 1
    assert "client=sender" in broker.log() and "client_messages_per_sec" in broker.log()
    assert broker.log().count("sends messages too fast") < 8


def test_a_client_that_sends_too_fast_may_be_disconnected(start, tmp_path):
    port = exchange.free_port()
    conf = tmp_path / "strict.toml"
    conf.write_text(
        f'[[listeners]]\nname = "strict"\nbind = "127.0.0.1:{port}"\ntransport = "tcp"\n'
        'client_messages_per_sec = 20\nclient_messages_burst = 10\nclient_bytes_per_sec = 100000\n'
        'client_bytes_burst = 50000\nclient_too_fast = "disconnect"\n'
    )
    broker = start("--conf", conf)
    with Wire(("127.0.0.1", port)) as sender:
        sender.send(connect("sender"))
        assert sender.expect(Kind.CONNACK).reason == 0
        flood(sender, "rate", 40)
        came = sender.expect_closed()
        assert [packet.kind for packet in came] == [Kind.PUBACK] * 10 + [Kind.DISCONNECT]
        assert came[-1].reason == 0x96
    with Wire(("127.0.0.1", port)) as sender:
        sender.send(connect("bytes"), publish("rate", bytes(60_000)))
        assert sender.expect(Kind.CONNACK).reason == 0
        sender.expect_disconnect(0x96)
    with Wire.open(broker.address, "elsewhere") as sender:
        flood(sender, "rate", 40)
        for _ in range(40):
            sender.expect(Kind.PUBACK)


def test_a_client_that_sends_bytes_too_fast_is_read_more_slowly(start):
    broker = start("--set", "listener.client_bytes_per_sec=100000", "--set", "listener.client_bytes_burst=50000")
    with Wire.open(broker.address, "sender") as sender:
        began = time.monotonic()
        for _ in range(10):
            sender.publish("bytes", bytes(20_000), qos=1)
        assert 1.0 < time.monotonic() - began < 5


def fill(broker, count):
    """Retains messages of 1 MB until one is refused or `count` are there; says how many."""
    with Wire.open(broker.address, "filler") as wire:
        for number in range(count):
            if wire.publish(f"fill/{number}", os.urandom(1_000_000), qos=1, retain=True).reason >= 0x80:
                return number
            # The memory is looked at five times a second.
            time.sleep(0.02)
    return count


def test_tight_memory_refuses_what_would_grow(start):
    broker = start(
        *("--set", f"overload.memory_bytes_max={MEMORY_MIB << 20}"),
        *("--set", "overload.memory_growth_percent=60"),
        *("--set", "overload.memory_connect_percent=100"),
        *("--set", "packet.bytes_max=2000000"),
    )
    with Wire.open(broker.address, "away", clean=False, session_expiry=600) as away:
        away.subscribe("mail", qos=1)
    filled = fill(broker, 200)
    assert 20 < filled < 120, filled
    assert broker.rss_mib() < MEMORY_MIB
    assert "memory is tight" in broker.log()
    with Wire.open(broker.address, "here") as here:
        assert here.publish("mail", b"x", qos=1).reason == 0x97
        here.subscribe("chat", qos=1)
        here.send(publish("chat", b"x", qos=1, packet_id=9))
        assert {here.receive().kind, here.receive().kind} == {Kind.PUBACK, Kind.PUBLISH}
    with Wire.open(broker.address, "old", V311) as old:
        old.send(publish("mail", b"x", V311, qos=1, packet_id=1))
        assert old.expect_closed() == []
    with Wire.open(broker.address, "filler") as wire:
        for number in range(filled):
            wire.publish(f"fill/{number}", b"", qos=1, retain=True)
        deadline = time.monotonic() + 15
        while wire.publish("mail", b"x", qos=1).reason == 0x97:
            assert time.monotonic() < deadline, "memory that is free is not taken again"
            time.sleep(0.2)
    assert "memory is ample again" in broker.log()


def test_scarce_memory_refuses_newcomers_and_drops_qos_0(start):
    broker = start(
        *("--set", f"overload.memory_bytes_max={MEMORY_MIB << 20}"),
        *("--set", "overload.memory_growth_percent=100"),
        *("--set", "overload.memory_connect_percent=60"),
        *("--set", "packet.bytes_max=2000000"),
    )
    with Wire.open(broker.address, "kept", clean=False, session_expiry=600):
        pass
    with Wire.open(broker.address, "here") as here, Wire.open(broker.address, "filler") as wire:
        here.subscribe("chat", qos=1)
        filled = 0
        while "memory is scarce" not in broker.log():
            wire.publish(f"fill/{filled}", os.urandom(1_000_000), qos=1, retain=True)
            filled += 1
            assert filled < 150
        time.sleep(0.2)
        Wire.open(broker.address, "new", expect=0x97).drop()
        Wire.open(broker.address, "new", V311, expect=3).drop()
        Wire.open(broker.address, "kept", clean=False, session_expiry=600).drop()
        wire.publish("chat", b"0", qos=0)
        wire.publish("chat", b"1", qos=1)
        assert here.take().payload == b"1"
        for number in range(filled):
            wire.publish(f"fill/{number}", b"", qos=1, retain=True)
        deadline = time.monotonic() + 15
        while "memory is ample again" not in broker.log():
            assert time.monotonic() < deadline, "memory that is free is not taken again"
            time.sleep(0.2)
        time.sleep(0.2)
        Wire.open(broker.address, "new").drop()


def test_a_late_line_serves_those_who_are_in_first(start):
    """A process that was stopped for a while is late with everything."""
    broker = start("--set", "overload.line_lag_ms_max=300")
    with Wire.open(broker.address, "here") as here:
        time.sleep(0.3)
        os.kill(broker.process.pid, signal.SIGSTOP)
        time.sleep(1)
        os.kill(broker.process.pid, signal.SIGCONT)
        time.sleep(0.1)
        began = time.monotonic()
        late = Wire(broker.address)
        late.send(connect("late"))
        here.send(PINGREQ)
        here.expect(Kind.PINGRESP)
        assert time.monotonic() - began < 0.5
        assert late.expect(Kind.CONNACK, 10).reason == 0
        assert 0.5 < time.monotonic() - began < 5
        late.drop()
    assert "does not keep up" in broker.log() and "keeps up again" in broker.log()


def test_a_banned_address_shakes_no_hands(start, tmp_path):
    """An address is judged before TLS: the connection ends without an answer to the client's first words."""
    port, bans = exchange.free_port(), tmp_path / "bans"
    certificate, key, _ = Authority(tmp_path).issue("server", hosts=["localhost"])
    bans.write_text("address 127.0.0.1\n")
    conf = tmp_path / "tls.toml"
    conf.write_text(
        f'[[listeners]]\nname = "tls"\nbind = "127.0.0.1:{port}"\ntransport = "tls"\n'
        f'certificate = "{certificate}"\nkey = "{key}"\n'
    )
    broker = start("--conf", conf, "--set", f"auth.bans_file={bans}")
    with Wire(("127.0.0.1", port)) as banned:
        assert banned.expect_closed() == []
    assert "not listened to" in broker.log()
