"""What an operator does with the data of a broker: check, figures, dump, backup under load, restore."""

import itertools
import json
import os
import pathlib
import shutil
import signal
import socket
import stat
import struct
import subprocess
import threading
import time

import pytest
from exchange import STROWGER, strowger
from postbox import KEPT, Postbox
from wire import V5, Will, Wire

pytestmark = pytest.mark.strowger

LONG_QUEUES = ["session.queue_messages_max=1000000", "session.queue_bytes_max=1073741824"]


def tool(*arguments, expect=0):
    """Runs a command that has to end with this code; failures are told in one line."""
    done = strowger(*arguments, timeout=120)
    assert done.returncode == expect, f"{arguments}: {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr}"
    if expect:
        assert done.stderr.startswith("strowger"), done.stderr
        assert "panicked" not in done.stderr
    return done


def dump(directory):
    lines = [json.loads(line) for line in tool("store", "dump", "--json", "--data-dir", directory).stdout.splitlines()]
    assert lines[-1]["type"] == "count"
    return lines[:-1], lines[-1]


def furnish(broker):
    """A session with a queue, one with a will and a delivery under way, retained messages; gives the postbox."""
    postbox = Postbox(broker, "box", qos=2)
    with Wire.open(broker.address) as pub:
        for number in range(20):
            assert postbox.post(pub, f"number {number}", qos=1 + number % 2, user=[("a", "1")]) == 0
        pub.publish("r/text", "täxt".encode(), qos=1, retain=True, message_expiry=1000)
        pub.publish("r/bytes", b"\xff\0", qos=1, retain=True)
    will = Will("will/x", b"gone", qos=1)
    wire = Wire.open(broker.address, "under way", will=will, **KEPT)
    wire.subscribe(("box/+", 1), subscription_id=5)
    with Wire.open(broker.address) as pub:
        assert postbox.post(pub, "shared by both") == 0
    assert wire.receive(5).payload.endswith(b"shared by both")
    wire.drop()
    return postbox


@pytest.fixture(params=["fjall", "sled"])
def stopped(request, restartable):
    """A broker with something of everything that has been killed, and its postbox."""
    broker = restartable(f"storage.engine={request.param}").start()
    postbox = furnish(broker)
    time.sleep(0.3)
    broker.kill()
    return broker, postbox


def test_check_stat_and_dump_say_what_is_there(stopped):
    broker, _ = stopped
    before = {file: file.read_bytes() for file in (broker.data / "journal").iterdir()}
    report = json.loads(tool("store", "check", "--json", "--data-dir", broker.data).stdout)
    assert report["sound"] and report["linked"] and report["findings"] == []
    assert tool("store", "check", "--data-dir", broker.data).stdout.endswith("sound\n")

    figures = json.loads(tool("store", "stat", "--json", "--data-dir", broker.data).stdout)
    assert figures["sessions"] == 2 and figures["subscriptions"] == 2
    assert figures["queued_messages"] == 21 and figures["in_flight"] == 1
    assert figures["retained_messages"] == 2 and figures["shared_messages"] == 1
    assert figures["longest_queues"][0]["client_id"] == "box"
    assert figures["longest_queues"][0]["messages"] == 21
    assert abs(figures["last_time_ms"] / 1000 - time.time()) < 60
    assert "queued         21 messages" in tool("store", "stat", "--data-dir", broker.data).stdout

    lines, count = dump(broker.data)
    assert (count["sessions"], count["subscriptions"], count["entries"]) == (2, 2, 22)
    box = next(line["session"] for line in lines if line.get("client_id") == "box")
    entries = [line for line in lines if line["type"] == "entry" and line["session"] == box]
    assert [line["message"]["payload"] for line in entries[:2]] == ["0 number 0", "1 number 1"]
    assert entries[0]["message"]["properties"]["user_properties"] == [["a", "1"]]
    retained = {line["message"]["topic"]: line["message"] for line in lines if line["type"] == "retained"}
    assert retained["r/text"]["payload"] == "täxt" and retained["r/text"]["expires_at_ms"] > 0
    assert retained["r/bytes"]["payload_base64"] == "/wA="
    assert before == {file: file.read_bytes() for file in (broker.data / "journal").iterdir()}


