"""MUST NOTs of 3.1.1, and of 3.1 where it differs: the answer is the close, or a return code in CONNACK."""

from case import BAD_TEXT, CLOSED, FRESH, NULL, Case, connack, hello, pub, raw, sub, two, unsub
from wire import PINGREQ, V31, V311, Kind, Will, ack, connect, data, disconnect, packet, publish, subscribe

ID = data("h")
TOPIC = data("forbidden")
MALFORMED_CONNECT = "[MQTT-3.1.4-1] in 3.1.1"
UTF8, NUL = "[MQTT-1.5.3-1] in 3.1.1", "[MQTT-1.5.3-2] in 3.1.1"
FLAGS = "[MQTT-2.2.2-2] in 3.1.1"


def before(name, clauses, sent, answer=CLOSED):
    return Case(name, clauses, FRESH, sent, answer)


def after(name, clauses, sent):
    return Case(name, clauses, V311, sent, CLOSED)


def con(payload, flags=0x02, **options):
    return hello(payload, flags=flags, level=V311, **options)


CONNECTS = [
    *[before(f"CONNECT with fixed header flags {flags:#x}", FLAGS, bytes([0x10 | flags]) + connect("h", V311)[1:])
      for flags in (1, 2, 4, 8, 15)],
    before("reserved connect flag", "[MQTT-3.1.2-3] in 3.1.1", con(ID, flags=0x03)),
    before("Will QoS 3", "[MQTT-3.1.2-14] in 3.1.1", con(ID + TOPIC + data("m"), flags=0x1E)),
    before("Will QoS 1 without a will", "[MQTT-3.1.2-13] in 3.1.1", con(ID, flags=0x0A)),
    before("Will QoS 2 without a will", "[MQTT-3.1.2-11] in 3.1.1", con(ID, flags=0x12)),
    before("Will Retain without a will", "[MQTT-3.1.2-15] in 3.1.1", con(ID, flags=0x22)),
    before("a password without a user name", "[MQTT-3.1.2-22] in 3.1.1", con(ID + data("p"), flags=0x42)),
    before("user name announced and missing", "[MQTT-3.1.2-19] in 3.1.1", con(ID, flags=0x82)),
    before("user name present and not announced", "[MQTT-3.1.2-18] in 3.1.1", con(ID + data("u"))),
    before("password announced and missing", "[MQTT-3.1.2-21] in 3.1.1", con(ID + data("u"), flags=0xC2)),
    before("password present and not announced", "[MQTT-3.1.2-20] in 3.1.1", con(ID + data("u") * 2, flags=0x82)),
    before("will announced and missing", "[MQTT-3.1.2-9] in 3.1.1", con(ID, flags=0x06)),
    before("will message missing", "[MQTT-3.1.2-9] in 3.1.1", con(ID + TOPIC, flags=0x06)),
    before("will present and not announced", "[MQTT-3.1.2-11] in 3.1.1", con(ID + TOPIC + data("m"))),
    before("no client identifier", "[MQTT-3.1.3-3] in 3.1.1", con(b"")),
    before("client identifier reaches beyond the packet", MALFORMED_CONNECT, con(raw("00ff 61"))),
    before("user name reaches beyond the packet", MALFORMED_CONNECT, con(ID + raw("0100 61"), flags=0x82)),
    before("bytes behind the last field", MALFORMED_CONNECT, con(ID + b"rest")),
    before("empty client identifier with a kept session", "[MQTT-3.1.3-8] in 3.1.1", con(data(""), flags=0x00),
           connack(0x02)),
    before("client identifier longer than this broker takes", "[MQTT-3.1.3-9] in 3.1.1", con(data("h" * 1000)),
           connack(0x02)),
    before("will topic with #", "[MQTT-4.7.1-1] in 3.1.1", connect("h", V311, will=Will("forbidden/#", b""))),
    before("will topic with +", "[MQTT-4.7.1-1] in 3.1.1", connect("h", V311, will=Will("forbidden/+/x", b""))),
    before("will topic empty", "[MQTT-4.7.3-1] in 3.1.1", connect("h", V311, will=Will("", b""))),
    before("U+0000 in the client identifier", NUL, con(NULL)),
    before("U+0000 in the will topic", NUL, con(ID + NULL + data("m"), flags=0x06)),
    before("U+0000 in the user name", NUL, con(ID + NULL, flags=0x82)),
    before("PUBLISH behind a refused CONNECT", "[MQTT-3.1.4-5] in 3.1.1",
           con(data(""), flags=0x00) + publish("forbidden", b"x", V311), connack(0x02)),
    before("PUBLISH behind a malformed CONNECT", "[MQTT-3.1.4-1] in 3.1.1",
           con(ID, flags=0x03) + publish("forbidden", b"x", V311)),
    *[before(f"client identifier: {what}", "[MQTT-3.1.3-4] in 3.1.1, " + UTF8, con(bad))
      for what, bad in BAD_TEXT.items()],
    *[before(f"will topic: {what}", "[MQTT-3.1.3-10] in 3.1.1", con(ID + bad + data("m"), flags=0x06))
      for what, bad in list(BAD_TEXT.items())[:3]],
    *[before(f"user name: {what}", "[MQTT-3.1.3-11] in 3.1.1", con(ID + bad, flags=0x82))
      for what, bad in list(BAD_TEXT.items())[:3]],
]  # fmt: skip

