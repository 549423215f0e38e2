"""Who comes in by PostgreSQL, MariaDB, SQLite, Redis and LDAP, each with a real server."""

import pathlib
import sqlite3

import directories
import exchange
import pytest
from authority import Authority
from wire import V5, V311, Kind, Wire, connect

pytestmark = pytest.mark.strowger

IN, BAD_CREDENTIALS, NOT_AUTHORIZED, UNAVAILABLE = 0, 0x86, 0x87, 0x88
#: Without the memory of answers, so that each client is asked for.
FRESH = ["auth.anonymous=deny", "auth.directory_cache_secs=0", "auth.directory_timeout_ms=1500"]
TABLES = """
    CREATE TABLE mqtt_users (
        username VARCHAR(200) PRIMARY KEY, password_hash VARCHAR(500), is_superuser {truth}, groups_ VARCHAR(200)
    );
    CREATE TABLE mqtt_rights (username VARCHAR(200), allow {truth}, action VARCHAR(20), filter VARCHAR(200));
    INSERT INTO mqtt_users VALUES ('ann', '{ann}', {no}, 'office, readers'), ('root', '{root}', {yes}, NULL),
        ('broken', 'no hash', {no}, NULL), ('nothing', NULL, {no}, NULL);
    INSERT INTO mqtt_rights VALUES ('ann', {yes}, 'publish', 'a/#'), ('ann', {no}, 'all', 'a/secret');
"""
SQL = [
    "auth.sql_query=SELECT username, password_hash, is_superuser, groups_ AS {groups} FROM mqtt_users "
    "WHERE username = ${{username}} AND ${{client_id}} <> 'outcast'",
    "auth.sql_acl_query=SELECT allow, action, filter FROM mqtt_rights WHERE username = ${{username}}",
]
PEOPLE = """
dn: ou=people,dc=example,dc=org
objectClass: organizationalUnit
ou: people

dn: ou=groups,dc=example,dc=org
objectClass: organizationalUnit
ou: groups

dn: cn=reader,dc=example,dc=org
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: reader
userPassword: reader's secret

dn: cn=Ann (Works)\\, North,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
cn: Ann (Works), North
sn: Ann
uid: ann
userPassword: ann's secret

dn: cn=root,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
cn: root
sn: Root
uid: root
userPassword: root's secret

dn: cn=One,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
cn: One
sn: One
uid: twin
userPassword: twin's secret

dn: cn=Two,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
cn: Two
sn: Two
uid: twin
userPassword: twin's secret

dn: cn=office,ou=groups,dc=example,dc=org
objectClass: groupOfNames
cn: office
member: cn=Ann (Works)\\, North,ou=people,dc=example,dc=org

"""


def stored(tmp_path, password):
    """A hash as `strowger passwd` makes it."""
    file = pathlib.Path(tmp_path) / "one"
    done = exchange.strowger("passwd", file, "somebody", input=f"{password}\n")
    assert done.returncode == 0, done.stderr
    line = file.read_text()
    file.unlink()
    return line.strip().partition(":")[2]


@pytest.fixture(scope="module")
def hashes(tmp_path_factory):
    directory = tmp_path_factory.mktemp("hashes")
    return {name: stored(directory, f"{name}'s secret") for name in ["ann", "root"]}


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """Of the servers' certificates, in a directory that their accounts can read."""
    directory = pathlib.Path(directories.tempfile.mkdtemp(prefix="strowger-authority-"))
    directory.chmod(0o755)
    one = Authority(directory)
    one.server = one.issue("server", hosts=["localhost", "127.0.0.1"])[:2]
    for file in one.server:
        pathlib.Path(file).chmod(0o644)
    yield one
    directories.shutil.rmtree(directory)


@pytest.fixture(scope="module")
def postgres(hashes):
    server = directories.Postgres()
    server.query(TABLES.format(truth="BOOLEAN", yes="TRUE", no="FALSE", **hashes))
    server.settings = [f"auth.sql_url={server.url}", *(line.format(groups="groups") for line in SQL)]
    yield server
    server.close()


@pytest.fixture(scope="module")
def mariadb(hashes):
    server = directories.MariaDb()
    server.query(TABLES.format(truth="BOOLEAN", yes="TRUE", no="FALSE", **hashes))
    server.settings = [f"auth.sql_url={server.url}", *(line.format(groups="`groups`") for line in SQL)]
    yield server
    server.close()