def test_a_torn_tail_is_told_and_left_and_damage_is_65(stopped):
    broker, postbox = stopped
    segment = sorted((broker.data / "journal").iterdir())[0]
    raw = bytearray(segment.read_bytes())
    end = len(raw.rstrip(b"\0"))
    raw[end - 1] ^= 1
    segment.write_bytes(raw)
    told = tool("store", "check", "--data-dir", broker.data).stdout
    assert "torn tail:" in told and segment.name in told and told.endswith("sound\n")
    assert segment.read_bytes() == raw

    raw[60] ^= 1
    segment.write_bytes(raw)
    done = tool("store", "check", "--json", "--data-dir", broker.data, expect=65)
    report = json.loads(done.stdout)
    assert not report["sound"] and report["findings"][0]["file"].endswith(segment.name)
    assert "restore a backup" in done.stderr and len(done.stderr.splitlines()) == 1
    for verb in ("stat", "dump"):
        tool("store", verb, "--data-dir", broker.data, expect=65)


def test_a_store_in_use_and_a_directory_without_one_are_refused(restartable, tmp_path):
    broker = restartable().start()
    for verb in ("check", "stat", "dump"):
        said = tool("store", verb, "--data-dir", broker.data, expect=69).stderr
        assert f"in use by process {broker.process.pid}" in said
    empty = tmp_path / "empty"
    empty.mkdir()
    for verb in (("store", "check"), ("store", "stat"), ("store", "dump"), ("backup", tmp_path / "b")):
        said = tool(*verb, "--data-dir", empty, expect=74).stderr
        assert "it holds no store" in said
    assert list(empty.iterdir()) == [] and not (tmp_path / "b.partial").exists()


@pytest.mark.parametrize("to", ["fjall", "sled"])
def test_a_backup_without_a_broker_is_restored_with_any_engine(stopped, restartable, tmp_path, to):
    broker, postbox = stopped
    file, data = tmp_path / "backup", tmp_path / "restored"
    assert "no broker has" in tool("backup", file, "--data-dir", broker.data).stderr
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert str(data) in tool("restore", file, "--data-dir", data, "--engine", to).stdout
    assert tool("store", "check", "--data-dir", data).stdout.endswith("sound\n")
    assert dump(data) == dump(broker.data)
    other = restartable(f"storage.engine={to}", data=data).start()
    postbox.broker = other
    postbox.check()


def test_a_backup_replaces_nothing_unasked_and_a_restore_nothing_at_all(restartable, tmp_path):
    broker = restartable().start()
    furnish(broker)
    file = tmp_path / "backup"
    tool("backup", file, "--data-dir", broker.data)
    first = file.read_bytes()
    assert "--force" in tool("backup", file, "--data-dir", broker.data, expect=64).stderr
    assert file.read_bytes() == first
    tool("backup", file, "--force", "--data-dir", broker.data)
    assert file.read_bytes() != first
    assert not (tmp_path / "backup.partial").exists()
    with open(tmp_path / "out", "wb") as out:
        done = subprocess.run([STROWGER, "backup", "-", "--data-dir", broker.data], stdout=out, timeout=60)
    assert done.returncode == 0
    tool("restore", tmp_path / "out", "--data-dir", tmp_path / "one")
    assert "is not empty" in tool("restore", file, "--data-dir", tmp_path / "one", expect=74).stderr

    raw = bytearray(file.read_bytes())
    raw[len(raw) // 2] ^= 1
    (tmp_path / "wrong").write_bytes(raw)
    (tmp_path / "cut").write_bytes(raw[:-1])
    for name in ("wrong", "cut"):
        tool("restore", tmp_path / name, "--data-dir", tmp_path / "two", expect=65)
        assert not (tmp_path / "two").exists()


class Load:
    """Publishers that post until they are stopped; each books what was acknowledged in a box of its own."""

    def __init__(self, broker, publishers=4):
        self.boxes = [Postbox(broker, f"load{number}", qos=1 + number % 2) for number in range(publishers)]
        self.retained = {}
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self._post, args=(box,)) for box in self.boxes]
        for thread in self.threads:
            thread.start()

    def _post(self, box):
        try:
            with Wire.open(box.broker.address) as pub:
                for number in itertools.count():
                    if self.stopping.is_set():
                        return
                    box.post(pub, "x" * 200, qos=box.qos)
                    if number % 10 == 0:
                        pub.publish(f"state/{box.name}", str(number), qos=1, retain=True)
                        self.retained[box.name] = number
        except (OSError, AssertionError, TimeoutError):
            return  # The broker was killed.

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(30)


