"""Settings of the crash tests, all from the environment.

STROWGER_CRASHES        kills of a run (default 3)
STROWGER_POWER_CUTS     power cuts of a run (default 1)
STROWGER_TEST_SEED      what all random choices come from (default: another one each time; it is printed)
STROWGER_CRASH_SETTINGS settings for the broker, such as "storage.engine=sled storage.durability=os"
"""

import os
import random

import pytest

SEED = int(os.environ.get("STROWGER_TEST_SEED") or random.SystemRandom().randrange(1 << 32))


def pytest_report_header():
    return f"seed: STROWGER_TEST_SEED={SEED}"


@pytest.fixture
def seed():
    """The seed of the run; also on standard output, where a failed test shows it."""
    print(f"STROWGER_TEST_SEED={SEED}")
    return SEED


@pytest.fixture
def kills():
    return int(os.environ.get("STROWGER_CRASHES", "3"))


@pytest.fixture
def power_cuts():
    return int(os.environ.get("STROWGER_POWER_CUTS", "1"))


@pytest.fixture
def settings():
    return os.environ.get("STROWGER_CRASH_SETTINGS", "").split()
