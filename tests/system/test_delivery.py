"""What happens to messages on their way: order, limits, expiry, aliases, options, `$`-topics."""

import struct
import time

import pytest
from wire import V5, V31, V311, Kind, Wire, ack, packet, publish, subscribe

KEPT = {"clean": False, "session_expiry": 60}
NO_LOCAL, RETAIN_AS_PUBLISHED = 0x04, 0x08


@pytest.mark.parametrize("sub_version", [V31, V311, V5], ids=["to-v31", "to-v311", "to-v5"])
@pytest.mark.parametrize("pub_version", [V31, V311, V5], ids=["from-v31", "from-v311", "from-v5"])
def test_each_version_reaches_each_other(client, name, pub_version, sub_version):
    """[MQTT-4.3.1-1] in 3.1.1, [MQTT-4.3.1-1] in 5.0, [MQTT-3.8.4-6] in 3.1.1, [MQTT-3.8.4-8] in 5.0: messages pass
    between versions with the lower of both qualities of service."""
    sub, pub = client(name[-20:] + "s", sub_version), client(name[-20:] + "p", pub_version)
    for granted in (0, 1, 2):
        assert sub.subscribe(f"{name}/{granted}", qos=granted) == [granted]
        for sent in (0, 1, 2):
            pub.publish(f"{name}/{granted}", f"{sent}", qos=sent)
            got = sub.take()
            assert (got.payload, got.qos, got.dup, got.retain) == (b"%d" % sent, min(granted, sent), False, False)


def test_message_expiry_is_counted_down_while_it_waits(client, name):
    """[MQTT-3.3.2-6] in 5.0: what is left of the interval is sent, not what was received."""
    sub = client(name, **KEPT)
    sub.subscribe(name, qos=1)
    sub.leave()
    client().publish(name, b"fresh enough", qos=1, message_expiry=100)
    time.sleep(2.1)
    got = client(name, **KEPT).take()
    assert got.payload == b"fresh enough"
    assert 96 <= got.properties["message_expiry"] <= 98


def test_an_expired_message_is_not_delivered(client, name):
    """[MQTT-3.3.2-5] in 5.0: once its interval has passed, a waiting message is dropped."""
    sub = client(name, **KEPT)
    sub.subscribe(name, qos=1)
    sub.leave()
    pub = client()
    pub.publish(name, b"stale", qos=1, message_expiry=1)
    pub.publish(name, b"lasting", qos=1)
    time.sleep(2.1)
    back = client(name, **KEPT)
    assert back.take().payload == b"lasting"
    back.expect_silence()


def test_an_expired_retained_message_is_not_delivered(client, name):
    """[MQTT-3.3.2-5] in 5.0: expiry ends a retained message too."""
    client().publish(name, b"stale", qos=1, retain=True, message_expiry=1)
    time.sleep(2.1)
    late = client()
    late.subscribe(name, qos=1)
    late.expect_silence()


def test_a_topic_alias_stands_for_its_topic(client, name):
    """[MQTT-3.3.2-12] in 5.0, [MQTT-3.3.2-9] in 5.0: the alias is the publisher's own and is not forwarded."""
    sub, pub = client(), client()
    assert pub.connack.properties["topic_alias_maximum"] >= 1
    sub.subscribe(f"{name}/#", qos=0)
    pub.send(publish(f"{name}/a", b"1", topic_alias=1), publish("", b"2", topic_alias=1))
    pub.send(publish(f"{name}/b", b"3", topic_alias=1), publish("", b"4", topic_alias=1))
    got = [sub.take() for _ in range(4)]
    assert [(one.topic[-1], one.payload) for one in got] == [("a", b"1"), ("a", b"2"), ("b", b"3"), ("b", b"4")]
    assert not any("topic_alias" in one.properties for one in got)


def test_aliases_of_the_broker_stay_within_the_receivers_maximum(client, name):
    """[MQTT-3.1.2-26] in 5.0, [MQTT-3.3.2-11] in 5.0: an alias that the broker uses resolves to the right topic."""
    sub, pub = client(topic_alias_maximum=2), client()
    sub.subscribe(f"{name}/#", qos=0)
    known = {}
    for number in range(40):
        pub.publish(f"{name}/{number % 4}", str(number))
        got = sub.take()
        alias = got.properties.get("topic_alias")
        if alias is not None:
            assert 1 <= alias <= 2
            if got.topic:
                known[alias] = got.topic
        assert (got.topic or known[alias]) == f"{name}/{number % 4}"


