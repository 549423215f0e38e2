"""Fixtures for the suites that drive a real broker process."""

import shutil

import exchange
import pytest
from restartable import Restartable
from wire import V5, Wire

# What Debian's mosquitto 2.0.11 does otherwise than the standard, as these tests read it.
MOSQUITTO_DIFFERS = {
    "test_takeover_ends_the_older_connection[v5]": "ends a session of expiry 0 without DISCONNECT at takeover",
    "test_silence_beyond_keep_alive_ends_the_connection_and_sends_the_will": "looks at keep alive every 5 s only",
    "test_receive_maximum_bounds_what_is_in_flight": "sends one message too many after an acknowledgement",
    "test_retain_handling_and_retain_as_published": "keeps the old options when a subscription is replaced",
}


def pytest_report_header():
    what = exchange.STROWGER if exchange.UNDER_TEST == "strowger" else shutil.which("mosquitto") or "mosquitto"
    return f"broker under test: {what}"


def pytest_sessionstart():
    if exchange.UNDER_TEST == "strowger" and not exchange.STROWGER.exists():
        pytest.exit(f"{exchange.STROWGER} is missing: build it with `cargo build --release`", returncode=1)


def pytest_collection_modifyitems(items):
    if exchange.UNDER_TEST == "strowger":
        return
    skip = pytest.mark.skip(reason="Strowger's own behaviour")
    for item in items:
        for name, how in MOSQUITTO_DIFFERS.items():
            if item.name.startswith(name):
                item.add_marker(pytest.mark.skip(reason=f"mosquitto {how}"))
        if item.get_closest_marker("strowger"):
            item.add_marker(skip)


@pytest.fixture(scope="session")
def broker(tmp_path_factory):
    """A broker for all tests that need no settings of their own. It has to survive them and to end with 0."""
    one = exchange.Broker(tmp_path_factory.mktemp("broker"))
    yield one
    assert one.process.poll() is None, f"the broker died with {one.process.returncode}:\n{one.log()}"
    assert one.stop() == 0, one.log()


@pytest.fixture
def start(tmp_path):
    """Starts brokers with settings of their own; all are stopped with the test."""
    brokers = []

    def start_one(*options, **keywords):
        brokers.append(exchange.Broker(tmp_path, *options, **keywords))
        return brokers[-1]

    yield start_one
    for one in brokers:
        one.stop()


@pytest.fixture
def restartable(tmp_path):
    """Makes brokers that keep their data over restarts; all are killed with the test."""
    brokers = []

    def make(*settings, **keywords):
        directory = tmp_path / str(len(brokers))
        directory.mkdir()
        brokers.append(Restartable(directory, *settings, **keywords))
        return brokers[-1]

    yield make
    for one in brokers:
        one.kill()


@pytest.fixture
def name(request):
    """A name that no other test uses, for topics and client ids."""
    return "".join(c if c.isalnum() else "-" for c in request.node.name)


@pytest.fixture
def client(broker):
    """Opens raw connections to the shared broker and drops them with the test."""
    wires = []

    def open_one(client_id="", version=V5, **options):
        wires.append(Wire.open(broker.address, client_id, version, **options))
        return wires[-1]

    yield open_one
    for wire in wires:
        wire.drop()
