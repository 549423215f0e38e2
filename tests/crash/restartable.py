"""A broker that is killed and started again: always on the same port, the same data and one log."""

import pathlib
import random
import shutil
import signal
import socket
import subprocess
import time

import exchange


def quiet_port():
    """A free port outside the range that the kernel hands out.

    Clients knock on it while no broker listens; with a port of that range, such a client can connect to itself.
    """
    for _ in range(100):
        port = random.SystemRandom().randrange(20000, 32000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no free port between 20000 and 32000")


class Restartable:
    """One broker with a directory for its data; `start` and `kill` may follow one another as often as wished.

    `settings` are of the form "section.key=value", `conf` is the text of a settings file: both for Strowger only.
    `prefix` is a command to run it under; it must become the broker, as `strace -D` does.
    """

    def __init__(self, directory, *settings, data=None, conf="", prefix=(), kind=exchange.UNDER_TEST):
        self.prefix = list(prefix)
        self.directory, self.settings, self.kind = pathlib.Path(directory), list(settings), kind
        self.port = quiet_port()
        self.address = ("127.0.0.1", self.port)
        self.data = pathlib.Path(data or self.directory / "data")
        self.conf = self.directory / f"{kind}-{self.port}.conf"
        self.conf.write_text(conf if kind == "strowger" else self._mosquitto_conf())
        self.log_path = self.directory / f"{kind}-{self.port}.log"
        self.log_path.touch()
        self.log_begin = 0
        self.process = None

    def _mosquitto_conf(self):
        self.data.mkdir(exist_ok=True)
        return (
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\nuser root\n"
            f"max_queued_messages 0\nmax_inflight_messages 1000\nmax_keepalive 3600\nlog_type error\n"
            f"persistence true\npersistence_location {self.data}/\nautosave_interval 1\n"
        )

    def _command(self):
        if self.kind == "mosquitto":
            return [shutil.which("mosquitto") or "/usr/sbin/mosquitto", "-c", self.conf]
        settings = ["broker.lines=2", f"storage.directory={self.data}", *self.settings]
        flags = [part for setting in settings for part in ("--set", setting)]
        return [exchange.STROWGER, "serve", "--conf", self.conf, "--bind", f"127.0.0.1:{self.port}", *flags]

    def spawn(self, environment=None):
        """Starts the process and does not wait for it."""
        self.log_begin = self.log_path.stat().st_size
        command = [str(part) for part in [*self.prefix, *self._command()]]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, cwd=self.directory
            )

    def start(self, environment=None, secs=20.0):
        """Starts the process and waits until it takes connections."""
        self.spawn(environment)
        deadline = time.monotonic() + secs
        while time.monotonic() < deadline:
            assert self.is_up(), f"the broker ended with {self.process.returncode}:\n{self.log()}"
            try:
                socket.create_connection(self.address, timeout=1).close()
                break
            except OSError:
                time.sleep(0.02)
        else:
            self.kill()
            raise AssertionError(f"no listener on port {self.port} within {secs} s:\n{self.log()}")
        if self.kind == "strowger":
            exchange.wait_for_greeting(self.log_path, self.settings, self.log_begin)
        return self

    def refusal(self, environment=None, secs=20.0):
        """Starts a broker that has to refuse to serve; returns its exit code and what it said."""
        self.spawn(environment)
        try:
            code = self.process.wait(secs)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the broker serves what it has to refuse:\n{self.log()}") from None
        return code, self.log()

    def is_up(self):
        return self.process is not None and self.process.poll() is None

    def log(self):
        """What the broker said since its last start."""
        with open(self.log_path, "rb") as log:
            log.seek(self.log_begin)
            return log.read().decode(errors="replace")

    def kill(self):
        """SIGKILL, and the end of the process: what it had in the kernel is done when this returns."""
        if self.is_up():
            self.process.kill()
        if self.process is not None:
            self.process.wait()

    def stop(self, within=20.0):
        """Ends the broker by SIGTERM and returns its exit code."""
        if self.is_up():
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(within)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the broker did not end within {within} s of SIGTERM:\n{self.log()}") from None
