"""The curves: measured points, kept as a file, and what the page says about each."""

import json
import math
from dataclasses import dataclass
from statistics import median

from .axes import MIB
from .bench import number
from .results import GROWN, REFERENCE, US

COST = "cost_us"


@dataclass(frozen=True)
class Curve:
    """The points of a series for one broker: place and figure, in the order of the places."""

    series: str
    peer: str
    points: tuple


def point(series, peer, place, run):
    """What is kept of a run."""
    kept = {"series": series, "peer": peer, "place": place, "fault": run.fault}
    if run.outcome is None:
        return kept
    payload = run.value("measured.payload_bytes_per_sec")
    memory = run.value("broker.rss_after_kib")
    return kept | {
        COST: run.value("broker.cpu_us_per_delivery"),
        "own_us": run.value("own.cpu_us_per_delivery"),
        "deliveries_per_sec": run.value("measured.deliveries_per_sec"),
        "p99_us": run.value("latency.p99_us"),
        "payload_mib_per_sec": payload / MIB if payload is not None else None,
        "memory_mib": memory / 1024 if memory is not None else None,
    }


class Growth:
    """All points by axis, each axis with the circumstances that it was measured in."""

    def __init__(self, tree=None):
        self.tree = tree or {"axes": {}}

    @staticmethod
    def load(path=GROWN):
        """What is in the file; nothing if there is none."""
        return Growth(json.loads(path.read_text()) if path.exists() else None)

    def save(self, path=GROWN):
        """Writes the file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.tree, indent=1, sort_keys=True) + "\n")

    def put(self, axis, circumstances, points):
        """Replaces what is known of an axis."""
        self.tree["axes"][axis.name] = {**circumstances, "points": points}

    def points(self, axis):
        """The points of an axis as they were measured."""
        return self.tree["axes"].get(axis.name, {}).get("points", [])

    def curves(self, axis, figure=COST):
        """The curves of an axis, with the median where a place was measured more than once."""
        found = {}
        for each in self.points(axis):
            if each["fault"] is None and each.get(figure) is not None:
                curve = found.setdefault((each["series"], each["peer"]), {})
                curve.setdefault(each["place"], []).append(each[figure])
        names = [series.name for series in axis.series]
        curves = [
            Curve(series, peer, tuple((place, median(values)) for place, values in sorted(places.items())))
            for (series, peer), places in found.items()
            if series in names
        ]
        return sorted(curves, key=lambda curve: (curve.peer != US, curve.peer, names.index(curve.series)))

    def circumstances(self):
        """When and with what the curves were measured."""
        occasions = {}
        for name, each in self.tree["axes"].items():
            quick = ", a quick look" if each["is_quick"] else ""
            key = (
                f"{each['date']}: {each['machine']}; {'; '.join(each['versions'].values())}; Strowger at commit "
                f"{each['commit']}; {each['rounds']} of {each['seconds']:g} s at each place{quick}"
            )
            occasions.setdefault(key, []).append(name)
        lines = []
        for key, names in occasions.items():
            which = "" if len(occasions) == 1 else f" ({', '.join(names)})"
            lines += [f"Measured on {key}{which}.", ""]
        return lines[:-1] or ["No curve was measured."]

    def section(self, axis):
        """The plot and the ends of its curves."""
        curves = self.curves(axis)
        if not curves:
            return ["Not measured.", *self.faults(axis)]
        lines = [f"![{axis.title}: CPU per delivered message](performance/{axis.name}.svg)", ""]
        lines += ["| Curve | Broker | from | to | place | cost | exponent |", "|---|---|---|---|---|---|---|"]
        for curve in curves:
            (first, low), (last, high) = curve.points[0], curve.points[-1]
            lines.append(
                f"| {curve.series} | {curve.peer} | {number(low)} µs at {first:,} | {number(high)} µs at {last:,} "
                f"| × {last / first:,.0f} | × {number(high / low)} | {exponent(curve)} |"
            )
        return lines + self.faults(axis)

    def faults(self, axis):
        """Places without a figure, and why."""
        faults = [each for each in self.points(axis) if each["fault"]]
        lines = [f"- {each['peer']}, {each['series']} at {each['place']:,}: {each['fault']}" for each in faults]
        return ["", "Places without a figure:", "", *lines] if lines else []


def exponent(curve):
    """How the cost of a message grows over the whole curve: 0 is flat, 1 is linear."""
    (first, low), (last, high) = curve.points[0], curve.points[-1]
    # Two places are a step and no curve.
    if len(curve.points) < 3 or low <= 0 or high <= 0:
        return "–"
    # Adding zero turns a rounded -0.0 into 0.0.
    return f"{round(math.log(high / low) / math.log(last / first), 2) + 0:.2f}"


def peers_of(axis):
    """The brokers that an axis is measured with."""
    return (US,) if axis.is_ours_alone else (US, REFERENCE)
