"""Hostile bytes: each connection is closed with its reason, a healthy client goes on, and memory stays flat.

The cases stand as tables in `cases_*.py`: name, clause, stage, bytes, answer. The topic `forbidden` must never carry
a message: whatever stands behind a violation in the same write is not processed.
"""

import contextlib
import socket
import time

import cases_frame
import cases_v3
import cases_v5
import exchange
import pytest
from case import CLOSED, FRESH, raw
from healthy import Healthy
from wire import PINGREQ, V5, V311, Kind, Wire, connect, data, publish

TABLES = {"first": cases_frame.CASES, "v3": cases_v3.CASES, "v5": cases_v5.CASES}
CASES = {f"{table} {case.name}".replace(" ", "_"): case for table, cases in TABLES.items() for case in cases}
CLOSE_SECS = 2.0
GROWTH_MIB_MAX = 16

pytestmark = pytest.mark.strowger


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    """A broker with short patience for half-sent packets and a small receive maximum."""
    options = ["--set", "listener.connect_timeout_secs=1", "--set", "session.receive_maximum=32"]
    options += ["--set", "auth.flapping_connects_max=0"]
    broker = exchange.Broker(tmp_path_factory.mktemp("hostile"), *options)
    yield broker
    assert broker.process.poll() is None, f"the broker died with {broker.process.returncode}:\n{broker.log()}"
    assert broker.stop() == 0, broker.log()


@pytest.fixture(scope="module")
def healthy(target):
    """A client that publishes and receives with QoS 1 for as long as the module runs."""
    with Healthy(target.address) as one:
        yield one


def attack(address, case):
    """Sends the bytes of a case; returns the packets that came before the close."""
    with Wire(address, case.stage or V5) as wire:
        if case.stage != FRESH:
            wire.send(connect("hostile", case.stage))
            assert wire.expect(Kind.CONNACK).reason == 0
        with contextlib.suppress(ConnectionError):
            wire.send(case.sent)
        return wire.expect_closed(CLOSE_SECS)


def test_there_are_200_cases_with_names_of_their_own():
    assert len(CASES) >= 200
    assert len(CASES) == sum(map(len, TABLES.values()))


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_hostile(target, healthy, case):
    came = attack(target.address, case)
    last = [packet for packet in came if packet.kind in (Kind.CONNACK, Kind.DISCONNECT)]
    if case.answer == CLOSED:
        assert not last, f"{case.clauses}: {came}"
    else:
        assert [packet.kind for packet in last] == [case.answer.kind], f"{case.clauses}: {came}"
        codes = "/".join(f"{code:#04x}" for code in case.answer.codes)
        assert last[0].reason in case.answer.codes, f"{case.clauses}: expected {codes}, came {last}"
    if case.stage == FRESH:
        assert len(came) <= 1, f"a refused CONNECT is answered once at most: {came}"
    healthy.check()


def test_memory_stays_flat_over_many_rounds(target, healthy):
    def one_round():
        for case in CASES.values():
            attack(target.address, case)

    one_round()
    before = target.rss_mib()
    for _ in range(3):
        one_round()
    after = target.rss_mib()
    assert after - before < GROWTH_MIB_MAX, f"{before:.1f} MiB grew to {after:.1f} MiB in {3 * len(CASES)} attacks"
    healthy.check()


HALVES = {
    "nothing at all": b"",
    "one byte": raw("10"),
    "half a CONNECT": connect("h")[:9],
    "a CONNECT that lacks its last byte": connect("h")[:-1],
    "a length without an end": raw("10 80"),
    "a start of 60 KiB announced": raw("10 e0 d4 03") + data("MQTT") + raw("05 02 003c 00"),
}


@pytest.mark.parametrize("half", HALVES.values(), ids=[name.replace(" ", "_") for name in HALVES])
def test_who_does_not_finish_connect_is_dropped(target, healthy, half):
    """[MQTT-3.1.4-2] in 5.0 leaves the time to the broker: here one second."""
    with Wire(target.address) as wire:
        wire.send(half)
        assert wire.expect_closed(within=3.5) == []
    healthy.check()


def test_a_connect_sent_byte_by_byte_in_time_is_accepted(target, healthy):
    with Wire(target.address) as wire:
        for byte in connect("slow"):
            wire.send(bytes([byte]))
            time.sleep(0.01)
        assert wire.expect(Kind.CONNACK).reason == 0
    healthy.check()


@pytest.mark.parametrize("version", [V311, V5], ids=["v311", "v5"])
def test_half_a_packet_does_not_outlive_keep_alive(target, healthy, version):
    """[MQTT-3.1.2-24] in 3.1.1, [MQTT-3.1.2-22] in 5.0: bytes that never become a packet are no sign of life."""
    with Wire.open(target.address, "half", version, keep_alive=1) as wire:
        began = time.monotonic()
        whole = publish("forbidden", bytes(100), version)
        with contextlib.suppress(ConnectionError):
            for byte in whole[:40]:
                wire.send(bytes([byte]))
                time.sleep(0.1)
        wire.expect_closed()
        assert time.monotonic() - began < 6
    healthy.check()


def test_bytes_of_every_value_after_connect(target, healthy):
    """Each possible first byte, followed by rubbish: whatever happens, the broker stands."""
    for first in range(256):
        for version in (V311, V5):
            with Wire(target.address, version) as wire, contextlib.suppress(ConnectionError):
                wire.send(connect("rubbish", version), bytes([first]), b"\x05\x00\x03ab\x01")
    healthy.check()


def test_deep_topics_and_filters_do_not_hurt(target, healthy):
    """[MQTT-4.7.3-3] in 5.0: 65,535 slashes fit a string, so they have to be survived: refused or taken."""
    deep = "/" * 65535
    with Wire.open(target.address) as wire:
        wire.send(publish(deep, b"x", qos=1, packet_id=1))
        assert wire.receive().kind in (Kind.PUBACK, Kind.DISCONNECT)
    for text in (deep, "+/" * 32767 + "#"):
        with Wire.open(target.address) as wire:
            reasons = wire.subscribe(text)
            assert len(reasons) == 1
            wire.send(PINGREQ)
            wire.expect(Kind.PINGRESP)
    healthy.check()


def test_a_crowd_that_connects_and_says_nothing(target, healthy):
    crowd = []
    for _ in range(500):
        crowd.append(socket.create_connection(target.address, timeout=2))
    healthy.check()
    for one in crowd:
        one.close()


def test_a_reader_that_stops_reading_keeps_memory_bounded(target, healthy):
    before = target.rss_mib()
    with Wire.open(target.address, "stalled", receive_maximum=10) as stalled, Wire.open(target.address) as pub:
        stalled.subscribe("flood", qos=0)
        packet = publish("flood", bytes(10000))
        for _ in range(5000):
            pub.send(packet)
        pub.publish("flood", b"end", qos=1)
        healthy.check()
        assert target.rss_mib() - before < 64, "50 MB for a stalled reader were kept instead of dropped"


def test_nothing_forbidden_was_delivered(healthy):
    """[MQTT-3.1.4-5] in 3.1.1, [MQTT-3.1.4-6] in 5.0, [MQTT-3.14.4-2] in 3.1.1: what stands behind a refusal or an end
    is not processed."""
    assert healthy.forbidden() == []
    healthy.check()
    assert healthy.rounds > 100
