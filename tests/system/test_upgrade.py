"""`strowger upgrade`: another binary takes over in the same process, and no client is refused or loses a message."""

import asyncio
import contextlib
import http.client
import json
import os
import pathlib
import shutil
import socket
import stat
import subprocess
import threading
import time

import exchange
import pytest
from exchange import strowger
from fleet import Fleet
from wire import PINGREQ, V311, Kind, Will, Wire, connect, publish

pytestmark = pytest.mark.strowger


def store_of(broker):
    return broker.log_path.parent / f"store-{broker.port}"


def upgrade(broker, *arguments, **options):
    return strowger("upgrade", "--data-dir", store_of(broker), *arguments, timeout=60, **options)


def status(broker):
    done = strowger("status", "--json", "--data-dir", store_of(broker))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def ping(wire):
    wire.send(PINGREQ)
    wire.expect(Kind.PINGRESP)


def receive_maximum(broker):
    """What the CONNACK says of it."""
    with Wire(broker.address) as wire:
        wire.send(connect("asker"))
        return wire.expect(Kind.CONNACK).properties["receive_maximum"]


def own_binary(tmp_path):
    """A copy of the binary that a test may replace."""
    copy = tmp_path / "strowger"
    shutil.copy2(exchange.STROWGER, copy)
    return copy


def test_clients_publish_and_read_through_three_upgrades(start):
    broker = start()
    pid = broker.process.pid

    async def drive():
        fleet = Fleet(broker.address, pairs=25, messages_per_sec=250)
        await fleet.start()
        for number in range(1, 4):
            await asyncio.sleep(1)
            done = await asyncio.to_thread(upgrade, broker)
            assert done.returncode == 0, done.stderr + broker.log()
            assert f"in process {pid}" in done.stdout
            assert status(broker)["upgrades"] == number
        await asyncio.sleep(1)
        await fleet.finish()
        return fleet

    fleet = asyncio.run(drive())
    assert fleet.acknowledged() > 250
    assert fleet.lost() == 0
    assert fleet.twice() == 0
    assert (fleet.refused, fleet.broken, fleet.unwelcome) == (0, 0, 0)
    goodbyes = {reason for client in fleet.devices + fleet.readers for reason in client.goodbyes}
    assert goodbyes == {0x8B}
    assert broker.process.poll() is None
    assert broker.stop() == 0


@pytest.mark.parametrize(("before", "after"), [(1, 3), (3, 1)])
def test_another_number_of_lines_accepts_from_all_sockets(start, tmp_path, before, after):
    conf = tmp_path / "strowger.toml"
    conf.write_text(f"[broker]\nlines = {before}\n")
    port = exchange.free_port()
    command = [exchange.STROWGER, "serve", "--conf", conf, "--bind", f"127.0.0.1:{port}", "--data-dir", tmp_path / "data"]
    with serving(command, tmp_path) as broker:
        connected(port)
        conf.write_text(f"[broker]\nlines = {after}\n")
        done = strowger("upgrade", "--data-dir", tmp_path / "data", timeout=60)
        assert done.returncode == 0, done.stderr
        assert len(broker.listening()) >= max(before, after)
        # The kernel spreads them over all sockets of the port; one that nobody accepts from would keep some waiting.
        wires = [Wire.open(("127.0.0.1", port), f"client-{at}", timeout=20) for at in range(40)]
        for wire in wires:
            ping(wire)
            wire.drop()


class serving:
    """A broker that is started with exactly this command."""

    def __init__(self, command, directory, env=None):
        self.command, self.log_path = [str(part) for part in command], directory / "serving.log"
        self.env = env

    def __enter__(self):
        with open(self.log_path, "wb") as log:
            env = {name: value for name, value in (os.environ | (self.env or {})).items() if value is not None}
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=env)
        deadline = time.monotonic() + 20
        while b"listening for MQTT" not in self.log_path.read_bytes():
            assert self.process.poll() is None and time.monotonic() < deadline, self.log_path.read_text()
            time.sleep(0.05)
        return self

    def listening(self):
        """The listening sockets of the process."""
        inodes = set()
        for entry in pathlib.Path(f"/proc/{self.process.pid}/fd").iterdir():
            # One that was closed meanwhile is none.
            with contextlib.suppress(FileNotFoundError):
                inodes.add(os.readlink(entry).removeprefix("socket:[").rstrip("]"))
        rows = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
        return [row[1] for row in rows if row[3] == "0A" and row[9] in inodes]

    def __exit__(self, *failure):
        if self.process.poll() is None:
            self.process.terminate()
        assert self.process.wait(20) == 0, self.log_path.read_text()


