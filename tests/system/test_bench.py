"""`strowger bench` against the broker under test and against mosquitto: whole runs, a broker that dies, reports."""

import html
import json
import re
import shutil
import subprocess
import time

import exchange
import pytest

pytestmark = pytest.mark.strowger
SHORT = ("--duration", "0.5", "--warm-up", "0.2")


@pytest.fixture(scope="module", params=["strowger", "mosquitto"])
def peer(request, tmp_path_factory):
    one = exchange.Broker(tmp_path_factory.mktemp(request.param), kind=request.param)
    yield one
    one.stop()


def bench(broker, scenario, *options):
    where = ("-h", "127.0.0.1", "-p", broker.port, "--pid", broker.process.pid)
    return exchange.strowger("bench", scenario, *where, *options, timeout=60)


def outcome(broker, scenario, *options):
    """The one run of a scenario that has to be whole."""
    done = bench(broker, scenario, *options, "--json")
    assert done.returncode == 0, done.stdout.partition('"machine"')[0] + done.stderr
    document = json.loads(done.stdout)
    assert len(document["runs"]) == len(document["comparison"]) == 1
    return document["runs"][0]


@pytest.mark.parametrize("version", ["311", "5"])
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_every_message_of_a_run_is_accounted_for(peer, version, qos):
    # Debian's mosquitto loses acknowledged messages of QoS 2 beyond the 20 that it sends at once.
    run = outcome(peer, "p2p", "--pairs", 5, "-q", qos, "-V", version, "--window", 16, *SHORT)
    counts = run["counts"]
    assert run["ending"] == {"kind": "whole"}
    assert counts["sent"] == counts["expected"] == counts["received"] > 0
    assert counts["lost"] == counts["duplicated"] == counts["out_of_order"] == 0
    assert counts["acknowledged"] == (counts["sent"] if qos else 0)
    assert run["broker"]["cpu_us_per_delivery"] > 0
    assert run["latency"]["p50_us"] <= run["latency"]["p99_us"] <= run["latency"]["max_us"]


@pytest.mark.parametrize(
    "scenario",
    [
        ("fanin", "--publishers", 10, "--subscribers", 2, *SHORT),
        ("fanout", "--subscribers", 50, *SHORT),
        ("wildcards", "--subscriptions", 500, "--subscribers", 5, "--publishers", 5, *SHORT),
        ("connect", "--connections", 5, *SHORT),
        ("idle", "--connections", 100),
        ("latency", "--pairs", 5, "--rate", 1000, *SHORT),
        ("latency", "--subscribers", 20, "--rate", 50, *SHORT),
        ("offline", "--subscribers", 5, "--publishers", 5, "--count", 500),
        ("retained", "--topics", 50, "--subscribers", 3),
    ],
    ids=lambda scenario: scenario[0],
)
def test_every_scenario_is_whole(peer, scenario):
    run = outcome(peer, *scenario)
    assert run["scenario"] == scenario[0]
    assert run["counts"]["received"] == run["counts"]["expected"] > 0


def test_the_first_line_is_the_verdict_and_progress_goes_to_standard_error(peer):
    done = bench(peer, "p2p", "--pairs", 5, "--duration", 3, "--warm-up", 0)
    assert done.returncode == 0, done.stderr
    verdict = r"p2p QoS 0: [\d,]+ messages, every one delivered once and in order"
    assert re.fullmatch(verdict, done.stdout.splitlines()[0])
    assert re.search(r"^p2p QoS 0: measuring, 2\.\d of 3 s, .*/s", done.stderr, re.MULTILINE)
    assert len(done.stderr.splitlines()) <= 3


