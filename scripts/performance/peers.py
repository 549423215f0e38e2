"""The brokers that are compared: how each comes to this machine, how it is started, and what it cannot do."""

import os
import re
import resource
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
CONFIGURATIONS = ROOT / "benches/peers"
CACHE = ROOT / "tests/.cache/peers"
SBIN = "/usr/sbin:/usr/local/sbin"
# Scenarios that speak 5.0.
DURABLE = ("durable", "durable-2k")


class Unavailable(Exception):
    """A broker that is not here, and why."""


@dataclass(frozen=True)
class Peer:
    """A broker. `command` has @BINARY@, @CONF@, @PORT@, @PORT2@ and @DIR@ for what is known only at the start."""

    name: str
    command: tuple
    configuration: str
    """Its file in benches/peers; beside it may stand STEM-bounded for bounded queues and STEM-persistent for sessions
    that are kept on disk."""
    version: tuple
    """The arguments that make it print its version."""
    bounded: str = ""
    persistent: str = ""
    package: str = ""
    """The Debian package that it comes in."""
    crate: str = ""
    """The crate that it comes in, with the version to take."""
    is_locked: bool = True
    """Whether it builds with the dependencies that its authors locked."""
    notes: tuple = ()
    """What the reader of the figures has to know about this broker's configuration."""
    cannot: dict = field(default_factory=dict)
    """Scenarios that are not run with it, each with the reason."""

    def configuration_of(self, is_bounded=False, is_persistent=False):
        """The configuration file for a scenario."""
        chosen = self.bounded if is_bounded else self.persistent if is_persistent else ""
        return CONFIGURATIONS / (chosen or self.configuration)

    def configurations(self):
        """Each of its configuration files with a heading that says what it is for; the usual one has none."""
        files = [("", self.configuration_of())]
        if self.bounded:
            files.append(("Where one reader stops, with bounded queues:", self.configuration_of(is_bounded=True)))
        if self.persistent:
            files.append(("Where sessions are kept:", self.configuration_of(is_persistent=True)))
        return files


STROWGER = Peer(
    "strowger",
    ("@BINARY@", "serve", "--conf", "@CONF@", "--bind", "127.0.0.1:@PORT@"),
    "strowger.toml",
    ("--version",),
    bounded="strowger-bounded.toml",
    notes=(
        "The engine and the durability of its defaults in every scenario: what is acknowledged survives a power cut.",
        "Where no session is kept and nothing is retained, nothing is written. No log, limits raised; lines as by",
        "default, one less than cores.",
    ),
)
MOSQUITTO = Peer(
    "mosquitto",
    ("@BINARY@", "-c", "@CONF@"),
    "mosquitto.conf",
    ("-h",),
    bounded="mosquitto-bounded.conf",
    persistent="mosquitto-persistent.conf",
    package="mosquitto",
    notes=(
        "Debian's package. No persistence but where sessions are kept, no log, queues without bounds. It works in one",
        "thread.",
    ),
)
RUMQTTD = Peer(
    "rumqttd",
    ("@BINARY@", "--quiet", "--config", "@CONF@"),
    "rumqttd.toml",
    ("--version",),
    crate="rumqttd@0.20",
    # Its lock file has metrics 0.22.1, which Rust 1.95 refuses (E0521).
    is_locked=False,
    notes=(
        "Keeps messages and sessions in memory, in a log per filter, and drops the oldest segment when ten are full.",
        "Routing is one thread, all sockets are another.",
        "A subscriber gets 100 retained messages with QoS 1 and no more; mosquitto_sub shows the same.",
        "Built with the newest compatible dependencies, as those of its lock file do not compile with Rust 1.95.",
    ),
    cannot=dict.fromkeys(DURABLE, "the scenario speaks 5.0, and rumqttd is given its listener for 3.1.1 only"),
)
NATS = Peer(
    "nats-server",
    ("@BINARY@", "-c", "@CONF@"),
    "nats-server.conf",
    ("--version",),
    package="nats-server",
    notes=(
        "MQTT needs JetStream. QoS 0 does not pass through it; each QoS 1 message is stored in a stream and read from it.",
        "The streams of MQTT are of files: a message outlives the process and not for certain the machine.",
        "A client identifier that comes back right after its DISCONNECT may find its old connection still there; the",
        "server then closes one of them, which ends the scenario of CONNECT and DISCONNECT.",
    ),
    cannot={
        "p2p-2": "MQTT QoS 2 is not in nats-server before 2.10: it closes the connection",
        **dict.fromkeys(DURABLE, "the scenario speaks 5.0, and nats-server 3.1.1 only"),
    },
)
RMQTTD = Peer(
    "rmqttd",
    ("@BINARY@", "-f", "@CONF@"),
    "rmqttd.toml",
    ("-V",),
    crate="rmqttd@0.24",
    notes=(
        "Sessions in memory, and retained messages by its plug-in, in memory; access lists, counters and HTTP interface",
        "off.",
    ),
)

