"""Sessions on the wire: resume, takeover, wills, keep alive, client ids."""

import time

import pytest
from wire import PINGREQ, V5, V31, V311, Kind, Will, Wire, ack, connect, disconnect, publish

VERSIONS = pytest.mark.parametrize("version", [V31, V311, V5], ids=["v31", "v311", "v5"])
KEPT = {"clean": False, "session_expiry": 60}


def kept(version):
    """Options of a CONNECT whose session outlives its connection."""
    return KEPT if version == V5 else {"clean": False}


def short(name):
    """A client id that 3.1 also allows: 23 characters at most."""
    return f"c{abs(hash(name)):x}"[:23]


@VERSIONS
def test_an_unacknowledged_message_is_resent_with_dup_and_its_packet_id(client, name, version):
    """[MQTT-3.3.1-1] in 3.1.1, [MQTT-4.4.0-1] in 3.1.1, [MQTT-3.3.1-1] in 5.0, [MQTT-4.4.0-1] in 5.0: what was sent
    and not acknowledged is sent again on resume, with DUP."""
    sub = client(short(name), version, **kept(version))
    sub.subscribe(name, qos=1)
    pub = client()
    pub.publish(name, b"first", qos=1)
    first = sub.expect(Kind.PUBLISH)
    assert not first.dup
    sub.leave()
    pub.publish(name, b"second", qos=1)

    back = client(short(name), version, **kept(version))
    if version != V31:
        assert back.connack.session_present
    again = back.take()
    assert (again.dup, again.packet_id, again.payload) == (True, first.packet_id, b"first")
    second = back.take()
    assert (second.dup, second.payload) == (False, b"second")


@VERSIONS
def test_an_owed_pubrel_is_resent_and_not_the_publish(client, name, version):
    """[MQTT-4.4.0-1] in 3.1.1, [MQTT-4.3.3-1] in 3.1.1, [MQTT-4.4.0-1] in 5.0, [MQTT-4.3.3-6] in 5.0: past its PUBREC
    a QoS 2 exchange resumes with PUBREL."""
    sub = client(short(name), version, **kept(version))
    sub.subscribe(name, qos=2)
    client().publish(name, b"once", qos=2)
    first = sub.expect(Kind.PUBLISH)
    sub.send(ack(Kind.PUBREC, first.packet_id))
    assert sub.expect(Kind.PUBREL).packet_id == first.packet_id
    sub.drop()

    back = client(short(name), version, **kept(version))
    assert back.expect(Kind.PUBREL).packet_id == first.packet_id
    back.send(ack(Kind.PUBCOMP, first.packet_id))
    back.expect_silence()


@VERSIONS
def test_a_replayed_qos_2_publish_is_delivered_once(client, name, version):
    """[MQTT-4.3.3-2] in 3.1.1, [MQTT-4.3.3-10] in 5.0: the same packet id before PUBREL is the same message."""
    sub = client()
    sub.subscribe(name, qos=2)
    pub = client(short(name), version, **kept(version))
    pub.send(publish(name, b"once", version, qos=2, packet_id=7))
    assert pub.expect(Kind.PUBREC).packet_id == 7
    pub.drop()
    pub = client(short(name), version, **kept(version))
    pub.send(publish(name, b"once", version, qos=2, packet_id=7, dup=True))
    assert pub.expect(Kind.PUBREC).packet_id == 7
    for _ in range(2):
        pub.send(ack(Kind.PUBREL, 7))
        answer = pub.expect(Kind.PUBCOMP)
        assert answer.packet_id == 7
    assert sub.take().payload == b"once"
    sub.expect_silence()


@VERSIONS
def test_clean_start_discards_the_session(client, name, version):
    """[MQTT-3.1.2-6] in 3.1.1, [MQTT-3.2.2-1] in 3.1.1, [MQTT-3.1.2-4] in 5.0, [MQTT-3.2.2-2] in 5.0: a clean start
    begins with nothing and says so."""
    sub = client(short(name), version, **kept(version))
    sub.subscribe(name, qos=1)
    sub.leave()
    fresh = client(short(name), version)
    assert not fresh.connack.session_present
    client().publish(name, b"to nobody", qos=1)
    fresh.expect_silence()


@VERSIONS
def test_takeover_ends_the_older_connection(client, name, version):
    """[MQTT-3.1.4-2] in 3.1.1, [MQTT-3.1.4-3] in 5.0: one client id, one connection; 5.0 is told why."""
    old = client(short(name), version)
    client(short(name), version).expect_silence(0.05)
    if version == V5:
        old.expect_disconnect(0x8E)
    else:
        assert old.expect_closed() == []


def test_takeover_keeps_the_session_and_its_messages(client, name):
    """[MQTT-3.1.2-5] in 5.0: messages that come during takeovers are delivered to whoever holds the session."""
    pub, holders = client(), [client(name, **KEPT)]
    holders[0].subscribe(name, qos=1)
    for number in range(10):
        pub.publish(name, str(number), qos=1)
        holders.append(client(name, **KEPT))
        assert holders[-1].connack.session_present
    seen = []
    while len(set(seen)) < 10:
        seen.append(int(holders[-1].take().payload))
    assert sorted(set(seen)) == list(range(10))


@VERSIONS
def test_silence_beyond_keep_alive_ends_the_connection_and_sends_the_will(client, name, version):
    """[MQTT-3.1.2-24] in 3.1.1, [MQTT-3.1.2-22] in 5.0: one and a half times Keep Alive is the limit.

    [MQTT-3.1.2-8] in 3.1.1, [MQTT-3.1.2-8] in 5.0: the will follows.
    """
    watch = client()
    watch.subscribe(name, qos=1)
    began = time.monotonic()
    quiet = client(short(name), version, keep_alive=1, will=Will(name, b"silent", qos=1))
    came = quiet.expect_closed(within=6)
    assert 1.3 < time.monotonic() - began < 5.5
    assert [packet.reason for packet in came] == ([0x8D] if version == V5 else [])
    assert watch.take().payload == b"silent"