def test_receive_maximum_bounds_what_is_in_flight(client, name):
    """[MQTT-3.3.4-9] in 5.0, [MQTT-4.9.0-2] in 5.0: the next message waits for an acknowledgement.

    [MQTT-3.3.4-10] in 5.0, [MQTT-4.9.0-3] in 5.0: everything else goes on.
    """
    sub, pub = client(receive_maximum=3), client()
    sub.subscribe(name, qos=2)
    for number in range(8):
        pub.publish(name, str(number), qos=1 + number % 2)
    flight = [sub.expect(Kind.PUBLISH) for _ in range(3)]
    sub.expect_silence()
    sub.subscribe(f"{name}/other", qos=1)
    sub.send(ack(Kind.PUBACK, flight[0].packet_id))
    flight.append(sub.expect(Kind.PUBLISH))
    sub.expect_silence()
    sub.send(ack(Kind.PUBREC, flight[1].packet_id))
    sub.expect(Kind.PUBREL)
    sub.expect_silence()
    sub.send(ack(Kind.PUBCOMP, flight[1].packet_id))
    flight.append(sub.expect(Kind.PUBLISH))
    assert [int(one.payload) for one in flight] == [0, 1, 2, 3, 4]


def test_a_pubrec_with_an_error_gives_the_place_back(client, name):
    """[MQTT-4.9.0-2] in 5.0, [MQTT-4.4.0-2] in 5.0: a refused message is done with."""
    sub, pub = client(receive_maximum=1), client()
    sub.subscribe(name, qos=2)
    pub.publish(name, b"refused", qos=2)
    pub.publish(name, b"taken", qos=2)
    first = sub.expect(Kind.PUBLISH)
    sub.send(ack(Kind.PUBREC, first.packet_id, 0x83))
    assert sub.take().payload == b"taken"


@pytest.mark.parametrize("version", [V311, V5], ids=["v311", "v5"])
def test_a_packet_of_almost_the_limit_passes(client, name, version):
    """[MQTT-7.1.1-1] in 3.1.1, [MQTT-4.2-1] in 5.0: a megabyte arrives byte for byte."""
    sub, pub = client("", version), client("", version)
    sub.subscribe(name, qos=1)
    payload = bytes(range(256)) * 4000
    pub.publish(name, payload, qos=1)
    assert sub.take(10).payload == payload


def test_a_packet_beyond_the_limit_is_refused(client, name):
    """[MQTT-3.2.2-15] in 5.0: the announced Maximum Packet Size is enforced with 0x95."""
    pub = client()
    assert pub.connack.properties["maximum_packet_size"] == 1048576
    pub.send(packet(Kind.PUBLISH, 0, struct.pack("!H", 1) + b"t" + b"\0" + bytes(10))[:1] + b"\x81\x80\x40")
    pub.expect_disconnect(0x95)


def test_a_message_too_large_for_a_receiver_is_passed_over(client, name):
    """[MQTT-3.1.2-24] in 5.0, [MQTT-3.1.2-25] in 5.0: it counts as sent, and the next one comes."""
    sub, pub = client(maximum_packet_size=200), client()
    sub.subscribe(name, qos=1)
    pub.publish(name, bytes(300), qos=1)
    pub.publish(name, b"small", qos=1)
    assert sub.take().payload == b"small"
    sub.expect_silence(0.1)


def test_a_payload_of_very_many_writes_arrives_whole(start, name):
    """What one turn does not get written is written in the next, also where the socket would have taken more."""
    broker = start("--set", "packet.bytes_max=134217728", "--set", "retained.payload_bytes_max=134217728")
    message = publish(name, bytes(range(256)) * (256 << 10))
    with Wire.open(broker.address, f"{name}-s") as sub, Wire.open(broker.address, f"{name}-p") as pub:
        sub.subscribe(name, qos=0)
        sub.socket.settimeout(10)
        for _ in range(3):
            pub.send(message)
            got, came = bytearray(len(message)), 0
            while came < len(message):
                came += sub.socket.recv_into(memoryview(got)[came:])
            assert got == message


