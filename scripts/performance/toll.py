"""What policy and TLS cost: the same load on Strowger with and without them, and on mosquitto, in turn; the bars to pass."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from .bench import Run, Spread, number, run_alone, spread_text
from .broker import Broker, NotStarted
from .peers import MOSQUITTO, STROWGER
from .results import KEPT, trimmed

RUN_SECS_MAX = 120
LINES, RULES = 1_000, 20
CPU = "broker.cpu_us_per_delivery"
RATE = "measured.deliveries_per_sec"
P99 = "latency.p99_us"
BYTES = "figures.bytes_per_connection"

# The topics of the load begin with "bench/", so that the last line of the rights and one of the rules are about them.
RIGHTS = "".join(
    (
        f"group crew{number}\n",
        f"allow all plant/{number}/#\n",
        f"address 10.{number // 256}.{number % 256}.0/24\n",
        f"pattern readwrite plant/%c/{number}\n",
    )[number % 4]
    for number in range(LINES - 2)
)
RIGHTS += "everyone\nallow all #\n"
RULE = """
[[rule]]
name = "rule-{number}"
on = ["publish"]
topics = ["{topic}"]
when = "size(payload) > 1000000"
then = [{{ deny = "packet_too_large" }}]
"""


@dataclass(frozen=True)
class Variant:
    """A broker as it is loaded."""

    name: str
    peer: object = STROWGER
    has_policy: bool = False
    is_secure: bool = False


OPEN, POLICY, SECURE = Variant("open"), Variant("policy", has_policy=True), Variant("TLS", is_secure=True)
PEER, PEER_SECURE = Variant("mosquitto", MOSQUITTO), Variant("mosquitto, TLS", MOSQUITTO, is_secure=True)


@dataclass(frozen=True)
class Load:
    """What is put on which brokers. `arguments` are those of `strowger bench`."""

    name: str
    arguments: tuple
    variants: tuple
    columns: tuple
    is_timed: bool = True


MESSAGES = (("CPU per message, µs", CPU), ("messages/s", RATE), ("p99, µs", P99))
LOADS = (
    Load("p2p QoS 0", ("p2p",), (OPEN, POLICY, SECURE, PEER, PEER_SECURE), MESSAGES),
    Load("p2p QoS 1", ("p2p", "--qos", "1"), (OPEN, POLICY, SECURE, PEER, PEER_SECURE), MESSAGES),
    Load("idle", ("idle",), (OPEN, SECURE), (("bytes per connection", BYTES),), is_timed=False),
)


@dataclass(frozen=True)
class Bar:
    """A figure of one variant that has to be at most `most`, by itself or over that of `reference`."""

    load: str
    path: str
    variant: Variant
    most: float
    words: str
    reference: Variant | None = None

    def judge(self, runs):
        """The figure, and whether it holds; None where it was not measured."""
        own = runs.spread(self.load, self.variant, self.path)
        if own is None:
            return None, None
        if self.reference is None:
            return own.median, own.median <= self.most
        reference = runs.spread(self.load, self.reference, self.path)
        if not (reference and reference.median):
            return None, None
        figure = own.median / reference.median
        return figure, figure <= self.most


BARS = (
    Bar("p2p QoS 0", CPU, POLICY, 1.3, "rights and rules: CPU per message at most 1.3 of none", OPEN),
    Bar("p2p QoS 0", CPU, SECURE, 1.0, "TLS: CPU per message below that of mosquitto with TLS", PEER_SECURE),
    Bar("idle", BYTES, SECURE, 12 * 1024, "TLS: at most 12 KiB for an idle connection"),
)


class Runs:
    """All runs in the order in which they were made."""

    def __init__(self):
        self.tree = []

    def add(self, load, variant, run):
        """Adds a run."""
        outcome = run.outcome and trimmed({key: run.outcome[key] for key in KEPT})
        self.tree.append({"load": load.name, "variant": variant.name, "outcome": outcome, "fault": run.fault})

    def spread(self, load, variant, path):
        """A figure over the whole runs of a load and variant, or None."""
        chosen = [each for each in self.tree if (each["load"], each["variant"]) == (load, variant.name)]
        return Spread.of([Run(each["outcome"]).value(path) for each in chosen if each["fault"] is None])

    def faults(self):
        """Why runs gave no figure, a line each."""
        return [f"{each['load']}, {each['variant']}: {each['fault']}" for each in self.tree if each["fault"]]


class Files:
    """The book of rights, the rules and the certificate, in one directory."""

    def __init__(self, directory):
        self.directory = Path(directory)
        topics = ["bench/#"] + [f"plant/{number}/#" for number in range(1, RULES)]
        rules = "".join(RULE.format(number=number, topic=topic) for number, topic in enumerate(topics))
        self.rights, self.rules = self.write("rights", RIGHTS), self.write("rules.toml", rules)
        self.certificate, self.key = self.directory / "server.pem", self.directory / "server.key"
        options = "-x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost".split()
        names = "subjectAltName=IP:127.0.0.1,DNS:localhost"
        subprocess.run(
            ["openssl", "req", *options, "-addext", names, "-addext", "basicConstraints=critical,CA:FALSE", "-keyout",
             self.key, "-out", self.certificate],
            check=True, capture_output=True,
        )
        # Mosquitto reads them as a user of its own.
        self.directory.chmod(0o755)
        self.key.chmod(0o644)

    def write(self, name, text):
        """A file's path, after writing it."""
        path = self.directory / name
        path.write_text(text)
        return path


