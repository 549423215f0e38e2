"""Start, stop and refusal to start of the broker process."""

import json
import os
import signal
import socket
import subprocess
import time

import exchange
import pytest
from faults import a_stuck_line, await_zombie, needs_strace
from wire import V5, V311, Kind, Will, Wire, publish

pytestmark = pytest.mark.strowger


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_stop_is_told_to_5_0_clients_and_ends_with_0(start, sent):
    """[MQTT-3.14.0-1] in 5.0, [MQTT-3.14.2-1] in 5.0: DISCONNECT 0x8B, then the close; 3.1.1 sees the close alone."""
    broker = start()
    five, three = Wire.open(broker.address, "five"), Wire.open(broker.address, "three", V311)
    broker.process.send_signal(sent)
    five.expect_disconnect(0x8B, within=5)
    assert three.expect_closed(within=5) == []
    assert broker.process.wait(12) == 0, broker.log()


def test_wills_go_out_before_the_broker_stops(start):
    """[MQTT-3.1.2-8] in 3.1.1, [MQTT-3.1.2-8] in 5.0: a stop closes connections without the client's DISCONNECT."""
    broker = start()
    watch = Wire.open(broker.address, "watch")
    watch.subscribe("will/+", qos=1)
    for version in (V311, V5):
        Wire.open(broker.address, f"doomed-{version}", version, will=Will(f"will/{version}", b"stopped", qos=1))
    broker.terminate()
    came = watch.expect_closed(within=5)
    assert came[-1].reason == 0x8B
    assert {packet.topic for packet in came if packet.kind == Kind.PUBLISH} == {f"will/{V311}", f"will/{V5}"}


def test_a_stop_with_traffic_is_bounded(start):
    broker = start("--set", "broker.drain_timeout_secs=2")
    stalled, pub = Wire.open(broker.address), Wire.open(broker.address)
    stalled.subscribe("flood", qos=0)
    for _ in range(300):
        pub.send(publish("flood", bytes(10000)))
    began = time.monotonic()
    assert broker.stop(within=8) == 0
    assert time.monotonic() - began < 6


def test_a_stop_without_a_time_for_goodbyes_says_them_all_the_same(start):
    broker = start("--set", "broker.drain_timeout_secs=0")
    watches = [Wire.open(broker.address, f"watch-{number}") for number in range(4)]
    for watch in watches:
        watch.subscribe("will", qos=1)
    Wire.open(broker.address, "doomed", will=Will("will", b"stopped", qos=1))
    broker.terminate()
    for watch in watches:
        came = watch.expect_closed(within=20)
        assert came[-1].reason == 0x8B, broker.log()
        assert [packet.topic for packet in came if packet.kind == Kind.PUBLISH] == ["will"]
    assert broker.process.wait(30) == 0, broker.log()


@needs_strace
def test_a_line_that_does_not_answer_costs_the_store_no_time(start):
    """The medium is well: what the end waited for in vain is the line, and the others are told goodbye."""
    broker = start("--set", "broker.drain_timeout_secs=1", "--set", "storage.close_timeout_secs=1")
    # Each line has some of them.
    clients = [Wire.open(broker.address) for _ in range(12)]
    with a_stuck_line(broker):
        broker.terminate()
        await_zombie(broker, within=60)
    assert broker.process.wait(30) == 0, broker.log()
    assert "a line does not end" in broker.log() and "look after the medium" not in broker.log()
    came = [client.expect_closed(within=5) for client in clients]
    assert any(packets and packets[-1].reason == 0x8B for packets in came), came


