"""Who comes in, and what he may do: password files, rights, and both changed while the broker serves."""

import os
import signal
import stat
import subprocess
import time

import exchange
import pytest
from authority import Authority
from wire import V5, V311, Kind, Will, Wire, connect

pytestmark = pytest.mark.strowger

NOT_AUTHORIZED = 0x87


def passwd(file, name, password, *options):
    done = exchange.strowger("passwd", file, name, *options, input=f"{password}\n")
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture
def passwords(tmp_path):
    file = tmp_path / "passwords"
    passwd(file, "ann", "ann's secret")
    passwd(file, "bob", "bob's secret")
    return file


@pytest.fixture
def guarded(start, passwords):
    """Starts a broker that knows Ann and Bob, with these lines of rights if there are any."""

    def begin(*lines, options=()):
        settings = ["--set", f"auth.password_file={passwords}", "--set", "auth.anonymous=deny"]
        if lines:
            rights = passwords.with_name("rights")
            rights.write_text("".join(f"{line}\n" for line in lines))
            settings += ["--set", f"acl.file={rights}"]
        return start(*settings, *options)

    return begin


def reload(broker):
    """SIGHUP, and what the log says of it."""
    before = len(broker.log())
    broker.process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        news = broker.log()[before:]
        if "reloaded" in news or "stays as it was" in news:
            return news
        time.sleep(0.02)
    raise AssertionError(f"nothing about a reload:\n{broker.log()}")


def pub(broker, *options):
    return exchange.run("mosquitto_pub", "-p", broker.port, "-t", "a/b", "-m", "x", *options)


def refused(broker, client_id, version, **options):
    """Whether a CONNECT is refused, aloud and with the connection's end."""
    wire = Wire(broker.address, version)
    wire.send(connect(client_id, version, **options))
    answer = wire.expect(Kind.CONNACK)
    if answer.reason:
        assert wire.expect_closed() == []
    wire.drop()
    return answer.reason != 0


def test_a_password_opens_the_door_and_nothing_else_does(guarded):
    broker = guarded()
    assert pub(broker, "-u", "ann", "-P", "ann's secret", "-q", "1").returncode == 0
    refused = [
        ["-u", "ann", "-P", "bob's secret"],
        ["-u", "ann", "-P", ""],
        ["-u", "ann"],
        ["-u", "nobody", "-P", "ann's secret"],
        ["-u", "", "-P", "ann's secret"],
        [],
    ]
    for version in ["mqttv31", "mqttv311", "mqttv5"]:
        for options in refused:
            done = pub(broker, "-V", version, *options)
            assert done.returncode != 0, (version, options)
    assert "ann's secret" not in broker.log()


def test_the_password_file_is_the_owners_alone_and_holds_no_password(passwords):
    assert stat.S_IMODE(os.stat(passwords).st_mode) == 0o600
    text = passwords.read_text()
    assert "secret" not in text and text.startswith("ann:$argon2id$")


def test_files_of_mosquitto_are_read(start, tmp_path):
    file = tmp_path / "mosquitto-passwords"
    file.touch()
    for name in ["carl", "dora"]:
        subprocess.run(["mosquitto_passwd", "-b", file, name, f"{name}'s secret"], check=True, capture_output=True)
    broker = start("--set", f"auth.password_file={file}", "--set", "auth.anonymous=deny")
    assert pub(broker, "-u", "carl", "-P", "carl's secret").returncode == 0
    assert pub(broker, "-u", "dora", "-P", "carl's secret").returncode != 0


@pytest.mark.parametrize("text", ["", "ann\n", "ann:\n", "ann:plain\n", "ann:$argon2id$v=19$m=19456,t=2,p=1$c2Fs", None])
def test_a_password_file_that_is_no_good_keeps_the_broker_from_starting(tmp_path, text):
    file = tmp_path / "passwords"
    if text is not None:
        file.write_text(text)
    done = exchange.strowger(
        "serve", "--bind", "127.0.0.1:0", "--set", f"auth.password_file={file}", "--set", "storage.engine=memory"
    )
    assert done.returncode == 64, done.stderr
    assert str(file) in done.stderr


