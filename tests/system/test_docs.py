"""The pages for operators do what they say: their `console run` blocks are run, in order, in a directory of their own.

A line with `$` is a command, with `>` its continuation, the others are what it prints. `…` stands for anything within a line,
and alone on a line for any lines. Paths of the package and the default ports become those of the test.
"""

import os
import re
import signal
import subprocess
import threading

import exchange
import pytest

pytestmark = pytest.mark.strowger

PAGES = ["docs/OPERATING.md", "docs/MIGRATING.md", "docs/API.md"]
#: A command that takes longer hangs.
COMMAND_SECS = 120
#: Ends the output of a command in the shell that runs them all.
END = "end-of-command"


def blocks(text):
    """The runnable blocks of a page: commands with the lines that they print, and where they stand."""
    for found in re.finditer(r"^```console run\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        number = text[: found.start()].count("\n") + 2
        steps = []
        for offset, line in enumerate(found[1].splitlines()):
            if line.startswith("$ "):
                steps.append((number + offset, [line[2:]], []))
            elif line.startswith("> ") or line == ">":
                steps[-1][1].append(line[2:])
            else:
                steps[-1][2].append(line)
        yield from steps


def pattern(lines):
    """What the lines expect, as a regular expression over the whole output."""
    parts = []
    for line in lines:
        if line == "…":
            parts.append(r"(?:.*\n)*?")
        else:
            parts.append(".*".join(map(re.escape, line.split("…"))) + r"\n")
    return re.compile("".join(parts))


class Shell:
    """A bash in which each command sees what the ones before it left, processes in the background among them."""

    def __init__(self, directory):
        self.directory = directory
        self.ports = {port: exchange.free_port() for port in (1883, 18083)}
        # The longer first, as they are replaced in this order.
        places = {
            "/etc/strowger": directory / "etc",
            "/var/lib/strowger-2": directory / "data-2",
            "/var/lib/strowger": directory / "data",
        }
        (directory / "etc").mkdir()
        if os.geteuid() == 0:
            # As the package has it: for a group that is not root's.
            os.chown(directory / "etc", -1, 65534)
            (directory / "etc").chmod(0o2750)
        (directory / "bin").mkdir()
        (directory / "bin" / "strowger").symlink_to(exchange.STROWGER)
        self.words = {key: str(place) for key, place in places.items()}
        self.words |= {f"127.0.0.1:{port}": f"127.0.0.1:{free}" for port, free in self.ports.items()}
        environment = {key: value for key, value in os.environ.items() if not key.startswith("STROWGER_")}
        environment["PATH"] = f"{directory / 'bin'}:{environment['PATH']}"
        self.process = subprocess.Popen(
            ["bash", "--noprofile", "--norc"], cwd=directory, env=environment, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip

    def here(self, text):
        """The text with the paths and ports of this test."""
        for word, place in self.words.items():
            text = text.replace(word, place)
        text = re.sub(r"^listener 1883 ", f"listener {self.ports[1883]} ", text, flags=re.MULTILINE)
        text = re.sub(r": listener 1883 ", f": listener {self.ports[1883]} ", text)
        return re.sub(r"\bstrowger (pub|sub) ", rf"strowger \1 -p {self.ports[1883]} ", text)

    def run(self, command):
        """What the command prints, and its exit code."""
        self.process.stdin.write(f"{self.here(command)}\nprintf '\\n%s %s\\n' {END} $?\n")
        self.process.stdin.flush()
        hangs = threading.Timer(COMMAND_SECS, os.killpg, [self.process.pid, signal.SIGKILL])
        hangs.start()
        printed = []
        try:
            for line in self.process.stdout:
                if line.startswith(END):
                    # The line break before the mark is ours.
                    return "".join(printed)[:-1], int(line.split()[1])
                printed.append(line)
        finally:
            hangs.cancel()
        raise AssertionError(f"the shell ended, or hung for {COMMAND_SECS} s, at {command}:\n{''.join(printed)}")

    def close(self):
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@pytest.fixture
def shell(tmp_path):
    one = Shell(tmp_path)
    yield one
    one.close()


@pytest.mark.parametrize("page", PAGES)
def test_a_page_does_what_it_says(shell, page):
    text = (exchange.ROOT / page).read_text()
    steps = list(blocks(text))
    assert steps, f"{page} has no block that is run"
    for number, command, expected in steps:
        printed, code = shell.run("\n".join(command))
        where = f"{page}:{number}: {command[0]}"
        assert pattern([shell.here(line) for line in expected]).fullmatch(printed), f"{where} prints:\n{printed}"
        # What is refused on purpose says so in what it prints.
        assert code == 0 or any(line.startswith("strowger ") for line in expected), f"{where} ends with {code}"


def test_every_command_that_a_page_names_is_there():
    listed = exchange.strowger("--help").stdout
    known = set(re.findall(r"^  ([a-z]+)  ", listed, re.MULTILINE))
    assert {"serve", "import", "backup"} <= known, listed
    for page in [*PAGES, "README.md", "packaging/kubernetes/README.md"]:
        text = (exchange.ROOT / page).read_text()
        for verb in re.findall(r"(?:`|^\$ |^# |; |\| )(?:target/release/)?strowger ([a-z]+)", text, re.MULTILINE):
            assert verb in known, f"{page}: strowger {verb} is no command"


def test_every_setting_that_a_page_names_is_there():
    sections = set(re.findall(r"^## (\w+)$", (exchange.ROOT / "docs/CONFIG.md").read_text(), re.MULTILINE))
    known = set(re.findall(r"^\| `([a-z_.0-9]+)`", (exchange.ROOT / "docs/CONFIG.md").read_text(), re.MULTILINE))
    for page in PAGES:
        for section, key in re.findall(r"`(\w+)\.(\w+)(?: = [^`]*)?`", (exchange.ROOT / page).read_text()):
            # Files of the data directory have such names, too.
            if section in sections and key not in ("sock", "tokens", "bans"):
                assert f"{section}.{key}" in known, f"{page}: {section}.{key} is no setting"


def test_every_metric_and_alert_that_a_page_names_is_there():
    known = (exchange.ROOT / "docs/METRICS.md").read_text()
    rules = (exchange.ROOT / "conf/prometheus/strowger.rules.yml").read_text()
    text = (exchange.ROOT / "docs/OPERATING.md").read_text()
    metrics, alerts = re.findall(r"`(strowger_[a-z_]+)`", text), re.findall(r"`(Strowger[A-Z]\w+)`", text)
    assert metrics and alerts
    assert [name for name in metrics if f"`{name}`" not in known] == []
    assert [name for name in alerts if f"alert: {name}\n" not in rules] == []


def test_links_between_pages_lead_somewhere():
    for page in [*PAGES, "packaging/kubernetes/README.md"]:
        place = exchange.ROOT / page
        for target, anchor in re.findall(r"\]\(([^)#:]*)(#[^)]*)?\)", place.read_text()):
            file = (place.parent / target) if target else place
            assert file.exists(), f"{page}: {target} is not there"
            if anchor and file.suffix == ".md":
                titles = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE)
                slugs = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
                assert anchor[1:] in slugs, f"{page}: {target}{anchor} is not there"


def test_what_a_page_expects_can_fail():
    assert pattern(["a … c", "…", "d"]).fullmatch("a b c\nx\ny\nd\n")
    assert not pattern(["a … c"]).fullmatch("a b d\n")
    assert not pattern(["a"]).fullmatch("a\nb\n")
    assert list(blocks("x\n```console run\n$ a <<END\n> b\n> END\nc\n```\n")) == [(3, ["a <<END", "b", "END"], ["c"])]
