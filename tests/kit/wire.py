"""MQTT packets by hand, for tests that must see or send exactly these bytes.

Builders return the bytes of one packet and check nothing, so that a test can also build what no client library
would send. `Packet` reads what a broker answers, strictly. `Wire` is one TCP connection with both. All waits are
bounded and in seconds.
"""

import contextlib
import itertools
import selectors
import socket
import struct
import time
from dataclasses import dataclass, field
from enum import IntEnum

V31, V311, V5 = 3, 4, 5
NAMES = {V31: "MQIsdp", V311: "MQTT", V5: "MQTT"}


class Kind(IntEnum):
    CONNECT = 1
    CONNACK = 2
    PUBLISH = 3
    PUBACK = 4
    PUBREC = 5
    PUBREL = 6
    PUBCOMP = 7
    SUBSCRIBE = 8
    SUBACK = 9
    UNSUBSCRIBE = 10
    UNSUBACK = 11
    PINGREQ = 12
    PINGRESP = 13
    DISCONNECT = 14
    AUTH = 15


# Identifier and wire type of every property of 5.0.
PROPERTIES = {
    "payload_format": (1, "byte"),
    "message_expiry": (2, "four"),
    "content_type": (3, "text"),
    "response_topic": (8, "text"),
    "correlation_data": (9, "data"),
    "subscription_id": (11, "varint"),
    "session_expiry": (17, "four"),
    "assigned_client_id": (18, "text"),
    "server_keep_alive": (19, "two"),
    "authentication_method": (21, "text"),
    "authentication_data": (22, "data"),
    "request_problem_information": (23, "byte"),
    "will_delay": (24, "four"),
    "request_response_information": (25, "byte"),
    "response_information": (26, "text"),
    "server_reference": (28, "text"),
    "reason_string": (31, "text"),
    "receive_maximum": (33, "two"),
    "topic_alias_maximum": (34, "two"),
    "topic_alias": (35, "two"),
    "maximum_qos": (36, "byte"),
    "retain_available": (37, "byte"),
    "user": (38, "pair"),
    "maximum_packet_size": (39, "four"),
    "wildcard_available": (40, "byte"),
    "subscription_ids_available": (41, "byte"),
    "shared_available": (42, "byte"),
}
NAME_OF = {number: (name, kind) for name, (number, kind) in PROPERTIES.items()}
REPEATABLE = ("user", "subscription_id")


def varint(number):
    out = bytearray()
    while True:
        number, low = divmod(number, 128)
        out.append(low | (0x80 if number else 0))
        if not number:
            return bytes(out)


def data(value):
    raw = value.encode() if isinstance(value, str) else bytes(value)
    return struct.pack("!H", len(raw)) + raw


def prop(name, value):
    """One property: identifier and value, whatever packet it is put in."""
    number, kind = PROPERTIES[name]
    encode = {
        "byte": lambda v: bytes([v]),
        "two": lambda v: struct.pack("!H", v),
        "four": lambda v: struct.pack("!I", v),
        "varint": varint,
        "text": data,
        "data": data,
        "pair": lambda v: data(v[0]) + data(v[1]),
    }[kind]
    return bytes([number]) + encode(value)


def props(values=None):
    """A property block with its length. `values` maps names to values; a list stands for repeated properties."""
    body = b""
    for name, value in (values or {}).items():
        for one in value if isinstance(value, list) else [value]:
            body += prop(name, one)
    return varint(len(body)) + body


def packet(kind, flags, body=b""):
    return bytes([kind << 4 | flags]) + varint(len(body)) + body


@dataclass
class Will:
    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    properties: dict = field(default_factory=dict)


def connect(client_id="", version=V5, *, clean=True, keep_alive=60, will=None, username=None, password=None, **properties):
    flags = 0x02 if clean else 0
    payload = data(client_id)
    if will:
        flags |= 0x04 | will.qos << 3 | (0x20 if will.retain else 0)
        payload += (props(will.properties) if version == V5 else b"") + data(will.topic) + data(will.payload)
    if username is not None:
        flags |= 0x80
        payload += data(username)
    if password is not None:
        flags |= 0x40
        payload += data(password)
    head = data(NAMES[version]) + bytes([version, flags]) + struct.pack("!H", keep_alive)
    return packet(Kind.CONNECT, 0, head + (props(properties) if version == V5 else b"") + payload)


def publish(topic, payload=b"", version=V5, *, qos=0, packet_id=0, retain=False, dup=False, **properties):
    body = data(topic)
    if qos:
        body += struct.pack("!H", packet_id)
    if version == V5:
        body += props(properties)
    flags = (8 if dup else 0) | qos << 1 | (1 if retain else 0)
    return packet(Kind.PUBLISH, flags, body + (payload.encode() if isinstance(payload, str) else payload))


def ack(kind, packet_id, reason=None, **properties):
    body = struct.pack("!H", packet_id)
    if reason is not None:
        body += bytes([reason]) + (props(properties) if properties else b"")
    return packet(kind, 2 if kind == Kind.PUBREL else 0, body)


