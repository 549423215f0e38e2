"""What is compared: loads, the figure that each is about, and the bars that the figure has to pass."""

from dataclasses import dataclass, field

CPU = "broker.cpu_us_per_delivery"
SHORT_SECS, LONG_SECS = 1, 4
# How long nothing may come before a message counts as missing: rumqttd needs more than 20 s for its first message
# beside 100,000 subscriptions, and loses none of them.
PATIENCE_SECS = 60

# Broker CPU per delivered message, µs, with another generator on another machine, mosquitto 2.1 beside them: only the
# ratios to mosquitto are used. These peers come neither in Debian nor as crates that are built here by default.
PUBLISHED = {
    "p2p-0": {"FlashMQ": 1.25, "mosquitto": 9.7, "rmqtt": 10.7, "NanoMQ": 17.5},
    "p2p-1": {"FlashMQ": 1.74, "mosquitto": 16.3, "rmqtt": 23, "NanoMQ": 28},
    "p2p-2": {"FlashMQ": 3.5, "mosquitto": 38, "rmqtt": 38, "NanoMQ": 81},
    "fanin-0": {"FlashMQ": 1.0, "mosquitto": 7.8, "rmqtt": 9.7, "NanoMQ": 19},
    "fanout-0": {"FlashMQ": 3.4, "mosquitto": 9.7, "rmqtt": 10.7, "NanoMQ": 10.9},
    "fanout-1": {"FlashMQ": 2.4, "mosquitto": 11.7, "rmqtt": 14.4, "NanoMQ": 23},
    "wildcards": {"FlashMQ": 3.2, "mosquitto": 16.2, "rmqtt": 18.6, "NanoMQ": 652},
    "one": {"FlashMQ": 22.2, "mosquitto": 22.4, "rmqtt": 33, "NanoMQ": 45},
    "connect": {"FlashMQ": 90, "mosquitto": 57, "rmqtt": 151, "NanoMQ": 166},
    "subscriptions": {"FlashMQ": 837, "mosquitto": 752, "rmqtt": 1406, "NanoMQ": 465},
}


@dataclass(frozen=True)
class Scenario:
    """A load. `arguments` are those of `strowger bench`."""

    name: str
    title: str
    arguments: tuple
    figure: str = CPU
    """Where the figure stands in the outcome; lower is better."""
    unit: str = "µs"
    target_max: float | None = None
    """The highest value of Strowger's figure that meets the target."""
    is_against_mosquitto: bool = False
    """Whether the target is mosquitto's figure in the same run."""
    is_relative: bool = False
    """Whether the figure is a ratio within one broker, of which no ratio to another is made."""
    group: str = "cpu"
    """The table of the page that shows it in full."""
    is_timed: bool = True
    """Whether it runs for a time, so that a duration can be given."""
    is_bounded: bool = False
    """Whether queues have bounds, Strowger's defaults."""
    is_persistent: bool = False
    """Whether it is about what a broker keeps for later: its files lie on a disk, and a broker that can keep sessions
    is told to."""
    idle: int = 0
    """Idle connections beside the load."""
    quick: tuple = ()
    """Arguments in place of `arguments` for a quick look; figures of those are not comparable with the targets."""

    def arguments_for(self, is_quick, seconds):
        """The command line of `strowger bench` from the scenario on."""
        chosen = list(self.quick if is_quick and self.quick else self.arguments)
        chosen += ["--patience", str(PATIENCE_SECS)]
        if self.is_timed:
            chosen += ["--duration", f"{seconds:g}", *(["--warm-up", "0.3"] if is_quick else [])]
        return chosen

    @property
    def command(self):
        """What a reader types to run the load alone."""
        beside = f"   # beside {self.idle:,} idle connections" if self.idle else ""
        return "strowger bench " + " ".join(self.arguments) + beside


@dataclass(frozen=True)
class Column:
    """A figure beside the main one in a group's table."""

    title: str
    path: str
    divisor: float = 1


@dataclass(frozen=True)
class Group:
    """A table of the page: its heading and the columns after the main figure."""

    name: str
    heading: str
    columns: tuple = field(default_factory=tuple)


