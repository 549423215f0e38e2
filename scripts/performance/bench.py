"""One run of `strowger bench`: its figures, or why there are none."""

import json
import statistics
import subprocess
from dataclasses import dataclass

from .crowd import crowd
from .peers import complaint

COUNTS_THAT_MUST_BE_ZERO = ("lost", "duplicated", "out_of_order", "connections_lost", "refused", "stray")


@dataclass
class Run:
    """What one run gave. A run with a fault is no figure, though it may have an outcome."""

    outcome: dict | None
    fault: str | None = None

    def value(self, path):
        """The figure at a dotted path such as `broker.cpu_us_per_delivery`, or None."""
        return at(self.outcome, path)


def at(tree, path):
    """What stands at a dotted path in nested objects, or None."""
    for key in path.split("."):
        tree = tree.get(key) if isinstance(tree, dict) else None
    return tree


def run_bench(binary, broker, arguments, timeout_secs, idle=0):
    """Loads a broker with one scenario, beside idle connections; never raises for what the broker does."""
    try:
        with crowd(broker.port, idle):
            return run_alone(binary, broker, arguments, timeout_secs)
    except OSError as error:
        return Run(None, broker.ending() or str(error))


def run_alone(binary, broker, arguments, timeout_secs):
    """The run itself."""
    command = [binary, "bench", *arguments]
    command += ["--host", "127.0.0.1", "--port", str(broker.port), "--pid", str(broker.pid)]
    command += ["--name", broker.peer.name, "--json"]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_secs, check=False
        )
    except subprocess.TimeoutExpired:
        return Run(None, broker.ending() or f"the run did not end within {timeout_secs:.0f} s")
    try:
        outcome = json.loads(done.stdout)["runs"][0]
    except (json.JSONDecodeError, KeyError, IndexError):
        said = complaint(done.stderr) if done.stderr.strip() else f"`strowger bench` ended with status {done.returncode}"
        return Run(None, broker.ending() or said)
    return Run(outcome, fault_of(outcome, done.returncode) or broker.ending())


def fault_of(outcome, status):
    """Why a run is not whole, in one line; None if it is."""
    counts, ending = outcome["counts"], outcome["ending"]
    kinds = [f"{kind.replace('_', ' ')} {counts[kind]:,}" for kind in COUNTS_THAT_MUST_BE_ZERO if counts[kind]]
    if counts["lost"]:
        # A broker that is slow looks the same as one that drops, until somebody waits longer.
        missing = f"not arrived {counts['lost']:,} when nothing had come for {at(outcome, 'plan.patience_ms') / 1e3:g} s"
        kinds = [missing if kind.startswith("lost ") else kind for kind in kinds]
    unacknowledged = counts["sent"] - counts["acknowledged"] - counts["refused"]
    if at(outcome, "plan.qos") and unacknowledged > 0:
        kinds.append(f"unacknowledged {unacknowledged:,}")
    if ending["kind"] == "whole" and status == 0:
        return None
    parts = [ending["reason"]] if ending.get("reason") else []
    parts += [f"{', '.join(kinds)} of {counts['expected']:,} deliveries"] if kinds else []
    return "; ".join(parts) or f"`strowger bench` ended with status {status}"


@dataclass
class Spread:
    """The median of some rounds, with the lowest and the highest."""

    median: float
    low: float
    high: float

    @staticmethod
    def of(values):
        """The spread of values that are there; None if there are none."""
        values = [value for value in values if value is not None]
        return Spread(statistics.median(values), min(values), max(values)) if values else None


def number(value):
    """Three figures that count, with thousands set apart."""
    if value is None:
        return "–"
    size = abs(value)
    return f"{value:,.0f}" if size >= 100 else f"{value:.1f}" if size >= 10 else f"{value:.2f}"


def spread_text(spread):
    """The median, and in brackets the lowest and the highest."""
    if spread is None:
        return "–"
    if spread.low == spread.high:
        return number(spread.median)
    return f"{number(spread.median)} ({number(spread.low)}–{number(spread.high)})"
