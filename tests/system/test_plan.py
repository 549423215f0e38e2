"""What `strowger plan` says is what a reload does: each kind of change is planned, carried out, and looked for on the wire."""

import json
import os
import re
import signal
import socket
import ssl
import threading
import time

import exchange
import pytest
from authority import Authority
from office import Office
from wire import V5, Kind, Over, Wire, connect, publish, readable

pytestmark = pytest.mark.strowger

NOT_AUTHORIZED, ADMINISTRATIVE, QUOTA, RATE = 0x87, 0x98, 0x97, 0x96
#: The last word of the log on a reload.
LAST = re.compile(r"rules reloaded|rules are as they were|everything stays as it was")


def wait_for(look, secs=10):
    deadline = time.monotonic() + secs
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"not within {secs} s")


class House:
    """A broker with a file of settings that tests rewrite."""

    def __init__(self, start, directory, settings=""):
        self.directory, self.settings = directory, directory / "house.toml"
        self.settings.write_text(settings)
        self.broker = start("--conf", self.settings)
        self.data = directory / f"store-{self.broker.port}"
        self.address = self.broker.address

    def plan(self, text, *options):
        new = self.directory / "next.toml"
        new.write_text(text)
        return exchange.strowger("plan", new, "--data-dir", self.data, *options)

    def said(self, text):
        done = self.plan(text)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    def hang_up(self):
        """SIGHUP, and what the log says of it."""
        before = len(self.broker.log())
        self.broker.process.send_signal(signal.SIGHUP)
        wait_for(lambda: LAST.search(self.broker.log()[before:]), 20)
        return self.broker.log()[before:]

    def change(self, text):
        """Plans, reloads, and holds what was done against what was planned; returns that."""
        planned = self.said(text)
        self.settings.write_text(text)
        news = self.hang_up()
        assert "reload refused" not in news, news
        done = re.findall(r"actors::reload: reload: (.*)", news) or ["nothing changes"]
        assert done == planned
        # What is left is what needs a restart.
        left = self.said(text)
        assert left == [line for line in planned if "needs a restart" in line] or left == ["nothing changes"], left
        return planned

    def refused(self, text=None):
        """Plans and reloads what is no good: nothing may change. Returns the reason."""
        text = self.settings.read_text() if text is None else text
        planned = self.plan(text)
        assert planned.returncode == 64 and planned.stdout == "", planned
        self.settings.write_text(text)
        news = self.hang_up()
        assert "reload refused: everything stays as it was" in news, news
        assert "reloaded" not in news, news
        why = planned.stderr.strip().removeprefix("strowger plan: ")
        assert why.replace("next.toml", "house.toml") in news.replace('\\"', '"'), (why, news)
        return why

    def open(self, client_id, **options):
        address = options.pop("address", self.address)
        return Wire.open(address, client_id, V5, **options)


@pytest.fixture
def house(start, tmp_path):
    return lambda settings="": House(start, tmp_path, settings)


def listener(name, port, transport="tcp", **more):
    lines = ["[[listeners]]", f'name = "{name}"', f'bind = "127.0.0.1:{port}"', f'transport = "{transport}"']
    lines += [f"{key} = {json.dumps(value)}" for key, value in more.items()]
    return "\n".join(lines) + "\n"


def section(name, **settings):
    return f"[{name}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items())


def has_more(wire):
    return bool(wire.buffer) or bool(readable([wire.socket], 0))