@needs_strace
@pytest.mark.parametrize("wish,begun", [("reload", "reading settings"), ("drain", "draining"), ("upgrade", "making way")])
def test_a_line_that_does_not_answer_keeps_no_stop(start, tmp_path, wish, begun):
    """Nor does what else was wished for and waits for that line."""
    broker = start("--set", "broker.drain_timeout_secs=1")
    with a_stuck_line(broker):
        directory = tmp_path / f"store-{broker.port}"
        asker = subprocess.Popen(
            [exchange.STROWGER, wish, "--data-dir", directory], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        await_log(broker, begun)
        broker.terminate()
        await_zombie(broker, within=60)
    assert broker.process.wait(30) == 0, broker.log()
    assert asker.wait(30) != 0


@needs_strace
def test_a_line_that_does_not_answer_is_named_and_follows_when_it_goes_on(start, tmp_path):
    broker = start("--set", "broker.line_timeout_secs=1", "--set", "broker.lines=1")
    directory = tmp_path / f"store-{broker.port}"
    client = Wire.open(broker.address)

    def command(*words):
        return exchange.strowger(*words, "--data-dir", directory)

    with a_stuck_line(broker):
        refused = command("reload")
        assert refused.returncode != 0
        assert "line 0 has not answered for 1 s (broker.line_timeout_secs)" in refused.stderr
        assert "everything stays as it was" in broker.log()
        assert command("drain").returncode == 0
        await_log(broker, "line 0 has not answered for 1 s (broker.line_timeout_secs): it accepts nobody when it goes on")
        # Longer than the drain waits for its clients and for their number.
        time.sleep(4)
        assert "drained" not in broker.log()
    client.expect_disconnect(0x9C, within=20)
    await_log(broker, "drained: all clients have been sent away")
    assert command("drain", "--undo").returncode == 0
    assert command("reload").returncode == 0
    with Wire.open(broker.address) as late:
        assert late.publish("t", b"m", qos=1).reason == 0x10


def await_log(broker, words, within=20):
    deadline = time.monotonic() + within
    while words not in broker.log():
        assert time.monotonic() < deadline, broker.log()
        time.sleep(0.01)


def test_who_has_not_sent_connect_keeps_no_stop(start):
    """Neither a silent connection nor half a CONNECT."""
    broker = start("--set", "broker.drain_timeout_secs=120", "--set", "listener.connect_timeout_secs=120")
    silent, half = socket.create_connection(broker.address), socket.create_connection(broker.address)
    half.sendall(bytes([0x10, 20, 0, 4]))
    Wire.open(broker.address).expect_silence(0.1)
    began = time.monotonic()
    assert broker.stop(within=60) == 0
    assert time.monotonic() - began < 30
    for one in (silent, half):
        one.settimeout(5)
        assert one.recv(10) == b""


def test_a_stop_during_a_reload_that_reads_a_file_without_an_answer_is_a_stop(start, tmp_path):
    rights = tmp_path / "rights"
    rights.write_text("topic readwrite #\n")
    broker = start("--set", f"acl.file={rights}")
    rights.unlink()
    os.mkfifo(rights)
    directory = tmp_path / f"store-{broker.port}"
    asker = subprocess.Popen(
        [exchange.STROWGER, "reload", "--data-dir", directory], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    await_log(broker, "reading settings")
    time.sleep(0.3)
    assert broker.stop(within=60) == 0, broker.log()
    assert "reload refused" in broker.log()
    assert asker.wait(30) != 0
    assert "stops" in asker.stderr.read()


def test_a_stopped_broker_takes_no_new_connections(start):
    broker = start()
    assert broker.stop() == 0
    with pytest.raises(ConnectionError):
        socket.create_connection(broker.address, timeout=1)


def test_a_port_in_use_is_one_line_and_69(start):
    broker = start()
    done = exchange.strowger("serve", "--bind", f"127.0.0.1:{broker.port}")
    assert done.returncode == 69
    assert str(broker.port) in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    Wire.open(broker.address).expect_silence(0.05)


MISTAKES = {
    "unknown key": ("[session]\nexpiri_max_secs = 5\n", ["expiri_max_secs", "expiry_max_secs", ":2"]),
    "unknown section": ("[sesion]\nreceive_maximum = 100\n", ["sesion", "session.receive_maximum"]),
    "out of range": ("[session]\nreceive_maximum = 0\n", ["receive_maximum", "0", "32"]),
    "wrong type": ("[session]\nreceive_maximum = 'many'\n", ["receive_maximum", "many"]),
    "not TOML": ("[session\n", ["1"]),
    "bad address": ("[listener]\nbind = 'nowhere'\n", ["bind", "nowhere"]),
}


@pytest.mark.parametrize("text,words", MISTAKES.values(), ids=[name.replace(" ", "_") for name in MISTAKES])
@pytest.mark.parametrize("command", ["serve", "check"])
def test_a_mistake_in_the_settings_is_one_line_and_64(tmp_path, command, text, words):
    path = tmp_path / "strowger.toml"
    path.write_text(text)
    done = exchange.strowger(*(["serve", "--conf", path] if command == "serve" else ["check", path]))
    assert done.returncode == 64, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    for word in ["strowger.toml", *words]:
        assert word in done.stderr


def test_a_missing_settings_file_is_named(tmp_path):
    done = exchange.strowger("serve", "--conf", tmp_path / "absent.toml")
    assert done.returncode == 64
    assert "absent.toml" in done.stderr


def test_an_unknown_variable_is_refused():
    done = exchange.strowger("serve", "--print-conf", env={"STROWGER_SESSION__EXPIRI_MAX_SECS": "5"})
    assert done.returncode == 64
    assert "STROWGER_SESSION__EXPIRI_MAX_SECS" in done.stderr


def test_print_conf_tells_where_each_value_comes_from(tmp_path):
    path = tmp_path / "strowger.toml"
    path.write_text("[session]\nreceive_maximum = 77\n")
    environment = {"STROWGER_SESSION__SUBSCRIPTIONS_MAX": "88"}
    done = exchange.strowger("serve", "--conf", path, "--set", "packet.topic_levels_max=99", "--print-conf", env=environment)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    for key, value, origin in (
        ("receive_maximum", "77", "strowger.toml:2"),
        ("subscriptions_max", "88", "STROWGER_SESSION__SUBSCRIPTIONS_MAX"),
        ("topic_levels_max", "99", "--set"),
        ("keep_alive_max_secs", "3600", "default"),
    ):
        assert any(key in line and value in line and origin in line for line in lines), f"{key}: {done.stdout}"


def test_each_closed_connection_leaves_one_line_with_the_clause(start):
    """A violation is logged once, with the client and the clause that it broke."""
    broker = start()
    with Wire.open(broker.address, "rude") as wire:
        wire.send(publish("a/#"))
        wire.expect_disconnect(0x90)
    deadline = time.monotonic() + 3
    while "rude" not in broker.log() and time.monotonic() < deadline:
        time.sleep(0.05)
    lines = [line for line in broker.log().splitlines() if "rude" in line]
    assert len([line for line in lines if "MQTT-3.3.2-2" in line]) == 1, broker.log()


def test_the_log_is_json_on_demand(start):
    broker = start("--set", "log.format=json")
    Wire.open(broker.address, "logged").leave()
    assert broker.stop() == 0
    lines = [json.loads(line) for line in broker.log().splitlines()]
    assert any("logged" in json.dumps(line) for line in lines), broker.log()


def test_more_connections_than_allowed_are_refused_and_the_others_live(start):
    broker = start("--set", "listener.connections_max=3")
    time.sleep(0.2)
    wires = [Wire.open(broker.address, f"c{number}") for number in range(3)]
    with Wire(broker.address) as extra:
        try:
            came = extra.expect_closed(within=3)
        except ConnectionError:
            came = []
        assert all(packet.reason in (0x88, 0x89, 0x97) for packet in came)
    for wire in wires:
        wire.expect_silence(0.05)
    wires.pop().leave()
    time.sleep(0.3)
    Wire.open(broker.address, "again").expect_silence(0.05)