PEERS = (STROWGER, MOSQUITTO, RUMQTTD, NATS, RMQTTD)
EXTRA = {"rmqttd": "a large build, made only with --all"}


def prepare(peer, install=True):
    """The path of the broker's binary, after installing it if need be; Unavailable when there is no way."""
    found = binary_of(peer)
    if found:
        return found
    if not install:
        raise Unavailable("not installed, and --no-install was given")
    if peer.package:
        install_package(peer.package)
    else:
        install_crate(peer)
    found = binary_of(peer)
    if not found:
        raise Unavailable(f"{peer.package or peer.crate} was installed and brought no program called {peer.name}")
    return found


def binary_of(peer):
    """The broker's binary if it is on this machine already."""
    if peer.crate:
        place = CACHE / "bin" / peer.name
        return str(place) if os.access(place, os.X_OK) else None
    return shutil.which(peer.name, path=f"{SBIN}:{os.environ.get('PATH', '')}")


def install_package(package):
    """Installs a Debian package without letting it start its service."""
    if os.geteuid() != 0:
        raise Unavailable(f"not installed; as root, run: apt-get install {package}")
    policy = Path("/usr/sbin/policy-rc.d")
    is_ours = not policy.exists()
    if is_ours:
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    try:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "--no-install-recommends", package]):
            print("$ " + " ".join(command), flush=True)
            done = run(command, env=environment)
            if done.returncode:
                raise Unavailable(f"`{' '.join(command)}` failed: {complaint(done.stderr)}")
    finally:
        if is_ours:
            policy.unlink()


def install_crate(peer):
    """Builds a broker from the registry into the tests' cache; takes minutes, once."""
    name, version = peer.crate.split("@")
    command = ["cargo", "install", name, "--version", f"~{version}", "--root", str(CACHE)]
    command += ["--locked"] if peer.is_locked else []
    print(f"$ {' '.join(command)}   (a long build, once)", flush=True)
    # The peer is built as its authors say, whatever flags this repository is built with.
    environment = {key: value for key, value in os.environ.items() if key != "RUSTFLAGS"}
    done = run(command, env=environment)
    if done.returncode:
        raise Unavailable(f"`{' '.join(command[:5])}` failed: {complaint(done.stderr)}")


def version_of(peer, binary):
    """What the broker says about its version, shortened to name and number."""
    done = run([binary, *peer.version])
    number = re.search(r"\d+\.\d+(\.\d+)?\S*", done.stdout + done.stderr)
    return f"{peer.name} {number.group(0).rstrip('.,')}" if number else peer.name


def run(command, **options):
    """Runs a program to its end, without a terminal, and keeps what it says."""
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False, **options
    )


def complaint(text):
    """The first line that calls itself an error, or the last that says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return next((line for line in lines if line.startswith("error")), lines[-1] if lines else "it says nothing")


def build_strowger():
    """A release build of the broker, which is the load generator too."""
    done = subprocess.run(
        ["cargo", "build", "--release", "--bin", "strowger"], cwd=ROOT, stdin=subprocess.DEVNULL, check=False
    )
    if done.returncode:
        raise Unavailable("`cargo build --release --bin strowger` failed; its errors are above")
    return str(TARGET.absolute() / "release/strowger")


def raise_limit_of_files():
    """Lets this process and the brokers open as many files as the machine allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
