"""What the service manager is told: sd_notify(3) on a socket of the test's own."""

import signal
import socket
import subprocess
import time

import pytest
from exchange import STROWGER, strowger
from stuck import Tracer, line_of
from wire import Wire, publish

pytestmark = pytest.mark.strowger


class Manager:
    """The service manager's end."""

    def __init__(self, directory):
        self.path = directory / "notify.sock"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))

    def environment(self, **more):
        return {"NOTIFY_SOCKET": str(self.path), **more}

    def hear(self, within=10.0):
        """The next words, as a dictionary; None if nothing comes."""
        self.socket.settimeout(within)
        try:
            text = self.socket.recv(4096).decode()
        except TimeoutError:
            return None
        return dict(line.split("=", 1) for line in text.splitlines())

    def hear_until(self, key, value, within=10.0):
        deadline = time.monotonic() + within
        while (left := deadline - time.monotonic()) > 0:
            words = self.hear(left)
            if words and words.get(key) == value:
                return words
        raise AssertionError(f"{key}={value} was not told within {within} s")

    def forget(self):
        while self.hear(0.01):
            pass


@pytest.fixture
def manager(tmp_path):
    return Manager(tmp_path)


@pytest.fixture
def serve(tmp_path, start, monkeypatch, manager):
    def serve_one(*options, **variables):
        for name, value in manager.environment(**variables).items():
            monkeypatch.setenv(name, value)
        broker = start(*options)
        for name in manager.environment(**variables):
            monkeypatch.delenv(name)
        return broker

    return serve_one


def test_ready_reload_and_stop_are_told(manager, serve):
    broker = serve()
    words = manager.hear()
    assert (words["READY"], words["STATUS"]) == ("1", "serving")
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    broker.process.send_signal(signal.SIGHUP)
    words = manager.hear()
    assert words["RELOADING"] == "1" and int(words["MONOTONIC_USEC"]) >= before
    assert manager.hear()["READY"] == "1"
    broker.terminate()
    assert manager.hear()["STOPPING"] == "1"


def test_ready_is_told_when_clients_can_connect(manager, serve):
    """Not before: the test waits for the word alone."""
    broker = serve()
    manager.hear_until("READY", "1")
    socket.create_connection(broker.address, timeout=1).close()


def test_an_upgrade_is_a_reload_to_the_service_manager(manager, serve):
    broker = serve()
    manager.hear_until("READY", "1")
    done = strowger("upgrade", "--data-dir", broker.log_path.parent / f"store-{broker.port}", timeout=60)
    assert done.returncode == 0, done.stderr
    words = manager.hear()
    assert words["RELOADING"] == "1" and "MONOTONIC_USEC" in words
    words = manager.hear()
    assert words["READY"] == "1", "and not STOPPING in between"


@pytest.mark.parametrize("ends", ["stop", "upgrade"])
def test_an_end_that_takes_time_is_told(manager, serve, ends):
    """The lines are not asked then; the service manager has patience for as long as it hears of it."""
    broker = serve(WATCHDOG_USEC="900000")
    with Wire.open(broker.address) as stalled, Wire.open(broker.address) as pub:
        stalled.subscribe("flood", qos=0)
        for _ in range(600):
            pub.send(publish("flood", bytes(20000)))
        pub.publish("end", b"", qos=1)
        if ends == "stop":
            broker.terminate()
            manager.hear_until("STOPPING", "1")
        else:
            data = broker.log_path.parent / f"store-{broker.port}"
            process = subprocess.Popen([STROWGER, "upgrade", "--data-dir", data], stdout=subprocess.DEVNULL)
            manager.hear_until("RELOADING", "1")
        for _ in range(3):
            assert manager.hear(5) == {"WATCHDOG": "1", "EXTEND_TIMEOUT_USEC": "900000"}
    if ends == "upgrade":
        assert process.wait(30) == 0


def test_the_watchdog_hears_only_while_all_lines_answer(manager, serve):
    broker = serve(WATCHDOG_USEC="900000")
    manager.hear_until("READY", "1")
    for _ in range(5):
        assert manager.hear(1.0) == {"WATCHDOG": "1"}
    tracer = Tracer(line_of(broker.process.pid))
    try:
        time.sleep(0.6)
        manager.forget()
        assert manager.hear(2.0) is None, "a line is stuck"
    finally:
        tracer.release()
    manager.hear_until("WATCHDOG", "1", within=5)
    assert "a line does not answer" in broker.log()


def test_nobody_is_told_where_nobody_listens(start):
    broker = start()
    assert broker.stop() == 0
    assert "service manager" not in broker.log()
