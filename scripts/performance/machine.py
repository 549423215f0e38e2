"""What figures were measured on and with."""

import datetime
import os
import platform
import subprocess
from pathlib import Path

from .peers import ROOT

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
