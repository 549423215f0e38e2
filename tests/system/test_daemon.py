"""`strowger serve --daemon`: what the process is like, who it belongs to, and what the terminal hears of its start."""

import os
import pathlib
import pwd
import signal
import socket
import time

import exchange
import pytest
from exchange import strowger
from wire import Wire

pytestmark = pytest.mark.strowger


class Daemon:
    """A daemon of the test's own, with its settings in a file."""

    def __init__(self, directory, **settings):
        self.directory, self.port = directory, exchange.free_port()
        self.pid_file, self.log_file = directory / "strowger.pid", directory / "strowger.log"
        self.settings = {
            "listener.bind": f"127.0.0.1:{self.port}",
            "storage.directory": directory / "data",
            "daemon.pid_file": self.pid_file,
            "log.file": self.log_file,
            "broker.lines": 2,
            **settings,
        }

    def arguments(self, **more):
        pairs = {**self.settings, **more}.items()
        return [part for key, value in pairs if value is not None for part in ("--set", f"{key}={value}")]

    def start(self, *options, **keywords):
        return strowger("serve", "--daemon", *self.arguments(), *options, **keywords)

    def __enter__(self):
        done = self.start(close_fds=False)
        assert (done.returncode, done.stderr) == (0, ""), done
        return self

    @property
    def pid(self):
        return int(self.pid_file.read_text())

    def proc(self, name):
        return pathlib.Path(f"/proc/{self.pid}/{name}")

    def status_of(self, word):
        lines = self.proc("status").read_text().splitlines()
        return next(line.split()[1:] for line in lines if line.startswith(f"{word}:"))

    def is_there(self):
        return self.pid_file.exists() and self.pid_file.read_text() and self.proc("exe").exists()

    def ask(self, verb, *arguments):
        return strowger(verb, "--data-dir", self.settings["storage.directory"], *arguments, timeout=60)

    def __exit__(self, *failure):
        if self.is_there():
            done = self.ask("stop")
            assert done.returncode == 0, done


def test_the_process_is_a_daemon(tmp_path):
    # What the one who gives the command has open is none of the daemon's business.
    stray = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(stray, True)
    with Daemon(tmp_path, **{"daemon.working_directory": "/", "daemon.umask": "0077"}) as daemon:
        stat = daemon.proc("stat").read_text().rsplit(")", 1)[1].split()
        parent, group, session, terminal = (int(field) for field in stat[1:5])
        assert terminal == 0
        assert session not in (daemon.pid, os.getsid(0)) and group == session, "a session whose leader has ended"
        assert parent != os.getpid()
        assert os.readlink(daemon.proc("cwd")) == "/"
        assert daemon.status_of("Umask") == ["0077"]
        targets = {int(fd.name): os.readlink(fd) for fd in daemon.proc("fd").iterdir()}
        assert [targets[fd] for fd in (0, 1, 2)] == ["/dev/null"] * 3
        assert "/dev/null" not in [target for fd, target in targets.items() if fd > 2], targets
        Wire.open(("127.0.0.1", daemon.port), "client").leave()
        for made in (tmp_path / "data").rglob("*"):
            assert made.is_socket() or made.stat().st_mode & 0o077 == 0, made
        assert daemon.ask("stop").returncode == 0
        assert not daemon.pid_file.exists()
    os.close(stray)


def test_a_second_start_is_refused_while_the_first_serves(tmp_path):
    with Daemon(tmp_path) as daemon:
        pid = daemon.pid
        done = daemon.start()
        assert done.returncode == 69
        assert f"process {pid}" in done.stderr and str(daemon.pid_file) in done.stderr
        assert len(done.stderr.splitlines()) == 1
        foreground = strowger("serve", *daemon.arguments())
        assert foreground.returncode == 69 and "runs already" in foreground.stderr
        assert daemon.pid == pid
        Wire.open(("127.0.0.1", daemon.port), "client").leave()


def test_a_pid_file_that_was_left_behind_is_taken(tmp_path):
    daemon = Daemon(tmp_path)
    daemon.pid_file.write_text("1\n")
    with daemon:
        assert daemon.pid > 1


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"session.receive_maximum": 1}, 64, "session.receive_maximum"),
        ({"acl.file": "/nowhere/acl"}, 64, "/nowhere/acl"),
        ({"log.file": None}, 64, "log.file"),
        ({"log.file": "/nowhere/log"}, 74, "/nowhere/log"),
        ({"daemon.pid_file": "/nowhere/pid"}, 74, "/nowhere/pid"),
        ({"daemon.user": "nobody-of-this-name"}, 64, "nobody-of-this-name"),
        ({"daemon.working_directory": "/nowhere"}, 74, "/nowhere"),
        ({"storage.directory": "/proc/nowhere"}, 74, "/proc/nowhere"),
    ],
)
def test_the_terminal_hears_why_it_did_not_start(tmp_path, change, code, words):
    daemon = Daemon(tmp_path, **change)
    done = daemon.start()
    assert done.returncode == code, done
    assert words in done.stderr and len(done.stderr.splitlines()) == 1, done
    assert not daemon.pid_file.exists() or not daemon.pid_file.read_text()


