"""`strowger pub`, `sub` and `bench` over TLS: what is trusted, what is shown, and what is said when it does not fit."""

import json

import exchange
import pytest
from authority import Authority
from listener import Listener

pytestmark = pytest.mark.strowger

# A window that fits into the outgoing buffer of a connection: QoS 0 beyond that is dropped.
SMALL = ["--pairs", 5, "--window", 8, "--duration", 0.5, "--payload", "16-50000"]


class House:
    """A broker with a TLS listener, one that asks for certificates, and a plain one."""

    def __init__(self, directory):
        self.authority = Authority(directory)
        server = self.authority.issue("server", hosts=["localhost"])
        self.client = self.authority.issue("client")
        self.stranger = Authority(directory, "stranger")
        self.ports = {name: exchange.free_port() for name in ("tls", "mutual")}
        conf = directory / "listeners.toml"
        text = ""
        for name, port in self.ports.items():
            text += f'[[listeners]]\nname = "{name}"\nbind = "127.0.0.1:{port}"\ntransport = "tls"\n'
            text += f'certificate = "{server[0]}"\nkey = "{server[1]}"\n'
        text += f'client_ca = "{self.authority.pem}"\n'
        conf.write_text(text)
        self.broker = exchange.Broker(directory, "--conf", conf)

    def options(self, door, host="localhost"):
        return ["-p", self.ports[door], *self.trust(host)]

    def trust(self, host="localhost"):
        return ["-h", host, "--cafile", self.authority.pem]

    def shown(self):
        return ["--cert", self.client[0], "--key", self.client[1]]


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    one = House(tmp_path_factory.mktemp("secure"))
    yield one
    assert one.broker.stop() == 0, one.broker.log()


@pytest.mark.parametrize("door", ["tls", "mutual"])
@pytest.mark.parametrize("length", [1, 200_000])
def test_messages_go_through_tls_whatever_their_length(house, name, door, length):
    options = house.trust() + (house.shown() if door == "mutual" else [])
    port = house.ports[door]
    listener = Listener([exchange.STROWGER, "sub"], house.broker, [name], *options, port=port)
    try:
        done = exchange.strowger("pub", "-p", port, *options, "-t", name, "-q", 2, "-s", input="x" * length)
        assert done.returncode == 0, done.stderr
        assert listener.message() == (name, "x" * length)
    finally:
        listener.kill()


@pytest.mark.parametrize("qos", [0, 1])
def test_a_load_goes_through_tls(house, qos):
    where = [*house.options("tls"), "--pid", house.broker.process.pid]
    done = exchange.strowger("bench", "p2p", *where, "-q", qos, *SMALL, "--json")
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout)["runs"][0]["counts"]
    assert counts["received"] == counts["expected"] > 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda house: house.options("tls", "127.0.0.1"), "certificate not valid for name"),
        (lambda house: ["-p", house.ports["tls"], "--cafile", house.stranger.pem], "UnknownIssuer"),
        (lambda house: ["-p", house.ports["tls"], "--cafile", __file__], "there is no certificate in it"),
        (lambda house: ["-p", house.ports["tls"], "--cafile", "nowhere.pem"], "nowhere.pem"),
        (lambda house: ["-p", house.ports["tls"]], "it speaks TLS; add --tls"),
        (lambda house: ["-p", house.broker.port, "--tls"], "is it a TLS listener"),
        (lambda house: house.options("mutual"), "CertificateRequired"),
    ],
)
def test_what_does_not_fit_is_named(house, name, change, said):
    done = exchange.strowger("pub", *change(house), "-t", name, "-m", "x")
    assert done.returncode in (64, 69)
    assert said.lower() in done.stderr.lower()
    assert done.stderr.count("\n") == 1


def test_a_certificate_for_another_name_is_taken_if_that_is_said(house, name):
    done = exchange.strowger("pub", *house.options("tls", "127.0.0.1"), "--insecure", "-t", name, "-m", "x", "-q", 1)
    assert done.returncode == 0, done.stderr
    done = exchange.strowger("pub", "-h", "localhost", "-p", house.ports["tls"], "--insecure", "--cafile", house.stranger.pem, "-t", name, "-m", "x")
    assert done.returncode == 69, "an authority that is not trusted stays so"
