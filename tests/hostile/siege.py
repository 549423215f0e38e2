"""Attacks that last: each is a function that besieges a broker until `stop` is set, and returns what it did.

`House` is the broker that they are meant for: plain TCP, TLS and WebSocket, packets of any size allowed, and little
patience with those who do not get on.
"""

import contextlib
import selectors
import socket
import struct
import threading
import time

import exchange
from authority import Authority
from wire import Kind, Wire, connect, data, publish, varint

CROWD = 5000
# What a handshake of TLS 1.3 begins with: a record of 512 bytes, and half of what it says.
CLIENT_HELLO = bytes.fromhex("1603010200010001fc0303") + bytes(200)
UPGRADE = (
    "GET /mqtt HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"
).encode()
SETTINGS = {
    "packet.bytes_max": 268_435_455,
    "listener.connect_timeout_secs": 3,
    "listener.tls_handshake_timeout_secs": 3,
    "listener.connect_rate_per_sec": 5000,
    "listener.connect_burst": 10_000,
    "session.keep_alive_max_secs": 60,
    "log.level": "error",
}


class House(exchange.Broker):
    """A broker with a listener of each kind that is attacked."""

    def __init__(self, directory, **settings):
        authority = Authority(directory)
        self.authority = authority.pem
        certificate, key, _ = authority.issue("server", hosts=["localhost", "127.0.0.1"])
        self.tls = ("127.0.0.1", exchange.free_port())
        self.websocket = ("127.0.0.1", exchange.free_port())
        conf = directory / "siege.toml"
        conf.write_text(
            f'[[listeners]]\nname = "tls"\nbind = "127.0.0.1:{self.tls[1]}"\ntransport = "tls"\n'
            f'certificate = "{certificate}"\nkey = "{key}"\n'
            f'[[listeners]]\nname = "ws"\nbind = "127.0.0.1:{self.websocket[1]}"\ntransport = "ws"\n'
        )
        pairs = [part for name, value in {**SETTINGS, **settings}.items() for part in ("--set", f"{name}={value}")]
        super().__init__(directory, "--conf", conf, *pairs)


class Crowd:
    """Many sockets that do not block; those that the broker closes are counted and forgotten."""

    def __init__(self):
        self.sockets, self.closed, self.most = {}, 0, 0
        self.selector = selectors.DefaultSelector()

    def connect(self, address):
        one = socket.socket()
        one.setblocking(False)
        one.connect_ex(address)
        self.sockets[one] = 0
        self.selector.register(one, selectors.EVENT_READ)
        self.most = max(self.most, len(self.sockets))
        return one

    def send(self, one, raw):
        try:
            return one.send(raw)
        except BlockingIOError:
            return 0
        except OSError:
            self._forget(one)
            return 0

    def look(self, secs):
        """Reads what has come, for so long."""
        end = time.monotonic() + secs
        while (left := end - time.monotonic()) > 0:
            for ready, _ in self.selector.select(left):
                try:
                    if ready.fileobj.recv(65536):
                        continue
                except BlockingIOError:
                    continue
                except OSError:
                    pass
                self._forget(ready.fileobj)

    def _forget(self, one):
        if one in self.sockets:
            self.closed += 1
            del self.sockets[one]
            self.selector.unregister(one)
            one.close()

    def leave(self):
        for one in list(self.sockets):
            self.selector.unregister(one)
            one.close()
        self.sockets.clear()
        self.selector.close()


def siege(address, stop, *, size, begin, step, every):
    """Keeps `size` connections open. Each sends `begin` first and then `step` bytes each `every` seconds."""
    crowd = Crowd()
    try:
        while not stop.is_set():
            for _ in range(min(250, size - len(crowd.sockets))):
                crowd.connect(address)
            for one, sent in list(crowd.sockets.items()):
                raw = begin[sent:] if sent < len(begin) else step
                count = crowd.send(one, raw) if raw else 0
                if one in crowd.sockets:
                    crowd.sockets[one] = sent + count
            crowd.look(0.02 if len(crowd.sockets) < size else every)
        return {"connections": crowd.most, "closed by the broker": crowd.closed}
    finally:
        crowd.leave()


def announced(house, stop):
    """5,000 clients announce a PUBLISH of 256 MB and send a byte of it per second."""
    begin = connect() + bytes([Kind.PUBLISH << 4]) + varint(268_000_000) + data("siege")
    return siege(house.address, stop, size=CROWD, begin=begin, step=b"x", every=1.0)


def half_handshakes(house, stop):
    """5,000 connections begin a TLS handshake and leave it at that."""
    return siege(house.tls, stop, size=CROWD, begin=CLIENT_HELLO, step=b"", every=0.2)