@pytest.fixture(scope="module")
def sqlite(hashes, tmp_path_factory):
    class File:
        path = tmp_path_factory.mktemp("sqlite") / "users.db"

    with sqlite3.connect(File.path) as base:
        base.executescript(TABLES.format(truth="BOOLEAN", yes=1, no=0, **hashes))
    File.settings = [f"auth.sql_url=sqlite://{File.path}", *(line.format(groups="groups") for line in SQL)]
    return File


@pytest.fixture(scope="module")
def redis(hashes, authority):
    server = directories.Redis(authority.server)
    server.query("HSET", "mqtt:user:ann", "password_hash", hashes["ann"], "groups", "office, readers")
    server.query("HSET", "mqtt:user:root", "password_hash", hashes["root"], "is_superuser", "1")
    server.query("HSET", "mqtt:user:broken", "password_hash", "no hash")
    server.query("HSET", "mqtt:user:nothing", "groups", "office")
    server.query("HSET", "mqtt:rights:ann", "a/#", "publish", "a/secret", "deny")
    server.settings = [f"auth.redis_url={server.url}", "auth.redis_acl_key=mqtt:rights:%u"]
    yield server
    server.close()


@pytest.fixture(scope="module")
def ldap(authority, tmp_path_factory):
    server = directories.Slapd(PEOPLE, authority.server)
    password = tmp_path_factory.mktemp("ldap") / "password"
    password.write_text("reader's secret\n")
    password.chmod(0o600)
    server.settings = [
        f"auth.ldap_url={server.url}",
        "auth.ldap_bind_dn=cn=reader,dc=example,dc=org",
        f"auth.ldap_password_file={password}",
        "auth.ldap_base=ou=people,dc=example,dc=org",
    ]
    yield server
    server.close()