@VERSIONS
def test_pingreq_keeps_a_quiet_client_connected(client, name, version):
    """[MQTT-3.12.4-1] in 3.1.1, [MQTT-3.12.4-1] in 5.0: a ping is answered and counts as a sign of life."""
    quiet = client(short(name), version, keep_alive=1)
    for _ in range(4):
        time.sleep(0.7)
        quiet.send(PINGREQ)
        quiet.expect(Kind.PINGRESP)


@pytest.mark.parametrize("reason,expected", [(None, []), (0x00, []), (0x04, [b"will"])], ids=["short", "0x00", "0x04"])
def test_disconnect_decides_about_the_will(client, name, reason, expected):
    """[MQTT-3.14.4-3] in 5.0, [MQTT-3.1.2-10] in 5.0: a normal end discards the will, 0x04 asks for it."""
    watch = client()
    watch.subscribe(name, qos=1)
    going = client(will=Will(name, b"will", qos=1))
    going.send(disconnect(reason))
    assert going.expect_closed() == []
    client().publish(name, b"end", qos=1)
    if expected:
        got = {watch.take().payload, watch.take().payload}
        assert got == {b"will", b"end"}
    else:
        assert watch.take().payload == b"end"


def test_a_delayed_will_is_withdrawn_by_a_reconnect(client, name):
    """[MQTT-3.1.3-9] in 5.0: back before the delay has passed, no will."""
    watch = client()
    watch.subscribe(name, qos=1)
    delayed = Will(name, b"too late", qos=1, properties={"will_delay": 1})
    client(f"{name}-c", will=delayed, **KEPT).drop()
    client(f"{name}-c", **KEPT)
    watch.expect_silence(1.5)


def test_a_delayed_will_comes_after_its_delay(client, name):
    """[MQTT-3.1.2-8] in 5.0: the will waits for its delay and not for longer."""
    watch = client()
    watch.subscribe(name, qos=1)
    began = time.monotonic()
    client(f"{name}-c", will=Will(name, b"delayed", qos=1, properties={"will_delay": 1}), **KEPT).drop()
    assert watch.take().payload == b"delayed"
    assert 0.9 < time.monotonic() - began < 4


@pytest.mark.parametrize("version", [V311, V5], ids=["v311", "v5"])
def test_a_retained_will_is_kept(client, name, version):
    """[MQTT-3.1.2-17] in 3.1.1, [MQTT-3.1.2-15] in 5.0: Will Retain makes the will the retained message."""
    client(short(name), version, will=Will(name, b"last words", qos=1, retain=True)).drop()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        late = client()
        late.subscribe(name, qos=1)
        try:
            message = late.take(0.2)
        except TimeoutError:
            continue
        assert (message.payload, message.retain) == (b"last words", True)
        return
    raise AssertionError("the will was not retained")


def test_an_empty_client_id_gets_a_unique_one(client):
    """[MQTT-3.1.3-6] in 5.0, [MQTT-3.1.3-7] in 5.0, [MQTT-3.2.2-16] in 5.0: the broker names who has no name."""
    names = {client().connack.properties["assigned_client_id"] for _ in range(3)}
    assert len(names) == 3
    assert all(names)


def test_an_empty_client_id_in_3_1_1_is_accepted_with_a_clean_session(client):
    """[MQTT-3.1.3-6] in 3.1.1: treated as unique; two of them do not take over one another."""
    one, other = client("", V311), client("", V311)
    one.expect_silence(0.05)
    other.expect_silence(0.05)


def test_an_empty_client_id_with_a_kept_session_is_refused(broker):
    """[MQTT-3.1.3-8] in 3.1.1: return code 0x02, then the close."""
    with Wire(broker.address, V311) as wire:
        wire.send(connect("", V311, clean=False))
        came = wire.expect_closed()
        assert [(packet.kind, packet.reason, packet.session_present) for packet in came] == [(Kind.CONNACK, 2, False)]


@VERSIONS
def test_session_expiry_of_zero_ends_with_the_connection(client, name, version):
    """[MQTT-4.1.0-2] in 5.0, [MQTT-3.1.2-23] in 5.0, [MQTT-3.2.2-3] in 3.1.1: nothing is kept that was not to be."""
    client(short(name), version).leave()
    again = client(short(name), version, clean=False)
    assert not again.connack.session_present


@pytest.mark.strowger
def test_session_expiry_is_capped_and_the_client_is_told(start):
    """[MQTT-3.1.2-21] in 5.0 binds the client; the broker's part is to say the values that it will use."""
    broker = start("--set", "session.expiry_max_secs=60", "--set", "session.keep_alive_max_secs=30")
    with Wire.open(broker.address, "capped", keep_alive=600, session_expiry=0xFFFFFFFF) as wire:
        assert wire.connack.properties["session_expiry"] == 60
        assert wire.connack.properties["server_keep_alive"] == 30


def test_disconnect_may_shorten_session_expiry(client, name):
    """[MQTT-3.1.2-23] in 5.0: the interval in DISCONNECT replaces the one in CONNECT."""
    first = client(name, **KEPT)
    first.subscribe(name, qos=1)
    first.send(disconnect(0, session_expiry=0))
    first.expect_closed()
    assert not client(name, **KEPT).connack.session_present