def dribble(address, raw):
    """A byte per half second of what would be a good beginning."""

    def attack(house, stop):
        crowd, sent, most = Crowd(), {}, 300
        try:
            while not stop.is_set():
                for _ in range(most - len(crowd.sockets)):
                    sent[crowd.connect(getattr(house, address))] = 0
                for one in list(crowd.sockets):
                    at = sent[one]
                    sent[one] = at + crowd.send(one, raw[at : at + 1])
                crowd.look(0.5)
            return {"connections": crowd.most, "closed by the broker": crowd.closed}
        finally:
            crowd.leave()

    return attack


def unreleased(house, stop, count=1_000_000):
    """A client sends 1,000,000 QoS 2 PUBLISH and never a PUBREL; it comes back whenever it is thrown out."""
    connections = sent = 0
    while sent < count and not stop.is_set():
        wire = Wire.open(house.address, "unreleased", clean=False, session_expiry=600, timeout=10)
        connections += 1
        window = wire.connack.properties.get("receive_maximum", 65535)
        # As many as may be, then the same again, and one too many at the end.
        ids = [*range(1, window + 1)] * 20
        block = b"".join(publish("siege/two", b"x", qos=2, packet_id=number) for number in ids)
        reader = threading.Thread(target=drain, args=(wire.socket,))
        reader.start()
        with contextlib.suppress(OSError):
            wire.socket.sendall(block)
            sent += len(ids)
            wire.socket.sendall(publish("siege/two", b"x", qos=2, packet_id=window + 1))
        reader.join(10)
        wire.drop()
    return {"connections": connections, "messages": sent}


def drain(plain):
    with contextlib.suppress(OSError):
        plain.settimeout(10)
        while plain.recv(1 << 20):
            pass


def frame(length, payload=b"", first=0x82):
    """The head of a masked frame that announces `length`, with whatever payload."""
    if length < 126:
        size = bytes([0x80 | length])
    elif length < 1 << 16:
        size = b"\xfe" + struct.pack("!H", length)
    else:
        size = b"\xff" + struct.pack("!Q", length)
    return bytes([first]) + size + bytes(4) + payload


LIES = [
    frame((1 << 63) + 1, b"x"),
    frame((1 << 63) - 1, b"x"),
    frame(268_435_455, b"x" * 100),
    frame(1 << 32, b"x"),
    frame(20, connect("lie")[:5]),
    frame(len(connect("lie")) - 3, connect("lie")),
    b"\x82\xff" + struct.pack("!Q", 3) + bytes(4) + b"abc",
    b"\x82\xfe" + struct.pack("!H", 3) + bytes(4) + b"abc",
    b"\x82\x05hello",
    frame(200, b"x" * 200, first=0x89),
    b"".join(frame(1, b"\x10", first=0x02 if not number else 0x00) for number in range(500)),
    frame(0) * 1000,
    frame(0, first=0x00) * 1000,
    bytes([0xF2, 0x80]) + bytes(4),
]


def lying_frames(house, stop):
    """WebSocket frames whose lengths are not those of what follows, from 200 connections at a time."""
    crowd, rounds = Crowd(), 0
    try:
        while not stop.is_set():
            opened = [crowd.connect(house.websocket) for _ in range(max(0, 200 - len(crowd.sockets)))]
            crowd.look(0.02)
            for one in opened:
                crowd.send(one, UPGRADE)
            crowd.look(0.05)
            for number, one in enumerate(opened):
                if one.fileno() >= 0:
                    crowd.send(one, LIES[(rounds + number) % len(LIES)])
            rounds += 1
            crowd.look(0.05)
        return {"connections": crowd.most, "closed by the broker": crowd.closed}
    finally:
        crowd.leave()


def deep_topics(house, stop):
    """65,535 slashes to publish on and to subscribe to, again and again."""
    deep, plus, rounds = "/" * 65535, "+/" * 32767 + "#", 0
    while not stop.is_set():
        with contextlib.suppress(ConnectionError, AssertionError, TimeoutError), Wire.open(house.address) as wire:
            for _ in range(20):
                wire.publish(deep, b"x", qos=1, retain=True)
                wire.subscribe(deep)
                wire.subscribe(plus)
                rounds += 1
    return {"rounds": rounds}


ATTACKS = {
    "5,000 clients announce 256 MB": announced,
    "5,000 half-open TLS handshakes": half_handshakes,
    "a byte per half second over TCP": dribble("address", connect("dribble")),
    "a byte per half second over TLS": dribble("tls", CLIENT_HELLO),
    "a byte per half second over WebSocket": dribble("websocket", UPGRADE),
    "1,000,000 QoS 2 without PUBREL": unreleased,
    "WebSocket frames that lie": lying_frames,
    "65,535 slashes": deep_topics,
}


@contextlib.contextmanager
def under(attack, house):
    """Has the house attacked; gives a dictionary that holds at the end what the attack did."""
    stop, did = threading.Event(), {}

    def run():
        try:
            did.update(attack(house, stop))
        except Exception as error:  # the test reports it
            did["error"] = error

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield did
    finally:
        stop.set()
        thread.join(30)
    if "error" in did:
        raise did["error"]
