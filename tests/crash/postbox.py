"""A kept session whose client is away, and what publishers were told about the messages for it."""

import time

from wire import V5, Kind, Wire, ack, publish

DAY_SECS = 86400
KEPT = {"clean": False, "session_expiry": DAY_SECS}


def incoming(wire, secs, silence_secs=None):
    """The messages of the next `secs`, at most; ends earlier after so much silence. Plays all exchanges meanwhile."""
    deadline = time.monotonic() + secs
    while (left := deadline - time.monotonic()) > 0:
        try:
            got = wire.receive(left if silence_secs is None else min(left, silence_secs))
        except TimeoutError:
            return
        assert got is not None, "the broker closed"
        if got.kind == Kind.PUBREL:
            wire.send(ack(Kind.PUBCOMP, got.packet_id))
            continue
        assert got.kind == Kind.PUBLISH, got
        if got.qos:
            wire.send(ack(Kind.PUBACK if got.qos == 1 else Kind.PUBREC, got.packet_id))
        yield got


class Postbox:
    """Books each message that was posted to its topic and compares with what its client gets at its return."""

    def __init__(self, broker, name="postbox", qos=1):
        self.broker, self.name, self.qos = broker, name, qos
        self.posted, self.acked = [], []
        self.goodbye = None
        with Wire.open(broker.address, name, **KEPT) as wire:
            assert wire.subscribe(f"{name}/+", qos=qos) == [qos]
            wire.leave()

    def post(self, wire, payload, *, qos=1, key="post", **properties):
        """Publishes one message over `wire`; gives the reason of its PUBACK or PUBREC, None where the broker closed.

        `goodbye` has the reason of its DISCONNECT then, None if there was none.

        The payload goes out with a number before it, so that no two are the same.
        A broker that does not answer at all is a failure: neither an acknowledgement nor a refusal.
        """
        payload = b"%d " % len(self.posted) + (payload.encode() if isinstance(payload, str) else payload)
        self.posted.append(payload)
        packet_id = next(wire.ids)
        topic = f"{self.name}/{key}"
        wire.send(publish(topic, payload, wire.version, qos=qos, packet_id=packet_id, **properties))
        return self.answer(wire, payload, qos, packet_id)

    def post_and_go(self, wire, payload):
        """Publishes one message of QoS 1 and does not wait; gives what `answer` wants to know of it."""
        self.posted.append(b"%d " % len(self.posted) + payload)
        packet_id = next(wire.ids)
        wire.send(publish(f"{self.name}/post", self.posted[-1], wire.version, qos=1, packet_id=packet_id))
        return self.posted[-1], 1, packet_id

    def answer(self, wire, payload, qos, packet_id, timeout=10.0):
        """Waits for the answer to a message that is on its way."""
        answer = wire.receive(timeout)
        if answer is None or answer.kind == Kind.DISCONNECT:
            self.goodbye = answer and answer.reason
            return None
        assert answer.kind == (Kind.PUBACK if qos == 1 else Kind.PUBREC), answer
        assert answer.packet_id == packet_id
        if answer.reason < 0x80:
            self.acked.append(payload)
            if qos == 2:
                wire.send(ack(Kind.PUBREL, packet_id))
                assert wire.expect(Kind.PUBCOMP).packet_id == packet_id
        return answer.reason

    def collect(self, version=V5, silence_secs=1.5):
        """Lets the client return and take everything."""
        options = KEPT if version == V5 else {"clean": False}
        with Wire.open(self.broker.address, self.name, version, timeout=15, **options) as wire:
            assert wire.connack.session_present, f"the session of {self.name} is gone"
            got = [one.payload for one in incoming(wire, 60, silence_secs)]
            wire.leave()
        return got

    def check(self):
        """What was acknowledged is there, in order and once; what was not may be there."""
        got = self.collect()
        lost = [payload[:30] for payload in self.acked if payload not in set(got)]
        assert not lost, f"{len(lost)} of {len(self.acked)} acknowledged messages are lost: {lost[:5]}"
        assert got == [payload for payload in self.posted if payload in set(got)], "order, or a message twice"
