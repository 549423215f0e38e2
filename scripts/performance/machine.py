"""What figures were measured on and with."""

import datetime
import os
import platform
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from .peers import ROOT, Unavailable

# Whoever measures with other sources than the commit's should not name the commit alone.
SOURCES = ("src", "actors", "broker", "client", "codec", "conf", "storage", "Cargo.toml", "Cargo.lock")


def describe():
    """Processor, memory, kernel, compiler, commit and date, as a dictionary of texts."""
    model = next(
        (line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.machine(),
    )
    memory_gib = int(Path("/proc/meminfo").read_text().split()[1]) / 1024 / 1024
    return {
        "date": datetime.date.today().isoformat(),
        "machine": f"{model}, {os.cpu_count()} cores, {memory_gib:.0f} GiB, Linux {platform.release()}",
        "load_average": f"{os.getloadavg()[0]:.1f}",
        "compiler": first_line("rustc", "--version"),
        "commit": commit(),
    }

# Where brokers that keep sessions put their files, unless somebody names another place.
DISK = ROOT / "tests/.cache/stores"
IN_MEMORY = ("tmpfs", "ramfs")
SYNCS = 100


def disk(place=None):
    """The directory for stores, made if it is missing; Unavailable when it is in memory, where a sync costs nothing."""
    directory = Path(place or DISK).absolute()
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(f"cannot make {directory}: {error.strerror}; name another place with --disk") from error
    kind, _ = file_system(directory)
    if kind in IN_MEMORY:
        raise Unavailable(f"{directory} is in memory ({kind}), where nothing is durable; name a disk with --disk")
    return directory


def file_system(directory):
    """Type and device of the file system that a directory is on."""
    found = ("unknown", "unknown")
    longest = 0
    for line in Path("/proc/self/mounts").read_text().splitlines():
        device, point, kind, *_ = line.split()
        point = point.encode().decode("unicode_escape")
        # Of two mounts on one point the later one is seen.
        if directory.is_relative_to(point) and len(point) >= longest:
            found, longest = (kind, device), len(point)
    return found


def describe_disk(directory):
    """The file system under a directory and what a sync takes there, as a text."""
    kind, device = file_system(directory)
    return f"{kind} on {device}, write and fdatasync of 4 KiB in {sync_us(directory):,.0f} µs (median of {SYNCS})"


def sync_us(directory):
    """The median time of a write of 4 KiB with its fdatasync, into a file that has its size."""
    block, took = os.urandom(4096), []
    with tempfile.TemporaryFile(dir=directory) as file:
        os.posix_fallocate(file.fileno(), 0, SYNCS * len(block))
        os.fsync(file.fileno())
        for index in range(SYNCS):
            begun = time.perf_counter()
            os.pwrite(file.fileno(), block, index * len(block))
            os.fdatasync(file.fileno())
            took.append(1e6 * (time.perf_counter() - begun))
    return statistics.median(took)


def commit():
    """The commit that the sources are at, and whether they differ from it."""
    short = first_line("git", "rev-parse", "--short", "HEAD")
    changed = first_line("git", "status", "--porcelain", "--", *SOURCES)
    return f"{short} with changes" if short and changed else short


def first_line(*command):
    """The first line that a program prints; empty when it cannot be run."""
    try:
        done = subprocess.run(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return next(iter(done.stdout.splitlines()), "")
