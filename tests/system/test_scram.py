"""MQTT 5.0's enhanced authentication by SCRAM-SHA-256: at the door, and again on a connection that is open."""

import time

import exchange
import pytest
from scram import AGAIN, CONTINUE, METHOD, Scram, challenged, enter, greet, proof
from wire import PINGREQ, V5, V311, Kind, Wire, auth, connect, disconnect, publish

pytestmark = pytest.mark.strowger

PROTOCOL, BAD_CREDENTIALS, NOT_AUTHORIZED, BAD_METHOD = 0x82, 0x86, 0x87, 0x8C
MALFORMED, TOO_LARGE = 0x81, 0x95


@pytest.fixture
def passwords(tmp_path):
    file = tmp_path / "passwords"
    for name in ["ann", "bob"]:
        done = exchange.strowger("passwd", "--scram", file, name, input=f"{name}'s secret\n")
        assert done.returncode == 0, done.stderr
    return file


@pytest.fixture
def door(start, passwords):
    """Starts a broker that knows Ann and Bob by SCRAM, with further settings."""

    def begin(*settings):
        options = ["--set", f"auth.password_file={passwords}", "--set", "auth.anonymous=deny"]
        for setting in settings:
            options += ["--set", setting]
        return start(*options)

    return begin


def again(wire, name, password, *, between=()):
    """Authenticates again on an open connection. Returns the client's side and the broker's last packet."""
    scram = Scram(name, password)
    wire.send(proof(scram.first, AGAIN))
    challenge = challenged(wire)
    wire.send(*between)
    wire.send(proof(scram.final(challenge)))
    return scram, wire.receive()


def is_over(wire):
    closed = wire.expect_closed() == []
    wire.drop()
    return closed


def test_a_proof_opens_the_door_and_the_broker_proves_itself_too(door):
    """[MQTT-4.12.0-2], [MQTT-4.12.0-5] in 5.0: on whichever line the client is at home."""
    broker = door("broker.lines=2")
    for number in range(4):
        with enter(broker.address, f"device-{number}", "ann", "ann's secret") as wire:
            assert wire.connack.reason == 0
            wire.subscribe("a/b", qos=1)
            wire.publish("a/b", b"x")
            assert wire.take().payload == b"x"
    with enter(broker.address, "", "bob", "bob's secret") as wire:
        assert wire.connack.properties["assigned_client_id"]
    with enter(broker.address, "device", "ann", "ann's secret", username="ann") as wire:
        assert wire.connack.reason == 0
    assert "secret" not in broker.log()


def test_the_method_is_refused_where_nobody_can_be_known_by_it(start, door, tmp_path):
    """[MQTT-4.12.0-1] in 5.0: another method, another spelling, and a broker without SCRAM entries."""
    plain = tmp_path / "plain"
    exchange.strowger("passwd", plain, "ann", input="ann's secret\n")
    without = start("--set", f"auth.password_file={plain}")
    broker = door()
    for address, method in [
        (without.address, METHOD),
        (broker.address, "SCRAM-SHA-1"),
        (broker.address, "scram-sha-256"),
        (broker.address, ""),
    ]:
        wire = greet(address, "device", Scram("ann", "ann's secret"), method=method)
        assert wire.expect(Kind.CONNACK).reason == BAD_METHOD, method
        assert is_over(wire)


def test_who_proves_nothing_stays_outside(door):
    """[MQTT-4.12.0-4] in 5.0: a wrong password and an unknown user look the same from outside."""
    broker = door()
    for name, password in [("ann", "bob's secret"), ("ann", ""), ("nobody", "ann's secret")]:
        wire = enter(broker.address, "device", name, password)
        assert wire.connack.reason == BAD_CREDENTIALS, name
        assert "authentication_data" not in wire.connack.properties
        assert is_over(wire)
    wire = greet(broker.address, "device", Scram("ann", "ann's secret"), username="bob")
    assert wire.expect(Kind.CONNACK).reason == BAD_CREDENTIALS
    assert is_over(wire)


def test_an_unknown_user_has_a_salt_that_stays(restartable, passwords):
    """Or whoever asks twice, before and after a restart, would know who is known."""
    options = [f"auth.password_file={passwords}"]

    def salt_of(broker, name):
        scram = Scram(name, "x")
        with greet(broker.address, "device", scram) as wire:
            scram.final(challenged(wire))
        return scram.salt, scram.rounds

    broker = restartable(*options).start()
    names = ["ann", "nobody", "nobody else"]
    before = [salt_of(broker, name) for name in names]
    assert before == [salt_of(broker, name) for name in names]
    assert len({salt for salt, _ in before}) == 3
    assert len({(len(salt), rounds) for salt, rounds in before}) == 1
    broker.kill()
    broker.start()
    assert before == [salt_of(broker, name) for name in names]


def test_what_was_heard_once_proves_nothing(door):
    broker = door()
    honest = Scram("ann", "ann's secret")
    with greet(broker.address, "device", honest) as wire:
        final = honest.final(challenged(wire))
        wire.send(proof(final))
        assert wire.expect(Kind.CONNACK).reason == 0
    replayed = Scram("ann", "not known", nonce=honest.nonce)
    wire = greet(broker.address, "device", replayed)
    challenged(wire)
    wire.send(proof(final))
    assert wire.expect(Kind.CONNACK).reason == BAD_CREDENTIALS
    assert is_over(wire)


