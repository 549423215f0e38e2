"""What is packed beside the binary: unit, settings, list of parts, container file, manifests."""

import json
import os
import re
import shutil
import tomllib

import exchange
import kubernetes_validate
import pytest
import yaml

pytestmark = pytest.mark.strowger

PACKAGING = exchange.ROOT / "packaging"
UNIT = PACKAGING / "systemd/strowger.service"
MANIFESTS = list(yaml.safe_load_all((PACKAGING / "kubernetes/strowger.yaml").read_text()))
KUBERNETES = "1.31"


def manifest(kind, name="strowger"):
    return next(one for one in MANIFESTS if one["kind"] == kind and one["metadata"]["name"] == name)


def commands(verb):
    return exchange.strowger(verb, "--help").stdout


def options_of(words):
    return {word.split("=")[0] for word in words if word.startswith("--")}


@pytest.mark.parametrize("settings", ["debian/strowger.toml", "container.toml"])
def test_packed_settings_are_good_and_let_in_nobody_from_outside(settings, tmp_path):
    file = PACKAGING / settings
    # Whoever runs this may be nobody who makes a directory in /var/lib.
    done = exchange.strowger("check", file, env={**os.environ, "STROWGER_STORAGE__DIRECTORY": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    conf = tomllib.loads(file.read_text())
    is_local = all(bind.startswith("127.") for bind in conf["listener"]["bind"] + conf["admin"]["bind"])
    assert conf["auth"]["anonymous"] == "deny" or (conf["auth"]["anonymous"] == "loopback" and is_local)


def test_the_unit_is_understood_by_systemd(tmp_path):
    copies = []
    for unit in [UNIT, PACKAGING / "systemd/strowger.socket"]:
        copies.append(tmp_path / unit.name)
        # The manual page is there once the package is installed.
        text = unit.read_text().replace("/usr/bin/strowger", str(exchange.STROWGER)).replace("man:strowger(1) ", "")
        copies[-1].write_text(text)
    done = exchange.run("systemd-analyze", "verify", *copies)
    assert done.returncode == 0 and "strowger" not in done.stderr, done.stderr


def test_the_sandbox_of_the_unit_is_tight():
    done = exchange.run("systemd-analyze", "security", "--offline=yes", "--threshold=20", UNIT)
    assert done.returncode == 0, done.stdout


def test_the_unit_runs_commands_that_are_there():
    for key, line in re.findall(r"^(Exec\w+)=/usr/bin/strowger (.*)$", UNIT.read_text(), re.MULTILINE):
        verb, *words = line.split()
        known = commands(verb)
        for option in options_of(words):
            assert option in known, f"{key}: strowger {verb} has no {option}"


def test_maintainer_scripts_are_shell_and_run_commands_that_are_there():
    for name in ["postinst", "prerm", "postrm"]:
        script = PACKAGING / "debian" / name
        assert exchange.run("sh", "-n", script).returncode == 0
        for verb in re.findall(r"(?:^|&& |if )\s*strowger (\w+)", script.read_text(), re.MULTILINE):
            assert f"  {verb} " in exchange.strowger("--help").stdout, f"{name}: strowger {verb} is no command"


@pytest.fixture
def configure(tmp_path):
    """Runs the script of a package that comes in place of version 0.0.1; what it calls is written down, and done by nobody."""
    binaries, calls = tmp_path / "bin", tmp_path / "calls"
    binaries.mkdir()
    (tmp_path / "systemd").mkdir()
    for name in "strowger systemctl deb-systemd-helper deb-systemd-invoke adduser getent install chown chmod".split():
        stub = binaries / name
        stub.write_text(f'#!/bin/sh\necho "{name} $*" >>{calls}\n[ ! -e {tmp_path}/{name}.$1.fails ]\n')
        stub.chmod(0o755)
    script = (PACKAGING / "debian/postinst").read_text()
    script = script.replace("/run/systemd/system", f"{tmp_path}/systemd").replace("/usr/sbin/policy-rc.d", "/nonexistent")

    def run(*failing):
        for what in failing:
            (tmp_path / f"{what}.fails").touch()
        done = exchange.run("sh", "-c", script, "postinst", "configure", "0.0.1", env={"PATH": f"{binaries}:/usr/bin:/bin"})
        assert done.returncode == 0, done
        return calls.read_text(), done.stderr

    return run


def test_a_broker_makes_way_for_the_package_without_a_restart(configure):
    calls, _ = configure()
    assert "strowger upgrade" in calls and "deb-systemd-invoke" not in calls


def test_a_broker_that_declines_the_package_serves_on(configure):
    calls, said = configure("strowger.upgrade")
    assert "strowger upgrade" in calls and "deb-systemd-invoke" not in calls
    assert "strowger upgrade" in said and "systemctl restart strowger" in said
    assert "no client" not in said, "an upgrade that fails late has ended connections"


def test_where_no_broker_answers_the_service_is_restarted(configure):
    calls, said = configure("strowger.status")
    assert "deb-systemd-invoke restart strowger.service" in calls and "strowger upgrade" not in calls and not said


def test_unit_package_and_logrotate_agree_about_the_directory_of_the_log():
    assert "LogsDirectory" not in re.sub("^#.*$", "", UNIT.read_text(), flags=re.MULTILINE)
    assert "\nReadWritePaths=-/var/log/strowger\n" in UNIT.read_text()
    assert "install -d -o strowger -g adm -m 2750 /var/log/strowger" in (PACKAGING / "debian/postinst").read_text()
    assert "su strowger adm" in (PACKAGING / "debian/logrotate").read_text()


def test_logrotate_understands_its_settings(tmp_path):
    logrotate = shutil.which("logrotate", path="/usr/sbin:/usr/bin")
    assert logrotate, "logrotate is missing: run scripts/prepare"
    text = (PACKAGING / "debian/logrotate").read_text()
    # Users of the package are not on this machine.
    text = re.sub(r"^ *(su|create) .*$", "", text, flags=re.MULTILINE).replace("/var/log/strowger", str(tmp_path))
    settings = tmp_path / "logrotate"
    settings.write_text(text)
    settings.chmod(0o644)
    (tmp_path / "strowger.log").write_text("a line\n" * 10)
    done = exchange.run(logrotate, "--debug", "--state", tmp_path / "state", settings)
    assert done.returncode == 0 and "error" not in done.stderr, done.stderr
    assert "considering log" in done.stderr


def test_manual_pages_and_completions_know_every_command(tmp_path):
    assert exchange.strowger("man", tmp_path).returncode == 0
    pages = {page.name for page in tmp_path.iterdir()}
    listed = re.findall(r"^  ([a-z]+)  ", exchange.strowger("--help").stdout, re.MULTILINE)
    verbs = [verb for verb in listed if verb != "help"]
    assert "serve" in verbs
    for verb in verbs:
        assert f"strowger-{verb}.1" in pages, verb
    for shell in ["bash", "zsh", "fish"]:
        script = exchange.strowger("completions", shell).stdout
        assert all(verb in script for verb in verbs), shell


def list_of_parts(file):
    script = exchange.ROOT / "scripts/sbom"
    done = exchange.run(script, "--features", "ldap,redis,sql", "--out", file, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(file.read_text())


@pytest.fixture(scope="module")
def bom(tmp_path_factory):
    return list_of_parts(tmp_path_factory.mktemp("bom") / "bom.json")


def test_the_list_of_parts_has_licence_and_checksum_of_each(bom):
    lock = tomllib.loads((exchange.ROOT / "Cargo.lock").read_text())["package"]
    locked = {(one["name"], one["version"]): one.get("checksum") for one in lock}
    assert bom["specVersion"] == "1.5" and bom["metadata"]["component"]["name"] == "strowger"
    for part in bom["components"]:
        name = (part["name"], part["version"])
        assert name in locked, f"{name} is not in Cargo.lock"
        assert part["licenses"][0]["expression"] not in ("", "NOASSERTION"), name
        given = [one["content"] for one in part.get("hashes", [])]
        assert given == [locked[name]] if locked[name] else given == [], name
    refs = {part["bom-ref"] for part in [bom["metadata"]["component"], *bom["components"]]}
    for node in bom["dependencies"]:
        assert node["ref"] in refs and refs.issuperset(node["dependsOn"])


def test_the_list_of_parts_has_every_crate_that_is_in_the_binary(bom):
    binary = exchange.STROWGER.read_bytes()
    # Messages of panics name the source file with the crate and its version.
    paths = re.findall(rb"/registry/src/[^/\0]+/([a-z0-9_-]+)-(\d+\.\d+\.\d+[0-9A-Za-z.+-]*)/", binary)
    found = {(name.decode(), version.decode()) for name, version in paths}
    listed = {(part["name"], part["version"]) for part in bom["components"]}
    assert len(found) > 50, f"the binary names {len(found)} crates only: how was it built?"
    assert found <= listed, f"not in the list of parts: {sorted(found - listed)}"


def test_the_same_tree_gives_the_same_list(bom, tmp_path):
    assert list_of_parts(tmp_path / "bom.json") == bom


def test_manifests_fit_the_schema_of_kubernetes():
    for one in MANIFESTS:
        kubernetes_validate.validate(one, KUBERNETES, strict=True)
    broken = json.loads(json.dumps(manifest("StatefulSet")))
    broken["spec"]["replica"] = 1
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, KUBERNETES, strict=True)


def test_the_settings_of_the_manifests_are_good(tmp_path):
    (tmp_path / "passwords").write_text("ann:$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$" + "A" * 43 + "\n")
    text = manifest("ConfigMap")["data"]["strowger.toml"].replace("/etc/strowger/secret", str(tmp_path))
    (tmp_path / "strowger.toml").write_text(text)
    settings = {**os.environ, "STROWGER_STORAGE__DIRECTORY": str(tmp_path / "data")}
    done = exchange.strowger("check", tmp_path / "strowger.toml", env=settings)
    assert done.returncode == 0, done.stderr


def test_the_manifests_agree_with_each_other_and_with_the_commands():
    pod = manifest("StatefulSet")["spec"]["template"]
    container = pod["spec"]["containers"][0]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    for service in (one for one in MANIFESTS if one["kind"] == "Service"):
        assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
        assert all(port["targetPort"] in ports for port in service["spec"]["ports"])
    conf = tomllib.loads(manifest("ConfigMap")["data"]["strowger.toml"])
    assert conf["listener"]["bind"] == [f"0.0.0.0:{ports['mqtt']}"]
    assert conf["admin"]["bind"] == [f"0.0.0.0:{ports['admin']}"]
    verb, *words = container["lifecycle"]["preStop"]["exec"]["command"][1:]
    assert options_of(words) <= set(re.findall(r"--[a-z-]+", commands(verb)))
    named = {mount["name"] for mount in container["volumeMounts"]}
    claims = manifest("StatefulSet")["spec"]["volumeClaimTemplates"]
    assert named == {one["name"] for one in pod["spec"]["volumes"]} | {one["metadata"]["name"] for one in claims}


def test_the_build_of_the_image_is_given_all_that_it_reads_and_no_more():
    ignored = [line for line in (exchange.ROOT / ".containerignore").read_text().splitlines() if not line.startswith("#")]
    kept = exchange.run("git", "ls-files", "--", *(f":(glob){one}/**" for one in ignored), cwd=exchange.ROOT)
    assert kept.returncode == 0 and kept.stdout == "", "sources are ignored"
    unversioned = (line.strip("/") for line in (exchange.ROOT / ".gitignore").read_text().splitlines())
    assert {*unversioned} <= {*ignored, "__pycache__"}


def test_the_container_file_copies_what_is_there_and_starts_what_exists():
    text = (PACKAGING / "Containerfile").read_text().replace("\\\n", " ")
    for source in re.findall(r"install -D -m \d+ (?!target|-t)([\w./-]+) /image", text):
        assert (exchange.ROOT / source).exists(), source
    for words in re.findall(r"^(?:CMD|\s*HEALTHCHECK .*CMD) (\[.*\])", text, re.MULTILINE):
        words = [word for word in json.loads(words) if word != "/usr/bin/strowger"]
        assert options_of(words) <= set(re.findall(r"--[a-z-]+", commands(words[0]))), words
    assert re.search(r"^USER 65532:65532$", text, re.MULTILINE) and "STOPSIGNAL SIGTERM" in text
