"""What a hostile case is made of: its name, the clause it breaks, the bytes, and the answer that is due."""

import struct
from dataclasses import dataclass

from wire import V5, Kind, data, packet, props

FRESH = 0  # The bytes are the first that the broker sees; otherwise a CONNECT of the version stands before them.


@dataclass(frozen=True)
class Answer:
    """The last packet that has to come before the close: none, or one of `codes` in a packet of `kind`."""

    kind: Kind | None = None
    codes: tuple = ()


@dataclass(frozen=True)
class Case:
    name: str
    clauses: str
    stage: int
    sent: bytes
    answer: Answer


CLOSED = Answer()


def connack(*codes):
    return Answer(Kind.CONNACK, codes)


def bye(*codes):
    """A DISCONNECT with one of these codes: 5.0 only."""
    return Answer(Kind.DISCONNECT, codes)


def raw(text):
    return bytes.fromhex(text)


def two(number):
    return struct.pack("!H", number)


def block(*properties):
    """A property block of ready-made properties, in this order."""
    body = b"".join(properties)
    return packet(Kind.CONNECT, 0, body)[1:]  # a length, then the bytes


def hello(payload, *, flags=0x02, name="MQTT", level=V5, properties=None, keep_alive=60):
    """A CONNECT from its parts; `properties` is a ready-made block, absent below 5.0."""
    if properties is None:
        properties = props() if level == V5 else b""
    return packet(Kind.CONNECT, 0, data(name) + bytes([level, flags]) + two(keep_alive) + properties + payload)


def pub(topic, *, flags=0, packet_id=b"", properties=b"", payload=b"x"):
    """A PUBLISH from its parts; `topic` is the field with its length, `properties` a ready-made block."""
    return packet(Kind.PUBLISH, flags, topic + packet_id + properties + payload)


def sub(*filters, packet_id=1, properties=b"", flags=2):
    body = b"".join(name + bytes([options]) for name, options in filters)
    return packet(Kind.SUBSCRIBE, flags, two(packet_id) + properties + body)


def unsub(*filters, packet_id=1, properties=b"", flags=2):
    return packet(Kind.UNSUBSCRIBE, flags, two(packet_id) + properties + b"".join(filters))


# Strings that no packet may carry, with the clause of each version.
BAD_TEXT = {
    "overlong encoding": raw("0002 c0af"),
    "surrogate U+D800": raw("0003 eda080"),
    "surrogate U+DFFF": raw("0003 edbfbf"),
    "lone continuation byte": raw("0001 80"),
    "sequence cut off": raw("0002 e282"),
    "beyond U+10FFFF": raw("0004 f4908080"),
    "byte 0xFF": raw("0003 61ff62"),
}
NULL = raw("0003 610062")
