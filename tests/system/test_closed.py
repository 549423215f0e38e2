"""Whatever happens to those who say who a client is, nobody comes in who should not, and the broker stays up.

Each cell names what goes wrong, the reason code that the client gets, and what the log has to say: the culprit, and
what helps.
"""

import base64
import contextlib
import functools
import json
import pathlib
import select
import signal
import socket
import tempfile
import threading
import time

import exchange
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from office import Office
from stuck import Tracer, line_of
from wire import V5, Kind, Wire, connect

pytestmark = pytest.mark.strowger

IN, BAD_CREDENTIALS, UNAVAILABLE, BANNED = 0, 0x86, 0x88, 0x8A
YES = b'{"result":"allow"}'


class Played:
    """A server that does the same to each connection, whatever it is asked."""

    def __init__(self, act):
        self.act, self.listener = act, socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                one, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._play, args=(one,), daemon=True).start()

    def _play(self, one):
        with one:
            try:
                self.act(one)
            except OSError:
                pass

    def close(self):
        self.listener.close()


def hear(one):
    one.settimeout(1)
    try:
        return one.recv(65_536)
    except TimeoutError:
        return b""


def says(*pieces, then=0.0):
    """Hears something, says the pieces, and hangs up."""

    def act(one):
        hear(one)
        for piece in pieces:
            one.sendall(piece)
        time.sleep(then)

    return act


def hangs(one):
    time.sleep(30)


def hangs_up(one):
    one.close()


def drips(one):
    hear(one)
    while True:
        one.sendall(b"\x30")
        time.sleep(0.05)


def pours(one):
    hear(one)
    for _ in range(200):
        one.sendall(b"A" * 65_536)


def status(code, body=YES, **headers):
    head = f"HTTP/1.1 {code} X\r\ncontent-length: {len(body)}\r\nconnection: close\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return says(head.encode() + b"\r\n" + body)


@pytest.fixture
def played():
    servers = []

    def play(act):
        servers.append(Played(act))
        return servers[-1]

    yield play
    for server in servers:
        server.close()


def options(settings):
    return [part for setting in settings for part in ("--set", setting)]


def knock(broker, username="ann", password=b"secret"):
    """The reason code of the CONNACK."""
    with Wire(broker.address, V5) as wire:
        wire.send(connect("", V5, username=username, password=password))
        return wire.expect(Kind.CONNACK, timeout=10).reason


def remains_closed(broker, reason, *words):
    """Everybody gets the same reason, the log has the words in one line, and the broker is as well as before."""
    for username, password in [("ann", b"secret"), ("ann", b""), ("bob", b"secret")]:
        assert knock(broker, username, password) == reason, broker.log()
    lines = broker.log().splitlines()
    assert not words or any(all(word in line for word in words) for line in lines), (words, broker.log())
    assert broker.process.poll() is None


