"""`strowger pub` and `strowger sub` against the broker under test and against mosquitto."""

import shutil

import exchange
import pytest
from listener import Listener
from wire import Wire

pytestmark = pytest.mark.strowger
VERSIONS = pytest.mark.parametrize("version", ["31", "311", "5"])


@pytest.fixture(scope="module", params=["strowger", "mosquitto"])
def peer(request, tmp_path_factory):
    if request.param == "mosquitto":
        assert shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin"), "mosquitto is missing: run scripts/prepare"
    one = exchange.Broker(tmp_path_factory.mktemp(request.param), kind=request.param)
    yield one
    one.stop()


@pytest.fixture
def listen(peer):
    listeners = []

    def open_one(*topics, options=()):
        listeners.append(Listener([exchange.STROWGER, "sub"], peer, topics, *options))
        return listeners[-1]

    yield open_one
    for listener in listeners:
        listener.kill()


@pytest.fixture
def pub(peer):
    def publish(*options, **keywords):
        done = exchange.strowger("pub", "-p", peer.port, *options, **keywords)
        assert done.returncode == 0, done.stderr

    return publish


def collect(peer, *options):
    """What `strowger sub` prints until it ends by itself."""
    done = exchange.strowger("sub", "-p", peer.port, *options)
    return done.stdout, done.returncode


@VERSIONS
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_message_goes_through(listen, pub, name, version, qos):
    sub = listen(name, options=["-V", version, "-q", qos])
    pub("-V", version, "-t", name, "-q", qos, "-m", "hello there")
    assert sub.message() == (name, "hello there")


@VERSIONS
def test_a_retained_message_is_kept_and_cleared(peer, listen, pub, name, version):
    pub("-V", version, "-t", name, "-q", 1, "-r", "-m", "kept")
    assert listen(name, options=["-V", version]).early == [(name, "kept")]
    assert collect(peer, "-V", version, "-t", name, "-R", "-W", 1) == ("", 27)
    pub("-V", version, "-t", name, "-q", 1, "-r", "-n")
    assert listen(name, options=["-V", version]).early == []


@VERSIONS
def test_the_will_of_a_killed_client_is_published(listen, name, version):
    sub = listen(f"{name}/will", options=["-V", version, "-q", 1])
    will = ["--will-topic", f"{name}/will", "--will-payload", "gone", "--will-qos", 1]
    listen(f"{name}/any", options=["-V", version, *will]).kill()
    assert sub.message() == (f"{name}/will", "gone")


def test_lines_of_stdin_are_messages(listen, pub, name):
    sub = listen(name, options=["-q", 1])
    pub("-t", name, "-q", 1, "-l", input="one\ntwo\nthree\n")
    assert [sub.message()[1] for _ in range(3)] == ["one", "two", "three"]


def test_stdin_is_one_message(peer, pub, name):
    pub("-t", name, "-q", 1, "-r", "-s", input="one\ntwo\n")
    assert collect(peer, "-t", name, "-C", 1, "-N", "-W", 5) == ("one\ntwo\n", 0)


def test_a_file_is_one_message(peer, pub, name, tmp_path):
    path = tmp_path / "payload"
    path.write_text("from a file")
    pub("-t", name, "-q", 1, "-r", "-f", path)
    assert collect(peer, "-t", name, "-C", 1, "-v", "-W", 5) == (f"{name} from a file\n", 0)


def test_waiting_ends_with_a_time_out(peer, name):
    printed, code = collect(peer, "-t", name, "-C", 1, "-W", 1)
    assert (printed, code) == ("", 27)


def test_properties_are_sent(peer, pub, name):
    with Wire.open(peer.address) as wire:
        wire.subscribe(name, qos=1)
        pub("-V", 5, "-t", name, "-q", 1, "-m", "m", "-D", "PUBLISH", "content-type", "text/plain",
            "-D", "PUBLISH", "user-property", "key", "value")  # fmt: skip
        got = wire.take()
        assert got.properties["content_type"] == "text/plain"
        assert got.properties["user"] == [("key", "value")]


def test_no_broker_is_one_line_with_the_address():
    port = exchange.free_port()
    for command in (["pub", "-m", "x"], ["sub"]):
        done = exchange.strowger(*command, "-t", "t", "-p", port)
        assert done.returncode == 69
        assert str(port) in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr


def test_a_publish_without_a_topic_is_a_mistake_of_usage():
    assert exchange.strowger("pub", "-m", "x").returncode == 64
