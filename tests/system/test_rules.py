"""The rule book of a broker: what each action does to a real client, on each road, and how the book is changed."""

import re
import signal
import threading
import time

import exchange
import pytest
from wire import V5, V311, Kind, Will, Wire, connect, publish, subscribe, unsubscribe

pytestmark = pytest.mark.strowger

NOT_AUTHORIZED, QUOTA_EXCEEDED, UNSPECIFIED = 0x87, 0x97, 0x80
BOTH = [V311, V5]


def rule(name, on, then, **more):
    """One rule as TOML. `then` is the text behind it; `more` are the other keys, strings or lists of strings."""
    lines = ["[[rule]]", f'name = "{name}"', f"on = {on!r}".replace("'", '"')]
    lines += [f"{key} = {value!r}" if isinstance(value, list) else f'{key} = "{value}"' for key, value in more.items()]
    return "\n".join([*lines, f"then = [{then}]", ""])


@pytest.fixture
def ruled(start, tmp_path):
    """Starts a broker with these rules."""

    def begin(*rules, options=()):
        (tmp_path / "rules.toml").write_text("\n".join(rules))
        settings = ["--set", f"rules.file={tmp_path / 'rules.toml'}", "--set", "broker.sys_interval_secs=1"]
        broker = start(*settings, *options)
        broker.rules = tmp_path / "rules.toml"
        return broker

    return begin


def wait_for(what, look, secs=10.0):
    deadline = time.monotonic() + secs
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"no {what} within {secs} s")


def reload(broker, *rules):
    """Writes other rules, sends SIGHUP, and returns what the log says of the rules."""
    broker.rules.write_text("\n".join(rules))
    before = len(broker.log())
    broker.process.send_signal(signal.SIGHUP)
    pattern = re.compile(r".*rules (?:reloaded|are as they were)|.*everything stays as it was.*")
    return wait_for("word of a reload", lambda: pattern.search(broker.log()[before:]), 15).group()


def ends(wire, version, reason):
    """Whether the broker ends this connection, with the reason where the version has one."""
    if version == V5:
        return wire.expect_disconnect(reason) is not None
    return wire.expect_closed() == []


@pytest.mark.parametrize("version", BOTH)
def test_a_refusal_is_answered_as_that_of_the_rights(ruled, version):
    broker = ruled(rule("no", ["publish"], '{ deny = "quota_exceeded" }', topics=["no/#"]))
    for qos in [0, 1, 2]:
        with Wire.open(broker.address, f"c{qos}", version) as wire:
            if version == V5 or qos == 0:
                answer = wire.publish("no/x", b"", qos=qos)
                assert answer is None or answer.reason == QUOTA_EXCEEDED
                wire.publish("yes", b"", qos=1)
            else:
                wire.send(publish("no/x", b"", version, qos=qos, packet_id=1))
                assert wire.expect_closed() == []


@pytest.mark.parametrize("version", BOTH)
def test_a_message_is_changed(ruled, version):
    broker = ruled(
        rule("move", ["publish"], "{ set_topic = \"'new/' + levels[1]\" }, { set_payload = \"payload.text() + '!'\" }, "
             "{ set_qos = \"1\" }, { set_retain = \"true\" }, { set_user_property = { name = \"by\", value = \"client.id\" } }",
             topics=["old/+"])
    )
    with Wire.open(broker.address, "reader", V5) as reader, Wire.open(broker.address, "writer", version) as writer:
        reader.subscribe("#", qos=2)
        for qos in [0, 1, 2]:
            writer.publish("old/x", b"text", qos=qos)
            got = reader.take()
            assert (got.topic, got.payload, got.qos) == ("new/x", b"text!", 1)
            assert ("by", "writer") in got.properties["user"]
    done = exchange.run("mosquitto_sub", "-p", broker.port, "-t", "new/x", "-C", "1", "-W", "5")
    assert done.stdout == "text!\n", done.stderr


@pytest.mark.parametrize("version", BOTH)
def test_a_client_is_disconnected(ruled, version):
    broker = ruled(
        rule("out", ["publish", "subscribe", "unsubscribe", "deliver"], '{ disconnect = "quota_exceeded" }', topics=["out"])
    )
    asks = {
        "publish": lambda wire: wire.send(publish("out", b"", version, qos=1, packet_id=1)),
        "subscribe": lambda wire: wire.send(subscribe(1, [("out", 0)], version)),
        "unsubscribe": lambda wire: wire.send(unsubscribe(1, ["out"], version)),
    }
    for name, ask in asks.items():
        with Wire.open(broker.address, name, version) as wire:
            ask(wire)
            assert ends(wire, version, QUOTA_EXCEEDED), name
    assert "QuotaExceeded" in broker.log()


