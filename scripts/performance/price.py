"""What durability costs: the same load on Strowger with each durability, in turn, and the bars that it has to pass."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

from .bench import Run, Spread, number, run_bench, spread_text
from .broker import Broker, NotStarted
from .peers import STROWGER
from .results import KEPT, trimmed

MEMORY, OS, DISK = "memory", "os", "disk"
# In this order within a round. The last one is Strowger as it comes.
VARIANTS = {
    MEMORY: ("--set", "storage.engine=memory"),
    OS: ("--set", "storage.durability=os"),
    DISK: (),
}
# What a broker puts off until it is idle belongs to the price of the messages before.
SETTLE_SECS = 1.5
# Connecting, draining and ending sessions come to the measured part.
RUN_SECS_MAX = 120

RATE = "figures.acknowledged_per_sec"
CPU = "figures.cpu_us_per_message"
WHOLE_CPU = "whole_cpu_us_per_message"
P50, P99 = "latency.p50_us", "latency.p99_us"
COLUMNS = (
    ("acknowledged/s", RATE),
    ("CPU per message, µs", CPU),
    ("with what is put off, µs", WHOLE_CPU),
    ("p50, µs", P50),
    ("p99, µs", P99),
)


@dataclass(frozen=True)
class Load:
    """What is put on each broker. `arguments` are those of `strowger bench`."""

    name: str
    arguments: tuple


LOADS = (
    Load("window 1", ("durable", "--publishers", "64", "--window", "1")),
    Load("window 8", ("durable", "--publishers", "64", "--window", "8")),
    Load("window 32", ("durable", "--publishers", "64", "--window", "32")),
    Load("2,000/s", ("durable", "--publishers", "64", "--rate", "2000")),
)


@dataclass(frozen=True)
class Bar:
    """A figure of `disk` on one load that has to hold: by itself, or over that of `memory`."""

    load: str
    path: str
    words: str
    is_ratio: bool = True
    least: float | None = None
    most: float | None = None

    def judge(self, runs):
        """The figure, and whether it holds; None where it was not measured."""
        ours, reference = runs.spread(self.load, DISK, self.path), runs.spread(self.load, MEMORY, self.path)
        if ours is None or (self.is_ratio and not (reference and reference.median)):
            return None, None
        figure = ours.median / reference.median if self.is_ratio else ours.median
        is_met = (self.least is None or figure >= self.least) and (self.most is None or figure <= self.most)
        return figure, is_met


SATURATED = LOADS[:3]
BARS = (
    *(Bar(load.name, RATE, f"{load.name}: acknowledged/s at least 0.5 of memory's", least=0.5) for load in SATURATED),
    *(Bar(load.name, CPU, f"{load.name}: CPU per message at most 1.5 of memory's", most=1.5) for load in SATURATED),
    Bar("2,000/s", P99, "2,000/s: p99 of an acknowledgement at most 20,000 µs", is_ratio=False, most=20_000),
)


class Runs:
    """All runs in the order in which they were made, each with its load and variant."""

    def __init__(self):
        self.tree = []

    def add(self, load, variant, run, whole_cpu_us):
        """Adds a run."""
        outcome = run.outcome and trimmed({key: run.outcome[key] for key in KEPT} | {WHOLE_CPU: whole_cpu_us})
        self.tree.append({"load": load.name, "variant": variant, "outcome": outcome, "fault": run.fault})

    def spread(self, load, variant, path):
        """A figure over the whole runs of a load and variant, or None."""
        chosen = [each for each in self.tree if (each["load"], each["variant"]) == (load, variant)]
        return Spread.of([Run(each["outcome"]).value(path) for each in chosen if each["fault"] is None])

    def faults(self):
        """Why runs gave no figure, a line each."""
        return [f"{each['load']}, {each['variant']}: {each['fault']}" for each in self.tree if each["fault"]]


def measure(load, variant, binary, disk, seconds):
    """One run with a fresh broker: its figures, and the CPU per acknowledged message of all that it did."""
    arguments = [*load.arguments, "--duration", f"{seconds:g}"]
    try:
        with Broker(STROWGER, binary, disk=disk, more=VARIANTS[variant]) as broker:
            before = cpu_us(broker.pid)
            run = run_bench(binary, broker, arguments, RUN_SECS_MAX + 4 * seconds)
            if run.fault is not None:
                return run, None
            time.sleep(SETTLE_SECS)
            return run, (cpu_us(broker.pid) - before) / max(1, run.value("counts.acknowledged"))
    except (NotStarted, OSError) as error:
        return Run(None, str(error)), None


def cpu_us(pid):
    """User and kernel time of all threads that a process ever had, from /proc/PID/stat."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return 1e6 * (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def table(runs, loads, variants):
    """The medians as lines of text, each with its ratio to that of memory."""
    heads = ("load", "durability", *(title for title, _ in COLUMNS))
    rows = []
    for load in loads:
        for variant in variants:
            cells = [cell(runs, load.name, variant, path) for _, path in COLUMNS]
            rows.append((load.name, variant, *cells))
    widths = [max(len(row[at]) for row in (heads, *rows)) for at in range(len(heads))]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip() for row in (heads, *rows)]


def cell(runs, load, variant, path):
    """Median, spread of the rounds, and ratio."""
    own, reference = runs.spread(load, variant, path), runs.spread(load, MEMORY, path)
    is_ratio = variant != MEMORY and own and reference and reference.median
    return spread_text(own) + (f" × {number(own.median / reference.median)}" if is_ratio else "")


def verdicts(runs, loads):
    """Each bar of the loads with its figure, and the words of those that are missed."""
    lines, missed = [], []
    names = [load.name for load in loads]
    for bar in (bar for bar in BARS if bar.load in names):
        figure, is_met = bar.judge(runs)
        word = {True: "met", False: "MISSED", None: "not measured"}[is_met]
        lines.append(f"{word}: {bar.words} ({number(figure)})")
        if is_met is False:
            missed.append(bar.words)
    return lines, missed