def alive(port):
    """Whether operators are answered there."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as line:
        line.request("GET", "/livez")
        return line.getresponse().status == 200


def connected(port):
    with Wire.open(("127.0.0.1", port), "probe", timeout=20) as wire:
        ping(wire)


def test_who_connects_meanwhile_waits_and_is_served(start):
    """The kernel's queue goes on: a connection that is made while nobody accepts gets its CONNACK from the next binary."""
    broker = start()
    before = Wire.open(broker.address, "before", V311)
    done = {}
    thread = threading.Thread(target=lambda: done.update(result=upgrade(broker)))
    thread.start()
    before.expect_closed(within=10)
    late = [Wire.open(broker.address, f"late-{at}", timeout=30) for at in range(20)]
    thread.join()
    assert done["result"].returncode == 0, done["result"].stderr
    for wire in late:
        ping(wire)


def test_operators_who_come_meanwhile_wait_and_are_answered(start):
    port, answers, over = exchange.free_port(), [], threading.Event()
    broker = start("--set", f"admin.bind=127.0.0.1:{port}")

    def look():
        while not over.is_set():
            with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as line:
                try:
                    line.request("GET", "/livez")
                    answers.append(line.getresponse().status)
                except ConnectionRefusedError:
                    answers.append("refused")
                except (ConnectionError, http.client.HTTPException):
                    # It was being answered by the binary that went.
                    answers.append("ended")

    thread = threading.Thread(target=look)
    thread.start()
    try:
        for _ in range(2):
            assert upgrade(broker).returncode == 0, broker.log()
            before = len(answers)
            while len(answers) < before + 5:
                time.sleep(0.05)
    finally:
        over.set()
        thread.join()
    assert "refused" not in answers and answers.count("ended") <= 2, answers
    assert answers[-1] == 200


def test_a_listener_for_operators_that_would_not_open_changes_nothing(tmp_path):
    """The answer comes before the old binary goes, not after."""
    conf, port, own = tmp_path / "c.toml", exchange.free_port(), exchange.free_port()
    other = socket.create_server(("127.0.0.1", 0))
    good = f'[admin]\nbind = "127.0.0.1:{own}"\n'
    conf.write_text(good)
    command = [exchange.STROWGER, "serve", "--conf", conf, "--bind", f"127.0.0.1:{port}", "--data-dir", tmp_path / "data"]
    with serving(command, tmp_path, {"STROWGER_ADMIN__BIND": None}):
        client = Wire.open(("127.0.0.1", port), "stays")
        for text, words in [
            (f'[admin]\nbind = "127.0.0.1:{other.getsockname()[1]}"\n', "--set admin.bind=HOST:PORT"),
            (f'{good}certificate = "/nowhere.pem"\nkey = "/nowhere.key"\n', "/nowhere.key"),
        ]:
            conf.write_text(text)
            done = strowger("upgrade", "--data-dir", tmp_path / "data", timeout=60)
            assert done.returncode == 69 and words in done.stderr, done
        ping(client)
        conf.write_text(good)
        assert strowger("upgrade", "--data-dir", tmp_path / "data", timeout=60).returncode == 0
        assert alive(own)
        client.drop()


def test_a_binary_that_would_not_serve_changes_nothing(start, tmp_path):
    broker = start()
    client = Wire.open(broker.address, "stays")
    silent, wrong, missing = tmp_path / "silent", tmp_path / "wrong", tmp_path / "missing"
    silent.write_text("#!/bin/sh\nexit 0\n")
    wrong.write_text("#!/bin/sh\necho no such option >&2\nexit 64\n")
    for script in (silent, wrong):
        script.chmod(0o755)
    for binary, words in [
        (silent, "it says nothing of its version"),
        (wrong, "no such option"),
        (missing, "No such file"),
        (tmp_path, "denied"),
    ]:
        done = upgrade(broker, binary)
        assert done.returncode == 69, (binary, done)
        assert words in done.stderr and "was not upgraded" in done.stderr
        assert len(done.stderr.splitlines()) == 1
    ping(client)
    assert status(broker)["upgrades"] == 0


