"""The well-behaved neighbour of the hostile clients."""

import threading
import time

from wire import Kind, Wire, ack, publish

ROUND_SECS_MAX = 2.0


class Healthy:
    """Publishes to itself with QoS 1 in a thread, one message after the other, and watches that each one arrives
    once, in order and in time; `durations` has the seconds of each round. A second connection watches the topic that must stay silent."""

    def __init__(self, address):
        self.wire = Wire.open(address, "healthy", timeout=10)
        self.wire.subscribe("healthy", qos=1)
        self.watch = Wire.open(address, "watch", keep_alive=0)
        self.watch.subscribe("forbidden/#", qos=0)
        self.durations = []
        self.rounds, self.slowest_secs, self.failure, self.stopped = 0, 0.0, None, False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            while not self.stopped:
                began = time.monotonic()
                self._round()
                self.durations.append(time.monotonic() - began)
                self.slowest_secs = max(self.slowest_secs, self.durations[-1])
                self.rounds += 1
                time.sleep(0.002)
        except Exception as error:  # the test reports it
            self.failure = error

    def _round(self):
        packet_id = self.rounds % 65535 + 1
        self.wire.send(publish("healthy", str(self.rounds), qos=1, packet_id=packet_id))
        due = {Kind.PUBACK, Kind.PUBLISH}
        while due:
            got = self.wire.receive()
            assert got is not None, "the healthy client was disconnected"
            assert got.kind in due, f"the healthy client got {got}"
            due.remove(got.kind)
            if got.kind == Kind.PUBLISH:
                assert (got.payload, got.dup) == (str(self.rounds).encode(), False), f"out of order: {got}"
                self.wire.send(ack(Kind.PUBACK, got.packet_id))
            else:
                assert (got.packet_id, got.reason) == (packet_id, 0)

    def check(self):
        """Fails when the neighbour was disturbed, ever."""
        seen = self.rounds
        deadline = time.monotonic() + ROUND_SECS_MAX
        while self.rounds == seen and self.failure is None and time.monotonic() < deadline:
            time.sleep(0.001)
        assert self.failure is None, f"the healthy client was disturbed: {self.failure!r}"
        assert self.rounds > seen, f"the healthy client stands still since message {seen}"
        assert self.slowest_secs < ROUND_SECS_MAX, f"a message of the healthy client took {self.slowest_secs:.1f} s"

    def forbidden(self):
        """Messages that came on the topic that has to stay silent."""
        came = []
        try:
            while True:
                came.append(self.watch.receive(0.5))
        except TimeoutError:
            return came

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stopped = True
        self.thread.join(ROUND_SECS_MAX)
        self.wire.drop()
        self.watch.drop()
