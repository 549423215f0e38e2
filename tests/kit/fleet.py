"""Many clients in one process that publish at QoS 1, subscribe, and come back whenever their connection ends.

Each device has a subscriber of its own: what a device published and the broker acknowledged must arrive there, in order,
and a second time only with DUP or after a return. Connections that are refused are counted: with an upgrade in place there
are none.
"""

import asyncio
import collections
import struct
import time

from wire import varint

RETRY_SECS = 0.02


def _text(text):
    raw = text.encode()
    return struct.pack("!H", len(raw)) + raw


def _packet(kind, body):
    return bytes([kind]) + varint(len(body)) + body


def _connect(client_id, expiry):
    properties = b"\x11" + struct.pack("!I", expiry)
    body = _text("MQTT") + bytes([5, 0]) + struct.pack("!H", 60) + varint(len(properties)) + properties + _text(client_id)
    return _packet(0x10, body)


class Client:
    """One client with a kept session."""

    def __init__(self, fleet, name):
        self.fleet, self.name = fleet, name
        self.writer = None
        self.goodbyes = []

    async def live(self):
        while not self.fleet.is_over:
            try:
                reader, self.writer = await asyncio.open_connection(*self.fleet.address)
            except ConnectionRefusedError:
                self.fleet.refused += 1
                await asyncio.sleep(RETRY_SECS)
                continue
            except OSError:
                self.fleet.broken += 1
                await asyncio.sleep(RETRY_SECS)
                continue
            try:
                self.writer.write(_connect(self.name, 3600))
                kind, body = await self._read(reader)
                if kind != 0x20 or body[1]:
                    self.fleet.unwelcome += 1
                    raise ConnectionError
                await self.connected(bool(body[0]))
                while True:
                    kind, body = await self._read(reader)
                    if kind == 0xE0:
                        self.goodbyes.append(body[0] if body else 0)
                    await self.handle(kind, body)
            except (ConnectionError, asyncio.IncompleteReadError, OSError):
                self.fleet.ended += 1
            finally:
                self.writer.close()
                self.gone()

    async def _read(self, reader):
        kind = (await reader.readexactly(1))[0]
        length = shift = 0
        while True:
            byte = (await reader.readexactly(1))[0]
            length |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                break
        return kind, await reader.readexactly(length)

    def gone(self):
        pass


class Device(Client):
    """Publishes numbers, one at a time: the next when the last is acknowledged."""

    def __init__(self, fleet, name, every):
        super().__init__(fleet, name)
        self.every, self.acknowledged, self.number = every, 0, 1
        self.sent = False
        self.task = None
        self.repeated = set()

    async def connected(self, present):
        self.task = asyncio.create_task(self._publish_on(repeat=self.sent))

    def gone(self):
        if self.task:
            self.task.cancel()

    async def _publish_on(self, repeat):
        if not repeat:
            await asyncio.sleep(self.every)
            if self.fleet.is_closing:
                return
        self.sent = True
        if repeat:
            self.repeated.add(self.number)
        body = _text(f"fleet/{self.name}") + struct.pack("!H", 1 + self.number % 60000) + b"\0" + str(self.number).encode()
        self.writer.write(_packet(0x3A if repeat else 0x32, body))

    async def handle(self, kind, body):
        if kind == 0x40 and struct.unpack("!H", body[:2])[0] == 1 + self.number % 60000:
            if len(body) > 2 and body[2] >= 0x80:
                self.fleet.unwelcome += 1
            self.acknowledged, self.sent = self.number, False
            self.number += 1
            self.task = asyncio.create_task(self._publish_on(repeat=False))


class Reader(Client):
    """Takes what one device publishes."""

    def __init__(self, fleet, device):
        super().__init__(fleet, f"reader-of-{device.name}")
        self.device, self.got, self.twice, self.dups = device, collections.Counter(), 0, 0
        self.is_subscribed = asyncio.Event()
        self.last = 0

    async def connected(self, present):
        if not present:
            topic = f"fleet/{self.device.name}"
            self.writer.write(_packet(0x82, struct.pack("!H", 1) + b"\0" + _text(topic) + b"\x01"))

    async def handle(self, kind, body):
        if kind == 0x90:
            self.is_subscribed.set()
        if kind & 0xF0 != 0x30:
            return
        length = struct.unpack("!H", body[:2])[0]
        at = 2 + length
        packet_id = body[at : at + 2]
        number = int(body[at + 3 :])
        self.got[number] += 1
        self.dups += bool(kind & 0x08)
        # What the device has sent again is another message to a broker at QoS 1.
        if self.got[number] > 1 and not kind & 0x08 and number not in self.device.repeated:
            self.twice += 1
        self.last = max(self.last, number)
        self.writer.write(_packet(0x40, packet_id))


class Fleet:
    """Runs `pairs` devices with their readers; `messages_per_sec` over all of them."""

    def __init__(self, address, pairs, messages_per_sec):
        self.address = address
        self.refused = self.broken = self.unwelcome = self.ended = 0
        self.is_over = self.is_closing = False
        every = pairs / messages_per_sec
        self.devices = [Device(self, f"device-{at}", every) for at in range(pairs)]
        self.readers = [Reader(self, device) for device in self.devices]
        self.tasks = []

    async def start(self, within=60):
        self.tasks = [asyncio.create_task(reader.live()) for reader in self.readers]
        subscribed = [reader.is_subscribed.wait() for reader in self.readers]
        await asyncio.wait_for(asyncio.gather(*subscribed), within)
        self.tasks += [asyncio.create_task(device.live()) for device in self.devices]

    async def finish(self, within=60):
        """Stops publishing, waits until all that was acknowledged is there, and ends the clients."""
        self.is_closing = True
        deadline = time.monotonic() + within
        while time.monotonic() < deadline and (self.lost() or any(device.sent for device in self.devices)):
            await asyncio.sleep(0.1)
        self.is_over = True
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def acknowledged(self):
        return sum(device.acknowledged for device in self.devices)

    def lost(self):
        """Messages that were acknowledged and have not arrived."""
        return sum(
            1
            for reader in self.readers
            for number in range(1, reader.device.acknowledged + 1)
            if not reader.got[number]
        )

    def twice(self):
        """Messages that came again without DUP on either side."""
        return sum(reader.twice for reader in self.readers)
