"""Transport × version × client: messages of each QoS, a retained message and a will in every cell that there is.

What a client cannot do has no cell: Mosquitto's tools speak no WebSocket, a browser nothing else, and QUIC has aioquic.
"""

import json
import os
import pathlib
import queue
import socket
import subprocess
import time

import exchange
import paho.mqtt.client as paho
import pytest
from authority import Authority
from browser import Chromium, Site
from quic import Quic
from wire import V5, V31, V311, Over, Will, Wire

pytestmark = pytest.mark.strowger

HERE = pathlib.Path(__file__).resolve().parent
MQTTJS_DIR = exchange.ROOT / "tests/.cache/node"
VERSIONS = {"v31": V31, "v311": V311, "v5": V5}
SOCKETS = ["tcp", "tls", "ws", "wss"]
BROWSER_SECS = 60

PAGE = """<!doctype html><meta charset="utf-8"><title>matrix</title>
<script src="/mqtt.min.js"></script>
<script type="module">
import { tell } from "/matrix.mjs";
const say = (what) => fetch("/said", { method: "POST", body: JSON.stringify(what) });
for (const [name, options] of Object.entries(CELLS)) {
  const late = new Promise((_, no) => setTimeout(() => no(new Error("not done within 10 s")), 10000));
  try {
    await Promise.race([tell(mqtt.connectAsync, options, `chromium/${name}`), late]);
    await say([name, "well"]);
  } catch (error) {
    await say([name, String(error)]);
  }
}
</script>"""


def udp_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class House:
    """A broker with a listener of each transport, and a web site whose page may connect."""

    def __init__(self, directory):
        self.directory = directory
        self.authority = Authority(directory)
        self.server = self.authority.issue("server", hosts=["localhost", "127.0.0.1"])
        self.site = Site(*self.server[:2])
        self.ports = {name: exchange.free_port() for name in SOCKETS} | {"quic": udp_port()}
        self.socket = directory / "matrix.sock"
        keys = f'certificate = "{self.server[0]}"\nkey = "{self.server[1]}"\n'
        # Paho names the listener itself as its origin.
        origins = f'origins = ["{self.site.origin}", "https://localhost:{self.ports["wss"]}"]\n'
        more = {"wss": keys + origins, "tls": keys, "quic": keys}
        text = f'[[listeners]]\nbind = "{self.socket}"\ntransport = "unix"\n'
        for name, port in self.ports.items():
            text += f'[[listeners]]\nbind = "127.0.0.1:{port}"\ntransport = "{name}"\n{more.get(name, "")}'
        conf = directory / "matrix.toml"
        conf.write_text(text)
        self.broker = exchange.Broker(directory, "--conf", conf)


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    one = House(tmp_path_factory.mktemp("matrix"))
    yield one
    one.site.close()
    assert one.broker.stop() == 0, one.broker.log()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("transport", ["tcp", "tls", "unix"])
def test_mosquitto(house, transport, version):
    """The tools publish and receive; a raw client on TCP sees the same, so that transports meet."""
    where = ["--unix", house.socket] if transport == "unix" else ["-h", "localhost", "-p", house.ports[transport]]
    where += ["--cafile", house.authority.pem] if transport == "tls" else []
    where += ["-V", f"mqtt{version}"]
    topic = f"mosquitto/{transport}/{version}"
    with Wire.open(house.broker.address, "", V5) as watcher:
        watcher.subscribe(f"{topic}/#", qos=2)
        for qos in (0, 1, 2):
            done = exchange.run("mosquitto_pub", *where, "-t", f"{topic}/{qos}", "-m", f"at {qos}", "-q", qos, "-r")
            assert done.returncode == 0, done.stderr
            got = watcher.take()
            assert (got.topic, got.payload, got.qos) == (f"{topic}/{qos}", f"at {qos}".encode(), qos)
            done = exchange.run("mosquitto_sub", *where, "-t", f"{topic}/{qos}", "-q", 2, "-C", 1, "-W", 10, "-F", "%q %r %p")
            assert done.stdout == f"{qos} 1 at {qos}\n", done.stderr
        options = ["-t", f"{topic}/0", "-q", 2, "--will-topic", f"{topic}/will", "--will-payload", "gone", "--will-qos", 2]
        process = subprocess.Popen([str(part) for part in ["mosquitto_sub", *where, *options]], stdout=subprocess.PIPE)
        assert process.stdout.readline() == b"at 0\n"
        process.kill()
        process.wait()
        got = watcher.take()
        assert (got.topic, got.payload, got.qos) == (f"{topic}/will", b"gone", 2)


class Paho:
    """A Paho client of one cell."""

    def __init__(self, house, transport, version, will=None):
        kind = {"ws": "websockets", "wss": "websockets", "unix": "unix"}.get(transport, "tcp")
        self.messages, self.subscribed = queue.Queue(), queue.Queue()
        connected = queue.Queue()
        self.client = paho.Client(
            paho.CallbackAPIVersion.VERSION2, f"{transport}{version}{time.monotonic_ns()}"[-23:], protocol=version,
            transport=kind,
        )  # fmt: skip
        if transport in ("tls", "wss"):
            self.client.tls_set(str(house.authority.pem))
        if will:
            self.client.will_set(*will)
        self.client.on_message = lambda _client, _userdata, message: self.messages.put(message)
        self.client.on_subscribe = lambda *arguments: self.subscribed.put(arguments[3])
        self.client.on_connect = lambda *arguments: connected.put(arguments[3])
        if transport == "unix":
            self.client.connect(str(house.socket), 1)
        else:
            self.client.connect("localhost", house.ports[transport])
        self.client.loop_start()
        assert not connected.get(timeout=10).is_failure

    def subscribe(self, topic):
        self.client.subscribe(topic, qos=2)
        assert not self.subscribed.get(timeout=10)[0].is_failure

    def publish(self, topic, payload, qos, retain=False):
        self.client.publish(topic, payload, qos, retain).wait_for_publish(10)

    def take(self):
        message = self.messages.get(timeout=10)
        return message.topic, message.payload, message.qos, message.retain

    def drop(self):
        """Breaks the connection without DISCONNECT."""
        plain = self.client.socket()
        plain = getattr(plain, "_socket", plain)
        self.client.loop_stop()
        plain.close()

    def leave(self):
        self.client.disconnect()
        self.client.loop_stop()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("transport", [*SOCKETS, "unix"])
