"""Writes docs/PERFORMANCE.md: the text of docs/performance/page.md with the tables of what was measured."""

import re

from .axes import AXES
from .bench import number, spread_text
from .growth import Growth
from .peers import EXTRA, PEERS, ROOT
from .results import REFERENCE, US, Results, best_peer, best_published, verdict
from .scenarios import GROUPS, PUBLISHED, SCENARIOS

PAGE = ROOT / "docs/PERFORMANCE.md"
TEMPLATE = ROOT / "docs/performance/page.md"
PLACE = re.compile(r"\{\{([a-z0-9: -]+)\}\}")


def write(results=None, growth=None):
    """Writes the page from the data that is there."""
    results, growth = results or Results.load(), growth or Growth.load()
    PAGE.write_text(page(TEMPLATE.read_text(), results, growth))
    return PAGE


def page(template, results, growth):
    """The template with its places filled; a place that nothing fills is an error that names it."""
    fillings = {
        "circumstances": circumstances(results),
        "faults": faults(results),
        "targets": targets(results),
        "ratios": ratios(results),
        "published": published(results),
        "groups": groups(results),
        "peers": peers(results),
        "growth-circumstances": growth.circumstances(),
        **{f"growth:{axis.name}": growth.section(axis) for axis in AXES},
    }
    wanted = set(PLACE.findall(template))
    if wanted != set(fillings):
        odd = ", ".join(sorted(wanted.symmetric_difference(fillings)))
        raise SystemExit(f"{TEMPLATE.relative_to(ROOT)}: places and tables differ: {odd}")
    return PLACE.sub(lambda place: "\n".join(fillings[place.group(1)]), template)


def measured(results):
    """The scenarios that were measured, in the order of the tables."""
    return [scenario for scenario in SCENARIOS if results.circumstances(scenario)]


def compared(results):
    """Those of them of which ratios between brokers mean something."""
    return [scenario for scenario in measured(results) if not scenario.is_relative]


def table(heads, rows):
    """Lines of a Markdown table."""
    return [
        "| " + " | ".join(heads) + " |",
        "|" + "---|" * len(heads),
        *("| " + " | ".join(row) + " |" for row in rows),
    ]


def circumstances(results):
    """When, where and with what the figures came about; one paragraph per occasion."""
    occasions = {}
    for scenario in measured(results):
        each = results.circumstances(scenario)
        rounds = f"{each['rounds']} round{'s' if each['rounds'] > 1 else ''} of {each['seconds']:g} s"
        key = (
            f"{each['date']}: {each['machine']}; {'; '.join(each['versions'].values())}; {each['compiler']}; "
            f"Strowger at commit {each['commit']}; {rounds}{', a quick look' if each['is_quick'] else ''}"
        )
        occasions.setdefault(key, []).append((scenario, float(each["load_average"])))
    lines = []
    for key, found in occasions.items():
        which = "" if len(occasions) == 1 else " (" + ", ".join(scenario.name for scenario, _ in found) + ")"
        lines.append(f"Measured on {key}{which}. Load average of the machine before the first run: {found[0][1]:.1f}.")
        lines.append("")
    for disk, names in disks(results).items():
        lines += [f"Files of what is kept ({', '.join(names)}): {disk}.", ""]
    return lines[:-1] or ["Nothing was measured."]


def disks(results):
    """The disks that sessions were kept on, each with the names of the scenarios."""
    found = {}
    for scenario in measured(results):
        disk = results.circumstances(scenario).get("disk")
        if disk:
            found.setdefault(disk, []).append(scenario.name)
    return found


def faults(results):
    """Brokers that are absent, scenarios that a broker cannot do, and runs that lost something or broke."""
    by_name = {peer.name: peer for peer in PEERS}
    lines = [f"- {name} is not in the tables: {reason}." for name, reason in sorted(results.tree["absent"].items())]
    for name, reason in EXTRA.items():
        if name not in results.peers() and name not in results.tree["absent"]:
            lines.append(f"- {name} is not in the tables: {reason}.")
    for name in results.peers():
        for scenario in measured(results):
            reason = by_name[name].cannot.get(scenario.name)
            if reason:
                lines.append(f"- {name}, {scenario.title}: not run; {reason}.")
            found = results.faults(scenario, name)
            if found:
                count = len(results.runs(scenario, name))
                lines.append(f"- {name}, {scenario.title}: {len(found)} of {count} runs gave no figure: {found[0]}")
    return lines or ["None: in every run of every broker, each message arrived once and in order."]


