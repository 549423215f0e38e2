"""Faults of the medium: what clients are answered, what the operator reads, and that no acknowledgement was a lie."""

import re
import time

import pytest
from exchange import strowger
from faults import SmallDisk, delaying, failing, needs_root, needs_strace
from postbox import Postbox
from wire import V5, V311, Kind, Wire, publish

pytestmark = pytest.mark.strowger

MIB = 1 << 20
SMALL = ["storage.journal_segment_bytes=1048576", "storage.journal_bytes_max=4194304"]
HEADER_BYTES_MAX = 64
SERVER_BUSY = 0x89
CUT = "cut off|not finished|incomplete"
LONG_QUEUES = ["session.queue_messages_max=1000000", "session.queue_bytes_max=1073741824"]


def says(text, *patterns):
    """Fails unless one line of `text` has all the patterns, in any order and case."""
    for line in text.splitlines():
        if all(re.search(pattern, line, re.IGNORECASE) for pattern in patterns):
            return line
    raise AssertionError(f"no line with {patterns} in:\n{text[-4000:]}")


def check_refusal_to_start(broker, *patterns, **keywords):
    """A start that has to fail: one line for the operator, an exit code that is neither a signal's nor a panic's."""
    code, said = broker.refusal(**keywords)
    assert 64 <= code <= 78, f"exit code {code}:\n{said}"
    assert "panicked" not in said, said
    return says(said, *patterns)


def check_that_qos_0_flows(broker):
    with Wire.open(broker.address) as sub, Wire.open(broker.address) as pub:
        sub.subscribe("life", qos=0)
        pub.publish("life", b"goes on")
        assert sub.take(10).payload == b"goes on"


def check_refused(postbox, broker, farewell=None):
    """QoS 1 and 2 are refused aloud: with a reason in 5.0, with the end of the connection in 3.1.1.

    Each line hears of a failure by itself; who reaches it before waits, and is sent away with the `farewell`.
    """
    for qos in (1, 2):
        with Wire.open(broker.address) as pub:
            reason = postbox.post(pub, f"refused {qos}", qos=qos)
            assert reason is None or reason >= 0x80, f"acknowledged at QoS {qos}"
            sent_away = reason is None and farewell is not None and postbox.goodbye == farewell
            assert reason is not None or sent_away, f"5.0 was not told why at QoS {qos}"
        with Wire.open(broker.address, version=V311) as pub:
            assert postbox.post(pub, f"closed {qos}", qos=qos) is None
    assert broker.is_up(), broker.log()


def check_accepted_again(postbox, broker, within=20.0):
    deadline = time.monotonic() + within
    with Wire.open(broker.address) as pub:
        number = 0
        while postbox.post(pub, f"again {number}") != 0:
            assert time.monotonic() < deadline, f"still refused {within} s after the fault was gone:\n{broker.log()}"
            time.sleep(0.2)
            number += 1


def check_that_it_is_said_briefly(log):
    """The operator reads of a fault when it comes and when it goes, not once for every message."""
    lines = [line for line in log.splitlines() if re.search(r"\b(WARN|ERROR)\b.*store", line)]
    assert len(lines) <= 20, f"{len(lines)} lines, such as {lines[-1]}"


def fill_up(postbox, pub):
    """Publishes until the broker takes no more; gives the one message that it neither took nor refused, if any.

    What is on its way while the room ends may wait for its answer; whatever comes behind it is refused.
    """
    for _ in range(4000):
        post = postbox.post_and_go(pub, bytes(16384))
        try:
            reason = postbox.answer(pub, *post, timeout=3)
        except TimeoutError:
            return post
        if reason != 0:
            assert reason == 0x97, reason
            return None
    raise AssertionError(f"{len(postbox.acked)} messages of 16 KiB were taken on a full disk")


@pytest.fixture
def small_disk():
    one = SmallDisk(mib=128)
    yield one
    one.close()


@needs_root
@pytest.mark.parametrize("left_mib", [40, 0], ids=["slowly", "at-once"])
@pytest.mark.parametrize("engine", ["fjall", "sled"])
def test_a_full_disk_refuses_aloud_and_recovers(restartable, small_disk, engine, left_mib):
    """Publishers are refused with 0x97 (3.1.1: closed), everything else goes on, and room makes it work again.

    The disk is filled by the broker itself, or by somebody else to the last byte.
    """
    settings = [f"storage.engine={engine}", *SMALL, *LONG_QUEUES]
    broker = restartable(*settings, data=small_disk.point / "data").start()
    postbox = Postbox(broker)
    with Wire.open(broker.address) as pub:
        assert [postbox.post(pub, bytes(16384)) for _ in range(50)] == [0] * 50
    small_disk.fill(but_bytes=left_mib * MIB)
    with Wire.open(broker.address) as pub:
        waiting = fill_up(postbox, pub)
        check_refused(postbox, broker)
        check_that_qos_0_flows(broker)
        small_disk.free()
        if waiting:
            assert postbox.answer(pub, *waiting, timeout=20) is not None
    check_accepted_again(postbox, broker)
    log = broker.log()
    broker.kill()
    broker.start()
    postbox.check()
    says(log, "room|space|full", re.escape(str(small_disk.point)))
    check_that_it_is_said_briefly(log)


