"""Clocks that are set: deadlines are neither forgotten nor postponed for ever."""

import time

import pytest
from faults import clock_set, needs_faketime
from postbox import DAY_SECS, Postbox
from wire import Wire

pytestmark = [pytest.mark.strowger, needs_faketime]


def test_a_clock_set_back_by_a_day_loses_nothing_and_makes_nothing_immortal(restartable):
    """The store's time goes on from where it was: what has time left has as much as before, and then it ends."""
    broker = restartable().start()
    lasting, brief = Postbox(broker, "lasting"), "brief"
    with Wire.open(broker.address, brief, clean=False, session_expiry=4) as wire:
        wire.subscribe("any", qos=1)
        wire.leave()
    with Wire.open(broker.address) as pub:
        lasting.post(pub, "ten minutes", message_expiry=600)
        lasting.post(pub, "four seconds", message_expiry=4)
        pub.publish("r/brief", b"x", qos=1, retain=True, message_expiry=4)
    broker.kill()
    broker.start(environment=clock_set("-1d"))

    with Wire.open(broker.address, "reader") as reader:
        reader.subscribe("r/#", qos=1)
        assert reader.take().properties["message_expiry"] <= 4
    time.sleep(6)
    with Wire.open(broker.address, brief, clean=False, session_expiry=4) as wire:
        assert not wire.connack.session_present, "a session of 4 s is there after more than 6 s"
    with Wire.open(broker.address, "lasting", clean=False, session_expiry=DAY_SECS) as wire:
        assert wire.connack.session_present
        got = wire.take()
        assert got.payload.endswith(b"ten minutes")
        assert 550 <= got.properties["message_expiry"] <= 597
        wire.expect_silence()
    with Wire.open(broker.address, "late reader") as reader:
        reader.subscribe("r/#", qos=1)
        reader.expect_silence()


def test_deadlines_of_the_past_clock_hold_after_the_clock_is_right_again(restartable):
    """Written under a clock that is a day behind, read under the right one: a day has passed."""
    broker = restartable().start(environment=clock_set("-1d"))
    with Wire.open(broker.address, "week", clean=False, session_expiry=7 * DAY_SECS) as wire:
        wire.subscribe("week/+", qos=1)
        wire.leave()
    with Wire.open(broker.address) as pub:
        pub.publish("week/x", b"an hour", qos=1, message_expiry=3600)
        pub.publish("week/x", b"two days", qos=1, message_expiry=2 * DAY_SECS)
    broker.kill()
    broker.start()
    with Wire.open(broker.address, "week", clean=False, session_expiry=7 * DAY_SECS) as wire:
        assert wire.connack.session_present
        got = wire.take()
        assert got.payload == b"two days"
        assert DAY_SECS - 60 <= got.properties["message_expiry"] <= DAY_SECS
        wire.expect_silence()


def test_a_clock_set_forward_by_an_hour_ends_what_ends_within_it(restartable):
    """A message of half an hour and a session of half an hour are gone, a session of a day stays."""
    broker = restartable().start()
    day = Postbox(broker, "day")
    with Wire.open(broker.address, "half", clean=False, session_expiry=1800) as wire:
        wire.subscribe("any", qos=1)
        wire.leave()
    with Wire.open(broker.address) as pub:
        day.post(pub, "half an hour", message_expiry=1800)
        day.post(pub, "for ever")
    broker.kill()
    broker.start(environment=clock_set("+1h"))
    assert day.collect() == day.acked[1:]
    with Wire.open(broker.address, "half", clean=False, session_expiry=1800) as wire:
        assert not wire.connack.session_present