def subscribe(packet_id, filters, version=V5, **properties):
    """`filters` are pairs of topic filter and options byte; the low two bits of the options are the QoS."""
    body = struct.pack("!H", packet_id) + (props(properties) if version == V5 else b"")
    return packet(Kind.SUBSCRIBE, 2, body + b"".join(data(name) + bytes([options]) for name, options in filters))


def unsubscribe(packet_id, filters, version=V5, **properties):
    body = struct.pack("!H", packet_id) + (props(properties) if version == V5 else b"")
    return packet(Kind.UNSUBSCRIBE, 2, body + b"".join(data(name) for name in filters))


def disconnect(reason=None, **properties):
    if reason is None:
        return packet(Kind.DISCONNECT, 0)
    return packet(Kind.DISCONNECT, 0, bytes([reason]) + (props(properties) if properties else b""))


def auth(reason=0x18, **properties):
    return packet(Kind.AUTH, 0, bytes([reason]) + props(properties))


PINGREQ = packet(Kind.PINGREQ, 0)


class Reader:
    """Takes values off the front of a packet's body; a short body is an assertion failure."""

    def __init__(self, raw):
        self.raw, self.at = raw, 0

    def take(self, count):
        assert self.at + count <= len(self.raw), f"the broker's packet ends early: {self.raw.hex()}"
        self.at += count
        return self.raw[self.at - count : self.at]

    def byte(self):
        return self.take(1)[0]

    def two(self):
        return int.from_bytes(self.take(2), "big")

    def four(self):
        return int.from_bytes(self.take(4), "big")

    def data(self):
        return self.take(self.two())

    def text(self):
        return self.data().decode()

    def pair(self):
        return self.text(), self.text()

    def varint(self):
        value = 0
        for shift in range(0, 28, 7):
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise AssertionError("the broker sent a variable byte integer of more than four bytes")

    def rest(self):
        return self.take(len(self.raw) - self.at)

    def more(self):
        return self.at < len(self.raw)

    def props(self):
        inner, values = Reader(self.take(self.varint())), {}
        while inner.more():
            name, kind = NAME_OF[inner.byte()]
            value = getattr(inner, kind)()
            if name in REPEATABLE:
                values.setdefault(name, []).append(value)
            else:
                assert name not in values, f"the broker sent {name} twice"
                values[name] = value
        return values


class Packet:
    """One packet from the broker; has the attributes that its kind has."""

    def __init__(self, first, body, version):
        self.kind, self.flags, self.body = Kind(first >> 4), first & 15, body
        self.properties, self.reason = {}, 0
        read = Reader(body)
        five = version == V5
        if self.kind == Kind.CONNACK:
            flags = read.byte()
            assert flags in (0, 1), "reserved CONNACK flags are set"
            self.session_present, self.reason = bool(flags), read.byte()
            self.properties = read.props() if five and read.more() else {}
        elif self.kind == Kind.PUBLISH:
            self.dup, self.qos, self.retain = bool(self.flags & 8), self.flags >> 1 & 3, bool(self.flags & 1)
            self.topic = read.text()
            self.packet_id = read.two() if self.qos else None
            self.properties = read.props() if five else {}
            self.payload = read.rest()
        elif self.kind in (Kind.PUBACK, Kind.PUBREC, Kind.PUBREL, Kind.PUBCOMP):
            self.packet_id = read.two()
            self._reason_and_properties(read, five)
        elif self.kind in (Kind.SUBACK, Kind.UNSUBACK):
            self.packet_id = read.two()
            self.properties = read.props() if five else {}
            self.reasons = list(read.rest())
        elif self.kind in (Kind.DISCONNECT, Kind.AUTH):
            self._reason_and_properties(read, five)
        assert not read.more(), f"bytes behind the end of {self}"

    def _reason_and_properties(self, read, five):
        if five and read.more():
            self.reason = read.byte()
        if five and read.more():
            self.properties = read.props()

    def __repr__(self):
        return f"{self.kind.name} flags {self.flags:#x} reason {self.reason:#04x} {self.body[:60]!r} {self.properties}"


def readable(sockets, seconds):
    """Those of `sockets` that can be read, within `seconds`; whatever their numbers, which `select.select` bounds."""
    with selectors.PollSelector() as selector:
        for one in sockets:
            selector.register(one, selectors.EVENT_READ)
        return [key.fileobj for key, _ in selector.select(max(0.0, seconds))]