def is_open(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


def passwd(file, *names):
    for name in names:
        done = exchange.strowger("passwd", "-b", f"{name}'s secret", file, name)
        assert done.returncode == 0, done.stderr


def user(name):
    return {"username": name, "password": f"{name}'s secret".encode()}


# Nothing, and what needs a restart


def test_nothing_changes(house):
    one = house("[session]\nqueue_messages_max = 10000\n")
    assert one.change("# other words, the same settings\n") == ["nothing changes"]


def test_what_needs_a_restart_is_said_until_there_is_one(house):
    one = house()
    text = section("broker", lines=3) + section("packet", bytes_max=2048) + section("storage", cache_bytes=2097152)
    planned = one.change(text)
    assert planned == [
        "packet.bytes_max: 1048576 -> 2048 needs a restart",
        "storage.cache_bytes: 16777216 -> 2097152 needs a restart",
    ]
    with one.open("c") as wire:
        assert wire.publish("t", b"x" * 4000, qos=1).reason == 0x10
    assert one.said(text) == planned


# Listeners


def test_a_listener_is_opened(house):
    one, port = house(), exchange.free_port()
    assert one.change(listener("x", port)) == [f"opens listener x on 127.0.0.1:{port} for TCP"]
    with one.open("c", address=("127.0.0.1", port)) as wire:
        assert wire.publish("t", b"x", qos=1).reason == 0x10


def test_a_listener_is_closed_and_its_clients_are_told(house):
    port = exchange.free_port()
    one = house(listener("x", port))
    inside, outside = one.open("inside", address=("127.0.0.1", port)), one.open("outside")
    assert one.change("") == [f"closes listener x on 127.0.0.1:{port}; 1 client is disconnected (inside)"]
    inside.expect_disconnect(ADMINISTRATIVE)
    assert not is_open(port)
    assert outside.publish("t", b"x", qos=1).reason == 0x10
    outside.leave()


def test_a_listener_moves(house):
    before, after = exchange.free_port(), exchange.free_port()
    one = house(listener("x", before))
    inside = one.open("inside", address=("127.0.0.1", before))
    said = f"restarts listener x: its address changes from 127.0.0.1:{before} to 127.0.0.1:{after}"
    assert one.change(listener("x", after)) == [f"{said}; 1 client is disconnected (inside)"]
    inside.expect_disconnect(ADMINISTRATIVE)
    assert not is_open(before)
    one.open("again", address=("127.0.0.1", after)).leave()


def test_a_listener_becomes_another_on_the_same_socket(house):
    port = exchange.free_port()
    one = house(listener("x", port))
    inside = one.open("inside", address=("127.0.0.1", port))
    assert one.change(listener("y", port)) == ["restarts listener x: its name changes; 1 client is disconnected (inside)"]
    inside.expect_disconnect(ADMINISTRATIVE)
    again = one.open("again", address=("127.0.0.1", port))
    assert one.change(listener("y", port, "ws")) == [
        "restarts listener y: its transport changes; 1 client is disconnected (again)"
    ]
    again.expect_disconnect(ADMINISTRATIVE)
    plain = Wire(("127.0.0.1", port), V5)
    plain.send(connect("plain", V5))
    assert plain.socket.recv(100).startswith(b"HTTP/1.1 400")


def test_a_wider_address_takes_over_from_a_narrower_one(house):
    port = exchange.free_port()
    one = house(listener("x", port))
    planned = one.change(listener("x", port).replace("127.0.0.1", "0.0.0.0"))
    assert planned == [
        f"restarts listener x: its address changes from 127.0.0.1:{port} to 0.0.0.0:{port}; 0 clients are disconnected"
    ]
    one.open("c", address=("127.0.0.1", port)).leave()


def test_the_bounds_of_a_listener_change_and_its_clients_stay(house):
    port = exchange.free_port()
    one = house(listener("x", port))
    address = ("127.0.0.1", port)
    inside = [one.open(f"c{nth}", address=address) for nth in range(3)]
    assert one.change(listener("x", port, connections_max=2)) == [
        "listeners.x.connections_max: none -> 2",
        "listener x has 3 connections, which stay; nobody comes in above 2",
    ]
    late = Wire(address, V5)
    late.send(connect("late", V5))
    assert late.expect_closed() == []
    for wire in inside:
        assert wire.publish("t", b"x", qos=1).reason == 0x10
    for wire in inside[:2]:
        wire.leave()
    one.change(listener("x", port, connections_max=5))
    one.open("late", address=address).leave()
    inside[2].leave()


def test_a_unix_socket_comes_and_goes(house, tmp_path):
    one, path = house(), tmp_path / "s"
    text = f'[[listeners]]\nname = "u"\nbind = "{path}"\ntransport = "unix"\nmode = "0600"\n'
    assert one.change(text) == [f"opens listener u on {path} for a Unix socket"]
    with socket.socket(socket.AF_UNIX) as plain:
        plain.connect(str(path))
        plain.sendall(connect("c", V5))
        assert plain.recv(4)[0] == 0x20
        assert one.change(text.replace("0600", "0660")) == ['listeners.u.mode: "0600" -> "0660" needs a restart']
        assert one.change("") == [f"closes listener u on {path}; 1 client is disconnected (c)"]
    assert not path.exists()


def test_a_listener_of_quic_waits_for_a_restart(house, tmp_path):
    certificate, key, *_ = Authority(tmp_path).issue("server", hosts=["127.0.0.1"])
    one = house()
    text = listener("q", exchange.free_port(), "quic", certificate=str(certificate), key=str(key))
    assert one.change(text) == ["listener q needs a restart: listeners of QUIC are opened and closed with the broker"]


def test_an_address_that_somebody_else_has_refuses_all_of_it(house):
    one = house()
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        text = section("session", queue_messages_max=5)
        why = one.refused(listener("x", port) + text)
    assert f"cannot listen as x on 127.0.0.1:{port}" in why
    assert one.change(text) == ["session.queue_messages_max: 10000 -> 5"]


def test_certificates_are_renewed_and_client_certificates_wanted(house, tmp_path):
    authority, port = Authority(tmp_path), exchange.free_port()
    certificate, key, *_ = authority.issue("server", hosts=["127.0.0.1", "localhost"])
    text = listener("t", port, "tls", certificate=str(certificate), key=str(key))
    one = house(text)

    def door(serial=True):
        context = ssl.create_default_context(cafile=authority.pem)
        return context.wrap_socket(socket.create_connection(("127.0.0.1", port), 5), server_hostname="localhost")

    inside = Over(door(), V5).greet("inside")
    *_, serial = authority.issue("server", hosts=["127.0.0.1", "localhost"])
    assert one.change(text) == ["listener t: certificates are read again; its clients stay"]
    assert int(door().getpeercert()["serialNumber"], 16) == serial
    assert one.change(text + f'client_ca = "{authority.pem}"\n') == [f'listeners.t.client_ca: none -> "{authority.pem}"']
    assert inside.publish("t", b"x", qos=1).reason == 0x10
    with pytest.raises((OSError, AssertionError, EOFError)):
        Over(door(), V5).greet("without")
    inside.leave()


# Sessions and limits


def test_a_lower_queue_names_who_is_above(house):
    one = house()
    away = one.open("away", clean=False, session_expiry=3600)
    away.subscribe("q", qos=1)
    away.drop()
    with one.open("sender") as sender:
        wait_for(lambda: "client=away" in one.broker.log())
        for number in range(5):
            assert sender.publish("q", str(number), qos=1).reason == 0
        assert one.change(section("session", queue_messages_max=3)) == [
            "session.queue_messages_max: 10000 -> 3; 1 absent client has more waiting and gets nothing further before it "
            "is less (away)"
        ]
        assert sender.publish("q", b"5", qos=1).reason == QUOTA
        assert one.change(section("session", queue_messages_max=3, queue_full="drop")) == [
            'session.queue_full: "refuse" -> "drop"'
        ]
        assert sender.publish("q", b"6", qos=1).reason == 0
        assert one.change("") == ["session.queue_messages_max: 3 -> 10000", 'session.queue_full: "drop" -> "refuse"']
        assert sender.publish("q", b"7", qos=1).reason == 0
    with one.open("away", clean=False, session_expiry=3600) as away:
        assert [away.take().payload for _ in range(6)] == [b"0", b"1", b"2", b"3", b"4", b"7"]


def test_windows_hold_for_connections_that_come(house):
    one = house()
    old = one.open("old")
    text = section("session", receive_maximum=40, topic_alias_max=0, keep_alive_max_secs=30)
    planned = one.change(text)
    assert [line.split(",")[0] for line in planned] == [
        "session.receive_maximum: 1000 -> 40",
        "session.topic_alias_max: 32 -> 0",
        "session.keep_alive_max_secs: 3600 -> 30",
    ]
    assert all("for connections that come" in line for line in planned)
    old.send(publish("t", b"x", V5, topic_alias=7))
    assert old.publish("t", b"x", qos=1).reason == 0x10, "what it was granted holds"
    new = Wire(one.address, V5)
    new.send(connect("new", V5, keep_alive=60))
    granted = new.expect(Kind.CONNACK).properties
    assert (granted["receive_maximum"], granted["server_keep_alive"]) == (40, 30)
    new.send(publish("t", b"x", V5, topic_alias=7))
    new.expect_disconnect(0x94)
    old.leave()


def test_bounds_of_topics_and_subscriptions(house):
    one = house()
    with one.open("c") as wire:
        assert wire.subscribe("a/b/c/d/e/f/g/h/i", qos=1) == [1]
        planned = one.change(section("packet", topic_levels_max=8) + section("session", subscriptions_max=2))
        assert planned == ["packet.topic_levels_max: 128 -> 8", "session.subscriptions_max: 1000 -> 2"]
        assert wire.publish("a/b/c/d/e/f/g/h/i", b"x", qos=1).reason == 0x90
        assert wire.subscribe("x", qos=1) == [1]
        assert wire.subscribe("y", qos=1) == [QUOTA]


def test_bounds_of_retained_messages(house):
    quiet = section("broker", sys_interval_secs=0)
    one = house(quiet)
    with one.open("c") as wire:
        for topic in "abc":
            wire.publish(topic, b"x", qos=1, retain=True)
        planned = one.change(quiet + section("retained", messages_max=2, payload_bytes_max=4))
        assert planned == [
            "retained.messages_max: 1000000 -> 2; 3 are retained and stay, further topics are refused",
            "retained.payload_bytes_max: 1048576 -> 4",
        ]
        assert wire.publish("d", b"x", qos=1, retain=True).reason == QUOTA
        assert wire.publish("a", b"x" * 5, qos=1, retain=True).reason in (QUOTA, 0x95)
        assert wire.publish("a", b"y", qos=1, retain=True).reason == 0x10


def test_rates_hold_for_those_who_are_in(house):
    one = house()
    fast = one.open("fast")
    text = section("listener", client_messages_per_sec=1, client_messages_burst=2, client_too_fast="disconnect")
    assert one.change(text) == [
        "listener.client_messages_per_sec: 0 -> 1",
        "listener.client_messages_burst: 1000 -> 2",
        'listener.client_too_fast: "slow" -> "disconnect"',
    ]
    fast.send(*[publish("t", b"x", V5) for _ in range(10)])
    fast.expect_disconnect(RATE)


def test_memory_marks(house):
    one = house()
    assert one.change(section("overload", memory_bytes_max=1048576)) == ["overload.memory_bytes_max: 0 -> 1048576"]
    wait_for(lambda: "memory is scarce" in one.broker.log())
    # A line hears of it with its next tick.
    time.sleep(0.2)
    refused = Wire(one.address, V5)
    refused.send(connect("late", V5))
    assert refused.expect(Kind.CONNACK).reason == QUOTA
    one.change("")
    wait_for(lambda: "memory is ample again" in one.broker.log())
    time.sleep(0.2)
    one.open("late").leave()


def test_the_store_promises_less_for_some_topics(house):
    one = house()
    text = '[storage]\noverride = [{ filter = "t/#", durability = "memory" }]\n'
    assert one.change(text) == ['storage.override: [] -> [{ durability = "memory", filter = "t/#" }]']


# Users, rights and rules


def guarded(house, tmp_path, **more):
    users = tmp_path / "users"
    passwd(users, "ann", "bob")
    text = section("auth", password_file=str(users), anonymous="deny", **more)
    return house(text), text, users


def test_a_user_who_is_gone_is_sent_away(house, tmp_path):
    one, text, users = guarded(house, tmp_path)
    ann, bob = one.open("a", **user("ann")), one.open("b", **user("bob"))
    users.write_text("".join(line for line in users.read_text().splitlines(True) if not line.startswith("bob")))
    passwd(users, "eve")
    assert one.change(text) == [
        "users: 1 added, 1 gone",
        "disconnects 1 client whose user is gone or who may not come in any more (b)",
    ]
    bob.expect_disconnect(NOT_AUTHORIZED)
    assert ann.publish("t", b"x", qos=1).reason == 0x10
    one.open("e", **user("eve")).leave()
    ann.leave()


def test_another_password_does_not_send_anybody_away(house, tmp_path):
    one, text, users = guarded(house, tmp_path)
    ann = one.open("a", **user("ann"))
    assert exchange.strowger("passwd", "-b", "another", users, "ann").returncode == 0
    assert one.change(text) == ["users: 1 with another password or other groups"]
    assert ann.publish("t", b"x", qos=1).reason == 0x10
    refused = Wire(one.address, V5)
    refused.send(connect("a2", V5, **user("ann")))
    assert refused.expect(Kind.CONNACK).reason == 0x86
    ann.leave()


def test_nobody_comes_in_without_a_name_any_more(house):
    one = house()
    guest = one.open("guest")
    assert one.change(section("auth", anonymous="deny")) == [
        'auth.anonymous: "loopback" -> "deny"',
        "disconnects 1 client whose user is gone or who may not come in any more (guest)",
    ]
    guest.expect_disconnect(NOT_AUTHORIZED)
    one.change("")
    one.open("guest").leave()


def test_a_ban_sends_away(house, tmp_path):
    bans = tmp_path / "bans"
    bans.write_text("")
    text = section("auth", bans_file=str(bans))
    one = house(text)
    bad, good = one.open("bad"), one.open("good")
    bans.write_text("client bad\n")
    assert one.change(text) == ["bans: 0 before, 1 after", "disconnects 1 client who is banned (bad)"]
    bad.expect_disconnect(ADMINISTRATIVE)
    assert good.publish("t", b"x", qos=1).reason == 0x10
    good.leave()


def test_rights_say_whose_subscriptions_they_take(house, tmp_path):
    rights = tmp_path / "rights"
    one = house()
    wires = [one.open(f"c{nth}") for nth in range(12)]
    for wire in wires:
        assert wire.subscribe("open", "secret", qos=1) == [1, 1]
    staying = one.open("staying")
    staying.subscribe("open", qos=1)
    rights.write_text("allow subscribe open\nallow publish #\n")
    text = section("acl", file=str(rights))
    setting, line = one.change(text)
    assert setting == f'acl.file: "" -> "{rights}"'
    pattern = r"rights change: drops 12 subscriptions of 12 clients, which are disconnected \((c\d+, ){9}c\d+ and 2 more\)"
    assert re.fullmatch(pattern, line), line
    for wire in wires:
        wire.expect_disconnect(NOT_AUTHORIZED)
    # Rights that hurt nobody, then the book as it is, then none.
    rights.write_text("allow subscribe open\nallow publish #\nallow subscribe more\n")
    assert one.change(text) == ["rights change: nobody who is connected loses a subscription"]
    assert one.change(text) == ["nothing changes"]
    rights.write_text("allow publish #\n")
    kept = section("acl", file=str(rights), lost_subscriptions="keep")
    assert one.change(kept) == [
        'acl.lost_subscriptions: "disconnect" -> "keep"',
        "rights change: drops 1 subscription of 1 client, which stays (staying)",
    ]
    staying.publish("open", b"x", qos=1)
    staying.expect_silence()
    assert one.change("")[-1] == "rights change: nobody who is connected loses a subscription"
    assert staying.subscribe("secret", qos=1) == [1]
    staying.leave()


def test_rules_come_change_and_go(house, tmp_path):
    rules, one = tmp_path / "rules.toml", house()

    def rule(name, topic):
        return f'[[rule]]\nname = "{name}"\non = ["publish"]\ntopics = ["{topic}"]\nthen = [{{ deny = "not_authorized" }}]\n'

    text = section("rules", file=str(rules))
    with one.open("c") as wire:
        answers = lambda: [wire.publish(topic, b"x", qos=1).reason >= 0x80 for topic in "ab"]
        rules.write_text(rule("first", "a"))
        assert one.change(text) == [f'rules.file: "" -> "{rules}"', "rules: 0 before, 1 after; adds first"]
        assert answers() == [True, False]
        rules.write_text(rule("second", "b"))
        assert one.change(text) == ["rules: 1 before, 1 after; adds second; removes first"]
        assert answers() == [False, True]
        assert one.change("") == [f'rules.file: "{rules}" -> ""', "rules: 1 before, 0 after; removes second"]
        assert answers() == [False, False]


# The process


def test_the_level_of_the_log(house):
    one = house()
    assert one.change(section("log", level="debug")) == ['log.level: "info" -> "debug"']
    one.open("chatty").leave()
    wait_for(lambda: re.search(r"DEBUG .*connected.*chatty|DEBUG .*chatty.*connected", one.broker.log()))
    one.change("")
    one.open("silent").leave()
    assert not re.search(r"DEBUG .*silent", one.broker.log())


def test_reports_begin_and_end(house):
    one = house(section("broker", sys_interval_secs=0))
    with one.open("c") as wire:
        wire.subscribe("$SYS/broker/uptime")
        wire.expect_silence(1.5)
        assert one.change(section("broker", sys_interval_secs=1)) == ["broker.sys_interval_secs: 0 -> 1"]
        assert wire.take() and wire.take()
        one.change(section("broker", sys_interval_secs=0))
        # A report may have been under way.
        time.sleep(0.5)
        while has_more(wire):
            wire.take()
        wire.expect_silence(1.5)


def test_how_long_a_stop_may_take(house):
    one = house()
    assert one.change(section("broker", drain_timeout_secs=1)) == ["broker.drain_timeout_secs: 10 -> 1"]
    # A client that does not read its goodbye is waited for no longer than that.
    silent = socket.create_connection(one.address)
    silent.sendall(connect("silent", V5))
    begun = time.monotonic()
    assert one.broker.stop() == 0
    assert time.monotonic() - begun < 8
    silent.close()


# Whole, or not at all


def test_a_file_of_any_kind_that_is_no_good_refuses_the_whole_reload(house, tmp_path):
    authority, port = Authority(tmp_path), exchange.free_port()
    certificate, key, *_ = authority.issue("server", hosts=["127.0.0.1"])
    users, bans, rights, rules = (tmp_path / name for name in ("users", "bans", "rights", "rules.toml"))
    passwd(users, "ann")
    bans.write_text("client nobody\n")
    rights.write_text("allow all #\n")
    rules.write_text('[[rule]]\nname = "r"\non = ["publish"]\ntopics = ["no"]\nthen = ["allow"]\n')
    files = section("auth", password_file=str(users), bans_file=str(bans)) + section("acl", file=str(rights))
    files += section("rules", file=str(rules))
    text = listener("t", port, "tls", certificate=str(certificate), key=str(key)) + files
    one = house(text)
    inside = one.open("inside", **user("ann"))
    # What is good in it is not taken either: a queue of five, and nobody named ann.
    wanted = text + section("session", queue_messages_max=5)
    good = {file: file.read_bytes() for file in (users, bans, rights, rules, certificate, key)}
    times = {file: file.stat() for file in good}
    for file, broken, where in [
        (users, b"", str(users)),
        (users, good[users][:30], str(users)),
        (bans, b"client\n", f"{bans}:1"),
        (rights, b"no such word\n", f"{rights}:1"),
        (rights, b"allow all #", f"{rights}:1"),
        (rules, b"[[rule", f"{rules}:1"),
        (certificate, b"half a certi", str(certificate)),
        (key, b"", str(key)),
    ]:
        file.write_bytes(broken)
        assert where in one.refused(wanted), where
        file.write_bytes(good[file])
        os.utime(file, ns=(times[file].st_atime_ns, times[file].st_mtime_ns))
        assert inside.publish("t", b"x", qos=1).reason == 0x10
    for broken, where in [
        (wanted + "[session", "next.toml"),
        (wanted + "[acl]\nsuch = 1\n", "next.toml"),
        (text + section("session", queue_messages_max=0), "session.queue_messages_max"),
        (text.replace("[acl]\n", "[acl]\nno_such = 1\n"), "acl.no_such"),
        (wanted + section("storage", engine="memory", durability="disk"), "storage.durability"),
    ]:
        assert where in one.refused(broken), broken
    one.open("again", **user("ann")).leave()
    # After all that, what was refused is still what differs.
    assert one.change(wanted) == ["session.queue_messages_max: 10000 -> 5"]
    inside.leave()


def test_what_the_command_says_to_whom(house):
    one, port = house(), exchange.free_port()
    told = one.plan(listener("x", port), "--json")
    steps = json.loads(told.stdout)["steps"]
    assert [(step["kind"], step["subject"]) for step in steps] == [("open_listener", "x")]
    assert json.loads(one.plan("", "--json").stdout) == {"steps": []}
    nobody = exchange.strowger("plan", one.settings, "--data-dir", one.directory / "nobody")
    assert nobody.returncode == 69 and "no broker answers at" in nobody.stderr
    missing = exchange.strowger("plan", one.directory / "missing.toml", "--data-dir", one.data)
    assert missing.returncode == 74, missing.stderr
    typed = exchange.strowger("plan", "-", "--data-dir", one.data, input="")
    assert typed.stdout == "nothing changes\n"
    assert "next.toml:1" in one.plan("such\n").stderr
    assert not is_open(port), "a plan opens nothing"


def test_reloads_of_settings_under_load_lose_nothing(house):
    """Listeners, limits and rights change all the time while clients publish by a listener that stays and is exchanged."""
    port = exchange.free_port()
    one = house(listener("x", port))
    reader, writer = one.open("r", timeout=20), one.open("w", address=("127.0.0.1", port), timeout=20)
    reader.subscribe("load", qos=1)
    got, sent, over = [], 0, threading.Event()

    def receive():
        while not (over.is_set() and len(got) >= sent):
            got.append(int(reader.take(timeout=20).payload))

    thread = threading.Thread(target=receive)
    thread.start()
    extra = exchange.free_port()
    texts = [
        listener("x", port, connections_max=100) + listener("y", extra),
        listener("x", port, connect_burst=50) + section("session", queue_messages_max=5000),
        listener("x", port, client_messages_per_sec=100000),
    ]
    for round_ in range(15):
        one.settings.write_text(texts[round_ % len(texts)])
        before = len(one.broker.log())
        one.broker.process.send_signal(signal.SIGHUP)
        while not LAST.search(one.broker.log()[before:]):
            sent += 1
            assert writer.publish("load", str(sent - 1), qos=1).reason == 0
        # Those who come meanwhile come in.
        one.open(f"guest{round_}", address=("127.0.0.1", port)).leave()
    over.set()
    sent += 1
    writer.publish("load", str(sent - 1), qos=1)
    thread.join(30)
    assert got == list(range(sent))
    assert one.broker.log().count("reload refused") == 0
    reader.leave(), writer.leave()
    assert os.path.isdir(f"/proc/{one.broker.process.pid}")


def test_the_status_names_listeners_where_they_are(house):
    """Also after listeners before them in the list have gone, and of ports that the system chose."""
    ports = {name: exchange.free_port() for name in "xyz"}
    one = house(listener("x", ports["x"]) + listener("chosen", 0) + listener("y", ports["y"]))

    def places():
        done = exchange.strowger("status", "--json", "--data-dir", one.data)
        assert done.returncode == 0, done.stderr
        named = {listener["name"]: listener["address"] for listener in json.loads(done.stdout)["listeners"]}
        assert {item["name"]: item["endpoint"] for item in Office(one.broker).get("/listeners")["items"]} == named
        return named

    before = places()
    assert before["x"].endswith(f":{ports['x']}") and before["y"].endswith(f":{ports['y']}")
    assert not before["chosen"].endswith(":0")
    one.change(listener("chosen", 0, connections_max=7) + listener("z", ports["z"]) + listener("y", ports["y"]))
    after = places()
    assert after["z"].endswith(f":{ports['z']}")
    kept = [name for name in before if name != "x"]
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    assert "x" not in after
