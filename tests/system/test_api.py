"""The API for operators: who may ask for what, what it answers to anything, what it never says."""

import http.server
import json
import os
import pathlib
import re
import select
import socket
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest
from kit.authority import Authority
from kit.exchange import STROWGER, UNDER_TEST, Broker, free_port
from kit.wire import V5, Wire

pytestmark = pytest.mark.skipif(UNDER_TEST != "strowger", reason="the API is Strowger's own")

ROLES = ["viewer", "operator", "admin"]
# Planted where a secret belongs; nothing that the broker says may hold one of them.
PASSWORD = "planted-password-7f3a"
SQL_PASSWORD = "planted-sql-password-91cc"


def run(*command, data="", check=True):
    done = subprocess.run([STROWGER, *command], input=data, capture_output=True, text=True, timeout=30)
    assert not check or done.returncode == 0, done.stderr
    return done.stdout.strip()


class Office:
    """A broker with a listener for operators, and a token of each role."""

    def __init__(self, directory, *options):
        self.directory = pathlib.Path(directory)
        self.port = free_port()
        self.file, self.socket = self.directory / "admin.tokens", self.directory / "admin.sock"
        self.tokens = {role: run("token", "add", role, "--role", role, "--file", str(self.file)) for role in ROLES}
        sets = {"bind": f"127.0.0.1:{self.port}", "tokens_file": self.file, "socket": self.socket}
        sets = [part for key, value in sets.items() for part in ("--set", f"admin.{key}={value}")]
        self.broker = Broker(directory, *sets, *options)
        self.wait()

    def wait(self):
        deadline = time.monotonic() + 10
        while self.ask("GET", "/readyz")[0] != 200:
            assert time.monotonic() < deadline, self.broker.log()
            time.sleep(0.05)

    def ask(self, method, path, token=None, body=None, headers=None):
        """The status, the headers and the body of an answer."""
        headers = dict(headers or {})
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", body, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    def admin(self, method, path, body=None):
        status, _, answer = self.ask(method, path, self.tokens["admin"], body)
        assert status < 300, (status, answer)
        return json.loads(answer) if answer else None

    def raw(self, data, wait=5):
        """What comes back for bytes as they are, until the connection ends or is silent."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=wait) as wire:
            wire.sendall(data)
            answer = b""
            try:
                while part := wire.recv(65536):
                    answer += part
            except TimeoutError:
                pass
            return answer

    def close(self):
        self.broker.terminate()


@pytest.fixture(scope="module")
def office(tmp_path_factory):
    directory = tmp_path_factory.mktemp("office")
    passwords = directory / "passwords"
    run("passwd", str(passwords), "ann", data=PASSWORD + "\n")
    office = Office(
        directory,
        *("--set", f"auth.password_file={passwords}"),
        *("--set", "auth.anonymous=loopback"),
        *("--set", "admin.timeout_secs=3"),
        *("--set", "admin.body_bytes_max=65536"),
        # Schemathesis tries wrong tokens, many of them.
        *("--set", "admin.failures_max=1000000"),
        *("--set", "log.level=trace"),
    )
    login = ("-p", str(office.broker.port), "-u", "ann", "-P", PASSWORD)
    for number in range(3):
        run("pub", *login, "-t", f"plant/{number}/state", "-m", "on", "-r", "-q", "1")
    yield office
    office.close()


def description(office):
    status, _, text = office.ask("GET", "/openapi.json")
    assert status == 200
    return json.loads(text)


def cells(openapi):
    """Method, path with something in place of its parameters, and role of each endpoint."""
    for path, operations in openapi["paths"].items():
        for method, operation in operations.items():
            filled = re.sub(r"\{[^}]*\}", "nobody-at-all", path)
            needed = [p for p in operation.get("parameters", []) if p["in"] == "query" and p.get("required")]
            query = "&".join(f"{p['name']}=none-such" for p in needed)
            yield method.upper(), f"{filled}?{query}" if query else filled, operation.get("x-role"), operation


def test_every_endpoint_is_for_its_role_and_those_above(office):
    # A token that is about to be used up: what drains, stops or reloads is asked without a good body, or harmless here.
    openapi = description(office)
    checked = 0
    for method, path, needed, operation in cells(openapi):
        if needed is None:
            continue
        body = b"not JSON" if "requestBody" in operation else None
        for who, token in [("nobody", None), ("a stranger", "strowger_wrong"), *office.tokens.items()]:
            is_allowed = who in ROLES and ROLES.index(who) >= ROLES.index(needed)
            # Streams and WebSockets answer for ever where they are let in.
            if is_allowed and ("stream" in path or path in ("/api/v1/console", "/api/v1/events") or "trace" in path):
                continue
            status, _, answer = office.ask(method, path, token, body)
            if who not in ROLES:
                assert status == 401, (method, path, who, status, answer)
            elif is_allowed:
                assert status not in (401, 403), (method, path, who, status, answer)
            else:
                assert status == 403, (method, path, who, status, answer)
            checked += 1
    assert checked > 100


def test_what_is_open_is_named(office):
    open_to_all = {path for _, path, role, _ in cells(description(office)) if role is None}
    assert open_to_all <= {"/api/v1/login"}, open_to_all


def test_wrong_tokens_lock_an_address_out(tmp_path):
    office = Office(tmp_path, "--set", "admin.failures_max=3", "--set", "admin.lockout_secs=2")
    try:
        for _ in range(3):
            assert office.ask("GET", "/api/v1/overview", "strowger_wrong")[0] == 401
        status, headers, _ = office.ask("GET", "/api/v1/overview", "strowger_wrong")
        assert status == 429 and 1 <= int(headers["Retry-After"]) <= 2
        # A token of the broker's own making cannot be guessed: nobody is locked out with others of his address.
        assert office.ask("GET", "/api/v1/overview", office.tokens["admin"])[0] == 200
        time.sleep(2.1)
        assert office.ask("GET", "/api/v1/overview", "strowger_wrong")[0] == 401
        # The machine's own way in is never locked out.
        assert json.loads(run("clients", "--json", "--socket", str(office.socket))) is not None
    finally:
        office.close()


def test_a_token_that_is_removed_is_none_within_two_seconds(tmp_path):
    office = Office(tmp_path)
    try:
        assert office.ask("GET", "/api/v1/overview", office.tokens["viewer"])[0] == 200
        run("token", "remove", "viewer", "--file", str(office.file))
        time.sleep(2)
        assert office.ask("GET", "/api/v1/overview", office.tokens["viewer"])[0] == 401
    finally:
        office.close()


def test_what_a_removed_token_listens_to_ends(tmp_path):
    office = Office(tmp_path)
    head = f"Host: strowger\r\nAuthorization: Bearer {office.tokens['viewer']}\r\n\r\n"
    try:
        with socket.create_connection(("127.0.0.1", office.port), timeout=10) as events:
            events.sendall(f"GET /api/v1/events HTTP/1.1\r\n{head}".encode())
            while b": listening" not in events.recv(4096):
                pass
            run("token", "remove", "viewer", "--file", str(office.file))
            time.sleep(1.5)
            run("pub", "-p", str(office.broker.port), "-i", "meter", "-t", "a", "-m", "x")
            told = b""
            while part := events.recv(4096):
                told += part
            assert b"meter" not in told
    finally:
        office.close()


def test_open_metrics_are_not_read_by_a_name_that_leads_here(tmp_path):
    names = ("--set", "admin.metrics_hosts=localhost,broker.example.com")
    office = Office(tmp_path, *names, "--set", "admin.failures_max=2")
    hosts = {"127.0.0.1": 200, "localhost": 200, "broker.example.com": 200, "evil.example.net": 403}
    try:
        for host, expected in hosts.items():
            headers = {"Host": f"{host}:{office.port}"}
            assert office.ask("GET", "/metrics", headers=headers)[0] == expected, host
            # It says nothing that a page could not find out otherwise, and a probe may come by any name.
            assert office.ask("GET", "/livez", headers=headers)[0] == 200, host
        headers = {"Host": "evil.example.net"}
        assert office.ask("GET", "/metrics", office.tokens["viewer"], headers=headers)[0] == 200
        # Whoever sends a token is told what is wrong with it.
        assert [office.ask("GET", "/metrics", "wrong", headers=headers)[0] for _ in range(3)] == [401, 401, 429]
    finally:
        office.close()


def log_in(office, role):
    """A browser's session: the cookie that holds it."""
    status, headers, _ = office.ask("POST", "/api/v1/login", body={"token": office.tokens[role]})
    assert status == 200
    return headers["Set-Cookie"].split(";")[0]


