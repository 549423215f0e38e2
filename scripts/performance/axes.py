"""Along what the cost of a message is measured: one axis per plot."""

from collections.abc import Callable
from dataclasses import dataclass, field

KIB, MIB = 1024, 1024 * 1024
# What the publishers of the payload axis have under way altogether; more would measure memory, not messages.
UNDER_WAY_BYTES_MAX = 16 * MIB


@dataclass(frozen=True)
class Series:
    """A curve: the load at each place of the axis."""

    name: str
    arguments: Callable[[int], list]
    """From the place to the arguments of `strowger bench`."""


@dataclass(frozen=True)
class Axis:
    """What grows, and the loads along it."""

    name: str
    title: str
    label: str
    """The title of the horizontal axis, with its unit."""
    places: tuple
    series: tuple
    quick: tuple
    """Fewer places for a quick look."""
    second: str = "deliveries_per_sec"
    """What the second panel shows beside the cost: a key of SECOND."""
    has_crowd: bool = False
    """Whether the place is a number of idle connections beside the load."""
    is_in_bytes: bool = False
    """Whether places are sizes, written with KiB and MiB."""
    settings: Callable[[int], list] = field(default=lambda place: [])
    """Strowger's settings at a place; an axis with settings is Strowger's alone."""
    is_ours_alone: bool = False


SECOND = {
    "deliveries_per_sec": "deliveries per second",
    "payload_mib_per_sec": "payload delivered, MiB per second",
    "memory_mib": "resident memory of the broker, MiB",
}


def p2p(qos, pairs=50, window=64, payload=64, topics=1):
    """The arguments of a p2p load."""
    return ["p2p", "--qos", qos, "--pairs", pairs, "--window", window, "--payload", payload, "--topics", topics]


def fanout(qos, subscribers):
    """The arguments of a fan-out from one publisher."""
    # Deliveries under way are bounded, so that 10,000 subscribers do not measure the generator's sockets.
    window = max(4, min(64, 200_000 // subscribers))
    return [
        "fanout", "--qos", qos, "--publishers", 1, "--subscribers", subscribers, "--window", window, "--payload", 64,
    ]


def fanin(qos):
    """The arguments of a fan-in to five subscribers."""
    return ["fanin", "--qos", qos, "--publishers", 100, "--subscribers", 5, "--window", 64, "--payload", 64]


def wildcards(subscriptions, is_wildcard):
    """The arguments of a load beside many subscriptions."""
    sizes = ["--subscriptions", subscriptions, "--subscribers", 100, "--publishers", 50, "--payload", 64]
    return ["wildcards", *sizes, *([] if is_wildcard else ["--exact"])]


def payload(qos, size):
    """The arguments of a p2p load with payloads of a size."""
    window = max(1, min(64, UNDER_WAY_BYTES_MAX // (10 * size)))
    return p2p(qos, pairs=10, window=window, payload=size)


def topics(count):
    """The arguments of a p2p load over a number of topics altogether."""
    pairs = min(count, 10)
    return p2p(0, pairs=pairs, topics=count // pairs)


AXES = (
    Axis(
        "connections-idle",
        "Idle connections beside 50 busy pairs",
        "idle connections",
        (100, 1_000, 5_000, 15_000),
        (Series("p2p QoS 0", lambda _: p2p(0)), Series("p2p QoS 1", lambda _: p2p(1))),
        quick=(100, 2_000),
        has_crowd=True,
    ),
    Axis(
        "connections-active",
        "Busy connections",
        "connections, half of them publishing, 16 messages under way each",
        (100, 1_000, 5_000, 15_000),
        (Series("p2p QoS 0", lambda count: p2p(0, pairs=count // 2, window=16)),),
        quick=(100, 2_000),
    ),
    Axis(
        "subscriptions",
        "Subscriptions",
        "subscriptions of 100 clients",
        (1_000, 10_000, 100_000, 1_000_000),
        (
            Series("exact filters", lambda count: wildcards(count, False)),
            Series("half of them wildcards", lambda count: wildcards(count, True)),
        ),
        quick=(1_000, 100_000),
        second="memory_mib",
    ),
    Axis(
        "payload",
        "Payload",
        "payload, bytes",
        (16, 64, 256, KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB),
        (Series("p2p QoS 0", lambda size: payload(0, size)), Series("p2p QoS 1", lambda size: payload(1, size))),
        quick=(16, 4 * KIB, MIB),
        second="payload_mib_per_sec",
        is_in_bytes=True,
    ),
    Axis(
        "topics",
        "Topics",
        "topics published to in turn",
        (1, 10, 100, 1_000, 10_000, 100_000),
        (Series("p2p QoS 0", topics),),
        quick=(1, 1_000, 100_000),
    ),
    Axis(
        "fanout",
        "Fan-out",
        "subscribers of one topic",
        (1, 10, 100, 1_000, 10_000),
        (Series("QoS 0", lambda count: fanout(0, count)), Series("QoS 1", lambda count: fanout(1, count))),
        quick=(1, 100, 2_000),
    ),
    Axis(
        "lines",
        "One line against two",
        "lines",
        (1, 2),
        (
            Series("p2p QoS 0", lambda _: p2p(0)),
            Series("p2p QoS 1", lambda _: p2p(1)),
            Series("p2p QoS 2", lambda _: p2p(2)),
            Series("fan-in QoS 0", lambda _: fanin(0)),
            Series("fan-out QoS 0", lambda _: fanout(0, 500)),
            Series("fan-out QoS 1", lambda _: fanout(1, 500)),
        ),
        quick=(1, 2),
        settings=lambda lines: ["--set", f"broker.lines={lines}"],
        is_ours_alone=True,
    ),
)