@pytest.mark.parametrize(
    "data",
    [b"", b"n", b"\xff\xfe", b"n,,n=ann", b"n,a=root,n=ann,r=abc", b"p=tls-unique,,n=ann,r=abc", b"n,,n=ann,r=" + b"x" * 5000],
    ids=["nothing", "cut", "bytes", "nonce", "foreign", "channel", "huge"],
)
def test_a_first_message_that_is_none(door, data):
    broker = door()
    wire = Wire(broker.address)
    wire.send(connect("device", authentication_method=METHOD, authentication_data=data))
    assert wire.expect(Kind.CONNACK).reason == BAD_CREDENTIALS
    assert is_over(wire)


def test_only_auth_comes_between_connect_and_connack(door):
    """[MQTT-3.1.2-30] in 5.0"""
    broker = door("packet.before_connect_bytes_max=2000")
    final = proof(b"c=biws,r=abc,p=AAAA")
    for sent, reason in [
        (publish("t", b"early") + final, PROTOCOL),
        (PINGREQ, PROTOCOL),
        (connect("device"), PROTOCOL),
        (auth(AGAIN, authentication_method=METHOD), PROTOCOL),
        (auth(CONTINUE, authentication_method="OTHER"), PROTOCOL),
        (b"\xf1\x00", MALFORMED),
        (proof(b"x" * 3000), TOO_LARGE),
        (proof(b""), BAD_CREDENTIALS),
    ]:
        wire = greet(broker.address, "device", Scram("ann", "ann's secret"))
        challenged(wire)
        wire.send(sent)
        assert wire.expect(Kind.CONNACK).reason == reason, sent[:20]
        assert is_over(wire)
    wire = greet(broker.address, "device", Scram("ann", "ann's secret"))
    challenged(wire)
    wire.send(disconnect())
    assert is_over(wire)
    with enter(broker.address, "device", "ann", "ann's secret") as wire:
        assert wire.connack.reason == 0


def test_who_falls_silent_is_not_waited_for(door):
    broker = door("listener.connect_timeout_secs=1")
    wire = greet(broker.address, "device", Scram("ann", "ann's secret"))
    challenged(wire)
    began = time.monotonic()
    assert wire.expect(Kind.CONNACK).reason == NOT_AUTHORIZED
    assert is_over(wire)
    assert 0.5 < time.monotonic() - began < 3


def test_failures_count_and_bans_hold(door, tmp_path):
    bans = tmp_path / "bans"
    bans.write_text("user bob\n")
    broker = door("auth.name_failures_max=3", f"auth.bans_file={bans}")
    wire = greet(broker.address, "device", Scram("bob", "bob's secret"))
    assert wire.expect(Kind.CONNACK).reason == 0x8A
    assert is_over(wire)
    for _ in range(3):
        enter(broker.address, "device", "ann", "wrong").drop()
    wire = greet(broker.address, "device", Scram("ann", "ann's secret"))
    assert wire.expect(Kind.CONNACK).reason == NOT_AUTHORIZED
    assert is_over(wire)


def test_again_while_other_packets_flow(door):
    """[MQTT-4.12.1-1] in 5.0"""
    broker = door()
    with enter(broker.address, "device", "ann", "ann's secret") as wire:
        wire.subscribe("a", qos=0)
        for _ in range(3):
            scram, came = again(wire, "ann", "ann's secret", between=[publish("a", b"meanwhile"), PINGREQ])
            packets = [came, wire.receive(), wire.receive()]
            assert [packet.kind for packet in packets] == [Kind.PUBLISH, Kind.PINGRESP, Kind.AUTH]
            last = packets[-1]
            assert last.reason == 0 and last.properties["authentication_method"] == METHOD
            assert scram.proves(last.properties["authentication_data"])


@pytest.mark.parametrize("name, password", [("ann", "wrong"), ("nobody", "x"), ("bob", "bob's secret")])
def test_who_fails_again_is_out(door, name, password):
    """[MQTT-4.12.1-2] in 5.0: also who proves to be somebody else, for the session is Ann's."""
    broker = door()
    wire = enter(broker.address, "device", "ann", "ann's secret")
    _, last = again(wire, name, password)
    assert last.kind == Kind.DISCONNECT and last.reason == NOT_AUTHORIZED
    assert is_over(wire)
    assert "re-authentication failed" in broker.log()


def test_again_out_of_turn_or_without_a_method(door):
    """[MQTT-4.12.0-7], [MQTT-4.12.1-1] in 5.0"""
    broker = door()
    first = Scram("ann", "ann's secret").first
    for sent in [proof(first), proof(first, AGAIN) * 2, proof(first, AGAIN, method="OTHER")]:
        wire = enter(broker.address, "device", "ann", "ann's secret")
        wire.send(sent)
        assert wire.expect_disconnect(PROTOCOL)
        wire.drop()
    exposed = door("auth.anonymous=allow")
    wire = Wire.open(exposed.address, "device", V5)
    wire.send(proof(first, AGAIN))
    assert wire.expect_disconnect(PROTOCOL)
    wire.drop()
    wire = Wire.open(exposed.address, "device", V311)
    wire.send(proof(first, AGAIN))
    assert is_over(wire)


def test_again_has_its_time(door):
    broker = door("auth.timeout_secs=1")
    wire = enter(broker.address, "device", "ann", "ann's secret")
    wire.send(proof(Scram("ann", "ann's secret").first, AGAIN))
    challenged(wire)
    assert wire.expect_disconnect(NOT_AUTHORIZED, within=4.0)
    wire.drop()


def test_a_thousand_conversations_that_are_not_finished_cost_little(door):
    broker = door("listener.connect_timeout_secs=60")
    enter(broker.address, "device", "ann", "ann's secret").drop()
    before = broker.rss_mib()
    half = [greet(broker.address, f"half-{n}", Scram("ann", "x", nonce="n" * 1000)) for n in range(1000)]
    for wire in half:
        challenged(wire)
    assert broker.rss_mib() - before < 32
    for wire in half:
        wire.drop()