def test_what_a_browser_listens_to_ends_with_its_session(tmp_path):
    office = Office(tmp_path)
    try:
        for leave in ("log out", "rotate"):
            cookie = log_in(office, "viewer")
            head = f"Host: strowger\r\nCookie: {cookie}\r\n\r\n"
            with socket.create_connection(("127.0.0.1", office.port), timeout=30) as events:
                events.sendall(f"GET /api/v1/events HTTP/1.1\r\n{head}".encode())
                while b": listening" not in events.recv(4096):
                    pass
                if leave == "log out":
                    headers = {"Cookie": cookie, "X-Strowger": "1"}
                    assert office.ask("DELETE", "/api/v1/login", headers=headers)[0] == 204
                else:
                    run("token", "remove", "viewer", "--file", str(office.file))
                    run("token", "add", "viewer", "--role", "viewer", "--file", str(office.file))
                deadline = time.monotonic() + 8
                while events.recv(4096):
                    assert time.monotonic() < deadline, "it goes on to its next heartbeat"
            assert office.ask("GET", "/api/v1/overview", headers={"Cookie": cookie})[0] == 401
    finally:
        office.close()


def test_the_socket_is_for_the_brokers_user_alone(office):
    assert office.socket.stat().st_mode & 0o777 == 0o600
    with socket.socket(socket.AF_UNIX) as wire:
        wire.connect(str(office.socket))
        wire.sendall(b"GET /api/v1/login HTTP/1.1\r\nHost: strowger\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: wire.recv(65536), b""))
    assert b'"role":"admin"' in answer


def test_a_client_certificate_has_the_role_of_its_name(tmp_path):
    authority = Authority(tmp_path)
    server, server_key, _ = authority.issue("localhost", hosts=("localhost",))
    client, client_key, _ = authority.issue("ops.example.com")
    stranger, stranger_key, _ = authority.issue("stranger.example.com")
    tokens = tmp_path / "tokens"
    run("token", "add", "ops.example.com", "--role", "operator", "--certificate", "--file", str(tokens))
    token = run("token", "add", "ann", "--role", "viewer", "--file", str(tokens))
    port = free_port()
    options = {"bind": f"127.0.0.1:{port}", "tokens_file": tokens, "certificate": server, "key": server_key}
    options["client_ca"] = authority.pem
    sets = [part for key, value in options.items() for part in ("--set", f"admin.{key}={value}")]
    broker = Broker(tmp_path, *sets)
    try:
        for pair, expected in [((client, client_key), 200), ((stranger, stranger_key), 401), (None, 401)]:
            context = ssl.create_default_context(cafile=str(authority.pem))
            if pair:
                context.load_cert_chain(*map(str, pair))
            request = urllib.request.Request(f"https://localhost:{port}/api/v1/login")
            try:
                with urllib.request.urlopen(request, timeout=10, context=context) as answer:
                    assert expected == 200 and json.loads(answer.read())["role"] == "operator"
            except urllib.error.HTTPError as error:
                assert error.code == expected
        # The cookie of a browser goes over TLS alone.
        login = json.dumps({"token": token}).encode()
        request = urllib.request.Request(f"https://localhost:{port}/api/v1/login", login, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10, context=context) as answer:
            assert "Secure" in answer.headers["Set-Cookie"]
    finally:
        broker.terminate()


def is_alive(port, source, tls=None):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=3, source_address=(source, 0)) as wire:
            with tls.wrap_socket(wire, server_hostname="localhost") if tls else wire as wire:
                wire.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                return wire.recv(4096).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def wait_alive(port, source, why, secs=20, tls=None):
    deadline = time.monotonic() + secs
    while not is_alive(port, source, tls):
        assert time.monotonic() < deadline, why