@pytest.mark.parametrize(
    ("act", "words"),
    [
        pytest.param(status(201), ["status 201"], id="201"),
        pytest.param(status(301, location="http://127.0.0.1/"), ["status 301"], id="301"),
        pytest.param(status(404), ["status 404"], id="404"),
        pytest.param(status(500), ["status 500"], id="500"),
        pytest.param(status(200, b""), ["JSON"], id="empty"),
        pytest.param(status(200, b"allow"), ["JSON"], id="garbage"),
        pytest.param(status(200, YES + YES), ["JSON"], id="more than one answer"),
        pytest.param(status(200, b'{"result":"allow","groups":["' + b"g" * 70_000 + b'"]}'), ["longer"], id="huge"),
        pytest.param(says(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n" + YES), [], id="cut off"),
        pytest.param(says(b"SSH-2.0-x\r\n"), [], id="not HTTP"),
        pytest.param(hangs, ["timed out"], id="time-out"),
        pytest.param(drips, [], id="slow"),
        pytest.param(pours, [], id="without end"),
        pytest.param(hangs_up, [], id="hangs up"),
    ],
)
def test_http_that_says_no_clear_yes(start, played, act, words):
    server = played(act)
    url = f"auth.http_url=http://127.0.0.1:{server.port}/"
    broker = start(*options([url, "auth.anonymous=deny", "auth.http_timeout_ms=300", "auth.http_cache_secs=0"]))
    remains_closed(broker, UNAVAILABLE, "127.0.0.1", "clients are turned away", *words)


def test_http_that_is_not_there(start):
    port = exchange.free_port()
    broker = start(*options([f"auth.http_url=http://127.0.0.1:{port}/", "auth.anonymous=deny"]))
    remains_closed(broker, UNAVAILABLE, "127.0.0.1", "clients are turned away", "refused")


@pytest.mark.parametrize("act", [status(204), status(200)])
def test_http_that_says_yes(start, played, act):
    """So that the cells above fail for what they name."""
    server = played(act)
    broker = start(*options([f"auth.http_url=http://127.0.0.1:{server.port}/", "auth.anonymous=deny"]))
    assert knock(broker) == IN


def test_http_that_says_no(start, played):
    server = played(status(200, b'{"result":"deny"}'))
    broker = start(*options([f"auth.http_url=http://127.0.0.1:{server.port}/", "auth.anonymous=deny"]))
    remains_closed(broker, BAD_CREDENTIALS)


DIRECTORIES = {
    "postgres": ["auth.sql_url=postgres://x:hidden@127.0.0.1:{port}/x"],
    "mysql": ["auth.sql_url=mysql://x:hidden@127.0.0.1:{port}/x"],
    "redis": ["auth.redis_url=redis://:hidden@127.0.0.1:{port}/0"],
    "ldap": ["auth.ldap_url=ldap://127.0.0.1:{port}", "auth.ldap_base=dc=example,dc=org"],
}
#: A result that is a success and no more than that, in BER: what any bind might be answered with.
LDAP_SUCCESS = bytes.fromhex("300c02010161070a010004000400")
ACTS = {
    "time-out": hangs,
    "hangs up": hangs_up,
    "garbage": says(b"\x00\xff garbage \r\n\x30\x03\x02\x01", then=0.2),
    "another protocol": says(b"HTTP/1.1 200 OK\r\n\r\n", then=0.2),
    "yes to everything": says(b"+OK\r\n" * 20, then=0.2),
    "half an answer": says(b"*2\r\n*3\r\n$5\r\nab", then=0.2),
    "huge": says(b"$99999999999\r\n", then=0.2),
    "announces much": says(b"\x30\x84\x7f\xff\xff\xff\x02", then=0.2),
    "a success that was not asked for": says(LDAP_SUCCESS, then=0.2),
    "a broken result": says(b"\x30\x05\x02\x01\x01\x65\x00", then=0.2),
    "slow": drips,
    "without end": pours,
}


@pytest.mark.parametrize("kind", DIRECTORIES)
@pytest.mark.parametrize("act", ACTS)
def test_a_directory_that_gives_no_clear_answer(start, played, kind, act):
    server = played(ACTS[act])
    settings = [setting.format(port=server.port) for setting in DIRECTORIES[kind]]
    broker = start(*options([*settings, "auth.anonymous=deny", "auth.directory_timeout_ms=300"]))
    remains_closed(broker, UNAVAILABLE, f"127.0.0.1:{server.port}", "clients are turned away", "see that it serves")
    assert "hidden" not in broker.log()
    assert broker.rss_mib() < 200


@pytest.mark.parametrize("kind", DIRECTORIES)
def test_a_directory_that_is_not_there(start, kind):
    port = exchange.free_port()
    settings = [setting.format(port=port) for setting in DIRECTORIES[kind]]
    broker = start(*options([*settings, "auth.anonymous=deny", "auth.directory_timeout_ms=300"]))
    remains_closed(broker, UNAVAILABLE, f"127.0.0.1:{port}", "clients are turned away, for", "see that it serves")


@pytest.mark.parametrize("text", [b"", b"no database", None])
def test_a_database_file_that_is_none(start, tmp_path, text):
    file = tmp_path / "users.db"
    if text is not None:
        file.write_bytes(text)
    settings = [f"auth.sql_url=sqlite://{file}", "auth.anonymous=deny"]
    if text is not None:
        # It is there and refuses the query, before anybody asks.
        done = exchange.strowger("serve", "--bind", "127.0.0.1:0", "--set", "storage.engine=memory", *options(settings))
        assert done.returncode == 64 and "auth.sql_query" in done.stderr and str(file) in done.stderr, done.stderr
        return
    broker = start(*options(settings))
    remains_closed(broker, UNAVAILABLE, str(file), "clients are turned away, for", "see that it serves")
    assert not file.exists()


@functools.cache
def key_set():
    """A set of keys that tokens could be checked with."""
    numbers = ec.generate_private_key(ec.SECP256R1()).public_key().public_numbers()

    def text(number):
        return base64.urlsafe_b64encode(number.to_bytes(32, "big")).rstrip(b"=").decode()

    key = {"kty": "EC", "crv": "P-256", "kid": "1", "alg": "ES256", "x": text(numbers.x), "y": text(numbers.y)}
    return json.dumps({"keys": [key]}).encode()


@functools.cache
def passwords():
    with tempfile.TemporaryDirectory() as directory:
        file = pathlib.Path(directory) / "passwords"
        done = exchange.strowger("passwd", file, "ann", input="secret\n")
        assert done.returncode == 0, done.stderr
        return file.read_bytes()


def rights():
    return b"user ann\ntopic readwrite a/#\n"


def bans():
    return b"client outcast\n"


def rules():
    return b'[[rule]]\nname = "small"\non = ["publish"]\nwhen = "size(payload) > 9"\nthen = [{ deny = "packet_too_large" }]\n'


#: Settings that name a file, and what makes a good one.
FILES = {
    "auth.password_file": passwords,
    "auth.jwt_keys": key_set,
    "acl.file": rights,
    "auth.bans_file": bans,
    "rules.file": rules,
}
#: What becomes of a good file.
DAMAGES = {
    "missing": lambda file, good: file.unlink(),
    "a directory": lambda file, good: (file.unlink(), file.mkdir()),
    "garbage": lambda file, good: file.write_bytes(b"\xff\xfe\x00garbage"),
    "no such words": lambda file, good: file.write_bytes(b"{]} :: no such words\n"),
    "half-written": lambda file, good: file.write_bytes(good[: len(good) * 2 // 3]),
    "half a line more": lambda file, good: file.write_bytes(good + good[: len(good) // 3].rstrip(b"\n")),
    "empty": lambda file, good: file.write_bytes(b""),
}
#: The last word of the log on a reload.
RELOADED = ["rules are as they were", "rules reloaded", "everything stays as it was"]
#: An empty list of bans bans nobody, and an empty book of rights allows nothing: both say what they mean.
FINE = {("auth.bans_file", "empty"), ("acl.file", "empty")}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("setting", FILES)
def test_a_file_that_is_no_good(start, tmp_path, setting, damage):
    """At a start the broker does not come up; at a reload it stays as it was, and says so."""
    file = tmp_path / "file"
    good = FILES[setting]()
    file.write_bytes(good)
    passwords_file = tmp_path / "passwords"
    passwords_file.write_bytes(passwords())
    settings = [f"auth.password_file={passwords_file}", "auth.anonymous=deny", f"{setting}={file}"]
    broker = start(*options(settings))
    DAMAGES[damage](file, good)
    is_fine = (setting, damage) in FINE
    before = len(broker.log())
    broker.process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + 10
    while not any(end in broker.log()[before:] for end in RELOADED) and time.monotonic() < deadline:
        time.sleep(0.02)
    news = broker.log()[before:].splitlines()
    if is_fine:
        assert not any("as it was" in line for line in news), news
    else:
        assert any("as it was" in line and str(file) in line for line in news), news
    assert knock(broker) == IN, broker.log()
    assert knock(broker, password=b"another") == BAD_CREDENTIALS
    assert knock(broker, username="bob") == BAD_CREDENTIALS
    done = exchange.strowger("check") if is_fine else exchange.strowger(
        "serve", "--bind", "127.0.0.1:0", "--set", "storage.engine=memory", *options(settings), timeout=10
    )  # fmt: skip
    assert done.returncode == (0 if is_fine else 64), done.stderr
    assert is_fine or str(file) in done.stderr, done.stderr


@pytest.mark.parametrize("act", [status(500), status(200, b"{}"), status(200, b"garbage"), hangs, hangs_up, drips])
def test_a_server_of_keys_that_gives_none(start, played, act):
    server = played(act)
    url = f"auth.jwt_keys=http://127.0.0.1:{server.port}/keys"
    settings = [url, "auth.anonymous=deny", "auth.http_timeout_ms=300", "auth.timeout_secs=3"]
    try:
        broker = start(*options(settings))
    except AssertionError as error:
        assert "127.0.0.1" in str(error) or "jwt" in str(error), error
        return
    for password in [b"a.b.c", b"eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm4ifQ.", b""]:
        assert knock(broker, password=password) in (BAD_CREDENTIALS, UNAVAILABLE), broker.log()




@pytest.mark.parametrize("by", ["file", "operator"])
def test_a_ban_that_comes_while_a_client_is_asked_about(start, played, tmp_path, by):
    """The bans that count are those of the moment in which the client would come in."""
    asked, answer = threading.Event(), threading.Event()

    def takes_its_time(one):
        hear(one)
        asked.set()
        answer.wait(60)
        status(200)(one)

    bans = tmp_path / "bans"
    bans.write_text("")
    url = f"auth.http_url=http://127.0.0.1:{played(takes_its_time).port}/"
    patience = ["auth.http_timeout_ms=50000", "auth.timeout_secs=60"]
    broker = start(*options([url, "auth.anonymous=deny", f"auth.bans_file={bans}", *patience]))
    wire = Wire(broker.address, V5, timeout=20)
    wire.send(connect("late", V5, username="ann", password=b"secret"))
    assert asked.wait(20)
    if by == "file":
        bans.write_text("user ann\n")
        assert Office(broker).ask("POST", "/reload")[0] == 200
    else:
        status_code, ban = Office(broker).ask("POST", "/bans", {"kind": "client_id", "value": "late"})
        assert (status_code, ban["disconnected"]) == (201, 0)
    answer.set()
    assert wire.expect(Kind.CONNACK).reason == BANNED
    wire.drop()


def test_a_ban_of_a_name_that_was_only_claimed(start):
    """Whoever would be refused at the next CONNECT does not stay inside."""
    broker = start(*options(["auth.anonymous=allow"]))
    with Wire(broker.address, V5) as wire:
        wire.send(connect("inside", V5, username="ann"))
        assert wire.expect(Kind.CONNACK).reason == IN
        status_code, ban = Office(broker).ask("POST", "/bans", {"kind": "username", "value": "ann"})
        assert (status_code, ban["disconnected"]) == (201, 1)
        assert wire.expect(Kind.DISCONNECT, timeout=10).reason == 0x98
    assert knock(broker) == BANNED


def test_a_line_that_is_stuck_keeps_no_ban_from_the_clients_of_others(start):
    broker = start(*options(["auth.anonymous=allow", "broker.lines=2", "admin.timeout_secs=1"]))
    office = Office(broker)
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(Wire(broker.address, V5)) for _ in range(16)]
        for number, wire in enumerate(wires):
            wire.send(connect(f"c{number}", V5, username="ann"))
            assert wire.expect(Kind.CONNACK).reason == IN
        tracer = Tracer(line_of(broker.process.pid))
        try:
            for number in range(20):
                status_code, ban = office.ask("POST", "/bans", {"kind": "username", "value": f"nobody-{number}"})
                assert (status_code, ban["complete"]) == (201, False)
            status_code, ban = office.ask("POST", "/bans", {"kind": "username", "value": "ann"})
            assert (status_code, ban["complete"]) == (201, False)
            assert select.select([wire.socket for wire in wires], [], [], 20)[0], "nobody was disconnected"
        finally:
            tracer.release()
        for wire in wires:
            assert wire.expect(Kind.DISCONNECT, timeout=20).reason == 0x98
