"""Fixtures for the suite that drives the broker's own page in Chromium, as an operator would."""

import shutil

import exchange
import pytest
from desk import Desk, House
from playwright.sync_api import expect, sync_playwright

# A machine that does much else besides is slow, not wrong.
expect.set_options(timeout=10_000)


@pytest.fixture(scope="session")
def chromium():
    with sync_playwright() as playwright:
        binary = shutil.which("chromium") or "chromium"
        browser = playwright.chromium.launch(executable_path=binary, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A broker with a listener for operators, for the tests of one file."""
    one = House(tmp_path_factory.mktemp("house"))
    yield one
    one.close()


@pytest.fixture
def own_house(tmp_path):
    """Starts brokers with settings of their own; all are stopped with the test."""
    houses = []

    def start(*options):
        houses.append(House(tmp_path, *options))
        return houses[-1]

    yield start
    for one in houses:
        one.close()


@pytest.fixture
def desk(chromium):
    """Opens pages of a broker. What the browser complains of while they are open fails the test."""
    desks = []

    def sit(house, role=None, **context):
        desks.append(Desk(chromium, house, **context))
        if role:
            desks[-1].login(role)
        return desks[-1]

    yield sit
    complaints = [line for one in desks for line in one.close()]
    assert complaints == []


def pytest_collection_modifyitems(items):
    if exchange.UNDER_TEST != "strowger":
        for item in items:
            item.add_marker(pytest.mark.strowger)