# Only a bound of one address helps within a minute; only the patience with whoever takes nothing makes room for his address.
@pytest.mark.parametrize(("timeout_secs", "asker"), [(120, "127.0.0.2"), (3, "127.0.0.1")], ids=["others", "its own"])
def test_clients_that_do_not_read_leave_places(tmp_path, timeout_secs, asker):
    sets = ("admin.connections_max=8", "admin.address_connections_max=6", f"admin.timeout_secs={timeout_secs}")
    office = Office(tmp_path, *(part for one in sets for part in ("--set", one)))
    requests = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n" * 2000
    idle = []
    try:
        for _ in range(20):
            wire = socket.socket()
            # Its window closes soon and stays so, while its system goes on answering.
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            wire.connect(("127.0.0.1", office.port))
            wire.setblocking(False)
            idle.append(wire)
            try:
                wire.send(requests)
            except OSError:
                pass
        # Some of them have an answer that they do not take.
        deadline = time.monotonic() + 20
        while not select.select(idle, [], [], 1)[0]:
            assert time.monotonic() < deadline
        wait_alive(office.port, asker, "no place is free", secs=40)
    finally:
        for wire in idle:
            wire.close()
        office.close()


def test_handshakes_that_never_end_leave_places_to_others(tmp_path):
    authority = Authority(tmp_path)
    certificate, key, _ = authority.issue("localhost", hosts=("localhost",))
    port = free_port()
    options = {"bind": f"127.0.0.1:{port}", "certificate": certificate, "key": key}
    options |= {"connections_max": 8, "address_connections_max": 4, "timeout_secs": 60}
    sets = [part for key, value in options.items() for part in ("--set", f"admin.{key}={value}")]
    broker = Broker(tmp_path, *sets)
    tls = ssl.create_default_context(cafile=str(authority.pem))
    silent = []
    try:
        wait_alive(port, "127.0.0.2", broker.log(), tls=tls)
        # Eight at a time, which have 3 s each, would take half a minute and more.
        for _ in range(100):
            silent.append(socket.create_connection(("127.0.0.1", port), timeout=10))
        wait_alive(port, "127.0.0.2", "one address has all places", tls=tls)
        # Its places are free again when it has gone.
        for wire in silent:
            wire.close()
        wait_alive(port, "127.0.0.1", "its places are never free", tls=tls)
    finally:
        for wire in silent:
            wire.close()
        broker.terminate()