@pytest.mark.parametrize("version", BOTH)
def test_a_connect_is_refused_and_held(ruled, version):
    broker = ruled(
        rule("names", ["connect"], '{ deny = "client_id_invalid" }', when="client.id.startsWith('x')"),
        rule("slow", ["connect"], "{ block_ms = 300 }", when="client.id == 'slow' && rate('once', 1, 3600)"),
    )
    Wire.open(broker.address, "x", version, expect=0x85 if version == V5 else 2).drop()
    began = time.monotonic()
    with Wire.open(broker.address, "slow", version):
        assert time.monotonic() - began >= 0.3
    began = time.monotonic()
    with Wire.open(broker.address, "fast", version):
        assert time.monotonic() - began < 0.3


@pytest.mark.parametrize("version", BOTH)
def test_who_is_held_at_the_door_is_told_of_a_stop(ruled, version):
    """A CONNECT that waits for a rule is refused: server unavailable."""
    broker = ruled(rule("slow", ["connect"], "{ block_ms = 60000 }", when="client.id == 'slow'"))
    with Wire(broker.address, version) as wire:
        wire.send(connect("slow", version))
        time.sleep(1)
        broker.terminate()
        answer = wire.expect(Kind.CONNACK, timeout=20)
        assert answer.reason == (0x88 if version == V5 else 3)
    assert broker.process.wait(30) == 0, broker.log()


def test_a_publish_is_held_and_dropped_in_silence(ruled):
    broker = ruled(
        rule("twice", ["publish"], "{ block_ms = 200 }", topics=["slow"], when="!rate('m', 1, 1)"),
        rule("gone", ["publish"], '"cancel"', topics=["gone"]),
    )
    with Wire.open(broker.address, "c", V5) as wire:
        wire.publish("slow", b"", qos=1)
        began = time.monotonic()
        wire.publish("slow", b"", qos=1)
        assert 0.2 <= time.monotonic() - began < 3
        wire.send(publish("gone", b"", V5, qos=1, packet_id=9))
        wire.expect_silence()


def test_each_filter_has_its_verdict(ruled):
    broker = ruled(
        rule("no", ["subscribe", "unsubscribe"], '{ deny = "not_authorized" }', topics=["no/#"]),
        rule("once", ["subscribe"], '{ set_qos = "0" }', topics=["telemetry/#"]),
    )
    with Wire.open(broker.address, "c", V5) as wire:
        assert wire.subscribe("no/x", "yes", "telemetry/+", "$share/g/no/#", "#", qos=2) == [
            NOT_AUTHORIZED, 2, 0, NOT_AUTHORIZED, NOT_AUTHORIZED,
        ]
        wire.send(unsubscribe(9, ["yes", "no/x", "other"], V5))
        assert wire.expect(Kind.UNSUBACK).reasons == [0, NOT_AUTHORIZED, 0x11]


@pytest.fixture
def ruled_for_long(restartable, tmp_path):
    """Starts a broker with these rules that can be killed."""

    def begin(*rules):
        file = tmp_path / "rules.toml"
        file.write_text("\n".join(rules))
        broker = restartable(f"rules.file={file}", "broker.lines=2")
        broker.start()
        return broker

    return begin


def test_a_delivery_is_changed_and_withheld_on_each_road(ruled_for_long):
    """Live, retained, shared, queued, sent again, and read back from the store after a kill -9."""
    rules = [
        rule("mask", ["deliver"], "{ set_payload = \"'***'\" }", topics=["p/#"], when="client.id.startsWith('guest')"),
        rule("bar", ["deliver"], '{ deny = "not_authorized" }', topics=["s/#"], when="client.id.startsWith('guest')"),
    ]
    broker = ruled_for_long(*rules)
    writer = Wire.open(broker.address, "writer", V5)
    guest = Wire.open(broker.address, "guest", V5, clean=False, session_expiry=3600)
    guest.subscribe("p/#", "s/#", qos=1)
    writer.publish("p/live", b"secret", qos=1)
    writer.publish("s/live", b"secret", qos=1)
    # Not acknowledged, so that it comes again.
    assert guest.expect(Kind.PUBLISH).payload == b"***"
    guest.drop()
    writer.publish("p/queued", b"secret", qos=1)
    writer.publish("s/queued", b"secret", qos=1)
    writer.publish("p/kept", b"secret", qos=1, retain=True)
    writer.publish("s/kept", b"secret", qos=1, retain=True)
    for again in range(2):
        guest = Wire.open(broker.address, "guest", V5, clean=False, session_expiry=3600)
        came = [guest.expect(Kind.PUBLISH) for _ in range(3)]
        assert [(one.topic, one.payload) for one in came] == [
            ("p/live", b"***"), ("p/queued", b"***"), ("p/kept", b"***"),
        ]
        guest.subscribe("p/kept", "s/kept", qos=0)
        assert guest.expect(Kind.PUBLISH).payload == b"***"
        guest.expect_silence()
        guest.drop()
        if not again:
            restart(broker)
            writer = Wire.open(broker.address, "writer", V5)
    with Wire.open(broker.address, "guest-member", V5) as one, Wire.open(broker.address, "other-member", V5) as two:
        one.subscribe("$share/g/s/#", qos=1)
        two.subscribe("$share/g/s/#", qos=1)
        for _ in range(4):
            writer.publish("s/job", b"job", qos=1)
        assert [two.take().payload for _ in range(4)] == [b"job"] * 4
        one.expect_silence()