def test_paho(house, transport, version):
    topic, number = f"paho/{transport}/{version}", VERSIONS[version]
    sub, pub = Paho(house, transport, number), Paho(house, transport, number)
    sub.subscribe(f"{topic}/#")
    for qos in (0, 1, 2):
        pub.publish(f"{topic}/{qos}", f"at {qos}", qos)
        assert sub.take() == (f"{topic}/{qos}", f"at {qos}".encode(), qos, False)
    pub.publish(f"{topic}/kept", "kept", 1, retain=True)
    assert sub.take() == (f"{topic}/kept", b"kept", 1, False)
    late = Paho(house, transport, number)
    late.subscribe(f"{topic}/kept")
    assert late.take() == (f"{topic}/kept", b"kept", 1, True)
    Paho(house, transport, number, will=(f"{topic}/will", "gone", 2, False)).drop()
    assert sub.take() == (f"{topic}/will", b"gone", 2, False)
    for one in (sub, pub, late):
        one.leave()


def mqttjs_options(version, **options):
    number = VERSIONS[version]
    return {"protocolVersion": number, "protocolId": "MQIsdp" if number == V31 else "MQTT", **options}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("transport", [*SOCKETS, "unix"])
def test_mqttjs_in_node(house, transport, version):
    if transport == "unix":
        options = {"protocol": "mqtt+unix", "path": str(house.socket)}
    else:
        protocol = {"tcp": "mqtt", "tls": "mqtts"}.get(transport, transport)
        options = {"protocol": protocol, "host": "localhost", "port": house.ports[transport], "path": "/mqtt"}
        # MQTT.js hands the path to a plain socket as that of a Unix socket.
        options = {key: value for key, value in options.items() if key != "path" or transport in ("ws", "wss")}
    if transport in ("tls", "wss"):
        options["ca"] = str(house.authority.pem)
    environment = {**os.environ, "MQTTJS_DIR": str(MQTTJS_DIR)}
    text = json.dumps(mqttjs_options(version, **options))
    done = exchange.run("node", HERE / "mqttjs/cell.mjs", text, f"node/{transport}/{version}", env=environment)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def told_by_chromium(house):
    """What the page in Chromium says of each of its cells."""
    cells = {
        f"{transport}-{version}": mqttjs_options(
            version, protocol=transport, host="localhost", port=house.ports[transport], path="/mqtt"
        )
        for transport in ("ws", "wss")
        for version in VERSIONS
    }
    page = PAGE.replace("CELLS", json.dumps(cells))
    house.site.files = {
        "/": ("text/html", page.encode()),
        "/matrix.mjs": ("text/javascript", (HERE / "mqttjs/matrix.mjs").read_bytes()),
        "/mqtt.min.js": ("text/javascript", (MQTTJS_DIR / "node_modules/mqtt/dist/mqtt.min.js").read_bytes()),
    }
    browser = Chromium(house.directory, f"{house.site.origin}/", house.server[0])
    said, deadline = {}, time.monotonic() + BROWSER_SECS
    while len(said) < len(cells) and time.monotonic() < deadline:
        try:
            name, what = house.site.said.get(timeout=1)
            said[name] = what
        except queue.Empty:
            pass
    browser.close()
    return said, browser.log


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("transport", ["ws", "wss"])
def test_mqttjs_in_chromium(told_by_chromium, transport, version):
    said, log = told_by_chromium
    assert said.get(f"{transport}-{version}") == "well", log.read_text(errors="replace")[-2000:]


@pytest.mark.parametrize("version", VERSIONS)
def test_aioquic(house, version):
    topic, number = f"aioquic/{version}", VERSIONS[version]

    def connect(**options):
        one = Quic(house.ports["quic"], house.authority.pem)
        return one, Over(one.socket, number).greet(f"q{version}{time.monotonic_ns()}"[-23:], **options)

    (first, sub), (second, pub), (third, late) = connect(), connect(), connect()
    sub.subscribe(f"{topic}/#", qos=2)
    for qos in (0, 1, 2):
        pub.publish(f"{topic}/{qos}", f"at {qos}", qos=qos)
        got = sub.take()
        assert (got.topic, got.payload, got.qos, got.retain) == (f"{topic}/{qos}", f"at {qos}".encode(), qos, False)
    pub.publish(f"{topic}/kept", "kept", qos=1, retain=True)
    assert sub.take().payload == b"kept"
    late.subscribe(f"{topic}/kept", qos=1)
    got = late.take()
    assert (got.payload, got.retain) == (b"kept", True)
    doomed, _ = connect(will=Will(f"{topic}/will", b"gone", qos=2))
    doomed.close()
    got = sub.take()
    assert (got.payload, got.qos) == (b"gone", 2)
    for one in (first, second, third):
        one.close()