def test_a_broken_configuration_changes_nothing(start, tmp_path):
    conf = tmp_path / "strowger.toml"
    conf.write_text("")
    broker = start("--conf", conf)
    client = Wire.open(broker.address, "stays")
    other = socket.create_server(("127.0.0.1", 0))
    for text, words in [
        ("[session]\nreceive_maximum = 1\n", "session.receive_maximum"),
        (f'[[listeners]]\nbind = "127.0.0.1:{other.getsockname()[1]}"\ntransport = "tcp"\n', "in use"),
        ('[acl]\nfile = "/nowhere"\n', "/nowhere"),
    ]:
        conf.write_text(text)
        done = upgrade(broker)
        assert done.returncode == 69 and words in done.stderr, done
    ping(client)
    conf.write_text("")
    assert upgrade(broker).returncode == 0


def test_a_binary_that_breaks_at_the_last_moment_gives_the_old_one_its_place_back(start, tmp_path):
    """It answers the question, and is not there any more when it is to take over."""
    own = exchange.free_port()
    broker = start("--set", f"admin.bind=127.0.0.1:{own}")
    reader = Wire.open(broker.address, "reader", clean=False, session_expiry=100)
    reader.subscribe("t", qos=1)
    treacherous = tmp_path / "treacherous"
    treacherous.write_text('#!/bin/sh\nrm "$0"\necho strowger 9.9\n')
    treacherous.chmod(0o755)
    done = upgrade(broker, treacherous)
    assert done.returncode == 69 and "went on with the old binary" in done.stderr, done
    assert "could not take over" in status(broker)["upgrade_failure"]
    assert alive(own)
    reader.expect_disconnect(0x8B, within=5)
    with Wire.open(broker.address, "writer") as writer:
        writer.publish("t", b"still here", qos=1)
    again = Wire.open(broker.address, "reader", clean=False, session_expiry=100)
    assert again.expect(Kind.PUBLISH).payload == b"still here"


def test_the_file_that_was_replaced_takes_over(tmp_path):
    """As a package does it: the file has another inode, and the process goes on in it."""
    binary, port = own_binary(tmp_path), exchange.free_port()
    data = tmp_path / "data"
    with serving([binary, "serve", "--bind", f"127.0.0.1:{port}", "--data-dir", data], tmp_path) as broker:
        fresh = tmp_path / "fresh"
        shutil.copy2(binary, fresh)
        inode = fresh.stat()[stat.ST_INO]
        fresh.rename(binary)
        assert strowger("upgrade", "--data-dir", data, timeout=60).returncode == 0
        assert pathlib.Path(f"/proc/{broker.process.pid}/exe").stat()[stat.ST_INO] == inode
        connected(port)


@contextlib.contextmanager
def stalled(broker):
    """A client that reads nothing and has much to read."""
    with Wire.open(broker.address) as one, Wire.open(broker.address) as pub:
        one.subscribe("flood", qos=0)
        for _ in range(600):
            pub.send(publish("flood", bytes(20000)))
        pub.publish("end", b"", qos=1)
        yield one


def test_who_has_not_sent_connect_keeps_no_upgrade(start):
    """His connection ends before the broker makes way, so that he can be served by the next."""
    broker = start()
    with socket.create_connection(broker.address) as silent:
        assert upgrade(broker).returncode == 0
        silent.settimeout(5)
        assert silent.recv(10) == b""
    assert "did not take their goodbye" not in broker.log()


def test_an_upgrade_without_a_time_for_goodbyes_says_them_all_the_same(start):
    broker = start("--set", "broker.drain_timeout_secs=0")
    clients = [Wire.open(broker.address) for _ in range(4)]
    assert upgrade(broker).returncode == 0
    for client in clients:
        assert client.expect_closed(within=20)[-1].reason == 0x8B, broker.log()


def test_a_stop_while_a_binary_does_not_answer_is_a_stop(start, tmp_path):
    broker = start()
    silent, asked = tmp_path / "silent", tmp_path / "asked"
    silent.write_text(f"#!/bin/sh\necho $$ > {asked}.new\nmv {asked}.new {asked}\nexec sleep 90\n")
    silent.chmod(0o755)
    thread = threading.Thread(target=lambda: upgrade(broker, silent))
    thread.start()
    deadline = time.monotonic() + 20
    while not asked.exists():
        assert time.monotonic() < deadline, broker.log()
        time.sleep(0.01)
    began = time.monotonic()
    assert broker.stop(within=60) == 0
    assert time.monotonic() - began < 15
    # Who was asked does not stay behind.
    left, deadline = pathlib.Path(f"/proc/{asked.read_text().strip()}"), time.monotonic() + 20
    while left.exists():
        assert time.monotonic() < deadline, broker.log()
        time.sleep(0.01)
    thread.join()