class Wire:
    """One connection to a broker, with the client's side played by the test."""

    def __init__(self, address, version=V5, timeout=5.0, source=None):
        self.version, self.timeout = version, timeout
        self.socket = socket.create_connection(address, timeout=timeout, source_address=(source, 0) if source else None)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.ids = itertools.count(1)
        self.connack = None

    @classmethod
    def open(cls, address, client_id="", version=V5, *, expect=0, timeout=5.0, source=None, **options):
        """Connects and takes the CONNACK, which has to carry the return code `expect`."""
        wire = cls(address, version, timeout, source)
        wire.send(connect(client_id, version, **options))
        wire.connack = wire.expect(Kind.CONNACK)
        assert wire.connack.reason == expect, f"CONNACK {wire.connack.reason:#04x}, expected {expect:#04x}"
        return wire

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.drop()

    def send(self, *packets):
        self.socket.sendall(b"".join(packets))

    def receive(self, timeout=None):
        """The next packet, or None when the broker has closed the connection."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while True:
            whole = self._take()
            if whole:
                return whole
            left = deadline - time.monotonic()
            # What TLS has decrypted already does not make its socket readable.
            pending = getattr(self.socket, "pending", int)()
            if not pending and not readable([self.socket], left):
                raise TimeoutError(f"nothing within {timeout or self.timeout} s, {len(self.buffer)} bytes pending")
            try:
                more = self.socket.recv(65536)
            except ConnectionResetError:
                more = b""
            if not more:
                assert not self.buffer, f"the broker closed in the middle of a packet: {self.buffer.hex()}"
                return None
            self.buffer += more

    def _take(self):
        for end in range(2, min(6, len(self.buffer) + 1)):
            if self.buffer[end - 1] < 0x80:
                length = Reader(self.buffer[1:end]).varint()
                if len(self.buffer) < end + length:
                    return None
                whole = Packet(self.buffer[0], self.buffer[end : end + length], self.version)
                self.buffer = self.buffer[end + length :]
                return whole
        return None

    def expect(self, kind, timeout=None):
        got = self.receive(timeout)
        assert got is not None, f"the broker closed; {kind.name} was expected"
        assert got.kind == kind, f"{kind.name} was expected, came {got}"
        return got

    def expect_closed(self, within=2.0):
        """Waits for the broker's close and returns the packets that came before it."""
        deadline, came = time.monotonic() + within, []
        while (got := self.receive(max(0.01, deadline - time.monotonic()))) is not None:
            came.append(got)
        return came

    def expect_disconnect(self, reason, within=2.0):
        """Waits for a DISCONNECT with `reason` and the close behind it: 5.0 only."""
        came = self.expect_closed(within)
        assert came and came[-1].kind == Kind.DISCONNECT, f"no DISCONNECT before the close: {came}"
        assert came[-1].reason == reason, f"DISCONNECT {came[-1].reason:#04x}, expected {reason:#04x}"
        return came[-1]

    def expect_silence(self, secs=0.25):
        """No packet within `secs`, and the connection still answers a PINGREQ."""
        time.sleep(secs)
        self.send(PINGREQ)
        self.expect(Kind.PINGRESP)

    def subscribe(self, *filters, qos=0, **properties):
        """Subscribes; a filter may be a pair with its options byte. Returns the reasons of the SUBACK."""
        pairs = [one if isinstance(one, tuple) else (one, qos) for one in filters]
        packet_id = next(self.ids)
        self.send(subscribe(packet_id, pairs, self.version, **properties))
        answer = self.expect(Kind.SUBACK)
        assert answer.packet_id == packet_id
        return answer.reasons

    def publish(self, topic, payload=b"", *, qos=0, retain=False, **properties):
        """Publishes one message and plays its whole exchange."""
        packet_id = next(self.ids) if qos else 0
        self.send(
            publish(topic, payload, self.version, qos=qos, packet_id=packet_id, retain=retain, **properties)
        )
        if qos == 1:
            last = self.expect(Kind.PUBACK)
        elif qos == 2:
            last = self.expect(Kind.PUBREC)
            assert last.packet_id == packet_id
            if last.reason < 0x80:
                self.send(ack(Kind.PUBREL, packet_id))
                last = self.expect(Kind.PUBCOMP)
        else:
            return None
        assert last.packet_id == packet_id
        return last

    def take(self, timeout=None):
        """Receives one message and plays the receiver's side of its exchange."""
        got = self.expect(Kind.PUBLISH, timeout)
        if got.qos == 1:
            self.send(ack(Kind.PUBACK, got.packet_id))
        elif got.qos == 2:
            self.send(ack(Kind.PUBREC, got.packet_id))
            assert self.expect(Kind.PUBREL).packet_id == got.packet_id
            self.send(ack(Kind.PUBCOMP, got.packet_id))
        return got

    def leave(self):
        """Ends the connection as a client does that is done: no will is sent. The broker has heard of it when this returns."""
        self.send(disconnect())
        with contextlib.suppress(OSError):
            while self.socket.recv(1 << 16):
                pass
        self.socket.close()

    def drop(self):
        """Ends the connection as a broken network does: with a reset and without DISCONNECT."""
        try:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except OSError:
            pass
        self.socket.close()


class Over(Wire):
    """A wire over a socket that is connected by the test."""

    def __init__(self, plain, version=V5, timeout=5.0):
        self.version, self.timeout, self.socket = version, timeout, plain
        self.buffer, self.ids, self.connack = b"", itertools.count(1), None
        plain.settimeout(timeout)

    def greet(self, client_id="", expect=0, **options):
        self.send(connect(client_id, self.version, **options))
        self.connack = self.expect(Kind.CONNACK)
        assert self.connack.reason == expect
        return self
