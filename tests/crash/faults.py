"""Real faults for a running broker: a small disk, failing system calls, another clock."""

import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

import pytest

FAKETIME = next(iter(sorted(pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount")
needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
needs_faketime = pytest.mark.skipif(FAKETIME is None, reason="needs libfaketime (Debian package faketime)")


class SmallDisk:
    """A tmpfs of its own; `fill` leaves so much free, `free` gives the rest back."""

    def __init__(self, mib):
        self.point = pathlib.Path(tempfile.mkdtemp(prefix="strowger-disk-"))
        self._mount("-t", "tmpfs", "-o", f"size={mib}m", "tmpfs")
        self.filler = self.point / "filler"

    def _mount(self, *options):
        done = subprocess.run(["mount", *options, str(self.point)], capture_output=True, text=True, timeout=30)
        if done.returncode:
            self.point.rmdir()
            pytest.skip(f"no mount here: {done.stderr.strip()}")

    @property
    def free_bytes(self):
        room = os.statvfs(self.point)
        return room.f_bavail * room.f_frsize

    def fill(self, but_bytes):
        with open(self.filler, "ab") as filler:
            while (left := self.free_bytes - but_bytes) > 0:
                filler.write(bytes(min(left, 1 << 20)))
                filler.flush()

    def free(self):
        self.filler.unlink()

    def make_read_only(self):
        subprocess.run(["mount", "-o", "remount,ro", str(self.point)], check=True, timeout=30)

    def close(self):
        subprocess.run(["umount", "-l", str(self.point)], capture_output=True, timeout=30)
        self.point.rmdir()


def failing(broker, calls, error):
    """While this lasts, these system calls of the broker fail with `error`; the broker itself was started healthy."""
    return injecting(broker, calls, f"error={error}")


def delaying(broker, calls, secs):
    """While this lasts, these system calls of the broker begin so much later."""
    return injecting(broker, calls, f"delay_enter={secs * 1_000_000}")


@contextlib.contextmanager
def a_stuck_line(broker):
    """While this lasts, one line of the broker does nothing: its thread does not come back from its wait.

    Nor is the end of the process seen before this is over; `await_zombie` says that it came.
    """
    tasks = sorted(pathlib.Path(f"/proc/{broker.process.pid}/task").iterdir(), key=lambda task: int(task.name))
    names = [(task / "comm").read_text().strip() for task in tasks]
    # The thread of the store is begun behind those of the lines.
    line = tasks[names.index("store") - 1]
    command = ["strace", "-o", os.devnull, "-e", "trace=epoll_wait", "-e", "inject=epoll_wait:delay_enter=900000000"]
    tracer = subprocess.Popen([*command, "-p", line.name], stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 10
        while f"TracerPid:\t{tracer.pid}" not in (line / "status").read_text():
            if tracer.poll() is not None:
                pytest.skip(f"strace may not trace here: {tracer.stderr.read().strip()}")
            assert time.monotonic() < deadline, "strace did not attach within 10 s"
            time.sleep(0.02)
        # The wait that was under way ends once more: when somebody comes whom the line serves.
        stuck = 0
        while stuck < 25:
            assert time.monotonic() < deadline, "the line does not get stuck within 10 s"
            socket.create_connection(broker.address, timeout=5).close()
            time.sleep(0.02)
            # Every traced call stops it for a moment.
            stuck = stuck + 1 if "State:\tt" in (line / "status").read_text() else 0
        yield
    finally:
        tracer.kill()
        tracer.wait()


def await_zombie(broker, within):
    """Waits until the process of the broker has ended, also if a tracer keeps its exit code for itself."""
    status = pathlib.Path(f"/proc/{broker.process.pid}/status")
    deadline = time.monotonic() + within
    while "State:\tZ" not in status.read_text():
        assert time.monotonic() < deadline, f"the broker did not end within {within} s:\n{broker.log()}"
        time.sleep(0.02)


@contextlib.contextmanager
def injecting(broker, calls, what):
    with tempfile.NamedTemporaryFile(suffix=".strace") as trace:
        command = ["strace", "-f", "-o", trace.name, "-e", f"trace={calls}", "-e", f"inject={calls}:{what}"]
        tracer = subprocess.Popen([*command, "-p", str(broker.process.pid)], stderr=subprocess.PIPE, text=True)
        try:
            wait_until_traced(broker, tracer)
            yield trace
        finally:
            tracer.terminate()
            try:
                tracer.wait(10)
            except subprocess.TimeoutExpired:
                # It waits for a thread of a process that has ended, which waits for it.
                tracer.kill()
                tracer.wait()


def wait_until_traced(broker, tracer):
    """Returns when every thread of the broker is under the tracer."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if tracer.poll() is not None:
            pytest.skip(f"strace may not trace here: {tracer.stderr.read().strip()}")
        tasks = pathlib.Path(f"/proc/{broker.process.pid}/task").iterdir()
        if all(f"TracerPid:\t{tracer.pid}" in (task / "status").read_text() for task in tasks):
            return
        time.sleep(0.02)
    raise AssertionError("strace did not attach within 10 s")


def clock_set(offset):
    """The environment of a process whose wall clock is off, such as "-1d" or "+1h"; its monotonic clock is right."""
    return {
        **os.environ, "LD_PRELOAD": str(FAKETIME), "FAKETIME": offset,
        "DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }  # fmt: skip
