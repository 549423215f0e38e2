"""The ledger's own tests: each kind of fault, played in small, has to be found, and an honest history has not."""

import pytest
from judgement import judge
from ledger import Interval, Ledger

TOPIC = "crash/north/0"


class History:
    """A ledger that is written by hand, with times that the test chooses."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr("time.monotonic", self.tick)
        self.ledger = Ledger()

    def tick(self):
        self.now += 1.0
        return self.now

    def stream(self, qos=2, retain=False, erases=False):
        return self.ledger.stream("pub", TOPIC, qos, retain, erases)

    def receiver(self, name="sub", qos=2, group=None):
        one = self.ledger.receiver(name, {TOPIC}, qos, group)
        one.intervals.append(Interval(asked=self.tick(), granted=self.tick()))
        return one

    def publish(self, stream, is_acked=True):
        message = self.ledger.sent(stream)
        if is_acked:
            self.ledger.acked(message)
            self.ledger.settled(message)
        return message

    def deliver(self, receiver, message, payload=None):
        stream = message.stream
        payload = stream.payload(message.number) if payload is None else payload
        self.ledger.delivered(receiver, stream.topic, payload, min(stream.qos, receiver.qos), False)

    def findings(self):
        judge(self.ledger)
        return dict(self.ledger.numbers)


@pytest.fixture
def history(monkeypatch):
    return History(monkeypatch)


def test_an_honest_history_has_no_findings(history):
    stream, receiver = history.stream(qos=1), history.receiver()
    messages = [history.publish(stream) for _ in range(3)]
    for message in [*messages, *messages]:
        history.deliver(receiver, message)
    assert history.findings() == {}


def test_an_acknowledged_message_that_never_came_is_lost(history):
    stream, receiver = history.stream(), history.receiver()
    messages = [history.publish(stream) for _ in range(3)]
    for message in (messages[0], messages[2]):
        history.deliver(receiver, message)
    assert history.findings() == {"lost": 1}
    text = history.ledger.examples["lost"][0]
    assert all(word in text for word in (TOPIC, "pub", "#1", "sub", "#2 at the highest")), text


def test_a_message_that_was_not_acknowledged_may_be_lost(history):
    stream, _ = history.stream(), history.receiver()
    history.publish(stream, is_acked=False)
    assert history.findings() == {}


def test_qos_2_twice_is_doubled_and_qos_1_is_not(history):
    receiver = history.receiver()
    for qos in (1, 2):
        message = history.publish(history.stream(qos))
        history.deliver(receiver, message)
        history.deliver(receiver, message)
    assert history.findings() == {"doubled": 1}


def test_a_later_message_before_an_earlier_one_is_disorder(history):
    stream, receiver = history.stream(), history.receiver()
    messages = [history.publish(stream) for _ in range(3)]
    for message in (messages[0], messages[2], messages[1]):
        history.deliver(receiver, message)
    assert history.findings() == {"disorder": 1}


@pytest.mark.parametrize("attempts,findings", [(2, {}), (1, {"disorder": 1})])
def test_what_the_subscription_came_too_late_for_may_come_again_behind_the_next(history, attempts, findings):
    stream = history.stream(qos=1)
    missed = history.publish(stream, is_acked=False)
    receiver = history.receiver()
    later = history.publish(stream, is_acked=False)
    for one in (missed, later):
        one.attempts = attempts
    for one in (later, missed):
        history.deliver(receiver, one)
    assert history.findings() == findings


def test_what_was_sent_after_the_subscription_is_in_order_also_when_it_is_sent_again(history):
    stream, receiver = history.stream(qos=1), history.receiver()
    messages = [history.publish(stream, is_acked=False) for _ in range(2)]
    for one in messages:
        one.attempts = 2
    for one in reversed(messages):
        history.deliver(receiver, one)
    assert history.findings() == {"disorder": 1}


def test_a_shared_group_needs_one_copy_and_no_second(history):
    stream = history.stream()
    one, other = (history.receiver(name, group="crew") for name in ("one", "other"))
    messages = [history.publish(stream) for _ in range(4)]
    history.deliver(one, messages[0])
    history.deliver(other, messages[1])
    assert history.findings() == {"lost": 2}
    history.ledger.numbers.clear()
    history.deliver(one, messages[1])
    assert history.findings() == {"lost": 2, "doubled": 1}


def test_other_bytes_and_unknown_messages_are_found(history):
    stream, receiver = history.stream(), history.receiver()
    message = history.publish(stream)
    history.deliver(receiver, message)
    history.deliver(receiver, message, stream.payload(0) + b"x")
    history.deliver(receiver, message, b"0 77 ")
    assert history.findings() == {"damaged": 1, "foreign": 1}


def test_a_message_outside_the_subscription_is_found(history):
    stream, receiver = history.stream(), history.receiver()
    interval = receiver.intervals[-1]
    interval.ending, interval.ended = history.tick(), history.tick()
    history.deliver(receiver, history.publish(stream))
    assert history.findings() == {"unsubscribed": 1}


def test_silence_after_the_last_restart_is_a_lost_subscription(history):
    stream, receiver = history.stream(), history.receiver()
    history.deliver(receiver, history.publish(stream))
    history.ledger.kill_times.append(history.tick())
    history.publish(stream)
    assert history.findings() == {"lost": 1, "subscription": 1}


def test_the_retained_message_is_the_last_acknowledged_or_a_later_attempt(history):
    stream = history.stream(retain=True)
    old, last, attempt = history.publish(stream), history.publish(stream), history.publish(stream, is_acked=False)
    for message in (last, attempt):
        history.ledger.read_retained("reader", TOPIC, message, history.tick())
    assert history.findings() == {}
    history.ledger.read_retained("reader", TOPIC, old, history.tick())
    assert history.findings() == {"retained": 1}


def test_a_retained_message_that_is_not_there_is_found(history):
    stream = history.stream(retain=True)
    history.ledger.read_retained("reader", TOPIC, None, history.tick())
    assert history.findings() == {}
    history.publish(stream)
    history.ledger.read_retained("reader", TOPIC, None, history.tick())
    assert history.findings() == {"retained": 1}


def test_qos_2_may_take_effect_until_pubcomp(history):
    stream, other, receiver = history.stream(retain=True), history.stream(retain=True), history.receiver()
    interval = receiver.intervals[-1]
    interval.ending, interval.ended = history.tick(), history.tick()
    late = history.publish(stream, is_acked=False)
    history.ledger.acked(late)
    history.publish(other)
    receiver.intervals.append(Interval(asked=history.tick()))
    history.deliver(receiver, late)
    history.ledger.read_retained("reader", TOPIC, late, history.tick())
    history.ledger.settled(late)
    assert history.findings() == {}


def test_an_erased_retained_message_that_came_back_is_found(history):
    stream = history.stream(retain=True, erases=True)
    value, _ = history.publish(stream), history.publish(stream)
    history.ledger.read_retained("reader", TOPIC, None, history.tick())
    assert history.findings() == {}
    history.ledger.read_retained("reader", TOPIC, value, history.tick())
    assert history.findings() == {"retained": 1}


def test_refusals_are_found(history):
    history.ledger.refused(history.publish(history.stream(), is_acked=False), 0x97)
    assert history.findings() == {"refused": 1}
