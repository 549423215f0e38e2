"""Persistent subscribers with different habits; a QoS 2 receiver knows a message by its packet id until PUBREL."""

import asyncio
import struct
import time

from client import Client, Lost
from ledger import NEVER, Interval
from wire import V5, Kind, ack, subscribe, unsubscribe

ID = struct.Struct("!H")
ACK_BYTES = {kind: ack(kind, 0)[:2] for kind in (Kind.PUBACK, Kind.PUBREC, Kind.PUBCOMP)}


class Subscriber(Client):
    """A kept session with one subscription; `ack_delay_secs` keeps its acknowledgements under way for longer."""

    def __init__(self, world, name, version, topic_filter, topics, qos, *, group=None, ack_delay_secs=0.0):
        super().__init__(world, name, version)
        self.filter = f"$share/{group}/{topic_filter}" if group else topic_filter
        self.qos, self.ack_delay_secs = qos, ack_delay_secs
        self.receiver = self.ledger.receiver(name, topics, qos, group)
        self.unreleased = set()
        self.last_secs = time.monotonic()

    async def run(self, habit):
        """Subscribes, follows its habit while there is traffic, then stays connected until it is cancelled."""
        await self.ask_for_subscription()
        while not self.world.is_draining:
            await habit(self)
        while True:
            if not self.is_connected:
                await self.connect()
            await asyncio.sleep(0.05)

    async def ask_for_subscription(self):
        """Subscribes until a SUBACK says so; the same filter again replaces the subscription without a gap."""
        intervals = self.receiver.intervals
        if not intervals or intervals[-1].ended != NEVER:
            intervals.append(Interval(asked=time.monotonic()))
        suback = await self.request(Kind.SUBACK, lambda one: subscribe(one, [(self.filter, self.qos)], self.version))
        if suback.reasons != [self.qos]:
            self.ledger.find("subscription", f"{self.name}: SUBACK {suback.reasons} for QoS {self.qos}")
        intervals[-1].granted = min(intervals[-1].granted, time.monotonic())

    async def give_up_subscription(self):
        interval = self.receiver.intervals[-1]
        interval.ending = time.monotonic()
        await self.request(Kind.UNSUBACK, lambda one: unsubscribe(one, [self.filter], self.version))
        interval.ended = time.monotonic()

    async def request(self, kind, build):
        """Sends a request until it is answered, over as many connections as that takes."""
        while True:
            if not self.is_connected:
                await self.connect()
            packet_id = next(self.ids)
            self.send(build(packet_id))
            self.flush()
            try:
                return await self.answer(kind, packet_id)
            except Lost:
                await asyncio.sleep(0.01)

    async def connect(self, **options):
        await super().connect(**options)
        if not self.is_present:
            self.unreleased.clear()

    def take(self, first, body):
        kind = first >> 4
        if kind == Kind.PUBLISH:
            self.take_publish(first, body)
        elif kind == Kind.PUBREL:
            packet_id = body[:2]
            self.unreleased.discard(packet_id)
            self.send(ACK_BYTES[Kind.PUBCOMP] + packet_id)
        else:
            super().take(first, body)

    def take_publish(self, first, body):
        """Books what is new to this session and acknowledges the rest as well: [MQTT-4.3.3-2] in 3.1.1."""
        qos, at = first >> 1 & 3, 2 + ID.unpack_from(body)[0]
        topic = body[2:at].decode()
        packet_id, at = body[at : at + 2], at + 2
        if self.version == V5:
            assert body[at] < 0x80, f"{self.name}: more properties than were sent"
            at += 1 + body[at]
        self.last_secs = time.monotonic()
        if not (qos == 2 and packet_id in self.unreleased):
            self.on_message(topic, body[at:], qos, is_dup=bool(first & 8), is_retained=bool(first & 1))
        if qos == 2:
            self.unreleased.add(packet_id)
            self.send(ACK_BYTES[Kind.PUBREC] + packet_id)
        elif qos == 1:
            self.send(ACK_BYTES[Kind.PUBACK] + packet_id)

    def on_message(self, topic, payload, qos, *, is_dup, is_retained):
        if is_retained:
            # What was retained when the subscription was made is no part of the stream of live messages.
            self.ledger.resolve(topic, payload, self.name)
            self.ledger.seen["retained on subscribing"] += 1
        else:
            self.ledger.delivered(self.receiver, topic, payload, qos, is_dup)

    def flush(self):
        if self.ack_delay_secs and self.out and self.link is not None:
            link, raw = self.link, bytes(self.out)
            self.out.clear()
            asyncio.get_running_loop().call_later(self.ack_delay_secs, self.write_late, link, raw)
        else:
            super().flush()

    def write_late(self, link, raw):
        if link is self.link:
            link.write(raw)

    async def end_session(self):
        """Ends the session for good: its successor, a clean start, is acknowledged and ends with its connection."""
        interval = self.receiver.intervals[-1]
        interval.ending = time.monotonic()
        await self.connect(clean=True)
        interval.ended = time.monotonic()
        self.forget()
        self.leave()


async def stay(client):
    """Connected whenever there is a broker."""
    if not client.is_connected:
        await client.connect()
    await client.sleep(0.05)


async def stay_away(client):
    """Connected now and then, for a moment."""
    if not client.is_connected:
        await client.connect()
    await client.sleep(0.2 + 0.6 * client.rng.random())
    client.rng.choice([client.drop, client.leave])()
    await client.sleep(2 + 4 * client.rng.random())


async def wander(client):
    """Short connections that end in every way that there is, takeover included."""
    await client.connect()
    await client.sleep(0.1 + 0.8 * client.rng.random())
    client.rng.choice([client.drop, client.leave, lambda: None])()
    await client.sleep(0.3 * client.rng.random())


async def renew(client):
    """Subscribes again and again to what it is subscribed to; nothing may be missed in between."""
    if not client.is_connected:
        await client.connect()
    await client.sleep(0.5 + client.rng.random())
    await client.ask_for_subscription()


async def reconsider(client):
    """Unsubscribes and subscribes; ends as a subscriber."""
    if not client.is_connected:
        await client.connect()
    await client.sleep(0.5 + client.rng.random())
    await client.give_up_subscription()
    await client.sleep(0.3 * client.rng.random())
    await client.ask_for_subscription()


async def leave_for_the_end(client):
    """Goes once the subscription is acknowledged and comes back when the traffic is over."""
    if client.is_connected:
        client.rng.choice([client.drop, client.leave])()
    await client.sleep(1)
