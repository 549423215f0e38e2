"""MUST NOTs of 5.0: the answer is a reason code in CONNACK or DISCONNECT, and the close."""

from case import BAD_TEXT, CLOSED, FRESH, NULL, Case, block, bye, connack, hello, pub, raw, sub, two, unsub
from wire import V5, Kind, Will, ack, auth, connect, data, disconnect, packet, prop, props, publish, subscribe

ID = data("h")
TOPIC = data("forbidden")
EMPTY = props()
MALFORMED, PROTOCOL, TOPIC_NAME, TOPIC_FILTER = 0x81, 0x82, 0x90, 0x8F
ALIAS, TOO_LARGE, RECEIVE_MAXIMUM, BAD_METHOD = 0x94, 0x95, 0x93, 0x8C
CONNECT_FORMAT = "[MQTT-3.1.4-1] in 5.0"
UTF8, NUL, VARINT = "[MQTT-1.5.4-1] in 5.0", "[MQTT-1.5.4-2] in 5.0", "[MQTT-1.5.5-1] in 5.0"
PROPERTIES = "section 2.2.2.2 in 5.0"
FLAGS = "[MQTT-2.1.3-1] in 5.0"
ERROR = "[MQTT-4.13.1-1] in 5.0"


def before(name, clauses, sent, *codes):
    return Case(name, clauses, FRESH, sent, connack(*codes))


def after(name, clauses, sent, *codes):
    return Case(name, clauses, V5, sent, bye(*codes))


def con(payload=ID, flags=0x02, *properties):
    return hello(payload, flags=flags, properties=block(*properties))


def will(*properties, flags=0x06, topic=TOPIC):
    return hello(ID + block(*properties) + topic + data("m"), flags=flags)


def post(*properties, topic=TOPIC):
    return pub(topic, properties=block(*properties))


# Each property with a valid value, to be put where it must not stand or twice where it may stand once.
VALID = {
    "payload_format": 1, "message_expiry": 10, "content_type": "t", "response_topic": "r", "correlation_data": b"c",
    "subscription_id": 1, "session_expiry": 10, "assigned_client_id": "i", "server_keep_alive": 1,
    "authentication_method": "m", "authentication_data": b"d", "request_problem_information": 1, "will_delay": 1,
    "request_response_information": 1, "response_information": "i", "server_reference": "s", "reason_string": "s",
    "receive_maximum": 5, "topic_alias_maximum": 5, "topic_alias": 1, "maximum_qos": 1, "retain_available": 1,
    "user": ("a", "b"), "maximum_packet_size": 1000, "wildcard_available": 1, "subscription_ids_available": 1,
    "shared_available": 1,
}  # fmt: skip


def one(name):
    return prop(name, VALID[name])