def test_the_terminal_hears_of_a_port_that_is_taken(tmp_path):
    daemon = Daemon(tmp_path)
    with socket.create_server(("127.0.0.1", daemon.port)):
        done = daemon.start()
    assert done.returncode == 69 and f"127.0.0.1:{daemon.port}" in done.stderr, done


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_roots_rights_are_given_up_after_the_ports_are_bound(tmp_path):
    user = pwd.getpwnam("nobody")
    port = low_port()
    # The directories above it that are pytest's own are for its user alone.
    for directory in [tmp_path, *tmp_path.parents]:
        if not directory.stat().st_mode & 0o001:
            directory.chmod(0o755)
    with Daemon(tmp_path, **{"listener.bind": f"127.0.0.1:{port}", "daemon.user": "nobody"}) as daemon:
        assert daemon.status_of("Uid") == [str(user.pw_uid)] * 4
        assert daemon.status_of("Gid") == [str(user.pw_gid)] * 4
        assert set(daemon.status_of("Groups")) <= {str(user.pw_gid)}, "no group of root's is left"
        assert daemon.status_of("CapEff") == ["0000000000000000"]
        threads = daemon.proc("task").iterdir()
        uids = {line for task in threads for line in (task / "status").read_text().splitlines() if line.startswith("Uid:")}
        assert len(uids) == 1, "every thread"
        Wire.open(("127.0.0.1", port), "client").leave()
        assert (tmp_path / "data").stat().st_uid == user.pw_uid
        # The right to the port is gone; the next binary has it by its sockets.
        assert daemon.ask("upgrade").returncode == 0
        assert daemon.status_of("Uid") == [str(user.pw_uid)] * 4
        Wire.open(("127.0.0.1", port), "client").leave()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root follows links to what others may not write")
@pytest.mark.parametrize("key", ["log.file", "daemon.pid_file"])
def test_root_follows_no_link_of_somebody_else(tmp_path, key):
    secret, link = tmp_path / "root's own", tmp_path / "link"
    secret.write_text("precious")
    link.symlink_to(secret)
    os.lchown(link, pwd.getpwnam("nobody").pw_uid, -1)
    done = Daemon(tmp_path, **{key: str(link), "daemon.user": "nobody"}).start()
    assert done.returncode == 74 and str(link) in done.stderr and "is a link that is not root's" in done.stderr, done
    assert (secret.read_text(), secret.stat().st_uid) == ("precious", 0)


def low_port():
    for port in range(1023, 600, -1):
        with socket.socket() as one:
            try:
                one.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no low port is free")


@pytest.mark.parametrize("sent", [signal.SIGUSR1, signal.SIGHUP])
def test_the_log_goes_on_in_a_new_file(tmp_path, sent):
    with Daemon(tmp_path) as daemon:
        moved = tmp_path / "strowger.log.1"
        daemon.log_file.rename(moved)
        os.kill(daemon.pid, sent)
        deadline = time.monotonic() + 5
        while not (daemon.log_file.exists() and "goes on in this file" in daemon.log_file.read_text()):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        size = moved.stat().st_size
        with Wire(("127.0.0.1", daemon.port)) as wire:
            wire.send(b"\xff\xff\xff\xff\xff")
            wire.expect_closed()
        assert moved.stat().st_size == size
        assert daemon.log_file.stat().st_mode & 0o777 == 0o640 & ~0o027


def test_the_pid_file_stays_locked_through_upgrades(tmp_path):
    with Daemon(tmp_path) as daemon:
        pid = daemon.pid
        for _ in range(2):
            assert daemon.ask("upgrade").returncode == 0
            assert daemon.pid == pid
            done = daemon.start()
            assert done.returncode == 69 and f"process {pid}" in done.stderr, done
        assert daemon.ask("stop").returncode == 0
        assert not daemon.pid_file.exists()


def test_commands_tell_how_it_fares_and_that_nobody_answers(tmp_path):
    with Daemon(tmp_path) as daemon:
        with Wire.open(("127.0.0.1", daemon.port), "client") as wire:
            wire.subscribe("a", "b")
            done = daemon.ask("status")
            assert done.returncode == 0, done
            for words in (f"process {daemon.pid}: serving since", "connections        1", "subscriptions      2"):
                assert words in done.stdout, done.stdout
            assert f"default on 127.0.0.1:{daemon.port} over TCP" in done.stdout
        assert daemon.ask("reload").returncode == 0
    for verb in ("stop", "reload", "status", "drain", "upgrade"):
        done = daemon.ask(verb)
        assert done.returncode == 69 and "no broker answers at" in done.stderr, done


def test_the_control_socket_may_be_elsewhere_and_is_the_owners(tmp_path):
    path = tmp_path / "run" / "control"
    with Daemon(tmp_path, **{"daemon.control_socket": path, "storage.engine": "memory"}) as daemon:
        assert path.stat().st_mode & 0o777 == 0o600
        assert strowger("status", "--socket", path).returncode == 0
        assert strowger("stop", "--socket", path).returncode == 0
    assert not path.exists()
