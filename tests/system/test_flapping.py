"""Clients that come and go too often are held off, and nobody else is."""

import time

import pytest
from wire import V5, V31, V311, Kind, Wire, connect

pytestmark = pytest.mark.strowger

RATE_EXCEEDED, UNAVAILABLE = 0x9F, 0x03


@pytest.fixture
def strict(start):
    """Three connections in a minute; the fourth is held off for two seconds."""
    return start(
        *("--set", "auth.flapping_connects_max=3"),
        *("--set", "auth.flapping_window_secs=60"),
        *("--set", "auth.flapping_ban_secs=2"),
    )


def answer(broker, client_id, version=V5):
    """The return code of a CONNECT, whose connection is then dropped."""
    with Wire(broker.address, version) as wire:
        wire.send(connect(client_id, version))
        reason = wire.expect(Kind.CONNACK).reason
        if reason:
            assert wire.expect_closed() == []
        return reason


@pytest.mark.parametrize("version, reason", [(V31, UNAVAILABLE), (V311, UNAVAILABLE), (V5, RATE_EXCEEDED)])
def test_who_connects_too_often_is_held_off_for_a_while(strict, version, reason):
    assert [answer(strict, "meter", version) for _ in range(5)] == [0, 0, 0, reason, reason]
    assert answer(strict, "other", version) == 0
    held_off = [line for line in strict.log().splitlines() if "held off" in line]
    assert len(held_off) == 1 and "meter" in held_off[0] and "127.0.0.1" in held_off[0]
    deadline = time.monotonic() + 5
    while answer(strict, "meter", version):
        assert time.monotonic() < deadline, "held off for ever"
        time.sleep(0.1)


def test_a_client_that_is_in_is_not_held_off(strict):
    """What comes too often takes nothing over from who is in."""
    for _ in range(2):
        assert answer(strict, "meter") == 0
    with Wire.open(strict.address, "meter") as wire:
        assert answer(strict, "meter") == RATE_EXCEEDED
        wire.expect_silence()


def test_clients_without_an_identifier_and_brokers_without_a_limit(strict, start):
    assert [answer(strict, "") for _ in range(10)] == [0] * 10
    free = start("--set", "auth.flapping_connects_max=0")
    assert [answer(free, "meter") for _ in range(200)] == [0] * 200