CONNECTS = [
    *[before(f"CONNECT with fixed header flags {flags:#x}", FLAGS, bytes([0x10 | flags]) + connect("h")[1:], MALFORMED)
      for flags in (1, 8)],
    before("reserved connect flag", "[MQTT-3.1.2-3] in 5.0", con(ID, 0x03), MALFORMED),
    before("Will QoS 3", "[MQTT-3.1.2-12] in 5.0", will(flags=0x1E), MALFORMED),
    before("Will QoS without a will", "[MQTT-3.1.2-11] in 5.0", con(ID, 0x0A), MALFORMED),
    before("Will Retain without a will", "[MQTT-3.1.2-13] in 5.0", con(ID, 0x22), MALFORMED),
    before("will announced and missing", "[MQTT-3.1.2-9] in 5.0", con(ID, 0x06), MALFORMED),
    before("will payload missing", "[MQTT-3.1.2-9] in 5.0", con(ID + EMPTY + TOPIC, 0x06), MALFORMED),
    before("user name announced and missing", "[MQTT-3.1.2-17] in 5.0", con(ID, 0x82), MALFORMED),
    before("user name present and not announced", "[MQTT-3.1.2-16] in 5.0", con(ID + data("u")), MALFORMED),
    before("password announced and missing", "[MQTT-3.1.2-19] in 5.0", con(ID + data("u"), 0xC2), MALFORMED),
    before("password present and not announced", "[MQTT-3.1.2-18] in 5.0", con(ID + data("u") * 2, 0x82), MALFORMED),
    before("no client identifier", "[MQTT-3.1.3-3] in 5.0", con(b""), MALFORMED),
    before("client identifier reaches beyond the packet", CONNECT_FORMAT, con(raw("00ff 61")), MALFORMED),
    before("bytes behind the last field", CONNECT_FORMAT, con(ID + b"rest"), MALFORMED),
    before("no property length", "[MQTT-2.2.2-1] in 5.0", hello(b"", properties=b""), MALFORMED),
    before("CONNECT: property length beyond the packet", PROPERTIES, hello(b"", properties=raw("7f 11")), MALFORMED),
    before("property length cuts a property", PROPERTIES, hello(ID, properties=raw("03 11 0000")), MALFORMED),
    before("property length of five bytes", "section 1.5.5 in 5.0", hello(ID, properties=raw("80 80 80 80 01")), MALFORMED),
    before("CONNECT: property length not minimal", VARINT, hello(ID, properties=raw("80 00")), MALFORMED),
    before("CONNECT: remaining length not minimal", VARINT, raw("10 8e 00") + connect("h")[2:], MALFORMED),
    before("client identifier longer than this broker takes", "[MQTT-3.1.3-8] in 5.0", con(data("h" * 1000)), 0x85),
    before("unknown property 0x00", PROPERTIES, con(ID, 2, raw("00 00")), MALFORMED),
    before("unknown property 0x7f", PROPERTIES, con(ID, 2, raw("7f 00")), MALFORMED),
    before("Receive Maximum 0", "section 3.1.2.11.3 in 5.0", con(ID, 2, prop("receive_maximum", 0)), PROTOCOL),
    before("Maximum Packet Size 0", "section 3.1.2.11.4 in 5.0", con(ID, 2, prop("maximum_packet_size", 0)), PROTOCOL),
    before("Request Response Information 2", "section 3.1.2.11.6 in 5.0",
           con(ID, 2, prop("request_response_information", 2)), PROTOCOL),
    before("Request Problem Information 2", "section 3.1.2.11.7 in 5.0",
           con(ID, 2, prop("request_problem_information", 2)), PROTOCOL),
    before("Authentication Data without a method", "section 3.1.2.11.10 in 5.0",
           con(ID, 2, one("authentication_data")), PROTOCOL),
    before("an authentication method that is not offered", "[MQTT-4.12.0-1] in 5.0",
           con(ID, 2, one("authentication_method")), BAD_METHOD),
    before("PUBLISH behind a refused authentication method", "[MQTT-3.1.4-6] in 5.0, [MQTT-3.1.2-30] in 5.0",
           con(ID, 2, one("authentication_method")) + publish("forbidden", b"x"), BAD_METHOD),
    before("PUBLISH behind a malformed CONNECT", "[MQTT-3.1.4-6] in 5.0", con(ID, 3) + publish("forbidden"), MALFORMED),
    *[before(f"{name} twice", "section 3.1.2.11 in 5.0", con(ID, 2, one(name), one(name)), PROTOCOL)
      for name in ("session_expiry", "receive_maximum", "maximum_packet_size", "topic_alias_maximum",
                   "request_response_information", "request_problem_information", "authentication_method")],
    *[before(f"{name} in CONNECT", PROPERTIES, con(ID, 2, one(name)), MALFORMED)
      for name in ("topic_alias", "subscription_id", "will_delay", "reason_string", "server_keep_alive", "maximum_qos",
                   "assigned_client_id", "retain_available", "shared_available", "message_expiry")],
    *[before(f"{name} twice in the will", "section 3.1.3.2 in 5.0", will(one(name), one(name)), PROTOCOL)
      for name in ("will_delay", "payload_format", "message_expiry", "content_type", "response_topic",
                   "correlation_data")],
    *[before(f"{name} in the will", PROPERTIES, will(one(name)), MALFORMED)
      for name in ("topic_alias", "subscription_id", "session_expiry", "receive_maximum", "reason_string")],
    before("Payload Format Indicator 2 in the will", "section 3.1.3.2.3 in 5.0", will(prop("payload_format", 2)), PROTOCOL),
    before("will topic with #", "[MQTT-4.7.0-1] in 5.0", connect("h", will=Will("forbidden/#", b"")), TOPIC_NAME),
    before("will topic with +", "[MQTT-4.7.0-1] in 5.0", connect("h", will=Will("forbidden/+", b"")), TOPIC_NAME),
    before("will topic empty", "[MQTT-4.7.3-1] in 5.0", connect("h", will=Will("", b"")), TOPIC_NAME),
    before("will response topic with #", "[MQTT-3.3.2-14] in 5.0", will(prop("response_topic", "a/#")), PROTOCOL),
    before("U+0000 in the client identifier", NUL, con(NULL), MALFORMED),
    before("U+0000 in the will topic", NUL, will(topic=NULL), MALFORMED),
    before("U+0000 in the user name", NUL, con(ID + NULL, 0x82), MALFORMED),
    before("U+0000 in a user property", "[MQTT-1.5.7-1] in 5.0", con(ID, 2, b"\x26" + NULL + data("v")), MALFORMED),
    *[before(f"client identifier: {what}", "[MQTT-3.1.3-4] in 5.0, " + UTF8, con(bad), MALFORMED)
      for what, bad in BAD_TEXT.items()],
    before("will topic ill-formed", "[MQTT-3.1.3-11] in 5.0", will(topic=BAD_TEXT["overlong encoding"]), MALFORMED),
    before("user name ill-formed", "[MQTT-3.1.3-12] in 5.0", con(ID + raw("0002 c0af"), 0x82), MALFORMED),
    before("user property ill-formed", "[MQTT-1.5.7-1] in 5.0", con(ID, 2, b"\x26" + data("k") + raw("0001 80")), MALFORMED),
]  # fmt: skip

