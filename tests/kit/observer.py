"""A real Prometheus that scrapes a broker, and what it is asked."""

import json
import pathlib
import shutil
import subprocess
import time
import urllib.parse
import urllib.request

import exchange

ROOT = pathlib.Path(__file__).resolve().parents[2]
RULES = ROOT / "conf/prometheus/strowger.rules.yml"
DASHBOARD = ROOT / "conf/grafana/strowger.json"


def fetch(url, timeout=10):
    with urllib.request.urlopen(url, timeout=timeout) as answer:
        return answer.read().decode()


def panels():
    """(panel, query) of the dashboard, with the variables of Grafana put in."""
    dashboard = json.loads(DASHBOARD.read_text())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            query = target["expr"].replace("$__rate_interval", "10s").replace("$instance", ".*")
            assert "$" not in query, query
            yield panel["title"], query


class Prometheus:
    """Scrapes brokers once a second. Alerts wait for `patience` in place of what the rules say."""

    def __init__(self, directory, targets, patience="3s"):
        assert shutil.which("prometheus"), "prometheus is missing: run scripts/prepare"
        self.directory = pathlib.Path(directory)
        rules = RULES.read_text()
        lines = [f"        for: {patience}" if line.strip().startswith("for:") else line for line in rules.splitlines()]
        (self.directory / "strowger.rules.yml").write_text("\n".join(lines) + "\n")
        conf = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": ["strowger.rules.yml"],
            "scrape_configs": [{"job_name": "strowger", "static_configs": [{"targets": list(targets)}]}],
        }
        # JSON is YAML.
        (self.directory / "prometheus.yml").write_text(json.dumps(conf))
        self.port = exchange.free_port()
        self.log = open(self.directory / "prometheus.log", "wb")
        self.process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={self.directory / 'prometheus.yml'}",
                f"--storage.tsdb.path={self.directory / 'tsdb'}",
                f"--web.listen-address=127.0.0.1:{self.port}",
            ],
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
        )
        self.wait_for("Prometheus", lambda: self.query("vector(1)"))

    def wait_for(self, what, look, secs=30.0):
        deadline, error = time.monotonic() + secs, None
        while time.monotonic() < deadline:
            try:
                if found := look():
                    return found
            except OSError as caught:
                error = caught
            time.sleep(0.2)
        raise AssertionError(f"no {what} within {secs} s: {error}")

    def api(self, path, **parameters):
        answer = json.loads(fetch(f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"))
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, text):
        """The series of an instant query: pairs of labels and value."""
        return [(each["metric"], float(each["value"][1])) for each in self.api("query", query=text)["result"]]

    def alerts(self, state="firing"):
        return {each["labels"]["alertname"] for each in self.api("alerts")["alerts"] if each["state"] == state}

    def stop(self):
        self.process.terminate()
        self.process.wait(10)
        self.log.close()