def restart(broker):
    broker.kill()
    broker.start()


def test_wills_are_judged_when_they_are_published(ruled_for_long):
    """At once, delayed, and by the broker that starts after a kill -9."""
    broker = ruled_for_long(
        rule("bar", ["will"], '{ deny = "not_authorized" }', topics=["bar/#"]),
        rule("move", ["will"], "{ set_topic = \"'moved/' + client.id\" }, { republish = { topic = \"'alarms'\" } }", topics=["w/#"]),
    )
    reader = Wire.open(broker.address, "reader", V5)
    reader.subscribe("#", qos=1)
    for name, delay in [("now", 0), ("later", 1)]:
        for topic in ["bar/x", "w/x"]:
            will = Will(topic, b"gone", qos=1, properties={"will_delay": delay} if delay else None)
            Wire.open(broker.address, f"{name}-{topic[0]}", V5, will=will, session_expiry=60).drop()
        assert [(got.topic, got.payload) for got in (reader.take(), reader.take())] == [
            (f"moved/{name}-w", b"gone"), ("alarms", b"gone"),
        ]
    Wire.open(broker.address, "old", V5, clean=False, session_expiry=60).subscribe("#", qos=1)
    for topic in ["bar/x", "w/x"]:
        Wire.open(broker.address, f"killed-{topic[0]}", V5, will=Will(topic, b"gone", qos=1))
    restart(broker)
    old = Wire.open(broker.address, "old", V5, clean=False, session_expiry=60)
    assert sorted(old.take().topic for _ in range(2)) == ["alarms", "moved/killed-w"]
    old.expect_silence()


def test_messages_are_set_off_counted_and_logged(ruled):
    broker = ruled(
        rule(
            "hot", ["publish"],
            "{ republish = { topic = \"'alarms/' + levels[1]\", qos = \"1\", retain = \"true\" } }, { tag = \"alarm\" }, "
            "{ log = { level = \"warn\", text = \"'it is ' + payload.text()\" } }",
            topics=["plant/+"], when="double(payload.text()) > 80.0",
        ),
    )
    with Wire.open(broker.address, "c", V5) as wire:
        wire.subscribe("alarms/#", qos=1)
        wire.publish("plant/7", b"81", qos=0)
        assert wire.take().payload == b"81"
        wire.publish("plant/7", b"20", qos=1)
        assert wire.publish("plant/7", b"cold", qos=1).reason == NOT_AUTHORIZED
        wire.expect_silence()
        counts = {"asked": b"3", "matched": b"1", "failed": b"1"}
        state = [f"$SYS/broker/rules/hot/{word}" for word in counts] + ["$SYS/broker/tags/alarm"]
        wire.subscribe(*state)
        seen = {}

        def all_there():
            got = wire.take()
            seen[got.topic.rsplit("/")[-1]] = got.payload
            return seen == {**counts, "alarm": b"1"}

        wait_for("the counts", all_there)
        # Of rules that are gone, nothing is left.
        reload(broker, rule("other", ["connect"], '"allow"'))
        wait_for("the end of the counts", lambda: wire.take().payload == b"")
    log = broker.log()
    assert re.search(r'WARN.*it is 81.*rule="hot" client="c" topic="plant/7"', log), log
    assert re.search(r'WARN.*could not be evaluated.*rule="hot" client="c" topic="plant/7"', log), log


def test_the_log_is_bounded(ruled):
    broker = ruled(
        rule("talk", ["publish"], "{ log = { text = \"'word'\" } }"), options=["--set", "rules.log_lines_per_sec_max=5"]
    )
    with Wire.open(broker.address, "c", V5) as wire:
        wire.send(*[publish("t", b"", V5) for _ in range(2000)])
        wire.publish("t", b"", qos=1)
        time.sleep(1.1)
        wire.publish("t", b"", qos=1)
    lines = broker.log().count('rule="talk"')
    assert 5 < lines < 100, lines
    assert "left out of the log" in broker.log()