PUBLISHES = [
    after("PUBLISH with QoS 3", "[MQTT-3.3.1-4] in 5.0", pub(TOPIC, flags=6, packet_id=two(1), properties=EMPTY), MALFORMED),
    after("DUP with QoS 0", "[MQTT-3.3.1-2] in 5.0", pub(TOPIC, flags=8, properties=EMPTY), MALFORMED),
    after("PUBLISH with #", "[MQTT-3.3.2-2] in 5.0, [MQTT-4.7.0-1] in 5.0", publish("forbidden/#"), TOPIC_NAME),
    after("PUBLISH with +", "[MQTT-3.3.2-2] in 5.0, [MQTT-4.7.0-1] in 5.0", publish("forbidden/+/x"), TOPIC_NAME),
    after("PUBLISH with U+0000", "[MQTT-4.7.3-2] in 5.0", pub(NULL, properties=EMPTY), MALFORMED),
    after("PUBLISH without a topic", "[MQTT-3.3.2-1] in 5.0", raw("30 00"), MALFORMED),
    after("PUBLISH whose topic reaches beyond the packet", "[MQTT-3.3.2-1] in 5.0", raw("30 03 00 10 61"), MALFORMED),
    after("an empty topic without an alias", "section 3.3.2.1 in 5.0", publish(""), PROTOCOL),
    after("an empty topic with an alias that was never set", "section 3.3.2.3.4 in 5.0", publish("", topic_alias=1), PROTOCOL),
    after("Topic Alias 0", "[MQTT-3.3.2-8] in 5.0", publish("forbidden", topic_alias=0), ALIAS),
    after("Topic Alias beyond the maximum", "[MQTT-3.3.2-9] in 5.0, [MQTT-3.2.2-17] in 5.0",
          publish("forbidden", topic_alias=65535), ALIAS),
    after("PUBLISH with QoS 0 and no property length", "[MQTT-2.2.2-1] in 5.0", pub(TOPIC, payload=b""), MALFORMED),
    after("QoS 1 with packet identifier 0", "[MQTT-2.2.1-3] in 5.0", publish("forbidden", qos=1), PROTOCOL),
    after("QoS 2 with packet identifier 0", "[MQTT-2.2.1-3] in 5.0", publish("forbidden", qos=2), PROTOCOL),
    after("QoS 1 without packet identifier", "[MQTT-2.2.1-3] in 5.0", pub(TOPIC, flags=2, payload=b""), MALFORMED),
    after("Subscription Identifier from a client", "[MQTT-3.3.4-6] in 5.0", publish("forbidden", subscription_id=1), PROTOCOL),
    after("response topic with #", "[MQTT-3.3.2-14] in 5.0", publish("forbidden", response_topic="a/#"), PROTOCOL),
    after("response topic with +", "[MQTT-3.3.2-14] in 5.0", publish("forbidden", response_topic="+"), PROTOCOL),
    after("response topic ill-formed", "[MQTT-3.3.2-13] in 5.0", post(b"\x08" + raw("0002 c0af")), MALFORMED),
    after("content type ill-formed", "[MQTT-3.3.2-19] in 5.0", post(b"\x03" + raw("0001 80")), MALFORMED),
    after("content type with U+0000", NUL, post(b"\x03" + NULL), MALFORMED),
    after("Payload Format Indicator 2", "section 3.3.2.3.2 in 5.0", publish("forbidden", payload_format=2), PROTOCOL),
    after("property length beyond the packet", PROPERTIES, pub(TOPIC, properties=raw("7f"), payload=b""), MALFORMED),
    after("property length not minimal", VARINT, pub(TOPIC, properties=raw("80 00")), MALFORMED),
    after("property value cut off", PROPERTIES, pub(TOPIC, properties=raw("03 02 0000")), MALFORMED),
    after("unknown property", PROPERTIES, post(raw("7e 00")), MALFORMED),
    after("a property number of two bytes", PROPERTIES, post(raw("81 01 00")), MALFORMED),
    after("user property without a value", PROPERTIES, post(b"\x26" + data("key")), MALFORMED),
    *[after(f"{name} twice in PUBLISH", "section 3.3.2.3 in 5.0", post(one(name), one(name)), PROTOCOL)
      for name in ("payload_format", "message_expiry", "topic_alias", "response_topic", "correlation_data",
                   "content_type")],
    *[after(f"{name} in PUBLISH", PROPERTIES, post(one(name)), MALFORMED)
      for name in ("session_expiry", "will_delay", "receive_maximum", "reason_string", "maximum_packet_size",
                   "server_keep_alive", "authentication_method", "topic_alias_maximum")],
    *[after(f"topic: {what}", "[MQTT-3.3.2-1] in 5.0, " + UTF8, pub(bad, properties=EMPTY), MALFORMED)
      for what, bad in BAD_TEXT.items()],
    after("PUBLISH of 256 MiB announced", "[MQTT-3.2.2-15] in 5.0", raw("30 ff ff ff 7f"), TOO_LARGE),
    after("PUBLISH one byte above the limit announced", "[MQTT-3.2.2-15] in 5.0", raw("30 fd ff 3f"), TOO_LARGE),
    after("more than Receive Maximum in flight", "[MQTT-3.3.4-7] in 5.0",
          b"".join(publish("hostile", b"x", qos=2, packet_id=n + 1) for n in range(33)), RECEIVE_MAXIMUM),
]  # fmt: skip

