"""Power cuts: what had not reached the device is gone, and still nothing that was acknowledged is lost.

The data of the broker lies on ext4 in a loop file. At a random moment under traffic the broker is killed by SIGKILL,
the backing file is copied as it is, and the broker goes on from the copy; see `loop_image`. That this setting can lose
is shown by its last test: with a disk that only says that it has synced (every fdatasync of the broker is swallowed on
its way to the kernel), the same course loses what was acknowledged, by the hundred.
"""

import os
import pathlib
import shutil
import tempfile

import pytest
from loop_image import LoopImage
from faults import needs_strace
from restartable import Restartable
from test_crash import LONG_QUEUES, check_that_it_was_a_run, play

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not pathlib.Path("/dev/loop-control").exists() or not shutil.which("mkfs.ext4"),
    reason="needs root, loop devices and mkfs.ext4",
)


@pytest.fixture
def disk():
    try:
        one = LoopImage(tempfile.mkdtemp(prefix="strowger-power-"))
    except OSError as error:
        pytest.skip(f"no loop mount here: {error}")
    yield one
    one.close()


def test_the_image_keeps_what_was_synced_and_nothing_else(disk):
    """The check of the image itself, without any broker."""
    for name, is_synced in (("synced", True), ("unsynced", False)):
        with open(disk.point / name, "wb") as file:
            file.write(name.encode() * 1000)
            file.flush()
            if is_synced:
                os.fsync(file.fileno())
    with open(disk.point / "synced", "ab") as file:
        file.write(b"not synced any more")
    disk.cut()
    assert [path.name for path in disk.point.iterdir() if path.is_file()] == ["synced"]
    assert (disk.point / "synced").read_bytes() == b"synced" * 1000


def play_cuts(tmp_path, disk, seed, cuts, settings, prefix=()):
    """A run whose kills are power cuts."""
    broker = Restartable(tmp_path, *LONG_QUEUES, *settings, data=disk.point / "data", prefix=prefix)

    def end():
        broker.kill()
        disk.cut()

    return play(broker, seed, cuts, end)


def test_nothing_acknowledged_is_lost_by_power_cuts(tmp_path, disk, seed, power_cuts, settings):
    ledger = play_cuts(tmp_path, disk, seed, power_cuts, settings)
    assert not ledger.numbers, ledger.report()
    check_that_it_was_a_run(ledger, power_cuts)


@needs_strace
def test_a_power_cut_takes_what_was_not_synced(tmp_path, disk, seed):
    """The check of the check: on a disk that lies about fdatasync, the broker's promises are lies, and it shows.

    The lies begin once the files are made: a segment without its head would keep the broker from starting.
    """
    lie = ["-e", "trace=fdatasync", "-e", "inject=fdatasync:retval=0:when=20+"]
    liar = ["strace", "-D", "-f", "--seccomp-bpf", "-o", "/dev/null", *lie]
    ledger = play_cuts(tmp_path, disk, seed, 1, ["storage.journal_segment_bytes=16777216"], liar)
    assert ledger.numbers["lost"] > 0, ledger.report()