def test_bodies_and_patience_have_bounds(office):
    token = office.tokens["operator"]
    status, _, _ = office.ask("POST", "/api/v1/publish", token, {"topic": "a", "payload": "x" * 70_000})
    assert status == 413
    head = f"POST /api/v1/publish HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
    head += "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    began = time.monotonic()
    answer = office.raw(head.encode(), wait=10)
    assert answer.startswith(b"HTTP/1.1 408"), answer
    assert time.monotonic() - began < 8
    # A head that never ends.
    answer = office.raw(b"GET /livez HTTP/1.1\r\nHost: x\r\n", wait=10)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 408"), answer


@pytest.mark.parametrize(
    "head",
    [
        # Which of the two says how long the body is? Whoever takes them differently can be lied to (RFC 9112, 6.3).
        b"POST /api/v1/login HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /api/v1/login HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n",
        b"POST /api/v1/login HTTP/1.1\r\nHost: x\r\nContent-Length: +4\r\n\r\n",
        b"POST /api/v1/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: x\r\nBad Name: x\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n",
    ],
    ids=["both lengths", "two lengths", "signed length", "unknown coding", "space in a name", "NUL in a value"],
)
def test_requests_with_two_meanings_are_refused(office, head):
    answer = office.raw(head + b"0\r\n\r\nGET /livez HTTP/1.1\r\nHost: x\r\n\r\n", wait=5)
    assert b"alive" not in answer and b"HTTP/1.1 200" not in answer, answer


def test_nothing_says_a_secret(office):
    token = office.tokens["admin"]
    run("sub", "-p", str(office.broker.port), "-u", "ann", "-P", "wrong-" + PASSWORD, "-t", "x", "-W", "1", check=False)
    said = []
    for method, path, role, _ in cells(description(office)):
        is_stream = "stream" in path or path in ("/api/v1/console", "/api/v1/events") or "trace" in path
        if method == "GET" and not is_stream:
            said.append((path, office.ask("GET", path, token)[2].decode(errors="replace")))
    said.append(("/metrics", office.ask("GET", "/metrics")[2].decode()))
    said.append(("the log", office.broker.log()))
    assert len(said) > 15
    for where, text in said:
        for secret in [PASSWORD, *office.tokens.values()]:
            assert secret not in text, f"{where} says a secret"
    hashes = re.findall(r"[0-9a-f]{64}", office.file.read_text())
    assert len(hashes) == 3 and not any(hash_ in text for _, text in said for hash_ in hashes)


def test_settings_hide_what_holds_a_password(tmp_path):
    # A broker with such a setting needs the server; what it would print shows the same table.
    shown = run("serve", "--print-conf", "--set", f"auth.sql_url=postgres://ann:{SQL_PASSWORD}@db/mqtt", check=False)
    assert SQL_PASSWORD not in shown
    # What is said of an address that is refused goes to the log as well.
    refused = ("--set", f"auth.http_url=http://ann:{PASSWORD}@auth.example.com/x")
    told = subprocess.run([STROWGER, "serve", "--print-conf", *refused], capture_output=True, text=True, timeout=30)
    assert told.returncode and "auth.http_url" in told.stderr and PASSWORD not in told.stdout + told.stderr