SUBSCRIBES = [
    *[after(f"SUBSCRIBE with fixed header flags {flags:#x}", "[MQTT-3.8.1-1] in 5.0",
            sub((TOPIC, 0), properties=EMPTY, flags=flags), MALFORMED) for flags in (0, 1, 3, 10)],
    after("SUBSCRIBE without filters", "[MQTT-3.8.3-2] in 5.0", sub(properties=EMPTY), PROTOCOL),
    after("SUBSCRIBE with packet identifier 0", "[MQTT-2.2.1-3] in 5.0",
          sub((TOPIC, 0), packet_id=0, properties=EMPTY), PROTOCOL),
    after("SUBSCRIBE with QoS 3", "section 3.8.3.1 in 5.0", subscribe(1, [("forbidden", 3)]), PROTOCOL),
    after("SUBSCRIBE with Retain Handling 3", "section 3.8.3.1 in 5.0", subscribe(1, [("forbidden", 0x30)]), PROTOCOL),
    *[after(f"SUBSCRIBE with reserved option bits {options:#04x}", "[MQTT-3.8.3-5] in 5.0",
            subscribe(1, [("forbidden", options)]), MALFORMED) for options in (0x40, 0x80, 0xC1)],
    after("No Local on a shared subscription", "[MQTT-3.8.3-4] in 5.0",
          subscribe(1, [("$share/g/forbidden", 0x04)]), PROTOCOL),
    after("Subscription Identifier 0", "section 3.8.2.1.2 in 5.0",
          subscribe(1, [("forbidden", 0)], subscription_id=0), PROTOCOL),
    after("Subscription Identifier of five bytes", "section 1.5.5 in 5.0",
          sub((TOPIC, 0), properties=block(raw("0b 80 80 80 80 01"))), MALFORMED),
    after("Subscription Identifier twice", "section 3.8.2.1.2 in 5.0",
          subscribe(1, [("forbidden", 0)], subscription_id=[1, 2]), PROTOCOL),
    *[after(f"{name} in SUBSCRIBE", PROPERTIES, sub((TOPIC, 0), properties=block(one(name))), MALFORMED)
      for name in ("topic_alias", "message_expiry", "reason_string", "session_expiry")],
    after("SUBSCRIBE without options", "[MQTT-3.8.3-2] in 5.0",
          packet(Kind.SUBSCRIBE, 2, two(1) + EMPTY + TOPIC), MALFORMED),
    after("filter empty", "[MQTT-4.7.3-1] in 5.0", subscribe(1, [("", 0)]), TOPIC_FILTER),
    after("filter with U+0000", "[MQTT-4.7.3-2] in 5.0", sub((NULL, 0), properties=EMPTY), MALFORMED),
    after("filter ill-formed", "[MQTT-3.8.3-1] in 5.0", sub((raw("0002 c0af"), 0), properties=EMPTY), MALFORMED),
    *[after(f"filter {bad}", "[MQTT-4.7.1-1] in 5.0", subscribe(1, [(bad, 0)]), TOPIC_FILTER)
      for bad in ("a/#/b", "a#", "#a", "a/b#", "##")],
    *[after(f"filter {bad}", "[MQTT-4.7.1-2] in 5.0", subscribe(1, [(bad, 0)]), TOPIC_FILTER)
      for bad in ("a+", "+a/b", "++", "a/+b/c")],
    *[after(f"filter {bad}", "[MQTT-4.8.2-1] in 5.0", subscribe(1, [(bad, 0)]), TOPIC_FILTER)
      for bad in ("$share//t", "$share/")],
    *[after(f"filter {bad}", "[MQTT-4.8.2-2] in 5.0", subscribe(1, [(bad, 0)]), TOPIC_FILTER)
      for bad in ("$share/g", "$share/g/", "$share/+/t", "$share/a#/t")],
    *[after(f"UNSUBSCRIBE with fixed header flags {flags:#x}", "[MQTT-3.10.1-1] in 5.0",
            unsub(TOPIC, properties=EMPTY, flags=flags), MALFORMED) for flags in (0, 6)],
    after("UNSUBSCRIBE without filters", "[MQTT-3.10.3-2] in 5.0", unsub(properties=EMPTY), PROTOCOL),
    after("UNSUBSCRIBE with packet identifier 0", "[MQTT-2.2.1-3] in 5.0",
          unsub(TOPIC, packet_id=0, properties=EMPTY), PROTOCOL),
    after("UNSUBSCRIBE with an ill-formed filter", "[MQTT-3.10.3-1] in 5.0", unsub(raw("0001 80"), properties=EMPTY), MALFORMED),
    after("UNSUBSCRIBE with filter a#", "[MQTT-4.7.1-1] in 5.0", unsub(data("a#"), properties=EMPTY), TOPIC_FILTER),
    after("UNSUBSCRIBE with a Subscription Identifier", PROPERTIES,
          unsub(TOPIC, properties=block(one("subscription_id"))), MALFORMED),
]  # fmt: skip

