"""Broken before any version is known: the first bytes of a connection."""

from case import CLOSED, FRESH, Case, connack, hello, raw
from wire import PINGREQ, Kind, ack, auth, connect, data, disconnect, packet, publish, subscribe, unsubscribe

FIRST = "[MQTT-3.1.0-1] in 3.1.1, [MQTT-3.1.0-1] in 5.0"
NAME = "[MQTT-3.1.2-1] in 3.1.1, [MQTT-3.1.2-1] in 5.0"
LEVEL = "[MQTT-3.1.2-2] in 3.1.1, [MQTT-3.1.2-2] in 5.0"
TYPE = "section 2.1.2 in 5.0"
VARINT = "section 1.5.5 in 5.0"

FIRST_PACKETS = {
    "PUBLISH": publish("forbidden", b"x"),
    "PUBLISH with QoS 1": publish("forbidden", b"x", qos=1, packet_id=1),
    "PUBACK": ack(Kind.PUBACK, 1),
    "PUBREC": ack(Kind.PUBREC, 1),
    "PUBREL": ack(Kind.PUBREL, 1),
    "PUBCOMP": ack(Kind.PUBCOMP, 1),
    "SUBSCRIBE": subscribe(1, [("forbidden", 0)]),
    "SUBACK": packet(Kind.SUBACK, 0, raw("0001 00")),
    "UNSUBSCRIBE": unsubscribe(1, ["forbidden"]),
    "UNSUBACK": packet(Kind.UNSUBACK, 0, raw("0001")),
    "PINGREQ": PINGREQ,
    "PINGRESP": packet(Kind.PINGRESP, 0),
    "DISCONNECT": disconnect(),
    "DISCONNECT with a reason": disconnect(4),
    "CONNACK": packet(Kind.CONNACK, 0, raw("0000")),
    "AUTH": auth(0x18, authentication_method="x"),
}

CASES = [
    *[Case(f"first packet is {what}", FIRST, FRESH, sent, CLOSED) for what, sent in FIRST_PACKETS.items()],
    Case("packet type 0", TYPE, FRESH, raw("00 00"), CLOSED),
    Case("an HTTP request", FIRST, FRESH, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", CLOSED),
    Case("a TLS client hello", FIRST, FRESH, raw("16 03 01 02 00 01 00 01 fc 03 03") + bytes(32), CLOSED),
    Case("an SSH banner", FIRST, FRESH, b"SSH-2.0-OpenSSH_9.2\r\n", CLOSED),
    Case("a CONNECT behind a byte of rubbish", FIRST, FRESH, b"\xff" + connect("h"), CLOSED),
    Case("a length of five bytes", VARINT, FRESH, raw("10 ff ff ff ff 7f"), CLOSED),
    Case("a length that never ends", VARINT, FRESH, raw("10") + b"\x80" * 64, CLOSED),
    Case("CONNECT of 256 MiB announced", "[MQTT-3.2.2-15] in 5.0", FRESH, raw("10 ff ff ff 7f"), CLOSED),
    Case("CONNECT of 16 MiB with a start", "[MQTT-3.2.2-15] in 5.0", FRESH,
         raw("10 80 80 80 08") + data("MQTT") + raw("05 02 003c 00"), connack(0x95)),
    Case("an empty CONNECT", "[MQTT-3.1.4-1] in 3.1.1, [MQTT-3.1.4-1] in 5.0", FRESH, raw("10 00"), CLOSED),
    Case("CONNECT ends in the protocol name", "[MQTT-3.1.4-1] in 3.1.1, [MQTT-3.1.4-1] in 5.0", FRESH,
         raw("10 04 0004 4d51"), CLOSED),
    Case("CONNECT ends behind the protocol name", "[MQTT-3.1.4-1] in 3.1.1, [MQTT-3.1.4-1] in 5.0", FRESH,
         raw("10 06") + data("MQTT"), CLOSED),
    Case("protocol name in lower case", NAME, FRESH, hello(data("h"), name="mqtt"), CLOSED),
    Case("protocol name MQTX", NAME, FRESH, hello(data("h"), name="MQTX"), CLOSED),
    Case("protocol name empty", NAME, FRESH, hello(data("h"), name=""), CLOSED),
    Case("protocol name longer", NAME, FRESH, hello(data("h"), name="MQTT5"), CLOSED),
    Case("protocol name of 3.1 with level 5", NAME, FRESH, hello(data("h"), name="MQIsdp"), connack(0x84)),
    Case("protocol name of 64 KiB", NAME, FRESH, hello(data("h"), name="M" * 60000), CLOSED),
    Case("protocol name ill-formed", NAME, FRESH, hello(data("h"), name=b"MQ\xc0T"), CLOSED),
    *[Case(f"level {level}", LEVEL, FRESH, hello(data("h"), level=level), connack(0x01, 0x84))
      for level in (0, 1, 2, 6, 7, 127)],
    Case("level 3 with the name of 3.1.1", LEVEL, FRESH, hello(data("h"), level=3), connack(0x01, 0x84)),
]  # fmt: skip