def test_a_subscription_that_is_taken_is_gone_with_the_answer(office):
    filters = [f"taken/{number}" for number in range(100)]
    with Wire.open(office.broker.address, "giver", V5) as wire:
        wire.subscribe(*filters, qos=1)
        for left, name in reversed(list(enumerate(filters))):
            office.admin("DELETE", f"/api/v1/clients/giver/subscriptions?filter={name}")
            assert office.admin("GET", "/api/v1/clients/giver/subscriptions")["total"] == left


def test_an_operator_works(office):
    """One story through the whole API: see, publish, send away, ban, clean up."""
    port = str(office.broker.port)
    login = ["-p", port, "-u", "ann", "-P", PASSWORD]
    listener = subprocess.Popen([STROWGER, "sub", *login, "-i", "listener", "-t", "story/#", "-q", "1"], stdout=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 10
        while not office.admin("GET", "/api/v1/clients?search=LISTENER&state=connected")["total"]:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        client = office.admin("GET", "/api/v1/clients/listener")
        assert (client["username"], client["state"], client["subscriptions"]) == ("ann", "connected", 1)
        found = office.admin("GET", "/api/v1/subscriptions?topic=story/1")
        assert [item["client_id"] for item in found["items"]] == ["listener"]

        message = {"topic": "story/1", "payload": "once", "qos": 1, "retain": True}
        assert office.admin("POST", "/api/v1/publish", message) == {"receivers": 1, "queued": 0}
        assert listener.stdout.readline() == b"once\n"
        shown = office.admin("GET", "/api/v1/retained/message?topic=story/1")
        assert shown["payload"] == "once" and shown["published_at"]
        levels = office.admin("GET", "/api/v1/retained/tree?under=story")
        assert levels["items"] == [{"level": "1", "topic": "story/1", "messages_below": 0, "has_message": True}]

        ban = office.admin("POST", "/api/v1/bans", {"kind": "client_id", "value": "listener", "secs": 60, "reason": "a story"})
        assert (ban["disconnected"], ban["complete"], ban["by"]) == (1, True, "admin")
        refused = subprocess.run(
            [STROWGER, "sub", *login, "-i", "listener", "-t", "x", "-W", "3"], capture_output=True, text=True
        )
        assert refused.returncode == 0x8A, refused.stderr
        office.admin("DELETE", f"/api/v1/bans/{urllib.parse.quote(ban['id'])}")
        assert office.admin("GET", "/api/v1/bans")["total"] == 0

        doomed = "/api/v1/retained?filter=story/%23"
        assert office.admin("DELETE", doomed + "&dry_run=true") == {"matched": 1, "deleted": 0, "complete": True}
        assert office.admin("DELETE", doomed) == {"matched": 1, "deleted": 1, "complete": True}
        assert office.admin("GET", doomed)["items"] == []
    finally:
        listener.kill()
        listener.wait()


def test_retained_messages_are_cleared_by_command(office):
    def retained(*words):
        return run("retained", *words, "--socket", str(office.socket))

    with Wire.open(office.broker.address, "keeper", V5) as wire:
        for number in range(200):
            wire.publish(f"clear/{number}", b"kept", qos=1, retain=True)
        wire.publish("stays", b"kept", qos=1, retain=True)
    assert retained("delete", "clear/#", "--dry-run") == "clear/# matches 200; none is cleared"
    assert retained("delete", "clear/#") == "200 cleared"
    answer = json.loads(retained("delete", "clear/#", "--json"))
    assert answer == {"matched": 0, "deleted": 0, "complete": True}
    assert retained("get", "stays") == "kept"
    retained("delete", "stays")


@pytest.mark.parametrize("name", [".", ".."])
def test_a_client_that_a_path_has_no_room_for_is_named_in_the_query(office, name):
    def strowger(*words):
        return run(*words, "--socket", str(office.socket))

    with Wire.open(office.broker.address, name, V5, session_expiry=600) as wire:
        wire.subscribe("dots/a", "dots/b", qos=1)
        assert office.admin("GET", f"/api/v1/client?client_id={name}")["client_id"] == name
        assert office.admin("GET", f"/api/v1/client/subscriptions?client_id={name}&search=A")["total"] == 1
        assert office.admin("DELETE", f"/api/v1/client/subscriptions?client_id={name}&filter=dots/a") is None
        assert office.admin("GET", f"/api/v1/client/recorder?client_id={name}")["client_id"] == name
        assert json.loads(strowger("clients", "show", name, "--json"))["subscriptions"] == 1
        strowger("subscriptions", "delete", name, "dots/b")
        assert "SUBSCRIBE" in strowger("recorder", name)
        strowger("clients", "disconnect", name, "--reason", "enough")
        wire.expect_disconnect(0x98)
    strowger("sessions", "delete", name)
    status, _, answer = office.ask("GET", f"/api/v1/client?client_id={name}", office.tokens["viewer"])
    assert status == 404, answer
    status, _, answer = office.ask("GET", "/api/v1/client", office.tokens["viewer"])
    assert status == 400 and b"client_id" in answer, answer


@pytest.mark.parametrize(("total", "code"), [(1200, 0), (100_000, 0), (100_001, 1)])
def test_all_pages_are_listed_or_it_is_said_that_they_are_not(total, code):
    """A broker with so many clients is played: what is looked at is the command line."""

    class Played(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
            page, limit = int(query["page"]), int(query["limit"])
            if page * limit > 100_000:
                status, body = 400, {"error": {"code": "bad_request", "message": "out of reach"}}
            else:
                items = [{"client_id": f"c{nth}"} for nth in range((page - 1) * limit, min(page * limit, total))]
                status, body = 200, {"items": items, "total": total, "page": page, "limit": limit}
            answer = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Played)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        command = [STROWGER, "clients", "--all", "--json", "--url", f"http://127.0.0.1:{server.server_port}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    finally:
        server.shutdown()
        server.server_close()
    assert done.returncode == code, done.stderr
    assert len(json.loads(done.stdout)) == min(total, 100_000)
    assert ("the first 100000 of 100001 clients" in done.stderr) == (code == 1), done.stderr


@pytest.mark.parametrize("what", ["clients", "retained"])
def test_a_list_does_not_fail_for_a_word_that_nobody_takes(office, what):
    command = [STROWGER, what, "--limit", "1", "--socket", str(office.socket)]
    with Wire.open(office.broker.address, "deaf-1", V5) as one, Wire.open(office.broker.address, "deaf-2", V5) as two:
        for number, wire in enumerate((one, two)):
            wire.publish(f"deaf/{number}", b"kept", qos=1, retain=True)
        heard = subprocess.run(command, capture_output=True, timeout=60)
        with open("/dev/full", "w") as full:
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=full, timeout=60)
        run("retained", "delete", "deaf/#", "--socket", str(office.socket))
    assert heard.returncode == 0 and b"more" in heard.stderr, heard
    assert done.returncode == 0 and done.stdout, done


def test_bans_are_searched(office):
    bans = [("client_id", "Meter-1", None), ("username", "robot", "sends nonsense"), ("address", "203.0.113.7", None)]
    made = [office.admin("POST", "/api/v1/bans", {"kind": k, "value": v, "reason": r})["id"] for k, v, r in bans]
    listed = ["ban", "--json", "--socket", str(office.socket)]
    for search, found in [("meter", made[:1]), ("NONSENSE", made[1:2]), ("203.", made[2:]), ("admin", made), ("none", [])]:
        assert [ban["id"] for ban in json.loads(run(*listed, "--search", search))] == found, search
    assert "--sort" in subprocess.run([STROWGER, *listed, "--sort", "id"], capture_output=True, text=True).stderr
    for ban in made:
        run("ban", "remove", ban, "--socket", str(office.socket))


def test_anything_gets_an_answer_that_is_described(office, tmp_path):
    schemathesis = pathlib.Path(os.sys.executable).parent / "schemathesis"
    if not schemathesis.exists():
        pytest.skip("schemathesis is not installed")
    command = [
        schemathesis,
        *("run", f"http://127.0.0.1:{office.port}/openapi.json", "--seed", "7", "--max-examples", "12"),
        *("-H", f"Authorization: Bearer {office.tokens['admin']}"),
        *("--phases", "examples,coverage,fuzzing", "--request-timeout", "10", "--no-color"),
        # A stream has no end, and what ends the broker's service would end the test.
        *("--exclude-path-regex", "stream|/console|/events|/trace|/drain|/reload"),
        *("--checks", "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert office.ask("GET", "/readyz")[0] == 200
