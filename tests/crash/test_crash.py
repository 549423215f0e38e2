"""Kill -9 at random moments under traffic: what was acknowledged is there, once, in order.

The broker runs with its default settings of storage. The report of a failed run names for each finding topic,
publisher and number, when it was sent and acknowledged, and who saw it.
"""

import asyncio
import shutil

import pytest
from restartable import Restartable
from world import World

# Queues of a client that is away for long take more than the default number of messages.
LONG_QUEUES = ["session.queue_messages_max=1000000", "session.queue_bytes_max=1073741824"]


def play(broker, seed, kills, end=None):
    """One run to its end; gives the ledger. The broker is gone afterwards."""
    world = World(broker, seed)
    try:
        asyncio.run(world.run(kills, end))
    finally:
        broker.kill()
        for line in broker.log_path.read_text(errors="replace").splitlines():
            if " ERROR " in line or "panicked" in line:
                world.ledger.find("broker", line)
        print(world.ledger.report())
    return world.ledger


def check_that_it_was_a_run(ledger, kills):
    """A run in which little happened would prove little."""
    seen = ledger.seen
    assert ledger.kills == kills
    assert seen["acknowledged"] > 1000 * (kills + 1), f"too little traffic: {seen}"
    assert seen["delivered"] > 2 * seen["acknowledged"], f"too few deliveries: {seen}"
    for what in ("PUBLISH resent", "retained reads", "wills due", "wills delivered"):
        assert seen[what] > 0, f"{what}: never in this run"


def test_nothing_acknowledged_is_lost_by_kills(tmp_path, seed, kills, settings):
    ledger = play(Restartable(tmp_path, *LONG_QUEUES, *settings), seed, kills)
    assert not ledger.numbers, ledger.report()
    check_that_it_was_a_run(ledger, kills)


@pytest.mark.skipif(not (shutil.which("mosquitto") or shutil.which("/usr/sbin/mosquitto")), reason="needs mosquitto")
def test_the_ledger_finds_what_a_broker_loses(tmp_path, seed):
    """The check of the checks: mosquitto writes a snapshot each second, so a kill has to show in the books."""
    ledger = play(Restartable(tmp_path, kind="mosquitto"), seed, 2)
    assert ledger.numbers["lost"] > 0, ledger.report()
