"""Sockets that the service manager opens and passes: taken by name, shared by all lines, refused by kind."""

import shutil
import socket
import subprocess
import sys
import time

import exchange
import pytest
from authority import Authority
from quic import Quic
from wire import Over, Wire

pytestmark = pytest.mark.strowger

# Does what systemd does: the sockets from descriptor 3 on, and variables that tell of them.
PASS = """
import os, sys
names, *rest = sys.argv[1:]
count = len(names.split(":")) if names else 0
given, command = rest[:count], rest[count:]
for at, one in enumerate(given):
    os.dup2(int(one), 200 + at)
for at in range(count):
    os.dup2(200 + at, 3 + at)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(count), LISTEN_FDNAMES=names)
os.execv(command[0], command)
"""


class Sockets:
    """What a service manager would hold."""

    def __init__(self, directory):
        self.path = directory / "passed.sock"
        self.tcp, self.other = self._tcp(socket.AF_INET6), self._tcp(socket.AF_INET)
        self.unix = socket.socket(socket.AF_UNIX)
        self.unix.bind(str(self.path))
        self.unix.listen(64)
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", 0))

    @staticmethod
    def _tcp(family):
        # As ListenStream=PORT: one socket for both families.
        one = socket.socket(family)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        one.bind(("", 0))
        one.listen(64)
        return one

    def command(self, **named):
        """The start of a command that passes these, and their descriptors."""
        files = [one.fileno() for one in named.values()]
        return [sys.executable, "-c", PASS, ":".join(named), *files], files


@pytest.fixture
def sockets(tmp_path):
    return Sockets(tmp_path)


def conf_of(directory, *listeners):
    conf = directory / "activation.toml"
    conf.write_text("".join(f"[[listeners]]\n{keys}\n" for keys in listeners))
    return conf


def test_sockets_of_every_kind_are_taken_by_name_and_outlive_the_broker(start, tmp_path, sockets):
    authority = Authority(tmp_path)
    server = authority.issue("server", hosts=["localhost"])
    keys = f'certificate = "{server[0]}"\nkey = "{server[1]}"'
    conf = conf_of(
        tmp_path,
        'name = "plain"\nbind = "systemd:mqtt"\ntransport = "tcp"\nproxy_protocol = "off"',
        'name = "local"\nbind = "systemd:local"\ntransport = "unix"',
        f'name = "datagrams"\nbind = "systemd:quic"\ntransport = "quic"\n{keys}',
    )
    named = {"mqtt": sockets.tcp, "spare": sockets.other, "local": sockets.unix, "quic": sockets.udp}
    for life in range(2):
        before, files = sockets.command(**named)
        broker = start("--conf", conf, "--set", "log.level=debug", before=before, files=files)
        clients = []
        for number in range(16):
            address = ("127.0.0.1", sockets.tcp.getsockname()[1])
            clients.append(Wire.open(address, f"plain-{life}-{number}"))
            local = socket.socket(socket.AF_UNIX)
            local.connect(str(sockets.path))
            clients.append(Over(local).greet(f"local-{life}-{number}"))
        quic = Quic(sockets.udp.getsockname()[1], authority.pem)
        clients.append(Over(quic.socket).greet(f"quic-{life}"))
        for one in clients:
            one.subscribe("activation", qos=1)
        with Wire.open(broker.address) as pub:
            pub.publish("activation", b"to all", qos=1)
        assert all(one.take().payload == b"to all" for one in clients)
        log = broker.log()
        assert "peer=127.0.0.1:" in log and "::ffff:" not in log, "an IPv4 client has its own address"
        assert 'name="spare"' in log and 'bind = "systemd:spare"' in log
        assert 'name="mqtt"' not in log.split("strowger started")[0]
        quic.close()
        for one in clients[:-1]:
            one.drop()
        assert broker.stop() == 0
        assert sockets.path.exists(), "the socket's file is the service manager's"


def test_the_default_listener_takes_a_socket_too(tmp_path, sockets):
    before, files = sockets.command(mqtt=sockets.tcp)
    log = open(tmp_path / "log", "wb")
    command = [*before, exchange.STROWGER, "serve", "--bind", "systemd:mqtt", "--set", "storage.engine=memory"]
    broker = subprocess.Popen([str(part) for part in command], stdout=log, stderr=log, pass_fds=files)
    try:
        # Clients wait in the kernel until the broker is there.
        Wire.open(("127.0.0.1", sockets.tcp.getsockname()[1]), timeout=10).leave()
    finally:
        broker.terminate()
        assert broker.wait(15) == 0


@pytest.mark.parametrize(
    ("listener", "told"),
    [
        ('bind = "systemd:mqqt"\ntransport = "tcp"', "passed no socket of this name (there are: mqtt, udp)"),
        ('bind = "systemd:udp"\ntransport = "tcp"', "this listener needs a listening TCP socket"),
        ('bind = "systemd:mqtt"\ntransport = "unix"', "this listener needs a listening Unix socket"),
    ],
)
def test_a_socket_that_is_missing_or_of_another_kind_is_told(tmp_path, sockets, listener, told):
    before, files = sockets.command(mqtt=sockets.tcp, udp=sockets.udp)
    own = f"127.0.0.1:{exchange.free_port()}"
    command = [*before, exchange.STROWGER, "serve", "--bind", own, "--conf", conf_of(tmp_path, listener)]
    done = exchange.run(*command, "--set", "storage.engine=memory", pass_fds=files)
    assert done.returncode != 0 and told in done.stderr, done.stderr
    assert "systemd:" in done.stderr and "--bind" not in done.stderr


def test_without_a_service_manager_nothing_is_passed(tmp_path):
    own = f"127.0.0.1:{exchange.free_port()}"
    conf = conf_of(tmp_path, 'bind = "systemd:mqtt"\ntransport = "tcp"')
    done = exchange.strowger("serve", "--bind", own, "--conf", conf, "--set", "storage.engine=memory")
    assert done.returncode != 0 and "(none is left)" in done.stderr, done.stderr


def test_systemds_own_tool_starts_the_broker_with_the_first_client(tmp_path):
    tool = shutil.which("systemd-socket-activate")
    assert tool, "systemd-socket-activate is missing: run scripts/prepare"
    port = exchange.free_port()
    log_path = tmp_path / "log"
    command = [tool, "-l", f"127.0.0.1:{port}", "--fdname", "mqtt", exchange.STROWGER, "serve"]
    with open(log_path, "wb") as log:
        command += ["--bind", "systemd:mqtt", "--set", "storage.engine=memory"]
        broker = subprocess.Popen([str(part) for part in command], stdout=log, stderr=log)
    try:
        time.sleep(0.5)
        assert "strowger started" not in log_path.read_text()
        Wire.open(("127.0.0.1", port), timeout=10).leave()
    finally:
        broker.terminate()
        assert broker.wait(15) == 0