def test_retain_handling_and_retain_as_published(client, name):
    """[MQTT-3.3.1-9] in 5.0, [MQTT-3.3.1-10] in 5.0, [MQTT-3.3.1-11] in 5.0: send, send if new, do not send.

    [MQTT-3.3.1-12] in 5.0, [MQTT-3.3.1-13] in 5.0: the flag of live messages follows Retain As Published.
    """
    pub = client()
    pub.publish(name, b"kept", qos=1, retain=True)
    sub = client()
    for options, expected in ((0x21, 0), (0x11, 0), (0x01, 1), (0x11, 0)):
        sub.subscribe((name, options))
        for _ in range(expected):
            got = sub.take()
            assert (got.payload, got.retain) == (b"kept", True)
        sub.expect_silence(0.1)
    fresh = client()
    fresh.subscribe((name, 0x11))
    assert fresh.take().retain
    for options, flag in ((0x21, False), (0x21 | RETAIN_AS_PUBLISHED, True)):
        sub.subscribe((name, options))
        pub.publish(name, b"live", qos=1, retain=True)
        assert sub.take().retain is flag


def test_no_local_spares_the_publisher(client, name):
    """[MQTT-3.8.3-3] in 5.0: a client with No Local does not hear itself; others do."""
    talker, other = client(), client()
    talker.subscribe((name, 1 | NO_LOCAL))
    other.subscribe(name, qos=1)
    talker.send(publish(name, b"own", qos=1, packet_id=99))
    talker.expect(Kind.PUBACK)
    assert other.take().payload == b"own"
    talker.expect_silence()


def test_subscription_identifiers_come_with_the_message(client, name):
    """[MQTT-3.3.4-3] in 5.0, [MQTT-3.3.4-4] in 5.0, [MQTT-3.3.4-5] in 5.0: each matching subscription's identifier is
    named, in one copy or in one copy each."""
    sub = client()
    sub.subscribe(f"{name}/+", qos=1, subscription_id=5)
    sub.subscribe(f"{name}/#", qos=1, subscription_id=268435455)
    client().publish(f"{name}/x", b"m", qos=1)
    seen = []
    while len(seen) < 2:
        seen += sub.take().properties["subscription_id"]
    assert sorted(seen) == [5, 268435455]


def test_dollar_topics_are_not_matched_by_leading_wildcards(client, name):
    """[MQTT-4.7.2-1] in 3.1.1, [MQTT-4.7.2-1] in 5.0: `#` and `+/…` do not see `$`-topics."""
    for version in (V311, V5):
        wire = client("", version)
        wire.subscribe("#", "+/broker/version")
        wire.socket.settimeout(1)
        deadline = time.monotonic() + 0.5
        while time.monotonic() < deadline:
            try:
                assert not wire.take(0.1).topic.startswith("$")
            except TimeoutError:
                pass


def test_the_version_stands_in_sys(client):
    """Dashboards made for Mosquitto look for `$SYS/broker/version`."""
    sub = client()
    sub.subscribe("$SYS/broker/version")
    got = sub.take()
    assert got.retain
    assert got.payload


def test_order_is_kept_within_each_quality_of_service(client, name):
    """[MQTT-4.6.0-6] in 3.1.1, [MQTT-4.6.0-5] in 5.0: messages of one publisher arrive in its order."""
    sub, pub = client(), client()
    sub.subscribe(name, qos=2)
    for start in range(0, 300, 10):
        burst = b"".join(
            publish(name, str(number), qos=number % 3, packet_id=number + 1) for number in range(start, start + 10)
        )
        pub.send(burst)
        for number in range(start, start + 10):
            if number % 3 == 1:
                pub.expect(Kind.PUBACK)
            elif number % 3 == 2:
                pub.expect(Kind.PUBREC)
        for number in range(start, start + 10):
            if number % 3 == 2:
                pub.send(ack(Kind.PUBREL, number + 1))
                pub.expect(Kind.PUBCOMP)
    seen = {0: [], 1: [], 2: []}
    outstanding = {}
    while sum(map(len, seen.values())) < 300 or outstanding:
        got = sub.receive()
        if got.kind == Kind.PUBREL:
            sub.send(ack(Kind.PUBCOMP, got.packet_id))
            del outstanding[got.packet_id]
            continue
        seen[got.qos].append(int(got.payload))
        if got.qos == 1:
            sub.send(ack(Kind.PUBACK, got.packet_id))
        elif got.qos == 2:
            outstanding[got.packet_id] = got
            sub.send(ack(Kind.PUBREC, got.packet_id))
    for qos, numbers in seen.items():
        assert numbers == list(range(qos, 300, 3))


