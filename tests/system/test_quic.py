"""MQTT over QUIC with a client of another house, and who is turned away there."""

import contextlib
import os
import signal
import socket
import threading
import time

import exchange
import pytest
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from authority import Authority
from quic import Quic
from wire import V5, V31, V311, Over, Will, Wire

pytestmark = pytest.mark.strowger

PORTS = ["quic", "mutual", "few", "slow"]


def udp_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class House:
    """A broker with listeners of QUIC."""

    def __init__(self, directory):
        self.authority = Authority(directory)
        self.server = self.authority.issue("server", hosts=["localhost", "127.0.0.1"])
        self.other = self.authority.issue("other", hosts=["other.example"])
        self.client = self.authority.issue("client")
        self.stranger = Authority(directory, "stranger").issue("stranger")
        self.ports = {name: udp_port() for name in PORTS}
        pair = f'certificate = ["{self.server[0]}", "{self.other[0]}"]\nkey = ["{self.server[1]}", "{self.other[1]}"]\n'
        more = {
            "mutual": f'client_ca = "{self.authority.pem}"\n',
            "few": "connections_max = 2\n",
            "slow": "quic_idle_timeout_secs = 2\nconnect_timeout_secs = 1\ntls_handshakes_max = 4\n",
        }
        text = ""
        for name, port in self.ports.items():
            text += f'[[listeners]]\nname = "{name}"\nbind = "127.0.0.1:{port}"\ntransport = "quic"\n{pair}'
            text += more.get(name, "")
        conf = directory / "quic.toml"
        conf.write_text(text)
        self.bans = directory / "bans"
        self.bans.write_text("")
        names = ["--set", f"auth.bans_file={self.bans}", "--set", "auth.certificate_name=common_name", "--set", "auth.anonymous=allow"]
        self.broker = exchange.Broker(directory, "--conf", conf, "--set", "log.level=debug", *names)


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    one = House(tmp_path_factory.mktemp("quic"))
    yield one
    assert one.broker.stop() == 0, one.broker.log()


@pytest.fixture
def door(house):
    """Opens connections to a listener, by its name."""
    opened = contextlib.ExitStack()

    def open_one(name="quic", **options):
        one = Quic(house.ports[name], house.authority.pem, **options)
        opened.callback(one.close)
        return one

    with opened:
        yield open_one


def logged(house, text, within=5.0):
    deadline = time.monotonic() + within
    while text not in house.broker.log() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert text in house.broker.log()


@pytest.mark.parametrize("version", [V31, V311, V5])
def test_clients_of_quic_and_tcp_reach_each_other(house, door, version):
    """Twelve ids, so that some have to move to the other line."""
    topic, big = f"quic/{version}", os.urandom(300_000)
    subs = [Over(door().socket, version).greet(f"quic{version}-{number}") for number in range(12)]
    for sub in subs:
        assert sub.subscribe(topic, qos=1) == [1]
    with Wire.open(house.broker.address, "tcp", version) as plain:
        plain.publish(topic, b"from tcp", qos=1)
        plain.publish(topic, big, qos=1)
        plain.subscribe(f"{topic}/back")
        for sub in subs:
            assert [sub.take().payload, sub.take().payload] == [b"from tcp", big]
        subs[0].publish(f"{topic}/back", big, qos=2)
        assert plain.take().payload == big


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_many_messages_keep_their_order(door, qos):
    sub, pub = Over(door().socket).greet(f"order-sub-{qos}"), Over(door().socket).greet(f"order-pub-{qos}")
    sub.subscribe(f"order/{qos}", qos=qos)
    for number in range(200):
        pub.publish(f"order/{qos}", str(number), qos=qos)
        assert int(sub.take().payload) == number


def test_a_retained_message_and_the_will_of_a_client_that_is_gone(house, door):
    with Wire.open(house.broker.address) as plain:
        plain.publish("quic/kept", b"kept", qos=1, retain=True)
        plain.subscribe("quic/will", qos=1)
        doomed = door()
        client = Over(doomed.socket).greet("doomed", will=Will("quic/will", b"gone", qos=1))
        client.subscribe("quic/kept", qos=1)
        got = client.take()
        assert (got.payload, got.retain) == (b"kept", True)
        doomed.close()
        assert plain.take().payload == b"gone"


