"""Publishers: a window of unacknowledged messages that survives every connection."""

import asyncio
import struct
import time

from client import Client
from wire import V5, Kind, ack, publish

TICK_SECS = 0.02
ID = struct.Struct("!H")


class Flight:
    """One message on its way: `is_released` once PUBREC came and PUBREL is what is to be sent."""

    __slots__ = ("message", "payload", "is_released")

    def __init__(self, message, payload):
        self.message, self.payload, self.is_released = message, payload, False


class Publisher(Client):
    """Sends at a steady rate to its streams, with one QoS for all of them.

    After a reconnect it resends what is unacknowledged, in the order of sending, with DUP and the same packet id
    ([MQTT-4.4.0-1] in 3.1.1 and 5.0), and PUBREL where it has seen PUBREC.
    """

    def __init__(self, world, name, version, streams, *, rate, window):
        super().__init__(world, name, version)
        self.streams, self.rate, self.window = streams, rate, window
        self.qos = streams[0].qos
        self.flights = {}
        self.turn = self.rng.randrange(len(streams))

    @property
    def is_idle(self):
        return not self.flights

    async def run(self):
        """Publishes until the traffic ends and everything is acknowledged."""
        due, then = 0.0, time.monotonic()
        while not (self.world.is_draining and self.is_idle):
            if not self.is_connected:
                await self.connect()
                self.resume()
                then = time.monotonic()
            elif self.rng.random() < TICK_SECS / 15:
                self.break_off()
                continue
            now = time.monotonic()
            due, then = min(due + self.rate * (now - then), self.window), now
            while due >= 1 and len(self.flights) < self.window and not self.world.is_draining:
                self.publish()
                due -= 1
            self.flush()
            await asyncio.sleep(TICK_SECS * (0.5 + self.rng.random()))

    def burst(self):
        """Fills the window at once."""
        while self.is_connected and len(self.flights) < self.window:
            self.publish()
        self.flush()

    def break_off(self):
        """An end of the connection that has nothing to do with the broker: a reset, a goodbye, or a takeover."""
        how = self.rng.choice([self.drop, self.leave, self.retire])
        how()

    def publish(self):
        stream = self.streams[self.turn % len(self.streams)]
        self.turn += 1
        message = self.ledger.sent(stream)
        flight = Flight(message, stream.payload(message.number))
        packet_id = next(one for one in self.ids if one not in self.flights)
        self.flights[packet_id] = flight
        self.send_publish(packet_id, flight, is_dup=False)

    def send_publish(self, packet_id, flight, is_dup):
        stream = flight.message.stream
        self.send(
            publish(
                stream.topic, flight.payload, self.version,
                qos=self.qos, packet_id=packet_id, retain=stream.retain, dup=is_dup,
            )
        )  # fmt: skip

    def resume(self):
        """Takes up all exchanges where they stand."""
        for packet_id, flight in self.flights.items():
            if flight.is_released:
                self.send(ack(Kind.PUBREL, packet_id))
                self.ledger.seen["PUBREL resent"] += 1
            else:
                flight.message.attempts += 1
                self.send_publish(packet_id, flight, is_dup=True)
                self.ledger.seen["PUBLISH resent"] += 1
        self.flush()

    def take(self, first, body):
        kind = first >> 4
        if kind not in (Kind.PUBACK, Kind.PUBREC, Kind.PUBCOMP):
            super().take(first, body)
            return
        packet_id = ID.unpack_from(body)[0]
        reason = body[2] if len(body) > 2 and self.version == V5 else 0
        flight = self.flights.get(packet_id)
        if flight is None:
            self.ledger.find("protocol", f"{self.name}: {Kind(kind).name} for the idle packet id {packet_id}")
        elif kind == Kind.PUBCOMP:
            if not flight.is_released:
                self.ledger.find("protocol", f"{self.name}: PUBCOMP before PUBREL for packet id {packet_id}")
            self.ledger.settled(flight.message)
            del self.flights[packet_id]
        else:
            self.on_taken(kind, packet_id, flight, reason)

    def on_taken(self, kind, packet_id, flight, reason):
        """PUBACK or PUBREC: from here on the message is the broker's, or it was refused."""
        if kind != (Kind.PUBACK if self.qos == 1 else Kind.PUBREC):
            self.ledger.find("protocol", f"{self.name}: {Kind(kind).name} for a message of QoS {self.qos}")
        if reason >= 0x80:
            self.ledger.refused(flight.message, reason)
            del self.flights[packet_id]
            return
        self.ledger.acked(flight.message)
        if self.qos == 1:
            self.ledger.settled(flight.message)
            del self.flights[packet_id]
        else:
            flight.is_released = True
            self.send(ack(Kind.PUBREL, packet_id))