COMMON = (Column("generator, µs", "own.cpu_us_per_delivery"),)
GROUPS = (
    Group(
        "cpu",
        "CPU per delivered message",
        (
            Column("deliveries/s", "measured.deliveries_per_sec"),
            Column("p99, µs", "latency.p99_us"),
            Column("memory at most, MiB", "broker.rss_peak_kib", 1024),
            *COMMON,
        ),
    ),
    Group(
        "latency",
        "Latency at a given rate",
        (
            Column("p50, µs", "latency.p50_us"),
            Column("p99.9, µs", "latency.p999_us"),
            Column("most, µs", "latency.max_us"),
            Column("CPU per delivery, µs", CPU),
            *COMMON,
        ),
    ),
    Group(
        "connect",
        "Connecting",
        (
            Column("cycles/s", "figures.connects_per_sec"),
            Column("CONNACK p50, µs", "latency.p50_us"),
            Column("CONNACK p99, µs", "latency.p99_us"),
        ),
    ),
    Group(
        "memory",
        "Memory",
        (
            Column("memory before, MiB", "broker.rss_before_kib", 1024),
            Column("memory after, MiB", "broker.rss_after_kib", 1024),
            Column("CPU per connection, µs", "figures.cpu_us_per_connection"),
            Column("CPU per subscription, µs", "figures.cpu_us_per_subscription"),
        ),
    ),
    Group(
        "durable",
        "Acknowledged messages to sessions that are kept",
        (
            Column("acknowledged/s", "figures.acknowledged_per_sec"),
            Column("CPU per message, µs", "figures.cpu_us_per_message"),
            Column("acknowledgement p50, µs", "latency.p50_us"),
            Column("p99, µs", "latency.p99_us"),
            Column("most, µs", "latency.max_us"),
            *COMMON,
        ),
    ),
    Group(
        "offline",
        "Messages queued for clients that are away",
        (
            Column("queueing, µs", "figures.queueing_cpu_us_per_message"),
            Column("delivering, µs", "figures.delivering_cpu_us_per_message"),
            Column("memory per queued message, bytes", "figures.bytes_per_queued_message"),
            Column("queued/s", "figures.queued_per_sec"),
            Column("delivered/s", "figures.delivered_per_sec"),
            Column("delivering twice as many: time per message ×", "figures.delivering_growth_ratio"),
        ),
    ),
    Group(
        "retained",
        "Retained messages",
        (
            Column("setting, µs", "figures.setting_cpu_us_per_message"),
            Column("memory per retained message, bytes", "figures.bytes_per_retained_message"),
            Column("last delivery after, ms", "figures.last_delivery_after_ms"),
        ),
    ),
    Group(
        "stalled",
        "One reader stops reading",
        (
            Column("p99 of the others before, µs", "figures.flowing_p99_us"),
            Column("p99 of the others meanwhile, µs", "figures.stalled_p99_us"),
            Column("memory before, MiB", "figures.flowing_rss_kib", 1024),
            Column("memory meanwhile, MiB", "figures.stalled_rss_kib", 1024),
        ),
    ),
)

SATURATED = ("--payload", "64", "--window", "64")
LATENCY = ("--payload", "64")
# So few subscribers that mosquitto keeps up with the rate on two cores.
STALLED = ("--subscribers", "5", "--payload", "1024", "--rate", "5000")

