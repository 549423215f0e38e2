"""`strowger import`: what Mosquitto answers by a configuration, Strowger answers by what was made of it."""

import contextlib
import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time

import exchange
import paho.mqtt.client as mqtt
import pytest
from authority import Authority

pytestmark = pytest.mark.strowger

MOSQUITTO = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
TOPICS = [
    "open/a", "open/b/c", "plant/7/temp", "plant/7/secret", "user/ann/x", "user/bob/x", "client/ann-1/x", "closed/x",
]  # fmt: skip
FILTERS = ["#", "open/#", "plant/+/temp", "plant/7/#", "user/ann/#", "client/ann-1/#", "$SYS/broker/version"]


class Attempt:
    """One client: how it comes, and what it sees. `passes` are its name and password, `port` its door."""

    def __init__(
        self, port, name=None, password=None, *, client_id="", transport="tcp", authority=None, pair=None
    ):
        self.connected, self.arrived, self.got = threading.Event(), threading.Event(), []
        self.code = None
        self.client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2, client_id=client_id, transport=transport, protocol=mqtt.MQTTv5
        )
        if transport == "websockets":
            self.client.ws_set_options("/mqtt")
        if name:
            self.client.username_pw_set(name, password)
        if authority:
            context = ssl.create_default_context(cafile=authority)
            if pair:
                context.load_cert_chain(*pair)
            self.client.tls_set_context(context)
        self.client.on_connect = self.on_connect
        self.client.on_message = self.on_message
        self.client.on_disconnect = lambda *_: self.connected.set()
        self.client.on_connect_fail = lambda *_: self.connected.set()
        self.port = port

    def on_connect(self, _client, _data, _flags, reason, _properties):
        self.code = reason.value
        self.connected.set()

    def on_message(self, _client, _data, message):
        self.got.append((message.topic, message.payload))
        if message.topic.startswith("done/"):
            self.arrived.set()

    def __enter__(self):
        with contextlib.suppress(OSError):
            self.client.connect("localhost", self.port)
            self.client.loop_start()
            self.connected.wait(5)
        return self

    def __exit__(self, *_):
        self.client.disconnect()
        self.client.loop_stop()

    @property
    def is_in(self):
        return self.code == 0

    def subscribe(self, *filters):
        done = threading.Event()
        self.client.on_subscribe = lambda *_: done.set()
        self.client.subscribe([(one, 1) for one in filters])
        assert done.wait(5), "no SUBACK"

    def publish(self, topic, payload=b"x"):
        with contextlib.suppress(RuntimeError, ValueError):
            self.client.publish(topic, payload, qos=1).wait_for_publish(5)


def is_state(topic):
    """What a broker says of itself differs, and comes when it likes."""
    return topic.startswith("$SYS/")


