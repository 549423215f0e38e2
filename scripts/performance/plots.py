"""Draws the curves of a growth.json, one file per axis. Needs matplotlib.

Run by scripts/growth with the Python of tests/.cache/venv; takes the data, the directory to draw to, and the format.
"""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

from .axes import AXES, KIB, MIB, SECOND
from .growth import COST, Growth
from .results import US

# Told apart also by those who see few colours, and by dash and marker in print.
COLOURS = {US: ("#0b61a4", "#d1495b"), "others": ("#7a7a7a", "#c2a14d")}
MARKERS = ("o", "s", "^", "D", "v", "P")
INK, GRID = "#222222", "#dddddd"

STYLE = {
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "axes.facecolor": "white",
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.labelsize": 10,
    "font.size": 10,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    # The same data gives the same file.
    "svg.hashsalt": "strowger",
    "svg.fonttype": "path",
}


def draw(growth, directory, form="svg"):
    """Draws each axis that was measured, and gives the files."""
    files = []
    with plt.rc_context(STYLE):
        for axis in AXES:
            if not growth.curves(axis):
                continue
            figure, panels = plt.subplots(1, 2, figsize=(10, 4.6), layout="constrained")
            titles = ((COST, "broker CPU per delivered message, µs"), (axis.second, SECOND[axis.second]))
            for panel, (figure_name, title) in zip(panels, titles, strict=True):
                paint = bars if len(axis.places) == 2 else curves
                paint(panel, axis, growth.curves(axis, figure_name))
                panel.set_ylabel(title)
            figure.suptitle(axis.title, fontsize=13, fontweight="bold", color=INK)
            handles, labels = panels[0].get_legend_handles_labels()
            figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 4))
            place = directory / f"{axis.name}.{form}"
            metadata = {"Date": None} if form == "svg" else None
            figure.savefig(place, format=form, metadata=metadata, dpi=110)
            plt.close(figure)
            files.append(place)
    return files


def curves(panel, axis, found):
    """Lines with both axes logarithmic."""
    names = [series.name for series in axis.series]
    for curve in found:
        index = names.index(curve.series)
        is_ours = curve.peer == US
        panel.plot(
            [place for place, _ in curve.points],
            [value for _, value in curve.points],
            color=COLOURS[US if is_ours else "others"][index % 2],
            marker=MARKERS[index],
            linestyle="-" if is_ours else "--",
            linewidth=2 if is_ours else 1.5,
            markersize=5,
            label=f"{curve.peer}, {curve.series}",
        )
    panel.set_xscale("log")
    panel.set_yscale("log")
    panel.set_xlabel(axis.label)
    panel.set_xticks(axis.places if len(axis.places) <= 6 else axis.places[::2], minor=False)
    in_words = sized if axis.is_in_bytes else short
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: in_words(value)))
    panel.xaxis.set_minor_locator(NullLocator())
    values = [value for curve in found for _, value in curve.points if value > 0]
    low, high = (min(values), max(values)) if values else (1, 10)
    # Curves that lie close would fill a panel with noise; a decade at least keeps slopes comparable.
    if high / low < 10:
        middle = (low * high) ** 0.5
        low, high = middle / 10**0.5, middle * 10**0.5
    panel.set_ylim(low / 1.4, high * 1.4)
    wide = high / low > 1000
    panel.yaxis.set_major_locator(LogLocator(subs=(1.0,) if wide else (1.0, 2.0, 5.0), numticks=20))
    panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    panel.yaxis.set_minor_formatter(NullFormatter())
    panel.yaxis.set_minor_locator(NullLocator())
    panel.grid(True, color=GRID, linewidth=0.8)
    panel.set_axisbelow(True)


def bars(panel, axis, found):
    """Groups of bars, for an axis of two places."""
    width = 0.38
    for shift, place in enumerate(axis.places):
        heights = [dict(curve.points).get(place, 0) for curve in found]
        spots = [index + (shift - 0.5) * width for index in range(len(found))]
        colour = COLOURS[US][shift]
        label = f"{place} {axis.label if place > 1 else axis.label.removesuffix('s')}"
        drawn = panel.bar(spots, heights, width * 0.95, color=colour, label=label)
        panel.bar_label(drawn, labels=[short(height, 2) if height else "–" for height in heights], fontsize=6.5, padding=1)
    panel.set_xticks(range(len(found)), [curve.series.replace(" QoS", "\nQoS") for curve in found], fontsize=9)
    panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    panel.grid(True, axis="y", color=GRID, linewidth=0.8)
    panel.set_axisbelow(True)


def short(value, digits=3):
    """A number in few characters: 0.64, 12, 15 k, 1.5 M."""
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= size:
            # Three digits before the point stay digits, as 860 and not as 8.6e+02.
            return f"{value / size:.{max(digits, len(f'{abs(value) / size:.0f}'))}g}{unit}"
    return f"{value:.{max(digits, len(f'{abs(value):.0f}'))}g}"


def sized(value):
    """A size in bytes in few characters: 16, 4 KiB, 1 MiB."""
    for size, unit in ((MIB, " MiB"), (KIB, " KiB")):
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


def main(argv):
    """Draws to the directory that is given."""
    data, directory, form = Path(argv[0]), Path(argv[1]), argv[2]
    directory.mkdir(parents=True, exist_ok=True)
    for place in draw(Growth.load(data), directory, form):
        print(f"wrote {place}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