ACKS = (Kind.PUBACK, Kind.PUBREC, Kind.PUBREL, Kind.PUBCOMP)
OWN = {Kind.PUBACK: "4", Kind.PUBREC: "5", Kind.PUBREL: "6", Kind.PUBCOMP: "7"}
OTHERS = [
    after("a second CONNECT", "[MQTT-3.1.0-2] in 5.0", connect("h2"), PROTOCOL),
    after("packet type 0", "section 2.1.2 in 5.0", raw("00 00"), MALFORMED),
    after("a length of five bytes", "section 1.5.5 in 5.0", raw("30 80 80 80 80 01"), MALFORMED),
    after("remaining length not minimal", VARINT, raw("c0 80 00"), MALFORMED),
    *[after(f"{kind.name} with fixed header flags {flags:#x}", FLAGS, packet(kind, flags, two(1)), MALFORMED)
      for kind in (Kind.PUBACK, Kind.PUBREC, Kind.PUBCOMP) for flags in (1, 2)],
    *[after(f"PUBREL with fixed header flags {flags:#x}", "[MQTT-3.6.1-1] in 5.0", packet(Kind.PUBREL, flags, two(1)),
            MALFORMED) for flags in (0, 3, 10)],
    *[after(f"{kind.name} with packet identifier 0", "[MQTT-2.2.1-5] in 5.0", ack(kind, 0), PROTOCOL) for kind in ACKS],
    *[after(f"{kind.name} of one byte", ERROR, packet(kind, 2 if kind == Kind.PUBREL else 0, b"\1"), MALFORMED)
      for kind in ACKS],
    *[after(f"{kind.name} with reason 0x7f", f"[MQTT-3.{OWN[kind]}.2-1] in 5.0", ack(kind, 1, 0x7F), PROTOCOL)
      for kind in ACKS],
    *[after(f"{kind.name} with a Topic Alias", PROPERTIES, ack(kind, 1, 0, topic_alias=1), MALFORMED) for kind in ACKS],
    *[after(f"{kind.name} with two reason strings", f"section 3.{OWN[kind]}.2.2 in 5.0",
            ack(kind, 1, 0, reason_string=["a", "b"]), PROTOCOL) for kind in ACKS],
    after("PINGREQ with flags", FLAGS, raw("c1 00"), MALFORMED),
    after("PINGREQ with a body", ERROR, raw("c0 01 00"), MALFORMED),
    *[after(f"{kind.name} from a client", ERROR, sent, PROTOCOL) for kind, sent in (
        (Kind.CONNACK, packet(Kind.CONNACK, 0, raw("000000"))),
        (Kind.SUBACK, packet(Kind.SUBACK, 0, raw("0001 00 00"))),
        (Kind.UNSUBACK, packet(Kind.UNSUBACK, 0, raw("0001 00 00"))),
        (Kind.PINGRESP, packet(Kind.PINGRESP, 0)))],
    after("DISCONNECT with flags", "[MQTT-3.14.1-1] in 5.0", raw("e2 00"), MALFORMED),
    after("DISCONNECT with an unknown reason", "[MQTT-3.14.2-1] in 5.0", disconnect(0x42), PROTOCOL),
    after("DISCONNECT with a Topic Alias", PROPERTIES, disconnect(0, topic_alias=1), MALFORMED),
    after("DISCONNECT raises Session Expiry from 0", "section 3.14.2.2.2 in 5.0", disconnect(0, session_expiry=10), PROTOCOL),
    after("DISCONNECT with Session Expiry twice", "section 3.14.2.2.2 in 5.0", disconnect(0, session_expiry=[0, 0]), PROTOCOL),
    after("DISCONNECT with bytes behind its end", ERROR, packet(Kind.DISCONNECT, 0, raw("00 00 61")), MALFORMED),
    Case("PUBLISH behind a DISCONNECT", "[MQTT-3.14.4-1] in 5.0", V5, disconnect() + publish("forbidden", b"x"), CLOSED),
    after("PUBLISH behind a violation", ERROR, raw("00 00") + publish("forbidden", b"x"), MALFORMED),
    after("AUTH with flags", "[MQTT-3.15.1-1] in 5.0", raw("f1 00"), MALFORMED),
    after("AUTH without a method in CONNECT", "[MQTT-4.12.0-7] in 5.0", auth(0x18, authentication_method="m"), PROTOCOL),
    after("re-authentication without a method in CONNECT", "[MQTT-4.12.0-7] in 5.0", auth(0x19, authentication_method="m"), PROTOCOL),
    after("AUTH with an unknown reason", "[MQTT-3.15.2-1] in 5.0", auth(0x20, authentication_method="m"), PROTOCOL),
]  # fmt: skip

CASES = CONNECTS + PUBLISHES + SUBSCRIBES + OTHERS
