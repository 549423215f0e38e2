"""Reloads under load: 100 of them lose no message and no connection, whatever carries it.

Each pair of clients publishes numbered messages without a pause between the reloads; each receiver counts what came.
"""

import os
import signal
import socket
import threading
import time

import exchange
import paho.mqtt.client as paho
import pytest
from authority import Authority
from quic import Quic
from wire import V5, Kind, Over, Wire, ack, publish

pytestmark = pytest.mark.strowger

RELOADS = 100
RENEWALS = 20
WINDOW = 16


def udp_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class House:
    """A broker whose users, rights and certificates are all read again by SIGHUP."""

    NAMES = ("tls", "wss", "quic")

    def __init__(self, start, directory):
        self.directory, self.authority = directory, Authority(directory)
        self.server = self.authority.issue("server", hosts=["localhost", "127.0.0.1"])
        self.users, self.rights = directory / "users", directory / "rights"
        for user in ("alice", "bob"):
            done = exchange.strowger("passwd", "-b", user, self.users, user)
            assert done.returncode == 0, done.stderr
        self.good_users = self.users.read_text()
        self.set_rights(0)
        self.ports = {"tls": exchange.free_port(), "wss": exchange.free_port(), "quic": udp_port()}
        conf = directory / "storm.toml"
        conf.write_text(
            "".join(
                f'[[listeners]]\nbind = "127.0.0.1:{port}"\ntransport = "{name}"\n'
                f'certificate = "{self.server[0]}"\nkey = "{self.server[1]}"\n'
                for name, port in self.ports.items()
            )
        )
        files = ["--set", f"auth.password_file={self.users}", "--set", f"acl.file={self.rights}"]
        self.broker = start("--conf", conf, *files)

    def set_rights(self, number):
        """Rights that differ each time, in what these clients do not use."""
        text = f"user alice\ntopic readwrite storm/#\ntopic read other/{number}\n"
        text += f"user bob\ntopic readwrite storm/#\ntopic write other/{number}\n"
        replace(self.rights, text)

    def hang_up(self):
        self.broker.process.send_signal(signal.SIGHUP)

    def reloads(self):
        """How many SIGHUP the broker has carried out."""
        log = self.broker.log()
        return log.count("rules are as they were") + log.count("everything stays as it was")

    def open(self, name, client_id, user):
        who = {"username": user, "password": user}
        if name == "tcp":
            return Wire.open(self.broker.address, client_id, V5, timeout=20, **who)
        assert name == "quic"
        quic = Quic(self.ports["quic"], self.authority.pem, timeout=20)
        wire = Over(quic.socket, V5, timeout=20).greet(client_id, **who)
        wire.quic = quic
        return wire


def replace(file, text):
    """As an operator's editor does: a whole file, by its name."""
    beside = file.with_suffix(".tmp")
    beside.write_text(text)
    os.replace(beside, file)


class Raw:
    """A publisher and a subscriber by hand, over TCP or QUIC, with `qos` at each hop."""

    def __init__(self, house, name, qos):
        self.topic, self.qos = f"storm/{name}/{qos}", qos
        self.sub = house.open(name, f"sub-{name}-{qos}", "alice")
        self.pub = house.open(name, f"pub-{name}-{qos}", "bob")
        assert self.sub.subscribe(self.topic, qos=qos) == [qos]
        self.sent, self.done, self.got, self.failed = 0, 0, [], []
        self.over, self.counted = threading.Event(), threading.Event()
        self.threads = [threading.Thread(target=self._guard, args=(step,)) for step in (self._publish, self._receive)]
        for thread in self.threads:
            thread.start()

    def _guard(self, step):
        try:
            step()
        except Exception as error:  # noqa: BLE001: whatever it is, the test fails with it
            self.failed.append(f"{self.topic}: {step.__name__}: {error!r}")

    def _publish(self):
        flying = 0
        while not (self.over.is_set() and flying == 0):
            while flying < WINDOW and not self.over.is_set():
                self.sent += 1
                number = (self.sent - 1) % 60_000 + 1
                self.pub.send(publish(self.topic, str(self.sent), V5, qos=self.qos, packet_id=number))
                flying += 1
            got = self.pub.receive()
            assert got is not None, "the broker closed the publisher's connection"
            assert got.reason == 0, f"refused with {got.reason:#04x}"
            if got.kind == Kind.PUBREC:
                self.pub.send(ack(Kind.PUBREL, got.packet_id))
            else:
                self.done, flying = self.done + 1, flying - 1
            # A load, not a flood: the machine has others to serve.
            time.sleep(0.001)

    def _receive(self):
        while not self.counted.is_set():
            try:
                got = self.sub.receive(timeout=0.5)
            except TimeoutError:
                continue
            assert got is not None, "the broker closed the subscriber's connection"
            if got.kind == Kind.PUBLISH:
                self.got.append(int(got.payload))
                self.sub.send(ack(Kind.PUBACK if got.qos == 1 else Kind.PUBREC, got.packet_id))
            elif got.kind == Kind.PUBREL:
                self.sub.send(ack(Kind.PUBCOMP, got.packet_id))
            else:
                raise AssertionError(f"came {got}")

    def finish(self):
        self.over.set()
        self.threads[0].join(30)
        wait_for(lambda: len(self.got) >= self.sent or self.failed, 20)
        self.counted.set()
        self.threads[1].join(30)
        for wire in (self.pub, self.sub):
            wire.quic.close() if hasattr(wire, "quic") else wire.drop()

    def account(self):
        assert not self.failed, self.failed
        assert self.done == self.sent
        assert self.got == list(range(1, self.sent + 1)), f"{self.topic}: {len(self.got)} came of {self.sent}"
        return self.sent