PACKETS = [
    after("a second CONNECT", "[MQTT-3.1.0-2] in 3.1.1", connect("h2", V311)),
    after("packet type 0", "section 2.2.1 in 3.1.1", raw("00 00")),
    after("packet type 15", "section 2.2.1 in 3.1.1", raw("f0 00")),
    after("a length of five bytes", "section 2.2.3 in 3.1.1", raw("30 80 80 80 80 01")),
    after("PUBLISH of 256 MiB announced", "[MQTT-4.8.0-1] in 3.1.1", raw("30 ff ff ff 7f")),
    after("PUBLISH with QoS 3", "[MQTT-3.3.1-4] in 3.1.1", pub(TOPIC, flags=6, packet_id=two(1))),
    after("PUBLISH with QoS 3 and retain", "[MQTT-3.3.1-4] in 3.1.1", pub(TOPIC, flags=7, packet_id=two(1))),
    after("DUP with QoS 0", "[MQTT-3.3.1-2] in 3.1.1", pub(TOPIC, flags=8)),
    after("PUBLISH with #", "[MQTT-3.3.2-2] in 3.1.1, [MQTT-4.7.1-1] in 3.1.1", pub(data("forbidden/#"))),
    after("PUBLISH with +", "[MQTT-3.3.2-2] in 3.1.1, [MQTT-4.7.1-1] in 3.1.1", pub(data("forbidden/+"))),
    after("PUBLISH with + inside a level", "[MQTT-3.3.2-2] in 3.1.1", pub(data("forbidden/a+b"))),
    after("PUBLISH with an empty topic", "[MQTT-4.7.3-1] in 3.1.1", pub(data(""))),
    after("PUBLISH with U+0000", "[MQTT-4.7.3-2] in 3.1.1, " + NUL, pub(NULL)),
    after("PUBLISH without a topic", "[MQTT-3.3.2-1] in 3.1.1", raw("30 00")),
    after("PUBLISH whose topic reaches beyond the packet", "[MQTT-3.3.2-1] in 3.1.1", raw("30 03 00 10 61")),
    after("PUBLISH with QoS 1 and packet identifier 0", "[MQTT-2.3.1-1] in 3.1.1", pub(TOPIC, flags=2, packet_id=two(0))),
    after("PUBLISH with QoS 2 and packet identifier 0", "[MQTT-2.3.1-1] in 3.1.1", pub(TOPIC, flags=4, packet_id=two(0))),
    after("PUBLISH with QoS 1 without packet identifier", "[MQTT-2.3.1-1] in 3.1.1", pub(TOPIC, flags=2, payload=b"")),
    after("PUBLISH with half a packet identifier", "[MQTT-2.3.1-1] in 3.1.1", pub(TOPIC, flags=4, payload=b"\0")),
    *[after(f"topic: {what}", "[MQTT-3.3.2-1] in 3.1.1, " + UTF8, pub(bad)) for what, bad in BAD_TEXT.items()],
    *[after(f"SUBSCRIBE with fixed header flags {flags:#x}", "[MQTT-3.8.1-1] in 3.1.1", sub((TOPIC, 0), flags=flags))
      for flags in (0, 1, 3, 6, 10)],
    after("SUBSCRIBE without filters", "[MQTT-3.8.3-3] in 3.1.1", sub()),
    after("SUBSCRIBE with packet identifier 0", "[MQTT-2.3.1-1] in 3.1.1", sub((TOPIC, 0), packet_id=0)),
    after("SUBSCRIBE with QoS 3", "[MQTT-3.8.3-4] in 3.1.1", sub((TOPIC, 3))),
    *[after(f"SUBSCRIBE with options {options:#04x}", "[MQTT-3.8.3-4] in 3.1.1", sub((TOPIC, options)))
      for options in (0x04, 0x08, 0x20, 0x80)],
    after("SUBSCRIBE with a good and a bad pair", "[MQTT-3.8.3-4] in 3.1.1", sub((TOPIC, 0), (TOPIC, 0xFC))),
    after("SUBSCRIBE without options", "[MQTT-3.8.3-3] in 3.1.1", packet(Kind.SUBSCRIBE, 2, two(1) + TOPIC)),
    after("filter empty", "[MQTT-4.7.3-1] in 3.1.1", sub((data(""), 0))),
    after("filter with U+0000", "[MQTT-4.7.3-2] in 3.1.1", sub((NULL, 0))),
    after("filter a/#/b", "[MQTT-4.7.1-2] in 3.1.1", sub((data("a/#/b"), 0))),
    after("filter a#", "[MQTT-4.7.1-2] in 3.1.1", sub((data("a#"), 0))),
    after("filter a/b#", "[MQTT-4.7.1-2] in 3.1.1", sub((data("a/b#"), 0))),
    after("filter a+", "[MQTT-4.7.1-3] in 3.1.1", sub((data("a+"), 0))),
    after("filter a/+b/c", "[MQTT-4.7.1-3] in 3.1.1", sub((data("a/+b/c"), 0))),
    after("filter ++", "[MQTT-4.7.1-3] in 3.1.1", sub((data("++"), 0))),
    after("filter ill-formed", "[MQTT-3.8.3-1] in 3.1.1", sub((raw("0002 c0af"), 0))),
    after("filter reaches beyond the packet", "[MQTT-3.8.3-1] in 3.1.1", packet(Kind.SUBSCRIBE, 2, two(1) + raw("00ff 61"))),
    *[after(f"UNSUBSCRIBE with fixed header flags {flags:#x}", "[MQTT-3.10.1-1] in 3.1.1", unsub(TOPIC, flags=flags))
      for flags in (0, 1, 3, 15)],
    after("UNSUBSCRIBE without filters", "[MQTT-3.10.3-2] in 3.1.1", unsub()),
    after("UNSUBSCRIBE with packet identifier 0", "[MQTT-2.3.1-1] in 3.1.1", unsub(TOPIC, packet_id=0)),
    after("UNSUBSCRIBE with an ill-formed filter", "[MQTT-3.10.3-1] in 3.1.1", unsub(raw("0002 c0af"))),
    after("UNSUBSCRIBE with an empty filter", "[MQTT-4.7.3-1] in 3.1.1", unsub(data(""))),
    *[after(f"{kind.name} with fixed header flags {flags:#x}", FLAGS, packet(kind, flags, two(1)))
      for kind in (Kind.PUBACK, Kind.PUBREC, Kind.PUBCOMP) for flags in (1, 2)],
    *[after(f"PUBREL with fixed header flags {flags:#x}", "[MQTT-3.6.1-1] in 3.1.1", packet(Kind.PUBREL, flags, two(1)))
      for flags in (0, 3, 6, 10)],
    *[after(f"{kind.name} with packet identifier 0", "[MQTT-2.3.1-6] in 3.1.1", ack(kind, 0))
      for kind in (Kind.PUBACK, Kind.PUBREC, Kind.PUBREL, Kind.PUBCOMP)],
    *[after(f"{kind.name} of one byte", "[MQTT-4.8.0-1] in 3.1.1", packet(kind, 2 if kind == Kind.PUBREL else 0, b"\1"))
      for kind in (Kind.PUBACK, Kind.PUBREC, Kind.PUBREL, Kind.PUBCOMP)],
    after("PUBACK of three bytes", "[MQTT-4.8.0-1] in 3.1.1", packet(Kind.PUBACK, 0, raw("0001 00"))),
    after("PINGREQ with flags", FLAGS, raw("c1 00")),
    after("PINGREQ with a body", "[MQTT-4.8.0-1] in 3.1.1", raw("c0 01 00")),
    after("DISCONNECT with flags", "[MQTT-3.14.1-1] in 3.1.1", raw("e1 00")),
    after("DISCONNECT with a body", "[MQTT-4.8.0-1] in 3.1.1", raw("e0 01 00")),
    after("CONNACK from a client", "[MQTT-4.8.0-1] in 3.1.1", packet(Kind.CONNACK, 0, raw("0000"))),
    after("SUBACK from a client", "[MQTT-4.8.0-1] in 3.1.1", packet(Kind.SUBACK, 0, raw("0001 00"))),
    after("UNSUBACK from a client", "[MQTT-4.8.0-1] in 3.1.1", packet(Kind.UNSUBACK, 0, raw("0001"))),
    after("PINGRESP from a client", "[MQTT-4.8.0-1] in 3.1.1", packet(Kind.PINGRESP, 0)),
    after("PUBLISH behind a DISCONNECT", "[MQTT-3.14.4-2] in 3.1.1", disconnect() + publish("forbidden", b"x", V311)),
    after("PUBLISH behind a violation", "[MQTT-4.8.0-1] in 3.1.1", raw("f0 00") + publish("forbidden", b"x", V311)),
]  # fmt: skip

OF_3_1 = [
    before("3.1: empty client identifier", "section 3.1 in 3.1.1", hello(data(""), name="MQIsdp", level=V31),
           connack(0x02)),
    Case("3.1: a second CONNECT", "[MQTT-3.1.0-2] in 3.1.1", V31, connect("h2", V31), CLOSED),
    Case("3.1: PUBLISH with QoS 3", "[MQTT-3.3.1-4] in 3.1.1", V31, pub(TOPIC, flags=6, packet_id=two(1)), CLOSED),
    Case("3.1: packet type 15", "section 2.2.1 in 3.1.1", V31, raw("f0 00"), CLOSED),
    Case("3.1: filter a#", "[MQTT-4.7.1-2] in 3.1.1", V31, subscribe(1, [("a#", 0)], V31), CLOSED),
    Case("3.1: PUBLISH with #", "[MQTT-3.3.2-2] in 3.1.1", V31, pub(data("#")), CLOSED),
    Case("3.1: PINGREQ behind a violation", "[MQTT-4.8.0-1] in 3.1.1", V31, raw("00 00") + PINGREQ, CLOSED),
]  # fmt: skip

CASES = CONNECTS + PACKETS + OF_3_1
