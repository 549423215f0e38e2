"""Brokers as processes: the one under test, and Debian's mosquitto as a second opinion.

`STROWGER_BIN` names the binary (default `target/release/strowger`). `BROKER=mosquitto` runs the suites against
mosquitto instead, which checks the tests themselves; tests of what is Strowger's own are then skipped.
"""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
STROWGER = pathlib.Path(os.environ.get("STROWGER_BIN", ROOT / "target/release/strowger")).absolute()
UNDER_TEST = os.environ.get("BROKER", "strowger")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# Brokers run beside each other; one that is to have a listener for operators says where.
os.environ.setdefault("STROWGER_ADMIN__BIND", "none")
# A broker that is installed on this machine is not the one that is meant.
os.environ.setdefault("STROWGER_CONF", "")


def wait_for_operators(options, secs=10.0):
    """Waits until the listener for operators that `options` ask for says that the broker is ready: clients can connect a
    moment before."""
    words = [str(option) for option in options]
    binds = [word.removeprefix("admin.bind=") for word in words if word.startswith("admin.bind=127.")]
    if not binds or any(word.startswith("admin.certificate=") for word in words):
        return
    deadline = time.monotonic() + secs
    while True:
        try:
            urllib.request.urlopen(f"http://{binds[-1]}/readyz", timeout=5).close()
            return
        except (urllib.error.URLError, OSError):
            assert time.monotonic() < deadline, f"{binds[-1]} is not ready within {secs} s"
            time.sleep(0.02)


def wait_for_greeting(log_path, options, begin=0, secs=3.0):
    """Waits until the log says that the broker listens, which is written after clients can connect; not where settings
    may keep it out of the log."""
    deadline = time.monotonic() + secs
    is_said = not any("log." in str(option) for option in options)
    while is_said and time.monotonic() < deadline:
        if b"listening for MQTT" in log_path.read_bytes()[begin:]:
            return
        time.sleep(0.01)


class Broker:
    """One running broker on a port of its own. `before` is a command that starts it, which gets `files` as they are."""

    def __init__(self, directory, *options, kind=UNDER_TEST, before=(), files=()):
        self.kind, self.port = kind, free_port()
        self.address = ("127.0.0.1", self.port)
        self.log_path = pathlib.Path(directory) / f"{kind}-{self.port}.log"
        with open(self.log_path, "wb") as log:
            command = [*before, *self._command(pathlib.Path(directory), options)]
            self.process = subprocess.Popen(
                [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=files
            )
        self._wait_for_the_port()
        if kind == "strowger":
            wait_for_operators(options)
            wait_for_greeting(self.log_path, options)

    def _command(self, directory, options):
        if self.kind == "strowger":
            # Two lines on any machine, so that what crosses lines is tested, too.
            store = str(directory / f"store-{self.port}")
            bind = f"127.0.0.1:{self.port}"
            return [STROWGER, "serve", "--bind", bind, "--data-dir", store, "--set", "broker.lines=2", *options]
        binary = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        conf = directory / f"mosquitto-{self.port}.conf"
        conf.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n"
            "max_queued_messages 10000\nmax_packet_size 1048576\nmax_keepalive 3600\nlog_type error\n"
        )
        return [binary, "-c", conf]

    def _wait_for_the_port(self, secs=10.0):
        deadline = time.monotonic() + secs
        while time.monotonic() < deadline:
            assert self.process.poll() is None, f"the broker ended with {self.process.returncode}:\n{self.log()}"
            try:
                socket.create_connection(self.address, timeout=1).close()
                return
            except OSError:
                time.sleep(0.02)
        self.process.kill()
        raise AssertionError(f"no listener on port {self.port} within {secs} s:\n{self.log()}")

    def log(self):
        return self.log_path.read_text(errors="replace")

    def rss_mib(self):
        """Resident memory of the process in MiB."""
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        raise AssertionError("the broker is gone")

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def stop(self, within=15.0):
        """Ends the broker by SIGTERM and returns its exit code; a broker that hangs is killed and fails the test."""
        if self.process.poll() is None:
            self.terminate()
        try:
            return self.process.wait(within)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the broker did not end within {within} s of SIGTERM:\n{self.log()}") from None


def run(*command, **options):
    """Runs a command to its end (30 s at most) with its output captured as text."""
    options.setdefault("timeout", 30)
    options.setdefault("stdin", subprocess.DEVNULL)
    if "input" in options:
        del options["stdin"]
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)


def strowger(*arguments, **options):
    return run(STROWGER, *arguments, **options)