@pytest.mark.parametrize("kind", ["strowger", "mosquitto"])
@pytest.mark.parametrize("scenario", [("p2p", "-q", 1), ("fanout", "--subscribers", 20), ("latency",), ("connect",)])
def test_a_broker_killed_in_the_middle_is_told_first_and_in_bounded_time(start, kind, scenario):
    broker = start(kind=kind)
    command = [exchange.STROWGER, "bench", *scenario, "-h", "127.0.0.1", "-p", broker.port, "--pid", broker.process.pid]
    command += ["--duration", 20, "--warm-up", 0, "--patience", 3]
    run = subprocess.Popen(
        [str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
    )
    try:
        time.sleep(1.5)
        assert run.poll() is None
        broker.process.kill()
        killed = time.monotonic()
        told, said = run.communicate(timeout=15)
        took = time.monotonic() - killed
    finally:
        run.kill()
        run.wait()
    assert run.returncode == 1, said
    assert told.startswith("BROKEN after "), told
    assert took < 6


def test_brokers_are_compared_in_turn(start):
    first, second = start(kind="strowger"), start(kind="mosquitto")
    other = f"127.0.0.1:{second.port},pid={second.process.pid},name=peer <&>"
    options = ("--pairs", 5, *SHORT, "--vs", other, "--rounds", 2)
    document = json.loads(bench(first, "p2p", *options, "--json").stdout)
    assert [(run["round"], run["target"]) for run in document["runs"]] == [
        (1, "strowger"),
        (1, "peer <&>"),
        (2, "strowger"),
        (2, "peer <&>"),
    ]
    (comparison,) = document["comparison"]
    assert comparison["figure"] == "cpu_us_per_delivery"
    reference, compared = comparison["brokers"]
    assert reference["ratio"]["median"] == 1
    assert compared["ratio"]["min"] <= compared["ratio"]["median"] <= compared["ratio"]["max"]
    assert compared["whole"] == compared["rounds"] == 2

    text = bench(first, "p2p", *options).stdout.splitlines()
    assert text[0].startswith("p2p QoS 0, 2 rounds: every delivery made once and in order; CPU per delivery: strowger ")
    assert [line.split()[0] for line in text[2:]] == ["broker", "strowger", "peer"]


def test_a_suite_is_one_table(peer):
    done = bench(peer, "suite", "--quick", "--duration", 0.3, "--only", "p2p-0,fanout-1,connect")
    assert done.returncode == 0, done.stdout + done.stderr
    verdict, _, head, *rows = done.stdout.splitlines()
    assert verdict == "suite: 3 scenarios, 3 runs: every delivery made once and in order"
    assert head.startswith("scenario")
    assert [row.split("  ")[0] for row in rows] == ["p2p QoS 0", "fan-out QoS 1", "connect"]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The report of a comparison."""
    directory = tmp_path_factory.mktemp("report")
    brokers = [exchange.Broker(directory, kind=kind) for kind in ("strowger", "mosquitto")]
    file = directory / "report.html"
    try:
        first, second = brokers
        other = f"127.0.0.1:{second.port},pid={second.process.pid}"
        done = bench(first, "p2p", "--pairs", 5, *SHORT, "--vs", other, "--rounds", 2, "--html", file)
        assert done.returncode == 0, done.stdout + done.stderr
    finally:
        for one in brokers:
            one.stop()
    return file


def test_a_report_needs_nothing_from_elsewhere(page):
    text = page.read_text()
    assert text.startswith("<!doctype html>") and text.rstrip().endswith("</html>")
    assert not re.search(r"https?:|src=|href=|url\(|@import|<script|<link", text)
    for title in ["Comparison", "Throughput over time", "Latency over time", "Latency distribution"]:
        assert title in text


@pytest.mark.parametrize("width", [360, 1280])
def test_a_report_fits_the_window_of_a_browser(page, tmp_path, width):
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not browser:
        pytest.skip("no Chromium here")
    # A browser's window is never narrower than some 500 pixels, a frame in it is. It answers by the title of its page.
    probe = "const it = frames[0].document; document.title = [it.documentElement.scrollWidth, it.querySelectorAll('polyline').length].join(' ')"
    outer = tmp_path / "outer.html"
    outer.write_text(
        f'<iframe style="border: 0" width="{width}" height="900" srcdoc="{html.escape(page.read_text())}"></iframe>'
        f"<script>onload = () => {{ {probe} }}</script>"
    )
    done = exchange.run(
        browser,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={tmp_path / 'profile'}",
        "--dump-dom",
        outer.as_uri(),
    )
    content, lines = map(int, re.search(r"<title>(\d+) (\d+)</title>", done.stdout).groups())
    assert content <= width
    assert lines >= 6
