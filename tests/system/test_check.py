"""`strowger check` says what a start would be refused for, and so does an upgrade before anything ends."""

import exchange
import pytest

pytestmark = pytest.mark.strowger

# Settings, and what is in the file "broken" that they name.
BROKEN = {
    "password_file": ('[auth]\npassword_file = "{file}"', "ann:no hash\n"),
    "bans": ('[auth]\nbans_file = "{file}"', "no ban at all\n"),
    "jwt_keys": ('[auth]\njwt_keys = "{file}"', "{}"),
    "rights": ('[acl]\nfile = "{file}"', "nonsense\n"),
    "rules": ('[rules]\nfile = "{file}"', "nonsense\n"),
    "certificate": ('[[listeners]]\nbind = "127.0.0.1:0"\ntransport = "tls"\ncertificate = "{file}"\nkey = "{file}"', "no PEM\n"),
    "admin": ('[admin]\nbind = "127.0.0.1:0"\ncertificate = "{file}"\nkey = "{file}"', "no PEM\n"),
}


def outcome(done):
    return done.returncode, done.stderr.splitlines()[-1].split(": ", 1)[1]


@pytest.mark.parametrize("content", ["broken", "missing"])
@pytest.mark.parametrize("what", BROKEN)
def test_files_are_read_as_a_start_reads_them(tmp_path, what, content):
    settings, text = BROKEN[what]
    file = tmp_path / "broken"
    if content == "broken":
        file.write_text(text)
    conf = tmp_path / "strowger.toml"
    conf.write_text(f'[storage]\ndirectory = "{tmp_path}/data"\n' + settings.format(file=file) + "\n")
    done = exchange.strowger("check", conf)
    assert done.returncode == 64 and str(file) in done.stderr and not done.stdout, done
    assert not (tmp_path / "data").exists(), "nothing is made"
    started = exchange.strowger("serve", "--conf", conf, "--bind", "127.0.0.1:0")
    assert outcome(done) == outcome(started)


def test_the_data_directory_and_the_log_are_looked_at(tmp_path):
    conf = tmp_path / "strowger.toml"
    data = tmp_path / "data"
    data.mkdir()
    (data / "FORMAT").write_text("Strowger store\nversion: 999\nengine: fjall\n")
    conf.write_text(f'[storage]\ndirectory = "{data}"\n')
    done = exchange.strowger("check", conf)
    assert done.returncode == 65 and "999" in done.stderr, done
    conf.write_text(f'[storage]\ndirectory = "{tmp_path}/new"\n[log]\nfile = "{tmp_path}/nowhere/log"\n')
    done = exchange.strowger("check", conf)
    assert done.returncode == 74 and "nowhere/log" in done.stderr, done


@pytest.mark.parametrize("setting", ["storage.directory", "log.file", "daemon.pid_file"])
def test_what_a_start_could_not_make_is_said(tmp_path, setting):
    (tmp_path / "file").write_text("")
    conf = tmp_path / "strowger.toml"
    places = {"storage.directory": tmp_path / "data", setting: tmp_path / "file/new"}
    conf.write_text("".join(f'{key} = "{place}"\n' for key, place in places.items()))
    for words in ["check", conf], ["serve", "--conf", conf, "--bind", "127.0.0.1:0"]:
        done = exchange.strowger(*words)
        assert done.returncode == 74 and f"{tmp_path}/file" in done.stderr, done
        assert words[0] == "serve" or setting in done.stderr


def test_a_broker_that_serves_does_not_make_its_settings_wrong(restartable, tmp_path):
    broker = restartable(conf=f'[storage]\ndirectory = "{tmp_path}/0/data"\n')
    broker.start()
    assert exchange.strowger("check", broker.conf).returncode == 0


def test_an_upgrade_is_declined_for_files_that_the_next_binary_could_not_read(restartable, tmp_path):
    passwords = tmp_path / "passwords"
    passwords.write_text("")
    assert exchange.strowger("passwd", passwords, "ann", "-b", "secret").returncode == 0
    broker = restartable(f"auth.password_file={passwords}")
    broker.start()
    passwords.write_text("ann:no hash\n")
    done = exchange.strowger("upgrade", "--data-dir", broker.data)
    assert done.returncode != 0 and "was not upgraded" in done.stderr and str(passwords) in done.stderr, done
    assert exchange.strowger("status", "--data-dir", broker.data).returncode == 0