def test_the_broker_says_goodbye_with_its_reason(house, door):
    first = Over(door().socket).greet("taken")
    Over(door().socket).greet("taken")
    first.expect_disconnect(0x8E)


def test_the_certificate_for_the_name_that_the_client_asks_for_is_shown(door):
    assert door().peer_name == "server"
    assert door(host="other.example").peer_name == "other"
    with pytest.raises(ConnectionError):
        door(host="neither.example")


def test_who_speaks_another_protocol_is_turned_away(door):
    """RFC 9001, section 8.1: no_application_protocol is 0x178."""
    with pytest.raises(ConnectionError, match="0x178"):
        door(alpn="h3")


@pytest.mark.parametrize("who", ["stranger", None])
def test_a_client_without_a_good_certificate_is_turned_away(house, door, who):
    with pytest.raises((ConnectionError, AssertionError, TimeoutError)):
        Over(door("mutual", client=who and getattr(house, who)).socket).greet()
    Over(door("mutual", client=house.client).socket).greet("with-certificate").leave()


def test_the_certificate_says_who_a_client_is(house, door):
    Over(door("mutual", client=house.client).socket).greet("named", username="client").leave()
    Over(door("mutual", client=house.client).socket).greet("misnamed", expect=0x87, username="mallory")


def test_one_stream_is_all_that_a_connection_has(door):
    one = door()
    client = Over(one.socket).greet("one-stream")
    more = [one.open_stream(), one.open_stream(unidirectional=True)]
    client.expect_silence(0.5)
    assert not any(one.was_acknowledged(stream) for stream in more)


def test_a_banned_address_shakes_no_hands(house, door):
    inside = Over(door().socket).greet("before-the-ban")
    house.bans.write_text("address 127.0.0.1\n")
    house.broker.process.send_signal(signal.SIGHUP)
    try:
        logged(house, "rights reloaded")
        with pytest.raises(ConnectionError, match="0x2"):
            door()
        logged(house, "refusal=Banned")
        inside.leave()
    finally:
        reloads = house.broker.log().count("rights reloaded")
        house.bans.write_text("")
        house.broker.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 5
        while house.broker.log().count("rights reloaded") == reloads and time.monotonic() < deadline:
            time.sleep(0.02)


def test_beyond_connections_max_a_client_is_refused_and_those_inside_stay(house, door):
    inside = [Over(door("few").socket).greet(f"few-{number}") for number in range(2)]
    with pytest.raises(ConnectionError, match="0x2"):
        door("few")
    for one in inside:
        one.expect_silence()
    inside[0].leave()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        with contextlib.suppress(ConnectionError):
            Over(door("few").socket).greet("few-2")
            return
        time.sleep(0.1)
    raise AssertionError("the place of a client that left is not free")


def test_a_client_that_moves_keeps_its_connection(house, door):
    one = door()
    client = Over(one.socket).greet("moving")
    client.subscribe("moving/down", qos=1)
    with Wire.open(house.broker.address) as plain:
        plain.subscribe("moving/up", qos=1)
        for number in range(5):
            one.move()
            client.publish("moving/up", str(number), qos=1)
            assert plain.take().payload == str(number).encode()
            plain.publish("moving/down", str(number), qos=1)
            assert client.take().payload == str(number).encode()
    assert house.broker.log().count("client=moving") == 1


def test_a_client_that_is_gone_is_noticed_and_one_that_is_quiet_stays(house, door):
    quiet, gone = door("slow"), door("slow")
    client = Over(quiet.socket).greet("quiet", keep_alive=0)
    Over(gone.socket).greet("gone", keep_alive=0, will=Will("slow/will", b"gone"))
    with Wire.open(house.broker.address) as plain:
        plain.subscribe("slow/will")
        gone.mute()
        assert plain.take(timeout=6).payload == b"gone"
    client.expect_silence(1)


