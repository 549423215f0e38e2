"""`strowger drain`: nobody is accepted, clients are moved at a pace, sessions stay, and all of it can be undone."""

import json
import pathlib
import resource
import socket
import time
import urllib.error
import urllib.request

import exchange
import pytest
from exchange import strowger
from wire import V311, Kind, Wire

pytestmark = pytest.mark.strowger


def drain(broker, *arguments):
    return strowger("drain", "--data-dir", broker.log_path.parent / f"store-{broker.port}", *arguments)


def state(broker):
    done = strowger("status", "--json", "--data-dir", broker.log_path.parent / f"store-{broker.port}")
    return json.loads(done.stdout)


@pytest.mark.parametrize(("stay", "reason"), [([], 0x9C), (["--stay"], 0x9D)])
def test_clients_are_told_where_to_go(start, stay, reason):
    """Section 4.11 in 5.0; a client of 3.1.1 sees the close alone."""
    broker = start()
    five, three = Wire.open(broker.address, "five"), Wire.open(broker.address, "three", V311)
    done = drain(broker, "--to", "other.example:1883", "--wait", *stay)
    assert done.returncode == 0, done.stderr
    assert five.expect_disconnect(reason).properties["server_reference"] == "other.example:1883"
    assert three.expect_closed() == []
    assert state(broker)["connections"] == 0


def test_clients_leave_at_the_pace(start):
    broker = start()
    wires = [Wire.open(broker.address, f"client-{at}") for at in range(60)]
    began = time.monotonic()
    assert drain(broker, "--pace", "10/s").returncode == 0
    time.sleep(1)
    left = state(broker)["connections"]
    assert 10 <= left <= 58, left
    for wire in wires:
        wire.expect_closed(within=12)
    assert 5.5 <= time.monotonic() - began <= 12


def test_nobody_comes_in_until_it_is_undone(start):
    port = exchange.free_port()
    broker = start("--set", f"admin.bind=127.0.0.1:{port}")
    keeps = Wire.open(broker.address, "keeps", clean=False, session_expiry=600)
    keeps.subscribe("t", qos=1)
    assert ready(port) == (200, b"ready\n")
    assert drain(broker, "--wait").returncode == 0
    assert state(broker)["state"] == "draining"
    assert ready(port) == (503, b"the broker is draining\n")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(broker.address, timeout=1)
    assert drain(broker, "--undo").returncode == 0
    assert (state(broker)["state"], ready(port)) == ("serving", (200, b"ready\n"))
    again = Wire.open(broker.address, "keeps", clean=False, session_expiry=600)
    assert again.connack.session_present
    with Wire.open(broker.address, "writer") as writer:
        writer.publish("t", b"kept", qos=1)
    assert again.expect(Kind.PUBLISH).payload == b"kept"
    done = drain(broker, "--undo")
    assert done.returncode == 69 and "not draining" in done.stderr


def ready(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_a_drained_broker_stops_and_is_not_upgraded(start):
    broker = start()
    assert drain(broker).returncode == 0
    done = strowger("upgrade", "--data-dir", broker.log_path.parent / f"store-{broker.port}")
    assert done.returncode == 69 and "draining" in done.stderr
    done = strowger("stop", "--data-dir", broker.log_path.parent / f"store-{broker.port}")
    assert done.returncode == 0, done.stderr
    assert broker.process.wait(5) == 0


def test_a_pace_of_nothing_is_wrong_usage(start):
    for pace in ("0", "-1", "many"):
        assert strowger("drain", f"--pace={pace}").returncode == 64


def test_an_undo_without_descriptors_can_be_tried_again(start):
    broker = start()
    assert drain(broker).returncode == 0
    pid, files = broker.process.pid, pathlib.Path(f"/proc/{broker.process.pid}/fd")
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    # Room for the connection of the one who asks, and for nothing else.
    used = {int(file.name) for file in files.iterdir()}
    first = next(number for number in range(len(used) + 1) if number not in used)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (first + 1, limits[1]))
    try:
        done = drain(broker, "--undo")
        assert done.returncode == 69 and "try again" in done.stderr, done
        assert state(broker)["state"] == "draining"
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
    assert drain(broker, "--undo").returncode == 0
    assert state(broker)["state"] == "serving"
    Wire.open(broker.address).expect_silence(0.05)
