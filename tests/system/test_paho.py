"""Eclipse Paho for Python against the broker, in 3.1.1 and 5.0."""

import queue
import time

import paho.mqtt.client as paho
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

WAIT_SECS = 10


class Client:
    """A Paho client whose callbacks are turned into queues."""

    def __init__(self, broker, version, client_id="", will=None, **connect_options):
        self.messages, self.subscribed, self.connected = queue.Queue(), queue.Queue(), queue.Queue()
        clean = {} if version == paho.MQTTv5 else {"clean_session": connect_options.pop("clean", True)}
        self.paho = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id, protocol=version, **clean)
        if will:
            self.paho.will_set(**will)
        self.paho.on_message = lambda _client, _userdata, message: self.messages.put(message)
        self.paho.on_subscribe = lambda *arguments: self.subscribed.put(arguments[3])
        self.paho.on_connect = lambda *arguments: self.connected.put((arguments[2], arguments[3]))
        self.paho.connect(*broker.address, **connect_options)
        self.paho.loop_start()
        self.flags, reason = self.connected.get(timeout=WAIT_SECS)
        assert not reason.is_failure, reason

    def subscribe(self, topic, **options):
        self.paho.subscribe(topic, **options)
        for reason in self.subscribed.get(timeout=WAIT_SECS):
            assert not reason.is_failure, reason

    def publish(self, topic, payload, **options):
        """Publishes and waits for the end of the exchange."""
        self.paho.publish(topic, payload, **options).wait_for_publish(WAIT_SECS)

    def message(self):
        return self.messages.get(timeout=WAIT_SECS)

    def drop(self):
        """Breaks the connection without DISCONNECT."""
        self.paho.socket().shutdown(2)
        self.paho.loop_stop()

    def leave(self):
        self.paho.disconnect()
        self.paho.loop_stop()


@pytest.fixture(params=[paho.MQTTv311, paho.MQTTv5], ids=["v311", "v5"])
def connect(request, broker):
    clients = []

    def open_one(client_id="", **options):
        clients.append(Client(broker, request.param, client_id, **options))
        return clients[-1]

    open_one.version = request.param
    yield open_one
    for client in clients:
        client.leave()


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_messages_go_through_in_order(connect, name, qos):
    """[MQTT-7.0.0-2] in 3.1.1: a client of another house needs nothing but the standard."""
    sub, pub = connect(), connect()
    sub.subscribe(name, qos=qos)
    for number in range(50):
        pub.publish(name, str(number), qos=qos)
    got = [sub.message() for _ in range(50)]
    assert [int(message.payload) for message in got] == list(range(50))
    assert {message.qos for message in got} == {qos}
    assert not any(message.retain or message.dup for message in got)


def test_a_retained_message_greets_new_subscribers_with_the_flag_set(connect, name):
    connect().publish(name, "waiting", qos=1, retain=True)
    sub = connect()
    sub.subscribe(name, qos=1)
    message = sub.message()
    assert (message.payload, message.retain) == (b"waiting", True)


def test_the_will_follows_a_broken_connection(connect, name):
    sub = connect()
    sub.subscribe(name, qos=2)
    connect(will={"topic": name, "payload": "gone", "qos": 2, "retain": False}).drop()
    message = sub.message()
    assert (message.payload, message.qos) == (b"gone", 2)


def test_a_shared_group_shares_the_work(connect, name):
    members, pub = [connect() for _ in range(3)], connect()
    for member in members:
        member.subscribe(f"$share/{name}/{name}", qos=1)
    for number in range(60):
        pub.publish(name, str(number), qos=1)
    got, deadline = [[] for _ in members], time.monotonic() + WAIT_SECS
    while sum(map(len, got)) < 60 and time.monotonic() < deadline:
        for member, mine in zip(members, got, strict=True):
            while not member.messages.empty():
                mine.append(int(member.message().payload))
    assert sorted(sum(got, [])) == list(range(60))
    assert all(got), "each member of an idle group gets its part"


def test_a_kept_session_receives_what_came_while_it_was_away(connect, name):
    def join():
        if connect.version == paho.MQTTv311:
            return connect(name, clean=False)
        expiry = Properties(PacketTypes.CONNECT)
        expiry.SessionExpiryInterval = 60
        return connect(name, clean_start=False, properties=expiry)

    first = join()
    assert not first.flags.session_present
    first.subscribe(f"{name}/+", qos=1)
    first.leave()
    connect().publish(f"{name}/x", "while you were out", qos=1)
    second = join()
    assert second.flags.session_present
    assert second.message().payload == b"while you were out"


def test_properties_and_subscription_options_of_5_pass_through(broker, name):
    sub, pub = Client(broker, paho.MQTTv5), Client(broker, paho.MQTTv5)
    identifier = Properties(PacketTypes.SUBSCRIBE)
    identifier.SubscriptionIdentifier = 42
    sub.subscribe(name, options=SubscribeOptions(qos=1, retainAsPublished=True), properties=identifier)
    sent = Properties(PacketTypes.PUBLISH)
    sent.ContentType, sent.ResponseTopic, sent.CorrelationData = "text/plain", "answers", b"\x00\x01"
    sent.PayloadFormatIndicator = 1
    sent.UserProperty = [("b", "1"), ("a", "2"), ("b", "3")]
    pub.publish(name, "with all", qos=1, retain=True, properties=sent)
    message = sub.message()
    assert message.retain, "Retain As Published keeps the flag"
    got = message.properties
    assert (got.ContentType, got.ResponseTopic, got.CorrelationData) == ("text/plain", "answers", b"\x00\x01")
    assert got.UserProperty == [("b", "1"), ("a", "2"), ("b", "3")]
    assert (got.PayloadFormatIndicator, got.SubscriptionIdentifier) == (1, [42])
    pub.leave()
    sub.leave()