SCENARIOS = (
    Scenario("p2p-0", "p2p QoS 0, 50 pairs", ("p2p", "--qos", "0", "--pairs", "50", *SATURATED), target_max=1.0),
    Scenario("p2p-1", "p2p QoS 1, 50 pairs", ("p2p", "--qos", "1", "--pairs", "50", *SATURATED), target_max=1.5),
    Scenario("p2p-2", "p2p QoS 2, 50 pairs", ("p2p", "--qos", "2", "--pairs", "50", *SATURATED), target_max=3.0),
    Scenario(
        "fanin-0",
        "fan-in QoS 0, 100 → 5",
        ("fanin", "--qos", "0", "--publishers", "100", "--subscribers", "5", *SATURATED),
        target_max=0.8,
    ),
    Scenario(
        "fanout-0",
        "fan-out QoS 0, 1 → 500",
        ("fanout", "--qos", "0", "--publishers", "1", "--subscribers", "500", *SATURATED),
        target_max=0.8,
    ),
    Scenario(
        "fanout-1",
        "fan-out QoS 1, 1 → 500",
        ("fanout", "--qos", "1", "--publishers", "1", "--subscribers", "500", *SATURATED),
        target_max=1.3,
    ),
    Scenario(
        "wildcards",
        "wildcards, 100,000 subscriptions",
        ("wildcards", "--subscriptions", "100000", "--subscribers", "100", "--publishers", "50", *SATURATED),
        target_max=2.5,
    ),
    Scenario(
        "one",
        "p2p QoS 0, 500 pairs, one message in flight each",
        ("p2p", "--qos", "0", "--pairs", "500", "--payload", "64", "--window", "1"),
        target_max=20,
    ),
    Scenario(
        "connect",
        "CONNECT and DISCONNECT",
        ("connect", "--connections", "50"),
        figure="figures.cpu_us_per_connect",
        target_max=57,
        group="connect",
    ),
    Scenario(
        "idle",
        "15,000 idle connections with one subscription each",
        ("idle", "--connections", "15000", "--connect-rate", "2000"),
        figure="figures.bytes_per_connection",
        unit="bytes per connection",
        target_max=2048,
        group="memory",
        is_timed=False,
        quick=("idle", "--connections", "2000"),
    ),
    Scenario(
        "subscriptions",
        "1,000,000 subscriptions, 1,000 of each client",
        ("idle", "--connections", "1000", "--subscriptions", "1000"),
        figure="figures.bytes_per_subscription",
        unit="bytes per subscription",
        target_max=300,
        group="memory",
        is_timed=False,
        quick=("idle", "--connections", "100", "--subscriptions", "1000"),
    ),
    Scenario(
        "latency-p2p",
        "p2p QoS 0, 50 pairs, 10,000 messages/s",
        ("latency", "--qos", "0", "--pairs", "50", "--rate", "10000", *LATENCY),
        figure="latency.p99_us",
        unit="µs at p99",
        is_against_mosquitto=True,
        group="latency",
    ),
    Scenario(
        "latency-fanout",
        "fan-out QoS 0, 1 → 100, 10,000 deliveries/s",
        ("latency", "--qos", "0", "--subscribers", "100", "--rate", "100", *LATENCY),
        figure="latency.p99_us",
        unit="µs at p99",
        is_against_mosquitto=True,
        group="latency",
    ),
    Scenario(
        "durable",
        "QoS 1, 64 publishers with one message in flight to 64 sessions that are kept",
        ("durable",),
        figure="figures.cpu_us_per_message",
        group="durable",
        is_persistent=True,
    ),
    Scenario(
        "durable-2k",
        "the same at 2,000 messages/s: acknowledgement",
        ("durable", "--rate", "2000"),
        figure="latency.p99_us",
        unit="µs at p99",
        target_max=20_000,
        group="durable",
        is_persistent=True,
    ),
    Scenario(
        "offline",
        "100,000 messages QoS 1 queued for 100 clients that are away",
        ("offline", "--qos", "1", "--count", "100000", "--doubled", "--payload", "64"),
        is_against_mosquitto=True,
        group="offline",
        is_timed=False,
        is_persistent=True,
        quick=("offline", "--qos", "1", "--count", "9000", "--payload", "64"),
    ),
    Scenario(
        "retained",
        "10,000 retained messages QoS 1 to each of 10 subscribers",
        ("retained", "--qos", "1", "--topics", "10000", "--subscribers", "10", "--payload", "64"),
        is_against_mosquitto=True,
        group="retained",
        is_timed=False,
        is_persistent=True,
        quick=("retained", "--qos", "1", "--topics", "1000", "--subscribers", "10", "--payload", "64"),
    ),
    Scenario(
        "stalled-0",
        "QoS 0, 5,000 messages/s of 1 KiB to 5 subscribers, 10,000 idle ones beside them",
        ("stalled", "--qos", "0", *STALLED),
        figure="figures.p99_ratio",
        unit="second p99 over first",
        target_max=2.0,
        is_relative=True,
        group="stalled",
        is_bounded=True,
        idle=10_000,
    ),
    Scenario(
        "stalled-1",
        "the same with QoS 1",
        ("stalled", "--qos", "1", *STALLED),
        figure="figures.p99_ratio",
        unit="second p99 over first",
        target_max=2.0,
        is_relative=True,
        group="stalled",
        is_bounded=True,
        idle=10_000,
    ),
)
