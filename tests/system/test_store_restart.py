"""What is there after a kill: sessions and all that belongs to them, deadlines, wills; what each class promises."""

import re
import time

import pytest
from postbox import DAY_SECS, KEPT, Postbox, incoming
from wire import V5, V311, Kind, Will, Wire, ack, publish, unsubscribe

pytestmark = pytest.mark.strowger

NO_LOCAL, RETAIN_AS_PUBLISHED = 0x04, 0x08
VERSIONS = pytest.mark.parametrize("version", [V311, V5], ids=["v311", "v5"])


@pytest.fixture(params=["fjall", "sled"])
def broker(request, restartable):
    """A broker on each of the engines that keep something, with the default durability."""
    return restartable(f"storage.engine={request.param}").start()


def restart(broker):
    broker.kill()
    broker.start()


def kept(version):
    return KEPT if version == V5 else {"clean": False}


def back(broker, client_id, version=V5, **options):
    """The client's next connection; its session has to be there."""
    wire = Wire.open(broker.address, client_id, version, timeout=10, **kept(version), **options)
    assert wire.connack.session_present, f"the session of {client_id} is gone"
    return wire


@pytest.mark.parametrize("durability", ["disk", "os"])
@pytest.mark.parametrize("engine", ["fjall", "sled"])
def test_acknowledged_messages_survive_a_kill(restartable, engine, durability):
    broker = restartable(f"storage.engine={engine}", f"storage.durability={durability}").start()
    boxes = [Postbox(broker, f"box{number}", qos=1 + number % 2) for number in range(5)]
    for version in (V311, V5):
        with Wire.open(broker.address, f"pub{version}", version) as pub:
            for number in range(100):
                assert boxes[number % 5].post(pub, f"{version} {number}", qos=1 + number % 2) == 0
    restart(broker)
    for box in boxes:
        box.check()


def test_a_clean_stop_keeps_everything_as_well(broker):
    postbox = Postbox(broker)
    with Wire.open(broker.address) as pub:
        assert postbox.post(pub, "kept") == 0
        pub.publish("kept/too", b"retained", qos=1, retain=True)
    assert broker.stop() == 0, broker.log()
    broker.start()
    postbox.check()
    with Wire.open(broker.address) as sub:
        sub.subscribe("kept/#", qos=1)
        assert sub.take().payload == b"retained"


@VERSIONS
def test_an_exchange_towards_a_subscriber_goes_on_after_a_kill(broker, version):
    """[MQTT-4.4.0-1] in 3.1.1 and 5.0: same packet id and DUP; past PUBREC, PUBREL and not PUBLISH."""
    sub = Wire.open(broker.address, "sub", version, **kept(version))
    sub.subscribe("to/#", qos=2)
    with Wire.open(broker.address) as pub:
        for number in range(3):
            pub.publish("to/x", str(number), qos=2 if number else 1)
    first, second, third = (sub.expect(Kind.PUBLISH) for _ in range(3))
    sub.send(ack(Kind.PUBREC, second.packet_id))
    assert sub.expect(Kind.PUBREL).packet_id == second.packet_id
    restart(broker)

    again = back(broker, "sub", version)
    came = [again.receive(5) for _ in range(3)]
    messages = [one for one in came if one.kind == Kind.PUBLISH]
    releases = [one.packet_id for one in came if one.kind == Kind.PUBREL]
    assert [(one.payload, one.packet_id, one.dup) for one in messages] == [
        (b"0", first.packet_id, True),
        (b"2", third.packet_id, True),
    ]
    assert releases == [second.packet_id]


