"""Commands find the settings of the broker that they are about: by option, by STROWGER_CONF, or the installed ones."""

import os

import exchange
import pytest

pytestmark = pytest.mark.strowger


def ask(*words, conf):
    return exchange.run(exchange.STROWGER, *words, env={**os.environ, "STROWGER_CONF": str(conf)})


@pytest.fixture
def site(restartable, tmp_path):
    """A broker whose sockets and files are all elsewhere than a command would look for them."""
    settings = tmp_path / "site.toml"
    settings.write_text(
        f'[storage]\ndirectory = "{tmp_path}/kept"\n'
        f'[daemon]\ncontrol_socket = "{tmp_path}/run/control"\n'
        f'[admin]\nbind = "none"\nsocket = "{tmp_path}/admin"\ntokens_file = "{tmp_path}/tokens"\n'
    )
    broker = restartable(data=tmp_path / "kept", conf=settings.read_text())
    broker.start()
    return settings


def test_commands_reach_the_broker_of_the_settings(site, tmp_path):
    for words in (
        ["status"],
        ["reload"],
        ["check"],
        ["plan", site],
        ["clients"],
        ["publish", "a", "b", "--retain"],
        ["retained"],
        ["backup", tmp_path / "backup"],
        ["explain", "publish", "a"],
        ["token", "add", "ann", "--role", "viewer"],
        ["drain"],
        ["drain", "--undo"],
        ["stop"],
    ):
        done = ask(*words, conf=site)
        assert done.returncode == 0, (words, done.stderr)
    assert (tmp_path / "tokens").read_text().startswith("ann:viewer:")
    gone = ask("status", conf=site)
    assert gone.returncode == 69 and f"{tmp_path}/run/control (by {site})" in gone.stderr, gone
    for words in (["clients"], ["sessions"], ["ban"], ["plan", site]):
        gone = ask(*words, conf=site)
        assert gone.returncode == 69 and f" (by {site})" in gone.stderr, (words, gone)


def test_an_option_comes_before_what_is_found(tmp_path):
    missing = tmp_path / "missing.toml"
    done = ask("status", conf=missing)
    assert done.returncode == 64 and str(missing) in done.stderr, done
    done = ask("status", "--data-dir", tmp_path, conf=missing)
    assert done.returncode == 69 and f"{tmp_path}/control.sock;" in done.stderr, done
    (tmp_path / "bad.toml").write_text("[listener]\nbin = 1\n")
    done = ask("check", conf=tmp_path / "bad.toml")
    assert done.returncode == 64 and "bad.toml:2" in done.stderr, done
    assert ask("check", conf="").stdout == "configuration: OK\n"