@pytest.mark.parametrize("engine", ["fjall", "sled"])
def test_a_backup_under_load_holds_all_that_was_acknowledged_before_it(restartable, tmp_path, engine):
    small = ["storage.journal_segment_bytes=1048576", "storage.journal_bytes_max=8388608"]
    broker = restartable(f"storage.engine={engine}", *small, *LONG_QUEUES).start()
    kept = furnish(broker)
    load = Load(broker)
    time.sleep(1.5)
    before = {box.name: list(box.acked) for box in load.boxes}
    retained_before = dict(load.retained)
    file, data = tmp_path / "backup", tmp_path / "restored"
    tool("backup", file, "--data-dir", broker.data)
    after = {box.name: list(box.posted) for box in load.boxes}
    time.sleep(0.3)
    broker.kill()
    load.stop()
    assert "backup started" in broker.log() and "backup finished" in broker.log()
    assert all(len(box.acked) > len(before[box.name]) > 20 for box in load.boxes), "there was no load"

    tool("restore", file, "--data-dir", data)
    assert tool("store", "check", "--data-dir", data).stdout.endswith("sound\n")
    other = restartable("storage.engine=fjall", *LONG_QUEUES, data=data).start()
    for box in load.boxes:
        box.broker = other
        got = box.collect()
        assert got[: len(before[box.name])] == before[box.name], f"{box.name}: acknowledged before it and not in it"
        assert got == after[box.name][: len(got)], f"{box.name}: a gap, disorder, or a message from after it"
    kept.broker = other
    kept.check()
    with Wire.open(other.address) as sub:
        sub.subscribe("state/+", qos=1)
        for _ in load.boxes:
            got = sub.take()
            assert int(got.payload) >= retained_before[got.topic.removeprefix("state/")]
    with Wire.open(other.address, "under way", V5, **KEPT) as wire:
        assert wire.connack.session_present


def control(broker, timeout=10):
    wire = socket.socket(socket.AF_UNIX)
    wire.settimeout(timeout)
    wire.connect(str(broker.data / "control.sock"))
    return wire


def frames(wire):
    raw = b"".join(iter(lambda: wire.recv(65536), b""))
    while raw:
        kind, length = struct.unpack("<cI", raw[:5])
        yield kind, raw[5 : 5 + length]
        raw = raw[5 + length :]