@VERSIONS
def test_a_qos_2_message_that_is_sent_again_after_a_kill_is_delivered_once(broker, version):
    """[MQTT-4.3.3-2] in 3.1.1, [MQTT-4.3.3-10] in 5.0: the packet id is known until PUBREL, over a kill as well."""
    postbox = Postbox(broker, qos=2)
    pub = Wire.open(broker.address, "pub", version, **kept(version))
    pub.send(publish("postbox/x", b"once", version, qos=2, packet_id=7))
    assert pub.expect(Kind.PUBREC).packet_id == 7
    restart(broker)
    pub = back(broker, "pub", version)
    pub.send(publish("postbox/x", b"once", version, qos=2, packet_id=7, dup=True))
    assert pub.expect(Kind.PUBREC).packet_id == 7
    restart(broker)
    pub = back(broker, "pub", version)
    pub.send(ack(Kind.PUBREL, 7))
    assert pub.expect(Kind.PUBCOMP).packet_id == 7
    restart(broker)
    pub = back(broker, "pub", version)
    pub.send(publish("postbox/x", b"another", version, qos=2, packet_id=7))
    assert pub.expect(Kind.PUBREC).reason == 0
    pub.send(ack(Kind.PUBREL, 7))
    pub.expect(Kind.PUBCOMP)
    assert postbox.collect() == [b"once", b"another"]


@VERSIONS
def test_what_a_subscriber_acknowledged_before_the_kill_does_not_come_again(broker, version):
    """Acknowledged well before: an acknowledgement of the last moment may be lost, and the message come again."""
    sub = Wire.open(broker.address, "sub", version, **kept(version))
    sub.subscribe("to/#", qos=2)
    with Wire.open(broker.address) as pub:
        for number in range(20):
            pub.publish("to/x", str(number), qos=1 + number % 2)
            assert sub.take().payload == b"%d" % number
    time.sleep(0.5)
    restart(broker)
    back(broker, "sub", version).expect_silence(1)


def test_subscriptions_keep_their_options(broker):
    """No Local, Retain As Published and the subscription identifier, of two subscriptions and a shared one."""
    sub = Wire.open(broker.address, "sub", **KEPT)
    sub.subscribe(("own", 1 | NO_LOCAL), subscription_id=7)
    sub.subscribe(("flag", 1 | RETAIN_AS_PUBLISHED), subscription_id=300000)
    sub.subscribe("$share/crew/job", qos=2)
    sub.subscribe("given/up", qos=1)
    sub.send(unsubscribe(99, ["given/up"]))
    sub.expect(Kind.UNSUBACK)
    restart(broker)

    sub = back(broker, "sub")
    sub.send(publish("own", b"mine", qos=0))
    with Wire.open(broker.address) as pub:
        pub.publish("given/up", b"gone", qos=1)
        pub.publish("own", b"yours", qos=1)
        pub.publish("flag", b"kept", qos=1, retain=True)
        pub.publish("job", b"work", qos=2)
    got = [(one.payload, one.qos, one.retain, one.properties.get("subscription_id")) for one in incoming(sub, 10, 1)]
    assert got == [
        (b"yours", 1, False, [7]),
        (b"kept", 1, True, [300000]),
        (b"work", 2, False, None),
    ]


def test_properties_of_a_message_survive(broker):
    """A queued and a retained message come back with all that their publisher gave them."""
    given = {
        "payload_format": 1, "content_type": "text/plain", "response_topic": "answer/here",
        "correlation_data": b"\0\1\2", "user": [("a", "1"), ("a", "2")], "message_expiry": 1000,
    }  # fmt: skip
    Postbox(broker)
    with Wire.open(broker.address) as pub:
        pub.publish("postbox/x", b"queued", qos=1, **given)
        pub.publish("mail/retained", b"retained", qos=1, retain=True, **given)
    restart(broker)
    with back(broker, "postbox") as wire, Wire.open(broker.address) as reader:
        reader.subscribe("mail/retained", qos=1)
        for got, payload in ((wire.take(), b"queued"), (reader.take(), b"retained")):
            left = got.properties.pop("message_expiry")
            assert got.payload == payload
            assert got.properties == {name: value for name, value in given.items() if name != "message_expiry"}
            assert 980 <= left <= 1000


def test_a_retained_message_that_was_removed_stays_removed(broker):
    with Wire.open(broker.address) as pub:
        for topic in ("keep", "clear"):
            pub.publish(f"r/{topic}", b"value", qos=1, retain=True)
    restart(broker)
    with Wire.open(broker.address) as pub:
        pub.publish("r/clear", b"", qos=1, retain=True)
    restart(broker)
    with Wire.open(broker.address) as sub:
        sub.subscribe("r/#", qos=1)
        assert sub.take().topic == "r/keep"
        sub.expect_silence(0.5)