@needs_root
def test_a_full_disk_lets_a_queue_be_drained(restartable, small_disk):
    """Removals still fit: a receiver may take its messages while publishers are refused, and that makes room."""
    broker = restartable(*SMALL, *LONG_QUEUES, data=small_disk.point / "data").start()
    postbox = Postbox(broker)
    small_disk.fill(but_bytes=40 * MIB)
    with Wire.open(broker.address) as pub:
        fill_up(postbox, pub)
        postbox.check()
        assert broker.is_up()
        small_disk.free()
    check_accepted_again(postbox, broker)


@needs_strace
@pytest.mark.parametrize("engine", ["fjall", "sled"])
def test_a_failed_fsync_ends_all_promises_until_a_restart(restartable, engine):
    """After one failed fdatasync nothing is acknowledged any more, even if later ones would succeed."""
    broker = restartable(f"storage.engine={engine}").start()
    postbox = Postbox(broker)
    with Wire.open(broker.address) as pub:
        assert [postbox.post(pub, f"before {number}") for number in range(20)] == [0] * 20
    with failing(broker, "fdatasync,fsync", "EIO"):
        with Wire.open(broker.address, "unlucky") as pub:
            assert postbox.post(pub, "the first one that fails") != 0
        check_refused(postbox, broker, farewell=SERVER_BUSY)
    says(broker.log(), r"f?datasync|fsync|sync", re.escape(str(broker.data)), "restart")
    check_refused(postbox, broker)
    check_that_qos_0_flows(broker)

    broker.kill()
    broker.start()
    check_accepted_again(postbox, broker)
    postbox.check()


@needs_strace
def test_an_upgrade_opens_anew_what_has_failed(restartable):
    """Once the medium is well, the store needs another start; an upgrade in place is one, and refuses no connection."""
    broker = restartable().start()
    postbox = Postbox(broker)
    with Wire.open(broker.address) as pub:
        assert [postbox.post(pub, f"before {number}") for number in range(20)] == [0] * 20
    with failing(broker, "fdatasync,fsync", "EIO"), Wire.open(broker.address, "unlucky") as pub:
        assert postbox.post(pub, "the first one that fails") != 0
    told = strowger("upgrade", "--data-dir", str(broker.data))
    assert f"in process {broker.process.pid}" in told.stdout, told.stderr
    check_accepted_again(postbox, broker)
    postbox.check()


@needs_strace
def test_a_disk_that_does_not_sync_is_not_waited_for_for_ever(restartable):
    """The end has a bound, and says what it has not done: nothing that was promised to the disk."""
    settings = ["storage.durability=os", "storage.close_timeout_secs=12", "broker.drain_timeout_secs=1"]
    broker = restartable(*settings).start()
    postbox = Postbox(broker)
    with delaying(broker, "fdatasync,fsync", 300), Wire.open(broker.address) as pub:
        assert postbox.post(pub, "acknowledged for less than the disk") == 0
        broker.process.terminate()
        deadline = time.monotonic() + 60
        while "did not write and sync" not in broker.log():
            assert time.monotonic() < deadline, broker.log()
            time.sleep(0.1)
    assert broker.process.wait(30) == 74, broker.log()
    says(broker.log(), "waits for the store", "waited_secs")
    says(broker.log(), "ERROR", "did not write and sync", "close_timeout_secs")
    broker.start()
    postbox.check()


@needs_root
def test_a_full_disk_keeps_no_stop_from_its_end(restartable, small_disk):
    """What waits for room was never acknowledged: the store ends, however little time it has for that, and it is a stop."""
    settings = ["storage.close_timeout_secs=1", "broker.drain_timeout_secs=1", *SMALL]
    broker = restartable(*settings, data=small_disk.point / "data").start()
    with Wire.open(broker.address) as pub:
        small_disk.fill(but_bytes=0)
        pub.send(*(publish(f"kept/{n}", bytes(50000), qos=1, packet_id=n, retain=True) for n in range(1, 41)))
        deadline = time.monotonic() + 20
        while "no room" not in broker.log():
            assert time.monotonic() < deadline, broker.log()
            time.sleep(0.02)
        broker.process.terminate()
        assert broker.process.wait(60) == 0, broker.log()
    assert "look after the medium" not in broker.log()
    small_disk.free()
    broker.start()