class Paho:
    """A Paho client that publishes to itself, over TLS or secure WebSocket."""

    def __init__(self, house, name, qos):
        self.topic, self.qos, self.sent, self.got, self.left = f"storm/{name}/{qos}", qos, 0, [], []
        self.client = paho.Client(
            paho.CallbackAPIVersion.VERSION2, f"paho-{name}-{qos}", protocol=paho.MQTTv5,
            transport="websockets" if name == "wss" else "tcp", reconnect_on_failure=False,
        )  # fmt: skip
        self.client.username_pw_set("alice", "alice")
        self.client.tls_set(str(house.authority.pem))
        ready = threading.Event()
        self.client.on_connect = lambda client, *_: client.subscribe(self.topic, qos=qos)
        self.client.on_subscribe = lambda *_: ready.set()
        self.client.on_message = lambda _client, _userdata, message: self.got.append(int(message.payload))
        self.client.on_disconnect = lambda *arguments: self.left.append(str(arguments[3]))
        self.client.connect("localhost", house.ports[name])
        self.client.loop_start()
        assert ready.wait(10)
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._publish)
        self.thread.start()

    def _publish(self):
        while not self.over.is_set() and not self.left:
            self.sent += 1
            self.client.publish(self.topic, str(self.sent), qos=self.qos).wait_for_publish(20)

    def finish(self):
        self.over.set()
        self.thread.join(30)
        deadline = time.monotonic() + 20
        while len(self.got) < self.sent and not self.left and time.monotonic() < deadline:
            time.sleep(0.02)

    def account(self):
        assert not self.left, f"{self.topic}: disconnected: {self.left}"
        assert self.got == list(range(1, self.sent + 1)), f"{self.topic}: {len(self.got)} came of {self.sent}"
        self.client.disconnect()
        self.client.loop_stop()
        return self.sent


@pytest.fixture
def house(start, tmp_path):
    return House(start, tmp_path)


def load(house, *raw):
    clients = [Raw(house, name, qos) for name in raw for qos in (1, 2)]
    return clients + [Paho(house, name, qos) for name in ("tls", "wss") for qos in (1, 2)]


def end(house, clients):
    """Stops the load and accounts for all of it; returns the number of messages."""
    for one in clients:
        one.finish()
    total = sum(one.account() for one in clients)
    assert house.broker.process.poll() is None
    return total


def wait_for(condition, secs=10.0):
    deadline = time.monotonic() + secs
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


def test_a_hundred_reloads_under_load_lose_no_message_and_no_connection(house):
    clients = load(house, "tcp", "quic")
    for number in range(1, RELOADS + 1):
        house.set_rights(number)
        replace(house.users, house.good_users + f"# {number}\n")
        if number % 10 == 0:
            house.authority.issue("server", hosts=["localhost", "127.0.0.1"])
        if number % 10 == 5:
            # An operator's mistake, in the middle of it all.
            house.rights.write_text("topic sometimes storm/#\n")
            house.users.write_text(house.good_users[: len(house.good_users) // 2])
        house.hang_up()
        assert wait_for(lambda: house.reloads() >= number), house.broker.log()[-2000:]  # noqa: B023
    total = end(house, clients)
    print(f"{total} messages, {RELOADS} reloads")
    assert total > 1000, total


def test_renewed_certificates_under_load_drop_nobody(house):
    """Files that are written in two halves, with a reload between them: what was in force stays in force."""
    clients = load(house, "quic")
    shown = set()
    for number in range(1, RENEWALS + 1):
        certificate, key = house.server[0].read_bytes(), house.server[1].read_bytes()
        fresh = house.authority.issue("server", hosts=["localhost", "127.0.0.1"], file="fresh")
        house.server[0].write_bytes(fresh[0].read_bytes()[:300])
        house.hang_up()
        assert wait_for(lambda: house.reloads() >= 2 * number - 1)  # noqa: B023
        late = Quic(house.ports["quic"], house.authority.pem)
        assert late.peer_serial != fresh[2]
        late.close()
        house.server[0].write_bytes(fresh[0].read_bytes())
        house.server[1].write_bytes(fresh[1].read_bytes())
        assert (certificate, key) != (house.server[0].read_bytes(), house.server[1].read_bytes())
        house.hang_up()
        assert wait_for(lambda: house.reloads() >= 2 * number)  # noqa: B023

        def is_shown():
            late = Quic(house.ports["quic"], house.authority.pem)
            shown.add(late.peer_serial)
            late.close()
            return fresh[2] in shown  # noqa: B023

        assert wait_for(is_shown)
    total = end(house, clients)
    print(f"{total} messages, {RENEWALS} renewals")
    assert house.broker.log().count("everything stays as it was") >= RENEWALS
    assert len(shown) >= RENEWALS