@VERSIONS
def test_a_session_that_was_ended_does_not_come_back(broker, version):
    postbox = Postbox(broker)
    with Wire.open(broker.address) as pub:
        assert postbox.post(pub, "for nobody") == 0
    Wire.open(broker.address, "postbox", version).leave()
    restart(broker)
    with Wire.open(broker.address, "postbox", version, **kept(version)) as wire:
        assert not wire.connack.session_present
        wire.expect_silence(0.5)


def test_message_expiry_goes_on_while_the_broker_is_down(broker):
    """[MQTT-3.3.2-5] and [MQTT-3.3.2-6] in 5.0: deadlines are moments of the clock on the wall."""
    postbox = Postbox(broker)
    with Wire.open(broker.address) as pub:
        postbox.post(pub, "short", message_expiry=2)
        postbox.post(pub, "long", message_expiry=100)
        pub.publish("r/short", b"short", qos=1, retain=True, message_expiry=2)
        pub.publish("r/long", b"long", qos=1, retain=True, message_expiry=100)
    broker.kill()
    time.sleep(3)
    broker.start()
    with back(broker, "postbox") as wire, Wire.open(broker.address) as reader:
        reader.subscribe("r/#", qos=1)
        for one in (wire, reader):
            got = one.take()
            assert got.payload.endswith(b"long")
            assert 80 <= got.properties["message_expiry"] <= 97
            one.expect_silence()


def test_session_expiry_goes_on_while_the_broker_is_down(broker):
    """[MQTT-4.1.0-2] in 5.0: what has expired is not there, what has not is."""
    for name, secs in (("short", 2), ("long", 100)):
        with Wire.open(broker.address, name, clean=False, session_expiry=secs) as wire:
            wire.subscribe("any/#", qos=1)
            wire.leave()
    # A goodbye is not acknowledged: one of the last moment may be lost, and the session then counts from the start.
    time.sleep(0.5)
    broker.kill()
    time.sleep(3)
    broker.start()
    for name, is_there in (("short", False), ("long", True)):
        with Wire.open(broker.address, name, clean=False, session_expiry=100) as wire:
            assert wire.connack.session_present is is_there, name


def watch(broker):
    """A persistent subscriber to wills."""
    with Wire.open(broker.address, "watch", **KEPT) as wire:
        wire.subscribe("will/#", qos=2)
        wire.leave()


def doomed(broker, name, version=V5, *, delay=0, expiry=DAY_SECS):
    """Connects a client with a will and leaves the connection open."""
    properties = {"will_delay": delay} if delay else {}
    will = Will(f"will/{name}", name.encode(), qos=2, properties=properties)
    options = {"session_expiry": expiry} if version == V5 and expiry else {}
    return Wire.open(broker.address, name, version, clean=not expiry, will=will, **options)


def wills(broker, secs):
    """All wills that come to the watcher within `secs`, with the second in which they came."""
    came, began = {}, time.monotonic()
    with back(broker, "watch") as wire:
        for one in incoming(wire, secs):
            came.setdefault(one.payload.decode(), []).append(time.monotonic() - began)
    return came


def test_wills_of_clients_that_were_connected_at_a_kill_are_published_once(broker):
    """[MQTT-3.1.2-8] in 3.1.1 and 5.0: of kept and of transient sessions; a second kill does not repeat them."""
    watch(broker)
    wires = [
        doomed(broker, f"v{version}-{expiry}", version, expiry=expiry)
        for version in (V311, V5)
        for expiry in (0, DAY_SECS)
    ]
    goodbye = doomed(broker, "goodbye")
    goodbye.leave()
    time.sleep(0.5)
    restart(broker)
    time.sleep(0.5)
    restart(broker)
    came = wills(broker, 3)
    assert sorted(came) == ["v4-0", "v4-86400", "v5-0", "v5-86400"]
    assert all(len(times) == 1 for times in came.values()), came
    for wire in wires:
        wire.drop()