def test_a_broken_file_keeps_the_broker_from_starting(tmp_path):
    for text, place in [("[[rule]]\nname = 1\n", ":2:"), (rule("x", ["publish"], '"allow"', when="topik == 'a'"), ":4:9:"), ("# no rule\n", " has no rule"), (None, "")]:
        file = tmp_path / "rules.toml"
        file.unlink(missing_ok=True)
        if text is not None:
            file.write_text(text)
        done = exchange.strowger("serve", "--bind", "127.0.0.1:0", "--set", f"rules.file={file}", "--set", "storage.engine=memory")
        assert done.returncode == 64, done.stderr
        assert f"{file}{place}" in done.stderr, done.stderr
        conf = tmp_path / "strowger.toml"
        conf.write_text(f'[rules]\nfile = "{file}"\n')
        checked = exchange.strowger("check", conf)
        assert checked.returncode == 64 and f"{file}{place}" in checked.stderr, checked.stderr


def test_a_reload_is_whole_or_not_at_all(ruled):
    old, new = rule("old", ["publish"], '{ deny = "not_authorized" }', topics=["a"]), rule("new", ["publish"], '{ deny = "not_authorized" }', topics=["b"])
    broker = ruled(old)
    with Wire.open(broker.address, "c", V5) as wire:
        answers = lambda: [wire.publish(topic, b"", qos=1).reason >= 0x80 for topic in "ab"]
        assert answers() == [True, False]
        assert "as they were" in reload(broker, old)
        for broken in ["[[rule", old + rule("x", ["publish"], '"allow"', when="nothing"), old + new + old]:
            said = reload(broker, broken)
            assert "stays as it was" in said and f"{broker.rules}:" in said, said
            assert answers() == [True, False], broken
        assert "reloaded" in reload(broker, new)
        assert answers() == [False, True]
        assert "has no rule" in reload(broker)
        assert answers() == [False, True]


def test_reloads_under_load_lose_nothing(ruled):
    """A hundred reloads while a client publishes: each message comes once, and nobody is disconnected."""
    book = [rule("mark", ["publish"], f"{{ set_user_property = {{ name = \"v\", value = \"'{turn}'\" }} }}", topics=["t"]) for turn in range(2)]
    broker = ruled(book[0])
    reader = Wire.open(broker.address, "reader", V5, timeout=20)
    reader.subscribe("t", qos=1)
    writer = Wire.open(broker.address, "writer", V5, timeout=20)
    stop, sent = threading.Event(), []

    def write():
        while not stop.is_set():
            assert writer.publish("t", str(len(sent)).encode(), qos=1).reason == 0
            sent.append(None)

    thread = threading.Thread(target=write)
    thread.start()
    for turn in range(100):
        fresh = broker.rules.with_suffix(".new")
        fresh.write_text(book[turn % 2])
        fresh.replace(broker.rules)
        broker.process.send_signal(signal.SIGHUP)
        time.sleep(0.02)
    stop.set()
    thread.join()
    came = [reader.take() for _ in sent]
    assert [one.payload for one in came] == [str(number).encode() for number in range(len(sent))]
    assert {value for one in came for _, value in one.properties["user"]} == {"0", "1"}
    assert "stays as it was" not in broker.log()


def test_explain_names_the_rule(tmp_path):
    file = tmp_path / "rules.toml"
    file.write_text(
        rule("names", ["connect"], '{ disconnect = "client_id_invalid" }', when="client.id == ''")
        + rule("large", ["publish"], '{ deny = "packet_too_large" }', when="size(payload) > 3")
        + rule("move", ["publish"], "{ set_topic = \"'new'\" }, { republish = { topic = \"'copy'\" } }", topics=["old"])
        + rule("wait", ["subscribe"], "{ block_ms = 5 }")
    )

    def explain(*arguments):
        return exchange.strowger("explain", *arguments, "--rules", file)

    refused = explain("connect")
    assert refused.returncode == 1 and "rule names decides: disconnect (client_id_invalid)" in refused.stdout
    may = explain("connect", "-i", "x")
    assert may.returncode == 0 and "by the rules alone" in may.stdout, "nobody takes it for the whole answer"
    large = explain("publish", "a", "-m", "long text")
    assert large.returncode == 1 and "rule large decides: deny (packet_too_large)" in large.stdout
    moved = explain("publish", "old")
    assert moved.returncode == 0 and "topic becomes new" in moved.stdout and "besides to copy" in moved.stdout
    held = explain("subscribe", "a")
    assert held.returncode == 0 and "wait for 5 ms" in held.stdout
    rights = tmp_path / "rights"
    rights.write_text("topic write old\n")
    judged_again = explain("publish", "old", "--acl", rights)
    assert judged_again.returncode == 1 and "no line of" in judged_again.stdout, judged_again.stdout
