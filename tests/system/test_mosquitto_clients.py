"""Mosquitto's command-line tools against the broker, in each version that they speak."""

import exchange
import pytest
from listener import Listener

pytestmark = pytest.mark.parametrize("version", ["mqttv31", "mqttv311", "mqttv5"])


@pytest.fixture
def listen(broker, version):
    listeners = []

    def open_one(*topics, options=()):
        listeners.append(Listener(["mosquitto_sub", "-V", version], broker, topics, *options))
        return listeners[-1]

    yield open_one
    for listener in listeners:
        listener.kill()


@pytest.fixture
def pub(broker, version):
    def publish(*options, **keywords):
        done = exchange.run("mosquitto_pub", "-p", broker.port, "-V", version, *options, **keywords)
        assert done.returncode == 0, done.stderr

    return publish


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_message_goes_through(listen, pub, name, qos):
    sub = listen(name, options=["-q", qos])
    pub("-t", name, "-q", qos, "-m", "put me through")
    assert sub.message() == (name, "put me through")


def test_a_retained_message_waits_for_subscribers_until_it_is_cleared(listen, pub, name):
    pub("-t", name, "-q", 1, "-r", "-m", "waiting")
    assert listen(name, options=["-q", 1]).early == [(name, "waiting")]
    pub("-t", name, "-q", 1, "-r", "-n")
    assert listen(name, options=["-q", 1]).early == []


def test_the_will_of_a_killed_client_is_published(listen, name):
    sub = listen(f"{name}/will", options=["-q", 1])
    will = ["--will-topic", f"{name}/will", "--will-payload", "gone", "--will-qos", 1]
    listen(f"{name}/any", options=will).kill()
    assert sub.message() == (f"{name}/will", "gone")


def test_a_clean_end_leaves_no_will(listen, pub, name):
    sub = listen(f"{name}/#", options=["-q", 1])
    will = ["--will-topic", f"{name}/will", "--will-payload", "gone"]
    pub("-t", f"{name}/first", "-q", 1, "-m", "x", *will)
    pub("-t", f"{name}/second", "-q", 1, "-m", "y")
    assert [sub.message(), sub.message()] == [(f"{name}/first", "x"), (f"{name}/second", "y")]


def test_a_shared_subscription_gives_each_message_to_one_member(listen, pub, name):
    members = [listen(f"$share/{name}/{name}/work", f"{name}/end", options=["-q", 1]) for _ in range(2)]
    pub("-t", f"{name}/work", "-q", 1, "-l", input="".join(f"{number}\n" for number in range(20)))
    pub("-t", f"{name}/end", "-q", 1, "-m", "end")
    got = []
    for member in members:
        while (message := member.message()) != (f"{name}/end", "end"):
            got.append(int(message[1]))
    assert sorted(got) == list(range(20))
