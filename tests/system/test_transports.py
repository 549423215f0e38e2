"""Every way in: TLS, WebSocket, Unix sockets, the PROXY protocol, and who is turned away at each."""

import base64
import contextlib
import os
import signal
import socket
import ssl
import stat
import struct
import time

import exchange
import paho.mqtt.client as paho
import pytest
from authority import Authority
from wire import V5, V311, Over, Wire, connect

pytestmark = pytest.mark.strowger

PORTS = ["tls", "mutual", "ws", "wss", "origin", "proxied", "forwarded", "slow"]


def toml(value):
    if isinstance(value, list):
        return "[" + ", ".join(toml(one) for one in value) + "]"
    return str(value) if isinstance(value, int) else f'"{value}"'


class House:
    """A broker with a listener of each kind."""

    def __init__(self, directory):
        self.directory = directory
        self.authority = Authority(directory)
        self.server = self.authority.issue("server", hosts=["localhost", "127.0.0.1"])
        other = self.authority.issue("other", hosts=["other.example"])
        self.client = self.authority.issue("client")
        self.expired = self.authority.issue("expired", days=-1)
        self.revoked = self.authority.issue("revoked")
        self.stranger = Authority(directory, "stranger").issue("stranger")
        self.crl = self.authority.revoke(self.revoked[2])
        self.socket = directory / "mqtt.sock"
        self.ports = {name: exchange.free_port() for name in PORTS}
        tls = {
            "certificate": [str(self.server[0]), str(other[0])],
            "key": [str(self.server[1]), str(other[1])],
        }
        mutual = {**tls, "client_ca": self.authority.pem, "client_crl": self.crl}
        listeners = {
            "tls": {"transport": "tls", **tls},
            "mutual": {"transport": "tls", **mutual},
            "ws": {"transport": "ws"},
            "wss": {"transport": "wss", **tls},
            "origin": {"transport": "ws", "origins": ["https://a.example"], "path": "/chosen"},
            "proxied": {
                "transport": "tls", **tls, "proxy_protocol": "required", "trusted_proxies": ["127.0.0.1"],
                "tls_handshake_timeout_secs": 3,
            },
            "forwarded": {"transport": "tcp", "proxy_protocol": "required", "trusted_proxies": ["10.0.0.0/8"]},
            "slow": {"transport": "wss", **tls, "tls_handshake_timeout_secs": 1, "tls_handshakes_max": 4},
        }
        text = ""
        for name, keys in listeners.items():
            keys = {"name": name, "bind": f"127.0.0.1:{self.ports[name]}", **keys}
            text += "[[listeners]]\n" + "".join(f"{key} = {toml(value)}\n" for key, value in keys.items())
        text += f'[[listeners]]\nname = "unix"\nbind = "{self.socket}"\ntransport = "unix"\nmode = "0600"\n'
        conf = directory / "listeners.toml"
        conf.write_text(text)
        # Proxies tell of addresses elsewhere, and nobody here has a name.
        options = ["--set", "log.level=debug", "--set", "auth.anonymous=allow"]
        self.broker = exchange.Broker(directory, "--conf", conf, *options)

    def tls(self, client=None, **options):
        context = ssl.create_default_context(cafile=self.authority.pem)
        if client:
            context.load_cert_chain(client[0], client[1])
        for name, value in options.items():
            setattr(context, name, value)
        return context


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    one = House(tmp_path_factory.mktemp("house"))
    yield one
    assert one.broker.stop() == 0, one.broker.log()
    assert not one.socket.exists()