@pytest.fixture(params=["postgres", "mariadb", "sqlite", "redis", "ldap"])
def directory(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def asking(start):
    """Starts a broker that asks one directory."""

    def begin(server, *more):
        settings = [*FRESH, *server.settings, *more]
        return start(*(part for setting in settings for part in ("--set", setting)))

    return begin


def knock(broker, username, password, client_id="", version=V5):
    """The reason code of the CONNACK."""
    with Wire(broker.address, version) as wire:
        wire.send(connect(client_id, version, username=username, password=password))
        return wire.expect(Kind.CONNACK, timeout=10).reason


def test_a_password_opens_the_door_and_nothing_else_does(asking, directory):
    broker = asking(directory)
    assert knock(broker, "ann", b"ann's secret") == IN, broker.log()
    assert knock(broker, "ann", b"ann's secret", version=V311) == IN
    for username, password in [
        ("ann", b"root's secret"),
        ("ann", b""),
        ("ann", None),
        ("ann", b"ann's secret\0"),
        ("ann", b"\xff\xfe"),
        ("nobody", b"ann's secret"),
        ("", b"ann's secret"),
    ]:
        assert knock(broker, username, password) == BAD_CREDENTIALS, (username, password)
    assert knock(broker, None, None) != IN
    assert "secret" not in broker.log().replace("/secret", "")


def test_a_name_is_a_name_whatever_it_holds(asking, directory):
    """Nothing gets out of the quotes, and who is called differently is somebody else, whatever the directory thinks."""
    broker = asking(directory)
    names = [
        "ANN", "Ann", "ann ", " ann", "ann\t", "ánn", "*", "a*", "ann)(uid=*", "ann*", "ann)(|(uid=*", "\\61nn",
        "ann' OR '1'='1", "ann'--", "ann\" OR \"\"=\"", "ann;", "${username}", "$1", "?", "%u", "%c", "ann\nHGETALL x",
        "ann\r\nDEL x", "x" * 60_000,
    ]  # fmt: skip
    for name in names:
        assert knock(broker, name, b"ann's secret", client_id="ann") != IN, name
    assert knock(broker, "ann", b"ann's secret") == IN, broker.log()


def test_groups_come_along(asking, directory, tmp_path):
    rights = tmp_path / "rights"
    rights.write_text("group office\nallow all b/#\n")
    broker = asking(directory, f"acl.file={rights}")
    with Wire.open(broker.address, "x", V5, username="ann", password=b"ann's secret") as ann:
        assert ann.publish("b/c", b"x", qos=1).reason in (0, 0x10)
        assert ann.publish("c/d", b"x", qos=1).reason == NOT_AUTHORIZED


def test_groups_are_searched(asking, ldap, tmp_path):
    rights = tmp_path / "rights"
    rights.write_text("group office\nallow all b/#\n")
    search = ["auth.ldap_group_attribute=", "auth.ldap_group_filter=(member=%d)"]
    broker = asking(ldap, f"acl.file={rights}", *search, "auth.ldap_group_base=ou=groups,dc=example,dc=org")
    for name, reasons in [("ann", (0, 0x10)), ("root", (NOT_AUTHORIZED,))]:
        with Wire.open(broker.address, name, V5, username=name, password=f"{name}'s secret".encode()) as wire:
            assert wire.publish("b/c", b"x", qos=1).reason in reasons, broker.log()


@pytest.mark.parametrize("directory", ["postgres", "mariadb", "sqlite", "redis"], indirect=True)
def test_rights_come_along(asking, directory, tmp_path):
    rights = tmp_path / "rights"
    rights.write_text("user nobody\nallow all b/#\n")
    broker = asking(directory, f"acl.file={rights}")
    with Wire.open(broker.address, "x", V5, username="ann", password=b"ann's secret") as ann:
        assert ann.publish("a/b", b"x", qos=1).reason in (0, 0x10)
        assert ann.publish("a/secret", b"x", qos=1).reason == NOT_AUTHORIZED
        assert ann.publish("c/d", b"x", qos=1).reason == NOT_AUTHORIZED
        assert ann.subscribe("a/b", qos=1) == [NOT_AUTHORIZED]
    with Wire.open(broker.address, "y", V5, username="root", password=b"root's secret") as root:
        assert root.publish("c/d", b"x", qos=1).reason in (0, 0x10)


@pytest.mark.parametrize("directory", ["postgres", "mariadb", "sqlite"], indirect=True)
def test_what_else_is_known_of_a_client_can_be_asked(asking, directory):
    broker = asking(directory)
    assert knock(broker, "ann", b"ann's secret", client_id="outcast") == BAD_CREDENTIALS
    assert knock(broker, "ann", b"ann's secret", client_id="other") == IN


def test_what_is_no_clear_answer_is_no(asking, directory):
    broker = asking(directory)
    for name in ["broken", "nothing"] if not isinstance(directory, directories.Slapd) else ["twin"]:
        assert knock(broker, name, f"{name}'s secret".encode()) == UNAVAILABLE, name
        assert knock(broker, name, b"") == UNAVAILABLE, name
    assert "clients are turned away" in broker.log() and "see that it serves" in broker.log()
    assert knock(broker, "ann", b"ann's secret") == IN


@pytest.mark.parametrize("directory", ["postgres", "mariadb", "redis", "ldap"], indirect=True)
def test_a_server_that_is_killed_keeps_everybody_out_until_it_is_back(asking, directory):
    broker = asking(directory)
    assert knock(broker, "ann", b"ann's secret") == IN
    directory.kill()
    for _ in range(3):
        assert knock(broker, "ann", b"ann's secret") == UNAVAILABLE
    assert f":{directory.port}" in broker.log() and "clients are turned away" in broker.log()
    if isinstance(directory, directories.Redis):
        # It keeps nothing over its end: nobody is known, and nobody comes in.
        directory.start()
        assert knock(broker, "ann", b"ann's secret") == BAD_CREDENTIALS
        return
    directory.start()
    assert knock(broker, "ann", b"ann's secret") == IN, broker.log()


@pytest.mark.parametrize("directory", ["postgres", "mariadb"], indirect=True)
def test_a_table_that_is_locked_keeps_everybody_out_for_a_while(asking, directory):
    broker = asking(directory, "auth.directory_timeout_ms=300")
    sleeps = {"postgres": "pg_sleep(2)::text", "mariadb": "SLEEP(2)"}
    name = "postgres" if isinstance(directory, directories.Postgres) else "mariadb"
    query = "auth.sql_query=SELECT password_hash FROM mqtt_users WHERE username = ${username} AND "
    query += f"{sleeps[name]} IS NOT NULL"
    slow = asking(directory, "auth.directory_timeout_ms=300", query, "auth.sql_acl_query=")
    assert knock(slow, "ann", b"ann's secret") == UNAVAILABLE
    assert "did not answer within 300ms" in slow.log() or "statement timeout" in slow.log(), slow.log()
    assert knock(broker, "ann", b"ann's secret") == IN, broker.log()


def test_an_answer_holds_for_a_while(asking, postgres):
    broker = asking(postgres, "auth.directory_cache_secs=60")
    assert knock(broker, "ann", b"ann's secret", client_id="one") == IN
    postgres.kill()
    try:
        assert knock(broker, "ann", b"ann's secret", client_id="one") == IN
        assert knock(broker, "ann", b"another", client_id="one") == UNAVAILABLE
        assert knock(broker, "ann", b"ann's secret", client_id="two") == UNAVAILABLE
    finally:
        postgres.start()


def test_the_password_file_is_asked_first(asking, sqlite, tmp_path):
    file = tmp_path / "passwords"
    exchange.strowger("passwd", file, "ann", input="of the file\n")
    broker = asking(sqlite, f"auth.password_file={file}")
    assert knock(broker, "ann", b"of the file") == IN
    assert knock(broker, "ann", b"ann's secret") == BAD_CREDENTIALS
    assert knock(broker, "root", b"root's secret") == IN


def test_a_query_that_is_wrong_keeps_the_broker_from_starting(sqlite, postgres):
    for settings, culprit in [
        ([*sqlite.settings[:1], "auth.sql_query=SELEKT ${username}"], "auth.sql_query"),
        ([*sqlite.settings[:2], "auth.sql_acl_query=SELECT a FROM nowhere"], "auth.sql_acl_query"),
        ([*postgres.settings[:1], "auth.sql_query=SELECT a FROM mqtt_users WHERE username = ${username}"], "auth.sql_query"),
        (["auth.sql_url=postgres://x:hidden@[::1", "auth.sql_query=SELECT ${username}"], "auth.sql_url"),
        (["auth.sql_url=postgres://x:hidden@db.example.org/x?sslmode=disable"], "auth.sql_url"),
        (["auth.sql_url=oracle://x:hidden@localhost/x"], "auth.sql_url"),
        (["auth.redis_url=redis://:hidden@redis.example.org/0"], "auth.redis_url"),
        (["auth.redis_url=hidden://x"], "auth.redis_url"),
    ]:  # fmt: skip
        done = exchange.strowger(
            "serve", "--bind", "127.0.0.1:0", "--set", "storage.engine=memory",
            *(part for setting in settings for part in ("--set", setting)),
        )  # fmt: skip
        assert done.returncode == 64, (settings, done.stderr)
        assert culprit in done.stderr and "hidden" not in done.stderr, done.stderr


def test_a_check_names_what_cannot_work(tmp_path):
    conf = tmp_path / "conf.toml"
    for key, value, says in [
        ("sql_url", "sqlite:///x", None),
        ("sql_query", "SELECT 1", "everybody would be the same"),
        ("sql_query", "SELECT '${username}'", "quotes"),
        ("sql_query", "SELECT ${user}", "not known"),
        ("redis_key", "mqtt:user", "everybody would be the same"),
        ("redis_key", "mqtt:%x:%u", "stands for nothing"),
        ("ldap_filter", "(uid=*)", "everybody would be the same"),
        ("ldap_filter", "(uid=%u", "not a filter"),
        ("ldap_url", "http://localhost", "LDAP"),
    ]:
        values = {"ldap_url": "ldap://localhost", "redis_url": "redis://localhost", "sql_url": "sqlite:///x"}
        values[key] = value
        conf.write_text("[auth]\n" + "".join(f"{key} = '''{value}'''\n" for key, value in values.items()))
        done = exchange.strowger("check", conf)
        assert (done.returncode == 0) == (says is None), done.stderr
        assert says is None or (f"auth.{key}" in done.stderr and says in done.stderr), done.stderr


def test_certificates_of_servers_are_verified(asking, redis, ldap, authority, tmp_path, hashes):
    redis.query("HSET", "mqtt:user:ann", "password_hash", hashes["ann"])
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other")
    for server, settings in [
        (redis, [f"auth.redis_url={redis.tls_url}"]),
        (ldap, ["auth.directory_tls=always"]),
    ]:
        good = asking(server, *settings, f"auth.directory_ca={authority.pem}")
        assert knock(good, "ann", b"ann's secret") == IN, good.log()
        for ca in [f"auth.directory_ca={other.pem}", "auth.directory_ca="]:
            bad = asking(server, *settings, ca)
            assert knock(bad, "ann", b"ann's secret") == UNAVAILABLE, bad.log()


def test_an_address_in_a_file_is_not_shown(start, postgres, tmp_path):
    file = tmp_path / "address"
    file.write_text(f"{postgres.url}\n")
    settings = [*FRESH, f"auth.sql_url_file={file}", *postgres.settings[1:]]
    broker = start(*(part for setting in settings for part in ("--set", setting)))
    assert knock(broker, "ann", b"ann's secret") == IN
    done = exchange.strowger("serve", "--set", "auth.sql_url=postgres://x:hidden@localhost/y", "--print-conf")
    assert done.returncode == 0 and "hidden" not in done.stdout, done.stdout