@needs_strace
def test_a_sync_that_fails_at_the_end_is_no_stop(restartable):
    broker = restartable("storage.durability=os").start()
    postbox = Postbox(broker)
    with Wire.open(broker.address) as pub, failing(broker, "fdatasync,fsync", "EIO"):
        assert postbox.post(pub, "acknowledged for less than the disk") == 0
        broker.process.terminate()
        assert broker.process.wait(60) == 74, broker.log()


@needs_strace
@pytest.mark.parametrize("error,is_passing", [("ENOSPC", True), ("EIO", False)], ids=["ENOSPC", "EIO"])
def test_a_failed_write_is_refused_and_leaves_no_trace(restartable, error, is_passing):
    """No room passes by itself, and a message that came while it ended may wait for its answer until then.

    An input/output error may ask for a restart. Neither loses what was acknowledged.
    """
    broker = restartable().start()
    postbox = Postbox(broker)
    with Wire.open(broker.address) as pub:
        assert [postbox.post(pub, f"before {number}") for number in range(20)] == [0] * 20
    with Wire.open(broker.address) as pub:
        with failing(broker, "pwrite64,pwritev,pwritev2,fallocate", error):
            post = postbox.post_and_go(pub, b"the first one that fails")
            if not is_passing:
                assert postbox.answer(pub, *post) != 0
            time.sleep(0.5)
            check_refused(postbox, broker)
            check_that_qos_0_flows(broker)
        if is_passing:
            assert postbox.answer(pub, *post, timeout=20) is not None
    says(broker.log(), "room|space|full" if is_passing else "writ", re.escape(str(broker.data)))
    if is_passing:
        check_accepted_again(postbox, broker)
    broker.kill()
    broker.start()
    check_accepted_again(postbox, broker)
    postbox.check()


@needs_root
@pytest.mark.parametrize("has_data", [False, True], ids=["empty", "with-data"])
def test_a_read_only_file_system_is_refused_at_the_start(restartable, small_disk, has_data):
    broker = restartable(data=small_disk.point / "data")
    if has_data:
        broker.start()
        Postbox(broker)
        broker.stop()
    small_disk.make_read_only()
    check_refusal_to_start(broker, re.escape(str(broker.data)), "read-?only")


def test_a_second_process_on_the_same_directory_is_refused(restartable):
    """It is told who holds the directory, and the first one notices nothing."""
    broker = restartable().start()
    postbox = Postbox(broker)
    second = restartable(data=broker.data)
    check_refusal_to_start(second, re.escape(str(broker.data)), rf"\b{broker.process.pid}\b")
    with Wire.open(broker.address) as pub:
        assert postbox.post(pub, "undisturbed") == 0
    broker.kill()
    broker.start()
    postbox.check()


def test_the_lock_of_a_killed_process_does_not_stay(restartable):
    broker = restartable().start()
    broker.kill()
    other = restartable(data=broker.data).start()
    Postbox(other)
    assert other.stop() == 0


def filled(restartable, count=40, size=1000):
    """A killed broker whose journal holds `count` messages for a postbox, each of a commit of its own."""
    broker = restartable().start()
    postbox = Postbox(broker)
    with Wire.open(broker.address) as pub:
        for _ in range(count):
            assert postbox.post(pub, b"x" * size) == 0
    broker.kill()
    return broker, postbox


def journal(broker):
    """The journal's segments with the length of their used part, in order; without those that hold a header alone."""
    found = []
    for path in sorted((broker.data / "journal").iterdir()):
        used = len(path.read_bytes().rstrip(b"\0"))
        if used > HEADER_BYTES_MAX:
            found.append((path, used))
    return found


def patch(path, offset, raw):
    """Overwrites a part of a file; gives what stood there."""
    with open(path, "r+b") as file:
        file.seek(offset)
        old = file.read(len(raw))
        file.seek(offset)
        file.write(raw)
    return old


