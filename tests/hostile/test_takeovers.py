"""A storm of takeovers on one client identifier does not hurt a healthy client, whether the storm is held off or not."""

import contextlib
import socket
import time

import exchange
import pytest
from healthy import Healthy
from wire import Kind, Wire, connect

pytestmark = pytest.mark.strowger

SOCKETS, ROUNDS = 500, 8
RATE_MIN = 10_000
ROUND_SECS_MAX = 0.25
GROWTH_MIB_MAX = 32


@pytest.fixture(params=[0, 120], ids=["free", "held_off"])
def target(request, tmp_path):
    options = [
        f"auth.flapping_connects_max={request.param}",
        "listener.connect_rate_per_sec=1000000",
        "listener.connect_burst=1000000",
    ]
    settings = [part for option in options for part in ("--set", option)]
    broker = exchange.Broker(tmp_path, *settings)
    broker.flapping_connects_max = request.param
    yield broker
    assert broker.process.poll() is None, f"the broker died with {broker.process.returncode}:\n{broker.log()[-2000:]}"
    assert broker.stop() == 0


def p99(durations):
    return sorted(durations)[len(durations) * 99 // 100]


def storm(address):
    """Connections that are open already say at once that they are the victim; returns the rate at which they did."""
    crowd = [socket.create_connection(address, timeout=5) for _ in range(SOCKETS)]
    time.sleep(0.1)
    packet, began = connect("victim", keep_alive=0), time.monotonic()
    for one in crowd:
        with contextlib.suppress(ConnectionError):
            one.sendall(packet)
    rate = SOCKETS / (time.monotonic() - began)
    codes = []
    for one in crowd:
        with contextlib.suppress(ConnectionError, TimeoutError):
            answer = one.recv(4)
            codes.append(answer[3] if len(answer) == 4 else None)
        one.close()
    return rate, codes


def test_a_takeover_storm_on_one_identifier(target):
    with Healthy(target.address) as healthy:
        time.sleep(2)
        healthy.check()
        calm = p99(healthy.durations)
        storm(target.address)
        before = target.rss_mib()
        healthy.durations.clear()
        rates, codes = zip(*[storm(target.address) for _ in range(ROUNDS)], strict=True)
        healthy.check()
        stormy, grown = p99(healthy.durations), target.rss_mib() - before
        with Wire.open(target.address, "innocent") as wire:
            wire.publish("t", b"x", qos=1)
    assert max(rates) >= RATE_MIN, f"no storm: {max(rates):.0f} takeovers a second"
    said = [code for round_codes in codes for code in round_codes]
    assert len(said) > SOCKETS * ROUNDS * 0.9
    refused = said.count(0x9F) / len(said)
    assert refused == 0 if not target.flapping_connects_max else refused > 0.9
    assert stormy <= max(2 * calm, ROUND_SECS_MAX), f"p99 {calm * 1000:.1f} ms became {stormy * 1000:.1f} ms"
    assert grown < GROWTH_MIB_MAX, f"{grown:.1f} MiB more after {ROUNDS} storms"
    print(f"p99 {calm * 1000:.1f} ms calm, {stormy * 1000:.1f} ms in the storm, {max(rates):.0f}/s, {grown:.1f} MiB")
