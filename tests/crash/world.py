"""All clients of a crash run, and its course: traffic, kills, restarts, quiet, judgement.

Filters, topics and roles are laid out so that every combination of protocol version, QoS and retain flag publishes to
every kind of subscriber; habits, moments and sizes come from the seed.
"""

import asyncio
import itertools
import random
import time

import subscriber
from client import Client
from judgement import judge, outstanding
from ledger import Ledger
from publisher import Publisher
from subscriber import ID, Subscriber
from wills import Testator, Watcher
from wire import V5, V311, Kind, ack, publish, subscribe

AREAS = ("north", "east", "south", "west")
TOPICS_PER_AREA = 4
RATE_PER_SEC = 2000
WINDOW = 32
QUIET_SECS, QUIET_SECS_MAX = 3.0, 20.0
DRAIN_SECS_MAX = 180.0


def topics_of(area):
    return frozenset(f"crash/{area}/{number}" for number in range(TOPICS_PER_AREA))


class World:
    """One run. `broker` starts and dies; all else lives through it."""

    def __init__(self, broker, seed):
        self.broker, self.rng = broker, random.Random(seed)
        self.ledger, self.is_draining = Ledger(), False
        self.publishers, self.subscribers, self.tasks = [], [], []
        self.leavers, self.newcomers = [], 0
        self._lay_out_publishers()
        self._lay_out_subscribers()
        mixes = itertools.product((V311, V5), (1, 2), (True, False))
        self.testators = [
            Testator(self, f"testator-v{version}-q{qos}-{'kept' if kept else 'brief'}", version, qos, is_kept=kept)
            for version, qos, kept in mixes
        ]
        self.watcher = Watcher(self, "watcher", V5, self.testators)

    def _lay_out_publishers(self):
        mixes = list(itertools.product((V311, V5), (1, 2), (False, True), (0, 1, 2)))
        topics = sorted(set().union(*map(topics_of, AREAS)))
        for version, qos, retain, copy in mixes:
            name = f"pub-v{version}-q{qos}-{'keep' if retain else 'live'}-{copy}"
            streams = [self.ledger.stream(name, topic, qos, retain) for topic in self.rng.sample(topics, 4)]
            rate = RATE_PER_SEC / len(mixes)
            self.publishers.append(Publisher(self, name, version, streams, rate=rate, window=WINDOW))
        for version, qos in itertools.product((V311, V5), (1, 2)):
            name = f"eraser-v{version}-q{qos}"
            streams = [self.ledger.stream(name, f"erased/{name}/{one}", qos, True, erases=True) for one in range(3)]
            self.publishers.append(Publisher(self, name, version, streams, rate=15, window=3))

    def _lay_out_subscribers(self):
        versions, qualities = itertools.cycle((V311, V5)), itertools.cycle((2, 1, 2))
        habits = {
            "steady": subscriber.stay, "away": subscriber.stay_away, "wander": subscriber.wander,
            "renew": subscriber.renew, "reconsider": subscriber.reconsider,
        }  # fmt: skip
        for (role, habit), area in itertools.product(habits.items(), AREAS[:3]):
            self.add(role, habit, area, next(versions), next(qualities))
        for number, habit in enumerate((subscriber.stay, subscriber.wander, subscriber.stay_away)):
            for qos in (1, 2):
                self.add(f"share{number}", habit, "west", next(versions), qos, group=f"crew-q{qos}")

    def add(self, role, habit, area, version, qos, group=None):
        """Puts one more subscriber on stage; it starts with the others, or at once when they have started."""
        name = f"{role}-{area}-v{version}-q{qos}"
        delay = self.rng.choice([0.0, 0.0, 0.02, 0.05])
        one = Subscriber(
            self, name, version, f"crash/{area}/+", topics_of(area), qos, group=group, ack_delay_secs=delay
        )
        self.subscribers.append((one, habit))
        return one

    async def run(self, kills, end=None):
        """Plays the whole run with `kills` kills. `end` is what ends the broker and prepares its next start."""
        self.broker.start()
        everyone = [one.run() for one in self.publishers + self.testators]
        everyone += [one.run(habit) for one, habit in self.subscribers] + [self.watcher.run(subscriber.stay_away)]
        self.tasks = [asyncio.create_task(one) for one in everyone]
        try:
            await self.play(1.5 + self.rng.random())
            for _ in range(kills):
                await self.kill_and_restart(end or self.broker.kill)
                await self.play(self.uptime_secs())
            await self.play(1.5)
            await self.drain()
        finally:
            for task in self.tasks:
                task.cancel()
            await asyncio.gather(*self.tasks, return_exceptions=True)
        judge(self.ledger)
        self.watcher.judge()

    def uptime_secs(self):
        """Mostly time for traffic to build up; one in four is so short that it hits the broker at its recovery."""
        return self.rng.random() * 0.4 if self.rng.random() < 0.25 else 0.8 + self.rng.random() * 2

    async def play(self, secs):
        """Lets the others act, and stops with whatever broke in one of them."""
        done, _ = await asyncio.wait(self.tasks, timeout=secs, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
        broker = self.broker
        assert broker.is_up(), f"the broker ended by itself with {broker.process.returncode}:\n{broker.log()}"

    async def kill_and_restart(self, end):
        """Two kills in three hit the broker with all its hands full."""
        if self.rng.random() < 0.67:
            for one in self.publishers:
                one.burst()
            await asyncio.sleep(self.rng.random() * 0.03)
        self.broker.process.kill()
        kill = self.ledger.kills + 1
        for one in self.testators:
            one.on_kill(kill)
        self.ledger.kill_times.append(time.monotonic())
        await asyncio.to_thread(end)
        await asyncio.sleep(self.rng.random() * 0.2)
        self.broker.spawn()
        for scene in (self.read_all_retained, self.add_newcomer, self.add_leaver):
            self.tasks.append(asyncio.create_task(scene()))

    async def add_newcomer(self):
        """A session that is made between two kills, and whose client returns at the very end only."""
        self.newcomers += 1
        area, version, qos = self.rng.choice(AREAS), self.rng.choice((V311, V5)), self.rng.choice((1, 2))
        one = self.add(f"newcomer{self.newcomers}", None, area, version, qos)
        await one.run(subscriber.leave_for_the_end)

    async def add_leaver(self):
        """A session that is made and ended between two kills; it must not come back."""
        name, version = f"leaver{self.ledger.kills}", self.rng.choice((V311, V5))
        one = Subscriber(self, name, version, "crash/north/+", topics_of("north"), 2)
        await one.ask_for_subscription()
        await one.sleep(self.rng.random())
        await one.end_session()
        self.leavers.append(one)

    async def read_all_retained(self):
        """Reads what is retained through a session of its own; a reading that a kill interrupts is no reading."""
        reader = RetainedReader(self, f"reader{self.ledger.kills}")
        await reader.read()

    async def drain(self):
        """Ends the traffic and waits until everything that is owed has come, or nothing comes any more."""
        self.is_draining = True
        began = time.monotonic()
        while not self.is_quiet():
            assert time.monotonic() - began < DRAIN_SECS_MAX, f"no quiet in {DRAIN_SECS_MAX:.0f} s:\n{self.unrest()}"
            await self.play(0.5)
        for one in self.leavers:
            await one.connect()
            one.drop()
        await self.read_all_retained()

    def is_quiet(self):
        """Everything acknowledged, a while of silence, and a longer one where something is still due."""
        silence = time.monotonic() - self.last_secs()
        if silence < QUIET_SECS or not all(one.is_idle for one in self.publishers):
            return False
        return silence > QUIET_SECS_MAX or not outstanding(self.ledger)

    def last_secs(self):
        return max(one.last_secs for one in [self.watcher, *(one for one, _ in self.subscribers)])

    def unrest(self):
        stuck = [f"{one.name} with {len(one.flights)} unacknowledged" for one in self.publishers if not one.is_idle]
        return "\n".join([*stuck, self.ledger.report()])


class RetainedReader(Client):
    """Subscribes with a session of its own and takes down what is retained, and where there is nothing."""

    def __init__(self, world, name):
        super().__init__(world, name, V5, is_kept=False)
        self.got, self.last_secs = {}, 0.0

    async def read(self):
        await self.connect()
        link, asked = self.link, time.monotonic()
        marker = f"marker/{self.name}"
        self.send(publish(marker, b"0", V5, qos=1, packet_id=1, retain=True))
        self.send(subscribe(2, [("crash/#", 0x01), ("erased/#", 0x01), (marker, 0x01)], V5))
        self.flush()
        self.last_secs = time.monotonic()
        while self.link is link and time.monotonic() - asked < 30:
            await asyncio.sleep(0.1)
            if marker in self.got and time.monotonic() - self.last_secs > 1:
                self.report(asked, marker)
                break
        self.drop()

    def take(self, first, body):
        if first >> 4 != Kind.PUBLISH:
            return super().take(first, body)
        at = 2 + ID.unpack_from(body)[0]
        topic, packet_id, payload = body[2:at].decode(), ID.unpack_from(body, at)[0], body[at + 3 + body[at + 2] :]
        self.send(ack(Kind.PUBACK, packet_id))
        if first & 1:
            self.last_secs = time.monotonic()
            self.got[topic] = payload
        return None

    def report(self, asked, marker):
        """All topics that were ever retained: the value, or that there is none."""
        del self.got[marker]
        for topic in {stream.topic for stream in self.ledger.streams if stream.retain}:
            payload = self.got.get(topic)
            message = None if payload is None else self.ledger.resolve(topic, payload, self.name)
            if payload is None or message is not None:
                self.ledger.read_retained(self.name, topic, message, asked)