def test_damage_in_the_middle_of_the_journal_is_reported_and_never_served(restartable):
    """File and offset are named; with the right bytes back, everything is there."""
    broker, postbox = filled(restartable)
    path, used = max(journal(broker), key=lambda one: one[1])
    assert used > 20000
    old = patch(path, used // 2, b"\xde\xad\xbe\xef")
    line = check_refusal_to_start(broker, re.escape(path.name), "offset|byte", "damage|checksum|corrupt")
    offsets = [int(number) for number in re.findall(r"\b\d+\b", line.replace(path.name, ""))]
    assert any(used // 2 - 4096 < one <= used // 2 + 4 for one in offsets), f"no offset near {used // 2}: {line}"
    patch(path, used // 2, old)
    broker.start()
    postbox.check()


def test_a_segment_that_is_missing_is_reported(restartable):
    """A hole in the journal is damage, not an end."""
    broker = restartable(*SMALL, *LONG_QUEUES, "storage.journal_bytes_max=33554432").start()
    postbox = Postbox(broker)
    with Wire.open(broker.address) as pub:
        for _ in range(250):
            assert postbox.post(pub, b"x" * 16384) == 0
    broker.kill()
    segments = journal(broker)
    assert len(segments) >= 3, segments
    gone = segments[len(segments) // 2][0]
    gone.rename(broker.directory / gone.name)
    check_refusal_to_start(broker, "journal|segment", "miss|gone|damage|sequence|gap")
    (broker.directory / gone.name).rename(gone)
    broker.start()
    postbox.check()


def check_torn_tail(broker, postbox):
    """The broker starts, says that it cut, and has everything but perhaps what the cut took."""
    broker.start()
    says(broker.log(), CUT, r"\.log", r"\d")
    got = postbox.collect()
    assert len(postbox.acked) - 1 <= len(got) <= len(postbox.acked)
    assert got == postbox.acked[: len(got)]


def test_a_kill_at_rest_leaves_nothing_to_cut(restartable):
    """The room that a segment has been given and has not used is no torn tail."""
    broker, postbox = filled(restartable)
    for _ in range(3):
        broker.start()
        assert not re.search(f"{CUT}|WARN|ERROR", broker.log(), re.IGNORECASE), broker.log()
        with Wire.open(broker.address) as pub:
            assert postbox.post(pub, "one more") == 0
        broker.kill()
    broker.start()
    postbox.check()


def test_a_torn_tail_of_garbage_is_cut_and_said(restartable):
    broker, postbox = filled(restartable)
    path, used = journal(broker)[-1]
    patch(path, used, bytes(range(1, 256)))
    check_torn_tail(broker, postbox)


def test_a_torn_tail_that_ends_early_is_cut_and_said(restartable):
    broker, postbox = filled(restartable)
    path, used = journal(broker)[-1]
    with open(path, "r+b") as file:
        file.truncate(used - 7)
    check_torn_tail(broker, postbox)


def test_a_torn_tail_is_said_once(restartable):
    """The cut is made for good: the next start finds a sound journal, and what came behind the cut is kept."""
    broker, postbox = filled(restartable)
    path, used = journal(broker)[-1]
    patch(path, used, bytes(range(1, 256)))
    broker.start()
    with Wire.open(broker.address) as pub:
        assert postbox.post(pub, b"behind the cut") == 0
    broker.kill()
    broker.start()
    assert not re.search(CUT, broker.log(), re.IGNORECASE), broker.log()
    assert postbox.collect()[-1] == postbox.acked[-1]


def test_an_unknown_version_of_the_format_is_refused(restartable):
    broker, postbox = filled(restartable)
    path = broker.data / "FORMAT"
    text = path.read_text()
    known = re.search(r"\d+", text).group()
    path.write_text(re.sub(r"\d+", "97", text, count=1))
    check_refusal_to_start(broker, "FORMAT", r"\b97\b", rf"\b{known}\b", "version")
    path.write_text(text)
    broker.start()
    postbox.check()


def test_a_directory_of_another_engine_is_refused(restartable):
    broker, _ = filled(restartable, count=1)
    other = restartable("storage.engine=sled", data=broker.data)
    check_refusal_to_start(other, re.escape(str(broker.data)), "fjall", "sled")


@pytest.mark.parametrize("version", [V311, V5], ids=["v311", "v5"])
def test_nothing_is_stored_without_a_persistent_receiver(restartable, version):
    """With no kept session and no retain flag there is nothing to store, so that no fault of the disk is in the way."""
    broker = restartable().start()
    with Wire.open(broker.address, "sub", version) as sub, Wire.open(broker.address, "pub", version) as pub:
        sub.subscribe("passing/by", qos=2)
        pub.publish("passing/by", b"warm", qos=1)
        assert sub.take().payload == b"warm"
        before = [path.read_bytes() for path, _ in journal(broker)]
        for number in range(100):
            assert pub.publish("passing/by", str(number), qos=1).kind == Kind.PUBACK
            assert sub.take().payload == b"%d" % number
        assert [path.read_bytes() for path, _ in journal(broker)] == before