def test_the_second_backup_is_told_of_the_first_and_one_that_leaves_ends_its_own(restartable, tmp_path):
    broker = restartable(*LONG_QUEUES).start()
    box = Postbox(broker, "full")
    with Wire.open(broker.address) as pub:
        for number in range(300):
            assert box.post(pub, "x" * 60_000) == 0
    assert stat.S_IMODE((broker.data / "control.sock").stat().st_mode) == 0o600
    slow = control(broker)
    slow.sendall(b"backup 1\n")
    assert slow.recv(1) == b"d"
    said = tool("backup", tmp_path / "second", "--data-dir", broker.data, expect=69).stderr
    assert "another backup is under way" in said
    assert not list(tmp_path.glob("second*"))
    slow.close()
    deadline = time.monotonic() + 10
    while "backup given up" not in broker.log():
        assert time.monotonic() < deadline, broker.log()
        with Wire.open(broker.address) as pub:
            assert box.post(pub, "the store serves meanwhile") == 0
    tool("backup", tmp_path / "third", "--data-dir", broker.data)
    with control(broker) as wire:
        wire.sendall(b"brew coffee\n")
        assert [kind for kind, _ in frames(wire)] == [b"f"]
    assert broker.stop() == 0
    assert not (broker.data / "control.sock").exists()


def test_a_backup_that_holds_too_much_back_is_given_up_before_anybody_is_refused(restartable):
    small = ["storage.journal_segment_bytes=1048576", "storage.journal_bytes_max=4194304"]
    broker = restartable(*small, *LONG_QUEUES).start()
    box = Postbox(broker, "full")
    with Wire.open(broker.address) as pub:
        for number in range(100):
            assert box.post(pub, "x" * 60_000) == 0
        slow = control(broker)
        slow.sendall(b"backup 1\n")
        assert slow.recv(1) == b"d"
        for number in range(300):
            assert box.post(pub, "x" * 60_000) == 0
        assert "what changed meanwhile takes" in broker.log()
        assert [kind for kind, _ in frames(slow)][-1:] != [b"e"]
        for number in range(100):
            assert box.post(pub, "x" * 60_000) == 0
    slow.close()
    box.check()
    assert "no room" not in broker.log()


def test_a_broker_that_is_killed_during_a_backup_leaves_no_file(restartable, tmp_path):
    broker = restartable(*LONG_QUEUES).start()
    box = Postbox(broker, "full")
    with Wire.open(broker.address) as pub:
        for number in range(300):
            assert box.post(pub, "x" * 60_000) == 0
    # What does not read stops the broker half-way.
    read, write = os.pipe()
    command = [STROWGER, "backup", "-", "--data-dir", broker.data]
    halted = subprocess.Popen(command, stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    # A command that has nothing from the broker yet would read the directory by itself.
    first = os.read(read, 1)
    time.sleep(0.5)
    broker.kill()
    got = first + b"".join(iter(lambda: os.read(read, 1 << 16), b""))
    os.close(read)
    assert halted.wait(20) == 69
    assert "the broker has gone" in halted.stderr.read()
    (tmp_path / "half").write_bytes(got)
    tool("restore", tmp_path / "half", "--data-dir", tmp_path / "data", expect=65)
    # The socket that the broker left is no broker.
    assert (broker.data / "control.sock").exists()
    tool("backup", tmp_path / "whole", "--data-dir", broker.data)
    broker.start()
    tool("backup", tmp_path / "whole", "--force", "--data-dir", broker.data)


def test_an_unfinished_restore_is_not_served(restartable, tmp_path):
    broker = restartable(*LONG_QUEUES).start()
    box = Postbox(broker, "full")
    with Wire.open(broker.address) as pub:
        for number in range(300):
            assert box.post(pub, "x" * 60_000) == 0
    file, data = tmp_path / "backup", tmp_path / "data"
    tool("backup", file, "--data-dir", broker.data)
    command = [STROWGER, "restore", file, "--data-dir", data]
    half = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not (data / "journal").is_dir() or not list((data / "journal").iterdir()):
        assert half.poll() is None
    half.send_signal(signal.SIGKILL)
    half.wait()
    if "version" in (data / "FORMAT").read_text():
        pytest.skip("the restore was faster than the kill")
    code, said = restartable(data=data).refusal()
    assert code == 65 and "a restore into this directory was not finished" in said
    shutil.rmtree(data)
    tool("restore", file, "--data-dir", data)
    box.broker = restartable(*LONG_QUEUES, data=data).start()
    box.check()
    assert pathlib.Path(file).exists()