class Running:
    """A broker as a process, until the block ends."""

    def __init__(self, port, *command, log):
        self.port, self.log = port, log
        with open(log, "wb") as out:
            self.process = subprocess.Popen(
                [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )

    def __enter__(self):
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log.read_text()
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return self
            time.sleep(0.02)
        raise AssertionError(self.log.read_text())

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(15)


def imported(tmp_path, conf, *options, exit_code=0):
    out = tmp_path / "imported"
    done = exchange.strowger("import", conf, "--out", out, "--data-dir", tmp_path / "data", *options)
    assert done.returncode == exit_code, done.stdout + done.stderr
    return out / "strowger.toml", done.stdout


def both(tmp_path, port, text, ask, *, exit_code=0):
    """What `ask` finds at Mosquitto and then, by the same text, at Strowger."""
    conf = tmp_path / "mosquitto.conf"
    # Where the tests run as root, Mosquitto would go on as a user who cannot read their files.
    conf.write_text(f"user root\n{text}")
    with Running(port, MOSQUITTO, "-c", conf, log=tmp_path / "mosquitto.log"):
        theirs = ask()
    settings, report = imported(tmp_path, conf, exit_code=exit_code)
    with Running(port, exchange.STROWGER, "serve", "--conf", settings, log=tmp_path / "strowger.log"):
        ours = ask()
    return theirs, ours, report


@pytest.fixture
def passwords(tmp_path):
    file = tmp_path / "passwords.mosquitto"
    file.touch()
    for name in ["ann", "bob", "chief"]:
        exchange.run("mosquitto_passwd", "-b", file, name, f"{name}'s")
    file.chmod(0o644)
    return file


@pytest.fixture
def acl(tmp_path):
    file = tmp_path / "acl.mosquitto"
    file.write_text(
        "# before the first user: nobody in particular\ntopic read open/#\n\n"
        "user chief\ntopic readwrite #\ntopic read $SYS/#\n\n"
        "user ann\ntopic open/#\ntopic read plant/#\ntopic deny plant/+/secret\n\n"
        "user bob\ntopic write plant/7/temp\n\n"
        "pattern readwrite user/%u/#\npattern write client/%c/x\npattern read done/%c"
    )
    file.chmod(0o644)
    return file


def test_the_same_clients_come_in_and_may_do_the_same(tmp_path, passwords, acl):
    port = exchange.free_port()
    names = [(None, None), ("ann", "ann's"), ("bob", "bob's"), ("chief", "chief's")]
    strangers = [("ann", "wrong"), ("nobody", "x"), ("ann", None)]

    def ask():
        found = {}
        for name, password in [*names, *strangers]:
            with Attempt(port, name, password) as one:
                found["connect", name, password] = one.is_in
        with Attempt(port, "chief", "chief's", client_id="watch") as chief:
            chief.subscribe("#")
            for name, password in names:
                with Attempt(port, name, password, client_id=f"{name}-1") as one:
                    for topic in TOPICS:
                        one.publish(topic, f"from {name}".encode())
            chief.publish("done/watch")
            assert chief.arrived.wait(5)
            found["published"] = sorted(chief.got)
            for name, password in names:
                for filter_ in FILTERS:
                    with Attempt(port, name, password, client_id=f"{name}-2") as one:
                        one.subscribe(filter_, f"done/{name}-2")
                        for topic in TOPICS:
                            chief.publish(topic)
                        chief.publish(f"done/{name}-2")
                        assert one.arrived.wait(5), (name, filter_)
                        found["state", name, filter_] = any(is_state(topic) for topic, _ in one.got)
                        got = {topic: body for topic, body in one.got if not is_state(topic)}
                        found["subscribe", name, filter_] = sorted(got.items())
        return found

    text = f"listener {port} 127.0.0.1\nallow_anonymous true\npassword_file {passwords}\nacl_file {acl}\n"
    theirs, ours, report = both(tmp_path, port, text, ask)
    assert theirs == ours
    assert theirs["connect", "ann", "ann's"] and not theirs["connect", "ann", "wrong"]
    assert ("plant/7/temp", b"from bob") in theirs["published"]
    assert ("plant/7/temp", b"x") in theirs["subscribe", "ann", "#"] and "NOT CONVERTED" not in report
    assert [key[1] for key, seen in theirs.items() if key[0] == "state" and seen] == ["chief"]
    assert oct((tmp_path / "imported" / "passwords").stat().st_mode)[-3:] == "640"


def test_certificates_and_web_sockets_open_the_same_doors(tmp_path, passwords):
    authority = Authority(tmp_path)
    certificate, key, _ = authority.issue("localhost", hosts=["localhost", "127.0.0.1"])
    device, device_key, _ = authority.issue("device-7")
    stranger = Authority(tmp_path, "stranger").issue("device-8")[:2]
    for file in tmp_path.iterdir():
        file.chmod(0o644)
    tls, mutual, web = exchange.free_port(), exchange.free_port(), exchange.free_port()

    def ask():
        def comes_in(*arguments, **options):
            with Attempt(*arguments, **options) as one:
                return one.is_in

        secure = {"authority": authority.pem}
        return {
            "tls": comes_in(tls, "ann", "ann's", **secure),
            "tls, wrong": comes_in(tls, "ann", "bob's", **secure),
            "tls, nobody": comes_in(tls, **secure),
            "no tls": comes_in(tls, "ann", "ann's"),
            "certificate": comes_in(mutual, pair=(device, device_key), **secure),
            "certificate of another": comes_in(mutual, pair=stranger, **secure),
            "no certificate": comes_in(mutual, "ann", "ann's", **secure),
            "web": comes_in(web, "ann", "ann's", transport="websockets"),
            "web, nobody": comes_in(web, transport="websockets"),
        }

    files = f"certfile {certificate}\nkeyfile {key}\ncafile {authority.pem}\n"
    text = (
        f"password_file {passwords}\nlistener {tls}\n{files}listener {mutual}\n{files}require_certificate true\n"
        f"use_identity_as_username true\nlistener {web}\nprotocol websockets\n"
    )
    theirs, ours, _ = both(tmp_path, tls, text, ask)
    assert theirs == ours
    assert [what for what, is_in in theirs.items() if is_in] == ["tls", "certificate", "web"]


def test_listeners_keep_their_own_strangers(tmp_path, passwords):
    guests, members = exchange.free_port(), exchange.free_port()

    def ask():
        found = {}
        for port in ["guests", "members"]:
            for name, password in [(None, None), ("ann", "ann's"), ("ann", "wrong")]:
                with Attempt({"guests": guests, "members": members}[port], name, password) as one:
                    found[port, name, password] = one.is_in
        return found

    text = (
        f"per_listener_settings true\nlistener {guests} 127.0.0.1\nallow_anonymous true\npassword_file {passwords}\n"
        f"listener {members} 127.0.0.1\nallow_anonymous false\npassword_file {passwords}\n"
    )
    theirs, ours, _ = both(tmp_path, guests, text, ask)
    assert theirs == ours
    assert theirs["guests", None, None] and not theirs["members", None, None] and theirs["members", "ann", "ann's"]


def test_without_a_word_about_strangers_none_comes_in(tmp_path):
    cases = [("listener {port}", False), ("port {port}", False), ("listener {port}\nallow_anonymous true", True)]
    for lines, is_in in cases:
        port = exchange.free_port()
        place = tmp_path / str(port)
        place.mkdir()

        def ask(port=port):
            found = []
            for name, password in [(None, None), ("ann", "x")]:
                with Attempt(port, name, password) as one:
                    found.append(one.is_in)
            return found

        theirs, ours, _ = both(place, port, lines.format(port=port) + "\n", ask)
        assert theirs == ours == [is_in, is_in], lines


def test_what_was_not_converted_is_said_with_the_exit_code(tmp_path):
    conf = tmp_path / "mosquitto.conf"
    port = exchange.free_port()
    conf.write_text(f"listener {port}\nconnection office\naddress 192.0.2.7\nremote_password swordfish\n")
    _, report = imported(tmp_path, conf, exit_code=1)
    assert f"{conf}:2: connection office\n    NOT CONVERTED: " in report and "swordfish" not in report
    assert "4 lines: 1 converted, 0 not needed, 3 not converted" in report
    done = exchange.strowger("import", conf, "--out", tmp_path / "imported")
    assert done.returncode == 64 and "is there already" in done.stderr


def test_what_is_retained_comes_over_as_the_page_says(tmp_path):
    """The loop of docs/MIGRATING.md, from mosquitto to Strowger."""
    ours, theirs = exchange.free_port(), exchange.free_port()
    loop = (exchange.ROOT / "docs/MIGRATING.md").read_text().split("```sh\n")[1].split("```")[0]
    loop = loop.replace("-p 1883", f"-p {theirs}").replace("-p 1884", f"-p {ours}").replace("-W 10", "-W 3")
    conf = tmp_path / "mosquitto.conf"
    conf.write_text(f"user root\nlistener {theirs} 127.0.0.1\nallow_anonymous true\n")
    retained = {f"state/{number}": f"{number}".encode() for number in range(10)}
    retained |= {"with a space/é": b"text", "bytes": bytes(range(256)), "lines": b"a\nb\n"}
    settings = ["--bind", f"127.0.0.1:{ours}", "--data-dir", tmp_path / "data", "--set", "admin.bind=none"]
    with (
        Running(theirs, MOSQUITTO, "-c", conf, log=tmp_path / "mosquitto.log"),
        Running(ours, exchange.STROWGER, "serve", *settings, log=tmp_path / "strowger.log"),
        Attempt(theirs) as publisher,
        Attempt(ours) as subscriber,
    ):
        for topic, payload in retained.items():
            publisher.client.publish(topic, payload, qos=1, retain=True).wait_for_publish(5)
        (tmp_path / "strowger").symlink_to(exchange.STROWGER)
        path = f"{tmp_path}:{os.environ['PATH']}"
        done = exchange.run("bash", "-c", loop, env={**os.environ, "PATH": path}, timeout=60)
        assert done.returncode == 0, done.stderr
        subscriber.subscribe("#", "done/#")
        subscriber.publish("done/all")
        assert subscriber.arrived.wait(10)
        assert dict(one for one in subscriber.got if one[0] != "done/all") == retained