class WebSocket:
    """A socket whose bytes travel in frames, just enough to be a Wire's."""

    MASK = b"\x01\x02\x03\x04"

    def __init__(self, plain, *, path="/mqtt", protocol="mqtt", origin=None, headers=()):
        self.plain, self.raw, self.status = plain, b"", 0
        lines = [
            f"GET {path} HTTP/1.1",
            "Host: localhost",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {base64.b64encode(bytes(16)).decode()}",
            "Sec-WebSocket-Version: 13",
            *([f"Sec-WebSocket-Protocol: {protocol}"] if protocol else []),
            *([f"Origin: {origin}"] if origin else []),
            *headers,
        ]
        plain.sendall("\r\n".join([*lines, "", ""]).encode())
        while b"\r\n\r\n" not in self.raw:
            more = plain.recv(4096)
            assert more, "closed without an answer"
            self.raw += more
        head, _, self.raw = self.raw.partition(b"\r\n\r\n")
        self.head = head.decode()
        self.status = int(self.head.split()[1])

    @classmethod
    def frame(cls, payload, first=0x82, length=None, mask=True):
        length = len(payload) if length is None else length
        if length < 126:
            size = bytes([length])
        elif length < 1 << 16:
            size = b"\x7e" + struct.pack("!H", length)
        else:
            size = b"\x7f" + struct.pack("!Q", length)
        if not mask:
            return bytes([first]) + size + payload
        masked = bytes(byte ^ cls.MASK[at % 4] for at, byte in enumerate(payload))
        return bytes([first, size[0] | 0x80]) + size[1:] + cls.MASK + masked

    def sendall(self, payload):
        self.plain.sendall(self.frame(payload))

    def _take(self):
        if len(self.raw) < 2:
            return None
        short = self.raw[1]
        at = {126: 4, 127: 10}.get(short, 2)
        if len(self.raw) < at:
            return None
        length = int.from_bytes(self.raw[2:at], "big") if at > 2 else short
        if len(self.raw) < at + length:
            return None
        frame = self.raw[0], self.raw[at : at + length]
        self.raw = self.raw[at + length :]
        return frame

    def next_frame(self):
        """(first byte, payload), or None at the end."""
        while (frame := self._take()) is None:
            try:
                more = self.plain.recv(65536)
            except ConnectionResetError:
                more = b""
            if not more:
                return None
            self.raw += more
        return frame

    def pending(self):
        """Whether something may come without the socket becoming readable."""
        return len(self.raw) or (self.plain.pending() if hasattr(self.plain, "pending") else 0)

    def recv(self, _size):
        while (frame := self.next_frame()) is not None:
            if frame[0] == 0x82:
                return frame[1]
        return b""

    def expect_close(self, code):
        while (frame := self.next_frame()) is not None and frame[0] != 0x88:
            pass
        assert frame == (0x88, struct.pack("!H", code))

    def settimeout(self, secs):
        self.plain.settimeout(secs)

    def setsockopt(self, *_):
        pass

    def fileno(self):
        return self.plain.fileno()

    def close(self):
        self.plain.close()


@pytest.fixture
def door(house):
    """Opens sockets to a listener, by its name."""
    opened = contextlib.ExitStack()

    def open_one(name, *, context=None, host="localhost", before=b"", **websocket):
        if name == "unix":
            plain = socket.socket(socket.AF_UNIX)
            plain.settimeout(5)
            plain.connect(str(house.socket))
        else:
            plain = socket.create_connection(("127.0.0.1", house.ports[name]), timeout=5)
        opened.callback(plain.close)
        if before:
            plain.sendall(before)
        if name in ("tls", "mutual", "wss", "proxied", "slow"):
            plain = (context or house.tls()).wrap_socket(plain, server_hostname=host)
            opened.callback(plain.close)
        return WebSocket(plain, **websocket) if name in ("ws", "wss", "origin", "slow") else plain

    with opened:
        yield open_one


@pytest.mark.parametrize("version", [V311, V5])
@pytest.mark.parametrize("name", ["tls", "ws", "wss", "unix"])
def test_clients_of_every_transport_reach_each_other(house, door, name, version):
    """Twelve ids, so that some have to move to the other line with what their transport has come to know."""
    topic, big = f"matrix/{name}/{version}", os.urandom(300_000)
    subs = [Over(door(name), version).greet(f"{name}{version}-{number}") for number in range(12)]
    for sub in subs:
        assert sub.subscribe(topic, qos=1) == [1]
    with Wire.open(house.broker.address, version=version) as plain:
        plain.publish(topic, b"from tcp", qos=1)
        plain.publish(topic, big, qos=1)
        plain.subscribe(f"{topic}/back")
        for sub in subs:
            assert [sub.take().payload, sub.take().payload] == [b"from tcp", big]
        subs[0].publish(f"{topic}/back", big, qos=2)
        assert plain.take().payload == big
    for sub in subs:
        sub.leave()


@pytest.mark.parametrize("version", ["mqttv311", "mqttv5"])
@pytest.mark.parametrize("name", ["tls", "mutual", "unix"])
def test_mosquittos_clients_come_in(house, name, version):
    where = ["--unix", house.socket] if name == "unix" else ["-h", "localhost", "-p", house.ports[name]]
    if name != "unix":
        where += ["--cafile", house.authority.pem]
    if name == "mutual":
        where += ["--cert", house.client[0], "--key", house.client[1]]
    topic = f"mosquitto/{name}/{version}"
    done = exchange.run("mosquitto_pub", *where, "-V", version, "-q", 1, "-r", "-t", topic, "-m", "hello")
    assert done.returncode == 0, done.stderr
    done = exchange.run("mosquitto_sub", *where, "-V", version, "-q", 1, "-t", topic, "-C", 1, "-W", 10)
    assert done.stdout == "hello\n", done.stderr


