"""What was measured, kept as a file from which the page is written again at any time."""

import json
from dataclasses import dataclass

from .bench import Run, Spread
from .peers import ROOT

COMPARED = ROOT / "docs/performance/compare.json"
GROWN = ROOT / "docs/performance/growth.json"
US, REFERENCE = "strowger", "mosquitto"


KEPT = ("counts", "ending", "measured", "latency", "broker", "own", "figures")
DIGITS = 6


def trimmed(tree):
    """What tables may need of an outcome, in the digits that count: without its plan and its course over time."""
    if isinstance(tree, dict):
        return {key: trimmed(value) for key, value in tree.items() if key != "distribution"}
    return float(f"{tree:.{DIGITS}g}") if isinstance(tree, float) else tree


class Results:
    """All runs by scenario and broker, each scenario with the circumstances that it was measured in."""

    def __init__(self, tree=None):
        self.tree = tree or {"scenarios": {}, "absent": {}}

    @staticmethod
    def load(path=COMPARED):
        """What is in the file; nothing if there is none."""
        return Results(json.loads(path.read_text()) if path.exists() else None)

    def save(self, path=COMPARED):
        """Writes the file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.tree, indent=1, sort_keys=True) + "\n")

    def begin(self, scenario, circumstances):
        """Forgets what was measured of a scenario, so that no table mixes two occasions."""
        self.tree["scenarios"][scenario.name] = {**circumstances, "runs": {}}

    def add(self, scenario, peer, run):
        """Adds a run."""
        runs = self.tree["scenarios"][scenario.name]["runs"].setdefault(peer, [])
        outcome = run.outcome and trimmed({key: run.outcome[key] for key in KEPT})
        runs.append({"outcome": outcome, "fault": run.fault})

    def circumstances(self, scenario):
        """What a scenario was measured with, or None if it was not."""
        return self.tree["scenarios"].get(scenario.name)

    def runs(self, scenario, peer):
        """The runs of a broker in the order of the rounds."""
        found = (self.circumstances(scenario) or {}).get("runs", {}).get(peer, [])
        return [Run(each["outcome"], each["fault"]) for each in found]

    def spread(self, scenario, peer, path=None):
        """A figure over the whole runs of a broker, or None."""
        whole = [run for run in self.runs(scenario, peer) if run.fault is None]
        return Spread.of([run.value(path or scenario.figure) for run in whole])

    def faults(self, scenario, peer):
        """Why runs of a broker gave no figure."""
        return [run.fault for run in self.runs(scenario, peer) if run.fault]

    def title(self, scenario):
        """What a scenario is called in tables; another size than the usual is not passed off as that."""
        is_smaller = scenario.quick and (self.circumstances(scenario) or {}).get("is_quick")
        return f"{scenario.title} (fewer: a quick look)" if is_smaller else scenario.title

    def peers(self):
        """The brokers that were measured, ours first, the reference second."""
        seen = {name for each in self.tree["scenarios"].values() for name in each["runs"]}
        order = [US, REFERENCE]
        return [name for name in order if name in seen] + sorted(seen.difference(order))

    def ratio(self, scenario, peer):
        """The median of a broker over that of the reference."""
        if scenario.is_relative:
            return None
        own, reference = self.spread(scenario, peer), self.spread(scenario, REFERENCE)
        return own.median / reference.median if own and reference and reference.median else None


@dataclass
class Verdict:
    """Whether a bar is met: None where it cannot be told."""

    bar: str
    is_met: bool | None

    @property
    def word(self):
        """The verdict as a word."""
        return {True: "met", False: "**missed**", None: "not measured"}[self.is_met]


def verdict(results, scenario):
    """Whether Strowger meets the scenario's target."""
    ours = results.spread(scenario, US)
    if scenario.is_against_mosquitto:
        theirs = results.spread(scenario, REFERENCE)
        met = ours.median <= theirs.median if ours and theirs else None
        return Verdict("≤ mosquitto", met)
    if scenario.target_max is None:
        return None
    met = ours.median <= scenario.target_max if ours else None
    if (results.circumstances(scenario) or {}).get("is_quick") and scenario.quick:
        met = None
    return Verdict(f"≤ {scenario.target_max:g}", met)


def best_peer(results, scenario):
    """The name and spread of the best broker beside Strowger, or None."""
    if scenario.is_relative:
        return None
    found = [(name, results.spread(scenario, name)) for name in results.peers() if name != US]
    found = [(name, spread) for name, spread in found if spread]
    return min(found, key=lambda each: each[1].median, default=None)


def best_published(scenario, published, present):
    """The name and the ratio to mosquitto of the best broker elsewhere, or None."""
    figures = published.get(scenario.name, {})
    reference = figures.get(REFERENCE)
    found = [(value / reference, name) for name, value in figures.items() if name not in (REFERENCE, *present)]
    if not found:
        return None
    ratio, name = min(found)
    return name, ratio
