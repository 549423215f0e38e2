"""What root makes or changes for a broker that runs as another user: that one can read it."""

import os
import pathlib
import pwd
import stat
import tempfile

import exchange
import pytest
from authority import Authority

pytestmark = [pytest.mark.strowger, pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")]

SERVICE = pwd.getpwnam("nobody")


def whose(file):
    found = file.stat()
    return found.st_uid, found.st_gid, oct(stat.S_IMODE(found.st_mode))


def directory(path, owner, group, mode):
    path.mkdir(parents=True)
    os.chown(path, owner, group)
    path.chmod(mode)
    return path


def add_user(file, name):
    done = exchange.run(exchange.STROWGER, "passwd", file, name, "-b", "secret")
    assert done.returncode == 0, done.stderr


def test_a_password_file_is_for_whom_its_directory_is(tmp_path):
    for mode, group, expected in [
        (0o2750, SERVICE.pw_gid, "0o640"),
        (0o750, SERVICE.pw_gid, "0o640"),
        (0o755, SERVICE.pw_gid, "0o640"),
        (0o700, SERVICE.pw_gid, "0o600"),
    ]:
        file = directory(tmp_path / oct(mode), 0, group, mode) / "passwords"
        add_user(file, "ann")
        assert whose(file) == (0, group, expected), oct(mode)
    file = directory(tmp_path / "roots", 0, 0, 0o755) / "passwords"
    done = exchange.run(exchange.STROWGER, "passwd", file, "ann", "-b", "secret")
    assert done.returncode == 0 and f"only root can read {file}" in done.stderr, done
    file = directory(tmp_path / "open", SERVICE.pw_uid, SERVICE.pw_gid, 0o755) / "passwords"
    add_user(file, "ann")
    assert whose(file) == (SERVICE.pw_uid, SERVICE.pw_gid, "0o600")
    file = directory(tmp_path / "own", SERVICE.pw_uid, SERVICE.pw_gid, 0o700) / "passwords"
    add_user(file, "ann")
    assert whose(file) == (SERVICE.pw_uid, SERVICE.pw_gid, "0o600")


def test_a_changed_file_keeps_its_owner_and_its_rights(tmp_path):
    for mode in (0o600, 0o640, 0o444, 0o664):
        file = tmp_path / oct(mode)
        add_user(file, "ann")
        os.chown(file, SERVICE.pw_uid, SERVICE.pw_gid)
        file.chmod(mode)
        add_user(file, "bob")
        assert whose(file) == (SERVICE.pw_uid, SERVICE.pw_gid, oct(mode | 0o600))


def test_root_is_not_led_by_a_link_of_somebody_elses(tmp_path):
    data = directory(tmp_path / "data", SERVICE.pw_uid, SERVICE.pw_gid, 0o750)
    target = tmp_path / "roots"
    target.write_text("")
    link = data / "admin.tokens"
    link.symlink_to(target)
    os.chown(link, SERVICE.pw_uid, SERVICE.pw_gid, follow_symlinks=False)
    for words in (["token", "add", "ann", "--role", "viewer", "--data-dir", data], ["passwd", link, "ann", "-b", "secret"]):
        done = exchange.strowger(*words)
        assert done.returncode == 74 and str(target) in done.stderr, done
        assert target.read_text() == "" and link.is_symlink()
    # One of his own, and one of root's, are what they say.
    os.chown(target, SERVICE.pw_uid, SERVICE.pw_gid)
    add_user(link, "ann")
    os.chown(target, 0, 0)
    os.chown(link, 0, 0, follow_symlinks=False)
    add_user(link, "bob")
    assert link.is_symlink() and len(target.read_text().splitlines()) == 2


def test_tokens_are_for_whom_the_data_directory_is(tmp_path):
    data = directory(tmp_path / "data", SERVICE.pw_uid, SERVICE.pw_gid, 0o750)
    assert exchange.strowger("token", "add", "ann", "--role", "viewer", "--data-dir", data).returncode == 0
    assert whose(data / "admin.tokens") == (SERVICE.pw_uid, SERVICE.pw_gid, "0o640")

    settings = tmp_path / "strowger.toml"
    settings.write_text(f'[storage]\ndirectory = "{tmp_path}/missing"\n[daemon]\nuser = "nobody"\n')
    assert exchange.strowger("token", "add", "ann", "--role", "viewer", "--conf", settings).returncode == 0
    assert whose(tmp_path / "missing")[:2] == (SERVICE.pw_uid, SERVICE.pw_gid)
    assert whose(tmp_path / "missing/admin.tokens")[:2] == (SERVICE.pw_uid, SERVICE.pw_gid)


@pytest.fixture
def open_path():
    """A directory that others reach: pytest closes its own whenever a run begins."""
    with tempfile.TemporaryDirectory() as made:
        path = pathlib.Path(made)
        path.chmod(0o755)
        yield path


def test_a_restored_directory_belongs_to_whom_it_belonged(restartable, tmp_path, open_path):
    broker = restartable()
    broker.start()
    assert exchange.strowger("backup", tmp_path / "backup", "--data-dir", broker.data).returncode == 0
    empty = directory(open_path / "empty", SERVICE.pw_uid, SERVICE.pw_gid, 0o750)
    within = directory(open_path / "within", SERVICE.pw_uid, SERVICE.pw_gid, 0o750) / "data"
    for data in (empty, within):
        done = exchange.strowger("restore", tmp_path / "backup", "--data-dir", data)
        assert done.returncode == 0 and not done.stderr, done
        files = [data, *data.rglob("*")]
        assert len(files) > 5 and {whose(file)[:2] for file in files} == {(SERVICE.pw_uid, SERVICE.pw_gid)}

    done = exchange.strowger("restore", tmp_path / "backup", "--data-dir", tmp_path / "roots")
    assert done.returncode == 0 and "chown -R USER:" in done.stderr, done
    roots = directory(open_path / "roots", 0, 0, 0o755)
    settings = open_path / "strowger.toml"
    settings.write_text(f'[storage]\ndirectory = "{roots}"\n[daemon]\nuser = "nobody"\n')
    done = exchange.strowger("restore", tmp_path / "backup", "--conf", settings)
    assert done.returncode == 0 and f"chown -R nobody: {roots}" in done.stderr, done


def test_root_restores_with_the_rights_of_whose_the_directory_is(restartable, tmp_path, open_path):
    """Where root writes and gives away in another's directory, that one can lead it through a link of his."""
    broker = restartable()
    broker.start()
    assert exchange.strowger("backup", tmp_path / "backup", "--data-dir", broker.data).returncode == 0
    closed = directory(open_path / "closed", SERVICE.pw_uid, SERVICE.pw_gid, 0o550)
    done = exchange.strowger("restore", tmp_path / "backup", "--data-dir", closed)
    assert done.returncode == 74 and f"{closed}" in done.stderr and not list(closed.iterdir()), done


@pytest.mark.parametrize("command", ["token", "restore", "serve"])
def test_what_is_missing_above_the_data_directory_keeps_nobody_out(restartable, tmp_path, open_path, command):
    data = open_path / "a/b/data"
    first = restartable()
    first.start()
    assert exchange.strowger("backup", tmp_path / "backup", "--data-dir", first.data).returncode == 0
    settings = f'[storage]\ndirectory = "{data}"\n[daemon]\nuser = "nobody"\n'
    file = open_path / "strowger.toml"
    file.write_text(settings)
    if command == "token":
        done = exchange.strowger("token", "add", "ann", "--role", "viewer", "--conf", file)
        assert done.returncode == 0, done
    if command == "restore":
        done = exchange.strowger("restore", tmp_path / "backup", "--conf", file)
        assert done.returncode == 0 and not done.stderr, done
    broker = restartable(data=data, conf=settings)
    broker.start()
    assert whose(data) == (SERVICE.pw_uid, SERVICE.pw_gid, "0o750")
    assert whose(open_path / "a/b") == whose(open_path / "a") == (0, 0, "0o755")


def test_check_warns_of_places_where_the_brokers_user_makes_nothing(open_path):
    data = directory(open_path / "data", SERVICE.pw_uid, SERVICE.pw_gid, 0o750)
    settings = open_path / "strowger.toml"
    for key in ("log.file", "daemon.pid_file"):
        settings.write_text(f'storage.directory = "{data}"\n{key} = "{open_path}/new"\n')
        done = exchange.strowger("check", settings)
        assert done.returncode == 0 and key in done.stderr and f"{open_path}/new" in done.stderr, done
        # Root makes it before it becomes the user.
        settings.write_text(f'storage.directory = "{data}"\ndaemon.user = "nobody"\n{key} = "{open_path}/new"\n')
        done = exchange.strowger("check", settings)
        assert done.returncode == 0 and not done.stderr, done
    data.chmod(0o550)
    settings.write_text(f'storage.directory = "{data}"\n')
    assert "storage.directory" in exchange.strowger("check", settings).stderr


def test_check_says_that_a_reload_cannot_read_what_a_start_can(open_path):
    certificate, key, _ = Authority(open_path).issue("server", hosts=["localhost"])
    os.chown(key, 0, 0)
    pathlib.Path(key).chmod(0o600)
    settings = open_path / "strowger.toml"
    settings.write_text(
        f'storage.directory = "{open_path}/data"\ndaemon.user = "nobody"\n'
        f'[[listeners]]\nbind = "127.0.0.1:0"\ntransport = "tls"\ncertificate = "{certificate}"\nkey = "{key}"\n'
    )
    done = exchange.strowger("check", settings)
    assert done.returncode == 0 and "a reload or an upgrade would be refused" in done.stderr and str(key) in done.stderr, done


def test_check_warns_of_what_the_brokers_user_cannot_read(open_path):
    data = directory(open_path / "data", SERVICE.pw_uid, SERVICE.pw_gid, 0o750)
    add_user(open_path / "passwords", "ann")
    settings = open_path / "strowger.toml"
    settings.write_text(f'[storage]\ndirectory = "{data}"\n[auth]\npassword_file = "{open_path}/passwords"\n')

    def warning():
        done = exchange.strowger("check", settings)
        assert done.returncode == 0 and done.stdout == f"{settings}: OK\n", done
        return done.stderr

    said = warning()
    assert "as user nobody" in said and f"{open_path}/passwords" in said, said
    os.chown(open_path / "passwords", SERVICE.pw_uid, -1)
    assert warning() == ""
    (data / "journal").mkdir()
    assert f"{data}/journal does not belong to user nobody" in warning()
    os.chown(data / "journal", SERVICE.pw_uid, -1)
    (data / "admin.tokens").write_text("")
    os.chown(data / "admin.tokens", SERVICE.pw_uid, -1)
    (data / "admin.tokens").chmod(0)
    assert f"{data}/admin.tokens" in warning()