@pytest.mark.parametrize("version", [paho.MQTTv311, paho.MQTTv5])
@pytest.mark.parametrize("name", ["ws", "wss"])
def test_paho_comes_in_over_websocket(house, name, version):
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=version, transport="websockets")
    got = []
    client.on_connect = lambda *_: client.subscribe(f"paho/{name}/{version}", qos=1)
    client.on_subscribe = lambda *_: client.publish(f"paho/{name}/{version}", b"x" * 70_000, qos=1)
    client.on_message = lambda _client, _userdata, message: got.append(message.payload)
    if name == "wss":
        client.tls_set_context(house.tls())
    client.connect("localhost", house.ports[name])
    client.loop_start()
    deadline = time.monotonic() + 10
    while not got and time.monotonic() < deadline:
        time.sleep(0.02)
    client.disconnect()
    client.loop_stop()
    assert got == [b"x" * 70_000]


def test_the_certificate_for_the_name_that_the_client_asks_for_is_shown(door):
    subject = lambda plain: plain.getpeercert()["subject"][0][0][1]  # noqa: E731
    assert subject(door("tls")) == "server"
    assert subject(door("tls", host="other.example")) == "other"
    with pytest.raises(ssl.SSLCertVerificationError):
        door("tls", host="neither.example")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_versions_of_tls_are_spoken_and_alpn_mqtt_is_agreed_to(house, door, version):
    context = house.tls(minimum_version=version, maximum_version=version)
    context.set_alpn_protocols(["mqtt"])
    plain = door("tls", context=context)
    assert plain.selected_alpn_protocol() == "mqtt"
    Over(plain).greet().leave()


@pytest.mark.parametrize("who", ["expired", "revoked", "stranger", None])
def test_a_client_without_a_good_certificate_is_turned_away(house, door, who):
    with pytest.raises((ssl.SSLError, ConnectionError, AssertionError)):
        Over(door("mutual", context=house.tls(who and getattr(house, who)))).greet()
    Over(door("mutual", context=house.tls(house.client))).greet().leave()


@pytest.mark.parametrize(
    ("name", "options", "status"),
    [
        ("ws", {"protocol": None}, 400),
        ("ws", {"protocol": "soap"}, 400),
        ("ws", {"path": "/elsewhere"}, 404),
        ("origin", {"path": "/chosen", "origin": "https://b.example"}, 403),
        ("origin", {"path": "/chosen", "origin": "https://a.example"}, 101),
        ("origin", {"path": "/chosen"}, 101),
        ("ws", {"origin": "https://b.example"}, 101),
        ("ws", {"headers": ["X: " + "x" * 9000]}, 431),
    ],
)
def test_an_upgrade_is_answered_by_the_rules_of_the_listener(door, name, options, status):
    """[MQTT-6.0.0-3], [MQTT-6.0.0-4] in both: the client offers the subprotocol mqtt, and the broker takes it."""
    answer = door(name, **options)
    assert answer.status == status, answer.head
    if status == 101:
        assert "Sec-WebSocket-Protocol: mqtt" in answer.head
        Over(answer).greet().leave()


@pytest.mark.parametrize("connected", [False, True])
@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (WebSocket.frame(b"hello", first=0x81), 1003),
        (WebSocket.frame(b"\xc0\x00", mask=False), 1002),
        (WebSocket.frame(b"\xc0", length=1 << 40), 1009),
        (WebSocket.frame(b"\xc0\x00", first=0xC2), 1002),
        (WebSocket.frame(b"\xc0\x00", first=0x80), 1002),
        (WebSocket.frame(b"\x03\xe9", first=0x88), 1001),
    ],
    ids=["text", "unmasked", "huge", "compressed", "continues nothing", "close"],
)
def test_a_frame_against_the_rules_ends_the_connection_with_its_code(door, frame, code, connected):
    """[MQTT-6.0.0-1] in both: of data frames, only binary ones are MQTT."""
    plain = door("ws")
    if connected:
        Over(plain).greet()
    plain.plain.sendall(frame)
    plain.expect_close(code)
    assert plain.next_frame() is None


def test_packets_span_frames_and_frames_hold_packets_and_pings_are_answered(door):
    """[MQTT-6.0.0-2] in both: packets and frames need not begin or end together."""
    plain = door("ws")
    packets = connect("spanning", V5) + b"\xc0\x00" * 3
    for at in range(0, len(packets) - 5):
        plain.plain.sendall(WebSocket.frame(packets[at : at + 1]))
    plain.plain.sendall(WebSocket.frame(b"are you there", first=0x89))
    plain.plain.sendall(WebSocket.frame(packets[-5:-3], first=0x02) + WebSocket.frame(packets[-3:], first=0x80))
    frames, mqtt = [], b""
    while mqtt[-6:] != b"\xd0\x00" * 3:
        frames.append(plain.next_frame())
        mqtt += frames[-1][1] if frames[-1][0] == 0x82 else b""
    assert (0x8A, b"are you there") in frames