class Tolled(Broker):
    """A broker of a variant: its configuration has what the variant adds."""

    def __init__(self, variant, binary, files):
        super().__init__(variant.peer, binary)
        self.variant, self.files = variant, files

    def command(self):
        words = super().command()
        conf = next(Path(self.directory.name).glob("broker.*"))
        conf.write_text(self.amended(conf.read_text()))
        return words

    def amended(self, text):
        """The configuration with the additions of the variant."""
        files, port = self.files, self.second_port
        if self.variant.peer is MOSQUITTO:
            pair = f"certfile {files.certificate}\nkeyfile {files.key}\n"
            return text + (f"listener {port} 127.0.0.1\n{pair}" if self.variant.is_secure else "")
        if self.variant.has_policy:
            text += f'\n[acl]\nfile = "{files.rights}"\n\n[rules]\nfile = "{files.rules}"\n'
        if self.variant.is_secure:
            pair = f'certificate = "{files.certificate}"\nkey = "{files.key}"\n'
            text += f'\n[[listeners]]\nbind = "127.0.0.1:{port}"\ntransport = "tls"\n{pair}'
            text += "connect_rate_per_sec = 1000000\nconnect_burst = 1000000\n"
        return text


def measure(load, variant, binary, strowger, files, seconds):
    """One run with a fresh broker; `strowger` makes the load."""
    arguments = list(load.arguments)
    if load.is_timed:
        arguments += ["--duration", f"{seconds:g}"]
    if variant.is_secure:
        arguments += ["--cafile", str(files.certificate)]
    try:
        with Tolled(variant, binary, files) as broker:
            broker.port = broker.second_port if variant.is_secure else broker.port
            return run_alone(strowger, broker, arguments, RUN_SECS_MAX + 4 * seconds)
    except (NotStarted, OSError) as error:
        return Run(None, str(error))


def table(runs, loads):
    """The medians as lines of text, each with its ratio to that of the open house."""
    lines = []
    for load in loads:
        rows = [("load", "broker", *(title for title, _ in load.columns))]
        for variant in load.variants:
            cells = [cell(runs, load, variant, path) for _, path in load.columns]
            rows.append((load.name, variant.name, *cells))
        widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
        lines += ["  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip() for row in rows] + [""]
    return lines


def cell(runs, load, variant, path):
    """Median, spread of the rounds, and ratio."""
    own, reference = runs.spread(load.name, variant, path), runs.spread(load.name, OPEN, path)
    is_ratio = variant != OPEN and own and reference and reference.median
    return spread_text(own) + (f" × {number(own.median / reference.median)}" if is_ratio else "")


def verdicts(runs, loads):
    """Each bar of the loads with its figure, and the words of those that are missed."""
    lines, missed = [], []
    names = [load.name for load in loads]
    for bar in (bar for bar in BARS if bar.load in names):
        figure, is_met = bar.judge(runs)
        word = {True: "met", False: "MISSED", None: "not measured"}[is_met]
        lines.append(f"{word}: {bar.load}, {bar.words} ({number(figure)})")
        if is_met is False:
            missed.append(bar.words)
    return lines, missed