def test_a_reload_takes_what_is_good_and_leaves_what_is_not(guarded, passwords):
    broker = guarded()
    passwd(passwords, "eve", "eve's secret")
    assert pub(broker, "-u", "eve", "-P", "eve's secret").returncode != 0
    assert "reloaded" in reload(broker)
    assert pub(broker, "-u", "eve", "-P", "eve's secret").returncode == 0
    good = passwords.read_bytes()
    for broken in [b"", good[: len(good) // 2], b"\xff\xfe", good + b"x:y\n"]:
        passwords.write_bytes(broken)
        assert "stays as it was" in reload(broker), broken
        assert pub(broker, "-u", "ann", "-P", "ann's secret").returncode == 0
        assert pub(broker, "-u", "x", "-P", "y").returncode != 0


@pytest.mark.parametrize("version", [V311, V5], ids=["3.1.1", "5.0"])
def test_who_is_taken_out_of_the_file_on_the_way_in_stays_outside(guarded, passwords, version):
    """The password was right when it was looked at; the reload came before the CONNACK."""
    rules = passwords.with_name("rules.toml")
    rules.write_text("""
        [[rule]]
        name = "wait"
        on = ["connect"]
        when = "rate('once', 1, 3600)"
        then = [{ block_ms = 10000 }]
    """)
    broker = guarded(options=["--set", f"rules.file={rules}"])
    waiting = []
    for name in ["ann", "bob"]:
        wire = Wire(broker.address, version)
        wire.send(connect(name, version, username=name, password=f"{name}'s secret"))
        waiting.append(wire)
    time.sleep(0.5)
    assert exchange.strowger("passwd", passwords, "bob", "--delete").returncode == 0
    assert "reloaded" in reload(broker)
    ann, bob = (wire.expect(Kind.CONNACK, timeout=30).reason for wire in waiting)
    assert (ann, bob) == (0, 0x86 if version == V5 else 4)


def test_rights_hold_on_the_way_in_and_on_the_way_out(guarded):
    broker = guarded("user ann", "topic readwrite a/#", "user bob", "topic read a/b")
    ann = Wire.open(broker.address, "ann", V5, username="ann", password=b"ann's secret")
    bob = Wire.open(broker.address, "bob", V5, username="bob", password=b"bob's secret")
    assert bob.subscribe("a/b", qos=1) == [1]
    assert bob.subscribe("c/#", qos=1) == [NOT_AUTHORIZED]
    assert ann.publish("a/b", b"for bob", qos=1).reason == 0
    assert bob.take().payload == b"for bob"
    assert ann.publish("c/d", b"no", qos=1).reason == NOT_AUTHORIZED
    assert bob.publish("a/b", b"no", qos=1).reason == NOT_AUTHORIZED
    ann.drop()
    bob.drop()


def test_a_right_that_is_taken_away_acts_at_once(guarded, passwords):
    broker = guarded("user ann", "topic readwrite a/#", "user bob", "topic read a/b")
    ann = Wire.open(broker.address, "ann", V5, username="ann", password=b"ann's secret")
    bob = Wire.open(broker.address, "bob", V5, username="bob", password=b"bob's secret")
    assert bob.subscribe("a/b", qos=1) == [1]
    passwords.with_name("rights").write_text("user ann\ntopic readwrite a/#\n")
    assert "reloaded" in reload(broker)
    ann.publish("a/b", b"not for bob", qos=1)
    bob.expect_disconnect(NOT_AUTHORIZED)
    passwords.with_name("rights").write_text("user ann\nno such word\n")
    assert "rights:2" in reload(broker)
    assert ann.publish("a/b", b"still", qos=1).reason in (0, 0x10)
    ann.drop()


@pytest.mark.parametrize("version", [V311, V5])
def test_a_session_is_its_owners(guarded, version):
    broker = guarded()
    ann = Wire.open(broker.address, "device", version, username="ann", password=b"ann's secret", clean=False)
    for clean in [False, True]:
        assert refused(broker, "device", version, username="bob", password=b"bob's secret", clean=clean)
    ann.publish("still/here", b"x", qos=1)
    ann.drop()


def test_nobody_without_a_name_comes_from_elsewhere(start):
    """With nobody to ask, the loopback is open; other addresses of this machine are not the loopback."""
    address = next((line.split()[3].split("/")[0] for line in addresses() if "127." not in line), None)
    if address is None:
        pytest.skip("this machine has no address besides the loopback")
    port = exchange.free_port()
    broker = start("--bind", f"{address}:{port}")
    assert pub(broker).returncode == 0
    done = exchange.run("mosquitto_pub", "-h", address, "-p", port, "-t", "a", "-m", "x")
    assert done.returncode != 0
    assert "auth.anonymous" in broker.log()


def addresses():
    return exchange.run("ip", "-4", "-o", "addr").stdout.splitlines()


def test_explain_names_the_line(tmp_path):
    rights = tmp_path / "rights"
    rights.write_text("deny publish plant/+/config\nuser ann\ntopic readwrite plant/#\n")

    def explain(*arguments):
        return exchange.strowger("explain", *arguments, "--as", "ann", "--acl", rights)

    allowed = explain("publish", "plant/1/state", "-q", "1")
    assert allowed.returncode == 0, allowed.stderr
    assert "ann may publish to plant/1/state at QoS 1" in allowed.stdout
    assert f"{rights}:3: topic readwrite plant/#" in allowed.stdout
    denied = explain("publish", "plant/1/config")
    assert denied.returncode == 1
    assert f"{rights}:1: deny publish plant/+/config" in denied.stdout
    assert explain("subscribe", "other/#").returncode == 1
    assert explain("publish", "plant/#").returncode == 64
    wide = explain("subscribe", "#")
    assert wide.returncode == 0 and "each delivery is judged" in wide.stdout


def test_a_certificate_is_a_user(start, tmp_path):
    authority = Authority(tmp_path)
    server = authority.issue("server", hosts=["localhost", "127.0.0.1"])
    rights = tmp_path / "rights"
    rights.write_text("user ann\ntopic readwrite a/#\n")
    conf, port = tmp_path / "conf.toml", exchange.free_port()
    conf.write_text(
        f'[[listeners]]\nbind = "127.0.0.1:{port}"\ntransport = "tls"\ncertificate = "{server[0]}"\n'
        f'key = "{server[1]}"\nclient_ca = "{authority.pem}"\n'
        f'[auth]\nanonymous = "deny"\ncertificate_name = "common_name"\n[acl]\nfile = "{rights}"\n'
    )
    broker = start("--conf", conf)

    def publish(who, *options):
        certificate = authority.issue(who)
        tls = ["--cafile", authority.pem, "--cert", certificate[0], "--key", certificate[1]]
        return exchange.run(
            "mosquitto_pub", "-p", port, *tls, "-V", "mqttv5", "-q", "1", "-t", "a/b", "-m", "x", *options
        )

    assert publish("ann").returncode == 0, broker.log()
    assert "Not authorized" in publish("bob").stderr
    assert publish("ann", "-u", "bob").returncode != 0
    assert publish("bob", "-u", "ann").returncode != 0
    assert pub(broker).returncode != 0


def test_a_session_without_a_name_comes_back_after_a_restart(restartable):
    """Where nobody proves a name, one that is claimed is not the session's."""
    broker = restartable().start()
    with Wire.open(broker.address, "device", V311, username="claimed", clean=False) as wire:
        wire.subscribe("a/b", qos=1)
    broker.kill()
    broker.start()
    with Wire.open(broker.address, "device", V311, username="another", clean=False) as wire:
        assert wire.connack.session_present


def test_a_will_that_is_forbidden_by_a_restart_is_not_published(restartable, tmp_path):
    rights = tmp_path / "rights"
    rights.write_text("everyone\nallow all #\n")
    broker = restartable(f"acl.file={rights}").start()
    clients = []
    for client_id in ["allowed", "forbidden"]:
        will = Will(f"wills/{client_id}", b"gone", qos=1, retain=True)
        clients.append(Wire.open(broker.address, client_id, V5, will=will, session_expiry=0))
    broker.kill()
    rights.write_text("everyone\ndeny will wills/forbidden\nallow all #\n")
    broker.start()
    with Wire.open(broker.address, "reader", V5) as reader:
        reader.subscribe("wills/#", qos=1)
        assert reader.take().topic == "wills/allowed"
        reader.expect_silence(1)