def targets(results):
    """Strowger's figures beside the targets, the best peer of the same run and the best ratio known of others."""
    rows = []
    for scenario in measured(results):
        ours, judged, best = results.spread(scenario, US), verdict(results, scenario), best_peer(results, scenario)
        ratio = results.ratio(scenario, US)
        beside, other = "–", "–"
        if best and ours:
            beside = f"{best[0]} {number(best[1].median)}: {standing(ours, best[1])}"
        elsewhere = best_published(scenario, PUBLISHED, results.peers())
        if elsewhere and ratio is not None:
            # Published figures have two or three digits, so no more are compared.
            word = "ahead" if round(ratio, 2) <= round(elsewhere[1], 2) else "**behind**"
            other = f"{elsewhere[0]} {number(elsewhere[1])}: {word}"
        rows.append(
            (
                results.title(scenario),
                f"{spread_text(ours)} {scenario.unit}" if ours else "–",
                judged.bar if judged else "–",
                judged.word if judged else "–",
                beside,
                number(ratio),
                other,
            )
        )
    heads = ("Scenario", "Strowger", "target", "", "best peer here", "ratio to mosquitto", "best ratio elsewhere")
    return table(heads, rows)


def standing(ours, theirs):
    """Whether Strowger is ahead of a broker. A lead or a lag within the spread of the rounds is called so."""
    word = "ahead" if ours.median <= theirs.median else "**behind**"
    overlap = ours.low <= theirs.high and theirs.low <= ours.high
    return f"{word}, within the spread" if overlap else word


def ratios(results):
    """Each broker's median over mosquitto's in the same run."""
    names = results.peers()
    rows = []
    for scenario in compared(results):
        cells = []
        for name in names:
            ratio = results.ratio(scenario, name)
            cells.append(f"**{number(ratio)}**" if name == US and ratio is not None else cell(results, scenario, name, ratio))
        rows.append((results.title(scenario), *cells))
    return table(("Scenario", *names), rows)


def cell(results, scenario, name, value):
    """A figure, or the shortest word for why there is none."""
    if value is not None:
        return number(value)
    return "fails" if results.faults(scenario, name) else "–"


def ratios_text(results):
    """The same table for a terminal."""
    names = results.peers()
    width = max((len(results.title(scenario)) for scenario in compared(results)), default=8)
    lines = ["CPU, memory or p99 relative to mosquitto in the same run (lower is better)", ""]
    lines.append(" " * width + "".join(f"{name:>14}" for name in names))
    for scenario in compared(results):
        cells = [cell(results, scenario, name, results.ratio(scenario, name)) for name in names]
        lines.append(f"{results.title(scenario):<{width}}" + "".join(f"{each:>14}" for each in cells))
    return "\n".join(lines)


def published(results):
    """Ratios to mosquitto 2.1 that were measured elsewhere, beside ours here."""
    names = ("FlashMQ", "rmqtt", "NanoMQ")
    rows = []
    for scenario in SCENARIOS:
        figures = PUBLISHED.get(scenario.name)
        if figures:
            others = [number(figures[name] / figures[REFERENCE]) for name in names]
            rows.append((scenario.title, number(results.ratio(scenario, US)), *others))
    return table(("Scenario", "Strowger here", *(f"{name}, published" for name in names)), rows)


def groups(results):
    """All figures with their spread, a table per group and the command of each load."""
    lines = []
    for group in GROUPS:
        chosen = [scenario for scenario in measured(results) if scenario.group == group.name]
        if not chosen:
            continue
        rows = []
        for scenario in chosen:
            for name in results.peers():
                if not results.runs(scenario, name):
                    continue
                main = results.spread(scenario, name)
                cells = [spread_text(main) + f" {scenario.unit}" if main else cell(results, scenario, name, None)]
                for column in group.columns:
                    spread = results.spread(scenario, name, column.path)
                    cells.append(number(spread.median / column.divisor) if spread else "–")
                rows.append((results.title(scenario), name, *cells))
        heads = ("Scenario", "Broker", "median (lowest–highest)", *(column.title for column in group.columns))
        lines += [f"### {group.heading}", "", *table(heads, rows), ""]
        lines += ["```text", *(scenario.command for scenario in chosen), "```", ""]
    return lines[:-1]


def peers(results):
    """How each broker is configured, word for word."""
    lines = []
    for peer in PEERS:
        if peer.name not in results.peers():
            continue
        lines += [f"### {peer.name}", "", *peer.notes, ""]
        for heading, file in peer.configurations():
            lines += [heading, ""] if heading else []
            lines += [f"`{file.relative_to(ROOT)}`", "", "```toml" if file.suffix == ".toml" else "```text"]
            lines += [*file.read_text().strip().splitlines(), "```", ""]
    return lines[:-1]
