"""Servers that know users, each in a directory of its own on a port of its own: PostgreSQL, MariaDB, Redis, slapd."""

import contextlib
import os
import pathlib
import pwd
import shutil
import subprocess
import tempfile
import time

from exchange import free_port

BASE = "dc=example,dc=org"
ADMIN = f"cn=admin,{BASE}"
ADMIN_PASSWORD = "admin's secret"


def program(name):
    """Debian keeps some of them out of the PATH."""
    places = [*sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), reverse=True), "/usr/sbin", "/usr/bin"]
    found = shutil.which(name, path=":".join([os.environ.get("PATH", ""), *map(str, places)]))
    assert found, f"{name} is missing: run scripts/prepare"
    return found


class Server:
    """One server process; it may be killed and started again on the same data."""

    #: Who runs it where the tests run as root, which it refuses.
    account = None
    starts_within_secs = 30

    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="strowger-directory-"))
        self.directory.chmod(0o755)
        self.user = self.account if os.geteuid() == 0 else None
        if self.user:
            entry = pwd.getpwnam(self.user)
            os.chown(self.directory, entry.pw_uid, entry.pw_gid)
        self.port, self.process = free_port(), None
        try:
            self.prepare()
            self.start()
        except BaseException:
            self.close()
            raise

    def prepare(self):
        """Makes the data before the first start."""

    def command(self):
        raise NotImplementedError

    def is_ready(self):
        raise NotImplementedError

    def run(self, *command, **options):
        """Runs one of the server's tools to its end."""
        command = [program(command[0]), *map(str, command[1:])]
        done = subprocess.run(
            command, user=self.user, cwd=self.directory, capture_output=True, text=True, timeout=60, **options
        )
        assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def start(self):
        command = self.command()
        with open(self.directory / "log", "ab") as log:
            self.process = subprocess.Popen(
                [program(command[0]), *map(str, command[1:])],
                user=self.user,
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + self.starts_within_secs
        while time.monotonic() < deadline:
            assert self.process.poll() is None, f"{command[0]} ended:\n{self.log()}"
            with contextlib.suppress(AssertionError, subprocess.TimeoutExpired):
                if self.is_ready():
                    return
            time.sleep(0.05)
        raise AssertionError(f"{command[0]} does not answer:\n{self.log()}")

    def log(self):
        return (self.directory / "log").read_text(errors="replace")

    def kill(self):
        """Ends the process at once, as a failure would."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)


class Postgres(Server):
    account = "postgres"

    @property
    def url(self):
        return f"postgres://strowger@127.0.0.1:{self.port}/postgres"

    def prepare(self):
        self.run("initdb", "-D", "data", "-U", "strowger", "-A", "trust", "-E", "UTF8", "--no-sync")

    def command(self):
        listen = ["-p", self.port, "-k", self.directory, "-c", "listen_addresses=127.0.0.1"]
        return ["postgres", "-D", "data", "-F", *listen]

    def is_ready(self):
        return self.query("SELECT 1") == "1\n"

    def query(self, text):
        return self.run(
            "psql", "-h", "127.0.0.1", "-p", self.port, "-U", "strowger", "-d", "postgres", "-q", "-At",
            "-v", "ON_ERROR_STOP=1", "-c", text,
        )  # fmt: skip

    def kill(self):
        """With the processes that serve its connections."""
        if self.process and self.process.poll() is None:
            self.run("pg_ctl", "-D", "data", "stop", "-m", "immediate")
            self.process.wait(10)


class MariaDb(Server):
    account = "mysql"

    @property
    def url(self):
        return f"mysql://strowger:secret@127.0.0.1:{self.port}/mqtt"

    def prepare(self):
        data = f"--datadir={self.directory}/data"
        root = "--auth-root-authentication-method=normal"
        self.run("mariadb-install-db", "--no-defaults", data, "--skip-test-db", root)

    def command(self):
        return [
            "mariadbd", "--no-defaults", f"--datadir={self.directory}/data", f"--socket={self.directory}/socket",
            "--bind-address=127.0.0.1", f"--port={self.port}", "--innodb-flush-log-at-trx-commit=0",
            "--innodb-log-file-size=8M", f"--pid-file={self.directory}/pid",
        ]  # fmt: skip

    def is_ready(self):
        return self.query("SELECT 1", database="mysql") == "1\n"

    def start(self):
        super().start()
        self.query(
            "CREATE DATABASE IF NOT EXISTS mqtt; CREATE USER IF NOT EXISTS strowger IDENTIFIED BY 'secret'; "
            "GRANT ALL ON mqtt.* TO strowger; DELETE FROM mysql.global_priv WHERE User = ''; FLUSH PRIVILEGES",
            database="mysql",
        )

    def query(self, text, database="mqtt"):
        socket = f"--socket={self.directory}/socket"
        return self.run("mariadb", "--no-defaults", socket, "-u", "root", "-N", "-B", database, "-e", text)


class Redis(Server):
    account = "redis"

    def __init__(self, certificate=None):
        self.certificate, self.tls_port = certificate, free_port()
        super().__init__()

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def tls_url(self):
        return f"rediss://localhost:{self.tls_port}/0"

    def command(self):
        tls = []
        if self.certificate:
            pem, key = self.certificate
            tls = [
                "--tls-port", self.tls_port, "--tls-cert-file", pem, "--tls-key-file", key, "--tls-auth-clients", "no",
            ]  # fmt: skip
        return ["redis-server", "--port", self.port, "--bind", "127.0.0.1", "--save", "", "--dir", self.directory, *tls]

    def is_ready(self):
        return self.query("PING") == "PONG\n"

    def query(self, *words):
        return self.run("redis-cli", "-p", self.port, *words)


class Slapd(Server):
    """Users below `BASE`, who may be looked at by `ADMIN` and the reader alone.

    A bind with a name and an empty password succeeds, as RFC 4513 has it: what asks it has to know of that.
    """

    account = "openldap"

    def __init__(self, entries, certificate=None):
        self.entries, self.certificate = entries, certificate
        super().__init__()

    @property
    def url(self):
        return f"ldap://localhost:{self.port}"

    def prepare(self):
        schemas = "".join(f"include /etc/ldap/schema/{name}.schema\n" for name in ["core", "cosine", "inetorgperson"])
        tls = ""
        if self.certificate:
            pem, key = self.certificate
            tls = f"TLSCertificateFile {pem}\nTLSCertificateKeyFile {key}\n"
        (self.directory / "data").mkdir()
        self.entrust("data")
        (self.directory / "slapd.conf").write_text(
            f"{schemas}{tls}allow bind_anon_cred\nmodulepath /usr/lib/ldap\nmoduleload back_mdb\nmoduleload memberof\n"
            f'database mdb\nmaxsize 1073741824\nsuffix "{BASE}"\nrootdn "{ADMIN}"\nrootpw "{ADMIN_PASSWORD}"\n'
            f"directory {self.directory}/data\ndbnosync\noverlay memberof\n"
            "access to attrs=userPassword by anonymous auth\naccess to * by dn.exact=cn=reader,dc=example,dc=org read\n"
        )
        top = f"dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\no: Example\ndc: example\n\n"
        (self.directory / "first.ldif").write_text(top)
        self.run("slapadd", "-f", "slapd.conf", "-l", "first.ldif")

    def entrust(self, name):
        if self.user:
            entry = pwd.getpwnam(self.user)
            os.chown(self.directory / name, entry.pw_uid, entry.pw_gid)

    def command(self):
        return ["slapd", "-d", "0", "-f", "slapd.conf", "-h", f"ldap://127.0.0.1:{self.port}"]

    def start(self):
        super().start()
        if self.entries:
            self.change("ldapadd", self.entries)
            self.entries = ""

    def is_ready(self):
        return "dcObject" in self.change("ldapsearch", "", "-b", BASE, "-LLL", "objectClass=*", "objectClass")

    def change(self, tool, text, *options):
        return self.run(
            tool, "-x", "-H", f"ldap://127.0.0.1:{self.port}", "-D", ADMIN, "-w", ADMIN_PASSWORD, *options, input=text
        )
