"""What happens, live: events, the trace of one client, the log and its levels."""

import time

import exchange
import pytest
from office import Office
from wire import V5, V311, Kind, Wire, publish

pytestmark = pytest.mark.strowger


def test_events_tell_what_happens_to_clients(start):
    broker = start()
    office = Office(broker)
    with office.listen("/events") as events:
        # The lines notice at their next tick that somebody listens.
        time.sleep(0.2)
        with Wire.open(broker.address, "meter", V5) as wire:
            wire.subscribe("a/#", qos=1)
            wire.send(b"\xe0\x00")
            wire.expect_closed()
        seen = {}
        while "disconnected" not in seen or "session_ended" not in seen:
            name, data = events.next()
            seen[name] = data
    assert list(seen)[:3] == ["session_created", "connected", "subscribed"]
    assert all(data["client_id"] == "meter" for data in seen.values())
    assert seen["subscribed"]["text"] == "a/# q1"
    assert seen["connected"]["address"].startswith("127.0.0.1:")
    assert seen["disconnected"]["text"] == "client disconnected (ended by the client)"


def test_events_are_filtered_by_client_and_kind(start):
    broker = start()
    office = Office(broker)
    with office.listen("/events", client_id="b", kind="connected,disconnected") as events:
        for name in ("a", "b"):
            with Wire.open(broker.address, name, V311) as wire:
                wire.send(b"\xe0\x00")
                wire.expect_closed()
        assert [events.next()[0] for _ in range(2)] == ["connected", "disconnected"]
    status, body = office.ask("GET", "/events", kind="weather")
    assert status == 400 and "no events of the kind" in body["error"]["message"]


def test_listeners_have_a_bound_and_leave_their_place(start):
    office = Office(start())
    streams = [office.listen("/events") for _ in range(64)]
    status, body = office.ask("GET", "/events")
    assert status == 429, body
    for stream in streams:
        stream.line.close()
    # One who has gone is noticed with the next word for him, within 10 s.
    deadline = time.monotonic() + 20
    while True:
        try:
            office.listen("/events").line.close()
            break
        except AssertionError:
            assert time.monotonic() < deadline
            time.sleep(0.5)


def test_a_trace_shows_packets_of_one_client_while_they_come(start):
    broker = start()
    office = Office(broker)
    with office.listen("/clients/meter/trace") as trace:
        with Wire.open(broker.address, "other", V5) as other, Wire.open(broker.address, "meter", V5) as wire:
            wire.subscribe("a/#")
            other.send(publish("a/b", b"hello", V5))
            wire.expect(Kind.PUBLISH)
            wire.send(b"\xe0\x00")
            wire.expect_closed()
        told = []
        while not told or told[-1] != "disconnected":
            _, item = trace.next()
            assert item["client_id"] == "meter"
            told.append(item.get("packet") or item["kind"])
    expected = ["connected", "CONNECT", "CONNACK", "SUBSCRIBE", "SUBACK", "PUBLISH", "DISCONNECT", "disconnected"]
    assert told == expected


def test_a_level_for_one_client_is_for_a_time(start):
    broker = start()
    office = Office(broker)
    assert office.get("/log") == {"level": "info", "overrides": []}
    body = {"overrides": [{"client_id": "meter", "level": "debug", "for_secs": 2}]}
    status, levels = office.ask("PUT", "/log", body)
    assert status == 200 and levels["overrides"][0]["client_id"] == "meter", levels

    def connect_both():
        for name in ("other", "meter"):
            with Wire.open(broker.address, name, V311) as wire:
                wire.send(b"\xe0\x00")
                wire.expect_closed()

    def connected():
        items = office.get("/log/recent")["items"]
        return [item["fields"]["client"] for item in items if item["message"] == "connected"]

    with office.listen("/log/stream") as stream:
        connect_both()
        name, record = stream.next()
        assert name == "record" and record["fields"]["client"] in ("other", "meter")
    assert connected() == ["meter"]
    deadline = time.monotonic() + 10
    while office.get("/log")["overrides"]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    connect_both()
    assert connected() == ["meter"]

    assert office.ask("PUT", "/log", {"level": "debug"})[0] == 200
    connect_both()
    assert connected() == ["meter", "other", "meter"]
    assert office.ask("DELETE", "/log")[1] == {"level": "info", "overrides": []}


@pytest.mark.parametrize(
    "body",
    [
        {"level": "loud=nonsense"},
        {"overrides": [{"level": "debug"}]},
        {"overrides": [{"client_id": "a", "topic": "b", "level": "debug"}]},
        {"overrides": [{"client_id": "a", "level": "loud"}]},
        {"overrides": [{"client_id": "a", "level": "debug", "for_secs": 0}]},
        {"overrides": [{"client_id": "a", "level": "debug"}] * 65},
    ],
)
def test_levels_that_are_none_change_nothing(start, body):
    office = Office(start())
    status, answer = office.ask("PUT", "/log", {"level": "debug"} | body)
    assert status == 422 and answer["error"]["message"], answer
    assert office.get("/log") == {"level": "info", "overrides": []}


def test_the_command_shows_a_trace(start):
    broker = start()
    with exchange_trace(broker, "meter") as trace:
        with Wire.open(broker.address, "meter", V311) as wire:
            wire.send(publish("a/b", b"hello", V311))
            wire.send(b"\xe0\x00")
            wire.expect_closed()
        lines = [trace.stdout.readline() for _ in range(6)]
        trace.terminate()
    assert '< PUBLISH q0 a/b (5 bytes) "hello"' in lines[3], lines


def exchange_trace(broker, client):
    import subprocess

    command = [exchange.STROWGER, "trace", client, "--data-dir", Office(broker).directory]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    # It has no word for "I listen"; the broker takes it up in a moment.
    time.sleep(1)
    return process


def test_listeners_that_come_and_go_are_told(start, tmp_path):
    port = exchange.free_port()
    conf = tmp_path / "strowger.toml"
    conf.write_text("")
    broker = start("--conf", conf)
    office = Office(broker)
    with office.listen("/events", kind="listener,reload") as events:
        conf.write_text(f'[[listeners]]\nname = "second"\nbind = "127.0.0.1:{port}"\ntransport = "tcp"\n')
        assert office.ask("POST", "/reload")[0] == 200
        assert "second" in events.until("reload")["text"]
        assert "second" in events.until("listener")["text"]
        conf.write_text("")
        assert office.ask("POST", "/reload")[0] == 200
        told = events.until("listener")["text"]
        assert "second" in told and "clos" in told, told


def test_a_ban_disconnects_all_whom_it_means_and_nobody_else(start):
    """More clients than a line disconnects in one turn."""
    broker = start()
    office = Office(broker)
    crowd = [Wire.open(broker.address, f"c{nth}", V5) for nth in range(500)]
    other = Wire.open(broker.address, "other", V5, source="127.0.0.2")
    status, ban = office.ask("POST", "/bans", {"kind": "address", "value": "127.0.0.1"})
    assert status == 201, ban
    deadline = time.monotonic() + 60
    while not ban["complete"] and office.get("/clients", state="connected")["total"] > 1:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert ban["disconnected"] == 500 or not ban["complete"]
    for client in crowd:
        client.expect_disconnect(0x98, within=20)
    other.send(publish("t", b"x", V5, qos=1, packet_id=1))
    assert other.expect(Kind.PUBACK).packet_id == 1
    Wire.open(broker.address, "late", V5, expect=0x8A).drop()
    Wire.open(broker.address, "elsewhere", V5, source="127.0.0.2").drop()
    other.drop()