def test_who_says_nothing_is_let_go_and_keeps_nobody_out(house, door):
    silent = [door("slow") for _ in range(8)]
    Over(door("slow").socket).greet("between").leave()
    deadline = time.monotonic() + 5
    while any(one.ended is None for one in silent) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert all(one.ended for one in silent)
    logged(house, "the stream of MQTT did not come in time")


def test_half_open_handshakes_are_asked_for_their_address_and_keep_nobody_out(house, door):
    """With as many handshakes under way as may be, each new address has to prove itself (RFC 9000, section 8.1.2)."""
    began, sockets = time.monotonic(), []
    for _ in range(50):
        half = QuicConnection(configuration=QuicConfiguration(alpn_protocols=["mqtt"], server_name="localhost"))
        half.connect(("127.0.0.1", house.ports["slow"]), began)
        sockets.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        for datagram, address in half.datagrams_to_send(began):
            sockets[-1].sendto(datagram, address)
    time.sleep(0.3)
    retried = 0
    for one in sockets:
        one.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            first = one.recv(2048)[0]
            retried += (first & 0xF0) == 0xF0
    assert retried >= 40, retried
    Over(door("slow").socket).greet("past the half-open").leave()
    for one in sockets:
        one.close()


def test_datagrams_of_anything_do_no_harm(house, door):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as noise:
        for number in range(2000):
            noise.sendto(os.urandom(number % 1400 + 1), ("127.0.0.1", house.ports["quic"]))
    Over(door().socket).greet("after the noise").leave()


def test_garbage_on_the_stream_ends_the_connection(door):
    one = door()
    one.socket.sendall(b"GET / HTTP/1.1\r\n\r\n")
    wire = Over(one.socket)
    wire.expect_closed()


@pytest.fixture
def lone(start, tmp_path):
    """A broker with one listener of QUIC, its port, and whom its certificate is from."""
    authority = Authority(tmp_path)
    server, port = authority.issue("server", hosts=["localhost"]), udp_port()
    conf = tmp_path / "quic.toml"
    conf.write_text(
        f'[[listeners]]\nbind = "127.0.0.1:{port}"\ntransport = "quic"\n'
        f'certificate = "{server[0]}"\nkey = "{server[1]}"\n'
    )
    return start("--conf", conf), port, authority


def test_an_upgrade_keeps_the_sessions_of_quic_and_nobody_is_refused(lone):
    broker, port, authority = lone
    one = Quic(port, authority.pem)
    client = Over(one.socket).greet("traveller", session_expiry=60)
    client.subscribe("road/#", qos=1)
    done = []
    data = broker.log_path.parent / f"store-{broker.port}"
    command = ["upgrade", "--data-dir", data]
    upgrade = threading.Thread(target=lambda: done.append(exchange.strowger(*command, timeout=60)))
    upgrade.start()
    client.expect_disconnect(0x8B)
    one.close()
    # While the other binary starts: its datagrams wait, or are sent again.
    two = Quic(port, authority.pem, timeout=20.0)
    client = Over(two.socket).greet("traveller", session_expiry=60, clean=False)
    upgrade.join()
    assert done[0].returncode == 0, done[0].stderr
    assert client.connack.session_present
    with Wire.open(broker.address) as plain:
        plain.publish("road/1", b"on", qos=1)
    assert client.take().payload == b"on"
    two.close()


def test_stopping_says_goodbye_over_quic(lone):
    broker, port, authority = lone
    one = Quic(port, authority.pem)
    client = Over(one.socket).greet("until the end")
    broker.terminate()
    client.expect_disconnect(0x8B)
    one.close()
    assert broker.stop() == 0
    assert "all clients have left" in broker.log()


def test_an_address_in_use_is_named(house, tmp_path):
    conf = tmp_path / "quic.toml"
    bind = f"127.0.0.1:{house.ports['quic']}"
    conf.write_text(
        f'[[listeners]]\nbind = "{bind}"\ntransport = "quic"\n'
        f'certificate = "{house.server[0]}"\nkey = "{house.server[1]}"\n'
    )
    own = f"127.0.0.1:{exchange.free_port()}"
    done = exchange.strowger("serve", "--conf", conf, "--bind", own, "--set", "storage.engine=memory")
    assert done.returncode != 0 and bind in done.stderr, done.stderr