def test_many_filters_in_one_packet_are_answered_in_order(client, name):
    """[MQTT-3.8.4-4] in 3.1.1, [MQTT-3.8.4-5] in 3.1.1, [MQTT-3.9.3-1] in 3.1.1, [MQTT-3.8.4-5] in 5.0,
    [MQTT-3.8.4-6] in 5.0, [MQTT-3.9.3-1] in 5.0: one reason for each filter, in the order of the request."""
    for version in (V311, V5):
        wire = client("", version)
        assert wire.subscribe(*[(f"{name}/{index}", index % 3) for index in range(30)]) == [0, 1, 2] * 10


@pytest.mark.strowger
def test_a_shared_message_moves_on_when_its_member_leaves(client, name):
    """The section on shared subscriptions in 5.0: unacknowledged messages of a member whose session ended go on."""
    first = client(f"{name}-1", receive_maximum=10)
    first.subscribe(f"$share/{name}/{name}", qos=1)
    pub = client()
    for number in range(5):
        pub.publish(name, str(number), qos=1)
    for _ in range(5):
        first.expect(Kind.PUBLISH)
    second = client(f"{name}-2")
    second.subscribe(f"$share/{name}/{name}", qos=1)
    first.leave()
    assert sorted(int(second.take().payload) for _ in range(5)) == list(range(5))


@pytest.mark.strowger
def test_a_limit_refuses_aloud(start):
    """Nothing is acknowledged and dropped: a full queue answers 0x97 to a QoS 1 publisher."""
    broker = start("--set", "session.queue_messages_max=5")
    with Wire.open(broker.address, "away", **KEPT) as away:
        away.subscribe("full", qos=1)
        away.leave()
    with Wire.open(broker.address) as pub:
        reasons = [pub.publish("full", str(number), qos=1).reason for number in range(8)]
    assert reasons[:5] == [0] * 5
    assert set(reasons[5:]) == {0x97}
    with Wire.open(broker.address, "away", **KEPT) as back:
        assert [int(back.take().payload) for _ in range(5)] == list(range(5))
        back.expect_silence()


@pytest.mark.strowger
def test_too_many_subscriptions_are_refused_one_by_one(start):
    """The limit on subscriptions of one session answers 0x97 for the filter that is too many, and only for it."""
    broker = start("--set", "session.subscriptions_max=3")
    with Wire.open(broker.address) as wire:
        assert wire.subscribe("a", "b", "c", "d") == [0, 0, 0, 0x97]
        assert wire.subscribe("a") == [0]


@pytest.mark.strowger
@pytest.mark.parametrize("version", [V311, V5], ids=["v311", "v5"])
def test_all_retained_messages_arrive_however_many(start, version):
    """[MQTT-3.3.1-6] in 3.1.1, [MQTT-3.3.1-9] in 5.0: retained messages are paced by the receiver, not cut."""
    broker = start("--set", "session.queue_messages_max=50")
    with Wire.open(broker.address) as pub:
        for number in range(300):
            pub.publish(f"many/{number}", str(number), qos=1, retain=True)
    options = {"receive_maximum": 7} if version == V5 else {}
    with Wire.open(broker.address, "collector", version, **options) as sub:
        sub.send(subscribe(1, [("many/#", 1)], version))
        seen = set()
        while len(seen) < 300:
            got = sub.receive()
            if got.kind == Kind.PUBLISH:
                assert got.retain
                seen.add(int(got.payload))
                sub.send(ack(Kind.PUBACK, got.packet_id))
    assert seen == set(range(300))