def test_a_delayed_will_is_published_when_its_time_comes_after_a_kill(broker):
    """[MQTT-3.1.3-9] in 5.0: the delay goes on, a return before its end withdraws the will, and nothing is early."""
    watch(broker)
    for name in ("late", "withdrawn"):
        doomed(broker, name, delay=5).drop()
    dropped = time.monotonic()
    doomed(broker, "past", delay=1).drop()
    time.sleep(0.5)
    broker.kill()
    time.sleep(1.5)
    broker.start()
    returned = back(broker, "withdrawn")
    began = time.monotonic()
    came = wills(broker, 9)
    assert sorted(came) == ["late", "past"]
    assert came["past"][0] < 2
    assert 4.5 < came["late"][0] + began - dropped < 8
    returned.drop()


def test_a_delayed_will_of_a_client_that_was_connected_at_a_kill(broker):
    """Its delay begins with the end of the connection, which is the kill."""
    watch(broker)
    wire = doomed(broker, "cut", delay=3)
    time.sleep(0.5)
    broker.kill()
    killed = time.monotonic()
    broker.start()
    began = time.monotonic()
    came = wills(broker, 8)
    assert list(came) == ["cut"]
    assert 2 < came["cut"][0] + began - killed
    # How long the start takes is not what this is about.
    assert came["cut"][0] < 5
    wire.drop()


OVERRIDE = """
[[storage.override]]
filter = "telemetry/#"
durability = "memory"
"""


def test_an_override_decides_for_its_topics_alone(restartable):
    """What is declared as not worth a disk does not survive a kill; everything else does."""
    broker = restartable(conf=OVERRIDE).start()
    boxes = {name: Postbox(broker, name) for name in ("telemetry", "order")}
    with Wire.open(broker.address) as pub:
        for number in range(20):
            for name, box in boxes.items():
                assert box.post(pub, f"{name} {number}") == 0
        for name in boxes:
            pub.publish(f"{name}-retained", b"x", qos=1, retain=True)
            pub.publish(f"{name}/retained", b"x", qos=1, retain=True)
    restart(broker)
    assert boxes["telemetry"].collect() == []
    assert boxes["order"].collect()[:20] == boxes["order"].acked
    with Wire.open(broker.address) as sub:
        sub.subscribe("+/retained", "+", qos=1)
        assert {sub.take().topic for _ in range(3)} == {"telemetry-retained", "order-retained", "order/retained"}
        sub.expect_silence()


def test_an_override_does_not_lose_before_a_kill(restartable):
    """In memory means: gone with the process, and not earlier."""
    broker = restartable(conf=OVERRIDE).start()
    telemetry = Postbox(broker, "telemetry")
    with Wire.open(broker.address) as pub:
        for number in range(20):
            assert telemetry.post(pub, str(number)) == 0
    telemetry.check()


@pytest.mark.parametrize(
    "setting", ["storage.durability=memory", "storage.engine=memory"], ids=["durability", "engine"]
)
def test_memory_says_at_the_start_what_it_does_not_promise(restartable, setting):
    broker = restartable(setting).start()
    assert re.search(r"(?i)memory.*(lost|lose|surviv|gone|nothing)|(lost|lose|surviv|nothing).*memory", broker.log())
    Postbox(broker)
    restart(broker)
    with Wire.open(broker.address, "postbox", **KEPT) as wire:
        assert not wire.connack.session_present


def test_disk_has_nothing_to_warn_of(restartable):
    broker = restartable().start()
    assert not re.search(r"(?i)\bWARN\b|\bERROR\b", broker.log()), broker.log()


def test_a_long_queue_is_read_back_in_order(broker):
    """More than a session keeps in memory, written over two lives of the broker and read in a third."""
    postbox = Postbox(broker)
    for _ in range(2):
        with Wire.open(broker.address) as pub:
            for start in range(0, 3000, 100):
                batch = {one: b"%d %d" % (len(postbox.posted), one) for one in range(start + 1, start + 101)}
                pub.send(*[publish("postbox/x", payload, qos=1, packet_id=one) for one, payload in batch.items()])
                for one in batch:
                    answer = pub.expect(Kind.PUBACK, 10)
                    assert (answer.packet_id, answer.reason) == (one, 0)
                postbox.posted += batch.values()
                postbox.acked += batch.values()
        restart(broker)
    postbox.check()
