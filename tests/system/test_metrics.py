"""What a broker tells Prometheus: the page by itself, scraped by a real Prometheus, on the dashboard, and in alerts."""

import re
import subprocess
import threading
import time

import exchange
import observer
import pytest
from authority import Authority
from wire import Wire

pytestmark = pytest.mark.strowger

LOADED_SECS = 20
CLASSES = """
[[metrics.filters]]
name = "all"
filter = "#"

[[metrics.groups]]
name = "loaders"
client_id_start = "loader-"
"""
RULE = """
[[rule]]
name = "noted"
on = ["publish"]
then = [{ tag = "noted" }]
"""


@pytest.fixture
def observed(start, tmp_path, monkeypatch):
    """Starts a broker with a listener for operators; `broker.metrics` reads its page."""

    def begin(*options, lose_every=None):
        if lose_every:
            monkeypatch.setenv("STROWGER_FAULT_LOSE_EVERY", str(lose_every))
        port = exchange.free_port()
        one = start("--set", f"admin.bind=127.0.0.1:{port}", *options)
        one.operators = f"127.0.0.1:{port}"
        one.metrics = lambda: observer.fetch(f"http://{one.operators}/metrics")
        return one

    return begin


@pytest.fixture
def prometheus(tmp_path):
    ones = []

    def begin(*brokers):
        (tmp_path / "prometheus").mkdir(exist_ok=True)
        ones.append(observer.Prometheus(tmp_path / "prometheus", [one.operators for one in brokers]))
        return ones[-1]

    yield begin
    for one in ones:
        one.stop()


def value(page, series):
    """The value of one series of a page, by its text."""
    for line in page.splitlines():
        if line.startswith(series + " "):
            return float(line.rsplit(" ", 1)[1])
    raise AssertionError(f"no {series} in\n{page}")


def load(broker, stop):
    """A reader and a writer of QoS 0, until `stop` is set."""
    with Wire.open(broker.address, "loader-reader") as reader, Wire.open(broker.address, "loader-writer") as writer:
        reader.subscribe("load/#")
        while not stop.is_set():
            writer.publish("load/1", b"x" * 50)
            time.sleep(0.02)


def run_load(broker, secs):
    """Loads a broker by its own tools, which speak every QoS, for so long."""
    clients = [
        [exchange.STROWGER, "sub", "-p", str(broker.port), "-i", f"loader-{qos}", "-t", "load/#", "-q", str(qos)]
        for qos in (0, 1, 2)
    ]
    readers = [
        subprocess.Popen(client, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for client in clients
    ]
    deadline = time.monotonic() + secs
    try:
        while time.monotonic() < deadline:
            for qos in (0, 1, 2):
                done = exchange.strowger(
                    "pub", "-p", broker.port, "-i", f"loader-p{qos}", "-t", f"load/{qos}", "-q", qos, "-m", "x", "-r"
                )
                assert done.returncode == 0, done.stderr
            # Somebody may not publish there: a refusal.
            exchange.strowger("pub", "-p", broker.port, "-V", "5", "-q", 1, "-t", "$SYS/own", "-m", "x")
            time.sleep(0.2)
    finally:
        for reader in readers:
            reader.terminate()
            reader.wait(10)


def test_the_page_keeps_the_rules_of_promtool(observed):
    broker = observed()
    exchange.strowger("pub", "-p", broker.port, "-t", "a", "-q", 1, "-m", "hello")
    page = broker.metrics()
    checked = exchange.run("promtool", "check", "metrics", input=page)
    assert checked.returncode == 0 and not checked.stdout + checked.stderr, checked.stdout + checked.stderr
    assert value(page, 'strowger_messages_received_total{qos="1"}') == 1
    assert value(page, 'strowger_authentications_total{method="anonymous",result="known"}') == 1
    manual = (observer.ROOT / "docs/METRICS.md").read_text()
    families = re.findall(r"^# TYPE (\S+)", page, re.MULTILINE)
    assert len(families) > 60
    assert [family for family in families if f"`{family}`" not in manual] == []


@pytest.mark.parametrize(
    ("full", "series"),
    [
        ("refuse", 'strowger_exchanges_refused_total{kind="publish",reason="quota_exceeded"}'),
        ("drop", 'strowger_messages_dropped_total{reason="queue_full"}'),
    ],
)
def test_a_full_queue_counts_where_the_alerts_look(observed, full, series):
    name, labels = series.rstrip("}").split("{")
    assert f"{name}{{{labels.replace(',', ', ')}}}" in observer.RULES.read_text()
    broker = observed("--set", "session.queue_messages_max=1", "--set", f"session.queue_full={full}")
    assert value(broker.metrics(), series) == 0, "an increase is seen from a value to the next"
    exchange.strowger("sub", "-p", broker.port, "-t", "a", "-q", 1, "-c", "-i", "away", "-E")
    for _ in range(2):
        exchange.strowger("pub", "-p", broker.port, "-V", "5", "-q", 1, "-t", "a", "-m", "x")
    assert value(broker.metrics(), series) == 1


def test_the_alerts_and_their_tests_are_good():
    for check in (["check", "rules"], ["test", "rules"]):
        file = observer.RULES if check[0] == "check" else observer.RULES.with_suffix(".test.yml")
        done = exchange.run("promtool", *check, file, cwd=observer.RULES.parent)
        assert done.returncode == 0, done.stdout + done.stderr
    done = exchange.run("promtool", "check", "config", observer.RULES.parent / "prometheus.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_panel_has_data_and_no_alert_fires(observed, prometheus, tmp_path):
    (tmp_path / "rules.toml").write_text(RULE)
    authority = Authority(tmp_path)
    certificate, key, _ = authority.issue("server", hosts=["127.0.0.1"])
    tls = f'[[listeners]]\nname = "tls"\nbind = "127.0.0.1:{exchange.free_port()}"\ntransport = "tls"\n'
    conf = tmp_path / "strowger.toml"
    conf.write_text(f'{CLASSES}\n{tls}certificate = "{certificate}"\nkey = "{key}"\n')
    broker = observed("--conf", conf, "--set", f"rules.file={tmp_path / 'rules.toml'}")
    prom = prometheus(broker)
    run_load(broker, LOADED_SECS)

    empty = {f"{panel}: {query}" for panel, query in observer.panels() if not prom.query(query)}
    assert empty == set()
    assert prom.query("sum(strowger_delivery_seconds_count)")[0][1] > 10
    assert prom.query("max(abs(strowger_messages_unaccounted))")[0][1] == 0
    # A machine under test may well be slow.
    assert prom.alerts() - {"StrowgerSyncSlow", "StrowgerLineLate", "StrowgerDeliverySlow"} == set()


def test_a_lost_delivery_is_noticed(observed, prometheus):
    broker = observed(lose_every=7)
    if "lost on purpose" not in broker.log():
        pytest.skip("this binary has no faults: build it with --features faults")
    prom = prometheus(broker)
    load_it = threading.Event()
    loading = threading.Thread(target=load, args=(broker, load_it))
    loading.start()
    try:
        prom.wait_for("alert", lambda: "StrowgerMessagesUnaccounted" in prom.alerts())
    finally:
        load_it.set()
        loading.join()
    assert prom.query("sum(abs(strowger_messages_unaccounted))")[0][1] > 0