def test_what_was_reloaded_holds_after_a_failed_upgrade(start, tmp_path):
    """Also if the file of settings has changed once more."""
    conf, port = tmp_path / "own.toml", exchange.free_port()
    conf.write_text("[session]\nreceive_maximum = 111\n")
    broker = start("--conf", conf)
    listener = f'[[listeners]]\nname = "second"\nbind = "127.0.0.1:{port}"\ntransport = "tcp"\n'
    conf.write_text(f"[session]\nreceive_maximum = 222\n{listener}")
    assert strowger("reload", "--data-dir", store_of(broker)).returncode == 0
    assert receive_maximum(broker) == 222
    treacherous = tmp_path / "treacherous"
    treacherous.write_text('#!/bin/sh\nrm "$0"\necho strowger 9.9\n')
    treacherous.chmod(0o755)
    conf.write_text(f"[session]\nreceive_maximum = 333\n{listener}")
    done = upgrade(broker, treacherous)
    assert done.returncode == 69 and "went on with the old binary" in done.stderr, done
    assert receive_maximum(broker) == 222
    connected(port)
    assert strowger("reload", "--data-dir", store_of(broker)).returncode == 0
    assert receive_maximum(broker) == 333


def test_a_stop_that_comes_while_a_binary_makes_way_is_a_stop(start):
    broker = start()
    # One who does not take his goodbye is waited for.
    with stalled(broker):
        done = {}
        thread = threading.Thread(target=lambda: done.update(result=upgrade(broker)))
        thread.start()
        deadline = time.monotonic() + 20
        while "making way" not in broker.log():
            assert time.monotonic() < deadline, broker.log()
            time.sleep(0.01)
        assert broker.stop() == 0
        thread.join()
    assert "no other binary takes over" in broker.log()
    assert done["result"].returncode == 69 and "its process is gone" in done["result"].stderr


def test_descriptors_do_not_pile_up(start):
    broker = start()
    counts = []
    for _ in range(3):
        assert upgrade(broker).returncode == 0
        time.sleep(0.5)
        counts.append(len(list(pathlib.Path(f"/proc/{broker.process.pid}/fd").iterdir())))
    assert max(counts) - min(counts) <= 2, counts


def test_wills_of_clients_that_return_are_not_published(start):
    broker = start("--set", "daemon.upgrade_grace_secs=3")
    before = [
        Wire.open(broker.address, name, session_expiry=expiry, will=Will(f"will/{name}", b"gone", qos=1))
        for name, expiry in [("back", 100), ("back-anew", 0), ("gone", 100), ("gone-anew", 0)]
    ]
    assert upgrade(broker).returncode == 0
    watch = Wire.open(broker.address, "watch")
    watch.subscribe("will/+", qos=1)
    for wire in before:
        wire.expect_disconnect(0x8B)
    kept = [Wire.open(broker.address, name, will=Will(f"will/{name}", b"again", qos=1)) for name in ("back", "back-anew")]
    heard = {watch.expect(Kind.PUBLISH, 10).topic for _ in range(2)}
    assert heard == {"will/gone", "will/gone-anew"}
    watch.expect_silence(1.0)
    assert len(kept) == 2


def test_a_broker_without_a_store_is_upgraded_only_knowingly(start):
    broker = start("--set", "storage.engine=memory")
    done = upgrade(broker)
    assert done.returncode == 69 and "--lossy" in done.stderr
    assert upgrade(broker, "--lossy").returncode == 0
    connected(broker.port)


def test_unix_sockets_stay_and_unwanted_listeners_go(tmp_path):
    conf, path, port, second = tmp_path / "c.toml", tmp_path / "mqtt.sock", exchange.free_port(), exchange.free_port()
    listeners = f'[[listeners]]\nbind = "{path}"\ntransport = "unix"\n'
    further = f'[[listeners]]\nbind = "127.0.0.1:{second}"\ntransport = "tcp"\n'
    conf.write_text(listeners + further)
    command = [exchange.STROWGER, "serve", "--conf", conf, "--bind", f"127.0.0.1:{port}", "--data-dir", tmp_path / "data"]
    with serving(command, tmp_path):
        connected(second)
        inode = path.stat()[stat.ST_INO]
        conf.write_text(listeners)
        assert strowger("upgrade", "--data-dir", tmp_path / "data", timeout=60).returncode == 0
        assert path.stat()[stat.ST_INO] == inode
        with socket.socket(socket.AF_UNIX) as one:
            one.connect(str(path))
        connected(port)
        with pytest.raises(ConnectionError):
            socket.create_connection(("127.0.0.1", second), timeout=1)
    assert not path.exists()
