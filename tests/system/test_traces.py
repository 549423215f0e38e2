"""Traces of messages: what a collector of OpenTelemetry gets of a broker that serves."""

import time

import exchange
import observer
import pytest
from collector import Collector
from wire import Kind, Wire

pytestmark = pytest.mark.strowger

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture
def collector():
    one = Collector()
    yield one
    one.stop()


@pytest.fixture
def traced(start, collector):
    def begin(*options):
        port = exchange.free_port()
        settings = ["--set", f"traces.endpoint={collector.endpoint}", "--set", f"admin.bind=127.0.0.1:{port}"]
        one = start(*settings, *options)
        one.count = lambda result: count(port, result)
        return one

    return begin


def count(port, result):
    page = observer.fetch(f"http://127.0.0.1:{port}/metrics")
    series = f'strowger_trace_spans_total{{result="{result}"}} '
    return next(float(line[len(series) :]) for line in page.splitlines() if line.startswith(series))


def wait_for(what, look, secs=15.0):
    deadline = time.monotonic() + secs
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.05)
    raise AssertionError(f"no {what} within {secs} s")


def test_a_sampled_message_is_one_tree_from_its_publisher_to_its_receivers(traced, collector):
    broker = traced()
    with Wire.open(broker.address, "one", session_expiry=60) as one, Wire.open(broker.address, "two") as two:
        for reader in (one, two):
            reader.subscribe("a/#", qos=1)
        with Wire.open(broker.address, "writer") as writer:
            writer.publish("a/b", b"hello", qos=1, user=[("traceparent", f"00-{TRACE}-{PARENT}-01")])
            writer.publish("a/b", b"quiet", qos=1, user=[("traceparent", f"00-{TRACE}-{PARENT}-00")])
            writer.publish("a/b", b"alone", qos=1)
        got, _ = ([reader.expect(Kind.PUBLISH) for _ in range(3)] for reader in (one, two))
    assert got[0].properties["user"] == [("traceparent", f"00-{TRACE}-{PARENT}-01")]

    wait_for("spans", lambda: len(collector.spans) >= 5)
    time.sleep(1.5)
    spans = collector.spans
    assert sorted(span.name for span in spans) == ["deliver", "deliver", "receive", "route", "store"]
    [receive] = [span for span in spans if span.name == "receive"]
    assert {span.trace_id for span in spans} == {TRACE}
    assert receive.parent == PARENT
    assert {span.parent for span in spans if span is not receive} == {receive.span_id}
    assert len({span.span_id for span in spans}) == len(spans)
    assert {span.attributes["messaging.client.id"] for span in spans if span.name == "deliver"} == {"one", "two"}
    [route] = [span for span in spans if span.name == "route"]
    assert route.attributes["strowger.copies"] == 2
    assert receive.attributes["messaging.destination.name"] == "a/b"
    assert receive.attributes["messaging.message.body.size"] == 5
    assert receive.resource["service.name"] == "strowger"
    now = time.time_ns()
    for span in spans:
        assert now - 60e9 < receive.begun_ns <= span.begun_ns <= span.ended_ns < now + 60e9, span
    assert broker.count("exported") == 5


def test_a_share_of_the_messages_is_sampled_and_a_collector_that_fails_hurts_nobody(traced, collector):
    broker = traced("--set", "traces.sampled_per_million=500000", "--set", "storage.engine=memory")
    collector.fails = True
    with Wire.open(broker.address, "reader") as reader, Wire.open(broker.address, "writer") as writer:
        reader.subscribe("a")
        for _ in range(20):
            writer.publish("a", b"x")
        for _ in range(20):
            reader.expect(Kind.PUBLISH)
        wait_for("failure", lambda: broker.count("failed") >= 30)
        assert "collector of traces" in broker.log()
        assert collector.spans == []
        collector.fails = False
        writer.publish("a", b"x")
        writer.publish("a", b"x")
        wait_for("spans", lambda: len(collector.spans) == 3)
    assert {span.parent for span in collector.spans if span.name == "receive"} == {""}
