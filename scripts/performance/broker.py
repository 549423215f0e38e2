"""A fresh broker for one run: started on free ports, asked whether it speaks MQTT, stopped by its process id."""

import os
import re
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

START_SECS_MAX = 15
STOP_SECS_MAX = 15

# CONNECT in 3.1.1: clean session, 60 s keep alive (rumqttd refuses to do without), client identifier "ready".
CONNECT = b"\x10\x11\x00\x04MQTT\x04\x02\x00\x3c\x00\x05ready"
CONNACK = b"\x20\x02\x00\x00"
DISCONNECT = b"\xe0\x00"
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class NotStarted(Exception):
    """A broker that does not come up, and what it says about that."""


class Broker:
    """A context manager; inside of it the broker serves `port` as process `pid`.

    `disk` is a directory on a disk, for a broker that keeps sessions; without it its files are in memory.
    """

    def __init__(self, peer, binary, *, is_bounded=False, disk=None, more=()):
        self.peer, self.binary, self.is_bounded, self.disk, self.more = peer, binary, is_bounded, disk, more
        self.process, self.directory = None, None
        self.port, self.second_port = free_ports(2)

    @property
    def pid(self):
        """The process that serves."""
        return self.process.pid

    def command(self):
        """The command line, with the configuration written to the broker's own directory."""
        place = {"@PORT@": str(self.port), "@PORT2@": str(self.second_port), "@DIR@": self.directory.name}
        source = self.peer.configuration_of(self.is_bounded, is_persistent=self.disk is not None)
        # rumqttd and rmqttd take the format from the extension.
        target = Path(self.directory.name) / f"broker{source.suffix}"
        target.write_text(filled(source.read_text(), place))
        place |= {"@BINARY@": self.binary, "@CONF@": str(target)}
        return [filled(word, place) for word in self.peer.command] + list(self.more)

    def __enter__(self):
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.directory = tempfile.TemporaryDirectory(prefix="strowger-compare-", dir=self.disk or memory)
        try:
            with open(Path(self.directory.name) / "output", "wb") as output:
                self.process = subprocess.Popen(
                    self.command(),
                    cwd=self.directory.name,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                )
            deadline = time.monotonic() + START_SECS_MAX
            while time.monotonic() < deadline and self.process.poll() is None:
                if speaks_mqtt(self.port):
                    return self
                time.sleep(0.05)
            raise NotStarted(f"{self.peer.name} does not answer on 127.0.0.1:{self.port}: {self.said()}")
        except BaseException:
            self.__exit__()
            raise

    def said(self):
        """The end of what the broker has printed, or its exit status."""
        text = (Path(self.directory.name) / "output").read_text(errors="replace")
        text = COLOURS.sub("", text).strip()
        ended = self.process.poll()
        status = "" if ended is None else f" (it ended with status {ended})"
        return " ".join(text[-300:].split()) + status if text else f"it says nothing{status}"

    def ending(self):
        """Why the broker is gone, or None while it serves."""
        return None if self.process.poll() is None else f"{self.peer.name} went away: {self.said()}"

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_SECS_MAX)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.directory.cleanup()


def filled(text, places):
    """The text with each placeholder replaced."""
    for name, value in places.items():
        text = text.replace(name, value)
    return text


def free_ports(count):
    """Ports that nobody holds at this moment."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def speaks_mqtt(port):
    """Whether a CONNECT is answered with success; a port that listens may belong to a broker that still starts."""
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as probe:
            probe.settimeout(2)
            probe.sendall(CONNECT)
            answer = probe.recv(4)
            if answer != CONNACK:
                return False
            probe.sendall(DISCONNECT)
            return True
    except OSError:
        return False
