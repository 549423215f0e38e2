"""MQTT clients on asyncio whose state outlives connection and broker: packet ids, DUP and resumption are in the open.

Packets are built by `wire`; what comes by the thousand is read here, by hand, for speed.
"""

import asyncio
import itertools
import time

from wire import V5, Kind, Packet, connect, disconnect

CONNACK_SECS_MAX = 60.0
RETRY_SECS = 0.03
# Server unavailable, in 3.1.1 and in 5.0: to be tried again, but not for ever.
UNAVAILABLE = (0x03, 0x88)
PUT_OFF_MAX = 100
DAY_SECS = 86400


class Lost(Exception):
    """The connection ended while an answer was due."""


class Link(asyncio.Protocol):
    """One connection. Cuts the stream into packets for its owner; a retired link has none and reads no more."""

    def __init__(self, owner):
        self.owner, self.buffer, self.transport = owner, b"", None

    def connection_made(self, transport):
        self.transport = transport

    def write(self, raw):
        if not self.transport.is_closing():
            self.transport.write(raw)

    def data_received(self, data):
        buffer, at = self.buffer + data, 0
        while self.owner is not None and (cut := self._cut(buffer, at)) is not None:
            start, end = cut
            self.owner.take(buffer[at], buffer[start:end])
            at = end
        self.buffer = buffer[at:]
        if self.owner is not None:
            self.owner.flush()

    @staticmethod
    def _cut(buffer, at):
        """Where the body of the packet at `at` begins and ends; None when it is not all there."""
        length, shift = 0, 0
        for start in range(at + 1, min(at + 5, len(buffer))):
            length |= (buffer[start] & 0x7F) << shift
            shift += 7
            if buffer[start] < 0x80:
                end = start + 1 + length
                return (start + 1, end) if end <= len(buffer) else None
        return None

    def connection_lost(self, error):
        if self.owner is not None:
            self.owner.lost()


class Client:
    """A client with an identity of its own. A kept session has to be there at every connection but the first."""

    def __init__(self, world, name, version, *, is_kept=True):
        self.world, self.ledger, self.rng = world, world.ledger, world.rng
        self.name, self.version, self.is_kept = name, version, is_kept
        self.link, self.is_connected, self.answers, self.out = None, False, {}, bytearray()
        self.ids = itertools.cycle(range(1, 65536))
        self.times_asked, self.times_welcome = 0, 0
        self.has_session, self.is_present = False, False

    async def connect(self, *, clean=False):
        """Connects, again and again until the broker answers. An open connection is left behind: a takeover.

        `clean` asks for a clean start and for a session that ends with the connection.
        """
        self.retire()
        is_fresh = clean or not self.is_kept
        while True:
            try:
                connack = await self._attempt(self.opening(is_fresh))
                break
            except (OSError, Lost):
                self.retire()
                await asyncio.sleep(RETRY_SECS * (0.5 + self.rng.random()))
        self._welcome(connack, is_fresh)

    def opening(self, is_fresh):
        """The CONNECT of one attempt."""
        options = {} if is_fresh or self.version != V5 else {"session_expiry": DAY_SECS}
        return connect(self.name, self.version, clean=is_fresh, keep_alive=3600, will=self.will(), **options)

    def will(self):
        """The will of one attempt to connect."""
        return None

    async def _attempt(self, opening):
        address = self.world.broker.address
        _, link = await asyncio.get_running_loop().create_connection(lambda: Link(self), *address)
        self.link = link
        self.times_asked += 1
        link.write(opening)
        connack = await self.answer(Kind.CONNACK, 0, within=CONNACK_SECS_MAX)
        if connack.reason in UNAVAILABLE and self.times_asked - self.times_welcome < PUT_OFF_MAX:
            self.ledger.seen["CONNECT put off"] += 1
            await asyncio.sleep(0.1)
            raise Lost
        assert connack.reason == 0, f"{self.name}: CONNACK {connack.reason:#04x}"
        return connack

    def _welcome(self, connack, is_fresh):
        """[MQTT-3.2.2-2] in 3.1.1, [MQTT-3.2.2-3] in 5.0: a stored session is there, and it is said so."""
        self.is_connected, self.is_present = True, connack.session_present
        if is_fresh and connack.session_present:
            self.ledger.find("session", f"{self.name}: session present after a clean start")
        if not is_fresh and self.has_session and not connack.session_present:
            self.ledger.find("session", f"{self.name}: the session is gone after kill {self.ledger.kills}")
        if not is_fresh and self.times_asked == 1 and connack.session_present:
            self.ledger.find("session", f"{self.name}: a session that was never made or was ended is there")
        self.has_session, self.times_welcome = self.is_kept, self.times_asked

    def forget(self):
        """From here on no session is expected to be there."""
        self.times_asked, self.times_welcome, self.has_session = 0, 0, False

    async def answer(self, kind, packet_id, within=60.0):
        """Waits for the answer to a request; the end of the connection is raised as `Lost`."""
        future = asyncio.get_running_loop().create_future()
        self.answers[kind, packet_id] = future
        if self.link is None:
            self._fail_answers()
        try:
            async with asyncio.timeout(within):
                return await future
        except TimeoutError:
            raise AssertionError(f"{self.name}: no {kind.name} within {within:.0f} s") from None
        finally:
            self.answers.pop((kind, packet_id), None)

    def _fail_answers(self):
        for future in self.answers.values():
            if not future.done():
                future.set_exception(Lost())

    def take(self, first, body):
        """One packet from the broker."""
        packet = Packet(first, body, self.version)
        packet_id = getattr(packet, "packet_id", 0)
        future = self.answers.get((packet.kind, packet_id))
        if future is not None and not future.done():
            future.set_result(packet)

    def send(self, raw):
        self.out += raw

    def flush(self):
        """Writes what `send` has gathered, in one piece."""
        if self.out and self.link is not None:
            self.link.write(bytes(self.out))
        self.out.clear()

    def lost(self):
        """The connection is gone; the session is not."""
        self.link, self.is_connected = None, False
        self.out.clear()
        self._fail_answers()

    def retire(self):
        """Leaves an open connection as it is and reads no more of it."""
        if self.link is not None:
            self.link.owner = None
            self.lost()

    def drop(self):
        """Ends the connection as a broken network does."""
        link = self.link
        self.retire()
        if link is not None:
            link.transport.abort()

    def leave(self):
        """Ends the connection with DISCONNECT; the session stays if it is a kept one."""
        link = self.link
        self.retire()
        if link is not None:
            link.write(disconnect())
            link.transport.close()

    async def sleep(self, secs):
        """Sleeps, but no longer than traffic lasts."""
        until = time.monotonic() + secs
        while (left := until - time.monotonic()) > 0 and not self.world.is_draining:
            await asyncio.sleep(min(left, 0.2))
