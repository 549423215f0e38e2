"""Lines that do not answer."""

import ctypes
import os
import pathlib

import pytest

PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 17, 0x4206, 0x4207
WALL = 0x40000000


def line_of(pid):
    """The thread of a line."""
    for task in sorted(pathlib.Path(f"/proc/{pid}/task").iterdir(), key=lambda one: int(one.name)):
        if (task / "comm").read_text().startswith("actix-rt"):
            return int(task.name)
    raise AssertionError("no line")


class Tracer:
    """Stops one thread alone, as a line would stand still that is stuck: SIGSTOP stops all of them."""

    def __init__(self, thread):
        self.libc, self.thread = ctypes.CDLL(None, use_errno=True), thread
        for request in (PTRACE_SEIZE, PTRACE_INTERRUPT):
            if self._ptrace(request):
                pytest.skip(f"ptrace: {os.strerror(ctypes.get_errno())}")
        os.waitpid(thread, WALL)

    def _ptrace(self, request):
        return self.libc.ptrace(ctypes.c_long(request), ctypes.c_long(self.thread), None, None)

    def release(self):
        assert self._ptrace(PTRACE_DETACH) == 0
