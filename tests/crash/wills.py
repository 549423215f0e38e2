"""Clients that leave a will, and the session that watches for it."""

import asyncio
import time

from client import Client
from ledger import NEVER
from subscriber import Subscriber
from wire import V5, Will, disconnect

TOPIC = "will"
# A goodbye that the broker answered by closing this long before a kill is surely on disk, or it is never.
GOODBYE_SECS = 1.0
GRACE_SECS = 0.5


class Testament:
    """One will: what may, must and must not happen to it."""

    __slots__ = ("who", "number", "qos", "connected", "is_due", "withdrawn", "count", "kill")

    def __init__(self, who, number, qos):
        self.who, self.number, self.qos = who, number, qos
        self.connected, self.is_due, self.withdrawn, self.count, self.kill = None, False, None, 0, None


class Testator(Client):
    """Connected with a will, a different one each time; sometimes it says goodbye, which withdraws the will."""

    def __init__(self, world, name, version, qos, *, is_kept):
        super().__init__(world, name, version, is_kept=is_kept)
        self.qos, self.testaments, self.current = qos, [], None
        self.closed = None

    async def run(self):
        while not self.world.is_draining:
            if not self.is_connected:
                await self.connect_with_will()
            await self.sleep(0.3 + self.rng.random())
            if self.is_connected and self.rng.random() < 0.1 and not self.world.is_draining:
                await self.say_goodbye()
        if self.is_connected:
            await self.say_goodbye()

    async def connect_with_will(self):
        await self.connect()
        self.current.connected = time.monotonic()

    def will(self):
        """Every attempt has a will of its own: one that was not answered may have reached the broker."""
        self.current = Testament(self.name, len(self.testaments), self.qos)
        self.testaments.append(self.current)
        return Will(f"{TOPIC}/{self.name}", b"%d" % self.current.number, qos=self.qos)

    async def say_goodbye(self):
        """DISCONNECT, then the broker's close, which says that it has read it."""
        one, link = self.current, self.link
        one.withdrawn = NEVER
        self.closed = asyncio.get_running_loop().create_future()
        link.write(disconnect())
        try:
            async with asyncio.timeout(5):
                await self.closed
            one.withdrawn = time.monotonic()
        except TimeoutError:
            self.ledger.find("will", f"{self.name}: no close within 5 s of DISCONNECT")
            self.drop()
        finally:
            self.closed = None

    def lost(self):
        super().lost()
        if self.closed is not None and not self.closed.done():
            self.closed.set_result(None)

    def on_kill(self, kill):
        """Called at the moment of a kill: whoever is connected now has a will to be published."""
        one = self.current
        if self.is_connected and one is not None and one.connected is not None and one.withdrawn is None:
            one.is_due, one.kill = True, kill


class Watcher(Subscriber):
    """A persistent QoS 2 subscriber to all wills."""

    def __init__(self, world, name, version, testators):
        super().__init__(world, name, version, f"{TOPIC}/#", frozenset(), 2)
        self.testators = {one.name: one for one in testators}

    def on_message(self, topic, payload, qos, *, is_dup, is_retained):
        testator = self.testators.get(topic.removeprefix(f"{TOPIC}/"))
        number = int(payload)
        if testator is None or number >= len(testator.testaments):
            self.ledger.find("will", f"{self.name} got a will that nobody has made: {topic} {payload!r}")
            return
        testator.testaments[number].count += 1
        self.ledger.seen["wills delivered"] += 1

    def judge(self):
        """Due: once at least. QoS 2: never twice. Withdrawn well before any kill: never."""
        for testator in self.testators.values():
            version, life = "5.0" if testator.version == V5 else "3.1.1", "kept" if testator.is_kept else "transient"
            for one in testator.testaments:
                what = f"{testator.name} ({version}, {life} session) will {one.number}"
                self.ledger.seen["wills due"] += one.is_due
                if one.is_due and one.count == 0:
                    self.ledger.find("will", f"{what}, QoS {one.qos}: connected at kill {one.kill}, never published")
                if one.qos == 2 and one.count > 1:
                    self.ledger.find("will", f"{what}: published {one.count} times at QoS 2")
                if one.count and one.withdrawn is not None and not self.is_in_doubt(one.withdrawn):
                    self.ledger.find("will", f"{what}: published in spite of a DISCONNECT")

    def is_in_doubt(self, withdrawn):
        """A goodbye shortly before a kill may be lost with it; it is not an acknowledged act."""
        doubtful = (withdrawn - GRACE_SECS, withdrawn + GOODBYE_SECS)
        return withdrawn == NEVER or any(doubtful[0] < one < doubtful[1] for one in self.ledger.kill_times)