def test_a_frame_that_announces_more_than_it_brings_takes_no_memory(house, door):
    before = house.broker.rss_mib()
    held = []
    for _ in range(200):
        held.append(door("ws"))
        held[-1].plain.sendall(WebSocket.frame(b"\x10", length=1_000_000))
    time.sleep(0.5)
    assert house.broker.rss_mib() - before < 30


def test_slow_handshakes_end_in_time_and_keep_nobody_out(house, door):
    begun = time.monotonic()
    slow = [socket.create_connection(("127.0.0.1", house.ports["slow"]), timeout=5) for _ in range(40)]
    Over(door("slow")).greet().leave()
    for one in slow:
        assert one.recv(1) == b""
    assert time.monotonic() - begun < 4
    late = socket.create_connection(("127.0.0.1", house.ports["slow"]), timeout=5)
    with house.tls().wrap_socket(late, server_hostname="localhost") as upgraded:
        upgraded.sendall(b"GET /mqtt HT")
        assert upgraded.recv(1) == b""
    assert "the WebSocket upgrade did not come in time" in house.broker.log()


@pytest.mark.parametrize(
    "header",
    [
        b"PROXY TCP4 203.0.113.9 10.0.0.1 5555 8883\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes([203, 0, 113, 9, 10, 0, 0, 1]) + struct.pack("!HH", 5555, 8883),
    ],
    ids=["v1", "v2"],
)
def test_a_trusted_proxy_tells_the_clients_address(house, door, header):
    client = f"proxied-{len(header)}"
    Over(door("proxied", before=header)).greet(client).leave()
    time.sleep(0.2)
    lines = [line for line in house.broker.log().splitlines() if client in line and "connected" in line]
    assert lines and "203.0.113.9:5555" in lines[0]


def ends(connection):
    """Whether nothing comes before the broker closes; what it did not read makes that a reset."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def test_who_is_no_trusted_proxy_or_sends_no_header_is_turned_away(house, door):
    assert ends(door("forwarded", before=b"PROXY TCP4 203.0.113.9 10.0.0.1 5555 1883\r\n"))
    assert "not from a trusted proxy" in house.broker.log()
    for garbage in [b"PROXY garbage\r\n", connect("no header", V5)]:
        plain = socket.create_connection(("127.0.0.1", house.ports["proxied"]), timeout=5)
        plain.sendall(garbage)
        assert ends(plain)
    silent = socket.create_connection(("127.0.0.1", house.ports["proxied"]), timeout=8)
    begun = time.monotonic()
    assert ends(silent)
    assert 2 < time.monotonic() - begun < 6


def test_the_socket_of_a_unix_listener_has_the_rights_that_were_asked_for(house):
    assert stat.S_IMODE(house.socket.stat().st_mode) == 0o600


def test_renewed_certificates_are_shown_while_those_who_are_in_stay(house, door):
    sub, pub = Over(door("tls")).greet("renew-sub"), Over(door("wss")).greet("renew-pub")
    sub.subscribe("renewal", qos=1)
    serials = set()
    for round_ in range(5):
        pub.publish("renewal", str(round_), qos=1)
        house.server = house.authority.issue("server", hosts=["localhost", "127.0.0.1"])
        house.broker.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            serial = int(door("tls").getpeercert()["serialNumber"], 16)
            if serial == house.server[2]:
                break
        serials.add(serial)
        assert serial == house.server[2]
        assert sub.take().payload == str(round_).encode()
    assert len(serials) == 5
    sub.leave(), pub.leave()


def test_a_file_that_is_no_certificate_changes_nothing_and_is_named(house, door):
    good = house.server[0].read_bytes()
    house.server[0].write_text("half a certi")
    house.broker.process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + 5
    while "everything stays as it was" not in house.broker.log() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert f"{house.server[0]}: holds no certificate in PEM form" in house.broker.log()
    Over(door("tls")).greet().leave()
    house.server[0].write_bytes(good)
    house.broker.process.send_signal(signal.SIGHUP)


def test_a_broker_whose_key_is_another_certificates_does_not_start(house, tmp_path):
    conf = tmp_path / "bad.toml"
    conf.write_text(
        f'[[listeners]]\nbind = "127.0.0.1:{exchange.free_port()}"\ntransport = "tls"\n'
        f'certificate = "{house.server[0]}"\nkey = "{house.client[1]}"\n'
    )
    bind = f"127.0.0.1:{exchange.free_port()}"
    done = exchange.strowger("serve", "--conf", conf, "--bind", bind, "--set", "storage.engine=memory")
    assert done.returncode == 64
    assert f"{house.client[1]}: is not the private key of {house.server[0]}" in done.stderr
