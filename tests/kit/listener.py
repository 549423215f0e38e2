"""Command-line subscribers with Mosquitto's option letters: `mosquitto_sub` and `strowger sub`."""

import itertools
import queue
import subprocess
import threading

from wire import Wire

NUMBERS = itertools.count(1)


class Listener:
    """A running subscriber; its subscriptions are in effect when the constructor returns.

    It also subscribes, last of all, to a topic with a retained message: when that one comes, every other filter is
    in effect. What came before it (retained messages) is kept.
    """

    def __init__(self, program, broker, topics, *options, port=None):
        ready = f"ready/{next(NUMBERS)}"
        with Wire.open(broker.address) as wire:
            wire.publish(ready, b"ready", qos=1, retain=True)
        filters = [part for topic in [*topics, ready] for part in ("-t", topic)]
        command = [*program, "-p", port or broker.port, "-v", *filters, *options]
        self.process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self.early = []
        while (message := self.message()) != (ready, "ready"):
            self.early.append(message)

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))

    def message(self, timeout=10):
        """The next message as (topic, payload)."""
        topic, _, payload = self.lines.get(timeout=timeout).partition(" ")
        return topic, payload

    def kill(self):
        """Ends the subscriber without a DISCONNECT."""
        self.process.kill()
        self.process.wait()
